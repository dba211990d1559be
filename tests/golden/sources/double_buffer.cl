// double_buffer_kernel
// target: OpenCL C 1.2

// double_buffer_kernel: grid (2, 1, 1), block (8, 1, 1)
__kernel __attribute__((reqd_work_group_size(8, 1, 1))) void double_buffer_kernel(
    __global const float* restrict A,
    __global const float* restrict W,
    __global float* restrict B) {
  const int blockIdx_x = (int)get_group_id(0);
  const int threadIdx_x = (int)get_local_id(0);
  __local float W_shared[16] __attribute__((aligned(16)));
  const int B_at = blockIdx_x * 8 + threadIdx_x;
  const int A_at = blockIdx_x * 256 + threadIdx_x * 32;
  float W_shared_next;
  B[B_at] = 0.0f;
  W_shared[threadIdx_x] = W[threadIdx_x];
  __global const float* W_ptr = W + threadIdx_x;
  for (int k_outer = 0; k_outer < 4; ++k_outer) {
    if (k_outer < 3) {
      W_shared_next = W_ptr[8];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int k_inner = 0; k_inner < 8; ++k_inner) {
      B[B_at] = B[B_at] + A[A_at + k_outer * 8 + k_inner] * W_shared[k_inner + (k_outer & 1) * 8];
    }
    if (k_outer < 3) {
      W_shared[threadIdx_x + ((k_outer + 1) & 1) * 8] = W_shared_next;
    }
    W_ptr += 8;
  }
}
