// inlined_chain_kernel
// target: OpenCL C 1.2

// inlined_chain_kernel: grid (4, 1, 1), block (16, 1, 1)
__kernel __attribute__((reqd_work_group_size(16, 1, 1))) void inlined_chain_kernel(
    __global const float* restrict A,
    __global float* restrict D) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int at = blockIdx_x * 16 + threadIdx_x;
  const int A_at = blockIdx_x * 4 + threadIdx_x;
  if (at < 60) {
    const float t = A[A_at % 6 * 10 + blockIdx_x * 2 + A_at / 6] + 1.0f;
    D[at] = fmax(t * t, 2.0f);
  }
}
