// conv2d_transpose_1x4x5x6x4x2_float32_kernel
// target: OpenCL C 1.2

// conv2d_transpose_1x4x5x6x4x2_float32_kernel: grid (2, 2, 4), block (5, 1, 1)
__kernel __attribute__((reqd_work_group_size(5, 1, 1))) void conv2d_transpose_1x4x5x6x4x2_float32_kernel(
    __global const float* restrict X,
    __global const float* restrict W,
    __global float* restrict Z) {
  const int blockIdx_z = (int)get_group_id(2);
  const int threadIdx_x = (int)get_local_id(0);
  const int blockIdx_x = (int)get_group_id(0);
  const int blockIdx_y = (int)get_group_id(1);
  __local float pad[60] __attribute__((aligned(16)));
  __local float W_shared[32] __attribute__((aligned(16)));
  const int at = (blockIdx_z + 2) >> 2;
  const int at_1 = ((blockIdx_z & 1) + 1) >> 1;
  const int at_2 = threadIdx_x + blockIdx_x * 4 + at_1;
  const int X_at = at * 5 + threadIdx_x + blockIdx_x * 4 + at_1;
  const int W_at = blockIdx_y * 64 + (((blockIdx_z >> 1) + 1) & 1) * 4 + ((blockIdx_z + 1) & 1);
  const int Z_at = blockIdx_y * 400 + threadIdx_x * 20 + (blockIdx_z >> 1) * 10 + blockIdx_x * 8 + (blockIdx_z & 1);
  float phases[16];
  float pad_local[5];
  float W_shared_local[8];
  __attribute__((opencl_unroll_hint))
  for (int f_init = 0; f_init < 2; ++f_init) {
    __attribute__((opencl_unroll_hint))
    for (int x_init = 0; x_init < 4; ++x_init) {
      __attribute__((opencl_unroll_hint))
      for (int vo = 0; vo < 2; ++vo) {
        phases[f_init * 4 + x_init + vo * 8] = 0.0f;
      }
    }
  }
  for (int rc_outer = 0; rc_outer < 2; ++rc_outer) {
    barrier(CLK_LOCAL_MEM_FENCE);
    __attribute__((opencl_unroll_hint(1)))
    for (int b_ch_y_x_fused_outer_outer = 0; b_ch_y_x_fused_outer_outer < 12; ++b_ch_y_x_fused_outer_outer) {
      const int X_at_1 = b_ch_y_x_fused_outer_outer % 6;
      const int at_3 = at + X_at_1;
      pad[b_ch_y_x_fused_outer_outer * 5 + threadIdx_x] = at_2 < 7 ? (at_3 >= 1 && at_3 < 6 && at_2 >= 1 && at_2 < 6 ? X[X_at + b_ch_y_x_fused_outer_outer / 6 * 25 + rc_outer * 50 + X_at_1 * 5 - 6] : 0.0f) : 0.0f;
    }
    __attribute__((opencl_unroll_hint(1)))
    for (int py_px_rc_f_ry_rx_fused_outer_outer = 0; py_px_rc_f_ry_rx_fused_outer_outer < 7; ++py_px_rc_f_ry_rx_fused_outer_outer) {
      const int at_4 = py_px_rc_f_ry_rx_fused_outer_outer * 5 + threadIdx_x;
      if (at_4 < 32) {
        W_shared[at_4] = ((py_px_rc_f_ry_rx_fused_outer_outer + ((py_px_rc_f_ry_rx_fused_outer_outer + threadIdx_x) >> 2)) & 3) + blockIdx_y * 4 < 6 ? W[W_at + (at_4 >> 4) * 96 + rc_outer * 192 + ((py_px_rc_f_ry_rx_fused_outer_outer + threadIdx_x) & 1) * 2 + ((py_px_rc_f_ry_rx_fused_outer_outer * 2 + ((py_px_rc_f_ry_rx_fused_outer_outer + threadIdx_x) >> 1)) & 7) * 8] : 0.0f;
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    __local const float* W_shared_ptr = W_shared;
    for (int rc_inner = 0; rc_inner < 2; ++rc_inner) {
      __attribute__((opencl_unroll_hint))
      for (int ry = 0; ry < 2; ++ry) {
        __attribute__((opencl_unroll_hint))
        for (int ax3 = 0; ax3 < 5; ++ax3) {
          pad_local[ax3] = pad[rc_inner * 30 + threadIdx_x * 5 + ax3 - ry * 5 + 5];
        }
        __attribute__((opencl_unroll_hint))
        for (int ax3_1 = 0; ax3_1 < 2; ++ax3_1) {
          __attribute__((opencl_unroll_hint))
          for (int ax5 = 0; ax5 < 2; ++ax5) {
            __attribute__((opencl_unroll_hint))
            for (int vo_1 = 0; vo_1 < 2; ++vo_1) {
              W_shared_local[ax3_1 * 2 + ax5 + vo_1 * 4] = W_shared_ptr[ax3_1 * 4 + vo_1 * 8 + ry * 2 + ax5];
            }
          }
        }
        __attribute__((opencl_unroll_hint))
        for (int rx = 0; rx < 2; ++rx) {
          __attribute__((opencl_unroll_hint))
          for (int f = 0; f < 2; ++f) {
            __attribute__((opencl_unroll_hint))
            for (int x = 0; x < 4; ++x) {
              __attribute__((opencl_unroll_hint))
              for (int vo_2 = 0; vo_2 < 2; ++vo_2) {
                const int phases_at = f * 4 + x + vo_2 * 8;
                phases[phases_at] = phases[phases_at] + pad_local[x - rx + 1] * W_shared_local[f * 2 + rx + vo_2 * 4];
              }
            }
          }
        }
      }
      W_shared_ptr += 16;
    }
  }
  __attribute__((opencl_unroll_hint))
  for (int f_inner_inner_inner = 0; f_inner_inner_inner < 2; ++f_inner_inner_inner) {
    __attribute__((opencl_unroll_hint))
    for (int vo_3 = 0; vo_3 < 2; ++vo_3) {
      if (blockIdx_y * 2 + vo_3 < 3) {
        __attribute__((opencl_unroll_hint))
        for (int x_outer_inner_inner = 0; x_outer_inner_inner < 4; ++x_outer_inner_inner) {
          if (blockIdx_x * 4 + x_outer_inner_inner < 5) {
            Z[Z_at + vo_3 * 200 + f_inner_inner_inner * 100 + x_outer_inner_inner * 2] = phases[f_inner_inner_inner * 4 + x_outer_inner_inner + vo_3 * 8];
          }
        }
      }
    }
  }
}
