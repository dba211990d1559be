// casts_kernel
// target: OpenCL C 1.2

// casts_kernel: grid (8, 1, 1), block (8, 1, 1)
__kernel __attribute__((reqd_work_group_size(8, 1, 1))) void casts_kernel(
    __global const float* restrict A,
    __global float* restrict B) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int B_at = blockIdx_x * 8 + threadIdx_x;
  const float t = A[B_at];
  B[B_at] = (float)(int)(t * 100.0f) + t;
}
