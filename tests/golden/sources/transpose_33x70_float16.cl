// transpose_33x70_float16_kernel
// target: OpenCL C 1.2

static inline ushort gc_f32_to_f16(float x) {
  ushort r;
  vstore_half_rte(x, 0, (half*)&r);
  return r;
}

// transpose_33x70_float16_kernel: grid (1, 2, 1), block (256, 1, 1)
__kernel __attribute__((reqd_work_group_size(256, 1, 1))) void transpose_33x70_float16_kernel(
    __global const ushort* restrict A,
    __global ushort* restrict B) {
  const int threadIdx_x = (int)get_local_id(0);
  const int blockIdx_y = (int)get_group_id(1);
  __local ushort A_shared[2178];
  const int A_shared_at = (threadIdx_x & 31) * 2;
  const int A_shared_at_1 = (threadIdx_x >> 5) * 66 + A_shared_at;
  const int at = (threadIdx_x & 31) + blockIdx_y * 32;
  const int A_at = (threadIdx_x >> 5) * 70 + A_shared_at + blockIdx_y * 64;
  const int B_at = blockIdx_y * 2112 + threadIdx_x;
  __attribute__((opencl_unroll_hint))
  for (int ax0_ax1_outer_fused_outer = 0; ax0_ax1_outer_fused_outer < 5; ++ax0_ax1_outer_fused_outer) {
    if (ax0_ax1_outer_fused_outer * 256 + threadIdx_x < 1056) {
      vstore2(at < 35 ? *(__global const ushort2*)(A + (A_at + ax0_ax1_outer_fused_outer * 560)) : (ushort2)(gc_f32_to_f16(0.0f)), 0, A_shared + (A_shared_at_1 + ax0_ax1_outer_fused_outer * 528));
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  __attribute__((opencl_unroll_hint))
  for (int i_inner_j_inner_outer_fused_outer = 0; i_inner_j_inner_outer_fused_outer < 9; ++i_inner_j_inner_outer_fused_outer) {
    const int at_1 = i_inner_j_inner_outer_fused_outer * 25 + threadIdx_x;
    const int at_2 = at_1 / 33;
    if (blockIdx_y * 64 + i_inner_j_inner_outer_fused_outer * 7 + at_2 < 70 && i_inner_j_inner_outer_fused_outer * 256 + threadIdx_x < 2112) {
      B[B_at + i_inner_j_inner_outer_fused_outer * 256] = A_shared[at_1 % 33 * 66 + i_inner_j_inner_outer_fused_outer * 7 + at_2];
    }
  }
}
