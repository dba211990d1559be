// softmax_5x50_float32_kernel
// target: CUDA C, sm_90

// softmax_5x50_float32_kernel: grid (5, 1, 1), block (32, 1, 1)
extern "C" __global__ void __launch_bounds__(32) softmax_5x50_float32_kernel(
    const float* __restrict__ A,
    float* __restrict__ B) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  __shared__ float row_max[1];
  __shared__ float row_sum[1];
  const int A_at = blockIdx_x * 50 + threadIdx_x;
  float row_max_part;
  float row_max_all;
  float row_sum_part;
  float row_sum_all;
  row_max_part = -__int_as_float(0x7f800000);
  for (int k_outer = 0; k_outer < 2; ++k_outer) {
    if (k_outer * 32 + threadIdx_x < 50) {
      row_max_part = fmaxf(row_max_part, A[A_at + k_outer * 32]);
    }
  }
  row_max_all = row_max_part;
  const float row_max_all_peer = __shfl_xor_sync(4294967295u, row_max_all, 1, 32);
  row_max_all = fmaxf(row_max_all, row_max_all_peer);
  const float row_max_all_peer_1 = __shfl_xor_sync(4294967295u, row_max_all, 2, 32);
  row_max_all = fmaxf(row_max_all, row_max_all_peer_1);
  const float row_max_all_peer_2 = __shfl_xor_sync(4294967295u, row_max_all, 4, 32);
  row_max_all = fmaxf(row_max_all, row_max_all_peer_2);
  const float row_max_all_peer_3 = __shfl_xor_sync(4294967295u, row_max_all, 8, 32);
  row_max_all = fmaxf(row_max_all, row_max_all_peer_3);
  const float row_max_all_peer_4 = __shfl_xor_sync(4294967295u, row_max_all, 16, 32);
  row_max_all = fmaxf(row_max_all, row_max_all_peer_4);
  if (threadIdx_x == 0) {
    row_max[0] = row_max_all;
  }
  row_sum_part = 0.0f;
  __syncthreads();
  for (int k_outer_1 = 0; k_outer_1 < 2; ++k_outer_1) {
    if (k_outer_1 * 32 + threadIdx_x < 50) {
      row_sum_part = row_sum_part + expf(A[A_at + k_outer_1 * 32] - row_max[0]);
    }
  }
  row_sum_all = row_sum_part;
  const float row_sum_all_peer = __shfl_xor_sync(4294967295u, row_sum_all, 1, 32);
  row_sum_all = row_sum_all + row_sum_all_peer;
  const float row_sum_all_peer_1 = __shfl_xor_sync(4294967295u, row_sum_all, 2, 32);
  row_sum_all = row_sum_all + row_sum_all_peer_1;
  const float row_sum_all_peer_2 = __shfl_xor_sync(4294967295u, row_sum_all, 4, 32);
  row_sum_all = row_sum_all + row_sum_all_peer_2;
  const float row_sum_all_peer_3 = __shfl_xor_sync(4294967295u, row_sum_all, 8, 32);
  row_sum_all = row_sum_all + row_sum_all_peer_3;
  const float row_sum_all_peer_4 = __shfl_xor_sync(4294967295u, row_sum_all, 16, 32);
  row_sum_all = row_sum_all + row_sum_all_peer_4;
  if (threadIdx_x == 0) {
    row_sum[0] = row_sum_all;
  }
  __syncthreads();
  for (int j_outer = 0; j_outer < 2; ++j_outer) {
    const int B_at = A_at + j_outer * 32;
    if (j_outer * 32 + threadIdx_x < 50) {
      B[B_at] = expf(A[B_at] - row_max[0]) / row_sum[0];
    }
  }
}
