// conv2d_1x3x8x33x3x1_float32_kernel
// target: OpenCL C 1.2

// conv2d_1x3x8x33x3x1_float32_kernel: grid (1, 2, 1), block (16, 8, 1)
__kernel __attribute__((reqd_work_group_size(16, 8, 1))) void conv2d_1x3x8x33x3x1_float32_kernel(
    __global const float* restrict X,
    __global const float* restrict W,
    __global float* restrict Y) {
  const int threadIdx_y = (int)get_local_id(1);
  const int threadIdx_x = (int)get_local_id(0);
  const int blockIdx_y = (int)get_group_id(1);
  __local float pad[200] __attribute__((aligned(16)));
  __local float W_shared[576] __attribute__((aligned(16)));
  const int at = threadIdx_y * 16 + threadIdx_x;
  const int at_1 = threadIdx_y * 6 + threadIdx_x;
  const int at_2 = threadIdx_y * 7 + threadIdx_x;
  const int pad_at = (threadIdx_x >> 1) * 10 + (threadIdx_x & 1) * 4;
  const int at_3 = blockIdx_y * 32 + threadIdx_y * 2;
  const int Y_at = blockIdx_y * 2048 + threadIdx_y * 128 + threadIdx_x * 4;
  float Y_local[16];
  float pad_local[6];
  float W_shared_local[12];
  __attribute__((opencl_unroll_hint))
  for (int f_c_init = 0; f_c_init < 2; ++f_c_init) {
    __attribute__((opencl_unroll_hint))
    for (int x_c_init = 0; x_c_init < 4; ++x_c_init) {
      __attribute__((opencl_unroll_hint))
      for (int vo = 0; vo < 2; ++vo) {
        Y_local[f_c_init * 4 + x_c_init + vo * 8] = 0.0f;
      }
    }
  }
  for (int rc_outer = 0; rc_outer < 2; ++rc_outer) {
    barrier(CLK_LOCAL_MEM_FENCE);
    __attribute__((opencl_unroll_hint(1)))
    for (int b_ch_y_x_fused_outer_outer = 0; b_ch_y_x_fused_outer_outer < 2; ++b_ch_y_x_fused_outer_outer) {
      const int at_4 = at + b_ch_y_x_fused_outer_outer * 128;
      const int X_at = at_1 + b_ch_y_x_fused_outer_outer * 8;
      const int X_at_1 = X_at % 10;
      const int X_at_2 = (at + b_ch_y_x_fused_outer_outer * 28) / 100;
      const int X_at_3 = (b_ch_y_x_fused_outer_outer * 2 + threadIdx_y + X_at / 10) % 10;
      if (at_4 < 200 && b_ch_y_x_fused_outer_outer * 8 + threadIdx_y < 13) {
        pad[at_4] = b_ch_y_x_fused_outer_outer + X_at_2 + rc_outer * 2 < 3 ? (X_at_3 >= 1 && X_at_3 < 9 && X_at_1 >= 1 && X_at_1 < 9 ? X[b_ch_y_x_fused_outer_outer * 64 + X_at_2 * 64 + rc_outer * 128 + X_at_3 * 8 + X_at_1 - 9] : 0.0f) : 0.0f;
      }
    }
    __attribute__((opencl_unroll_hint(1)))
    for (int ax0_ax1_ax2_ax3_fused_outer_outer = 0; ax0_ax1_ax2_ax3_fused_outer_outer < 5; ++ax0_ax1_ax2_ax3_fused_outer_outer) {
      const int W_at = at + ax0_ax1_ax2_ax3_fused_outer_outer * 2;
      const int W_at_1 = W_at / 18;
      if (ax0_ax1_ax2_ax3_fused_outer_outer * 8 + threadIdx_y < 36) {
        W_shared[at + ax0_ax1_ax2_ax3_fused_outer_outer * 128] = ax0_ax1_ax2_ax3_fused_outer_outer * 7 + W_at_1 + blockIdx_y * 32 < 33 && ((threadIdx_y + (at_2 + ax0_ax1_ax2_ax3_fused_outer_outer * 2) / 9) & 1) + rc_outer * 2 < 3 ? W[ax0_ax1_ax2_ax3_fused_outer_outer * 189 + W_at_1 * 27 + blockIdx_y * 864 + rc_outer * 18 + W_at % 18] : 0.0f;
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    __local const float* pad_ptr = pad + pad_at;
    __local const float* W_shared_ptr = W_shared + threadIdx_y * 36;
    for (int rc_inner = 0; rc_inner < 2; ++rc_inner) {
      __attribute__((opencl_unroll_hint))
      for (int ry = 0; ry < 3; ++ry) {
        __attribute__((opencl_unroll_hint))
        for (int ax3 = 0; ax3 < 6; ++ax3) {
          pad_local[ax3] = pad_ptr[ry * 10 + ax3];
        }
        __attribute__((opencl_unroll_hint))
        for (int ax0 = 0; ax0 < 2; ++ax0) {
          __attribute__((opencl_unroll_hint))
          for (int ax3_1 = 0; ax3_1 < 3; ++ax3_1) {
            __attribute__((opencl_unroll_hint))
            for (int vo_1 = 0; vo_1 < 2; ++vo_1) {
              W_shared_local[ax0 * 3 + ax3_1 + vo_1 * 6] = W_shared_ptr[ax0 * 18 + vo_1 * 288 + ry * 3 + ax3_1];
            }
          }
        }
        __attribute__((opencl_unroll_hint))
        for (int rx = 0; rx < 3; ++rx) {
          __attribute__((opencl_unroll_hint))
          for (int f_c = 0; f_c < 2; ++f_c) {
            __attribute__((opencl_unroll_hint))
            for (int x_c = 0; x_c < 4; ++x_c) {
              __attribute__((opencl_unroll_hint))
              for (int vo_2 = 0; vo_2 < 2; ++vo_2) {
                const int Y_local_at = f_c * 4 + x_c + vo_2 * 8;
                Y_local[Y_local_at] = Y_local[Y_local_at] + pad_local[x_c + rx] * W_shared_local[f_c * 3 + rx + vo_2 * 6];
              }
            }
          }
        }
      }
      pad_ptr += 100;
      W_shared_ptr += 9;
    }
  }
  __attribute__((opencl_unroll_hint))
  for (int f_inner_inner_inner = 0; f_inner_inner_inner < 2; ++f_inner_inner_inner) {
    __attribute__((opencl_unroll_hint))
    for (int vo_3 = 0; vo_3 < 2; ++vo_3) {
      if (at_3 + vo_3 * 16 + f_inner_inner_inner < 33) {
        __attribute__((opencl_unroll_hint))
        for (int x_inner_inner = 0; x_inner_inner < 4; ++x_inner_inner) {
          Y[Y_at + vo_3 * 1024 + f_inner_inner_inner * 64 + x_inner_inner] = Y_local[f_inner_inner_inner * 4 + x_inner_inner + vo_3 * 8];
        }
      }
    }
  }
}
