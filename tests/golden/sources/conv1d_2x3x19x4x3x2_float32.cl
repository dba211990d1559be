// conv1d_2x3x19x4x3x2_float32_kernel
// target: OpenCL C 1.2

// conv1d_2x3x19x4x3x2_float32_kernel: grid (2, 1, 2), block (2, 1, 1)
__kernel __attribute__((reqd_work_group_size(2, 1, 1))) void conv1d_2x3x19x4x3x2_float32_kernel(
    __global const float* restrict X,
    __global const float* restrict W,
    __global float* restrict Y) {
  const int blockIdx_z = (int)get_group_id(2);
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  __local float pad[34];
  __local float W_shared[24] __attribute__((aligned(16)));
  const int X_at = blockIdx_z * 57 + blockIdx_x * 16;
  const int at = blockIdx_x * 8 + threadIdx_x * 4;
  const int Y_at = blockIdx_z * 40 + blockIdx_x * 8 + threadIdx_x * 4;
  float Y_local[16];
  float pad_local[9];
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
    for (int b_ch_x_fused_outer_outer = 0; b_ch_x_fused_outer_outer < 17; ++b_ch_x_fused_outer_outer) {
      const int pad_at = b_ch_x_fused_outer_outer * 2 + threadIdx_x;
      const int X_at_1 = pad_at % 17;
      const int X_at_2 = pad_at / 17;
      const int at_1 = X_at_1 + blockIdx_x * 16;
      pad[pad_at] = X_at_2 + rc_outer * 2 < 3 && at_1 < 21 ? (at_1 >= 1 && at_1 < 20 ? X[X_at + X_at_2 * 19 + rc_outer * 38 + X_at_1 - 1] : 0.0f) : 0.0f;
    }
    __attribute__((opencl_unroll_hint(1)))
    for (int ax0_ax1_ax2_fused_outer_outer = 0; ax0_ax1_ax2_fused_outer_outer < 12; ++ax0_ax1_ax2_fused_outer_outer) {
      const int W_shared_at = ax0_ax1_ax2_fused_outer_outer * 2 + threadIdx_x;
      W_shared[W_shared_at] = ((W_shared_at / 3) & 1) + rc_outer * 2 < 3 ? W[ax0_ax1_ax2_fused_outer_outer / 3 * 9 + rc_outer * 6 + threadIdx_x + ax0_ax1_ax2_fused_outer_outer % 3 * 2] : 0.0f;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    __local const float* pad_ptr = pad + threadIdx_x * 8;
    __local const float* W_shared_ptr = W_shared;
    for (int rc_inner = 0; rc_inner < 2; ++rc_inner) {
      __attribute__((opencl_unroll_hint))
      for (int ax2 = 0; ax2 < 9; ++ax2) {
        pad_local[ax2] = pad_ptr[ax2];
      }
      __attribute__((opencl_unroll_hint))
      for (int ax0 = 0; ax0 < 2; ++ax0) {
        __attribute__((opencl_unroll_hint))
        for (int ax2_1 = 0; ax2_1 < 3; ++ax2_1) {
          __attribute__((opencl_unroll_hint))
          for (int vo_1 = 0; vo_1 < 2; ++vo_1) {
            W_shared_local[ax0 * 3 + ax2_1 + vo_1 * 6] = W_shared_ptr[ax0 * 6 + vo_1 * 12 + ax2_1];
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
              Y_local[Y_local_at] = Y_local[Y_local_at] + pad_local[x_c * 2 + rx] * W_shared_local[f_c * 3 + rx + vo_2 * 6];
            }
          }
        }
      }
      pad_ptr += 17;
      W_shared_ptr += 3;
    }
  }
  __attribute__((opencl_unroll_hint))
  for (int f_inner_inner_inner = 0; f_inner_inner_inner < 2; ++f_inner_inner_inner) {
    __attribute__((opencl_unroll_hint))
    for (int x_inner_inner = 0; x_inner_inner < 4; ++x_inner_inner) {
      if (at + x_inner_inner < 10) {
        __attribute__((opencl_unroll_hint))
        for (int vo_3 = 0; vo_3 < 2; ++vo_3) {
          Y[Y_at + vo_3 * 20 + f_inner_inner_inner * 10 + x_inner_inner] = Y_local[f_inner_inner_inner * 4 + x_inner_inner + vo_3 * 8];
        }
      }
    }
  }
}
