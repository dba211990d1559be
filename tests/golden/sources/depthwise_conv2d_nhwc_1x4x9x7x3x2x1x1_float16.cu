// depthwise_conv2d_nhwc_1x4x9x7x3x2x1x1_float16_kernel
// target: CUDA C, sm_90

static __device__ __forceinline__ unsigned short gc_f32_to_f16(float x) {
  unsigned short r;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r) : "f"(x));
  return r;
}

static __device__ __forceinline__ float gc_f16_to_f32(unsigned short x) {
  float r;
  asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(x));
  return r;
}

// depthwise_conv2d_nhwc_1x4x9x7x3x2x1x1_float16_kernel: grid (3, 1, 1), block (4, 1, 1)
extern "C" __global__ void __launch_bounds__(4) depthwise_conv2d_nhwc_1x4x9x7x3x2x1x1_float16_kernel(
    const unsigned short* __restrict__ X,
    const unsigned short* __restrict__ W,
    unsigned short* __restrict__ Y) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int at = blockIdx_x * 4 + (threadIdx_x >> 1) * 2;
  const int at_1 = (threadIdx_x & 1) * 4;
  const int X_at = blockIdx_x * 112 + (threadIdx_x >> 1) * 56 + (threadIdx_x & 1) * 16;
  const int Y_at = blockIdx_x * 32 + threadIdx_x * 8;
  unsigned short pad[60];
  unsigned short W_local[36];
  float sums[8];
  #pragma unroll
  for (int i1 = 0; i1 < 3; ++i1) {
    #pragma unroll
    for (int i2 = 0; i2 < 5; ++i2) {
      const ushort4 v = at + i1 < 11 ? (at + i1 >= 1 && at + i1 < 10 && at_1 + i2 >= 1 && at_1 + i2 < 8 ? *(const ushort4*)(X + (X_at + i1 * 28 + i2 * 4 - 32)) : make_ushort4(gc_f32_to_f16(0.0f), gc_f32_to_f16(0.0f), gc_f32_to_f16(0.0f), gc_f32_to_f16(0.0f))) : make_ushort4(gc_f32_to_f16(0.0f), gc_f32_to_f16(0.0f), gc_f32_to_f16(0.0f), gc_f32_to_f16(0.0f));
      const int t = i1 * 20 + i2 * 4;
      pad[t] = v.x;
      pad[t + 1] = v.y;
      pad[t + 2] = v.z;
      pad[t + 3] = v.w;
    }
  }
  #pragma unroll
  for (int ax0 = 0; ax0 < 3; ++ax0) {
    #pragma unroll
    for (int ax1 = 0; ax1 < 3; ++ax1) {
      const int W_local_at = ax0 * 12 + ax1 * 4;
      const ushort4 W_v = *(const ushort4*)(W + W_local_at);
      W_local[W_local_at] = W_v.x;
      W_local[W_local_at + 1] = W_v.y;
      W_local[W_local_at + 2] = W_v.z;
      W_local[W_local_at + 3] = W_v.w;
    }
  }
  #pragma unroll
  for (int x_init = 0; x_init < 2; ++x_init) {
    #pragma unroll
    for (int f_init = 0; f_init < 4; ++f_init) {
      sums[x_init * 4 + f_init] = 0.0f;
    }
  }
  #pragma unroll
  for (int ry = 0; ry < 3; ++ry) {
    #pragma unroll
    for (int rx = 0; rx < 3; ++rx) {
      #pragma unroll
      for (int x = 0; x < 2; ++x) {
        #pragma unroll
        for (int f = 0; f < 4; ++f) {
          const int sums_at = x * 4 + f;
          sums[sums_at] = sums[sums_at] + gc_f16_to_f32(pad[ry * 20 + x * 8 + rx * 4 + f]) * gc_f16_to_f32(W_local[ry * 12 + rx * 4 + f]);
        }
      }
    }
  }
  if (blockIdx_x * 2 + (threadIdx_x >> 1) < 5) {
    #pragma unroll
    for (int i2_inner = 0; i2_inner < 2; ++i2_inner) {
      const unsigned short lane = gc_f32_to_f16(sums[i2_inner * 4]);
      const unsigned short lane_1 = gc_f32_to_f16(sums[i2_inner * 4 + 1]);
      const unsigned short lane_2 = gc_f32_to_f16(sums[i2_inner * 4 + 2]);
      const unsigned short lane_3 = gc_f32_to_f16(sums[i2_inner * 4 + 3]);
      *(ushort4*)(Y + (Y_at + i2_inner * 4)) = make_ushort4(lane, lane_1, lane_2, lane_3);
    }
  }
}
