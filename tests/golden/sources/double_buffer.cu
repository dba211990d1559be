// double_buffer_kernel
// target: CUDA C, sm_90

// double_buffer_kernel: grid (2, 1, 1), block (8, 1, 1)
extern "C" __global__ void __launch_bounds__(8) double_buffer_kernel(
    const float* __restrict__ A,
    const float* __restrict__ W,
    float* __restrict__ B) {
  __shared__ __align__(16) float W_shared[8];
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  B[blockIdx_x * 8 + threadIdx_x] = 0.0f;
  for (int k_outer = 0; k_outer < 4; ++k_outer) {
    __syncthreads();
    W_shared[threadIdx_x] = W[threadIdx_x + k_outer * 8];
    __syncthreads();
    for (int k_inner = 0; k_inner < 8; ++k_inner) {
      B[blockIdx_x * 8 + threadIdx_x] = B[blockIdx_x * 8 + threadIdx_x] + A[blockIdx_x * 256 + threadIdx_x * 32 + k_outer * 8 + k_inner] * W_shared[k_inner];
    }
  }
}
