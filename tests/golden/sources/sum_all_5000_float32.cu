// sum_all_5000_float32_kernel, sum_all_5000_float32_kernel_1
// target: CUDA C, sm_90

// sum_all_5000_float32_kernel: grid (2, 1, 1), block (256, 1, 1)
extern "C" __global__ void __launch_bounds__(256) sum_all_5000_float32_kernel(
    const float* __restrict__ A,
    float* __restrict__ total_rf) {
  __shared__ __align__(16) float reduce[8];
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  float total_rf_part;
  float total_rf_all;
  float X[4];
  total_rf_part = 0.0f;
  #pragma unroll
  for (int k_inner_outer_outer_inner = 0; k_inner_outer_outer_inner < 4; ++k_inner_outer_outer_inner) {
    const int at = blockIdx_x * 1024 + k_inner_outer_outer_inner * 256 + threadIdx_x;
    const float4 v = at < 1250 ? *(const float4*)(A + (blockIdx_x * 4096 + k_inner_outer_outer_inner * 1024 + threadIdx_x * 4)) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    X[0] = v.x;
    X[1] = v.y;
    X[2] = v.z;
    X[3] = v.w;
    if (at < 1250) {
      #pragma unroll
      for (int k_inner_inner = 0; k_inner_inner < 4; ++k_inner_inner) {
        total_rf_part = total_rf_part + X[k_inner_inner];
      }
    }
  }
  total_rf_all = total_rf_part;
  const float total_rf_all_peer = __shfl_xor_sync(4294967295u, total_rf_all, 1, 32);
  total_rf_all = total_rf_all + total_rf_all_peer;
  const float total_rf_all_peer_1 = __shfl_xor_sync(4294967295u, total_rf_all, 2, 32);
  total_rf_all = total_rf_all + total_rf_all_peer_1;
  const float total_rf_all_peer_2 = __shfl_xor_sync(4294967295u, total_rf_all, 4, 32);
  total_rf_all = total_rf_all + total_rf_all_peer_2;
  const float total_rf_all_peer_3 = __shfl_xor_sync(4294967295u, total_rf_all, 8, 32);
  total_rf_all = total_rf_all + total_rf_all_peer_3;
  const float total_rf_all_peer_4 = __shfl_xor_sync(4294967295u, total_rf_all, 16, 32);
  total_rf_all = total_rf_all + total_rf_all_peer_4;
  if ((threadIdx_x & 31) == 0) {
    reduce[threadIdx_x >> 5] = total_rf_all;
  }
  __syncthreads();
  total_rf_all = reduce[0];
  total_rf_all = total_rf_all + reduce[1];
  total_rf_all = total_rf_all + reduce[2];
  total_rf_all = total_rf_all + reduce[3];
  total_rf_all = total_rf_all + reduce[4];
  total_rf_all = total_rf_all + reduce[5];
  total_rf_all = total_rf_all + reduce[6];
  total_rf_all = total_rf_all + reduce[7];
  if (threadIdx_x == 0) {
    total_rf[blockIdx_x] = total_rf_all;
  }
}

// sum_all_5000_float32_kernel_1: grid (1, 1, 1), block (256, 1, 1)
extern "C" __global__ void __launch_bounds__(256) sum_all_5000_float32_kernel_1(
    float* __restrict__ B,
    const float* __restrict__ total_rf) {
  __shared__ __align__(16) float reduce[8];
  const int threadIdx_x = (int)threadIdx.x;
  float total;
  float total_all;
  total_all = threadIdx_x < 2 ? total_rf[threadIdx_x] : 0.0f;
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
  total_all = reduce[0];
  total_all = total_all + reduce[1];
  total_all = total_all + reduce[2];
  total_all = total_all + reduce[3];
  total_all = total_all + reduce[4];
  total_all = total_all + reduce[5];
  total_all = total_all + reduce[6];
  total_all = total_all + reduce[7];
  total = total_all;
  if (threadIdx_x == 0) {
    B[0] = total;
  }
}
