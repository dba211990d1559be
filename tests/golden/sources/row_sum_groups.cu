// row_sum_groups_kernel
// target: CUDA C, sm_90

// row_sum_groups_kernel: grid (4, 1, 1), block (8, 4, 1)
extern "C" __global__ void __launch_bounds__(32) row_sum_groups_kernel(
    const float* __restrict__ A,
    float* __restrict__ B) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_y = (int)threadIdx.y;
  const int threadIdx_x = (int)threadIdx.x;
  const int at = blockIdx_x * 4 + threadIdx_y;
  const int A_at = blockIdx_x * 160 + threadIdx_y * 40 + threadIdx_x;
  float B_part;
  float B_all;
  B_part = 0.0f;
  if (at < 13) {
    for (int k_outer = 0; k_outer < 5; ++k_outer) {
      B_part = B_part + A[A_at + k_outer * 8];
    }
  }
  B_all = B_part;
  const float B_all_peer = __shfl_xor_sync(4294967295u, B_all, 1, 8);
  B_all = B_all + B_all_peer;
  const float B_all_peer_1 = __shfl_xor_sync(4294967295u, B_all, 2, 8);
  B_all = B_all + B_all_peer_1;
  const float B_all_peer_2 = __shfl_xor_sync(4294967295u, B_all, 4, 8);
  B_all = B_all + B_all_peer_2;
  if (at < 13 && threadIdx_x == 0) {
    B[at] = B_all;
  }
}
