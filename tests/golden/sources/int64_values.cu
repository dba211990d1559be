// int64_values_kernel
// target: CUDA C, sm_90

// int64_values_kernel: grid (4, 1, 1), block (8, 1, 1)
extern "C" __global__ void __launch_bounds__(8) int64_values_kernel(
    const long long* __restrict__ A,
    long long* __restrict__ B) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int t = blockIdx_x * 16 + threadIdx_x * 2;
  const longlong2 A_v = *(const longlong2*)(A + t);
  *(longlong2*)(B + t) = make_longlong2(A_v.x * A_v.x - 7LL, A_v.y * A_v.y - 7LL);
}
