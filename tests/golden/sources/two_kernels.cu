// two_kernels_kernel, two_kernels_kernel_1
// target: CUDA C, sm_90

// two_kernels_kernel: grid (3, 1, 1), block (16, 1, 1)
extern "C" __global__ void __launch_bounds__(16) two_kernels_kernel(
    const float* __restrict__ A,
    float* __restrict__ B) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int at = blockIdx_x * 16 + threadIdx_x;
  if (at < 40) {
    B[at] = A[at] * 3.0f;
  }
}

// two_kernels_kernel_1: grid (3, 1, 1), block (16, 1, 1)
extern "C" __global__ void __launch_bounds__(16) two_kernels_kernel_1(
    float* __restrict__ C,
    const float* __restrict__ B) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int at = blockIdx_x * 16 + threadIdx_x;
  if (at < 39) {
    C[at] = B[at] - B[at + 1];
  }
}
