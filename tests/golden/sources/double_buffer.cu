// double_buffer_kernel
// target: CUDA C, sm_90

// double_buffer_kernel: grid (2, 1, 1), block (8, 1, 1)
extern "C" __global__ void __launch_bounds__(8) double_buffer_kernel(
    const float* __restrict__ A,
    const float* __restrict__ W,
    float* __restrict__ B) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  __shared__ __align__(16) float W_shared[16];
  const int B_at = blockIdx_x * 8 + threadIdx_x;
  const int A_at = blockIdx_x * 256 + threadIdx_x * 32;
  float W_shared_next;
  B[B_at] = 0.0f;
  W_shared[threadIdx_x] = W[threadIdx_x];
  const float* W_ptr = W + threadIdx_x;
  for (int k_outer = 0; k_outer < 4; ++k_outer) {
    if (k_outer < 3) {
      W_shared_next = W_ptr[8];
    }
    __syncthreads();
    for (int k_inner = 0; k_inner < 8; ++k_inner) {
      B[B_at] = B[B_at] + A[A_at + k_outer * 8 + k_inner] * W_shared[k_inner + (k_outer & 1) * 8];
    }
    if (k_outer < 3) {
      W_shared[threadIdx_x + ((k_outer + 1) & 1) * 8] = W_shared_next;
    }
    W_ptr += 8;
  }
}
