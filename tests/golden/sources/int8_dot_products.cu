// int8_dot_products_kernel
// target: CUDA C, sm_90

static __device__ __forceinline__ void gc_cp_async_zero_4(void* to, const void* from, bool valid) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;"
               : : "r"((unsigned int)__cvta_generic_to_shared(to)), "l"(from), "r"(valid ? 4 : 0));
}

// int8_dot_products_kernel: grid (4, 1, 1), block (64, 1, 1)
extern "C" __global__ void __launch_bounds__(64) int8_dot_products_kernel(
    const signed char* __restrict__ A,
    const signed char* __restrict__ B,
    int* __restrict__ C) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  __shared__ __align__(16) int A_shared[2304];
  __shared__ __align__(16) int B_shared[2304];
  __builtin_assume(threadIdx_x >= 0 && threadIdx_x < 64);
  const int at = (blockIdx_x & 1) * 32;
  const int A_at = (threadIdx_x & 7) * 4;
  const int A_at_1 = (threadIdx_x >> 3) * 132;
  const int at_1 = (blockIdx_x >> 1) * 32;
  const int A_shared_at = (threadIdx_x >> 2) & 7;
  const int B_shared_at = (threadIdx_x & 3) * 4;
  const int B_shared_at_1 = (threadIdx_x >> 5) * 16;
  const int A_shared_at_1 = A_shared_at * 4;
  const int B_shared_at_2 = B_shared_at_1 + B_shared_at;
  const int A_shared_at_2 = (threadIdx_x & 7) * 36 + (threadIdx_x >> 3);
  const int at_2 = (threadIdx_x >> 3) + at;
  const int A_at_2 = A_at_1 + (blockIdx_x & 1) * 4224 + A_at;
  const int at_3 = (threadIdx_x >> 3) + at_1;
  const int B_at = A_at_1 + (blockIdx_x >> 1) * 4224 + A_at;
  const int at_4 = at + A_shared_at_1;
  const int at_5 = at_1 + B_shared_at_1 + B_shared_at;
  const int C_at = (blockIdx_x & 1) * 1184 + A_shared_at * 148 + at_1 + B_shared_at_1 + B_shared_at;
  int C_local[16];
  int A_shared_local[8];
  int B_shared_local[8];
  #pragma unroll
  for (int i_c_init = 0; i_c_init < 4; ++i_c_init) {
    #pragma unroll
    for (int j_c_init = 0; j_c_init < 4; ++j_c_init) {
      C_local[i_c_init * 4 + j_c_init] = 0;
    }
  }
  #pragma unroll
  for (int i0_outer = 0; i0_outer < 2; ++i0_outer) {
    #pragma unroll
    for (int i1_i0_inner_fused_outer = 0; i1_i0_inner_fused_outer < 4; ++i1_i0_inner_fused_outer) {
      gc_cp_async_zero_4((A_shared + A_shared_at_2) + (i0_outer * 288 + i1_i0_inner_fused_outer * 8), A + (A_at_2 + i1_i0_inner_fused_outer * 1056 + i0_outer * 32), at_2 + i1_i0_inner_fused_outer * 8 < 33);
    }
  }
  #pragma unroll
  for (int i0_outer_1 = 0; i0_outer_1 < 2; ++i0_outer_1) {
    #pragma unroll
    for (int i1_i0_inner_fused_outer_1 = 0; i1_i0_inner_fused_outer_1 < 4; ++i1_i0_inner_fused_outer_1) {
      gc_cp_async_zero_4((B_shared + A_shared_at_2) + (i0_outer_1 * 288 + i1_i0_inner_fused_outer_1 * 8), B + (B_at + i1_i0_inner_fused_outer_1 * 1056 + i0_outer_1 * 32), at_3 + i1_i0_inner_fused_outer_1 * 8 < 37);
    }
  }
  asm volatile("cp.async.commit_group;" : : : "memory");
  #pragma unroll
  for (int i0_outer_2 = 0; i0_outer_2 < 2; ++i0_outer_2) {
    #pragma unroll
    for (int i1_i0_inner_fused_outer_2 = 0; i1_i0_inner_fused_outer_2 < 4; ++i1_i0_inner_fused_outer_2) {
      gc_cp_async_zero_4((A_shared + A_shared_at_2) + (i0_outer_2 * 288 + i1_i0_inner_fused_outer_2 * 8 + 576), A + (A_at_2 + i1_i0_inner_fused_outer_2 * 1056 + i0_outer_2 * 32 + 64), at_2 + i1_i0_inner_fused_outer_2 * 8 < 33);
    }
  }
  #pragma unroll
  for (int i0_outer_3 = 0; i0_outer_3 < 2; ++i0_outer_3) {
    #pragma unroll
    for (int i1_i0_inner_fused_outer_3 = 0; i1_i0_inner_fused_outer_3 < 4; ++i1_i0_inner_fused_outer_3) {
      gc_cp_async_zero_4((B_shared + A_shared_at_2) + (i0_outer_3 * 288 + i1_i0_inner_fused_outer_3 * 8 + 576), B + (B_at + i1_i0_inner_fused_outer_3 * 1056 + i0_outer_3 * 32 + 64), at_3 + i1_i0_inner_fused_outer_3 * 8 < 37);
    }
  }
  asm volatile("cp.async.commit_group;" : : : "memory");
  #pragma unroll
  for (int i0_outer_4 = 0; i0_outer_4 < 2; ++i0_outer_4) {
    #pragma unroll
    for (int i1_i0_inner_fused_outer_4 = 0; i1_i0_inner_fused_outer_4 < 4; ++i1_i0_inner_fused_outer_4) {
      gc_cp_async_zero_4((A_shared + A_shared_at_2) + (i0_outer_4 * 288 + i1_i0_inner_fused_outer_4 * 8 + 1152), A + (A_at_2 + i1_i0_inner_fused_outer_4 * 1056 + 128), i0_outer_4 * 8 + (threadIdx_x & 7) < 1 && at_2 + i1_i0_inner_fused_outer_4 * 8 < 33);
    }
  }
  #pragma unroll
  for (int i0_outer_5 = 0; i0_outer_5 < 2; ++i0_outer_5) {
    #pragma unroll
    for (int i1_i0_inner_fused_outer_5 = 0; i1_i0_inner_fused_outer_5 < 4; ++i1_i0_inner_fused_outer_5) {
      gc_cp_async_zero_4((B_shared + A_shared_at_2) + (i0_outer_5 * 288 + i1_i0_inner_fused_outer_5 * 8 + 1152), B + (B_at + i1_i0_inner_fused_outer_5 * 1056 + 128), i0_outer_5 * 8 + (threadIdx_x & 7) < 1 && at_3 + i1_i0_inner_fused_outer_5 * 8 < 37);
    }
  }
  asm volatile("cp.async.commit_group;" : : : "memory");
  asm volatile("cp.async.wait_group 2;" : : : "memory");
  __syncthreads();
  const int4 A_shared_v = *(const int4*)(A_shared + A_shared_at_1);
  A_shared_local[0] = A_shared_v.x;
  A_shared_local[1] = A_shared_v.y;
  A_shared_local[2] = A_shared_v.z;
  A_shared_local[3] = A_shared_v.w;
  const int4 B_shared_v = *(const int4*)(B_shared + B_shared_at_2);
  B_shared_local[0] = B_shared_v.x;
  B_shared_local[1] = B_shared_v.y;
  B_shared_local[2] = B_shared_v.z;
  B_shared_local[3] = B_shared_v.w;
  const int* A_shared_ptr = A_shared + A_shared_at_1;
  const int* B_shared_ptr = B_shared + B_shared_at_2;
  #pragma unroll 1
  for (int k_outer_outer = 0; k_outer_outer < 3; ++k_outer_outer) {
    asm volatile("cp.async.commit_group;" : : : "memory");
    #pragma unroll
    for (int k_outer_inner = 0; k_outer_inner < 15; ++k_outer_inner) {
      const int B_shared_local_at = (k_outer_inner & 1) * 4;
      const int A_shared_local_at = ((k_outer_inner + 1) & 1) * 4;
      const int4 A_shared_v_1 = *(const int4*)(A_shared_ptr + (k_outer_inner * 36 + 36));
      A_shared_local[A_shared_local_at] = A_shared_v_1.x;
      A_shared_local[A_shared_local_at + 1] = A_shared_v_1.y;
      A_shared_local[A_shared_local_at + 2] = A_shared_v_1.z;
      A_shared_local[A_shared_local_at + 3] = A_shared_v_1.w;
      const int4 B_shared_v_1 = *(const int4*)(B_shared_ptr + (k_outer_inner * 36 + 36));
      B_shared_local[A_shared_local_at] = B_shared_v_1.x;
      B_shared_local[A_shared_local_at + 1] = B_shared_v_1.y;
      B_shared_local[A_shared_local_at + 2] = B_shared_v_1.z;
      B_shared_local[A_shared_local_at + 3] = B_shared_v_1.w;
      if (k_outer_outer * 16 + k_outer_inner < 33) {
        #pragma unroll
        for (int j_c = 0; j_c < 4; ++j_c) {
          #pragma unroll
          for (int i_c = 0; i_c < 4; ++i_c) {
            const int t = (j_c & 1) == 0 ? i_c : 3 - i_c;
            C_local[t * 4 + j_c] = __dp4a(A_shared_local[t + B_shared_local_at], B_shared_local[j_c + B_shared_local_at], C_local[t * 4 + j_c]);
          }
        }
      }
    }
    asm volatile("cp.async.wait_group 2;" : : : "memory");
    __syncthreads();
    const int4 A_shared_v_2 = *(const int4*)(A_shared_ptr + 576);
    A_shared_local[0] = A_shared_v_2.x;
    A_shared_local[1] = A_shared_v_2.y;
    A_shared_local[2] = A_shared_v_2.z;
    A_shared_local[3] = A_shared_v_2.w;
    const int4 B_shared_v_2 = *(const int4*)(B_shared_ptr + 576);
    B_shared_local[0] = B_shared_v_2.x;
    B_shared_local[1] = B_shared_v_2.y;
    B_shared_local[2] = B_shared_v_2.z;
    B_shared_local[3] = B_shared_v_2.w;
    if (k_outer_outer < 2) {
      #pragma unroll
      for (int j_c_1 = 0; j_c_1 < 4; ++j_c_1) {
        #pragma unroll
        for (int i_c_1 = 0; i_c_1 < 4; ++i_c_1) {
          const int t_1 = (j_c_1 & 1) == 0 ? i_c_1 : 3 - i_c_1;
          C_local[t_1 * 4 + j_c_1] = __dp4a(A_shared_local[t_1 + 4], B_shared_local[j_c_1 + 4], C_local[t_1 * 4 + j_c_1]);
        }
      }
    }
    A_shared_ptr += 576;
    B_shared_ptr += 576;
  }
  #pragma unroll
  for (int i_inner_inner_inner_inner = 0; i_inner_inner_inner_inner < 4; ++i_inner_inner_inner_inner) {
    if (at_4 + i_inner_inner_inner_inner < 33) {
      #pragma unroll
      for (int j_inner_inner_inner_inner = 0; j_inner_inner_inner_inner < 4; ++j_inner_inner_inner_inner) {
        if (at_5 + j_inner_inner_inner_inner < 37) {
          C[C_at + i_inner_inner_inner_inner * 37 + j_inner_inner_inner_inner] = C_local[i_inner_inner_inner_inner * 4 + j_inner_inner_inner_inner];
        }
      }
    }
  }
}
