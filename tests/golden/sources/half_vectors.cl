// half_vectors_kernel
// target: OpenCL C 1.2

static inline float gc_f16_to_f32(ushort x) { return vload_half(0, (const half*)&x); }

static inline ushort gc_f32_to_f16(float x) {
  ushort r;
  vstore_half_rte(x, 0, (half*)&r);
  return r;
}

static inline float gc_round_f16(float x) { return gc_f16_to_f32(gc_f32_to_f16(x)); }

// half_vectors_kernel: grid (2, 1, 1), block (8, 1, 1)
__kernel __attribute__((reqd_work_group_size(8, 1, 1))) void half_vectors_kernel(
    __global const ushort* restrict A,
    __global ushort* restrict B) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int B_at = blockIdx_x * 32 + threadIdx_x * 4;
  const ushort4 A_v = *(__global const ushort4*)(A + B_at);
  const ushort lane = gc_f32_to_f16(gc_round_f16(gc_f16_to_f32(A_v.s0) * 1.5f) + gc_f16_to_f32(A_v.s0));
  const ushort lane_1 = gc_f32_to_f16(gc_round_f16(gc_f16_to_f32(A_v.s1) * 1.5f) + gc_f16_to_f32(A_v.s1));
  const ushort lane_2 = gc_f32_to_f16(gc_round_f16(gc_f16_to_f32(A_v.s2) * 1.5f) + gc_f16_to_f32(A_v.s2));
  const ushort lane_3 = gc_f32_to_f16(gc_round_f16(gc_f16_to_f32(A_v.s3) * 1.5f) + gc_f16_to_f32(A_v.s3));
  *(__global ushort4*)(B + B_at) = (ushort4)(lane, lane_1, lane_2, lane_3);
}
