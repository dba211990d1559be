// row_argmax_7x50_float32_kernel
// target: OpenCL C 1.2

// row_argmax_7x50_float32_kernel: grid (1, 1, 1), block (16, 16, 1)
__kernel __attribute__((reqd_work_group_size(16, 16, 1))) void row_argmax_7x50_float32_kernel(
    __global const float* restrict A,
    __global int* restrict B) {
  __local int reduce[256] __attribute__((aligned(16)));
  __local float reduce_1[256] __attribute__((aligned(16)));
  const int threadIdx_y = (int)get_local_id(1);
  const int threadIdx_x = (int)get_local_id(0);
  const int reduce_at = threadIdx_y * 16 + threadIdx_x;
  const int reduce_at_1 = threadIdx_y * 16 + threadIdx_x * 4;
  float row_best_v1;
  int row_best_v0;
  float row_best_part1;
  int row_best_part;
  float row_best_all1;
  int row_best_all;
  float X[2];
  row_best_part = 2147483647;
  row_best_part1 = -INFINITY;
  __attribute__((opencl_unroll_hint))
  for (int k_outer_outer = 0; k_outer_outer < 2; ++k_outer_outer) {
    const int at = k_outer_outer * 16 + threadIdx_x;
    vstore2(threadIdx_y < 7 && at < 25 ? *(__global const float2*)(A + (threadIdx_y * 50 + k_outer_outer * 32 + threadIdx_x * 2)) : (float2)(0.0f), 0, X);
    if (at < 25) {
      __attribute__((opencl_unroll_hint))
      for (int k_inner = 0; k_inner < 2; ++k_inner) {
        const int row_best_item = k_outer_outer * 32 + threadIdx_x * 2 + k_inner;
        const float X_item = X[k_inner];
        const bool row_best_cond = X_item != X_item;
        const float row_best_item_1 = row_best_cond ? INFINITY : X_item;
        const int row_best_item_2 = row_best_cond ? row_best_item + (-2147483647 - 1) : row_best_item;
        const bool row_best_cond_1 = row_best_part1 > row_best_item_1 || (row_best_part1 == row_best_item_1 && row_best_part <= row_best_item_2);
        const int row_best_v0_1 = row_best_cond_1 ? row_best_part : row_best_item_2;
        const float row_best_v1_1 = row_best_cond_1 ? row_best_part1 : row_best_item_1;
        row_best_part = row_best_v0_1;
        row_best_part1 = row_best_v1_1;
      }
    }
  }
  const int reduce_next = row_best_part;
  const float reduce_next_1 = row_best_part1;
  reduce[reduce_at] = reduce_next;
  reduce_1[reduce_at] = reduce_next_1;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 4) {
    const int row_best_all_next = reduce[reduce_at_1];
    const float row_best_all1_next = reduce_1[reduce_at_1];
    row_best_all = row_best_all_next;
    row_best_all1 = row_best_all1_next;
    __attribute__((opencl_unroll_hint))
    for (int j = 0; j < 3; ++j) {
      const int reduce_at_2 = reduce_at_1 + (j + 1);
      const float reduce_item = reduce_1[reduce_at_2];
      const int reduce_item_1 = reduce[reduce_at_2];
      const bool row_best_all_cond = row_best_all1 > reduce_item || (row_best_all1 == reduce_item && row_best_all <= reduce_item_1);
      const int row_best_all_next_1 = row_best_all_cond ? row_best_all : reduce_item_1;
      const float row_best_all1_next_1 = row_best_all_cond ? row_best_all1 : reduce_item;
      row_best_all = row_best_all_next_1;
      row_best_all1 = row_best_all1_next_1;
    }
    const int reduce_next_2 = row_best_all;
    const float reduce_next_3 = row_best_all1;
    reduce[reduce_at_1] = reduce_next_2;
    reduce_1[reduce_at_1] = reduce_next_3;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  const int row_best_all_next_2 = reduce[threadIdx_y * 16];
  const float row_best_all1_next_2 = reduce_1[threadIdx_y * 16];
  row_best_all = row_best_all_next_2;
  row_best_all1 = row_best_all1_next_2;
  __attribute__((opencl_unroll_hint))
  for (int j_1 = 0; j_1 < 3; ++j_1) {
    const int reduce_at_3 = threadIdx_y * 16 + (j_1 + 1) * 4;
    const float reduce_item_2 = reduce_1[reduce_at_3];
    const int reduce_item_3 = reduce[reduce_at_3];
    const bool row_best_all_cond_1 = row_best_all1 > reduce_item_2 || (row_best_all1 == reduce_item_2 && row_best_all <= reduce_item_3);
    const int row_best_all_next_3 = row_best_all_cond_1 ? row_best_all : reduce_item_3;
    const float row_best_all1_next_3 = row_best_all_cond_1 ? row_best_all1 : reduce_item_2;
    row_best_all = row_best_all_next_3;
    row_best_all1 = row_best_all1_next_3;
  }
  row_best_v0 = row_best_all;
  row_best_v1 = row_best_all1;
  if (threadIdx_y < 7 && threadIdx_x == 0) {
    B[threadIdx_y] = row_best_v0 & 2147483647;
  }
}
