// shared_stencil_kernel
// target: OpenCL C 1.2

// shared_stencil_kernel: grid (4, 1, 1), block (16, 1, 1)
__kernel __attribute__((reqd_work_group_size(16, 1, 1))) void shared_stencil_kernel(
    __global const float* restrict A,
    __global float* restrict B) {
  const int threadIdx_x = (int)get_local_id(0);
  const int blockIdx_x = (int)get_group_id(0);
  __local float A_shared[18];
  const int A_at = threadIdx_x + blockIdx_x * 16;
  for (int ax0_outer = 0; ax0_outer < 2; ++ax0_outer) {
    const int at = ax0_outer * 16 + threadIdx_x;
    if (at < 18) {
      A_shared[at] = A[A_at + ax0_outer * 16];
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  B[blockIdx_x * 16 + threadIdx_x] = (A_shared[threadIdx_x] + A_shared[threadIdx_x + 1] + A_shared[threadIdx_x + 2]) / 3.0f;
}
