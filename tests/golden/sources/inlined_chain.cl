// inlined_chain_kernel
// target: OpenCL C 1.2

static inline int gc_floormod_int32(int a, int b) {
  int r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static inline int gc_floordiv_int32(int a, int b) {
  int q = a / b;
  return q - (a % b != 0 && (a < 0) != (b < 0));
}

// inlined_chain_kernel: grid (4, 1, 1), block (16, 1, 1)
__kernel __attribute__((reqd_work_group_size(16, 1, 1))) void inlined_chain_kernel(
    __global const float* restrict A,
    __global float* restrict D) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  if (blockIdx_x * 16 + threadIdx_x < 60) {
    const float t = A[gc_floormod_int32(blockIdx_x * 4 + threadIdx_x, 6) * 10 + blockIdx_x * 2 + gc_floordiv_int32(blockIdx_x * 4 + threadIdx_x, 6)] + 1.0f;
    D[blockIdx_x * 16 + threadIdx_x] = fmax(t * t, 2.0f);
  }
}
