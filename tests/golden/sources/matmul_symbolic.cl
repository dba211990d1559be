// matmul_symbolic_kernel
// target: OpenCL C 1.2

// matmul_symbolic_kernel: grid ((n + 127) // 128, (m + 127) // 128, 1), block (16, 16, 1)
__kernel __attribute__((reqd_work_group_size(16, 16, 1))) void matmul_symbolic_kernel(
    __global const float* restrict A,
    __global const float* restrict B,
    __global float* restrict C,
    const int m,
    const int k,
    const int n) {
  __local float A_shared[2560] __attribute__((aligned(16)));
  __local float B_shared[2048] __attribute__((aligned(16)));
  const int blockIdx_y = (int)get_group_id(1);
  const int threadIdx_y = (int)get_local_id(1);
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  float C_local[64];
  float A_shared_local[32];
  float B_shared_local[32];
  __attribute__((opencl_unroll_hint))
  for (int i_c_init = 0; i_c_init < 4; ++i_c_init) {
    __attribute__((opencl_unroll_hint))
    for (int vy = 0; vy < 2; ++vy) {
      if (i_c_init + blockIdx_y * 128 + vy * 64 + threadIdx_y * 4 < m) {
        __attribute__((opencl_unroll_hint))
        for (int j_c_init = 0; j_c_init < 4; ++j_c_init) {
          __attribute__((opencl_unroll_hint))
          for (int vx = 0; vx < 2; ++vx) {
            if (j_c_init + blockIdx_x * 128 + vx * 64 + threadIdx_x * 4 < n) {
              C_local[i_c_init * 4 + j_c_init + vx * 16 + vy * 32] = 0.0f;
            }
          }
        }
      }
    }
  }
  for (int k_outer = 0; k_outer < ((k + 15) >> 4); ++k_outer) {
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int ax0_ax1_fused_outer_outer_outer = 0; ax0_ax1_fused_outer_outer_outer < 2; ++ax0_ax1_fused_outer_outer_outer) {
      if (ax0_ax1_fused_outer_outer_outer * 64 + threadIdx_y * 4 + (threadIdx_x >> 2) + blockIdx_y * 128 < m && (threadIdx_x & 3) * 4 + k_outer * 16 + 3 < k) {
        *(__local float4*)(A_shared + (ax0_ax1_fused_outer_outer_outer * 1280 + threadIdx_y * 80 + (threadIdx_x >> 2) * 20 + (threadIdx_x & 3) * 4)) = vload4(0, A + ((ax0_ax1_fused_outer_outer_outer * 64 + threadIdx_y * 4 + (threadIdx_x >> 2) + blockIdx_y * 128) * k + (threadIdx_x & 3) * 4 + k_outer * 16));
      } else {
        if (ax0_ax1_fused_outer_outer_outer * 64 + threadIdx_y * 4 + (threadIdx_x >> 2) + blockIdx_y * 128 < m) {
          __attribute__((opencl_unroll_hint))
          for (int ax0_ax1_fused_inner = 0; ax0_ax1_fused_inner < 4; ++ax0_ax1_fused_inner) {
            if (ax0_ax1_fused_inner + (threadIdx_x & 3) * 4 + k_outer * 16 < k) {
              A_shared[ax0_ax1_fused_outer_outer_outer * 1280 + threadIdx_y * 80 + (threadIdx_x >> 2) * 20 + ax0_ax1_fused_inner + (threadIdx_x & 3) * 4] = A[(ax0_ax1_fused_outer_outer_outer * 64 + threadIdx_y * 4 + (threadIdx_x >> 2) + blockIdx_y * 128) * k + ax0_ax1_fused_inner + (threadIdx_x & 3) * 4 + k_outer * 16];
            }
          }
        }
      }
    }
    for (int ax0_ax1_fused_outer_outer_outer_1 = 0; ax0_ax1_fused_outer_outer_outer_1 < 2; ++ax0_ax1_fused_outer_outer_outer_1) {
      if (ax0_ax1_fused_outer_outer_outer_1 * 8 + (threadIdx_y >> 1) + k_outer * 16 < k && threadIdx_x * 4 + (threadIdx_y & 1) * 64 + blockIdx_x * 128 + 3 < n) {
        *(__local float4*)(B_shared + (ax0_ax1_fused_outer_outer_outer_1 * 1024 + threadIdx_y * 64 + threadIdx_x * 4)) = vload4(0, B + ((ax0_ax1_fused_outer_outer_outer_1 * 8 + (threadIdx_y >> 1) + k_outer * 16) * n + threadIdx_x * 4 + (threadIdx_y & 1) * 64 + blockIdx_x * 128));
      } else {
        if (ax0_ax1_fused_outer_outer_outer_1 * 8 + (threadIdx_y >> 1) + k_outer * 16 < k) {
          __attribute__((opencl_unroll_hint))
          for (int ax0_ax1_fused_inner_1 = 0; ax0_ax1_fused_inner_1 < 4; ++ax0_ax1_fused_inner_1) {
            if (threadIdx_x * 4 + ax0_ax1_fused_inner_1 + (threadIdx_y & 1) * 64 + blockIdx_x * 128 < n) {
              B_shared[ax0_ax1_fused_outer_outer_outer_1 * 1024 + threadIdx_y * 64 + threadIdx_x * 4 + ax0_ax1_fused_inner_1] = B[(ax0_ax1_fused_outer_outer_outer_1 * 8 + (threadIdx_y >> 1) + k_outer * 16) * n + threadIdx_x * 4 + ax0_ax1_fused_inner_1 + (threadIdx_y & 1) * 64 + blockIdx_x * 128];
            }
          }
        }
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int k_inner_outer = 0; k_inner_outer < 4; ++k_inner_outer) {
      __attribute__((opencl_unroll_hint))
      for (int ax0 = 0; ax0 < 4; ++ax0) {
        __attribute__((opencl_unroll_hint))
        for (int vy_1 = 0; vy_1 < 2; ++vy_1) {
          if (ax0 + blockIdx_y * 128 + vy_1 * 64 + threadIdx_y * 4 < m) {
            if (k_outer * 16 + k_inner_outer * 4 + 3 < k) {
              vstore4(*(__local const float4*)(A_shared + (ax0 * 20 + vy_1 * 1280 + threadIdx_y * 80 + k_inner_outer * 4)), 0, A_shared_local + (ax0 * 4 + vy_1 * 16));
            } else {
              __attribute__((opencl_unroll_hint))
              for (int ax1 = 0; ax1 < 4; ++ax1) {
                if (ax1 + k_outer * 16 + k_inner_outer * 4 < k) {
                  A_shared_local[ax0 * 4 + ax1 + vy_1 * 16] = A_shared[ax0 * 20 + vy_1 * 1280 + threadIdx_y * 80 + ax1 + k_inner_outer * 4];
                }
              }
            }
          }
        }
      }
      __attribute__((opencl_unroll_hint))
      for (int ax0_1 = 0; ax0_1 < 4; ++ax0_1) {
        if (ax0_1 + k_outer * 16 + k_inner_outer * 4 < k) {
          __attribute__((opencl_unroll_hint))
          for (int vx_1 = 0; vx_1 < 2; ++vx_1) {
            if (blockIdx_x * 128 + vx_1 * 64 + threadIdx_x * 4 + 3 < n) {
              vstore4(*(__local const float4*)(B_shared + (ax0_1 * 128 + k_inner_outer * 512 + vx_1 * 64 + threadIdx_x * 4)), 0, B_shared_local + (ax0_1 * 4 + vx_1 * 16));
            } else {
              __attribute__((opencl_unroll_hint))
              for (int ax1_1 = 0; ax1_1 < 4; ++ax1_1) {
                if (ax1_1 + blockIdx_x * 128 + vx_1 * 64 + threadIdx_x * 4 < n) {
                  B_shared_local[ax0_1 * 4 + ax1_1 + vx_1 * 16] = B_shared[ax0_1 * 128 + k_inner_outer * 512 + ax1_1 + vx_1 * 64 + threadIdx_x * 4];
                }
              }
            }
          }
        }
      }
      __attribute__((opencl_unroll_hint))
      for (int k_inner_inner = 0; k_inner_inner < 4; ++k_inner_inner) {
        if (k_outer * 16 + k_inner_outer * 4 + k_inner_inner < k) {
          __attribute__((opencl_unroll_hint))
          for (int i_c = 0; i_c < 4; ++i_c) {
            __attribute__((opencl_unroll_hint))
            for (int vy_2 = 0; vy_2 < 2; ++vy_2) {
              if (i_c + blockIdx_y * 128 + vy_2 * 64 + threadIdx_y * 4 < m) {
                __attribute__((opencl_unroll_hint))
                for (int j_c = 0; j_c < 4; ++j_c) {
                  __attribute__((opencl_unroll_hint))
                  for (int vx_2 = 0; vx_2 < 2; ++vx_2) {
                    if (j_c + blockIdx_x * 128 + vx_2 * 64 + threadIdx_x * 4 < n) {
                      const int t = i_c * 4 + j_c + vx_2 * 16 + vy_2 * 32;
                      C_local[t] = C_local[t] + A_shared_local[i_c * 4 + k_inner_inner + vy_2 * 16] * B_shared_local[k_inner_inner * 4 + j_c + vx_2 * 16];
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }
  __attribute__((opencl_unroll_hint))
  for (int i_inner_inner_inner = 0; i_inner_inner_inner < 4; ++i_inner_inner_inner) {
    __attribute__((opencl_unroll_hint))
    for (int vy_3 = 0; vy_3 < 2; ++vy_3) {
      if (blockIdx_y * 128 + vy_3 * 64 + threadIdx_y * 4 + i_inner_inner_inner < m) {
        __attribute__((opencl_unroll_hint))
        for (int vx_3 = 0; vx_3 < 2; ++vx_3) {
          if (blockIdx_x * 128 + vx_3 * 64 + threadIdx_x * 4 + 3 < n) {
            vstore4(vload4(0, C_local + (i_inner_inner_inner * 4 + vx_3 * 16 + vy_3 * 32)), 0, C + ((blockIdx_y * 128 + vy_3 * 64 + threadIdx_y * 4 + i_inner_inner_inner) * n + blockIdx_x * 128 + vx_3 * 64 + threadIdx_x * 4));
          } else {
            __attribute__((opencl_unroll_hint))
            for (int j_inner_inner_inner = 0; j_inner_inner_inner < 4; ++j_inner_inner_inner) {
              if (blockIdx_x * 128 + vx_3 * 64 + threadIdx_x * 4 + j_inner_inner_inner < n) {
                C[(blockIdx_y * 128 + vy_3 * 64 + threadIdx_y * 4 + i_inner_inner_inner) * n + blockIdx_x * 128 + vx_3 * 64 + threadIdx_x * 4 + j_inner_inner_inner] = C_local[i_inner_inner_inner * 4 + j_inner_inner_inner + vx_3 * 16 + vy_3 * 32];
              }
            }
          }
        }
      }
    }
  }
}
