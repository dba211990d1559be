// guarded_gather_kernel
// target: CUDA C, sm_90

static __device__ __forceinline__ int gc_floordiv_int32(int a, int b) {
  int q = a / b;
  return q - (a % b != 0 && (a < 0) != (b < 0));
}

static __device__ __forceinline__ int gc_floormod_int32(int a, int b) {
  int r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

// guarded_gather_kernel: grid (4, 1, 1), block (16, 1, 1)
extern "C" __global__ void __launch_bounds__(16) guarded_gather_kernel(
    const int* __restrict__ index_,
    const float* __restrict__ table,
    float* __restrict__ C) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  if (blockIdx_x * 16 + threadIdx_x < 60) {
    const int t = index_[blockIdx_x * 5 + gc_floordiv_int32(blockIdx_x + threadIdx_x, 3)];
    C[blockIdx_x * 16 + threadIdx_x] = t >= 0 && t < 16 ? table[t * 3 + gc_floormod_int32(blockIdx_x + threadIdx_x, 3)] : 0.0f;
  }
}
