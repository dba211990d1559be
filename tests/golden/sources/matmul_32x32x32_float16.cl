// matmul_32x32x32_float16_kernel
// target: OpenCL C 1.2

static inline float gc_f16_to_f32(ushort x) { return vload_half(0, (const half*)&x); }

// matmul_32x32x32_float16_kernel: grid (1, 1, 1), block (16, 16, 1)
__kernel __attribute__((reqd_work_group_size(16, 16, 1))) void matmul_32x32x32_float16_kernel(
    __global const ushort* restrict A,
    __global const ushort* restrict B,
    __global float* restrict C) {
  const int threadIdx_x = (int)get_local_id(0);
  const int threadIdx_y = (int)get_local_id(1);
  __local ushort A_shared[1280] __attribute__((aligned(16)));
  __local ushort B_shared[1024] __attribute__((aligned(16)));
  const int A_at = (threadIdx_x & 3) * 4;
  const int B_at = threadIdx_y * 64 + threadIdx_x * 4;
  const int A_at_1 = threadIdx_y * 128 + (threadIdx_x >> 2) * 32 + A_at;
  const int A_shared_at = threadIdx_y * 80 + (threadIdx_x >> 2) * 20 + A_at;
  const int C_at = threadIdx_y * 64 + threadIdx_x * 2;
  float C_local[4];
  ushort A_shared_next[4];
  ushort B_shared_next[4];
  ushort A_shared_local[8];
  ushort B_shared_local[8];
  __attribute__((opencl_unroll_hint))
  for (int i_c_init = 0; i_c_init < 2; ++i_c_init) {
    __attribute__((opencl_unroll_hint))
    for (int j_c_init = 0; j_c_init < 2; ++j_c_init) {
      C_local[i_c_init * 2 + j_c_init] = 0.0f;
    }
  }
  if (threadIdx_y < 8) {
    *(__local ushort4*)(A_shared + A_shared_at) = *(__global const ushort4*)(A + A_at_1);
    *(__local ushort4*)(B_shared + B_at) = *(__global const ushort4*)(B + B_at);
  }
  for (int k_outer = 0; k_outer < 2; ++k_outer) {
    if (k_outer < 1 && threadIdx_y < 8) {
      vstore4(*(__global const ushort4*)(A + (A_at_1 + 16)), 0, A_shared_next);
      vstore4(*(__global const ushort4*)(B + (B_at + 512)), 0, B_shared_next);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    __local const ushort* A_shared_ptr = A_shared + (threadIdx_y * 40 + k_outer * 640);
    __local const ushort* B_shared_ptr = B_shared + (threadIdx_x * 2 + k_outer * 512);
    __attribute__((opencl_unroll_hint(1)))
    for (int k_inner_outer = 0; k_inner_outer < 4; ++k_inner_outer) {
      __attribute__((opencl_unroll_hint))
      for (int ax0 = 0; ax0 < 2; ++ax0) {
        vstore4(*(__local const ushort4*)(A_shared_ptr + ax0 * 20), 0, A_shared_local + ax0 * 4);
      }
      __attribute__((opencl_unroll_hint))
      for (int ax0_1 = 0; ax0_1 < 4; ++ax0_1) {
        vstore2(*(__local const ushort2*)(B_shared_ptr + ax0_1 * 32), 0, B_shared_local + ax0_1 * 2);
      }
      __attribute__((opencl_unroll_hint))
      for (int k_inner_inner = 0; k_inner_inner < 4; ++k_inner_inner) {
        __attribute__((opencl_unroll_hint))
        for (int i_c = 0; i_c < 2; ++i_c) {
          __attribute__((opencl_unroll_hint))
          for (int j_c = 0; j_c < 2; ++j_c) {
            const int C_local_at = i_c * 2 + j_c;
            C_local[C_local_at] = C_local[C_local_at] + gc_f16_to_f32(A_shared_local[i_c * 4 + k_inner_inner]) * gc_f16_to_f32(B_shared_local[k_inner_inner * 2 + j_c]);
          }
        }
      }
      A_shared_ptr += 4;
      B_shared_ptr += 128;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (k_outer < 1 && threadIdx_y < 8) {
      *(__local ushort4*)(A_shared + (A_shared_at + 640)) = vload4(0, A_shared_next);
      *(__local ushort4*)(B_shared + (B_at + 512)) = vload4(0, B_shared_next);
    }
  }
  __attribute__((opencl_unroll_hint))
  for (int i_inner_inner_inner = 0; i_inner_inner_inner < 2; ++i_inner_inner_inner) {
    *(__global float2*)(C + (C_at + i_inner_inner_inner * 32)) = vload2(0, C_local + i_inner_inner_inner * 2);
  }
}
