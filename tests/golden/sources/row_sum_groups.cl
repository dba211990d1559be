// row_sum_groups_kernel
// target: OpenCL C 1.2

// row_sum_groups_kernel: grid (4, 1, 1), block (8, 4, 1)
__kernel __attribute__((reqd_work_group_size(8, 4, 1))) void row_sum_groups_kernel(
    __global const float* restrict A,
    __global float* restrict B) {
  __local float reduce[32] __attribute__((aligned(16)));
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_y = (int)get_local_id(1);
  const int threadIdx_x = (int)get_local_id(0);
  float B_part[1];
  float B_all[1];
  B_part[0] = 0.0f;
  if (blockIdx_x * 4 + threadIdx_y < 13) {
    for (int k_outer = 0; k_outer < 5; ++k_outer) {
      B_part[0] = B_part[0] + A[blockIdx_x * 160 + threadIdx_y * 40 + k_outer * 8 + threadIdx_x];
    }
  }
  reduce[threadIdx_y * 8 + threadIdx_x] = B_part[0];
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 4) {
    reduce[threadIdx_y * 8 + threadIdx_x] = reduce[threadIdx_y * 8 + threadIdx_x] + reduce[threadIdx_y * 8 + threadIdx_x + 4];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 2) {
    reduce[threadIdx_y * 8 + threadIdx_x] = reduce[threadIdx_y * 8 + threadIdx_x] + reduce[threadIdx_y * 8 + threadIdx_x + 2];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 1) {
    reduce[threadIdx_y * 8 + threadIdx_x] = reduce[threadIdx_y * 8 + threadIdx_x] + reduce[threadIdx_y * 8 + threadIdx_x + 1];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  B_all[0] = reduce[threadIdx_y * 8];
  if (blockIdx_x * 4 + threadIdx_y < 13 && threadIdx_x == 0) {
    B[blockIdx_x * 4 + threadIdx_y] = B_all[0];
  }
}
