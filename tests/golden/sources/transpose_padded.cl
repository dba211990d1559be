// transpose_padded_kernel
// target: OpenCL C 1.2

// transpose_padded_kernel: grid (3, 5, 1), block (8, 8, 1)
__kernel __attribute__((reqd_work_group_size(8, 8, 1))) void transpose_padded_kernel(
    __global const float* restrict A,
    __global float* restrict B) {
  __local float A_shared[72] __attribute__((aligned(16)));
  const int threadIdx_y = (int)get_local_id(1);
  const int threadIdx_x = (int)get_local_id(0);
  const int blockIdx_x = (int)get_group_id(0);
  const int blockIdx_y = (int)get_group_id(1);
  A_shared[threadIdx_y * 9 + threadIdx_x] = threadIdx_y + blockIdx_x * 8 < 20 && threadIdx_x + blockIdx_y * 8 < 36 ? A[threadIdx_y * 36 + blockIdx_x * 288 + threadIdx_x + blockIdx_y * 8] : 0.0f;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (blockIdx_y * 8 + threadIdx_y < 36 && blockIdx_x * 8 + threadIdx_x < 20) {
    B[blockIdx_y * 160 + threadIdx_y * 20 + blockIdx_x * 8 + threadIdx_x] = A_shared[threadIdx_x * 9 + threadIdx_y];
  }
}
