// virtual_threads_kernel
// target: OpenCL C 1.2

// virtual_threads_kernel: grid (2, 1, 1), block (8, 1, 1)
__kernel __attribute__((reqd_work_group_size(8, 1, 1))) void virtual_threads_kernel(
    __global const float* restrict A,
    __global float* restrict C) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int A_at = blockIdx_x * 32 + threadIdx_x * 2;
  float B[4];
  for (int i = 0; i < 2; ++i) {
    __attribute__((opencl_unroll_hint))
    for (int vx = 0; vx < 2; ++vx) {
      B[i + vx * 2] = A[A_at + i + vx * 16] * 2.0f;
    }
  }
  for (int i_inner_inner_inner = 0; i_inner_inner_inner < 2; ++i_inner_inner_inner) {
    __attribute__((opencl_unroll_hint))
    for (int vx_1 = 0; vx_1 < 2; ++vx_1) {
      C[A_at + vx_1 * 16 + i_inner_inner_inner] = B[i_inner_inner_inner + vx_1 * 2] + 1.0f;
    }
  }
}
