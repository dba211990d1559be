// rfactor_sum_kernel
// target: CUDA C, sm_90

// rfactor_sum_kernel: grid (4, 1, 1), block (16, 1, 1)
extern "C" __global__ void __launch_bounds__(16) rfactor_sum_kernel(
    const float* __restrict__ A,
    float* __restrict__ B) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int A_at = blockIdx_x * 64 + threadIdx_x;
  float B_rf;
  float B_all;
  B_rf = 0.0f;
  for (int k_outer = 0; k_outer < 4; ++k_outer) {
    B_rf = B_rf + A[A_at + k_outer * 16];
  }
  const unsigned int lanes = 65535u;
  B_all = B_rf;
  const float B_all_peer = __shfl_xor_sync(lanes, B_all, 1, 16);
  B_all = B_all + B_all_peer;
  const float B_all_peer_1 = __shfl_xor_sync(lanes, B_all, 2, 16);
  B_all = B_all + B_all_peer_1;
  const float B_all_peer_2 = __shfl_xor_sync(lanes, B_all, 4, 16);
  B_all = B_all + B_all_peer_2;
  const float B_all_peer_3 = __shfl_xor_sync(lanes, B_all, 8, 16);
  B_all = B_all + B_all_peer_3;
  if (threadIdx_x == 0) {
    B[blockIdx_x] = B_all;
  }
}
