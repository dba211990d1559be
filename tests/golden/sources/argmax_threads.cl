// argmax_threads_kernel
// target: OpenCL C 1.2

// argmax_threads_kernel: grid (5, 1, 1), block (8, 1, 1)
__kernel __attribute__((reqd_work_group_size(8, 1, 1))) void argmax_threads_kernel(
    __global const int* restrict index_,
    __global const float* restrict value,
    __global int* restrict best_v0,
    __global float* restrict best_v1) {
  __local int reduce[8] __attribute__((aligned(16)));
  __local float reduce_1[8] __attribute__((aligned(16)));
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  float best_part1;
  int best_part;
  float best_all1;
  int best_all;
  best_part = 2147483647;
  best_part1 = -3.4028235e+38f;
  for (int k_outer = 0; k_outer < 3; ++k_outer) {
    const int value_at = blockIdx_x * 24 + k_outer * 8 + threadIdx_x;
    const float value_item = value[value_at];
    const int index_item = index_[value_at];
    const bool best_cond = best_part1 > value_item || (best_part1 == value_item && best_part < index_item);
    const int best_v0_1 = best_cond ? best_part : index_item;
    const float best_v1_1 = best_cond ? best_part1 : value_item;
    best_part = best_v0_1;
    best_part1 = best_v1_1;
  }
  const int reduce_next = best_part;
  const float reduce_next_1 = best_part1;
  reduce[threadIdx_x] = reduce_next;
  reduce_1[threadIdx_x] = reduce_next_1;
  barrier(CLK_LOCAL_MEM_FENCE);
  const int best_all_next = reduce[0];
  const float best_all1_next = reduce_1[0];
  best_all = best_all_next;
  best_all1 = best_all1_next;
  __attribute__((opencl_unroll_hint))
  for (int j = 0; j < 7; ++j) {
    const float reduce_item = reduce_1[j + 1];
    const int reduce_item_1 = reduce[j + 1];
    const bool best_all_cond = best_all1 > reduce_item || (best_all1 == reduce_item && best_all < reduce_item_1);
    const int best_all_next_1 = best_all_cond ? best_all : reduce_item_1;
    const float best_all1_next_1 = best_all_cond ? best_all1 : reduce_item;
    best_all = best_all_next_1;
    best_all1 = best_all1_next_1;
  }
  if (threadIdx_x == 0) {
    best_v0[blockIdx_x] = best_all;
    best_v1[blockIdx_x] = best_all1;
  }
}
