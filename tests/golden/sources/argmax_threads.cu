// argmax_threads_kernel
// target: CUDA C, sm_90

// argmax_threads_kernel: grid (5, 1, 1), block (8, 1, 1)
extern "C" __global__ void __launch_bounds__(8) argmax_threads_kernel(
    const int* __restrict__ index_,
    const float* __restrict__ value,
    int* __restrict__ best_v0,
    float* __restrict__ best_v1) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int value_at = blockIdx_x * 24 + threadIdx_x;
  float best_part1;
  int best_part;
  float best_all1;
  int best_all;
  best_part = 2147483647;
  best_part1 = -3.4028235e+38f;
  for (int k_outer = 0; k_outer < 3; ++k_outer) {
    const int value_at_1 = value_at + k_outer * 8;
    const float value_item = value[value_at_1];
    const int index_item = index_[value_at_1];
    const bool best_cond = best_part1 > value_item || (best_part1 == value_item && best_part < index_item);
    const int best_v0_1 = best_cond ? best_part : index_item;
    const float best_v1_1 = best_cond ? best_part1 : value_item;
    best_part = best_v0_1;
    best_part1 = best_v1_1;
  }
  const unsigned int lanes = 255u;
  const int best_all_next = best_part;
  const float best_all1_next = best_part1;
  best_all = best_all_next;
  best_all1 = best_all1_next;
  const int best_all_peer = __shfl_down_sync(lanes, best_all, 1, 8);
  const float best_all1_peer = __shfl_down_sync(lanes, best_all1, 1, 8);
  const bool best_all_cond = best_all1 > best_all1_peer || (best_all1 == best_all1_peer && best_all < best_all_peer);
  const int best_all_next_1 = best_all_cond ? best_all : best_all_peer;
  const float best_all1_next_1 = best_all_cond ? best_all1 : best_all1_peer;
  best_all = best_all_next_1;
  best_all1 = best_all1_next_1;
  const int best_all_peer_1 = __shfl_down_sync(lanes, best_all, 2, 8);
  const float best_all1_peer_1 = __shfl_down_sync(lanes, best_all1, 2, 8);
  const bool best_all_cond_1 = best_all1 > best_all1_peer_1 || (best_all1 == best_all1_peer_1 && best_all < best_all_peer_1);
  const int best_all_next_2 = best_all_cond_1 ? best_all : best_all_peer_1;
  const float best_all1_next_2 = best_all_cond_1 ? best_all1 : best_all1_peer_1;
  best_all = best_all_next_2;
  best_all1 = best_all1_next_2;
  const int best_all_peer_2 = __shfl_down_sync(lanes, best_all, 4, 8);
  const float best_all1_peer_2 = __shfl_down_sync(lanes, best_all1, 4, 8);
  const bool best_all_cond_2 = best_all1 > best_all1_peer_2 || (best_all1 == best_all1_peer_2 && best_all < best_all_peer_2);
  const int best_all_next_3 = best_all_cond_2 ? best_all : best_all_peer_2;
  const float best_all1_next_3 = best_all_cond_2 ? best_all1 : best_all1_peer_2;
  best_all = best_all_next_3;
  best_all1 = best_all1_next_3;
  const int best_all_next_4 = __shfl_sync(lanes, best_all, 0, 8);
  const float best_all1_next_4 = __shfl_sync(lanes, best_all1, 0, 8);
  best_all = best_all_next_4;
  best_all1 = best_all1_next_4;
  if (threadIdx_x == 0) {
    best_v0[blockIdx_x] = best_all;
    best_v1[blockIdx_x] = best_all1;
  }
}
