// softmax_5x50_float32_kernel
// target: CUDA C, sm_90

// softmax_5x50_float32_kernel: grid (5, 1, 1), block (32, 1, 1)
extern "C" __global__ void __launch_bounds__(32) softmax_5x50_float32_kernel(
    const float* __restrict__ A,
    float* __restrict__ B) {
  __shared__ float row_max[1];
  __shared__ float row_sum[1];
  const int threadIdx_x = (int)threadIdx.x;
  const int blockIdx_x = (int)blockIdx.x;
  float row_max_part[1];
  float row_max_all[1];
  row_max_part[0] = -__int_as_float(0x7f800000);
  for (int k_outer = 0; k_outer < 2; ++k_outer) {
    if (k_outer * 32 + threadIdx_x < 50) {
      row_max_part[0] = fmaxf(row_max_part[0], A[blockIdx_x * 50 + k_outer * 32 + threadIdx_x]);
    }
  }
  row_max_all[0] = row_max_part[0];
  const float row_max_all_peer = __shfl_xor_sync(4294967295u, row_max_all[0], 1, 32);
  row_max_all[0] = fmaxf(row_max_all[0], row_max_all_peer);
  const float row_max_all_peer_1 = __shfl_xor_sync(4294967295u, row_max_all[0], 2, 32);
  row_max_all[0] = fmaxf(row_max_all[0], row_max_all_peer_1);
  const float row_max_all_peer_2 = __shfl_xor_sync(4294967295u, row_max_all[0], 4, 32);
  row_max_all[0] = fmaxf(row_max_all[0], row_max_all_peer_2);
  const float row_max_all_peer_3 = __shfl_xor_sync(4294967295u, row_max_all[0], 8, 32);
  row_max_all[0] = fmaxf(row_max_all[0], row_max_all_peer_3);
  const float row_max_all_peer_4 = __shfl_xor_sync(4294967295u, row_max_all[0], 16, 32);
  row_max_all[0] = fmaxf(row_max_all[0], row_max_all_peer_4);
  if (threadIdx_x == 0) {
    row_max[0] = row_max_all[0];
  }
  row_max_part[0] = 0.0f;
  __syncthreads();
  for (int k_outer_1 = 0; k_outer_1 < 2; ++k_outer_1) {
    if (k_outer_1 * 32 + threadIdx_x < 50) {
      row_max_part[0] = row_max_part[0] + expf(A[blockIdx_x * 50 + k_outer_1 * 32 + threadIdx_x] - row_max[0]);
    }
  }
  row_max_all[0] = row_max_part[0];
  const float row_sum_all_peer = __shfl_xor_sync(4294967295u, row_max_all[0], 1, 32);
  row_max_all[0] = row_max_all[0] + row_sum_all_peer;
  const float row_sum_all_peer_1 = __shfl_xor_sync(4294967295u, row_max_all[0], 2, 32);
  row_max_all[0] = row_max_all[0] + row_sum_all_peer_1;
  const float row_sum_all_peer_2 = __shfl_xor_sync(4294967295u, row_max_all[0], 4, 32);
  row_max_all[0] = row_max_all[0] + row_sum_all_peer_2;
  const float row_sum_all_peer_3 = __shfl_xor_sync(4294967295u, row_max_all[0], 8, 32);
  row_max_all[0] = row_max_all[0] + row_sum_all_peer_3;
  const float row_sum_all_peer_4 = __shfl_xor_sync(4294967295u, row_max_all[0], 16, 32);
  row_max_all[0] = row_max_all[0] + row_sum_all_peer_4;
  if (threadIdx_x == 0) {
    row_sum[0] = row_max_all[0];
  }
  __syncthreads();
  for (int j_outer = 0; j_outer < 2; ++j_outer) {
    if (j_outer * 32 + threadIdx_x < 50) {
      const int t = blockIdx_x * 50 + j_outer * 32 + threadIdx_x;
      B[t] = expf(A[t] - row_max[0]) / row_sum[0];
    }
  }
}
