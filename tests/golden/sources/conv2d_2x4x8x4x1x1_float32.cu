// conv2d_2x4x8x4x1x1_float32_kernel
// target: CUDA C, sm_90

// conv2d_2x4x8x4x1x1_float32_kernel: grid (1, 1, 2), block (16, 1, 1)
extern "C" __global__ void __launch_bounds__(16) conv2d_2x4x8x4x1x1_float32_kernel(
    const float* __restrict__ X,
    const float* __restrict__ W,
    float* __restrict__ Y) {
  const int blockIdx_z = (int)blockIdx.z;
  const int threadIdx_x = (int)threadIdx.x;
  __shared__ __align__(16) float X_shared[256];
  __shared__ __align__(16) float W_shared[16];
  const int X_at = blockIdx_z * 256 + threadIdx_x;
  const int Y_at = blockIdx_z * 256 + threadIdx_x * 4;
  float Y_local[16];
  float X_shared_local[4];
  float W_shared_local[4];
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
  for (int ax0_ax1_ax2_ax3_fused_outer_outer = 0; ax0_ax1_ax2_ax3_fused_outer_outer < 16; ++ax0_ax1_ax2_ax3_fused_outer_outer) {
    X_shared[ax0_ax1_ax2_ax3_fused_outer_outer * 16 + threadIdx_x] = X[X_at + ax0_ax1_ax2_ax3_fused_outer_outer * 16];
  }
  W_shared[threadIdx_x] = W[threadIdx_x];
  __syncthreads();
  const float* X_shared_ptr = X_shared + threadIdx_x * 4;
  const float* W_shared_ptr = W_shared;
  for (int rc_inner = 0; rc_inner < 4; ++rc_inner) {
    #pragma unroll
    for (int ax3 = 0; ax3 < 4; ++ax3) {
      X_shared_local[ax3] = X_shared_ptr[ax3];
    }
    #pragma unroll
    for (int ax0 = 0; ax0 < 2; ++ax0) {
      #pragma unroll
      for (int vo_1 = 0; vo_1 < 2; ++vo_1) {
        W_shared_local[ax0 + vo_1 * 2] = W_shared_ptr[ax0 * 4 + vo_1 * 8];
      }
    }
    #pragma unroll
    for (int f_c = 0; f_c < 2; ++f_c) {
      #pragma unroll
      for (int x_c = 0; x_c < 4; ++x_c) {
        #pragma unroll
        for (int vo_2 = 0; vo_2 < 2; ++vo_2) {
          const int Y_local_at = f_c * 4 + x_c + vo_2 * 8;
          Y_local[Y_local_at] = Y_local[Y_local_at] + X_shared_local[x_c] * W_shared_local[f_c + vo_2 * 2];
        }
      }
    }
    X_shared_ptr += 64;
    W_shared_ptr += 1;
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
