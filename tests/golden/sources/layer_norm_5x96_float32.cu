// layer_norm_5x96_float32_kernel
// target: CUDA C, sm_90

// layer_norm_5x96_float32_kernel: grid (1, 1, 1), block (16, 8, 1)
extern "C" __global__ void __launch_bounds__(128) layer_norm_5x96_float32_kernel(
    const float* __restrict__ A,
    const float* __restrict__ W,
    const float* __restrict__ V,
    float* __restrict__ B) {
  const int threadIdx_y = (int)threadIdx.y;
  const int threadIdx_x = (int)threadIdx.x;
  __builtin_assume(threadIdx_x >= 0 && threadIdx_x < 16);
  __builtin_assume(threadIdx_y >= 0 && threadIdx_y < 8);
  const int A_at = threadIdx_y * 96 + threadIdx_x * 4;
  float X[8];
  float W_local[8];
  float V_local[8];
  float row_sum;
  float row_sum_part;
  float row_sum_all;
  float row_mean;
  float row_squares;
  float row_squares_part;
  float row_squares_all;
  float row_scale;
  #pragma unroll
  for (int i1 = 0; i1 < 2; ++i1) {
    const float4 v = threadIdx_y < 5 ? (threadIdx_x + i1 * 16 < 24 ? *(const float4*)(A + (A_at + i1 * 64)) : make_float4(0.0f, 0.0f, 0.0f, 0.0f)) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    X[i1 * 4] = v.x;
    X[i1 * 4 + 1] = v.y;
    X[i1 * 4 + 2] = v.z;
    X[i1 * 4 + 3] = v.w;
  }
  #pragma unroll
  for (int i0 = 0; i0 < 2; ++i0) {
    const float4 v_1 = threadIdx_x + i0 * 16 < 24 ? *(const float4*)(W + (threadIdx_x * 4 + i0 * 64)) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    W_local[i0 * 4] = v_1.x;
    W_local[i0 * 4 + 1] = v_1.y;
    W_local[i0 * 4 + 2] = v_1.z;
    W_local[i0 * 4 + 3] = v_1.w;
  }
  #pragma unroll
  for (int i0_1 = 0; i0_1 < 2; ++i0_1) {
    const float4 v_2 = threadIdx_x + i0_1 * 16 < 24 ? *(const float4*)(V + (threadIdx_x * 4 + i0_1 * 64)) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    V_local[i0_1 * 4] = v_2.x;
    V_local[i0_1 * 4 + 1] = v_2.y;
    V_local[i0_1 * 4 + 2] = v_2.z;
    V_local[i0_1 * 4 + 3] = v_2.w;
  }
  row_sum_part = 0.0f;
  #pragma unroll
  for (int k_outer_outer = 0; k_outer_outer < 2; ++k_outer_outer) {
    if (k_outer_outer * 16 + threadIdx_x < 24) {
      #pragma unroll
      for (int k_inner = 0; k_inner < 4; ++k_inner) {
        row_sum_part = row_sum_part + X[k_outer_outer * 4 + k_inner];
      }
    }
  }
  row_sum_all = row_sum_part;
  const float row_sum_all_peer = __shfl_xor_sync(4294967295u, row_sum_all, 1, 16);
  row_sum_all = row_sum_all + row_sum_all_peer;
  const float row_sum_all_peer_1 = __shfl_xor_sync(4294967295u, row_sum_all, 2, 16);
  row_sum_all = row_sum_all + row_sum_all_peer_1;
  const float row_sum_all_peer_2 = __shfl_xor_sync(4294967295u, row_sum_all, 4, 16);
  row_sum_all = row_sum_all + row_sum_all_peer_2;
  const float row_sum_all_peer_3 = __shfl_xor_sync(4294967295u, row_sum_all, 8, 16);
  row_sum_all = row_sum_all + row_sum_all_peer_3;
  row_sum = row_sum_all;
  row_mean = row_sum / 96.0f;
  row_squares_part = 0.0f;
  #pragma unroll
  for (int k_outer_outer_1 = 0; k_outer_outer_1 < 2; ++k_outer_outer_1) {
    if (k_outer_outer_1 * 16 + threadIdx_x < 24) {
      #pragma unroll
      for (int k_inner_1 = 0; k_inner_1 < 4; ++k_inner_1) {
        const float t = X[k_outer_outer_1 * 4 + k_inner_1] - row_mean;
        row_squares_part = row_squares_part + t * t;
      }
    }
  }
  row_squares_all = row_squares_part;
  const float row_squares_all_peer = __shfl_xor_sync(4294967295u, row_squares_all, 1, 16);
  row_squares_all = row_squares_all + row_squares_all_peer;
  const float row_squares_all_peer_1 = __shfl_xor_sync(4294967295u, row_squares_all, 2, 16);
  row_squares_all = row_squares_all + row_squares_all_peer_1;
  const float row_squares_all_peer_2 = __shfl_xor_sync(4294967295u, row_squares_all, 4, 16);
  row_squares_all = row_squares_all + row_squares_all_peer_2;
  const float row_squares_all_peer_3 = __shfl_xor_sync(4294967295u, row_squares_all, 8, 16);
  row_squares_all = row_squares_all + row_squares_all_peer_3;
  row_squares = row_squares_all;
  row_scale = 1.0f / sqrtf(row_squares / 96.0f + 1e-05f);
  if (threadIdx_y < 5) {
    #pragma unroll
    for (int j_outer_outer = 0; j_outer_outer < 2; ++j_outer_outer) {
      if (j_outer_outer * 16 + threadIdx_x < 24) {
        const float lane = (X[j_outer_outer * 4] - row_mean) * row_scale * W_local[j_outer_outer * 4] + V_local[j_outer_outer * 4];
        const float lane_1 = (X[j_outer_outer * 4 + 1] - row_mean) * row_scale * W_local[j_outer_outer * 4 + 1] + V_local[j_outer_outer * 4 + 1];
        const float lane_2 = (X[j_outer_outer * 4 + 2] - row_mean) * row_scale * W_local[j_outer_outer * 4 + 2] + V_local[j_outer_outer * 4 + 2];
        const float lane_3 = (X[j_outer_outer * 4 + 3] - row_mean) * row_scale * W_local[j_outer_outer * 4 + 3] + V_local[j_outer_outer * 4 + 3];
        *(float4*)(B + (A_at + j_outer_outer * 64)) = make_float4(lane, lane_1, lane_2, lane_3);
      }
    }
  }
}
