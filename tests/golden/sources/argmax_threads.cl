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
    const int index_at = blockIdx_x * 24 + k_outer * 8 + threadIdx_x;
    const float t = value[index_at];
    const int t_1 = index_[index_at];
    const int best_v0_1 = best_part1 > t || (best_part1 == t && best_part < t_1) ? best_part : t_1;
    const float t_2 = value[index_at];
    const float best_v1_1 = best_part1 > t_2 || (best_part1 == t_2 && best_part < index_[index_at]) ? best_part1 : t_2;
    best_part = best_v0_1;
    best_part1 = best_v1_1;
  }
  const int reduce_next = best_part;
  const float reduce_next_1 = best_part1;
  reduce[threadIdx_x] = reduce_next;
  reduce_1[threadIdx_x] = reduce_next_1;
  barrier(CLK_LOCAL_MEM_FENCE);
  if ((threadIdx_x & 1) == 0) {
    const float t_3 = reduce_1[threadIdx_x];
    const float t_4 = reduce_1[threadIdx_x + 1];
    const int t_5 = reduce[threadIdx_x];
    const int t_6 = reduce[threadIdx_x + 1];
    const int reduce_next_2 = t_3 > t_4 || (t_3 == t_4 && t_5 < t_6) ? t_5 : t_6;
    const float t_7 = reduce_1[threadIdx_x];
    const float t_8 = reduce_1[threadIdx_x + 1];
    const float reduce_next_3 = t_7 > t_8 || (t_7 == t_8 && reduce[threadIdx_x] < reduce[threadIdx_x + 1]) ? t_7 : t_8;
    reduce[threadIdx_x] = reduce_next_2;
    reduce_1[threadIdx_x] = reduce_next_3;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if ((threadIdx_x & 3) == 0) {
    const float t_9 = reduce_1[threadIdx_x];
    const float t_10 = reduce_1[threadIdx_x + 2];
    const int t_11 = reduce[threadIdx_x];
    const int t_12 = reduce[threadIdx_x + 2];
    const int reduce_next_4 = t_9 > t_10 || (t_9 == t_10 && t_11 < t_12) ? t_11 : t_12;
    const float t_13 = reduce_1[threadIdx_x];
    const float t_14 = reduce_1[threadIdx_x + 2];
    const float reduce_next_5 = t_13 > t_14 || (t_13 == t_14 && reduce[threadIdx_x] < reduce[threadIdx_x + 2]) ? t_13 : t_14;
    reduce[threadIdx_x] = reduce_next_4;
    reduce_1[threadIdx_x] = reduce_next_5;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x == 0) {
    const float t_15 = reduce_1[threadIdx_x];
    const float t_16 = reduce_1[threadIdx_x + 4];
    const int t_17 = reduce[threadIdx_x];
    const int t_18 = reduce[threadIdx_x + 4];
    const int reduce_next_6 = t_15 > t_16 || (t_15 == t_16 && t_17 < t_18) ? t_17 : t_18;
    const float t_19 = reduce_1[threadIdx_x];
    const float t_20 = reduce_1[threadIdx_x + 4];
    const float reduce_next_7 = t_19 > t_20 || (t_19 == t_20 && reduce[threadIdx_x] < reduce[threadIdx_x + 4]) ? t_19 : t_20;
    reduce[threadIdx_x] = reduce_next_6;
    reduce_1[threadIdx_x] = reduce_next_7;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  const int best_all_next = reduce[0];
  const float best_all1_next = reduce_1[0];
  best_all = best_all_next;
  best_all1 = best_all1_next;
  if (threadIdx_x == 0) {
    best_v0[blockIdx_x] = best_all;
    best_v1[blockIdx_x] = best_all1;
  }
}
