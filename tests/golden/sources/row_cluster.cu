// row_cluster_kernel
// target: CUDA C, sm_90

static __device__ __forceinline__ void gc_cluster_barrier() {
  asm volatile("barrier.cluster.arrive.release.aligned;\n\tbarrier.cluster.wait.acquire.aligned;" : : : "memory");
}

static __device__ __forceinline__ float gc_cluster_load_float32(const float* p, unsigned int rank) {
  const unsigned int own = (unsigned int)__cvta_generic_to_shared(p);
  unsigned int peer;
  float value;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(peer) : "r"(own), "r"(rank));
  asm volatile("ld.shared::cluster.f32 %0, [%1];" : "=f"(value) : "r"(peer) : "memory");
  return (float)value;
}

// row_cluster_kernel: grid (3, 1, 1), block (8, 2, 1), each block a cluster of 4
extern "C" __global__ void __cluster_dims__(4, 1, 1) __launch_bounds__(16) row_cluster_kernel(
    const float* __restrict__ A,
    float* __restrict__ B) {
  __shared__ float cluster_slot[2];
  __shared__ float cluster_slot_1[2];
  const int blockIdx_x = (int)(blockIdx.x / 4u);
  const int threadIdx_y = (int)threadIdx.y;
  const int clusterIdx_x = (int)(blockIdx.x % 4u);
  const int threadIdx_x = (int)threadIdx.x;
  const int A_at = blockIdx_x * 122 + threadIdx_y * 61;
  float M;
  float M_part;
  float M_all;
  float S;
  float S_part;
  float S_all;
  M_part = -__int_as_float(0x7f800000);
  for (int k_outer = 0; k_outer < 2; ++k_outer) {
    if (k_outer * 32 + clusterIdx_x * 8 + threadIdx_x < 61) {
      M_part = fmaxf(M_part, A[A_at + k_outer * 32 + clusterIdx_x * 8 + threadIdx_x]);
    }
  }
  const unsigned int lanes = 255u << (unsigned int)(threadIdx_y * 8);
  M_all = M_part;
  const float M_all_peer = __shfl_xor_sync(lanes, M_all, 1, 8);
  M_all = fmaxf(M_all, M_all_peer);
  const float M_all_peer_1 = __shfl_xor_sync(lanes, M_all, 2, 8);
  M_all = fmaxf(M_all, M_all_peer_1);
  const float M_all_peer_2 = __shfl_xor_sync(lanes, M_all, 4, 8);
  M_all = fmaxf(M_all, M_all_peer_2);
  if (threadIdx_x == 0) {
    cluster_slot[threadIdx_y] = M_all;
  }
  gc_cluster_barrier();
  const float M_all_block_0 = gc_cluster_load_float32(cluster_slot + threadIdx_y, 0);
  const float M_all_block_1 = gc_cluster_load_float32(cluster_slot + threadIdx_y, 1);
  const float M_all_block_2 = gc_cluster_load_float32(cluster_slot + threadIdx_y, 2);
  const float M_all_block_3 = gc_cluster_load_float32(cluster_slot + threadIdx_y, 3);
  M_all = fmaxf(fmaxf(fmaxf(M_all_block_0, M_all_block_1), M_all_block_2), M_all_block_3);
  M = M_all;
  S_part = 0.0f;
  for (int r_outer = 0; r_outer < 2; ++r_outer) {
    if (r_outer * 32 + clusterIdx_x * 8 + threadIdx_x < 61) {
      S_part = S_part + (A[A_at + r_outer * 32 + clusterIdx_x * 8 + threadIdx_x] - M);
    }
  }
  const unsigned int lanes_1 = 255u << (unsigned int)(threadIdx_y * 8);
  S_all = S_part;
  const float S_all_peer = __shfl_xor_sync(lanes_1, S_all, 1, 8);
  S_all = S_all + S_all_peer;
  const float S_all_peer_1 = __shfl_xor_sync(lanes_1, S_all, 2, 8);
  S_all = S_all + S_all_peer_1;
  const float S_all_peer_2 = __shfl_xor_sync(lanes_1, S_all, 4, 8);
  S_all = S_all + S_all_peer_2;
  if (threadIdx_x == 0) {
    cluster_slot_1[threadIdx_y] = S_all;
  }
  gc_cluster_barrier();
  const float S_all_block_0 = gc_cluster_load_float32(cluster_slot_1 + threadIdx_y, 0);
  const float S_all_block_1 = gc_cluster_load_float32(cluster_slot_1 + threadIdx_y, 1);
  const float S_all_block_2 = gc_cluster_load_float32(cluster_slot_1 + threadIdx_y, 2);
  const float S_all_block_3 = gc_cluster_load_float32(cluster_slot_1 + threadIdx_y, 3);
  S_all = S_all_block_0 + S_all_block_1 + S_all_block_2 + S_all_block_3;
  gc_cluster_barrier();
  S = S_all;
  for (int j_outer = 0; j_outer < 2; ++j_outer) {
    const int B_at = A_at + j_outer * 32 + clusterIdx_x * 8 + threadIdx_x;
    if (j_outer * 32 + clusterIdx_x * 8 + threadIdx_x < 61) {
      B[B_at] = A[B_at] * S;
    }
  }
}
