// shared_stencil_kernel
// target: CUDA C, sm_90

// shared_stencil_kernel: grid (4, 1, 1), block (16, 1, 1)
extern "C" __global__ void __launch_bounds__(16) shared_stencil_kernel(
    const float* __restrict__ A,
    float* __restrict__ B) {
  const int threadIdx_x = (int)threadIdx.x;
  const int blockIdx_x = (int)blockIdx.x;
  __shared__ float A_shared[18];
  const int A_at = threadIdx_x + blockIdx_x * 16;
  for (int ax0_outer = 0; ax0_outer < 2; ++ax0_outer) {
    const int at = ax0_outer * 16 + threadIdx_x;
    if (at < 18) {
      A_shared[at] = A[A_at + ax0_outer * 16];
    }
  }
  __syncthreads();
  B[blockIdx_x * 16 + threadIdx_x] = (A_shared[threadIdx_x] + A_shared[threadIdx_x + 1] + A_shared[threadIdx_x + 2]) / 3.0f;
}
