// virtual_threads_kernel
// target: CUDA C, sm_90

// virtual_threads_kernel: grid (2, 1, 1), block (8, 1, 1)
extern "C" __global__ void __launch_bounds__(8) virtual_threads_kernel(
    const float* __restrict__ A,
    float* __restrict__ C) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int A_at = blockIdx_x * 32 + threadIdx_x * 2;
  float B[4];
  for (int i = 0; i < 2; ++i) {
    #pragma unroll
    for (int vx = 0; vx < 2; ++vx) {
      B[i + vx * 2] = A[A_at + i + vx * 16] * 2.0f;
    }
  }
  for (int i_inner_inner_inner = 0; i_inner_inner_inner < 2; ++i_inner_inner_inner) {
    #pragma unroll
    for (int vx_1 = 0; vx_1 < 2; ++vx_1) {
      C[A_at + vx_1 * 16 + i_inner_inner_inner] = B[i_inner_inner_inner + vx_1 * 2] + 1.0f;
    }
  }
}
