// matmul_33x37x21_float32_kernel
// target: OpenCL C 1.2

// matmul_33x37x21_float32_kernel: grid (2, 2, 1), block (16, 16, 1)
__kernel __attribute__((reqd_work_group_size(16, 16, 1))) void matmul_33x37x21_float32_kernel(
    __global const float* restrict A,
    __global const float* restrict B,
    __global float* restrict C) {
  __local float A_shared[640] __attribute__((aligned(16)));
  __local float B_shared[512] __attribute__((aligned(16)));
  const int blockIdx_y = (int)get_group_id(1);
  const int threadIdx_y = (int)get_local_id(1);
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  float C_local[4];
  float A_shared_local[8];
  float B_shared_local[8];
  __attribute__((opencl_unroll_hint))
  for (int i_c_init = 0; i_c_init < 2; ++i_c_init) {
    if (i_c_init + blockIdx_y * 32 + threadIdx_y * 2 < 33) {
      __attribute__((opencl_unroll_hint))
      for (int j_c_init = 0; j_c_init < 2; ++j_c_init) {
        if (j_c_init + blockIdx_x * 32 + threadIdx_x * 2 < 37) {
          C_local[i_c_init * 2 + j_c_init] = 0.0f;
        }
      }
    }
  }
  for (int k_outer = 0; k_outer < 2; ++k_outer) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (threadIdx_y < 8 && threadIdx_y * 4 + (threadIdx_x >> 2) + blockIdx_y * 32 < 33 && (threadIdx_x & 3) + k_outer * 4 < 5) {
      *(__local float4*)(A_shared + (threadIdx_y * 80 + (threadIdx_x >> 2) * 20 + (threadIdx_x & 3) * 4)) = vload4(0, A + (threadIdx_y * 84 + (threadIdx_x >> 2) * 21 + blockIdx_y * 672 + (threadIdx_x & 3) * 4 + k_outer * 16));
    } else {
      if (threadIdx_y < 8 && threadIdx_y * 4 + (threadIdx_x >> 2) + blockIdx_y * 32 < 33) {
        __attribute__((opencl_unroll_hint))
        for (int ax0_ax1_fused_inner = 0; ax0_ax1_fused_inner < 4; ++ax0_ax1_fused_inner) {
          if (ax0_ax1_fused_inner + (threadIdx_x & 3) * 4 + k_outer * 16 < 21) {
            A_shared[threadIdx_y * 80 + (threadIdx_x >> 2) * 20 + ax0_ax1_fused_inner + (threadIdx_x & 3) * 4] = A[threadIdx_y * 84 + (threadIdx_x >> 2) * 21 + blockIdx_y * 672 + ax0_ax1_fused_inner + (threadIdx_x & 3) * 4 + k_outer * 16];
          }
        }
      }
    }
    if (threadIdx_y < 8 && threadIdx_y * 2 + (threadIdx_x >> 3) + k_outer * 16 < 21 && (threadIdx_x & 7) + blockIdx_x * 8 < 9) {
      *(__local float4*)(B_shared + (threadIdx_y * 64 + threadIdx_x * 4)) = vload4(0, B + (threadIdx_y * 74 + (threadIdx_x >> 3) * 37 + k_outer * 592 + (threadIdx_x & 7) * 4 + blockIdx_x * 32));
    } else {
      if (threadIdx_y < 8 && threadIdx_y * 2 + (threadIdx_x >> 3) + k_outer * 16 < 21) {
        __attribute__((opencl_unroll_hint))
        for (int ax0_ax1_fused_inner_1 = 0; ax0_ax1_fused_inner_1 < 4; ++ax0_ax1_fused_inner_1) {
          if (ax0_ax1_fused_inner_1 + (threadIdx_x & 7) * 4 + blockIdx_x * 32 < 37) {
            B_shared[threadIdx_y * 64 + threadIdx_x * 4 + ax0_ax1_fused_inner_1] = B[threadIdx_y * 74 + (threadIdx_x >> 3) * 37 + k_outer * 592 + ax0_ax1_fused_inner_1 + (threadIdx_x & 7) * 4 + blockIdx_x * 32];
          }
        }
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int k_inner_outer = 0; k_inner_outer < 4; ++k_inner_outer) {
      __attribute__((opencl_unroll_hint))
      for (int ax0 = 0; ax0 < 2; ++ax0) {
        if (ax0 + blockIdx_y * 32 + threadIdx_y * 2 < 33) {
          if (k_outer * 4 + k_inner_outer < 5) {
            vstore4(*(__local const float4*)(A_shared + (ax0 * 20 + threadIdx_y * 40 + k_inner_outer * 4)), 0, A_shared_local + ax0 * 4);
          } else {
            __attribute__((opencl_unroll_hint))
            for (int ax1 = 0; ax1 < 4; ++ax1) {
              if (ax1 + k_inner_outer * 4 < 5) {
                A_shared_local[ax0 * 4] = A_shared[ax0 * 20 + threadIdx_y * 40 + 4];
              }
            }
          }
        }
      }
      __attribute__((opencl_unroll_hint))
      for (int ax0_1 = 0; ax0_1 < 4; ++ax0_1) {
        if (ax0_1 + k_outer * 16 + k_inner_outer * 4 < 21) {
          if (blockIdx_x * 16 + threadIdx_x < 18) {
            vstore2(*(__local const float2*)(B_shared + (ax0_1 * 32 + k_inner_outer * 128 + threadIdx_x * 2)), 0, B_shared_local + ax0_1 * 2);
          } else {
            __attribute__((opencl_unroll_hint))
            for (int ax1_1 = 0; ax1_1 < 2; ++ax1_1) {
              if (ax1_1 + threadIdx_x * 2 < 5) {
                B_shared_local[ax0_1 * 2] = B_shared[ax0_1 * 32 + k_inner_outer * 128 + 4];
              }
            }
          }
        }
      }
      __attribute__((opencl_unroll_hint))
      for (int k_inner_inner = 0; k_inner_inner < 4; ++k_inner_inner) {
        if (k_outer * 16 + k_inner_outer * 4 + k_inner_inner < 21) {
          __attribute__((opencl_unroll_hint))
          for (int i_c = 0; i_c < 2; ++i_c) {
            if (i_c + blockIdx_y * 32 + threadIdx_y * 2 < 33) {
              __attribute__((opencl_unroll_hint))
              for (int j_c = 0; j_c < 2; ++j_c) {
                if (j_c + blockIdx_x * 32 + threadIdx_x * 2 < 37) {
                  C_local[i_c * 2 + j_c] = C_local[i_c * 2 + j_c] + A_shared_local[i_c * 4 + k_inner_inner] * B_shared_local[k_inner_inner * 2 + j_c];
                }
              }
            }
          }
        }
      }
    }
  }
  __attribute__((opencl_unroll_hint))
  for (int i_inner_inner_inner = 0; i_inner_inner_inner < 2; ++i_inner_inner_inner) {
    if (blockIdx_y * 32 + threadIdx_y * 2 + i_inner_inner_inner < 33) {
      if (blockIdx_x * 16 + threadIdx_x < 18) {
        vstore2(vload2(0, C_local + i_inner_inner_inner * 2), 0, C + (blockIdx_y * 1184 + threadIdx_y * 74 + i_inner_inner_inner * 37 + blockIdx_x * 32 + threadIdx_x * 2));
      } else {
        __attribute__((opencl_unroll_hint))
        for (int j_inner_inner_inner = 0; j_inner_inner_inner < 2; ++j_inner_inner_inner) {
          if (threadIdx_x * 2 + j_inner_inner_inner < 5) {
            C[blockIdx_y * 1184 + threadIdx_y * 74 + i_inner_inner_inner * 37 + 36] = C_local[i_inner_inner_inner * 2];
          }
        }
      }
    }
  }
}
