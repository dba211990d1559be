// rfactor_sum_kernel
// target: OpenCL C 1.2

// rfactor_sum_kernel: grid (4, 1, 1), block (16, 1, 1)
__kernel __attribute__((reqd_work_group_size(16, 1, 1))) void rfactor_sum_kernel(
    __global const float* restrict A,
    __global float* restrict B) {
  __local float reduce[16] __attribute__((aligned(16)));
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  float B_rf;
  float B_all;
  B_rf = 0.0f;
  for (int k_outer = 0; k_outer < 4; ++k_outer) {
    B_rf = B_rf + A[blockIdx_x * 64 + k_outer * 16 + threadIdx_x];
  }
  reduce[threadIdx_x] = B_rf;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 4) {
    B_all = reduce[threadIdx_x];
    __attribute__((opencl_unroll_hint))
    for (int j = 0; j < 3; ++j) {
      B_all = B_all + reduce[threadIdx_x + (j + 1) * 4];
    }
    reduce[threadIdx_x] = B_all;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  B_all = reduce[0];
  __attribute__((opencl_unroll_hint))
  for (int j_1 = 0; j_1 < 3; ++j_1) {
    B_all = B_all + reduce[j_1 + 1];
  }
  if (threadIdx_x == 0) {
    B[blockIdx_x] = B_all;
  }
}
