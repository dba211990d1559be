// depthwise_conv2d_nhwc_1x4x9x7x3x2x1x1_float16_kernel
// target: OpenCL C 1.2

static inline ushort gc_f32_to_f16(float x) {
  ushort r;
  vstore_half_rte(x, 0, (half*)&r);
  return r;
}

static inline float gc_f16_to_f32(ushort x) { return vload_half(0, (const half*)&x); }

static inline ushort4 gc_f32_to_f16_v_4(float4 x) {
  ushort4 r;
  vstore_half4_rte(x, 0, (half*)&r);
  return r;
}

// depthwise_conv2d_nhwc_1x4x9x7x3x2x1x1_float16_kernel: grid (3, 1, 1), block (4, 1, 1)
__kernel __attribute__((reqd_work_group_size(4, 1, 1))) void depthwise_conv2d_nhwc_1x4x9x7x3x2x1x1_float16_kernel(
    __global const ushort* restrict X,
    __global const ushort* restrict W,
    __global ushort* restrict Y) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int at = blockIdx_x * 4 + (threadIdx_x >> 1) * 2;
  const int at_1 = (threadIdx_x & 1) * 4;
  const int X_at = blockIdx_x * 112 + (threadIdx_x >> 1) * 56 + (threadIdx_x & 1) * 16;
  const int Y_at = blockIdx_x * 32 + threadIdx_x * 8;
  ushort pad[60];
  ushort W_local[36];
  float sums[8];
  __attribute__((opencl_unroll_hint))
  for (int i1 = 0; i1 < 3; ++i1) {
    __attribute__((opencl_unroll_hint))
    for (int i2 = 0; i2 < 5; ++i2) {
      vstore4(at + i1 < 11 ? (at + i1 >= 1 && at + i1 < 10 && at_1 + i2 >= 1 && at_1 + i2 < 8 ? *(__global const ushort4*)(X + (X_at + i1 * 28 + i2 * 4 - 32)) : (ushort4)(gc_f32_to_f16(0.0f))) : (ushort4)(gc_f32_to_f16(0.0f)), 0, pad + (i1 * 20 + i2 * 4));
    }
  }
  __attribute__((opencl_unroll_hint))
  for (int ax0 = 0; ax0 < 3; ++ax0) {
    __attribute__((opencl_unroll_hint))
    for (int ax1 = 0; ax1 < 3; ++ax1) {
      const int W_local_at = ax0 * 12 + ax1 * 4;
      vstore4(*(__global const ushort4*)(W + W_local_at), 0, W_local + W_local_at);
    }
  }
  __attribute__((opencl_unroll_hint))
  for (int x_init = 0; x_init < 2; ++x_init) {
    __attribute__((opencl_unroll_hint))
    for (int f_init = 0; f_init < 4; ++f_init) {
      sums[x_init * 4 + f_init] = 0.0f;
    }
  }
  __attribute__((opencl_unroll_hint))
  for (int ry = 0; ry < 3; ++ry) {
    __attribute__((opencl_unroll_hint))
    for (int rx = 0; rx < 3; ++rx) {
      __attribute__((opencl_unroll_hint))
      for (int x = 0; x < 2; ++x) {
        __attribute__((opencl_unroll_hint))
        for (int f = 0; f < 4; ++f) {
          const int sums_at = x * 4 + f;
          sums[sums_at] = sums[sums_at] + gc_f16_to_f32(pad[ry * 20 + x * 8 + rx * 4 + f]) * gc_f16_to_f32(W_local[ry * 12 + rx * 4 + f]);
        }
      }
    }
  }
  if (blockIdx_x * 2 + (threadIdx_x >> 1) < 5) {
    __attribute__((opencl_unroll_hint))
    for (int i2_inner = 0; i2_inner < 2; ++i2_inner) {
      *(__global ushort4*)(Y + (Y_at + i2_inner * 4)) = gc_f32_to_f16_v_4(vload4(0, sums + i2_inner * 4));
    }
  }
}
