// bool_results_kernel
// target: CUDA C, sm_90

// bool_results_kernel: grid (8, 1, 1), block (8, 1, 1)
extern "C" __global__ void __launch_bounds__(8) bool_results_kernel(
    const float* __restrict__ A,
    unsigned char* __restrict__ B) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int B_at = blockIdx_x * 8 + threadIdx_x;
  B[B_at] = A[B_at] > 0.25f;
}
