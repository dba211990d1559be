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
  const int at = blockIdx_x * 16 + threadIdx_x;
  if (at < 30) {
    pair_v0[at] = fminf(A[at], B[at]);
    pair_v1[at] = fmaxf(A[at], B[at]);
  }
}
