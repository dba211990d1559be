// matmul_33x37x21_float32_kernel
// target: OpenCL C 1.2

// matmul_33x37x21_float32_kernel: grid (2, 2, 1), block (16, 16, 1)
__kernel __attribute__((reqd_work_group_size(16, 16, 1))) void matmul_33x37x21_float32_kernel(
    __global const float* restrict A,
    __global const float* restrict B,
    __global float* restrict C) {
  const int threadIdx_x = (int)get_local_id(0);
  const int blockIdx_y = (int)get_group_id(1);
  const int threadIdx_y = (int)get_local_id(1);
  const int blockIdx_x = (int)get_group_id(0);
  __local float A_shared[640] __attribute__((aligned(16)));
  __local float B_shared[512] __attribute__((aligned(16)));
  const int A_shared_at = (threadIdx_x & 3) * 4;
  const int C_at = blockIdx_y * 1184 + threadIdx_y * 74;
  const int A_shared_at_1 = threadIdx_y * 80 + (threadIdx_x >> 2) * 20 + A_shared_at;
  const int at = threadIdx_y * 4 + (threadIdx_x >> 2) + blockIdx_y * 32;
  const int A_at = threadIdx_y * 84 + (threadIdx_x >> 2) * 21 + blockIdx_y * 672 + A_shared_at;
  const int B_shared_at = threadIdx_y * 64 + threadIdx_x * 4;
  const int at_1 = threadIdx_y * 2 + (threadIdx_x >> 3);
  const int at_2 = (threadIdx_x & 7) + blockIdx_x * 8;
  const int B_at = threadIdx_y * 74 + (threadIdx_x >> 3) * 37 + (threadIdx_x & 7) * 4 + blockIdx_x * 32;
  const int at_3 = blockIdx_y * 32 + threadIdx_y * 2;
  const int at_4 = blockIdx_x * 16 + threadIdx_x;
  const int C_at_1 = C_at + blockIdx_x * 32 + threadIdx_x * 2;
  float C_local[4];
  float A_shared_local[8];
  float B_shared_local[8];
  __attribute__((opencl_unroll_hint))
  for (int i_c_init = 0; i_c_init < 2; ++i_c_init) {
    __attribute__((opencl_unroll_hint))
    for (int j_c_init = 0; j_c_init < 2; ++j_c_init) {
      C_local[i_c_init * 2 + j_c_init] = 0.0f;
    }
  }
  for (int k_outer = 0; k_outer < 2; ++k_outer) {
    const int A_at_1 = A_at + k_outer * 16;
    const int at_5 = (threadIdx_x & 3) + k_outer * 4;
    const int B_at_1 = B_at + k_outer * 592;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (threadIdx_y < 8) {
      const bool t = at < 33;
      float t_1;
      if (t && at_5 < 5) {
        const float4 A_v = vload4(0, A + A_at_1);
        t_1 = A_v.s0;
      } else {
        t_1 = t && at_5 < 6 ? A[A_at_1] : 0.0f;
      }
      const bool t_2 = t && at_5 < 5;
      float t_3;
      if (t && at_5 < 5) {
        const float4 A_v_1 = vload4(0, A + A_at_1);
        t_3 = A_v_1.s1;
      } else {
        t_3 = t_2 ? A[A_at_1 + 1] : 0.0f;
      }
      float t_4;
      if (t && at_5 < 5) {
        const float4 A_v_2 = vload4(0, A + A_at_1);
        t_4 = A_v_2.s2;
      } else {
        t_4 = t_2 ? A[A_at_1 + 2] : 0.0f;
      }
      float t_5;
      if (t && at_5 < 5) {
        const float4 A_v_3 = vload4(0, A + A_at_1);
        t_5 = A_v_3.s3;
      } else {
        t_5 = t_2 ? A[A_at_1 + 3] : 0.0f;
      }
      *(__local float4*)(A_shared + A_shared_at_1) = (float4)(t_1, t_3, t_4, t_5);
      const bool t_6 = at_1 + k_outer * 16 < 21;
      float t_7;
      if (t_6 && at_2 < 9) {
        const float4 B_v = vload4(0, B + B_at_1);
        t_7 = B_v.s0;
      } else {
        t_7 = t_6 && at_2 < 10 ? B[B_at_1] : 0.0f;
      }
      const bool t_8 = t_6 && at_2 < 9;
      float t_9;
      if (t_6 && at_2 < 9) {
        const float4 B_v_1 = vload4(0, B + B_at_1);
        t_9 = B_v_1.s1;
      } else {
        t_9 = t_8 ? B[B_at_1 + 1] : 0.0f;
      }
      float t_10;
      if (t_6 && at_2 < 9) {
        const float4 B_v_2 = vload4(0, B + B_at_1);
        t_10 = B_v_2.s2;
      } else {
        t_10 = t_8 ? B[B_at_1 + 2] : 0.0f;
      }
      float t_11;
      if (t_6 && at_2 < 9) {
        const float4 B_v_3 = vload4(0, B + B_at_1);
        t_11 = B_v_3.s3;
      } else {
        t_11 = t_8 ? B[B_at_1 + 3] : 0.0f;
      }
      *(__local float4*)(B_shared + B_shared_at) = (float4)(t_7, t_9, t_10, t_11);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int k_inner_outer = 0; k_inner_outer < 4; ++k_inner_outer) {
      __attribute__((opencl_unroll_hint))
      for (int ax0 = 0; ax0 < 2; ++ax0) {
        vstore4(*(__local const float4*)(A_shared + (ax0 * 20 + threadIdx_y * 40 + k_inner_outer * 4)), 0, A_shared_local + ax0 * 4);
      }
      __attribute__((opencl_unroll_hint))
      for (int ax0_1 = 0; ax0_1 < 4; ++ax0_1) {
        vstore2(*(__local const float2*)(B_shared + (ax0_1 * 32 + k_inner_outer * 128 + threadIdx_x * 2)), 0, B_shared_local + ax0_1 * 2);
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
    }
  }
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
