// two_kernels_kernel, two_kernels_kernel_1
// target: OpenCL C 1.2

// two_kernels_kernel: grid (3, 1, 1), block (16, 1, 1)
__kernel __attribute__((reqd_work_group_size(16, 1, 1))) void two_kernels_kernel(
    __global const float* restrict A,
    __global float* restrict B) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int at = blockIdx_x * 16 + threadIdx_x;
  if (at < 40) {
    B[at] = A[at] * 3.0f;
  }
}

// two_kernels_kernel_1: grid (3, 1, 1), block (16, 1, 1)
__kernel __attribute__((reqd_work_group_size(16, 1, 1))) void two_kernels_kernel_1(
    __global float* restrict C,
    __global const float* restrict B) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int at = blockIdx_x * 16 + threadIdx_x;
  if (at < 39) {
    C[at] = B[at] - B[at + 1];
  }
}
