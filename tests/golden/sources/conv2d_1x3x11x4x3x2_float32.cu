// conv2d_1x3x11x4x3x2_float32_kernel
// target: CUDA C, sm_90

// conv2d_1x3x11x4x3x2_float32_kernel: grid (2, 1, 1), block (6, 1, 1)
extern "C" __global__ void __launch_bounds__(6) conv2d_1x3x11x4x3x2_float32_kernel(
    const float* __restrict__ X,
    const float* __restrict__ W,
    float* __restrict__ Y) {
  const int threadIdx_x = (int)threadIdx.x;
  const int blockIdx_x = (int)blockIdx.x;
  __shared__ float pad[234];
  __shared__ __align__(16) float W_shared[72];
  const int at = threadIdx_x / 3;
  const int Y_at = threadIdx_x * 6 + blockIdx_x * 4;
  float Y_local[16];
  float pad_local[9];
  float W_shared_local[12];
  #pragma unroll
  for (int f_c_init = 0; f_c_init < 2; ++f_c_init) {
    #pragma unroll
    for (int x_c_init = 0; x_c_init < 4; ++x_c_init) {
      #pragma unroll
      for (int vo = 0; vo < 2; ++vo) {
        Y_local[f_c_init * 4 + x_c_init + vo * 8] = 0.0f;
      }
    }
  }
  for (int rc_outer = 0; rc_outer < 2; ++rc_outer) {
    __syncthreads();
    for (int b_ch_y_x_fused_outer_outer = 0; b_ch_y_x_fused_outer_outer < 39; ++b_ch_y_x_fused_outer_outer) {
      const int pad_at = b_ch_y_x_fused_outer_outer * 6 + threadIdx_x;
      const int X_at = pad_at % 9;
      const int X_at_1 = pad_at / 117;
      const int X_at_2 = pad_at / 9 % 13;
      const int at_1 = X_at + blockIdx_x * 8;
      pad[pad_at] = X_at_1 + rc_outer * 2 < 3 && at_1 < 13 ? (X_at_2 >= 1 && X_at_2 < 12 && at_1 >= 1 && at_1 < 12 ? X[X_at_1 * 121 + rc_outer * 242 + X_at_2 * 11 + X_at + blockIdx_x * 8 - 12] : 0.0f) : 0.0f;
    }
    for (int ax0_ax1_ax2_ax3_fused_outer_outer = 0; ax0_ax1_ax2_ax3_fused_outer_outer < 12; ++ax0_ax1_ax2_ax3_fused_outer_outer) {
      W_shared[ax0_ax1_ax2_ax3_fused_outer_outer * 6 + threadIdx_x] = (((at + ax0_ax1_ax2_ax3_fused_outer_outer * 2) / 3) & 1) + rc_outer * 2 < 3 ? W[ax0_ax1_ax2_ax3_fused_outer_outer / 3 * 27 + rc_outer * 18 + ax0_ax1_ax2_ax3_fused_outer_outer % 3 * 6 + threadIdx_x] : 0.0f;
    }
    __syncthreads();
    const float* pad_ptr = pad + threadIdx_x * 18;
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
          for (int f_c = 0; f_c < 2; ++f_c) {
            #pragma unroll
            for (int x_c = 0; x_c < 4; ++x_c) {
              #pragma unroll
              for (int vo_2 = 0; vo_2 < 2; ++vo_2) {
                const int Y_local_at = f_c * 4 + x_c + vo_2 * 8;
                Y_local[Y_local_at] = Y_local[Y_local_at] + pad_local[x_c * 2 + rx] * W_shared_local[f_c * 3 + rx + vo_2 * 6];
              }
            }
          }
        }
      }
      pad_ptr += 117;
      W_shared_ptr += 9;
    }
  }
  #pragma unroll
  for (int f_inner_inner_inner = 0; f_inner_inner_inner < 2; ++f_inner_inner_inner) {
    #pragma unroll
    for (int x_inner_inner = 0; x_inner_inner < 4; ++x_inner_inner) {
      if (blockIdx_x * 4 + x_inner_inner < 6) {
        #pragma unroll
        for (int vo_3 = 0; vo_3 < 2; ++vo_3) {
          Y[Y_at + vo_3 * 72 + f_inner_inner_inner * 36 + x_inner_inner] = Y_local[f_inner_inner_inner * 4 + x_inner_inner + vo_3 * 8];
        }
      }
    }
  }
}
