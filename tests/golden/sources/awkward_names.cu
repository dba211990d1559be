// awkward_names_kernel
// target: CUDA C, sm_90

// awkward_names_kernel: grid (3, 1, 1), block (4, 1, 1)
extern "C" __global__ void __launch_bounds__(4) awkward_names_kernel(
    const float* __restrict__ float_,
    const float* __restrict__ my_input,
    float* __restrict__ v3rd_result) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int v3rd_result_at = blockIdx_x * 4 + threadIdx_x;
  v3rd_result[v3rd_result_at] = float_[v3rd_result_at] + my_input[v3rd_result_at];
}
