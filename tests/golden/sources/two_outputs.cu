// two_outputs_kernel
// target: CUDA C, sm_90

// two_outputs_kernel: grid (2, 1, 1), block (16, 1, 1)
extern "C" __global__ void __launch_bounds__(16) two_outputs_kernel(
    const float* __restrict__ A,
    const float* __restrict__ B,
    float* __restrict__ pair_v0,
    float* __restrict__ pair_v1) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  if (blockIdx_x * 16 + threadIdx_x < 30) {
    pair_v0[blockIdx_x * 16 + threadIdx_x] = fminf(A[blockIdx_x * 16 + threadIdx_x], B[blockIdx_x * 16 + threadIdx_x]);
    pair_v1[blockIdx_x * 16 + threadIdx_x] = fmaxf(A[blockIdx_x * 16 + threadIdx_x], B[blockIdx_x * 16 + threadIdx_x]);
  }
}
