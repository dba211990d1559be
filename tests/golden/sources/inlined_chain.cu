// inlined_chain_kernel
// target: CUDA C, sm_90

// inlined_chain_kernel: grid (4, 1, 1), block (16, 1, 1)
extern "C" __global__ void __launch_bounds__(16) inlined_chain_kernel(
    const float* __restrict__ A,
    float* __restrict__ D) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int at = blockIdx_x * 16 + threadIdx_x;
  const int A_at = blockIdx_x * 4 + threadIdx_x;
  if (at < 60) {
    const float t = A[A_at % 6 * 10 + blockIdx_x * 2 + A_at / 6] + 1.0f;
    D[at] = fmaxf(t * t, 2.0f);
  }
}
