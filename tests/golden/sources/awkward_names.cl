// awkward_names_kernel
// target: OpenCL C 1.2

// awkward_names_kernel: grid (3, 1, 1), block (4, 1, 1)
__kernel __attribute__((reqd_work_group_size(4, 1, 1))) void awkward_names_kernel(
    __global const float* restrict float_,
    __global const float* restrict my_input,
    __global float* restrict v3rd_result) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int v3rd_result_at = blockIdx_x * 4 + threadIdx_x;
  v3rd_result[v3rd_result_at] = float_[v3rd_result_at] + my_input[v3rd_result_at];
}
