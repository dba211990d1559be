// integer_division_kernel
// target: OpenCL C 1.2

static inline int gc_floordiv_int32(int a, int b) {
  if (b == -1) return (int)(0 - (uint)a);
  int q = a / b;
  return q - (a % b != 0 && (a < 0) != (b < 0));
}

static inline int gc_floormod_int32(int a, int b) {
  if (b == -1) return 0;
  int r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

// integer_division_kernel: grid (8, 1, 1), block (8, 1, 1)
__kernel __attribute__((reqd_work_group_size(8, 1, 1))) void integer_division_kernel(
    __global const int* restrict A,
    __global int* restrict B) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int B_at = blockIdx_x * 8 + threadIdx_x;
  const int t = A[B_at];
  B[B_at] = (uint)gc_floordiv_int32(t, 3) + gc_floormod_int32(t, 5) - t / 7 + t % 4;
}
