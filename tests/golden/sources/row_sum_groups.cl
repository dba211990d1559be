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
  const int at = blockIdx_x * 4 + threadIdx_y;
  float B_part;
  float B_all;
  B_part = 0.0f;
  if (at < 13) {
    for (int k_outer = 0; k_outer < 5; ++k_outer) {
      B_part = B_part + A[blockIdx_x * 160 + threadIdx_y * 40 + k_outer * 8 + threadIdx_x];
    }
  }
  reduce[threadIdx_y * 8 + threadIdx_x] = B_part;
  barrier(CLK_LOCAL_MEM_FENCE);
  B_all = reduce[threadIdx_y * 8];
  __attribute__((opencl_unroll_hint))
  for (int j = 0; j < 7; ++j) {
    B_all = B_all + reduce[threadIdx_y * 8 + (j + 1)];
  }
  if (at < 13 && threadIdx_x == 0) {
    B[at] = B_all;
  }
}
