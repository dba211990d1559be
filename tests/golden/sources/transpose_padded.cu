// transpose_padded_kernel
// target: CUDA C, sm_90

// transpose_padded_kernel: grid (3, 5, 1), block (8, 8, 1)
extern "C" __global__ void __launch_bounds__(64) transpose_padded_kernel(
    const float* __restrict__ A,
    float* __restrict__ B) {
  __shared__ __align__(16) float A_shared[72];
  const int threadIdx_y = (int)threadIdx.y;
  const int threadIdx_x = (int)threadIdx.x;
  const int blockIdx_x = (int)blockIdx.x;
  const int blockIdx_y = (int)blockIdx.y;
  A_shared[threadIdx_y * 9 + threadIdx_x] = threadIdx_y + blockIdx_x * 8 < 20 && threadIdx_x + blockIdx_y * 8 < 36 ? A[threadIdx_y * 36 + blockIdx_x * 288 + threadIdx_x + blockIdx_y * 8] : 0.0f;
  __syncthreads();
  if (blockIdx_y * 8 + threadIdx_y < 36 && blockIdx_x * 8 + threadIdx_x < 20) {
    B[blockIdx_y * 160 + threadIdx_y * 20 + blockIdx_x * 8 + threadIdx_x] = A_shared[threadIdx_x * 9 + threadIdx_y];
  }
}
