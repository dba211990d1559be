// casts_kernel
// target: CUDA C, sm_90

// casts_kernel: grid (8, 1, 1), block (8, 1, 1)
extern "C" __global__ void __launch_bounds__(8) casts_kernel(
    const float* __restrict__ A,
    float* __restrict__ B) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int B_at = blockIdx_x * 8 + threadIdx_x;
  const float t = A[B_at];
  B[B_at] = (float)(int)(t * 100.0f) + t;
}
