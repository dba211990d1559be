// conv2d_1x3x11x4x3x2_float32_kernel
// target: CUDA C, sm_90

static __device__ __forceinline__ int gc_floormod_int32(int a, int b) {
  int r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static __device__ __forceinline__ int gc_floordiv_int32(int a, int b) {
  int q = a / b;
  return q - (a % b != 0 && (a < 0) != (b < 0));
}

// conv2d_1x3x11x4x3x2_float32_kernel: grid (2, 1, 1), block (6, 1, 1)
extern "C" __global__ void __launch_bounds__(6) conv2d_1x3x11x4x3x2_float32_kernel(
    const float* __restrict__ X,
    const float* __restrict__ W,
    float* __restrict__ Y) {
  __shared__ float pad[351];
  __shared__ __align__(16) float W_shared[108];
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  float Y_local[16];
  float pad_local[9];
  float W_shared_local[12];
  #pragma unroll
  for (int f_c_init = 0; f_c_init < 2; ++f_c_init) {
    #pragma unroll
    for (int x_c_init = 0; x_c_init < 4; ++x_c_init) {
      if (x_c_init + blockIdx_x * 4 < 6) {
        #pragma unroll
        for (int vo = 0; vo < 2; ++vo) {
          Y_local[f_c_init * 4 + x_c_init + vo * 8] = 0.0f;
        }
      }
    }
  }
  for (int b_ch_y_x_fused_outer_outer = 0; b_ch_y_x_fused_outer_outer < 59; ++b_ch_y_x_fused_outer_outer) {
    if (b_ch_y_x_fused_outer_outer * 6 + threadIdx_x < 351 && gc_floormod_int32(b_ch_y_x_fused_outer_outer * 6 + threadIdx_x, 9) + blockIdx_x * 8 < 13) {
      const int t = gc_floormod_int32(gc_floordiv_int32(b_ch_y_x_fused_outer_outer * 6 + threadIdx_x, 9), 13);
      const int t_1 = gc_floormod_int32(b_ch_y_x_fused_outer_outer * 6 + threadIdx_x, 9);
      pad[b_ch_y_x_fused_outer_outer * 6 + threadIdx_x] = t >= 1 && t < 12 && t_1 + blockIdx_x * 8 >= 1 && t_1 + blockIdx_x * 8 < 12 ? X[gc_floordiv_int32(b_ch_y_x_fused_outer_outer * 6 + threadIdx_x, 117) * 121 + t * 11 + t_1 + blockIdx_x * 8 - 12] : 0.0f;
    }
  }
  for (int ax0_ax1_ax2_ax3_fused_outer_outer = 0; ax0_ax1_ax2_ax3_fused_outer_outer < 18; ++ax0_ax1_ax2_ax3_fused_outer_outer) {
    W_shared[ax0_ax1_ax2_ax3_fused_outer_outer * 6 + threadIdx_x] = W[ax0_ax1_ax2_ax3_fused_outer_outer * 6 + threadIdx_x];
  }
  __syncthreads();
  for (int rc_inner = 0; rc_inner < 3; ++rc_inner) {
    #pragma unroll
    for (int ry = 0; ry < 3; ++ry) {
      #pragma unroll
      for (int ax3 = 0; ax3 < 9; ++ax3) {
        if (ax3 + blockIdx_x * 8 < 13) {
          pad_local[ax3] = pad[rc_inner * 117 + threadIdx_x * 18 + ry * 9 + ax3];
        }
      }
      #pragma unroll
      for (int ax0 = 0; ax0 < 2; ++ax0) {
        #pragma unroll
        for (int ax3_1 = 0; ax3_1 < 3; ++ax3_1) {
          #pragma unroll
          for (int vo_1 = 0; vo_1 < 2; ++vo_1) {
            W_shared_local[ax0 * 3 + ax3_1 + vo_1 * 6] = W_shared[ax0 * 27 + vo_1 * 54 + rc_inner * 9 + ry * 3 + ax3_1];
          }
        }
      }
      #pragma unroll
      for (int rx = 0; rx < 3; ++rx) {
        #pragma unroll
        for (int f_c = 0; f_c < 2; ++f_c) {
          #pragma unroll
          for (int x_c = 0; x_c < 4; ++x_c) {
            if (x_c + blockIdx_x * 4 < 6) {
              #pragma unroll
              for (int vo_2 = 0; vo_2 < 2; ++vo_2) {
                const int t_2 = f_c * 4 + x_c + vo_2 * 8;
                Y_local[t_2] = Y_local[t_2] + pad_local[x_c * 2 + rx] * W_shared_local[f_c * 3 + rx + vo_2 * 6];
              }
            }
          }
        }
      }
    }
  }
  #pragma unroll
  for (int f_inner_inner_inner = 0; f_inner_inner_inner < 2; ++f_inner_inner_inner) {
    #pragma unroll
    for (int x_inner_inner = 0; x_inner_inner < 4; ++x_inner_inner) {
      if (blockIdx_x * 4 + x_inner_inner < 6) {
        #pragma unroll
        for (int vo_3 = 0; vo_3 < 2; ++vo_3) {
          Y[vo_3 * 72 + f_inner_inner_inner * 36 + threadIdx_x * 6 + blockIdx_x * 4 + x_inner_inner] = Y_local[f_inner_inner_inner * 4 + x_inner_inner + vo_3 * 8];
        }
      }
    }
  }
}
