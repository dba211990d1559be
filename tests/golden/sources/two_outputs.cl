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
  if (blockIdx_x * 16 + threadIdx_x < 30) {
    pair_v0[blockIdx_x * 16 + threadIdx_x] = fmin(A[blockIdx_x * 16 + threadIdx_x], B[blockIdx_x * 16 + threadIdx_x]);
    pair_v1[blockIdx_x * 16 + threadIdx_x] = fmax(A[blockIdx_x * 16 + threadIdx_x], B[blockIdx_x * 16 + threadIdx_x]);
  }
}
