// bfloat16_vectors_kernel
// target: CUDA C, sm_90

static __device__ __forceinline__ float gc_bf16_to_f32(unsigned short x) { return __uint_as_float((unsigned int)x << 16); }

static __device__ __forceinline__ unsigned short gc_f32_to_bf16(float x) {
  unsigned short r;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r) : "f"(x));
  return r;
}

// bfloat16_vectors_kernel: grid (2, 1, 1), block (8, 1, 1)
extern "C" __global__ void __launch_bounds__(8) bfloat16_vectors_kernel(
    const unsigned short* __restrict__ A,
    unsigned short* __restrict__ B) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int B_at = blockIdx_x * 32 + threadIdx_x * 4;
  const ushort4 A_v = *(const ushort4*)(A + B_at);
  const unsigned short lane = gc_f32_to_bf16(gc_bf16_to_f32(A_v.x) * 0.5f);
  const unsigned short lane_1 = gc_f32_to_bf16(gc_bf16_to_f32(A_v.y) * 0.5f);
  const unsigned short lane_2 = gc_f32_to_bf16(gc_bf16_to_f32(A_v.z) * 0.5f);
  const unsigned short lane_3 = gc_f32_to_bf16(gc_bf16_to_f32(A_v.w) * 0.5f);
  *(ushort4*)(B + B_at) = make_ushort4(lane, lane_1, lane_2, lane_3);
}
