// int64_values_kernel
// target: OpenCL C 1.2

// int64_values_kernel: grid (4, 1, 1), block (8, 1, 1)
__kernel __attribute__((reqd_work_group_size(8, 1, 1))) void int64_values_kernel(
    __global const long* restrict A,
    __global long* restrict B) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int B_at = blockIdx_x * 16 + threadIdx_x * 2;
  const long2 A_v = *(__global const long2*)(A + B_at);
  *(__global long2*)(B + B_at) = A_v * A_v - (long2)(7L);
}
