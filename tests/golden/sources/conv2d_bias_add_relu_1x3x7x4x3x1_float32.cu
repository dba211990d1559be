// conv2d_bias_add_relu_1x3x7x4x3x1_float32_kernel
// target: CUDA C, sm_90

// conv2d_bias_add_relu_1x3x7x4x3x1_float32_kernel: grid (1, 1, 1), block (7, 1, 1)
extern "C" __global__ void __launch_bounds__(7) conv2d_bias_add_relu_1x3x7x4x3x1_float32_kernel(
    const float* __restrict__ X,
    const float* __restrict__ W,
    const float* __restrict__ V,
    const float* __restrict__ R,
    float* __restrict__ Z) {
  __shared__ float pad[162];
  __shared__ __align__(16) float W_shared[72];
  const int threadIdx_x = (int)threadIdx.x;
  float Y[28];
  float pad_local[9];
  float W_shared_local[12];
  #pragma unroll
  for (int f_init = 0; f_init < 2; ++f_init) {
    #pragma unroll
    for (int x_init = 0; x_init < 7; ++x_init) {
      #pragma unroll
      for (int vo = 0; vo < 2; ++vo) {
        Y[f_init * 7 + x_init + vo * 14] = 0.0f;
      }
    }
  }
  for (int rc_outer = 0; rc_outer < 2; ++rc_outer) {
    __syncthreads();
    for (int b_ch_y_x_fused_outer_outer = 0; b_ch_y_x_fused_outer_outer < 24; ++b_ch_y_x_fused_outer_outer) {
      const int at = b_ch_y_x_fused_outer_outer * 7 + threadIdx_x;
      const int X_at = at % 9;
      const int X_at_1 = at / 81;
      const int X_at_2 = at / 9 % 9;
      if (at < 162) {
        pad[at] = X_at_1 + rc_outer * 2 < 3 ? (X_at_2 >= 1 && X_at_2 < 8 && X_at >= 1 && X_at < 8 ? X[X_at_1 * 49 + rc_outer * 98 + X_at_2 * 7 + X_at - 8] : 0.0f) : 0.0f;
      }
    }
    for (int ax0_ax1_ax2_ax3_fused_outer_outer = 0; ax0_ax1_ax2_ax3_fused_outer_outer < 11; ++ax0_ax1_ax2_ax3_fused_outer_outer) {
      const int at_1 = ax0_ax1_ax2_ax3_fused_outer_outer * 7 + threadIdx_x;
      if (at_1 < 72) {
        W_shared[at_1] = ((at_1 / 9) & 1) + rc_outer * 2 < 3 ? W[at_1 / 18 * 27 + rc_outer * 18 + at_1 % 18] : 0.0f;
      }
    }
    __syncthreads();
    const float* pad_ptr = pad + threadIdx_x * 9;
    const float* W_shared_ptr = W_shared;
    for (int rc_inner = 0; rc_inner < 2; ++rc_inner) {
      #pragma unroll
      for (int ry = 0; ry < 3; ++ry) {
        #pragma unroll
        for (int ax3 = 0; ax3 < 9; ++ax3) {
          pad_local[ax3] = pad_ptr[ry * 9 + ax3];
        }
        #pragma unroll
        for (int ax0 = 0; ax0 < 2; ++ax0) {
          #pragma unroll
          for (int ax3_1 = 0; ax3_1 < 3; ++ax3_1) {
            #pragma unroll
            for (int vo_1 = 0; vo_1 < 2; ++vo_1) {
              W_shared_local[ax0 * 3 + ax3_1 + vo_1 * 6] = W_shared_ptr[ax0 * 18 + vo_1 * 36 + ry * 3 + ax3_1];
            }
          }
        }
        #pragma unroll
        for (int rx = 0; rx < 3; ++rx) {
          #pragma unroll
          for (int f = 0; f < 2; ++f) {
            #pragma unroll
            for (int x = 0; x < 7; ++x) {
              #pragma unroll
              for (int vo_2 = 0; vo_2 < 2; ++vo_2) {
                const int Y_at = f * 7 + x + vo_2 * 14;
                Y[Y_at] = Y[Y_at] + pad_local[x + rx] * W_shared_local[f * 3 + rx + vo_2 * 6];
              }
            }
          }
        }
      }
      pad_ptr += 81;
      W_shared_ptr += 9;
    }
  }
  #pragma unroll
  for (int f_inner_inner_inner = 0; f_inner_inner_inner < 2; ++f_inner_inner_inner) {
    #pragma unroll
    for (int x_inner_inner = 0; x_inner_inner < 7; ++x_inner_inner) {
      #pragma unroll
      for (int vo_3 = 0; vo_3 < 2; ++vo_3) {
        const int Z_at = vo_3 * 98 + f_inner_inner_inner * 49 + threadIdx_x * 7 + x_inner_inner;
        Z[Z_at] = fmaxf(Y[f_inner_inner_inner * 7 + x_inner_inner + vo_3 * 14] + V[vo_3 * 2 + f_inner_inner_inner] + R[Z_at], 0.0f);
      }
    }
  }
}
