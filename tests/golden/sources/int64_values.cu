// int64_values_kernel
// target: CUDA C, sm_90

// int64_values_kernel: grid (4, 1, 1), block (8, 1, 1)
extern "C" __global__ void __launch_bounds__(8) int64_values_kernel(
    const long long* __restrict__ A,
    long long* __restrict__ B) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int B_at = blockIdx_x * 16 + threadIdx_x * 2;
  const longlong2 A_v = *(const longlong2*)(A + B_at);
  *(longlong2*)(B + B_at) = make_longlong2((unsigned long long)A_v.x * A_v.x - 7LL, (unsigned long long)A_v.y * A_v.y - 7LL);
}
