// matmul_33x37x21_float32_kernel
// target: CUDA C, sm_90

// matmul_33x37x21_float32_kernel: grid (2, 2, 1), block (16, 16, 1)
extern "C" __global__ void __launch_bounds__(256) matmul_33x37x21_float32_kernel(
    const float* __restrict__ A,
    const float* __restrict__ B,
    float* __restrict__ C) {
  __shared__ __align__(16) float A_shared[640];
  __shared__ __align__(16) float B_shared[512];
  const int blockIdx_y = (int)blockIdx.y;
  const int threadIdx_y = (int)threadIdx.y;
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  float C_local[4];
  float A_shared_local[8];
  float B_shared_local[8];
  #pragma unroll
  for (int i_c_init = 0; i_c_init < 2; ++i_c_init) {
    if (i_c_init + blockIdx_y * 32 + threadIdx_y * 2 < 33) {
      #pragma unroll
      for (int j_c_init = 0; j_c_init < 2; ++j_c_init) {
        if (j_c_init + blockIdx_x * 32 + threadIdx_x * 2 < 37) {
          C_local[i_c_init * 2 + j_c_init] = 0.0f;
        }
      }
    }
  }
  for (int k_outer = 0; k_outer < 2; ++k_outer) {
    __syncthreads();
    if (threadIdx_y < 8 && threadIdx_y * 4 + (threadIdx_x >> 2) + blockIdx_y * 32 < 33 && (threadIdx_x & 3) + k_outer * 4 < 5) {
      const int t = threadIdx_y * 84 + (threadIdx_x >> 2) * 21 + blockIdx_y * 672 + (threadIdx_x & 3) * 4 + k_outer * 16;
      *(float4*)(A_shared + (threadIdx_y * 80 + (threadIdx_x >> 2) * 20 + (threadIdx_x & 3) * 4)) = make_float4(A[t], A[t + 1], A[t + 2], A[t + 3]);
    } else {
      if (threadIdx_y < 8 && threadIdx_y * 4 + (threadIdx_x >> 2) + blockIdx_y * 32 < 33) {
        #pragma unroll
        for (int ax0_ax1_fused_inner = 0; ax0_ax1_fused_inner < 4; ++ax0_ax1_fused_inner) {
          if (ax0_ax1_fused_inner + (threadIdx_x & 3) * 4 + k_outer * 16 < 21) {
            A_shared[threadIdx_y * 80 + (threadIdx_x >> 2) * 20 + ax0_ax1_fused_inner + (threadIdx_x & 3) * 4] = A[threadIdx_y * 84 + (threadIdx_x >> 2) * 21 + blockIdx_y * 672 + ax0_ax1_fused_inner + (threadIdx_x & 3) * 4 + k_outer * 16];
          }
        }
      }
    }
    if (threadIdx_y < 8 && threadIdx_y * 2 + (threadIdx_x >> 3) + k_outer * 16 < 21 && (threadIdx_x & 7) + blockIdx_x * 8 < 9) {
      const int t_1 = threadIdx_y * 74 + (threadIdx_x >> 3) * 37 + k_outer * 592 + (threadIdx_x & 7) * 4 + blockIdx_x * 32;
      *(float4*)(B_shared + (threadIdx_y * 64 + threadIdx_x * 4)) = make_float4(B[t_1], B[t_1 + 1], B[t_1 + 2], B[t_1 + 3]);
    } else {
      if (threadIdx_y < 8 && threadIdx_y * 2 + (threadIdx_x >> 3) + k_outer * 16 < 21) {
        #pragma unroll
        for (int ax0_ax1_fused_inner_1 = 0; ax0_ax1_fused_inner_1 < 4; ++ax0_ax1_fused_inner_1) {
          if (ax0_ax1_fused_inner_1 + (threadIdx_x & 7) * 4 + blockIdx_x * 32 < 37) {
            B_shared[threadIdx_y * 64 + threadIdx_x * 4 + ax0_ax1_fused_inner_1] = B[threadIdx_y * 74 + (threadIdx_x >> 3) * 37 + k_outer * 592 + ax0_ax1_fused_inner_1 + (threadIdx_x & 7) * 4 + blockIdx_x * 32];
          }
        }
      }
    }
    __syncthreads();
    for (int k_inner_outer = 0; k_inner_outer < 4; ++k_inner_outer) {
      #pragma unroll
      for (int ax0 = 0; ax0 < 2; ++ax0) {
        if (ax0 + blockIdx_y * 32 + threadIdx_y * 2 < 33) {
          if (k_outer * 4 + k_inner_outer < 5) {
            const float4 A_shared_v = *(const float4*)(A_shared + (ax0 * 20 + threadIdx_y * 40 + k_inner_outer * 4));
            A_shared_local[ax0 * 4] = A_shared_v.x;
            A_shared_local[ax0 * 4 + 1] = A_shared_v.y;
            A_shared_local[ax0 * 4 + 2] = A_shared_v.z;
            A_shared_local[ax0 * 4 + 3] = A_shared_v.w;
          } else {
            #pragma unroll
            for (int ax1 = 0; ax1 < 4; ++ax1) {
              if (ax1 + k_inner_outer * 4 < 5) {
                A_shared_local[ax0 * 4] = A_shared[ax0 * 20 + threadIdx_y * 40 + 4];
              }
            }
          }
        }
      }
      #pragma unroll
      for (int ax0_1 = 0; ax0_1 < 4; ++ax0_1) {
        if (ax0_1 + k_outer * 16 + k_inner_outer * 4 < 21) {
          if (blockIdx_x * 16 + threadIdx_x < 18) {
            const float2 B_shared_v = *(const float2*)(B_shared + (ax0_1 * 32 + k_inner_outer * 128 + threadIdx_x * 2));
            B_shared_local[ax0_1 * 2] = B_shared_v.x;
            B_shared_local[ax0_1 * 2 + 1] = B_shared_v.y;
          } else {
            #pragma unroll
            for (int ax1_1 = 0; ax1_1 < 2; ++ax1_1) {
              if (ax1_1 + threadIdx_x * 2 < 5) {
                B_shared_local[ax0_1 * 2] = B_shared[ax0_1 * 32 + k_inner_outer * 128 + 4];
              }
            }
          }
        }
      }
      #pragma unroll
      for (int k_inner_inner = 0; k_inner_inner < 4; ++k_inner_inner) {
        if (k_outer * 16 + k_inner_outer * 4 + k_inner_inner < 21) {
          #pragma unroll
          for (int i_c = 0; i_c < 2; ++i_c) {
            if (i_c + blockIdx_y * 32 + threadIdx_y * 2 < 33) {
              #pragma unroll
              for (int j_c = 0; j_c < 2; ++j_c) {
                if (j_c + blockIdx_x * 32 + threadIdx_x * 2 < 37) {
                  C_local[i_c * 2 + j_c] = C_local[i_c * 2 + j_c] + A_shared_local[i_c * 4 + k_inner_inner] * B_shared_local[k_inner_inner * 2 + j_c];
                }
              }
            }
          }
        }
      }
    }
  }
  #pragma unroll
  for (int i_inner_inner_inner = 0; i_inner_inner_inner < 2; ++i_inner_inner_inner) {
    if (blockIdx_y * 32 + threadIdx_y * 2 + i_inner_inner_inner < 33) {
      if (blockIdx_x * 16 + threadIdx_x < 18) {
        const int t_2 = blockIdx_y * 1184 + threadIdx_y * 74 + i_inner_inner_inner * 37 + blockIdx_x * 32 + threadIdx_x * 2;
        C[t_2] = C_local[i_inner_inner_inner * 2];
        C[t_2 + 1] = C_local[i_inner_inner_inner * 2 + 1];
      } else {
        #pragma unroll
        for (int j_inner_inner_inner = 0; j_inner_inner_inner < 2; ++j_inner_inner_inner) {
          if (threadIdx_x * 2 + j_inner_inner_inner < 5) {
            C[blockIdx_y * 1184 + threadIdx_y * 74 + i_inner_inner_inner * 37 + 36] = C_local[i_inner_inner_inner * 2];
          }
        }
      }
    }
  }
}
