// guarded_gather_kernel
// target: CUDA C, sm_90

// guarded_gather_kernel: grid (4, 1, 1), block (16, 1, 1)
extern "C" __global__ void __launch_bounds__(16) guarded_gather_kernel(
    const int* __restrict__ index_,
    const float* __restrict__ table,
    float* __restrict__ C) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int at = blockIdx_x * 16 + threadIdx_x;
  if (at < 60) {
    const int t = index_[blockIdx_x * 5 + (blockIdx_x + threadIdx_x) / 3];
    C[at] = t >= 0 && t < 16 ? table[t * 3 + (blockIdx_x + threadIdx_x) % 3] : 0.0f;
  }
}
