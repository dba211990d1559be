// row_sum_8_threads_kernel
// target: CUDA C, sm_90

// row_sum_8_threads_kernel: grid (6, 1, 1), block (8, 1, 1)
extern "C" __global__ void __launch_bounds__(8) row_sum_8_threads_kernel(
    const float* __restrict__ A,
    float* __restrict__ B) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int A_at = blockIdx_x * 50 + threadIdx_x;
  float B_part;
  float B_all;
  B_part = 0.0f;
  for (int k_outer = 0; k_outer < 7; ++k_outer) {
    if (k_outer * 8 + threadIdx_x < 50) {
      B_part = B_part + A[A_at + k_outer * 8];
    }
  }
  const unsigned int lanes = 255u;
  B_all = B_part;
  const float B_all_peer = __shfl_xor_sync(lanes, B_all, 1, 8);
  B_all = B_all + B_all_peer;
  const float B_all_peer_1 = __shfl_xor_sync(lanes, B_all, 2, 8);
  B_all = B_all + B_all_peer_1;
  const float B_all_peer_2 = __shfl_xor_sync(lanes, B_all, 4, 8);
  B_all = B_all + B_all_peer_2;
  if (threadIdx_x == 0) {
    B[blockIdx_x] = B_all;
  }
}
