// gelu_chain_1000_float16_kernel
// target: CUDA C, sm_90

static __device__ __forceinline__ float gc_f16_to_f32(unsigned short x) {
  float r;
  asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(x));
  return r;
}

static __device__ __forceinline__ unsigned short gc_f32_to_f16(float x) {
  unsigned short r;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r) : "f"(x));
  return r;
}

static __device__ __forceinline__ unsigned int gc_pack_2(unsigned short a, unsigned short b) { return a | (unsigned int)b << 16; }

// gelu_chain_1000_float16_kernel: grid (1, 1, 1), block (256, 1, 1)
extern "C" __global__ void __launch_bounds__(256) gelu_chain_1000_float16_kernel(
    const unsigned short* __restrict__ A,
    const unsigned short* __restrict__ B,
    unsigned short* __restrict__ C) {
  const int threadIdx_x = (int)threadIdx.x;
  if (threadIdx_x < 125) {
    const uint4 A_v = *(const uint4*)(A + threadIdx_x * 8);
    const uint4 B_v = *(const uint4*)(B + threadIdx_x * 8);
    const float t = gc_f16_to_f32((unsigned short)(A_v.x)) + gc_f16_to_f32((unsigned short)(B_v.x));
    const float t_1 = gc_f16_to_f32((unsigned short)(A_v.x >> 16)) + gc_f16_to_f32((unsigned short)(B_v.x >> 16));
    const float t_2 = gc_f16_to_f32((unsigned short)(A_v.y)) + gc_f16_to_f32((unsigned short)(B_v.y));
    const float t_3 = gc_f16_to_f32((unsigned short)(A_v.y >> 16)) + gc_f16_to_f32((unsigned short)(B_v.y >> 16));
    const float t_4 = gc_f16_to_f32((unsigned short)(A_v.z)) + gc_f16_to_f32((unsigned short)(B_v.z));
    const float t_5 = gc_f16_to_f32((unsigned short)(A_v.z >> 16)) + gc_f16_to_f32((unsigned short)(B_v.z >> 16));
    const float t_6 = gc_f16_to_f32((unsigned short)(A_v.w)) + gc_f16_to_f32((unsigned short)(B_v.w));
    const float t_7 = gc_f16_to_f32((unsigned short)(A_v.w >> 16)) + gc_f16_to_f32((unsigned short)(B_v.w >> 16));
    const unsigned short lane = gc_f32_to_f16(0.5f * t * (1.0f + tanhf(0.7978846f * (t + 0.044715f * t * t * t))) * gc_f16_to_f32((unsigned short)(A_v.x)));
    const unsigned short lane_1 = gc_f32_to_f16(0.5f * t_1 * (1.0f + tanhf(0.7978846f * (t_1 + 0.044715f * t_1 * t_1 * t_1))) * gc_f16_to_f32((unsigned short)(A_v.x >> 16)));
    const unsigned short lane_2 = gc_f32_to_f16(0.5f * t_2 * (1.0f + tanhf(0.7978846f * (t_2 + 0.044715f * t_2 * t_2 * t_2))) * gc_f16_to_f32((unsigned short)(A_v.y)));
    const unsigned short lane_3 = gc_f32_to_f16(0.5f * t_3 * (1.0f + tanhf(0.7978846f * (t_3 + 0.044715f * t_3 * t_3 * t_3))) * gc_f16_to_f32((unsigned short)(A_v.y >> 16)));
    const unsigned short lane_4 = gc_f32_to_f16(0.5f * t_4 * (1.0f + tanhf(0.7978846f * (t_4 + 0.044715f * t_4 * t_4 * t_4))) * gc_f16_to_f32((unsigned short)(A_v.z)));
    const unsigned short lane_5 = gc_f32_to_f16(0.5f * t_5 * (1.0f + tanhf(0.7978846f * (t_5 + 0.044715f * t_5 * t_5 * t_5))) * gc_f16_to_f32((unsigned short)(A_v.z >> 16)));
    const unsigned short lane_6 = gc_f32_to_f16(0.5f * t_6 * (1.0f + tanhf(0.7978846f * (t_6 + 0.044715f * t_6 * t_6 * t_6))) * gc_f16_to_f32((unsigned short)(A_v.w)));
    const unsigned short lane_7 = gc_f32_to_f16(0.5f * t_7 * (1.0f + tanhf(0.7978846f * (t_7 + 0.044715f * t_7 * t_7 * t_7))) * gc_f16_to_f32((unsigned short)(A_v.w >> 16)));
    *(uint4*)(C + threadIdx_x * 8) = make_uint4(gc_pack_2(lane, lane_1), gc_pack_2(lane_2, lane_3), gc_pack_2(lane_4, lane_5), gc_pack_2(lane_6, lane_7));
  }
}
