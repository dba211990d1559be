// matmul_symbolic_kernel
// target: OpenCL C 1.2

#ifdef POCL_DEVICE_ADDRESS_BITS  // PoCL loses work-items between a loop with barriers and a branch that follows it
#define gc_loop_end() barrier(CLK_LOCAL_MEM_FENCE)
#else
#define gc_loop_end()
#endif

// matmul_symbolic_kernel: grid ((n + 127) // 128, (m + 127) // 128, 1), block (16, 16, 1)
__kernel __attribute__((reqd_work_group_size(16, 16, 1))) void matmul_symbolic_kernel(
    __global const float* restrict A,
    __global const float* restrict B,
    __global float* restrict C,
    const int m,
    const int k,
    const int n) {
  const int threadIdx_x = (int)get_local_id(0);
  const int threadIdx_y = (int)get_local_id(1);
  const int blockIdx_y = (int)get_group_id(1);
  const int blockIdx_x = (int)get_group_id(0);
  __local float A_shared[3072] __attribute__((aligned(16)));
  __local float B_shared[2048] __attribute__((aligned(16)));
  const int at = (threadIdx_x & 1) * 4;
  const int at_1 = (threadIdx_y & 1) * 64;
  const int B_shared_at = threadIdx_y * 64 + threadIdx_x * 4;
  const int at_2 = (k + 7) >> 3;
  const int at_3 = threadIdx_y * 8 + (threadIdx_x >> 1) + blockIdx_y * 128;
  const int at_4 = threadIdx_x * 4 + at_1 + blockIdx_x * 128;
  const int A_shared_at = threadIdx_y * 96 + (threadIdx_x >> 1) * 12 + at;
  const int A_at = at_3 * k + at;
  const int B_at = (threadIdx_y >> 1) * n + threadIdx_x * 4 + at_1 + blockIdx_x * 128;
  const int at_5 = blockIdx_y * 128 + threadIdx_y * 4;
  const int at_6 = blockIdx_x * 128 + threadIdx_x * 4;
  float C_local[64];
  float A_shared_next[4];
  float B_shared_next[4];
  float A_shared_local[32];
  float B_shared_local[32];
  __attribute__((opencl_unroll_hint))
  for (int i_c_init = 0; i_c_init < 4; ++i_c_init) {
    __attribute__((opencl_unroll_hint))
    for (int j_c_init = 0; j_c_init < 4; ++j_c_init) {
      __attribute__((opencl_unroll_hint))
      for (int vy = 0; vy < 2; ++vy) {
        __attribute__((opencl_unroll_hint))
        for (int vx = 0; vx < 2; ++vx) {
          C_local[i_c_init * 4 + j_c_init + vx * 16 + vy * 32] = 0.0f;
        }
      }
    }
  }
  if (at_2 >= 1) {
    const bool t = at_3 < m;
    const bool t_1 = t && at + 3 < k;
    float t_2;
    if (t_1) {
      const float4 A_v = vload4(0, A + A_at);
      t_2 = A_v.s0;
    } else {
      t_2 = t && at < k ? A[A_at] : 0.0f;
    }
    float t_3;
    if (t_1) {
      const float4 A_v_1 = vload4(0, A + A_at);
      t_3 = A_v_1.s1;
    } else {
      t_3 = t && at + 1 < k ? A[A_at + 1] : 0.0f;
    }
    float t_4;
    if (t_1) {
      const float4 A_v_2 = vload4(0, A + A_at);
      t_4 = A_v_2.s2;
    } else {
      t_4 = t && at + 2 < k ? A[A_at + 2] : 0.0f;
    }
    float t_5;
    if (t_1) {
      const float4 A_v_3 = vload4(0, A + A_at);
      t_5 = A_v_3.s3;
    } else {
      t_5 = t && at + 3 < k ? A[A_at + 3] : 0.0f;
    }
    *(__local float4*)(A_shared + A_shared_at) = (float4)(t_2, t_3, t_4, t_5);
    const bool t_6 = threadIdx_y >> 1 < k;
    const bool t_7 = t_6 && at_4 + 3 < n;
    float t_8;
    if (t_7) {
      const float4 B_v = vload4(0, B + B_at);
      t_8 = B_v.s0;
    } else {
      t_8 = t_6 && at_4 < n ? B[B_at] : 0.0f;
    }
    float t_9;
    if (t_7) {
      const float4 B_v_1 = vload4(0, B + B_at);
      t_9 = B_v_1.s1;
    } else {
      t_9 = t_6 && at_4 + 1 < n ? B[B_at + 1] : 0.0f;
    }
    float t_10;
    if (t_7) {
      const float4 B_v_2 = vload4(0, B + B_at);
      t_10 = B_v_2.s2;
    } else {
      t_10 = t_6 && at_4 + 2 < n ? B[B_at + 2] : 0.0f;
    }
    float t_11;
    if (t_7) {
      const float4 B_v_3 = vload4(0, B + B_at);
      t_11 = B_v_3.s3;
    } else {
      t_11 = t_6 && at_4 + 3 < n ? B[B_at + 3] : 0.0f;
    }
    *(__local float4*)(B_shared + B_shared_at) = (float4)(t_8, t_9, t_10, t_11);
  }
  __global const float* A_ptr = A + A_at;
  __global const float* B_ptr = B + (at_4 + (threadIdx_y >> 1) * n);
  for (int k_outer = 0; k_outer < at_2; ++k_outer) {
    const int at_7 = at + k_outer * 8;
    const int B_at_1 = (threadIdx_y >> 1) + k_outer * 8;
    const int A_shared_at_1 = (k_outer + 1) & 1;
    if (k_outer + 1 < at_2) {
      const bool t_12 = at_3 < m;
      const bool t_13 = t_12 && at_7 + 11 < k;
      float t_14;
      if (t_13) {
        const float4 A_v_4 = vload4(0, A_ptr + 8);
        t_14 = A_v_4.s0;
      } else {
        t_14 = t_12 && at_7 + 8 < k ? A_ptr[8] : 0.0f;
      }
      float t_15;
      if (t_13) {
        const float4 A_v_5 = vload4(0, A_ptr + 8);
        t_15 = A_v_5.s1;
      } else {
        t_15 = t_12 && at_7 + 9 < k ? A_ptr[9] : 0.0f;
      }
      float t_16;
      if (t_13) {
        const float4 A_v_6 = vload4(0, A_ptr + 8);
        t_16 = A_v_6.s2;
      } else {
        t_16 = t_12 && at_7 + 10 < k ? A_ptr[10] : 0.0f;
      }
      float t_17;
      if (t_13) {
        const float4 A_v_7 = vload4(0, A_ptr + 8);
        t_17 = A_v_7.s3;
      } else {
        t_17 = t_12 && at_7 + 11 < k ? A_ptr[11] : 0.0f;
      }
      vstore4((float4)(t_14, t_15, t_16, t_17), 0, A_shared_next);
      const bool t_18 = B_at_1 + 8 < k;
      const bool t_19 = t_18 && at_4 + 3 < n;
      float t_20;
      if (t_19) {
        const float4 B_v_4 = vload4(0, B_ptr + 8 * n);
        t_20 = B_v_4.s0;
      } else {
        t_20 = t_18 && at_4 < n ? B_ptr[8 * n] : 0.0f;
      }
      float t_21;
      if (t_19) {
        const float4 B_v_5 = vload4(0, B_ptr + 8 * n);
        t_21 = B_v_5.s1;
      } else {
        t_21 = t_18 && at_4 + 1 < n ? B_ptr[8 * n + 1] : 0.0f;
      }
      float t_22;
      if (t_19) {
        const float4 B_v_6 = vload4(0, B_ptr + 8 * n);
        t_22 = B_v_6.s2;
      } else {
        t_22 = t_18 && at_4 + 2 < n ? B_ptr[8 * n + 2] : 0.0f;
      }
      float t_23;
      if (t_19) {
        const float4 B_v_7 = vload4(0, B_ptr + 8 * n);
        t_23 = B_v_7.s3;
      } else {
        t_23 = t_18 && at_4 + 3 < n ? B_ptr[8 * n + 3] : 0.0f;
      }
      vstore4((float4)(t_20, t_21, t_22, t_23), 0, B_shared_next);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    __local const float* A_shared_ptr = A_shared + (threadIdx_y * 48 + (k_outer & 1) * 1536);
    __local const float* B_shared_ptr = B_shared + (threadIdx_x * 4 + (k_outer & 1) * 1024);
    __attribute__((opencl_unroll_hint(1)))
    for (int k_inner_outer = 0; k_inner_outer < 2; ++k_inner_outer) {
      __attribute__((opencl_unroll_hint))
      for (int ax0 = 0; ax0 < 4; ++ax0) {
        __attribute__((opencl_unroll_hint))
        for (int vy_1 = 0; vy_1 < 2; ++vy_1) {
          vstore4(*(__local const float4*)(A_shared_ptr + (ax0 * 12 + vy_1 * 768)), 0, A_shared_local + (ax0 * 4 + vy_1 * 16));
        }
      }
      __attribute__((opencl_unroll_hint))
      for (int ax0_1 = 0; ax0_1 < 4; ++ax0_1) {
        __attribute__((opencl_unroll_hint))
        for (int vx_1 = 0; vx_1 < 2; ++vx_1) {
          vstore4(*(__local const float4*)(B_shared_ptr + (ax0_1 * 128 + vx_1 * 64)), 0, B_shared_local + (ax0_1 * 4 + vx_1 * 16));
        }
      }
      __attribute__((opencl_unroll_hint))
      for (int k_inner_inner = 0; k_inner_inner < 4; ++k_inner_inner) {
        __attribute__((opencl_unroll_hint))
        for (int i_c = 0; i_c < 4; ++i_c) {
          __attribute__((opencl_unroll_hint))
          for (int j_c = 0; j_c < 4; ++j_c) {
            __attribute__((opencl_unroll_hint))
            for (int vy_2 = 0; vy_2 < 2; ++vy_2) {
              __attribute__((opencl_unroll_hint))
              for (int vx_2 = 0; vx_2 < 2; ++vx_2) {
                const int C_local_at = i_c * 4 + j_c + vx_2 * 16 + vy_2 * 32;
                C_local[C_local_at] = C_local[C_local_at] + A_shared_local[i_c * 4 + k_inner_inner + vy_2 * 16] * B_shared_local[k_inner_inner * 4 + j_c + vx_2 * 16];
              }
            }
          }
        }
      }
      A_shared_ptr += 4;
      B_shared_ptr += 512;
    }
    if (k_outer + 1 < at_2) {
      *(__local float4*)(A_shared + (A_shared_at + A_shared_at_1 * 1536)) = vload4(0, A_shared_next);
      *(__local float4*)(B_shared + (B_shared_at + A_shared_at_1 * 1024)) = vload4(0, B_shared_next);
    }
    A_ptr += 8;
    B_ptr += 8 * n;
  }
  gc_loop_end();
  __attribute__((opencl_unroll_hint))
  for (int i_inner_inner_inner = 0; i_inner_inner_inner < 4; ++i_inner_inner_inner) {
    __attribute__((opencl_unroll_hint))
    for (int vy_3 = 0; vy_3 < 2; ++vy_3) {
      const int at_8 = at_5 + vy_3 * 64 + i_inner_inner_inner;
      if (at_8 < m) {
        __attribute__((opencl_unroll_hint))
        for (int vx_3 = 0; vx_3 < 2; ++vx_3) {
          const int at_9 = at_6 + vx_3 * 64;
          const int C_at = at_6 + at_8 * n + vx_3 * 64;
          if (at_9 + 3 < n) {
            vstore4(vload4(0, C_local + (i_inner_inner_inner * 4 + vx_3 * 16 + vy_3 * 32)), 0, C + C_at);
          } else {
            __attribute__((opencl_unroll_hint))
            for (int j_inner_inner_inner = 0; j_inner_inner_inner < 4; ++j_inner_inner_inner) {
              if (at_9 + j_inner_inner_inner < n) {
                C[C_at + j_inner_inner_inner] = C_local[i_inner_inner_inner * 4 + j_inner_inner_inner + vx_3 * 16 + vy_3 * 32];
              }
            }
          }
        }
      }
    }
  }
}
