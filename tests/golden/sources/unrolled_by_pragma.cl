// unrolled_by_pragma_kernel
// target: OpenCL C 1.2

// unrolled_by_pragma_kernel: grid (2, 1, 1), block (8, 1, 1)
__kernel __attribute__((reqd_work_group_size(8, 1, 1))) void unrolled_by_pragma_kernel(
    __global const float* restrict A,
    __global float* restrict B) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  B[blockIdx_x * 8 + threadIdx_x] = -INFINITY;
  B[blockIdx_x * 8 + threadIdx_x] = fmax(B[blockIdx_x * 8 + threadIdx_x], A[blockIdx_x * 64 + threadIdx_x * 8]);
  B[blockIdx_x * 8 + threadIdx_x] = fmax(B[blockIdx_x * 8 + threadIdx_x], A[blockIdx_x * 64 + threadIdx_x * 8 + 1]);
  B[blockIdx_x * 8 + threadIdx_x] = fmax(B[blockIdx_x * 8 + threadIdx_x], A[blockIdx_x * 64 + threadIdx_x * 8 + 2]);
  B[blockIdx_x * 8 + threadIdx_x] = fmax(B[blockIdx_x * 8 + threadIdx_x], A[blockIdx_x * 64 + threadIdx_x * 8 + 3]);
  B[blockIdx_x * 8 + threadIdx_x] = fmax(B[blockIdx_x * 8 + threadIdx_x], A[blockIdx_x * 64 + threadIdx_x * 8 + 4]);
  B[blockIdx_x * 8 + threadIdx_x] = fmax(B[blockIdx_x * 8 + threadIdx_x], A[blockIdx_x * 64 + threadIdx_x * 8 + 5]);
  B[blockIdx_x * 8 + threadIdx_x] = fmax(B[blockIdx_x * 8 + threadIdx_x], A[blockIdx_x * 64 + threadIdx_x * 8 + 6]);
  B[blockIdx_x * 8 + threadIdx_x] = fmax(B[blockIdx_x * 8 + threadIdx_x], A[blockIdx_x * 64 + threadIdx_x * 8 + 7]);
}
