// integer_division_kernel
// target: CUDA C, sm_90

static __device__ __forceinline__ int gc_floordiv_int32(int a, int b) {
  if (b == -1) return (int)(0 - (unsigned int)a);
  int q = a / b;
  return q - (a % b != 0 && (a < 0) != (b < 0));
}

static __device__ __forceinline__ int gc_floormod_int32(int a, int b) {
  if (b == -1) return 0;
  int r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

// integer_division_kernel: grid (8, 1, 1), block (8, 1, 1)
extern "C" __global__ void __launch_bounds__(8) integer_division_kernel(
    const int* __restrict__ A,
    int* __restrict__ B) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int B_at = blockIdx_x * 8 + threadIdx_x;
  const int t = A[B_at];
  B[B_at] = (unsigned int)gc_floordiv_int32(t, 3) + gc_floormod_int32(t, 5) - t / 7 + t % 4;
}
