// group_conv2d_1x4x7x6x3x1x2_float32_kernel
// target: CUDA C, sm_90

// group_conv2d_1x4x7x6x3x1x2_float32_kernel: grid (1, 2, 1), block (7, 1, 1)
extern "C" __global__ void __launch_bounds__(7) group_conv2d_1x4x7x6x3x1x2_float32_kernel(
    const float* __restrict__ X,
    const float* __restrict__ W,
    float* __restrict__ Y) {
  const int blockIdx_y = (int)blockIdx.y;
  const int threadIdx_x = (int)threadIdx.x;
  __shared__ float pad[162];
  __shared__ float W_shared[54];
  const int W_at = blockIdx_y * 54 + threadIdx_x;
  const int Y_at = blockIdx_y * 147 + threadIdx_x * 7;
  float Y_local[21];
  float pad_local[9];
  float W_shared_local[9];
  #pragma unroll
  for (int f_c_init = 0; f_c_init < 3; ++f_c_init) {
    #pragma unroll
    for (int x_c_init = 0; x_c_init < 7; ++x_c_init) {
      Y_local[f_c_init * 7 + x_c_init] = 0.0f;
    }
  }
  for (int b_ch_y_x_fused_outer_outer = 0; b_ch_y_x_fused_outer_outer < 24; ++b_ch_y_x_fused_outer_outer) {
    const int at = b_ch_y_x_fused_outer_outer * 7 + threadIdx_x;
    const int X_at = at % 9;
    const int X_at_1 = at / 9 % 9;
    if (at < 162) {
      pad[at] = X_at_1 >= 1 && X_at_1 < 8 && X_at >= 1 && X_at < 8 ? X[at / 81 * 49 + blockIdx_y * 98 + X_at_1 * 7 + X_at - 8] : 0.0f;
    }
  }
  for (int ax0_ax1_ax2_ax3_fused_outer_outer = 0; ax0_ax1_ax2_ax3_fused_outer_outer < 8; ++ax0_ax1_ax2_ax3_fused_outer_outer) {
    const int at_1 = ax0_ax1_ax2_ax3_fused_outer_outer * 7 + threadIdx_x;
    if (at_1 < 54) {
      W_shared[at_1] = W[W_at + ax0_ax1_ax2_ax3_fused_outer_outer * 7];
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
      for (int ax0 = 0; ax0 < 3; ++ax0) {
        #pragma unroll
        for (int ax3_1 = 0; ax3_1 < 3; ++ax3_1) {
          W_shared_local[ax0 * 3 + ax3_1] = W_shared_ptr[ax0 * 18 + ry * 3 + ax3_1];
        }
      }
      #pragma unroll
      for (int rx = 0; rx < 3; ++rx) {
        #pragma unroll
        for (int f_c = 0; f_c < 3; ++f_c) {
          #pragma unroll
          for (int x_c = 0; x_c < 7; ++x_c) {
            const int Y_local_at = f_c * 7 + x_c;
            Y_local[Y_local_at] = Y_local[Y_local_at] + pad_local[x_c + rx] * W_shared_local[f_c * 3 + rx];
          }
        }
      }
    }
    pad_ptr += 81;
    W_shared_ptr += 9;
  }
  #pragma unroll
  for (int f_inner_inner_inner_inner = 0; f_inner_inner_inner_inner < 3; ++f_inner_inner_inner_inner) {
    #pragma unroll
    for (int x_inner_inner = 0; x_inner_inner < 7; ++x_inner_inner) {
      Y[Y_at + f_inner_inner_inner_inner * 49 + x_inner_inner] = Y_local[f_inner_inner_inner_inner * 7 + x_inner_inner];
    }
  }
}
