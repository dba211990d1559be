// conv2d_nhwc_1x3x7x4x3x2_float16_kernel
// target: CUDA C, sm_90

static __device__ __forceinline__ float gc_f16_to_f32(unsigned short x) {
  float r;
  asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(x));
  return r;
}

static __device__ __forceinline__ unsigned short gc_f32_to_f16(float x) {
  unsigned short r;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r) : "f"(x));
  return r;
}

// conv2d_nhwc_1x3x7x4x3x2_float16_kernel: grid (1, 1, 1), block (4, 1, 1)
extern "C" __global__ void __launch_bounds__(4) conv2d_nhwc_1x3x7x4x3x2_float16_kernel(
    const unsigned short* __restrict__ X,
    const unsigned short* __restrict__ W,
    float* __restrict__ Y) {
  __shared__ unsigned short pad[162];
  __shared__ __align__(16) unsigned short W_shared[72];
  const int threadIdx_x = (int)threadIdx.x;
  float Y_local[16];
  unsigned short pad_local[9];
  unsigned short W_shared_local[12];
  #pragma unroll
  for (int f_c_init = 0; f_c_init < 2; ++f_c_init) {
    #pragma unroll
    for (int x_c_init = 0; x_c_init < 4; ++x_c_init) {
      #pragma unroll
      for (int vo = 0; vo < 2; ++vo) {
        Y_local[x_c_init * 2 + f_c_init + vo * 8] = 0.0f;
      }
    }
  }
  for (int rc_outer = 0; rc_outer < 2; ++rc_outer) {
    __syncthreads();
    for (int b_y_x_ch_fused_outer_outer = 0; b_y_x_ch_fused_outer_outer < 41; ++b_y_x_ch_fused_outer_outer) {
      const int at = b_y_x_ch_fused_outer_outer * 4 + threadIdx_x;
      const int X_at = b_y_x_ch_fused_outer_outer * 2 + (threadIdx_x >> 1);
      const int X_at_1 = X_at % 9;
      const int X_at_2 = X_at / 9;
      if (at < 162) {
        pad[at] = gc_f32_to_f16((threadIdx_x & 1) + rc_outer * 2 < 3 ? (X_at_2 >= 1 && X_at_2 < 8 && X_at_1 >= 1 && X_at_1 < 8 ? gc_f16_to_f32(X[X_at_2 * 21 + X_at_1 * 3 + (threadIdx_x & 1) + rc_outer * 2 - 24]) : 0.0f) : 0.0f);
      }
    }
    for (int ax0_ax1_ax2_ax3_fused_outer_outer = 0; ax0_ax1_ax2_ax3_fused_outer_outer < 18; ++ax0_ax1_ax2_ax3_fused_outer_outer) {
      W_shared[ax0_ax1_ax2_ax3_fused_outer_outer * 4 + threadIdx_x] = gc_f32_to_f16((ax0_ax1_ax2_ax3_fused_outer_outer & 1) + rc_outer * 2 < 3 ? gc_f16_to_f32(W[(ax0_ax1_ax2_ax3_fused_outer_outer & 1) * 4 + rc_outer * 8 + threadIdx_x + (ax0_ax1_ax2_ax3_fused_outer_outer >> 1) * 12]) : 0.0f);
    }
    __syncthreads();
    const unsigned short* pad_ptr = pad + threadIdx_x * 36;
    const unsigned short* W_shared_ptr = W_shared;
    for (int rc_inner = 0; rc_inner < 2; ++rc_inner) {
      #pragma unroll
      for (int ry = 0; ry < 3; ++ry) {
        #pragma unroll
        for (int ax2 = 0; ax2 < 9; ++ax2) {
          pad_local[ax2] = pad_ptr[ry * 18 + ax2 * 2];
        }
        #pragma unroll
        for (int ax1 = 0; ax1 < 3; ++ax1) {
          #pragma unroll
          for (int ax3 = 0; ax3 < 2; ++ax3) {
            #pragma unroll
            for (int vo_1 = 0; vo_1 < 2; ++vo_1) {
              W_shared_local[ax1 * 2 + ax3 + vo_1 * 6] = W_shared_ptr[ry * 24 + ax1 * 8 + ax3 + vo_1 * 2];
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
                const int Y_local_at = x_c * 2 + f_c + vo_2 * 8;
                Y_local[Y_local_at] = Y_local[Y_local_at] + gc_f16_to_f32(pad_local[x_c * 2 + rx]) * gc_f16_to_f32(W_shared_local[rx * 2 + f_c + vo_2 * 6]);
              }
            }
          }
        }
      }
      pad_ptr += 1;
      W_shared_ptr += 4;
    }
  }
  #pragma unroll
  for (int f_inner_inner_inner = 0; f_inner_inner_inner < 2; ++f_inner_inner_inner) {
    #pragma unroll
    for (int x_inner_inner = 0; x_inner_inner < 4; ++x_inner_inner) {
      #pragma unroll
      for (int vo_3 = 0; vo_3 < 2; ++vo_3) {
        Y[threadIdx_x * 16 + x_inner_inner * 4 + vo_3 * 2 + f_inner_inner_inner] = Y_local[x_inner_inner * 2 + f_inner_inner_inner + vo_3 * 8];
      }
    }
  }
}
