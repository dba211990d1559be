// dilated_conv2d_1x3x8x4x3x1x2_float32_kernel
// target: OpenCL C 1.2

// dilated_conv2d_1x3x8x4x3x1x2_float32_kernel: grid (1, 1, 1), block (16, 1, 1)
__kernel __attribute__((reqd_work_group_size(16, 1, 1))) void dilated_conv2d_1x3x8x4x3x1x2_float32_kernel(
    __global const float* restrict X,
    __global const float* restrict W,
    __global float* restrict Y) {
  const int threadIdx_x = (int)get_local_id(0);
  __local float pad[288] __attribute__((aligned(16)));
  __local float W_shared[72] __attribute__((aligned(16)));
  const int pad_at = (threadIdx_x >> 1) * 12 + (threadIdx_x & 1) * 4;
  float Y_local[16];
  float pad_local[8];
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
    for (int b_ch_y_x_fused_outer_outer = 0; b_ch_y_x_fused_outer_outer < 18; ++b_ch_y_x_fused_outer_outer) {
      const int X_at = b_ch_y_x_fused_outer_outer / 9;
      const int X_at_1 = b_ch_y_x_fused_outer_outer * 4 + threadIdx_x;
      const int X_at_2 = X_at_1 % 12;
      const int X_at_3 = (b_ch_y_x_fused_outer_outer + X_at_1 / 12) % 12;
      pad[b_ch_y_x_fused_outer_outer * 16 + threadIdx_x] = X_at + rc_outer * 2 < 3 ? (X_at_3 >= 2 && X_at_3 < 10 && X_at_2 >= 2 && X_at_2 < 10 ? X[X_at * 64 + rc_outer * 128 + X_at_3 * 8 + X_at_2 - 18] : 0.0f) : 0.0f;
    }
    __attribute__((opencl_unroll_hint(1)))
    for (int ax0_ax1_ax2_ax3_fused_outer_outer = 0; ax0_ax1_ax2_ax3_fused_outer_outer < 5; ++ax0_ax1_ax2_ax3_fused_outer_outer) {
      const int at = ax0_ax1_ax2_ax3_fused_outer_outer * 16 + threadIdx_x;
      if (at < 72) {
        W_shared[at] = ((ax0_ax1_ax2_ax3_fused_outer_outer + (ax0_ax1_ax2_ax3_fused_outer_outer * 7 + threadIdx_x) / 9) & 1) + rc_outer * 2 < 3 ? W[at / 18 * 27 + rc_outer * 18 + at % 18] : 0.0f;
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    __local const float* pad_ptr = pad + pad_at;
    __local const float* W_shared_ptr = W_shared;
    for (int rc_inner = 0; rc_inner < 2; ++rc_inner) {
      __attribute__((opencl_unroll_hint))
      for (int ry = 0; ry < 3; ++ry) {
        __attribute__((opencl_unroll_hint))
        for (int ax3 = 0; ax3 < 8; ++ax3) {
          pad_local[ax3] = pad_ptr[ry * 24 + ax3];
        }
        __attribute__((opencl_unroll_hint))
        for (int ax0 = 0; ax0 < 2; ++ax0) {
          __attribute__((opencl_unroll_hint))
          for (int ax3_1 = 0; ax3_1 < 3; ++ax3_1) {
            __attribute__((opencl_unroll_hint))
            for (int vo_1 = 0; vo_1 < 2; ++vo_1) {
              W_shared_local[ax0 * 3 + ax3_1 + vo_1 * 6] = W_shared_ptr[ax0 * 18 + vo_1 * 36 + ry * 3 + ax3_1];
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
                Y_local[Y_local_at] = Y_local[Y_local_at] + pad_local[x_c + rx * 2] * W_shared_local[f_c * 3 + rx + vo_2 * 6];
              }
            }
          }
        }
      }
      pad_ptr += 144;
      W_shared_ptr += 9;
    }
  }
  __attribute__((opencl_unroll_hint))
  for (int f_inner_inner_inner = 0; f_inner_inner_inner < 2; ++f_inner_inner_inner) {
    __attribute__((opencl_unroll_hint))
    for (int x_inner_inner = 0; x_inner_inner < 4; ++x_inner_inner) {
      __attribute__((opencl_unroll_hint))
      for (int vo_3 = 0; vo_3 < 2; ++vo_3) {
        Y[vo_3 * 128 + f_inner_inner_inner * 64 + x_inner_inner + threadIdx_x * 4] = Y_local[f_inner_inner_inner * 4 + x_inner_inner + vo_3 * 8];
      }
    }
  }
}
