// add_60_float32_kernel
// target: OpenCL C 1.2

// add_60_float32_kernel: grid (1, 1, 1), block (256, 1, 1)
__kernel __attribute__((reqd_work_group_size(256, 1, 1))) void add_60_float32_kernel(
    __global const float* restrict A,
    __global const float* restrict B,
    __global float* restrict C) {
  const int threadIdx_x = (int)get_local_id(0);
  if (threadIdx_x < 15) {
    *(__global float4*)(C + threadIdx_x * 4) = *(__global const float4*)(A + threadIdx_x * 4) + *(__global const float4*)(B + threadIdx_x * 4);
  }
}
