// bfloat16_vectors_kernel
// target: OpenCL C 1.2

static inline float4 gc_bf16_to_f32_v_4(ushort4 x) { return as_float4(convert_uint4(x) << 16); }

static inline ushort gc_f32_to_bf16(float x) {
  uint u = as_uint(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return (ushort)0x7fffu;
  return (ushort)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

// bfloat16_vectors_kernel: grid (2, 1, 1), block (8, 1, 1)
__kernel __attribute__((reqd_work_group_size(8, 1, 1))) void bfloat16_vectors_kernel(
    __global const ushort* restrict A,
    __global ushort* restrict B) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int B_at = blockIdx_x * 32 + threadIdx_x * 4;
  const float4 v = gc_bf16_to_f32_v_4(*(__global const ushort4*)(A + B_at)) * (float4)(0.5f);
  *(__global ushort4*)(B + B_at) = (ushort4)(gc_f32_to_bf16(v.s0), gc_f32_to_bf16(v.s1), gc_f32_to_bf16(v.s2), gc_f32_to_bf16(v.s3));
}
