// row_sum_32_threads_kernel
// target: OpenCL C 1.2

// row_sum_32_threads_kernel: grid (6, 1, 1), block (32, 1, 1)
__kernel __attribute__((reqd_work_group_size(32, 1, 1))) void row_sum_32_threads_kernel(
    __global const float* restrict A,
    __global float* restrict B) {
  __local float reduce[32] __attribute__((aligned(16)));
  const int threadIdx_x = (int)get_local_id(0);
  const int blockIdx_x = (int)get_group_id(0);
  float B_part;
  float B_all;
  B_part = 0.0f;
  for (int k_outer = 0; k_outer < 2; ++k_outer) {
    if (k_outer * 32 + threadIdx_x < 50) {
      B_part = B_part + A[blockIdx_x * 50 + k_outer * 32 + threadIdx_x];
    }
  }
  reduce[threadIdx_x] = B_part;
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
  B_all = reduce[0];
  if (threadIdx_x == 0) {
    B[blockIdx_x] = B_all;
  }
}
