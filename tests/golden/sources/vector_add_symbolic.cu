// vector_add_symbolic_kernel
// target: CUDA C, sm_90

// vector_add_symbolic_kernel: grid ((n + 15) // 16, 1, 1), block (16, 1, 1)
extern "C" __global__ void __launch_bounds__(16) vector_add_symbolic_kernel(
    const float* __restrict__ A,
    const float* __restrict__ B,
    float* __restrict__ C,
    const int n) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int at = blockIdx_x * 16 + threadIdx_x;
  if (at < n) {
    C[at] = A[at] + B[at];
  }
}
