// unrolled_by_pragma_kernel
// target: OpenCL C 1.2

// unrolled_by_pragma_kernel: grid (2, 1, 1), block (8, 1, 1)
__kernel __attribute__((reqd_work_group_size(8, 1, 1))) void unrolled_by_pragma_kernel(
    __global const float* restrict A,
    __global float* restrict B) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int B_at = blockIdx_x * 8 + threadIdx_x;
  const int A_at = blockIdx_x * 64 + threadIdx_x * 8;
  B[B_at] = -INFINITY;
  B[B_at] = fmax(B[B_at], A[A_at]);
  B[B_at] = fmax(B[B_at], A[A_at + 1]);
  B[B_at] = fmax(B[B_at], A[A_at + 2]);
  B[B_at] = fmax(B[B_at], A[A_at + 3]);
  B[B_at] = fmax(B[B_at], A[A_at + 4]);
  B[B_at] = fmax(B[B_at], A[A_at + 5]);
  B[B_at] = fmax(B[B_at], A[A_at + 6]);
  B[B_at] = fmax(B[B_at], A[A_at + 7]);
}
