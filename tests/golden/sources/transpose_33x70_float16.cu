// transpose_33x70_float16_kernel
// target: CUDA C, sm_90

static __device__ __forceinline__ unsigned short gc_f32_to_f16(float x) {
  unsigned short r;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r) : "f"(x));
  return r;
}

// transpose_33x70_float16_kernel: grid (1, 2, 1), block (256, 1, 1)
extern "C" __global__ void __launch_bounds__(256) transpose_33x70_float16_kernel(
    const unsigned short* __restrict__ A,
    unsigned short* __restrict__ B) {
  const int threadIdx_x = (int)threadIdx.x;
  const int blockIdx_y = (int)blockIdx.y;
  __shared__ unsigned short A_shared[2178];
  __builtin_assume(threadIdx_x >= 0 && threadIdx_x < 256);
  const int A_shared_at = (threadIdx_x & 31) * 2;
  const int A_shared_at_1 = (threadIdx_x >> 5) * 66 + A_shared_at;
  const int at = (threadIdx_x & 31) + blockIdx_y * 32;
  const int A_at = (threadIdx_x >> 5) * 70 + A_shared_at + blockIdx_y * 64;
  const int B_at = blockIdx_y * 2112 + threadIdx_x;
  #pragma unroll
  for (int ax0_ax1_outer_fused_outer = 0; ax0_ax1_outer_fused_outer < 5; ++ax0_ax1_outer_fused_outer) {
    if (ax0_ax1_outer_fused_outer * 256 + threadIdx_x < 1056) {
      const ushort2 v = at < 35 ? *(const ushort2*)(A + (A_at + ax0_ax1_outer_fused_outer * 560)) : make_ushort2(gc_f32_to_f16(0.0f), gc_f32_to_f16(0.0f));
      A_shared[A_shared_at_1 + ax0_ax1_outer_fused_outer * 528] = v.x;
      A_shared[A_shared_at_1 + ax0_ax1_outer_fused_outer * 528 + 1] = v.y;
    }
  }
  __syncthreads();
  #pragma unroll
  for (int i_inner_j_inner_outer_fused_outer = 0; i_inner_j_inner_outer_fused_outer < 9; ++i_inner_j_inner_outer_fused_outer) {
    const int at_1 = i_inner_j_inner_outer_fused_outer * 25 + threadIdx_x;
    const int at_2 = at_1 / 33;
    if (blockIdx_y * 64 + i_inner_j_inner_outer_fused_outer * 7 + at_2 < 70 && i_inner_j_inner_outer_fused_outer * 256 + threadIdx_x < 2112) {
      B[B_at + i_inner_j_inner_outer_fused_outer * 256] = A_shared[at_1 % 33 * 66 + i_inner_j_inner_outer_fused_outer * 7 + at_2];
    }
  }
}
