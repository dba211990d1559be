// add_60_float32_kernel
// target: CUDA C, sm_90

// add_60_float32_kernel: grid (1, 1, 1), block (256, 1, 1)
extern "C" __global__ void __launch_bounds__(256) add_60_float32_kernel(
    const float* __restrict__ A,
    const float* __restrict__ B,
    float* __restrict__ C) {
  const int threadIdx_x = (int)threadIdx.x;
  if (threadIdx_x < 15) {
    const float4 A_v = *(const float4*)(A + threadIdx_x * 4);
    const float4 B_v = *(const float4*)(B + threadIdx_x * 4);
    *(float4*)(C + threadIdx_x * 4) = make_float4(A_v.x + B_v.x, A_v.y + B_v.y, A_v.z + B_v.z, A_v.w + B_v.w);
  }
}
