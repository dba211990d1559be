// row_cluster_kernel
// target: OpenCL C 1.2

// row_cluster_kernel: grid (3, 1, 1), block (8, 2, 4)
__kernel __attribute__((reqd_work_group_size(8, 2, 4))) void row_cluster_kernel(
    __global const float* restrict A,
    __global float* restrict B) {
  __local float reduce[64] __attribute__((aligned(16)));
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_y = (int)get_local_id(1);
  const int threadIdx_z = (int)get_local_id(2);
  const int threadIdx_x = (int)get_local_id(0);
  const int A_at = blockIdx_x * 122 + threadIdx_y * 61;
  const int reduce_at = threadIdx_z * 8 + threadIdx_x;
  const int reduce_at_1 = threadIdx_y * 32 + reduce_at;
  float M;
  float M_part;
  float M_all;
  float S;
  float S_part;
  float S_all;
  M_part = -INFINITY;
  for (int k_outer = 0; k_outer < 2; ++k_outer) {
    if (k_outer * 32 + threadIdx_z * 8 + threadIdx_x < 61) {
      M_part = fmax(M_part, A[A_at + k_outer * 32 + threadIdx_z * 8 + threadIdx_x]);
    }
  }
  reduce[reduce_at_1] = M_part;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (reduce_at < 8) {
    M_all = reduce[reduce_at_1];
    __attribute__((opencl_unroll_hint))
    for (int j = 0; j < 3; ++j) {
      M_all = fmax(M_all, reduce[reduce_at_1 + (j + 1) * 8]);
    }
    reduce[reduce_at_1] = M_all;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  M_all = reduce[threadIdx_y * 32];
  __attribute__((opencl_unroll_hint))
  for (int j_1 = 0; j_1 < 7; ++j_1) {
    M_all = fmax(M_all, reduce[threadIdx_y * 32 + (j_1 + 1)]);
  }
  M = M_all;
  S_part = 0.0f;
  for (int r_outer = 0; r_outer < 2; ++r_outer) {
    if (r_outer * 32 + threadIdx_z * 8 + threadIdx_x < 61) {
      S_part = S_part + (A[A_at + r_outer * 32 + threadIdx_z * 8 + threadIdx_x] - M);
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  reduce[reduce_at_1] = S_part;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (reduce_at < 8) {
    S_all = reduce[reduce_at_1];
    __attribute__((opencl_unroll_hint))
    for (int j_2 = 0; j_2 < 3; ++j_2) {
      S_all = S_all + reduce[reduce_at_1 + (j_2 + 1) * 8];
    }
    reduce[reduce_at_1] = S_all;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  S_all = reduce[threadIdx_y * 32];
  __attribute__((opencl_unroll_hint))
  for (int j_3 = 0; j_3 < 7; ++j_3) {
    S_all = S_all + reduce[threadIdx_y * 32 + (j_3 + 1)];
  }
  S = S_all;
  for (int j_outer = 0; j_outer < 2; ++j_outer) {
    const int B_at = A_at + j_outer * 32 + threadIdx_z * 8 + threadIdx_x;
    if (j_outer * 32 + threadIdx_z * 8 + threadIdx_x < 61) {
      B[B_at] = A[B_at] * S;
    }
  }
}
