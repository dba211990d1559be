// inlined_chain_kernel
// target: CUDA C, sm_90

static __device__ __forceinline__ int gc_floormod_int32(int a, int b) {
  int r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static __device__ __forceinline__ int gc_floordiv_int32(int a, int b) {
  int q = a / b;
  return q - (a % b != 0 && (a < 0) != (b < 0));
}

// inlined_chain_kernel: grid (4, 1, 1), block (16, 1, 1)
extern "C" __global__ void __launch_bounds__(16) inlined_chain_kernel(
    const float* __restrict__ A,
    float* __restrict__ D) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  if (blockIdx_x * 16 + threadIdx_x < 60) {
    const float t = A[gc_floormod_int32(blockIdx_x * 4 + threadIdx_x, 6) * 10 + blockIdx_x * 2 + gc_floordiv_int32(blockIdx_x * 4 + threadIdx_x, 6)] + 1.0f;
    D[blockIdx_x * 16 + threadIdx_x] = fmaxf(t * t, 2.0f);
  }
}
