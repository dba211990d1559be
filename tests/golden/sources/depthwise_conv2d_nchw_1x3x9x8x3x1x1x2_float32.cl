// depthwise_conv2d_nchw_1x3x9x8x3x1x1x2_float32_kernel
// target: OpenCL C 1.2

// depthwise_conv2d_nchw_1x3x9x8x3x1x1x2_float32_kernel: grid (1, 1, 1), block (128, 1, 1)
__kernel __attribute__((reqd_work_group_size(128, 1, 1))) void depthwise_conv2d_nchw_1x3x9x8x3x1x1x2_float32_kernel(
    __global const float* restrict X,
    __global const float* restrict W,
    __global float* restrict sums) {
  const int threadIdx_x = (int)get_local_id(0);
  const int at = (threadIdx_x >> 1) % 9;
  const int X_at = threadIdx_x / 36 % 3 * 72 + threadIdx_x % 18 * 4;
  const int W_at = threadIdx_x / 18 % 6 * 9;
  float pad[36];
  float sums_local[4];
  __attribute__((opencl_unroll_hint))
  for (int i2 = 0; i2 < 3; ++i2) {
    __attribute__((opencl_unroll_hint))
    for (int i3 = 0; i3 < 3; ++i3) {
      const int at_1 = i3 + (threadIdx_x & 1);
      vstore4(at + i2 >= 1 && at + i2 < 10 && at_1 >= 1 && at_1 < 3 ? *(__global const float4*)(X + (X_at + i2 * 8 + i3 * 4 - 12)) : (float4)(0.0f), 0, pad + (i2 * 12 + i3 * 4));
    }
  }
  __attribute__((opencl_unroll_hint))
  for (int x_c_init = 0; x_c_init < 4; ++x_c_init) {
    sums_local[x_c_init] = 0.0f;
  }
  __attribute__((opencl_unroll_hint))
  for (int ry = 0; ry < 3; ++ry) {
    __attribute__((opencl_unroll_hint))
    for (int rx = 0; rx < 3; ++rx) {
      __attribute__((opencl_unroll_hint))
      for (int x_c = 0; x_c < 4; ++x_c) {
        sums_local[x_c] = sums_local[x_c] + pad[ry * 12 + x_c + rx + 3] * W[W_at + ry * 3 + rx];
      }
    }
  }
  if (threadIdx_x < 108) {
    *(__global float4*)(sums + threadIdx_x * 4) = vload4(0, sums_local);
  }
}
