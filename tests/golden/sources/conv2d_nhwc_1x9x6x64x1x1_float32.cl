// conv2d_nhwc_1x9x6x64x1x1_float32_kernel
// target: OpenCL C 1.2

// conv2d_nhwc_1x9x6x64x1x1_float32_kernel: grid (2, 1, 1), block (6, 16, 1)
__kernel __attribute__((reqd_work_group_size(6, 16, 1))) void conv2d_nhwc_1x9x6x64x1x1_float32_kernel(
    __global const float* restrict X,
    __global const float* restrict W,
    __global float* restrict Y) {
  const int threadIdx_y = (int)get_local_id(1);
  const int threadIdx_x = (int)get_local_id(0);
  const int blockIdx_x = (int)get_group_id(0);
  __local float X_shared[192] __attribute__((aligned(16)));
  __local float W_shared[512] __attribute__((aligned(16)));
  const int X_shared_at = threadIdx_y * 6 + threadIdx_x;
  const int at = X_shared_at & 7;
  const int at_1 = (X_shared_at >> 3) & 3;
  const int at_2 = at_1 + blockIdx_x * 4;
  const int X_at = (X_shared_at >> 5) * 54 + at_1 * 9 + blockIdx_x * 36 + at;
  const int Y_at = threadIdx_x * 384 + blockIdx_x * 256 + threadIdx_y * 2;
  float Y_local[16];
  float X_shared_local[4];
  float W_shared_local[4];
  __attribute__((opencl_unroll_hint))
  for (int f_c_init = 0; f_c_init < 2; ++f_c_init) {
    __attribute__((opencl_unroll_hint))
    for (int x_c_init = 0; x_c_init < 4; ++x_c_init) {
      __attribute__((opencl_unroll_hint))
      for (int vo = 0; vo < 2; ++vo) {
        Y_local[x_c_init * 2 + f_c_init + vo * 8] = 0.0f;
      }
    }
  }
  for (int rc_outer = 0; rc_outer < 2; ++rc_outer) {
    barrier(CLK_LOCAL_MEM_FENCE);
    __attribute__((opencl_unroll_hint(1)))
    for (int ax0_ax1_ax2_ax3_fused_outer_outer = 0; ax0_ax1_ax2_ax3_fused_outer_outer < 2; ++ax0_ax1_ax2_ax3_fused_outer_outer) {
      X_shared[X_shared_at + ax0_ax1_ax2_ax3_fused_outer_outer * 96] = at_2 < 6 && at + rc_outer * 8 < 9 ? X[X_at + ax0_ax1_ax2_ax3_fused_outer_outer * 162 + rc_outer * 8] : 0.0f;
    }
    __attribute__((opencl_unroll_hint(1)))
    for (int ax0_ax1_ax2_ax3_fused_outer_outer_1 = 0; ax0_ax1_ax2_ax3_fused_outer_outer_1 < 6; ++ax0_ax1_ax2_ax3_fused_outer_outer_1) {
      const int at_3 = X_shared_at + ax0_ax1_ax2_ax3_fused_outer_outer_1 * 96;
      if (at_3 < 512 && ax0_ax1_ax2_ax3_fused_outer_outer_1 * 16 + threadIdx_y < 86) {
        W_shared[at_3] = ax0_ax1_ax2_ax3_fused_outer_outer_1 + ((X_shared_at + ax0_ax1_ax2_ax3_fused_outer_outer_1 * 32) >> 6) + rc_outer * 8 < 9 ? W[at_3 + rc_outer * 512] : 0.0f;
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    __local const float* X_shared_ptr = X_shared + threadIdx_x * 32;
    __local const float* W_shared_ptr = W_shared + threadIdx_y * 2;
    for (int rc_inner = 0; rc_inner < 8; ++rc_inner) {
      __attribute__((opencl_unroll_hint))
      for (int ax2 = 0; ax2 < 4; ++ax2) {
        X_shared_local[ax2] = X_shared_ptr[ax2 * 8];
      }
      __attribute__((opencl_unroll_hint))
      for (int ax3 = 0; ax3 < 2; ++ax3) {
        __attribute__((opencl_unroll_hint))
        for (int vo_1 = 0; vo_1 < 2; ++vo_1) {
          W_shared_local[ax3 + vo_1 * 2] = W_shared_ptr[ax3 + vo_1 * 32];
        }
      }
      __attribute__((opencl_unroll_hint))
      for (int f_c = 0; f_c < 2; ++f_c) {
        __attribute__((opencl_unroll_hint))
        for (int x_c = 0; x_c < 4; ++x_c) {
          __attribute__((opencl_unroll_hint))
          for (int vo_2 = 0; vo_2 < 2; ++vo_2) {
            const int Y_local_at = x_c * 2 + f_c + vo_2 * 8;
            Y_local[Y_local_at] = Y_local[Y_local_at] + X_shared_local[x_c] * W_shared_local[f_c + vo_2 * 2];
          }
        }
      }
      X_shared_ptr += 1;
      W_shared_ptr += 64;
    }
  }
  __attribute__((opencl_unroll_hint))
  for (int f_inner_inner_inner = 0; f_inner_inner_inner < 2; ++f_inner_inner_inner) {
    __attribute__((opencl_unroll_hint))
    for (int x_inner_inner = 0; x_inner_inner < 4; ++x_inner_inner) {
      if (blockIdx_x * 4 + x_inner_inner < 6) {
        __attribute__((opencl_unroll_hint))
        for (int vo_3 = 0; vo_3 < 2; ++vo_3) {
          Y[Y_at + x_inner_inner * 64 + vo_3 * 32 + f_inner_inner_inner] = Y_local[x_inner_inner * 2 + f_inner_inner_inner + vo_3 * 8];
        }
      }
    }
  }
}
