// vector_add_symbolic_kernel
// target: OpenCL C 1.2

// vector_add_symbolic_kernel: grid ((n + 15) // 16, 1, 1), block (16, 1, 1)
__kernel __attribute__((reqd_work_group_size(16, 1, 1))) void vector_add_symbolic_kernel(
    __global const float* restrict A,
    __global const float* restrict B,
    __global float* restrict C,
    const int n) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int at = blockIdx_x * 16 + threadIdx_x;
  if (at < n) {
    C[at] = A[at] + B[at];
  }
}
