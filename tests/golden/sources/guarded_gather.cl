// guarded_gather_kernel
// target: OpenCL C 1.2

static inline int gc_floordiv_int32(int a, int b) {
  int q = a / b;
  return q - (a % b != 0 && (a < 0) != (b < 0));
}

static inline int gc_floormod_int32(int a, int b) {
  int r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

// guarded_gather_kernel: grid (4, 1, 1), block (16, 1, 1)
__kernel __attribute__((reqd_work_group_size(16, 1, 1))) void guarded_gather_kernel(
    __global const int* restrict index_,
    __global const float* restrict table,
    __global float* restrict C) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  if (blockIdx_x * 16 + threadIdx_x < 60) {
    const int t = index_[blockIdx_x * 5 + gc_floordiv_int32(blockIdx_x + threadIdx_x, 3)];
    C[blockIdx_x * 16 + threadIdx_x] = t >= 0 && t < 16 ? table[t * 3 + gc_floormod_int32(blockIdx_x + threadIdx_x, 3)] : 0.0f;
  }
}
