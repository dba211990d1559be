// softmax_5x50_float32_kernel
// target: OpenCL C 1.2

// softmax_5x50_float32_kernel: grid (5, 1, 1), block (32, 1, 1)
__kernel __attribute__((reqd_work_group_size(32, 1, 1))) void softmax_5x50_float32_kernel(
    __global const float* restrict A,
    __global float* restrict B) {
  __local float reduce[32] __attribute__((aligned(16)));
  __local float row_max[1];
  __local float row_sum[1];
  const int threadIdx_x = (int)get_local_id(0);
  const int blockIdx_x = (int)get_group_id(0);
  float row_max_part;
  float row_max_all;
  float row_sum_part;
  float row_sum_all;
  row_max_part = -INFINITY;
  for (int k_outer = 0; k_outer < 2; ++k_outer) {
    if (k_outer * 32 + threadIdx_x < 50) {
      row_max_part = fmax(row_max_part, A[blockIdx_x * 50 + k_outer * 32 + threadIdx_x]);
    }
  }
  reduce[threadIdx_x] = row_max_part;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 16) {
    reduce[threadIdx_x] = fmax(reduce[threadIdx_x], reduce[threadIdx_x + 16]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 8) {
    reduce[threadIdx_x] = fmax(reduce[threadIdx_x], reduce[threadIdx_x + 8]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 4) {
    reduce[threadIdx_x] = fmax(reduce[threadIdx_x], reduce[threadIdx_x + 4]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 2) {
    reduce[threadIdx_x] = fmax(reduce[threadIdx_x], reduce[threadIdx_x + 2]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 1) {
    reduce[threadIdx_x] = fmax(reduce[threadIdx_x], reduce[threadIdx_x + 1]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  row_max_all = reduce[0];
  if (threadIdx_x == 0) {
    row_max[0] = row_max_all;
  }
  row_sum_part = 0.0f;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int k_outer_1 = 0; k_outer_1 < 2; ++k_outer_1) {
    if (k_outer_1 * 32 + threadIdx_x < 50) {
      row_sum_part = row_sum_part + exp(A[blockIdx_x * 50 + k_outer_1 * 32 + threadIdx_x] - row_max[0]);
    }
  }
  reduce[threadIdx_x] = row_sum_part;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 16) {
    reduce[threadIdx_x] = reduce[threadIdx_x] + reduce[threadIdx_x + 16];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 8) {
    reduce[threadIdx_x] = reduce[threadIdx_x] + reduce[threadIdx_x + 8];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 4) {
    reduce[threadIdx_x] = reduce[threadIdx_x] + reduce[threadIdx_x + 4];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 2) {
    reduce[threadIdx_x] = reduce[threadIdx_x] + reduce[threadIdx_x + 2];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 1) {
    reduce[threadIdx_x] = reduce[threadIdx_x] + reduce[threadIdx_x + 1];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  row_sum_all = reduce[0];
  if (threadIdx_x == 0) {
    row_sum[0] = row_sum_all;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int j_outer = 0; j_outer < 2; ++j_outer) {
    const int B_at = blockIdx_x * 50 + j_outer * 32 + threadIdx_x;
    if (j_outer * 32 + threadIdx_x < 50) {
      B[B_at] = exp(A[B_at] - row_max[0]) / row_sum[0];
    }
  }
}
