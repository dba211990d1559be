// matmul_33x37x21_float32_kernel
// target: OpenCL C 1.2

#ifdef POCL_DEVICE_ADDRESS_BITS  // PoCL loses work-items between a loop with barriers and a branch that follows it
#define gc_loop_end() barrier(CLK_LOCAL_MEM_FENCE)
#else
#define gc_loop_end()
#endif

// matmul_33x37x21_float32_kernel: grid (2, 2, 1), block (16, 16, 1)
__kernel __attribute__((reqd_work_group_size(16, 16, 1))) void matmul_33x37x21_float32_kernel(
    __global const float* restrict A,
    __global const float* restrict B,
    __global float* restrict C) {
  const int threadIdx_x = (int)get_local_id(0);
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_y = (int)get_local_id(1);
  const int blockIdx_y = (int)get_group_id(1);
  __local float A_shared[1280] __attribute__((aligned(16)));
  __local float B_shared[1024] __attribute__((aligned(16)));
  const int A_at = (threadIdx_x & 3) * 4;
  const int at = (threadIdx_x & 7) + blockIdx_x * 8;
  const int B_shared_at = threadIdx_y * 64 + threadIdx_x * 4;
  const int C_at = blockIdx_y * 1184 + threadIdx_y * 74;
  const int at_1 = threadIdx_y * 4 + (threadIdx_x >> 2) + blockIdx_y * 32;
  const int B_at = threadIdx_y * 74 + (threadIdx_x >> 3) * 37 + (threadIdx_x & 7) * 4;
  const int A_shared_at = threadIdx_y * 80 + (threadIdx_x >> 2) * 20 + A_at;
  const int A_at_1 = threadIdx_y * 84 + (threadIdx_x >> 2) * 21 + blockIdx_y * 672 + A_at;
  const int B_at_1 = B_at + blockIdx_x * 32;
  const int at_2 = threadIdx_y * 2 + (threadIdx_x >> 3);
  const int at_3 = blockIdx_y * 32 + threadIdx_y * 2;
  const int at_4 = blockIdx_x * 16 + threadIdx_x;
  const int C_at_1 = C_at + blockIdx_x * 32 + threadIdx_x * 2;
  float C_local[4];
  float A_shared_next[4];
  float B_shared_next[4];
  float A_shared_local[8];
  float B_shared_local[8];
  __attribute__((opencl_unroll_hint))
  for (int i_c_init = 0; i_c_init < 2; ++i_c_init) {
    __attribute__((opencl_unroll_hint))
    for (int j_c_init = 0; j_c_init < 2; ++j_c_init) {
      C_local[i_c_init * 2 + j_c_init] = 0.0f;
    }
  }
  if (threadIdx_y < 8) {
    *(__local float4*)(A_shared + A_shared_at) = at_1 < 33 ? vload4(0, A + A_at_1) : (float4)(0.0f);
    float t;
    if (at < 9) {
      const float4 B_v = vload4(0, B + B_at_1);
      t = B_v.s0;
    } else {
      t = (threadIdx_x & 7) < 2 ? B[B_at + 32] : 0.0f;
    }
    float t_1;
    if (at < 9) {
      const float4 B_v_1 = vload4(0, B + B_at_1);
      t_1 = B_v_1.s1;
    } else {
      t_1 = 0.0f;
    }
    float t_2;
    if (at < 9) {
      const float4 B_v_2 = vload4(0, B + B_at_1);
      t_2 = B_v_2.s2;
    } else {
      t_2 = 0.0f;
    }
    float t_3;
    if (at < 9) {
      const float4 B_v_3 = vload4(0, B + B_at_1);
      t_3 = B_v_3.s3;
    } else {
      t_3 = 0.0f;
    }
    *(__local float4*)(B_shared + B_shared_at) = (float4)(t, t_1, t_2, t_3);
  }
  for (int k_outer = 0; k_outer < 2; ++k_outer) {
    if (k_outer < 1 && threadIdx_y < 8) {
      const bool t_4 = at_1 < 33;
      const bool t_5 = t_4 && (threadIdx_x & 3) < 1;
      float t_6;
      if (t_5) {
        const float4 A_v = vload4(0, A + (A_at_1 + 16));
        t_6 = A_v.s0;
      } else {
        t_6 = t_4 && (threadIdx_x & 3) < 2 ? A[A_at_1 + 16] : 0.0f;
      }
      const bool t_7 = t_4 && (threadIdx_x & 3) < 1;
      float t_8;
      if (t_5) {
        const float4 A_v_1 = vload4(0, A + (A_at_1 + 16));
        t_8 = A_v_1.s1;
      } else {
        t_8 = t_7 ? A[A_at_1 + 17] : 0.0f;
      }
      float t_9;
      if (t_5) {
        const float4 A_v_2 = vload4(0, A + (A_at_1 + 16));
        t_9 = A_v_2.s2;
      } else {
        t_9 = t_7 ? A[A_at_1 + 18] : 0.0f;
      }
      float t_10;
      if (t_5) {
        const float4 A_v_3 = vload4(0, A + (A_at_1 + 16));
        t_10 = A_v_3.s3;
      } else {
        t_10 = t_7 ? A[A_at_1 + 19] : 0.0f;
      }
      vstore4((float4)(t_6, t_8, t_9, t_10), 0, A_shared_next);
      const bool t_11 = at_2 < 5;
      float t_12;
      if (t_11 && at < 9) {
        const float4 B_v_4 = vload4(0, B + (B_at_1 + 592));
        t_12 = B_v_4.s0;
      } else {
        t_12 = t_11 && at < 10 ? B[B_at_1 + 592] : 0.0f;
      }
      const bool t_13 = t_11 && at < 9;
      float t_14;
      if (t_11 && at < 9) {
        const float4 B_v_5 = vload4(0, B + (B_at_1 + 592));
        t_14 = B_v_5.s1;
      } else {
        t_14 = t_13 ? B[B_at_1 + 593] : 0.0f;
      }
      float t_15;
      if (t_11 && at < 9) {
        const float4 B_v_6 = vload4(0, B + (B_at_1 + 592));
        t_15 = B_v_6.s2;
      } else {
        t_15 = t_13 ? B[B_at_1 + 594] : 0.0f;
      }
      float t_16;
      if (t_11 && at < 9) {
        const float4 B_v_7 = vload4(0, B + (B_at_1 + 592));
        t_16 = B_v_7.s3;
      } else {
        t_16 = t_13 ? B[B_at_1 + 595] : 0.0f;
      }
      vstore4((float4)(t_12, t_14, t_15, t_16), 0, B_shared_next);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    __local const float* A_shared_ptr = A_shared + (threadIdx_y * 40 + k_outer * 640);
    __local const float* B_shared_ptr = B_shared + (threadIdx_x * 2 + k_outer * 512);
    __attribute__((opencl_unroll_hint(1)))
    for (int k_inner_outer = 0; k_inner_outer < 4; ++k_inner_outer) {
      __attribute__((opencl_unroll_hint))
      for (int ax0 = 0; ax0 < 2; ++ax0) {
        vstore4(*(__local const float4*)(A_shared_ptr + ax0 * 20), 0, A_shared_local + ax0 * 4);
      }
      __attribute__((opencl_unroll_hint))
      for (int ax0_1 = 0; ax0_1 < 4; ++ax0_1) {
        vstore2(*(__local const float2*)(B_shared_ptr + ax0_1 * 32), 0, B_shared_local + ax0_1 * 2);
      }
      __attribute__((opencl_unroll_hint))
      for (int k_inner_inner = 0; k_inner_inner < 4; ++k_inner_inner) {
        __attribute__((opencl_unroll_hint))
        for (int i_c = 0; i_c < 2; ++i_c) {
          __attribute__((opencl_unroll_hint))
          for (int j_c = 0; j_c < 2; ++j_c) {
            const int C_local_at = i_c * 2 + j_c;
            C_local[C_local_at] = C_local[C_local_at] + A_shared_local[i_c * 4 + k_inner_inner] * B_shared_local[k_inner_inner * 2 + j_c];
          }
        }
      }
      A_shared_ptr += 4;
      B_shared_ptr += 128;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (k_outer < 1 && threadIdx_y < 8) {
      *(__local float4*)(A_shared + (A_shared_at + 640)) = vload4(0, A_shared_next);
      *(__local float4*)(B_shared + (B_shared_at + 512)) = vload4(0, B_shared_next);
    }
  }
  gc_loop_end();
  __attribute__((opencl_unroll_hint))
  for (int i_inner_inner_inner = 0; i_inner_inner_inner < 2; ++i_inner_inner_inner) {
    if (at_3 + i_inner_inner_inner < 33) {
      if (at_4 < 18) {
        vstore2(vload2(0, C_local + i_inner_inner_inner * 2), 0, C + (C_at_1 + i_inner_inner_inner * 37));
      } else {
        __attribute__((opencl_unroll_hint))
        for (int j_inner_inner_inner = 0; j_inner_inner_inner < 2; ++j_inner_inner_inner) {
          if (threadIdx_x * 2 + j_inner_inner_inner < 5) {
            C[C_at + i_inner_inner_inner * 37 + 36] = C_local[i_inner_inner_inner * 2];
          }
        }
      }
    }
  }
}
