// conv2d_1x5x9x6x3x1_float32_kernel
// target: OpenCL C 1.2

// conv2d_1x5x9x6x3x1_float32_kernel: grid (4, 2, 1), block (16, 1, 1)
__kernel __attribute__((reqd_work_group_size(16, 1, 1))) void conv2d_1x5x9x6x3x1_float32_kernel(
    __global const float* restrict X,
    __global const float* restrict W,
    __global float* restrict Y) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int blockIdx_y = (int)get_group_id(1);
  __local float pad[200] __attribute__((aligned(16)));
  __local float W_shared[72] __attribute__((aligned(16)));
  const int at = (blockIdx_x >> 1) * 8;
  const int at_1 = (blockIdx_x & 1) * 8;
  const int X_at = (blockIdx_x >> 1) * 72;
  const int pad_at = (threadIdx_x & 1) * 4;
  const int X_at_1 = X_at + at_1;
  const int pad_at_1 = (threadIdx_x >> 1) * 10 + pad_at;
  const int at_2 = at_1 + pad_at;
  const int Y_at = blockIdx_y * 324 + X_at + (threadIdx_x >> 1) * 9 + at_1 + pad_at;
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
  for (int rc_outer = 0; rc_outer < 3; ++rc_outer) {
    barrier(CLK_LOCAL_MEM_FENCE);
    __attribute__((opencl_unroll_hint(1)))
    for (int b_ch_y_x_fused_outer_outer = 0; b_ch_y_x_fused_outer_outer < 13; ++b_ch_y_x_fused_outer_outer) {
      const int at_3 = b_ch_y_x_fused_outer_outer * 16 + threadIdx_x;
      const int X_at_2 = b_ch_y_x_fused_outer_outer * 6 + threadIdx_x;
      const int X_at_3 = X_at_2 % 10;
      const int X_at_4 = at_3 / 100;
      const int at_4 = at_1 + X_at_3;
      const int X_at_5 = (b_ch_y_x_fused_outer_outer + X_at_2 / 10) % 10;
      const int at_5 = at + X_at_5;
      if (at_3 < 200) {
        pad[at_3] = X_at_4 + rc_outer * 2 < 5 && at_5 < 11 && at_4 < 11 ? (at_5 >= 1 && at_5 < 10 && at_4 >= 1 && at_4 < 10 ? X[X_at_1 + X_at_4 * 81 + rc_outer * 162 + X_at_5 * 9 + X_at_3 - 10] : 0.0f) : 0.0f;
      }
    }
    __attribute__((opencl_unroll_hint(1)))
    for (int ax0_ax1_ax2_ax3_fused_outer_outer = 0; ax0_ax1_ax2_ax3_fused_outer_outer < 5; ++ax0_ax1_ax2_ax3_fused_outer_outer) {
      const int at_6 = ax0_ax1_ax2_ax3_fused_outer_outer * 16 + threadIdx_x;
      const int W_at = at_6 / 18;
      if (at_6 < 72) {
        W_shared[at_6] = W_at + blockIdx_y * 4 < 6 && ((ax0_ax1_ax2_ax3_fused_outer_outer + (ax0_ax1_ax2_ax3_fused_outer_outer * 7 + threadIdx_x) / 9) & 1) + rc_outer * 2 < 5 ? W[W_at * 45 + blockIdx_y * 180 + rc_outer * 18 + at_6 % 18] : 0.0f;
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    __local const float* pad_ptr = pad + pad_at_1;
    __local const float* W_shared_ptr = W_shared;
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
  if (at + (threadIdx_x >> 1) < 9) {
    __attribute__((opencl_unroll_hint))
    for (int f_inner_inner_inner = 0; f_inner_inner_inner < 2; ++f_inner_inner_inner) {
      __attribute__((opencl_unroll_hint))
      for (int vo_3 = 0; vo_3 < 2; ++vo_3) {
        if (blockIdx_y * 2 + vo_3 < 3) {
          __attribute__((opencl_unroll_hint))
          for (int x_inner_inner = 0; x_inner_inner < 4; ++x_inner_inner) {
            if (at_2 + x_inner_inner < 9) {
              Y[Y_at + vo_3 * 162 + f_inner_inner_inner * 81 + x_inner_inner] = Y_local[f_inner_inner_inner * 4 + x_inner_inner + vo_3 * 8];
            }
          }
        }
      }
    }
  }
}
