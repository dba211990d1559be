// matmul_symbolic_kernel
// target: CUDA C, sm_90

// matmul_symbolic_kernel: grid ((n + 127) // 128, (m + 127) // 128, 1), block (16, 16, 1)
extern "C" __global__ void __launch_bounds__(256) matmul_symbolic_kernel(
    const float* __restrict__ A,
    const float* __restrict__ B,
    float* __restrict__ C,
    const int m,
    const int k,
    const int n) {
  __shared__ __align__(16) float A_shared[2560];
  __shared__ __align__(16) float B_shared[2048];
  const int blockIdx_y = (int)blockIdx.y;
  const int threadIdx_y = (int)threadIdx.y;
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  float C_local[64];
  float A_shared_local[32];
  float B_shared_local[32];
  #pragma unroll
  for (int i_c_init = 0; i_c_init < 4; ++i_c_init) {
    #pragma unroll
    for (int vy = 0; vy < 2; ++vy) {
      if (i_c_init + blockIdx_y * 128 + vy * 64 + threadIdx_y * 4 < m) {
        #pragma unroll
        for (int j_c_init = 0; j_c_init < 4; ++j_c_init) {
          #pragma unroll
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
    __syncthreads();
    for (int ax0_ax1_fused_outer_outer_outer = 0; ax0_ax1_fused_outer_outer_outer < 2; ++ax0_ax1_fused_outer_outer_outer) {
      if (ax0_ax1_fused_outer_outer_outer * 64 + threadIdx_y * 4 + (threadIdx_x >> 2) + blockIdx_y * 128 < m && (threadIdx_x & 3) * 4 + k_outer * 16 + 3 < k) {
        const int t = (ax0_ax1_fused_outer_outer_outer * 64 + threadIdx_y * 4 + (threadIdx_x >> 2) + blockIdx_y * 128) * k + (threadIdx_x & 3) * 4 + k_outer * 16;
        *(float4*)(A_shared + (ax0_ax1_fused_outer_outer_outer * 1280 + threadIdx_y * 80 + (threadIdx_x >> 2) * 20 + (threadIdx_x & 3) * 4)) = make_float4(A[t], A[t + 1], A[t + 2], A[t + 3]);
      } else {
        if (ax0_ax1_fused_outer_outer_outer * 64 + threadIdx_y * 4 + (threadIdx_x >> 2) + blockIdx_y * 128 < m) {
          #pragma unroll
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
        const int t_1 = (ax0_ax1_fused_outer_outer_outer_1 * 8 + (threadIdx_y >> 1) + k_outer * 16) * n + threadIdx_x * 4 + (threadIdx_y & 1) * 64 + blockIdx_x * 128;
        *(float4*)(B_shared + (ax0_ax1_fused_outer_outer_outer_1 * 1024 + threadIdx_y * 64 + threadIdx_x * 4)) = make_float4(B[t_1], B[t_1 + 1], B[t_1 + 2], B[t_1 + 3]);
      } else {
        if (ax0_ax1_fused_outer_outer_outer_1 * 8 + (threadIdx_y >> 1) + k_outer * 16 < k) {
          #pragma unroll
          for (int ax0_ax1_fused_inner_1 = 0; ax0_ax1_fused_inner_1 < 4; ++ax0_ax1_fused_inner_1) {
            if (threadIdx_x * 4 + ax0_ax1_fused_inner_1 + (threadIdx_y & 1) * 64 + blockIdx_x * 128 < n) {
              B_shared[ax0_ax1_fused_outer_outer_outer_1 * 1024 + threadIdx_y * 64 + threadIdx_x * 4 + ax0_ax1_fused_inner_1] = B[(ax0_ax1_fused_outer_outer_outer_1 * 8 + (threadIdx_y >> 1) + k_outer * 16) * n + threadIdx_x * 4 + ax0_ax1_fused_inner_1 + (threadIdx_y & 1) * 64 + blockIdx_x * 128];
            }
          }
        }
      }
    }
    __syncthreads();
    for (int k_inner_outer = 0; k_inner_outer < 4; ++k_inner_outer) {
      #pragma unroll
      for (int ax0 = 0; ax0 < 4; ++ax0) {
        #pragma unroll
        for (int vy_1 = 0; vy_1 < 2; ++vy_1) {
          if (ax0 + blockIdx_y * 128 + vy_1 * 64 + threadIdx_y * 4 < m) {
            if (k_outer * 16 + k_inner_outer * 4 + 3 < k) {
              const float4 A_shared_v = *(const float4*)(A_shared + (ax0 * 20 + vy_1 * 1280 + threadIdx_y * 80 + k_inner_outer * 4));
              const int t_2 = ax0 * 4 + vy_1 * 16;
              A_shared_local[t_2] = A_shared_v.x;
              A_shared_local[t_2 + 1] = A_shared_v.y;
              A_shared_local[t_2 + 2] = A_shared_v.z;
              A_shared_local[t_2 + 3] = A_shared_v.w;
            } else {
              #pragma unroll
              for (int ax1 = 0; ax1 < 4; ++ax1) {
                if (ax1 + k_outer * 16 + k_inner_outer * 4 < k) {
                  A_shared_local[ax0 * 4 + ax1 + vy_1 * 16] = A_shared[ax0 * 20 + vy_1 * 1280 + threadIdx_y * 80 + ax1 + k_inner_outer * 4];
                }
              }
            }
          }
        }
      }
      #pragma unroll
      for (int ax0_1 = 0; ax0_1 < 4; ++ax0_1) {
        if (ax0_1 + k_outer * 16 + k_inner_outer * 4 < k) {
          #pragma unroll
          for (int vx_1 = 0; vx_1 < 2; ++vx_1) {
            if (blockIdx_x * 128 + vx_1 * 64 + threadIdx_x * 4 + 3 < n) {
              const float4 B_shared_v = *(const float4*)(B_shared + (ax0_1 * 128 + k_inner_outer * 512 + vx_1 * 64 + threadIdx_x * 4));
              const int t_3 = ax0_1 * 4 + vx_1 * 16;
              B_shared_local[t_3] = B_shared_v.x;
              B_shared_local[t_3 + 1] = B_shared_v.y;
              B_shared_local[t_3 + 2] = B_shared_v.z;
              B_shared_local[t_3 + 3] = B_shared_v.w;
            } else {
              #pragma unroll
              for (int ax1_1 = 0; ax1_1 < 4; ++ax1_1) {
                if (ax1_1 + blockIdx_x * 128 + vx_1 * 64 + threadIdx_x * 4 < n) {
                  B_shared_local[ax0_1 * 4 + ax1_1 + vx_1 * 16] = B_shared[ax0_1 * 128 + k_inner_outer * 512 + ax1_1 + vx_1 * 64 + threadIdx_x * 4];
                }
              }
            }
          }
        }
      }
      #pragma unroll
      for (int k_inner_inner = 0; k_inner_inner < 4; ++k_inner_inner) {
        if (k_outer * 16 + k_inner_outer * 4 + k_inner_inner < k) {
          #pragma unroll
          for (int i_c = 0; i_c < 4; ++i_c) {
            #pragma unroll
            for (int vy_2 = 0; vy_2 < 2; ++vy_2) {
              if (i_c + blockIdx_y * 128 + vy_2 * 64 + threadIdx_y * 4 < m) {
                #pragma unroll
                for (int j_c = 0; j_c < 4; ++j_c) {
                  #pragma unroll
                  for (int vx_2 = 0; vx_2 < 2; ++vx_2) {
                    if (j_c + blockIdx_x * 128 + vx_2 * 64 + threadIdx_x * 4 < n) {
                      const int t_4 = i_c * 4 + j_c + vx_2 * 16 + vy_2 * 32;
                      C_local[t_4] = C_local[t_4] + A_shared_local[i_c * 4 + k_inner_inner + vy_2 * 16] * B_shared_local[k_inner_inner * 4 + j_c + vx_2 * 16];
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
  #pragma unroll
  for (int i_inner_inner_inner = 0; i_inner_inner_inner < 4; ++i_inner_inner_inner) {
    #pragma unroll
    for (int vy_3 = 0; vy_3 < 2; ++vy_3) {
      if (blockIdx_y * 128 + vy_3 * 64 + threadIdx_y * 4 + i_inner_inner_inner < m) {
        #pragma unroll
        for (int vx_3 = 0; vx_3 < 2; ++vx_3) {
          if (blockIdx_x * 128 + vx_3 * 64 + threadIdx_x * 4 + 3 < n) {
            const int t_5 = i_inner_inner_inner * 4 + vx_3 * 16 + vy_3 * 32;
            const int t_6 = (blockIdx_y * 128 + vy_3 * 64 + threadIdx_y * 4 + i_inner_inner_inner) * n + blockIdx_x * 128 + vx_3 * 64 + threadIdx_x * 4;
            C[t_6] = C_local[t_5];
            C[t_6 + 1] = C_local[t_5 + 1];
            C[t_6 + 2] = C_local[t_5 + 2];
            C[t_6 + 3] = C_local[t_5 + 3];
          } else {
            #pragma unroll
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
