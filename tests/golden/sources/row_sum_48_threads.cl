// row_sum_48_threads_kernel
// target: OpenCL C 1.2

// row_sum_48_threads_kernel: grid (6, 1, 1), block (48, 1, 1)
__kernel __attribute__((reqd_work_group_size(48, 1, 1))) void row_sum_48_threads_kernel(
    __global const float* restrict A,
    __global float* restrict B) {
  __local float reduce[48] __attribute__((aligned(16)));
  const int threadIdx_x = (int)get_local_id(0);
  const int blockIdx_x = (int)get_group_id(0);
  float B_part;
  float B_all;
  B_part = 0.0f;
  for (int k_outer = 0; k_outer < 2; ++k_outer) {
    if (k_outer * 48 + threadIdx_x < 50) {
      B_part = B_part + A[blockIdx_x * 50 + k_outer * 48 + threadIdx_x];
    }
  }
  reduce[threadIdx_x] = B_part;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 8) {
    B_all = reduce[threadIdx_x];
    __attribute__((opencl_unroll_hint))
    for (int j = 0; j < 5; ++j) {
      B_all = B_all + reduce[threadIdx_x + (j + 1) * 8];
    }
    reduce[threadIdx_x] = B_all;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  B_all = reduce[0];
  __attribute__((opencl_unroll_hint))
  for (int j_1 = 0; j_1 < 7; ++j_1) {
    B_all = B_all + reduce[j_1 + 1];
  }
  if (threadIdx_x == 0) {
    B[blockIdx_x] = B_all;
  }
}
