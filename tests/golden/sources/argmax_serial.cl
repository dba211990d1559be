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
    const int index_at = blockIdx_x * 24 + k;
    const float t = best_v1[blockIdx_x];
    const float t_1 = value[index_at];
    const int t_2 = best_v0[blockIdx_x];
    const int t_3 = index_[index_at];
    const int best_v0_1 = t > t_1 || (t == t_1 && t_2 < t_3) ? t_2 : t_3;
    const float t_4 = best_v1[blockIdx_x];
    const float t_5 = value[index_at];
    const float best_v1_1 = t_4 > t_5 || (t_4 == t_5 && best_v0[blockIdx_x] < index_[index_at]) ? t_4 : t_5;
    best_v0[blockIdx_x] = best_v0_1;
    best_v1[blockIdx_x] = best_v1_1;
  }
}
