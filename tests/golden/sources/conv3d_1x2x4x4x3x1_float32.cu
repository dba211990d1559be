// conv3d_1x2x4x4x3x1_float32_kernel
// target: CUDA C, sm_90

// conv3d_1x2x4x4x3x1_float32_kernel: grid (1, 1, 4), block (4, 1, 1)
extern "C" __global__ void __launch_bounds__(4) conv3d_1x2x4x4x3x1_float32_kernel(
    const float* __restrict__ X,
    const float* __restrict__ W,
    float* __restrict__ Y) {
  const int blockIdx_z = (int)blockIdx.z;
  const int threadIdx_x = (int)threadIdx.x;
  __shared__ __align__(16) float pad[216];
  __shared__ __align__(16) float W_shared[216];
  const int Y_at = blockIdx_z * 16 + threadIdx_x * 4;
  float Y_local[16];
  float pad_local[6];
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
  for (int b_ch_z_y_x_fused_outer_outer = 0; b_ch_z_y_x_fused_outer_outer < 54; ++b_ch_z_y_x_fused_outer_outer) {
    const int pad_at = b_ch_z_y_x_fused_outer_outer * 4 + threadIdx_x;
    const int X_at = b_ch_z_y_x_fused_outer_outer / 9 % 3;
    const int X_at_1 = pad_at % 6;
    const int at = X_at + blockIdx_z;
    const int X_at_2 = pad_at / 6 % 6;
    pad[pad_at] = at >= 1 && at < 5 && X_at_2 >= 1 && X_at_2 < 5 && X_at_1 >= 1 && X_at_1 < 5 ? X[b_ch_z_y_x_fused_outer_outer / 27 * 64 + X_at * 16 + blockIdx_z * 16 + X_at_2 * 4 + X_at_1 - 21] : 0.0f;
  }
  for (int ax0_ax1_ax2_ax3_ax4_fused_outer_outer = 0; ax0_ax1_ax2_ax3_ax4_fused_outer_outer < 54; ++ax0_ax1_ax2_ax3_ax4_fused_outer_outer) {
    const int W_shared_at = ax0_ax1_ax2_ax3_ax4_fused_outer_outer * 4 + threadIdx_x;
    W_shared[W_shared_at] = W[W_shared_at];
  }
  __syncthreads();
  for (int rc_inner = 0; rc_inner < 2; ++rc_inner) {
    const float* pad_ptr = pad + (rc_inner * 108 + threadIdx_x * 6);
    const float* W_shared_ptr = W_shared + rc_inner * 27;
    for (int rz = 0; rz < 3; ++rz) {
      #pragma unroll
      for (int ry = 0; ry < 3; ++ry) {
        #pragma unroll
        for (int ax4 = 0; ax4 < 6; ++ax4) {
          pad_local[ax4] = pad_ptr[ry * 6 + ax4];
        }
        #pragma unroll
        for (int ax0 = 0; ax0 < 2; ++ax0) {
          #pragma unroll
          for (int ax4_1 = 0; ax4_1 < 3; ++ax4_1) {
            #pragma unroll
            for (int vo_1 = 0; vo_1 < 2; ++vo_1) {
              W_shared_local[ax0 * 3 + ax4_1 + vo_1 * 6] = W_shared_ptr[ax0 * 54 + vo_1 * 108 + ry * 3 + ax4_1];
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
                Y_local[Y_local_at] = Y_local[Y_local_at] + pad_local[x_c + rx] * W_shared_local[f_c * 3 + rx + vo_2 * 6];
              }
            }
          }
        }
      }
      pad_ptr += 36;
      W_shared_ptr += 9;
    }
  }
  #pragma unroll
  for (int f_inner_inner_inner = 0; f_inner_inner_inner < 2; ++f_inner_inner_inner) {
    #pragma unroll
    for (int x_inner_inner = 0; x_inner_inner < 4; ++x_inner_inner) {
      #pragma unroll
      for (int vo_3 = 0; vo_3 < 2; ++vo_3) {
        Y[Y_at + vo_3 * 128 + f_inner_inner_inner * 64 + x_inner_inner] = Y_local[f_inner_inner_inner * 4 + x_inner_inner + vo_3 * 8];
      }
    }
  }
}
