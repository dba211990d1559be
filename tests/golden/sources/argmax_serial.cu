// argmax_serial_kernel
// target: CUDA C, sm_90

// argmax_serial_kernel: grid (5, 1, 1), block (1, 1, 1)
extern "C" __global__ void __launch_bounds__(1) argmax_serial_kernel(
    const int* __restrict__ index_,
    const float* __restrict__ value,
    int* __restrict__ best_v0,
    float* __restrict__ best_v1) {
  const int blockIdx_x = (int)blockIdx.x;
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
