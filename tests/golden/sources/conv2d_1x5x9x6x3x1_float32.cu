// conv2d_1x5x9x6x3x1_float32_kernel
// target: CUDA C, sm_90

static __device__ __forceinline__ int gc_floordiv_int32(int a, int b) {
  int q = a / b;
  return q - (a % b != 0 && (a < 0) != (b < 0));
}

static __device__ __forceinline__ int gc_floormod_int32(int a, int b) {
  int r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

// conv2d_1x5x9x6x3x1_float32_kernel: grid (4, 2, 1), block (16, 1, 1)
extern "C" __global__ void __launch_bounds__(16) conv2d_1x5x9x6x3x1_float32_kernel(
    const float* __restrict__ X,
    const float* __restrict__ W,
    float* __restrict__ Y) {
  __shared__ __align__(16) float pad[400];
  __shared__ __align__(16) float W_shared[144];
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int blockIdx_y = (int)blockIdx.y;
  float Y_local[16];
  float pad_local[6];
  float W_shared_local[12];
  if ((blockIdx_x >> 1) * 8 + (threadIdx_x >> 1) < 9) {
    #pragma unroll
    for (int f_c_init = 0; f_c_init < 2; ++f_c_init) {
      #pragma unroll
      for (int vo = 0; vo < 2; ++vo) {
        if (blockIdx_y * 2 + vo < 3) {
          #pragma unroll
          for (int x_c_init = 0; x_c_init < 4; ++x_c_init) {
            if (x_c_init + (blockIdx_x & 1) * 8 + (threadIdx_x & 1) * 4 < 9) {
              Y_local[f_c_init * 4 + x_c_init + vo * 8] = 0.0f;
            }
          }
        }
      }
    }
  }
  for (int rc_outer = 0; rc_outer < 2; ++rc_outer) {
    __syncthreads();
    for (int b_ch_y_x_fused_outer_outer = 0; b_ch_y_x_fused_outer_outer < 25; ++b_ch_y_x_fused_outer_outer) {
      const int t = b_ch_y_x_fused_outer_outer + gc_floordiv_int32(b_ch_y_x_fused_outer_outer * 6 + threadIdx_x, 10);
      if (gc_floordiv_int32(t, 10) + rc_outer * 4 < 5 && gc_floormod_int32(t, 10) + (blockIdx_x >> 1) * 8 < 11 && gc_floormod_int32(b_ch_y_x_fused_outer_outer * 6 + threadIdx_x, 10) + (blockIdx_x & 1) * 8 < 11) {
        const int t_1 = b_ch_y_x_fused_outer_outer + gc_floordiv_int32(b_ch_y_x_fused_outer_outer * 6 + threadIdx_x, 10);
        const int t_2 = gc_floormod_int32(t_1, 10) + (blockIdx_x >> 1) * 8;
        const int t_3 = gc_floormod_int32(b_ch_y_x_fused_outer_outer * 6 + threadIdx_x, 10);
        const int t_4 = t_3 + (blockIdx_x & 1) * 8;
        pad[b_ch_y_x_fused_outer_outer * 16 + threadIdx_x] = t_2 >= 1 && t_2 < 10 && t_4 >= 1 && t_4 < 10 ? X[gc_floordiv_int32(t_1, 10) * 81 + rc_outer * 324 + gc_floormod_int32(t_1, 10) * 9 + (blockIdx_x >> 1) * 72 + t_3 + (blockIdx_x & 1) * 8 - 10] : 0.0f;
      }
    }
    for (int ax0_ax1_ax2_ax3_fused_outer_outer = 0; ax0_ax1_ax2_ax3_fused_outer_outer < 9; ++ax0_ax1_ax2_ax3_fused_outer_outer) {
      const int t_5 = ax0_ax1_ax2_ax3_fused_outer_outer + gc_floordiv_int32(ax0_ax1_ax2_ax3_fused_outer_outer * 2 + gc_floordiv_int32(ax0_ax1_ax2_ax3_fused_outer_outer + threadIdx_x, 3), 3);
      if ((t_5 >> 2) + blockIdx_y * 4 < 6 && (t_5 & 3) + rc_outer * 4 < 5) {
        W_shared[ax0_ax1_ax2_ax3_fused_outer_outer * 16 + threadIdx_x] = W[((ax0_ax1_ax2_ax3_fused_outer_outer + gc_floordiv_int32(ax0_ax1_ax2_ax3_fused_outer_outer * 2 + gc_floordiv_int32(ax0_ax1_ax2_ax3_fused_outer_outer + threadIdx_x, 3), 3)) >> 2) * 45 + blockIdx_y * 180 + rc_outer * 36 + gc_floormod_int32(ax0_ax1_ax2_ax3_fused_outer_outer * 16 + threadIdx_x, 36)];
      }
    }
    __syncthreads();
    for (int rc_inner = 0; rc_inner < 4; ++rc_inner) {
      #pragma unroll
      for (int ry = 0; ry < 3; ++ry) {
        if (rc_outer * 4 + rc_inner < 5 && (blockIdx_x >> 1) * 8 + (threadIdx_x >> 1) + ry < 11) {
          #pragma unroll
          for (int ax3 = 0; ax3 < 6; ++ax3) {
            if (ax3 + (blockIdx_x & 1) * 8 + (threadIdx_x & 1) * 4 < 11) {
              pad_local[ax3] = pad[rc_inner * 100 + (threadIdx_x >> 1) * 10 + ry * 10 + ax3 + (threadIdx_x & 1) * 4];
            }
          }
        }
        if (rc_outer * 4 + rc_inner < 5) {
          #pragma unroll
          for (int ax0 = 0; ax0 < 2; ++ax0) {
            #pragma unroll
            for (int vo_1 = 0; vo_1 < 2; ++vo_1) {
              if (blockIdx_y * 2 + vo_1 < 3) {
                #pragma unroll
                for (int ax3_1 = 0; ax3_1 < 3; ++ax3_1) {
                  W_shared_local[ax0 * 3 + ax3_1 + vo_1 * 6] = W_shared[ax0 * 36 + vo_1 * 72 + rc_inner * 9 + ry * 3 + ax3_1];
                }
              }
            }
          }
        }
        if ((blockIdx_x >> 1) * 8 + (threadIdx_x >> 1) < 9 && rc_outer * 4 + rc_inner < 5) {
          #pragma unroll
          for (int rx = 0; rx < 3; ++rx) {
            #pragma unroll
            for (int f_c = 0; f_c < 2; ++f_c) {
              #pragma unroll
              for (int vo_2 = 0; vo_2 < 2; ++vo_2) {
                if (blockIdx_y * 2 + vo_2 < 3) {
                  #pragma unroll
                  for (int x_c = 0; x_c < 4; ++x_c) {
                    if (x_c + (blockIdx_x & 1) * 8 + (threadIdx_x & 1) * 4 < 9) {
                      const int t_6 = f_c * 4 + x_c + vo_2 * 8;
                      Y_local[t_6] = Y_local[t_6] + pad_local[x_c + rx] * W_shared_local[f_c * 3 + rx + vo_2 * 6];
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
  if ((blockIdx_x >> 1) * 8 + (threadIdx_x >> 1) < 9) {
    #pragma unroll
    for (int f_inner_inner_inner = 0; f_inner_inner_inner < 2; ++f_inner_inner_inner) {
      #pragma unroll
      for (int vo_3 = 0; vo_3 < 2; ++vo_3) {
        if (blockIdx_y * 2 + vo_3 < 3) {
          #pragma unroll
          for (int x_inner_inner = 0; x_inner_inner < 4; ++x_inner_inner) {
            if ((blockIdx_x & 1) * 8 + (threadIdx_x & 1) * 4 + x_inner_inner < 9) {
              Y[blockIdx_y * 324 + vo_3 * 162 + f_inner_inner_inner * 81 + (blockIdx_x >> 1) * 72 + (threadIdx_x >> 1) * 9 + (blockIdx_x & 1) * 8 + (threadIdx_x & 1) * 4 + x_inner_inner] = Y_local[f_inner_inner_inner * 4 + x_inner_inner + vo_3 * 8];
            }
          }
        }
      }
    }
  }
}
