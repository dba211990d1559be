// softmax_5x50_float32_kernel
// target: CUDA C, sm_90

static __device__ __forceinline__ float gc_exp2_flushed(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// softmax_5x50_float32_kernel: grid (1, 1, 1), block (8, 16, 1)
extern "C" __global__ void __launch_bounds__(128) softmax_5x50_float32_kernel(
    const float* __restrict__ A,
    float* __restrict__ B) {
  const int threadIdx_y = (int)threadIdx.y;
  const int threadIdx_x = (int)threadIdx.x;
  __builtin_assume(threadIdx_x >= 0 && threadIdx_x < 8);
  __builtin_assume(threadIdx_y >= 0 && threadIdx_y < 16);
  const int A_at = threadIdx_y * 50 + threadIdx_x * 2;
  float X[8];
  float row_max;
  float row_max_part;
  float row_max_all;
  float row_exp[8];
  float row_sum;
  float row_sum_part;
  float row_sum_all;
  float row_scale;
  #pragma unroll
  for (int i1 = 0; i1 < 4; ++i1) {
    const float2 v = threadIdx_y < 5 ? (threadIdx_x + i1 * 8 < 25 ? *(const float2*)(A + (A_at + i1 * 16)) : make_float2(0.0f, 0.0f)) : make_float2(0.0f, 0.0f);
    X[i1 * 2] = v.x;
    X[i1 * 2 + 1] = v.y;
  }
  row_max_part = -__int_as_float(0x7f800000);
  #pragma unroll
  for (int k_outer_outer = 0; k_outer_outer < 4; ++k_outer_outer) {
    if (k_outer_outer * 8 + threadIdx_x < 25) {
      #pragma unroll
      for (int k_inner = 0; k_inner < 2; ++k_inner) {
        row_max_part = fmaxf(row_max_part, X[k_outer_outer * 2 + k_inner]);
      }
    }
  }
  row_max_all = row_max_part;
  const float row_max_all_peer = __shfl_xor_sync(4294967295u, row_max_all, 1, 8);
  row_max_all = fmaxf(row_max_all, row_max_all_peer);
  const float row_max_all_peer_1 = __shfl_xor_sync(4294967295u, row_max_all, 2, 8);
  row_max_all = fmaxf(row_max_all, row_max_all_peer_1);
  const float row_max_all_peer_2 = __shfl_xor_sync(4294967295u, row_max_all, 4, 8);
  row_max_all = fmaxf(row_max_all, row_max_all_peer_2);
  row_max = row_max_all;
  #pragma unroll
  for (int i1_1 = 0; i1_1 < 4; ++i1_1) {
    const bool t = threadIdx_x + i1_1 * 8 < 25;
    row_exp[i1_1 * 2] = t ? gc_exp2_flushed((X[i1_1 * 2] - row_max) * 1.442695f) : 0.0f;
    row_exp[i1_1 * 2 + 1] = t ? gc_exp2_flushed((X[i1_1 * 2 + 1] - row_max) * 1.442695f) : 0.0f;
  }
  row_sum_part = 0.0f;
  #pragma unroll
  for (int k_outer_outer_1 = 0; k_outer_outer_1 < 4; ++k_outer_outer_1) {
    if (k_outer_outer_1 * 8 + threadIdx_x < 25) {
      #pragma unroll
      for (int k_inner_1 = 0; k_inner_1 < 2; ++k_inner_1) {
        row_sum_part = row_sum_part + row_exp[k_outer_outer_1 * 2 + k_inner_1];
      }
    }
  }
  row_sum_all = row_sum_part;
  const float row_sum_all_peer = __shfl_xor_sync(4294967295u, row_sum_all, 1, 8);
  row_sum_all = row_sum_all + row_sum_all_peer;
  const float row_sum_all_peer_1 = __shfl_xor_sync(4294967295u, row_sum_all, 2, 8);
  row_sum_all = row_sum_all + row_sum_all_peer_1;
  const float row_sum_all_peer_2 = __shfl_xor_sync(4294967295u, row_sum_all, 4, 8);
  row_sum_all = row_sum_all + row_sum_all_peer_2;
  row_sum = row_sum_all;
  row_scale = 1.0f / row_sum;
  if (threadIdx_y < 5) {
    #pragma unroll
    for (int j_outer_outer = 0; j_outer_outer < 4; ++j_outer_outer) {
      if (j_outer_outer * 8 + threadIdx_x < 25) {
        *(float2*)(B + (A_at + j_outer_outer * 16)) = make_float2(row_exp[j_outer_outer * 2] * row_scale, row_exp[j_outer_outer * 2 + 1] * row_scale);
      }
    }
  }
}
