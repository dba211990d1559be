// row_sum_48_threads_kernel
// target: CUDA C, sm_90

// row_sum_48_threads_kernel: grid (6, 1, 1), block (48, 1, 1)
extern "C" __global__ void __launch_bounds__(48) row_sum_48_threads_kernel(
    const float* __restrict__ A,
    float* __restrict__ B) {
  __shared__ __align__(16) float reduce[48];
  const int threadIdx_x = (int)threadIdx.x;
  const int blockIdx_x = (int)blockIdx.x;
  float B_part;
  float B_all;
  B_part = 0.0f;
  for (int k_outer = 0; k_outer < 2; ++k_outer) {
    if (k_outer * 48 + threadIdx_x < 50) {
      B_part = B_part + A[blockIdx_x * 50 + k_outer * 48 + threadIdx_x];
    }
  }
  reduce[threadIdx_x] = B_part;
  __syncthreads();
  if (threadIdx_x < 8) {
    B_all = reduce[threadIdx_x];
    #pragma unroll
    for (int j = 0; j < 5; ++j) {
      B_all = B_all + reduce[threadIdx_x + (j + 1) * 8];
    }
    reduce[threadIdx_x] = B_all;
  }
  __syncthreads();
  B_all = reduce[0];
  #pragma unroll
  for (int j_1 = 0; j_1 < 7; ++j_1) {
    B_all = B_all + reduce[j_1 + 1];
  }
  if (threadIdx_x == 0) {
    B[blockIdx_x] = B_all;
  }
}
