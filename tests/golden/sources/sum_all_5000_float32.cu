// sum_all_5000_float32_kernel
// target: CUDA C, sm_90

// sum_all_5000_float32_kernel: grid (1, 1, 1), block (512, 1, 1)
extern "C" __global__ void __launch_bounds__(512) sum_all_5000_float32_kernel(
    const float* __restrict__ A,
    float* __restrict__ B) {
  __shared__ __align__(16) float reduce[16];
  const int threadIdx_x = (int)threadIdx.x;
  __builtin_assume(threadIdx_x >= 0 && threadIdx_x < 512);
  float total;
  float total_part;
  float total_all;
  float X[4];
  total_part = 0.0f;
  #pragma unroll
  for (int k_outer_outer_inner = 0; k_outer_outer_inner < 3; ++k_outer_outer_inner) {
    const int at = k_outer_outer_inner * 512 + threadIdx_x;
    const float4 v = at < 1250 ? *(const float4*)(A + (k_outer_outer_inner * 2048 + threadIdx_x * 4)) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    X[0] = v.x;
    X[1] = v.y;
    X[2] = v.z;
    X[3] = v.w;
    if (at < 1250) {
      #pragma unroll
      for (int k_inner = 0; k_inner < 4; ++k_inner) {
        total_part = total_part + X[k_inner];
      }
    }
  }
  total_all = total_part;
  const float total_all_peer = __shfl_xor_sync(4294967295u, total_all, 1, 32);
  total_all = total_all + total_all_peer;
  const float total_all_peer_1 = __shfl_xor_sync(4294967295u, total_all, 2, 32);
  total_all = total_all + total_all_peer_1;
  const float total_all_peer_2 = __shfl_xor_sync(4294967295u, total_all, 4, 32);
  total_all = total_all + total_all_peer_2;
  const float total_all_peer_3 = __shfl_xor_sync(4294967295u, total_all, 8, 32);
  total_all = total_all + total_all_peer_3;
  const float total_all_peer_4 = __shfl_xor_sync(4294967295u, total_all, 16, 32);
  total_all = total_all + total_all_peer_4;
  if ((threadIdx_x & 31) == 0) {
    reduce[threadIdx_x >> 5] = total_all;
  }
  __syncthreads();
  total_all = reduce[threadIdx_x & 15];
  const float total_all_peer_5 = __shfl_xor_sync(4294967295u, total_all, 1, 16);
  total_all = total_all + total_all_peer_5;
  const float total_all_peer_6 = __shfl_xor_sync(4294967295u, total_all, 2, 16);
  total_all = total_all + total_all_peer_6;
  const float total_all_peer_7 = __shfl_xor_sync(4294967295u, total_all, 4, 16);
  total_all = total_all + total_all_peer_7;
  const float total_all_peer_8 = __shfl_xor_sync(4294967295u, total_all, 8, 16);
  total_all = total_all + total_all_peer_8;
  total = total_all;
  if (threadIdx_x == 0) {
    B[0] = total;
  }
}
