// int8_vectors_kernel
// target: OpenCL C 1.2

// int8_vectors_kernel: grid (2, 1, 1), block (8, 1, 1)
__kernel __attribute__((reqd_work_group_size(8, 1, 1))) void int8_vectors_kernel(
    __global const char* restrict A,
    __global char* restrict B) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  const int B_at = blockIdx_x * 32 + threadIdx_x * 4;
  const char4 A_v = *(__global const char4*)(A + B_at);
  const char lane = (char)(A_v.s0 * A_v.s0) + (char)3;
  const char lane_1 = (char)(A_v.s1 * A_v.s1) + (char)3;
  const char lane_2 = (char)(A_v.s2 * A_v.s2) + (char)3;
  const char lane_3 = (char)(A_v.s3 * A_v.s3) + (char)3;
  *(__global char4*)(B + B_at) = (char4)(lane, lane_1, lane_2, lane_3);
}
