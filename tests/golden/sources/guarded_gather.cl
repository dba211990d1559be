// guarded_gather_kernel
// target: OpenCL C 1.2

// guarded_gather_kernel: grid (4, 1, 1), block (16, 1, 1)
__kernel __attribute__((reqd_work_group_size(16, 1, 1))) void guarded_gather_kernel(
    __global const int* restrict index_,
    __global const float* restrict table,
    __global float* restrict C) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int at = blockIdx_x * 16 + threadIdx_x;
  if (at < 60) {
    const int t = index_[blockIdx_x * 5 + (blockIdx_x + threadIdx_x) / 3];
    C[at] = t >= 0 && t < 16 ? table[t * 3 + (blockIdx_x + threadIdx_x) % 3] : 0.0f;
  }
}
