// conv2d_2x4x8x4x1x1_float32_kernel
// target: OpenCL C 1.2

// conv2d_2x4x8x4x1x1_float32_kernel: grid (1, 1, 2), block (16, 1, 1)
__kernel __attribute__((reqd_work_group_size(16, 1, 1))) void conv2d_2x4x8x4x1x1_float32_kernel(
    __global const float* restrict X,
    __global const float* restrict W,
    __global float* restrict Y) {
  const int blockIdx_z = (int)get_group_id(2);
  const int threadIdx_x = (int)get_local_id(0);
  __local float X_shared[256] __attribute__((aligned(16)));
  __local float W_shared[16] __attribute__((aligned(16)));
  const int X_at = blockIdx_z * 256 + threadIdx_x;
  const int Y_at = blockIdx_z * 256 + threadIdx_x * 4;
  float Y_local[16];
  float X_shared_local[4];
  float W_shared_local[4];
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
  __attribute__((opencl_unroll_hint(1)))
  for (int ax0_ax1_ax2_ax3_fused_outer_outer = 0; ax0_ax1_ax2_ax3_fused_outer_outer < 16; ++ax0_ax1_ax2_ax3_fused_outer_outer) {
    X_shared[ax0_ax1_ax2_ax3_fused_outer_outer * 16 + threadIdx_x] = X[X_at + ax0_ax1_ax2_ax3_fused_outer_outer * 16];
  }
  W_shared[threadIdx_x] = W[threadIdx_x];
  barrier(CLK_LOCAL_MEM_FENCE);
  __local const float* X_shared_ptr = X_shared + threadIdx_x * 4;
  __local const float* W_shared_ptr = W_shared;
  for (int rc_inner = 0; rc_inner < 4; ++rc_inner) {
    __attribute__((opencl_unroll_hint))
    for (int ax3 = 0; ax3 < 4; ++ax3) {
      X_shared_local[ax3] = X_shared_ptr[ax3];
    }
    __attribute__((opencl_unroll_hint))
    for (int ax0 = 0; ax0 < 2; ++ax0) {
      __attribute__((opencl_unroll_hint))
      for (int vo_1 = 0; vo_1 < 2; ++vo_1) {
        W_shared_local[ax0 + vo_1 * 2] = W_shared_ptr[ax0 * 4 + vo_1 * 8];
      }
    }
    __attribute__((opencl_unroll_hint))
    for (int f_c = 0; f_c < 2; ++f_c) {
      __attribute__((opencl_unroll_hint))
      for (int x_c = 0; x_c < 4; ++x_c) {
        __attribute__((opencl_unroll_hint))
        for (int vo_2 = 0; vo_2 < 2; ++vo_2) {
          const int Y_local_at = f_c * 4 + x_c + vo_2 * 8;
          Y_local[Y_local_at] = Y_local[Y_local_at] + X_shared_local[x_c] * W_shared_local[f_c + vo_2 * 2];
        }
      }
    }
    X_shared_ptr += 64;
    W_shared_ptr += 1;
  }
  __attribute__((opencl_unroll_hint))
  for (int f_inner_inner_inner = 0; f_inner_inner_inner < 2; ++f_inner_inner_inner) {
    __attribute__((opencl_unroll_hint))
    for (int x_inner_inner = 0; x_inner_inner < 4; ++x_inner_inner) {
      __attribute__((opencl_unroll_hint))
      for (int vo_3 = 0; vo_3 < 2; ++vo_3) {
        Y[Y_at + vo_3 * 128 + f_inner_inner_inner * 64 + x_inner_inner] = Y_local[f_inner_inner_inner * 4 + x_inner_inner + vo_3 * 8];
      }
    }
  }
}
