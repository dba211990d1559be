// int8_dot_products_kernel
// target: OpenCL C 1.2

#ifdef POCL_DEVICE_ADDRESS_BITS  // PoCL loses work-items between a loop with barriers and a branch that follows it
#define gc_loop_end() barrier(CLK_LOCAL_MEM_FENCE)
#else
#define gc_loop_end()
#endif

// int8_dot_products_kernel: grid (4, 1, 1), block (64, 1, 1)
__kernel __attribute__((reqd_work_group_size(64, 1, 1))) void int8_dot_products_kernel(
    __global const char* restrict A,
    __global const char* restrict B,
    __global int* restrict C) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  __local char A_shared[4608] __attribute__((aligned(16)));
  __local char B_shared[4608] __attribute__((aligned(16)));
  const int at = (blockIdx_x & 1) * 32;
  const int A_at = (threadIdx_x & 7) * 4;
  const int A_at_1 = (threadIdx_x >> 3) * 132;
  const int at_1 = (blockIdx_x >> 1) * 32;
  const int A_shared_at = (threadIdx_x >> 2) & 7;
  const int at_2 = (threadIdx_x & 3) * 4;
  const int at_3 = (threadIdx_x >> 5) * 16;
  const int A_shared_at_1 = (threadIdx_x & 7) * 144 + (threadIdx_x >> 3) * 4;
  const int at_4 = (threadIdx_x >> 3) + at;
  const int A_at_2 = A_at_1 + (blockIdx_x & 1) * 4224 + A_at;
  const int at_5 = (threadIdx_x >> 3) + at_1;
  const int B_at = A_at_1 + (blockIdx_x >> 1) * 4224 + A_at;
  const int A_shared_at_2 = A_shared_at * 16;
  const int B_shared_at = (threadIdx_x >> 5) * 64 + (threadIdx_x & 3) * 16;
  const int at_6 = at + A_shared_at * 4;
  const int at_7 = at_1 + at_3 + at_2;
  const int C_at = (blockIdx_x & 1) * 1184 + A_shared_at * 148 + at_1 + at_3 + at_2;
  int C_local[16];
  char A_shared_next[32];
  char B_shared_next[32];
  char A_shared_local[32];
  char B_shared_local[32];
  __attribute__((opencl_unroll_hint))
  for (int i_c_init = 0; i_c_init < 4; ++i_c_init) {
    __attribute__((opencl_unroll_hint))
    for (int j_c_init = 0; j_c_init < 4; ++j_c_init) {
      C_local[i_c_init * 4 + j_c_init] = 0;
    }
  }
  __attribute__((opencl_unroll_hint))
  for (int i0_outer = 0; i0_outer < 2; ++i0_outer) {
    __attribute__((opencl_unroll_hint))
    for (int i1_i0_inner_fused_outer = 0; i1_i0_inner_fused_outer < 4; ++i1_i0_inner_fused_outer) {
      *(__local char4*)(A_shared + (A_shared_at_1 + i0_outer * 1152 + i1_i0_inner_fused_outer * 32)) = at_4 + i1_i0_inner_fused_outer * 8 < 33 ? *(__global const char4*)(A + (A_at_2 + i1_i0_inner_fused_outer * 1056 + i0_outer * 32)) : (char4)((char)0);
    }
  }
  __attribute__((opencl_unroll_hint))
  for (int i0_outer_1 = 0; i0_outer_1 < 2; ++i0_outer_1) {
    __attribute__((opencl_unroll_hint))
    for (int i1_i0_inner_fused_outer_1 = 0; i1_i0_inner_fused_outer_1 < 4; ++i1_i0_inner_fused_outer_1) {
      *(__local char4*)(B_shared + (A_shared_at_1 + i0_outer_1 * 1152 + i1_i0_inner_fused_outer_1 * 32)) = at_5 + i1_i0_inner_fused_outer_1 * 8 < 37 ? *(__global const char4*)(B + (B_at + i1_i0_inner_fused_outer_1 * 1056 + i0_outer_1 * 32)) : (char4)((char)0);
    }
  }
  __attribute__((opencl_unroll_hint(1)))
  for (int k_outer_outer = 0; k_outer_outer < 3; ++k_outer_outer) {
    const int A_shared_at_3 = (k_outer_outer & 1) * 2304;
    const int A_shared_at_4 = ((k_outer_outer + 1) & 1) * 2304;
    if (k_outer_outer < 2) {
      __attribute__((opencl_unroll_hint))
      for (int i0_outer_2 = 0; i0_outer_2 < 2; ++i0_outer_2) {
        __attribute__((opencl_unroll_hint))
        for (int i1_i0_inner_fused_outer_2 = 0; i1_i0_inner_fused_outer_2 < 4; ++i1_i0_inner_fused_outer_2) {
          vstore4(i0_outer_2 * 8 + (threadIdx_x & 7) + k_outer_outer * 16 < 17 && at_4 + i1_i0_inner_fused_outer_2 * 8 < 33 ? *(__global const char4*)(A + (A_at_2 + i1_i0_inner_fused_outer_2 * 1056 + i0_outer_2 * 32 + k_outer_outer * 64 + 64)) : (char4)((char)0), 0, A_shared_next + (i0_outer_2 * 16 + i1_i0_inner_fused_outer_2 * 4));
        }
      }
      __attribute__((opencl_unroll_hint))
      for (int i0_outer_3 = 0; i0_outer_3 < 2; ++i0_outer_3) {
        __attribute__((opencl_unroll_hint))
        for (int i1_i0_inner_fused_outer_3 = 0; i1_i0_inner_fused_outer_3 < 4; ++i1_i0_inner_fused_outer_3) {
          vstore4(i0_outer_3 * 8 + (threadIdx_x & 7) + k_outer_outer * 16 < 17 && at_5 + i1_i0_inner_fused_outer_3 * 8 < 37 ? *(__global const char4*)(B + (B_at + i1_i0_inner_fused_outer_3 * 1056 + i0_outer_3 * 32 + k_outer_outer * 64 + 64)) : (char4)((char)0), 0, B_shared_next + (i0_outer_3 * 16 + i1_i0_inner_fused_outer_3 * 4));
        }
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    vstore16(*(__local const char16*)(A_shared + (A_shared_at_2 + A_shared_at_3)), 0, A_shared_local);
    vstore16(*(__local const char16*)(B_shared + (B_shared_at + A_shared_at_3)), 0, B_shared_local);
    __attribute__((opencl_unroll_hint))
    for (int k_outer_inner = 0; k_outer_inner < 16; ++k_outer_inner) {
      const int B_shared_local_at = (k_outer_inner & 1) * 16;
      const int A_shared_local_at = ((k_outer_inner + 1) & 1) * 16;
      if (k_outer_inner < 15) {
        vstore16(*(__local const char16*)(A_shared + (A_shared_at_2 + k_outer_inner * 144 + A_shared_at_3 + 144)), 0, A_shared_local + A_shared_local_at);
        vstore16(*(__local const char16*)(B_shared + (B_shared_at + k_outer_inner * 144 + A_shared_at_3 + 144)), 0, B_shared_local + A_shared_local_at);
      }
      if (k_outer_outer * 16 + k_outer_inner < 33) {
        __attribute__((opencl_unroll_hint))
        for (int i_c = 0; i_c < 4; ++i_c) {
          __attribute__((opencl_unroll_hint))
          for (int j_c = 0; j_c < 4; ++j_c) {
            const int C_local_at = i_c * 4 + j_c;
            const char4 A_shared_local_v = vload4(0, A_shared_local + (i_c * 4 + B_shared_local_at));
            const char4 B_shared_local_v = vload4(0, B_shared_local + (j_c * 4 + B_shared_local_at));
            C_local[C_local_at] = (uint)C_local[C_local_at] + (uint)(int)A_shared_local_v.s0 * (int)B_shared_local_v.s0 + (uint)(int)A_shared_local_v.s1 * (int)B_shared_local_v.s1 + (uint)(int)A_shared_local_v.s2 * (int)B_shared_local_v.s2 + (uint)(int)A_shared_local_v.s3 * (int)B_shared_local_v.s3;
          }
        }
      }
    }
    if (k_outer_outer < 2) {
      __attribute__((opencl_unroll_hint))
      for (int i0_outer_4 = 0; i0_outer_4 < 2; ++i0_outer_4) {
        __attribute__((opencl_unroll_hint))
        for (int i1_i0_inner_fused_outer_4 = 0; i1_i0_inner_fused_outer_4 < 4; ++i1_i0_inner_fused_outer_4) {
          *(__local char4*)(A_shared + (A_shared_at_1 + i0_outer_4 * 1152 + i1_i0_inner_fused_outer_4 * 32 + A_shared_at_4)) = vload4(0, A_shared_next + (i0_outer_4 * 16 + i1_i0_inner_fused_outer_4 * 4));
        }
      }
      __attribute__((opencl_unroll_hint))
      for (int i0_outer_5 = 0; i0_outer_5 < 2; ++i0_outer_5) {
        __attribute__((opencl_unroll_hint))
        for (int i1_i0_inner_fused_outer_5 = 0; i1_i0_inner_fused_outer_5 < 4; ++i1_i0_inner_fused_outer_5) {
          *(__local char4*)(B_shared + (A_shared_at_1 + i0_outer_5 * 1152 + i1_i0_inner_fused_outer_5 * 32 + A_shared_at_4)) = vload4(0, B_shared_next + (i0_outer_5 * 16 + i1_i0_inner_fused_outer_5 * 4));
        }
      }
    }
  }
  gc_loop_end();
  __attribute__((opencl_unroll_hint))
  for (int i_inner_inner_inner_inner = 0; i_inner_inner_inner_inner < 4; ++i_inner_inner_inner_inner) {
    if (at_6 + i_inner_inner_inner_inner < 33) {
      __attribute__((opencl_unroll_hint))
      for (int j_inner_inner_inner_inner = 0; j_inner_inner_inner_inner < 4; ++j_inner_inner_inner_inner) {
        if (at_7 + j_inner_inner_inner_inner < 37) {
          C[C_at + i_inner_inner_inner_inner * 37 + j_inner_inner_inner_inner] = C_local[i_inner_inner_inner_inner * 4 + j_inner_inner_inner_inner];
        }
      }
    }
  }
}
