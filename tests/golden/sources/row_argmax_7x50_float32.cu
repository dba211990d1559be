// row_argmax_7x50_float32_kernel
// target: CUDA C, sm_90

// row_argmax_7x50_float32_kernel: grid (1, 1, 1), block (16, 16, 1)
extern "C" __global__ void __launch_bounds__(256) row_argmax_7x50_float32_kernel(
    const float* __restrict__ A,
    int* __restrict__ B) {
  const int threadIdx_y = (int)threadIdx.y;
  const int threadIdx_x = (int)threadIdx.x;
  __builtin_assume(threadIdx_x >= 0 && threadIdx_x < 16);
  __builtin_assume(threadIdx_y >= 0 && threadIdx_y < 16);
  const int A_at = threadIdx_y * 50 + threadIdx_x * 2;
  float row_best_v1;
  int row_best_v0;
  float row_best_part1;
  int row_best_part;
  float row_best_all1;
  int row_best_all;
  float X[2];
  row_best_part = 2147483647;
  row_best_part1 = -__int_as_float(0x7f800000);
  #pragma unroll
  for (int k_outer_outer = 0; k_outer_outer < 2; ++k_outer_outer) {
    const int at = k_outer_outer * 16 + threadIdx_x;
    const float2 v = threadIdx_y < 7 && at < 25 ? *(const float2*)(A + (A_at + k_outer_outer * 32)) : make_float2(0.0f, 0.0f);
    X[0] = v.x;
    X[1] = v.y;
    if (at < 25) {
      #pragma unroll
      for (int k_inner = 0; k_inner < 2; ++k_inner) {
        const int row_best_item = k_outer_outer * 32 + threadIdx_x * 2 + k_inner;
        const float X_item = X[k_inner];
        const bool row_best_cond = X_item != X_item;
        const float row_best_item_1 = row_best_cond ? __int_as_float(0x7f800000) : X_item;
        const int row_best_item_2 = row_best_cond ? row_best_item + (-2147483647 - 1) : row_best_item;
        const bool row_best_cond_1 = row_best_part1 > row_best_item_1 || (row_best_part1 == row_best_item_1 && row_best_part <= row_best_item_2);
        const int row_best_v0_1 = row_best_cond_1 ? row_best_part : row_best_item_2;
        const float row_best_v1_1 = row_best_cond_1 ? row_best_part1 : row_best_item_1;
        row_best_part = row_best_v0_1;
        row_best_part1 = row_best_v1_1;
      }
    }
  }
  const int row_best_all_next = row_best_part;
  const float row_best_all1_next = row_best_part1;
  row_best_all = row_best_all_next;
  row_best_all1 = row_best_all1_next;
  const int row_best_all_peer = __shfl_down_sync(4294967295u, row_best_all, 1, 16);
  const float row_best_all1_peer = __shfl_down_sync(4294967295u, row_best_all1, 1, 16);
  const bool row_best_all_cond = row_best_all1 > row_best_all1_peer || (row_best_all1 == row_best_all1_peer && row_best_all <= row_best_all_peer);
  const int row_best_all_next_1 = row_best_all_cond ? row_best_all : row_best_all_peer;
  const float row_best_all1_next_1 = row_best_all_cond ? row_best_all1 : row_best_all1_peer;
  row_best_all = row_best_all_next_1;
  row_best_all1 = row_best_all1_next_1;
  const int row_best_all_peer_1 = __shfl_down_sync(4294967295u, row_best_all, 2, 16);
  const float row_best_all1_peer_1 = __shfl_down_sync(4294967295u, row_best_all1, 2, 16);
  const bool row_best_all_cond_1 = row_best_all1 > row_best_all1_peer_1 || (row_best_all1 == row_best_all1_peer_1 && row_best_all <= row_best_all_peer_1);
  const int row_best_all_next_2 = row_best_all_cond_1 ? row_best_all : row_best_all_peer_1;
  const float row_best_all1_next_2 = row_best_all_cond_1 ? row_best_all1 : row_best_all1_peer_1;
  row_best_all = row_best_all_next_2;
  row_best_all1 = row_best_all1_next_2;
  const int row_best_all_peer_2 = __shfl_down_sync(4294967295u, row_best_all, 4, 16);
  const float row_best_all1_peer_2 = __shfl_down_sync(4294967295u, row_best_all1, 4, 16);
  const bool row_best_all_cond_2 = row_best_all1 > row_best_all1_peer_2 || (row_best_all1 == row_best_all1_peer_2 && row_best_all <= row_best_all_peer_2);
  const int row_best_all_next_3 = row_best_all_cond_2 ? row_best_all : row_best_all_peer_2;
  const float row_best_all1_next_3 = row_best_all_cond_2 ? row_best_all1 : row_best_all1_peer_2;
  row_best_all = row_best_all_next_3;
  row_best_all1 = row_best_all1_next_3;
  const int row_best_all_peer_3 = __shfl_down_sync(4294967295u, row_best_all, 8, 16);
  const float row_best_all1_peer_3 = __shfl_down_sync(4294967295u, row_best_all1, 8, 16);
  const bool row_best_all_cond_3 = row_best_all1 > row_best_all1_peer_3 || (row_best_all1 == row_best_all1_peer_3 && row_best_all <= row_best_all_peer_3);
  const int row_best_all_next_4 = row_best_all_cond_3 ? row_best_all : row_best_all_peer_3;
  const float row_best_all1_next_4 = row_best_all_cond_3 ? row_best_all1 : row_best_all1_peer_3;
  row_best_all = row_best_all_next_4;
  row_best_all1 = row_best_all1_next_4;
  const int row_best_all_next_5 = __shfl_sync(4294967295u, row_best_all, 0, 16);
  const float row_best_all1_next_5 = __shfl_sync(4294967295u, row_best_all1, 0, 16);
  row_best_all = row_best_all_next_5;
  row_best_all1 = row_best_all1_next_5;
  row_best_v0 = row_best_all;
  row_best_v1 = row_best_all1;
  if (threadIdx_y < 7 && threadIdx_x == 0) {
    B[threadIdx_y] = row_best_v0 & 2147483647;
  }
}
