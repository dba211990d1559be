// two_outputs_kernel
// target: OpenCL C 1.2

// two_outputs_kernel: grid (2, 1, 1), block (16, 1, 1)
__kernel __attribute__((reqd_work_group_size(16, 1, 1))) void two_outputs_kernel(
    __global const float* restrict A,
    __global const float* restrict B,
    __global float* restrict pair_v0,
    __global float* restrict pair_v1) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int at = blockIdx_x * 16 + threadIdx_x;
  if (at < 30) {
    pair_v0[at] = fmin(A[at], B[at]);
    pair_v1[at] = fmax(A[at], B[at]);
  }
}
