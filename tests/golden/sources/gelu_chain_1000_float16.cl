// gelu_chain_1000_float16_kernel
// target: OpenCL C 1.2

static inline float8 gc_f16_to_f32_v_8(ushort8 x) { return vload_half8(0, (const half*)&x); }

static inline ushort8 gc_f32_to_f16_v_8(float8 x) {
  ushort8 r;
  vstore_half8_rte(x, 0, (half*)&r);
  return r;
}

// gelu_chain_1000_float16_kernel: grid (1, 1, 1), block (256, 1, 1)
__kernel __attribute__((reqd_work_group_size(256, 1, 1))) void gelu_chain_1000_float16_kernel(
    __global const ushort* restrict A,
    __global const ushort* restrict B,
    __global ushort* restrict C) {
  const int threadIdx_x = (int)get_local_id(0);
  if (threadIdx_x < 125) {
    const float8 v = gc_f16_to_f32_v_8(*(__global const ushort8*)(A + threadIdx_x * 8));
    const float8 v_1 = v + gc_f16_to_f32_v_8(*(__global const ushort8*)(B + threadIdx_x * 8));
    *(__global ushort8*)(C + threadIdx_x * 8) = gc_f32_to_f16_v_8((float8)(0.5f) * v_1 * ((float8)(1.0f) + tanh((float8)(0.7978846f) * (v_1 + (float8)(0.044715f) * v_1 * v_1 * v_1))) * v);
  }
}
