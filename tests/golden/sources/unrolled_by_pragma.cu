// unrolled_by_pragma_kernel
// target: CUDA C, sm_90

// unrolled_by_pragma_kernel: grid (2, 1, 1), block (8, 1, 1)
extern "C" __global__ void __launch_bounds__(8) unrolled_by_pragma_kernel(
    const float* __restrict__ A,
    float* __restrict__ B) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int B_at = blockIdx_x * 8 + threadIdx_x;
  const int A_at = blockIdx_x * 64 + threadIdx_x * 8;
  B[B_at] = -__int_as_float(0x7f800000);
  B[B_at] = fmaxf(B[B_at], A[A_at]);
  B[B_at] = fmaxf(B[B_at], A[A_at + 1]);
  B[B_at] = fmaxf(B[B_at], A[A_at + 2]);
  B[B_at] = fmaxf(B[B_at], A[A_at + 3]);
  B[B_at] = fmaxf(B[B_at], A[A_at + 4]);
  B[B_at] = fmaxf(B[B_at], A[A_at + 5]);
  B[B_at] = fmaxf(B[B_at], A[A_at + 6]);
  B[B_at] = fmaxf(B[B_at], A[A_at + 7]);
}
