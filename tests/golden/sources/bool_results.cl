// bool_results_kernel
// target: OpenCL C 1.2

// bool_results_kernel: grid (8, 1, 1), block (8, 1, 1)
__kernel __attribute__((reqd_work_group_size(8, 1, 1))) void bool_results_kernel(
    __global const float* restrict A,
    __global uchar* restrict B) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int B_at = blockIdx_x * 8 + threadIdx_x;
  B[B_at] = A[B_at] > 0.25f;
}
