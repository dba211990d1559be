// conv2d_transpose_1x4x5x6x4x2_float32_kernel
// target: OpenCL C 1.2

// conv2d_transpose_1x4x5x6x4x2_float32_kernel: grid (4, 2, 1), block (16, 1, 1)
__kernel __attribute__((reqd_work_group_size(16, 1, 1))) void conv2d_transpose_1x4x5x6x4x2_float32_kernel(
    __global const float* restrict X,
    __global const float* restrict W,
    __global float* restrict Y) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int blockIdx_y = (int)get_group_id(1);
  __local float pad[121];
  __local float W_shared[64] __attribute__((aligned(16)));
  const int at = (blockIdx_x >> 1) * 8;
  const int at_1 = (blockIdx_x & 1) * 8;
  const int pad_at = (threadIdx_x & 1) * 4;
  const int X_at = (blockIdx_x >> 1) * 20 + (blockIdx_x & 1) * 4;
  const int W_at = blockIdx_y * 64 + threadIdx_x;
  const int pad_at_1 = (threadIdx_x >> 1) * 11 + pad_at;
  const int at_2 = at_1 + pad_at;
  const int Y_at = blockIdx_y * 400 + (blockIdx_x >> 1) * 80 + (threadIdx_x >> 1) * 10 + at_1 + pad_at;
  float Y_local[16];
  float pad_local[7];
  float W_shared_local[16];
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
  for (int rc_outer = 0; rc_outer < 4; ++rc_outer) {
    barrier(CLK_LOCAL_MEM_FENCE);
    __attribute__((opencl_unroll_hint(1)))
    for (int b_ch_y_x_fused_outer_outer = 0; b_ch_y_x_fused_outer_outer < 8; ++b_ch_y_x_fused_outer_outer) {
      const int at_3 = b_ch_y_x_fused_outer_outer * 16 + threadIdx_x;
      const int X_at_1 = b_ch_y_x_fused_outer_outer * 5 + threadIdx_x;
      const int X_at_2 = X_at_1 % 11;
      const int at_4 = X_at_1 / 11;
      const int at_5 = at_1 + X_at_2;
      const int at_6 = at + b_ch_y_x_fused_outer_outer + at_4;
      if (at_3 < 121) {
        pad[at_3] = at_6 < 13 && at_5 < 13 ? (at_6 >= 2 && at_6 < 11 && at_5 >= 2 && at_5 < 11 ? (((b_ch_y_x_fused_outer_outer + at_4) & 1) == 0 && (X_at_2 & 1) == 0 ? X[X_at + rc_outer * 25 + at_3 / 22 * 5 + (X_at_2 >> 1) - 6] : 0.0f) : 0.0f) : 0.0f;
      }
    }
    __attribute__((opencl_unroll_hint(1)))
    for (int ax0_ax1_ax2_ax3_fused_outer_outer = 0; ax0_ax1_ax2_ax3_fused_outer_outer < 4; ++ax0_ax1_ax2_ax3_fused_outer_outer) {
      W_shared[ax0_ax1_ax2_ax3_fused_outer_outer * 16 + threadIdx_x] = ax0_ax1_ax2_ax3_fused_outer_outer + blockIdx_y * 4 < 6 ? W[W_at + rc_outer * 96 + ax0_ax1_ax2_ax3_fused_outer_outer * 16] : 0.0f;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    __attribute__((opencl_unroll_hint))
    for (int ry = 0; ry < 4; ++ry) {
      __attribute__((opencl_unroll_hint))
      for (int ax3 = 0; ax3 < 7; ++ax3) {
        pad_local[ax3] = pad[pad_at_1 + ry * 11 + ax3];
      }
      __attribute__((opencl_unroll_hint))
      for (int ax1 = 0; ax1 < 2; ++ax1) {
        __attribute__((opencl_unroll_hint))
        for (int ax3_1 = 0; ax3_1 < 4; ++ax3_1) {
          __attribute__((opencl_unroll_hint))
          for (int vo_1 = 0; vo_1 < 2; ++vo_1) {
            W_shared_local[ax1 * 4 + ax3_1 + vo_1 * 8] = W_shared[ax1 * 16 + vo_1 * 32 + ax3_1 - ry * 4 + 12];
          }
        }
      }
      __attribute__((opencl_unroll_hint))
      for (int rx = 0; rx < 4; ++rx) {
        __attribute__((opencl_unroll_hint))
        for (int f_c = 0; f_c < 2; ++f_c) {
          __attribute__((opencl_unroll_hint))
          for (int x_c = 0; x_c < 4; ++x_c) {
            __attribute__((opencl_unroll_hint))
            for (int vo_2 = 0; vo_2 < 2; ++vo_2) {
              const int Y_local_at = f_c * 4 + x_c + vo_2 * 8;
              Y_local[Y_local_at] = Y_local[Y_local_at] + pad_local[x_c + rx] * W_shared_local[f_c * 4 + vo_2 * 8 - rx + 3];
            }
          }
        }
      }
    }
  }
  if (at + (threadIdx_x >> 1) < 10) {
    __attribute__((opencl_unroll_hint))
    for (int f_inner_inner_inner = 0; f_inner_inner_inner < 2; ++f_inner_inner_inner) {
      __attribute__((opencl_unroll_hint))
      for (int vo_3 = 0; vo_3 < 2; ++vo_3) {
        if (blockIdx_y * 2 + vo_3 < 3) {
          __attribute__((opencl_unroll_hint))
          for (int x_inner_inner = 0; x_inner_inner < 4; ++x_inner_inner) {
            if (at_2 + x_inner_inner < 10) {
              Y[Y_at + vo_3 * 200 + f_inner_inner_inner * 100 + x_inner_inner] = Y_local[f_inner_inner_inner * 4 + x_inner_inner + vo_3 * 8];
            }
          }
        }
      }
    }
  }
}
