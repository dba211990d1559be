// argmax_serial_kernel
// target: OpenCL C 1.2

// argmax_serial_kernel: grid (5, 1, 1), block (1, 1, 1)
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void argmax_serial_kernel(
    __global const int* restrict index_,
    __global const float* restrict value,
    __global int* restrict best_v0,
    __global float* restrict best_v1) {
  const int blockIdx_x = (int)get_group_id(0);
  best_v0[blockIdx_x] = 2147483647;
  best_v1[blockIdx_x] = -3.4028235e+38f;
  for (int k = 0; k < 24; ++k) {
    const int value_at = blockIdx_x * 24 + k;
    const float value_item = value[value_at];
    const int index_item = index_[value_at];
    const float t = best_v1[blockIdx_x];
    const bool best_cond = t > value_item || (t == value_item && best_v0[blockIdx_x] < index_item);
    const int best_v0_1 = best_cond ? best_v0[blockIdx_x] : index_item;
    const float best_v1_1 = best_cond ? best_v1[blockIdx_x] : value_item;
    best_v0[blockIdx_x] = best_v0_1;
    best_v1[blockIdx_x] = best_v1_1;
  }
}
