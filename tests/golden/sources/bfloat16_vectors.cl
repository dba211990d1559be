// bfloat16_vectors_kernel
// target: OpenCL C 1.2

static inline float gc_bf16_to_f32(ushort x) { return as_float((uint)x << 16); }

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
  const ushort4 A_v = *(__global const ushort4*)(A + B_at);
  const ushort lane = gc_f32_to_bf16(gc_bf16_to_f32(A_v.s0) * 0.5f);
  const ushort lane_1 = gc_f32_to_bf16(gc_bf16_to_f32(A_v.s1) * 0.5f);
  const ushort lane_2 = gc_f32_to_bf16(gc_bf16_to_f32(A_v.s2) * 0.5f);
  const ushort lane_3 = gc_f32_to_bf16(gc_bf16_to_f32(A_v.s3) * 0.5f);
  *(__global ushort4*)(B + B_at) = (ushort4)(lane, lane_1, lane_2, lane_3);
}
