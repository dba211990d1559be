// softmax_5x50_float32_kernel
// target: OpenCL C 1.2

// softmax_5x50_float32_kernel: grid (1, 1, 1), block (8, 16, 1)
__kernel __attribute__((reqd_work_group_size(8, 16, 1))) void softmax_5x50_float32_kernel(
    __global const float* restrict A,
    __global float* restrict B) {
  __local float reduce[128] __attribute__((aligned(16)));
  const int threadIdx_y = (int)get_local_id(1);
  const int threadIdx_x = (int)get_local_id(0);
  const int reduce_at = threadIdx_y * 8 + threadIdx_x;
  float X[8];
  float row_max;
  float row_max_part;
  float row_max_all;
  float row_exp[8];
  float row_sum;
  float row_sum_part;
  float row_sum_all;
  float row_scale;
  __attribute__((opencl_unroll_hint))
  for (int i1 = 0; i1 < 4; ++i1) {
    vstore2(threadIdx_y < 5 ? (threadIdx_x + i1 * 8 < 25 ? *(__global const float2*)(A + (threadIdx_y * 50 + threadIdx_x * 2 + i1 * 16)) : (float2)(0.0f)) : (float2)(0.0f), 0, X + i1 * 2);
  }
  row_max_part = -INFINITY;
  __attribute__((opencl_unroll_hint))
  for (int k_outer_outer = 0; k_outer_outer < 4; ++k_outer_outer) {
    if (k_outer_outer * 8 + threadIdx_x < 25) {
      __attribute__((opencl_unroll_hint))
      for (int k_inner = 0; k_inner < 2; ++k_inner) {
        row_max_part = fmax(row_max_part, X[k_outer_outer * 2 + k_inner]);
      }
    }
  }
  reduce[reduce_at] = row_max_part;
  barrier(CLK_LOCAL_MEM_FENCE);
  row_max_all = reduce[threadIdx_y * 8];
  __attribute__((opencl_unroll_hint))
  for (int j = 0; j < 7; ++j) {
    row_max_all = fmax(row_max_all, reduce[threadIdx_y * 8 + (j + 1)]);
  }
  row_max = row_max_all;
  __attribute__((opencl_unroll_hint))
  for (int i1_1 = 0; i1_1 < 4; ++i1_1) {
    vstore2(threadIdx_x + i1_1 * 8 < 25 ? exp2((vload2(0, X + i1_1 * 2) - (float2)(row_max)) * (float2)(1.442695f)) : (float2)(0.0f), 0, row_exp + i1_1 * 2);
  }
  row_sum_part = 0.0f;
  __attribute__((opencl_unroll_hint))
  for (int k_outer_outer_1 = 0; k_outer_outer_1 < 4; ++k_outer_outer_1) {
    if (k_outer_outer_1 * 8 + threadIdx_x < 25) {
      __attribute__((opencl_unroll_hint))
      for (int k_inner_1 = 0; k_inner_1 < 2; ++k_inner_1) {
        row_sum_part = row_sum_part + row_exp[k_outer_outer_1 * 2 + k_inner_1];
      }
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  reduce[reduce_at] = row_sum_part;
  barrier(CLK_LOCAL_MEM_FENCE);
  row_sum_all = reduce[threadIdx_y * 8];
  __attribute__((opencl_unroll_hint))
  for (int j_1 = 0; j_1 < 7; ++j_1) {
    row_sum_all = row_sum_all + reduce[threadIdx_y * 8 + (j_1 + 1)];
  }
  row_sum = row_sum_all;
  row_scale = 1.0f / row_sum;
  if (threadIdx_y < 5) {
    __attribute__((opencl_unroll_hint))
    for (int j_outer_outer = 0; j_outer_outer < 4; ++j_outer_outer) {
      if (j_outer_outer * 8 + threadIdx_x < 25) {
        *(__global float2*)(B + (threadIdx_y * 50 + j_outer_outer * 16 + threadIdx_x * 2)) = vload2(0, row_exp + j_outer_outer * 2) * (float2)(row_scale);
      }
    }
  }
}
