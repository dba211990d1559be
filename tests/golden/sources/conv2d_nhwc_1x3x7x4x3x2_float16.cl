// conv2d_nhwc_1x3x7x4x3x2_float16_kernel
// target: OpenCL C 1.2

static inline float gc_f16_to_f32(ushort x) { return vload_half(0, (const half*)&x); }

static inline ushort gc_f32_to_f16(float x) {
  ushort r;
  vstore_half_rte(x, 0, (half*)&r);
  return r;
}

// conv2d_nhwc_1x3x7x4x3x2_float16_kernel: grid (1, 1, 1), block (4, 1, 1)
__kernel __attribute__((reqd_work_group_size(4, 1, 1))) void conv2d_nhwc_1x3x7x4x3x2_float16_kernel(
    __global const ushort* restrict X,
    __global const ushort* restrict W,
    __global float* restrict Y) {
  __local ushort pad[162];
  __local ushort W_shared[72] __attribute__((aligned(16)));
  const int threadIdx_x = (int)get_local_id(0);
  float Y_local[16];
  ushort pad_local[9];
  ushort W_shared_local[12];
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
    for (int b_y_x_ch_fused_outer_outer = 0; b_y_x_ch_fused_outer_outer < 41; ++b_y_x_ch_fused_outer_outer) {
      const int at = b_y_x_ch_fused_outer_outer * 4 + threadIdx_x;
      const int X_at = b_y_x_ch_fused_outer_outer * 2 + (threadIdx_x >> 1);
      const int X_at_1 = X_at % 9;
      const int X_at_2 = X_at / 9;
      if (at < 162) {
        pad[at] = gc_f32_to_f16((threadIdx_x & 1) + rc_outer * 2 < 3 ? (X_at_2 >= 1 && X_at_2 < 8 && X_at_1 >= 1 && X_at_1 < 8 ? gc_f16_to_f32(X[X_at_2 * 21 + X_at_1 * 3 + (threadIdx_x & 1) + rc_outer * 2 - 24]) : 0.0f) : 0.0f);
      }
    }
    __attribute__((opencl_unroll_hint(1)))
    for (int ax0_ax1_ax2_ax3_fused_outer_outer = 0; ax0_ax1_ax2_ax3_fused_outer_outer < 18; ++ax0_ax1_ax2_ax3_fused_outer_outer) {
      W_shared[ax0_ax1_ax2_ax3_fused_outer_outer * 4 + threadIdx_x] = gc_f32_to_f16((ax0_ax1_ax2_ax3_fused_outer_outer & 1) + rc_outer * 2 < 3 ? gc_f16_to_f32(W[(ax0_ax1_ax2_ax3_fused_outer_outer & 1) * 4 + rc_outer * 8 + threadIdx_x + (ax0_ax1_ax2_ax3_fused_outer_outer >> 1) * 12]) : 0.0f);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    __local const ushort* pad_ptr = pad + threadIdx_x * 36;
    __local const ushort* W_shared_ptr = W_shared;
    for (int rc_inner = 0; rc_inner < 2; ++rc_inner) {
      __attribute__((opencl_unroll_hint))
      for (int ry = 0; ry < 3; ++ry) {
        __attribute__((opencl_unroll_hint))
        for (int ax2 = 0; ax2 < 9; ++ax2) {
          pad_local[ax2] = pad_ptr[ry * 18 + ax2 * 2];
        }
        __attribute__((opencl_unroll_hint))
        for (int ax1 = 0; ax1 < 3; ++ax1) {
          __attribute__((opencl_unroll_hint))
          for (int ax3 = 0; ax3 < 2; ++ax3) {
            __attribute__((opencl_unroll_hint))
            for (int vo_1 = 0; vo_1 < 2; ++vo_1) {
              W_shared_local[ax1 * 2 + ax3 + vo_1 * 6] = W_shared_ptr[ry * 24 + ax1 * 8 + ax3 + vo_1 * 2];
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
  __attribute__((opencl_unroll_hint))
  for (int f_inner_inner_inner = 0; f_inner_inner_inner < 2; ++f_inner_inner_inner) {
    __attribute__((opencl_unroll_hint))
    for (int x_inner_inner = 0; x_inner_inner < 4; ++x_inner_inner) {
      __attribute__((opencl_unroll_hint))
      for (int vo_3 = 0; vo_3 < 2; ++vo_3) {
        Y[threadIdx_x * 16 + x_inner_inner * 4 + vo_3 * 2 + f_inner_inner_inner] = Y_local[x_inner_inner * 2 + f_inner_inner_inner + vo_3 * 8];
      }
    }
  }
}
