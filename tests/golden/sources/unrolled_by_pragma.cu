// unrolled_by_pragma_kernel
// target: CUDA C, sm_90

// unrolled_by_pragma_kernel: grid (2, 1, 1), block (8, 1, 1)
extern "C" __global__ void __launch_bounds__(8) unrolled_by_pragma_kernel(
    const float* __restrict__ A,
    float* __restrict__ B) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  B[blockIdx_x * 8 + threadIdx_x] = -__int_as_float(0x7f800000);
  B[blockIdx_x * 8 + threadIdx_x] = fmaxf(B[blockIdx_x * 8 + threadIdx_x], A[blockIdx_x * 64 + threadIdx_x * 8]);
  B[blockIdx_x * 8 + threadIdx_x] = fmaxf(B[blockIdx_x * 8 + threadIdx_x], A[blockIdx_x * 64 + threadIdx_x * 8 + 1]);
  B[blockIdx_x * 8 + threadIdx_x] = fmaxf(B[blockIdx_x * 8 + threadIdx_x], A[blockIdx_x * 64 + threadIdx_x * 8 + 2]);
  B[blockIdx_x * 8 + threadIdx_x] = fmaxf(B[blockIdx_x * 8 + threadIdx_x], A[blockIdx_x * 64 + threadIdx_x * 8 + 3]);
  B[blockIdx_x * 8 + threadIdx_x] = fmaxf(B[blockIdx_x * 8 + threadIdx_x], A[blockIdx_x * 64 + threadIdx_x * 8 + 4]);
  B[blockIdx_x * 8 + threadIdx_x] = fmaxf(B[blockIdx_x * 8 + threadIdx_x], A[blockIdx_x * 64 + threadIdx_x * 8 + 5]);
  B[blockIdx_x * 8 + threadIdx_x] = fmaxf(B[blockIdx_x * 8 + threadIdx_x], A[blockIdx_x * 64 + threadIdx_x * 8 + 6]);
  B[blockIdx_x * 8 + threadIdx_x] = fmaxf(B[blockIdx_x * 8 + threadIdx_x], A[blockIdx_x * 64 + threadIdx_x * 8 + 7]);
}
