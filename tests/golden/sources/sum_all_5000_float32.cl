// sum_all_5000_float32_kernel, sum_all_5000_float32_kernel_1
// target: OpenCL C 1.2

// sum_all_5000_float32_kernel: grid (2, 1, 1), block (256, 1, 1)
__kernel __attribute__((reqd_work_group_size(256, 1, 1))) void sum_all_5000_float32_kernel(
    __global const float* restrict A,
    __global float* restrict total_rf) {
  __local float reduce[256] __attribute__((aligned(16)));
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  float total_rf_part;
  float total_rf_all;
  float X[4];
  total_rf_part = 0.0f;
  __attribute__((opencl_unroll_hint))
  for (int k_inner_outer_outer = 0; k_inner_outer_outer < 4; ++k_inner_outer_outer) {
    const int at = blockIdx_x * 1024 + k_inner_outer_outer * 256 + threadIdx_x;
    vstore4(at < 1250 ? *(__global const float4*)(A + (blockIdx_x * 4096 + k_inner_outer_outer * 1024 + threadIdx_x * 4)) : (float4)(0.0f), 0, X);
    if (at < 1250) {
      __attribute__((opencl_unroll_hint))
      for (int k_inner_inner = 0; k_inner_inner < 4; ++k_inner_inner) {
        total_rf_part = total_rf_part + X[k_inner_inner];
      }
    }
  }
  reduce[threadIdx_x] = total_rf_part;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 16) {
    total_rf_all = reduce[threadIdx_x];
    __attribute__((opencl_unroll_hint))
    for (int j = 0; j < 15; ++j) {
      total_rf_all = total_rf_all + reduce[threadIdx_x + (j + 1) * 16];
    }
    reduce[threadIdx_x] = total_rf_all;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  total_rf_all = reduce[0];
  __attribute__((opencl_unroll_hint))
  for (int j_1 = 0; j_1 < 15; ++j_1) {
    total_rf_all = total_rf_all + reduce[j_1 + 1];
  }
  if (threadIdx_x == 0) {
    total_rf[blockIdx_x] = total_rf_all;
  }
}

// sum_all_5000_float32_kernel_1: grid (1, 1, 1), block (256, 1, 1)
__kernel __attribute__((reqd_work_group_size(256, 1, 1))) void sum_all_5000_float32_kernel_1(
    __global float* restrict B,
    __global const float* restrict total_rf) {
  __local float reduce[256] __attribute__((aligned(16)));
  const int threadIdx_x = (int)get_local_id(0);
  float total;
  float total_all;
  reduce[threadIdx_x] = threadIdx_x < 2 ? total_rf[threadIdx_x] : 0.0f;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 16) {
    total_all = reduce[threadIdx_x];
    __attribute__((opencl_unroll_hint))
    for (int j = 0; j < 15; ++j) {
      total_all = total_all + reduce[threadIdx_x + (j + 1) * 16];
    }
    reduce[threadIdx_x] = total_all;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  total_all = reduce[0];
  __attribute__((opencl_unroll_hint))
  for (int j_1 = 0; j_1 < 15; ++j_1) {
    total_all = total_all + reduce[j_1 + 1];
  }
  total = total_all;
  if (threadIdx_x == 0) {
    B[0] = total;
  }
}
