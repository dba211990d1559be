// depthwise_conv2d_nchw_1x3x9x8x3x1x1x2_float32_kernel
// target: CUDA C, sm_90

// depthwise_conv2d_nchw_1x3x9x8x3x1x1x2_float32_kernel: grid (1, 1, 1), block (128, 1, 1)
extern "C" __global__ void __launch_bounds__(128) depthwise_conv2d_nchw_1x3x9x8x3x1x1x2_float32_kernel(
    const float* __restrict__ X,
    const float* __restrict__ W,
    float* __restrict__ sums) {
  const int threadIdx_x = (int)threadIdx.x;
  const int at = (threadIdx_x >> 1) % 9;
  const int X_at = threadIdx_x / 36 % 3 * 72 + threadIdx_x % 18 * 4;
  const int W_at = threadIdx_x / 18 % 6 * 9;
  float pad[36];
  float sums_local[4];
  #pragma unroll
  for (int i2 = 0; i2 < 3; ++i2) {
    #pragma unroll
    for (int i3 = 0; i3 < 3; ++i3) {
      const int at_1 = i3 + (threadIdx_x & 1);
      const float4 v = at + i2 >= 1 && at + i2 < 10 && at_1 >= 1 && at_1 < 3 ? *(const float4*)(X + (X_at + i2 * 8 + i3 * 4 - 12)) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
      const int t = i2 * 12 + i3 * 4;
      pad[t] = v.x;
      pad[t + 1] = v.y;
      pad[t + 2] = v.z;
      pad[t + 3] = v.w;
    }
  }
  #pragma unroll
  for (int x_c_init = 0; x_c_init < 4; ++x_c_init) {
    sums_local[x_c_init] = 0.0f;
  }
  #pragma unroll
  for (int ry = 0; ry < 3; ++ry) {
    #pragma unroll
    for (int rx = 0; rx < 3; ++rx) {
      #pragma unroll
      for (int x_c = 0; x_c < 4; ++x_c) {
        sums_local[x_c] = sums_local[x_c] + pad[ry * 12 + x_c + rx + 3] * W[W_at + ry * 3 + rx];
      }
    }
  }
  if (threadIdx_x < 108) {
    *(float4*)(sums + threadIdx_x * 4) = make_float4(sums_local[0], sums_local[1], sums_local[2], sums_local[3]);
  }
}
