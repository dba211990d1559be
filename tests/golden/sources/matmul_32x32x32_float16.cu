// matmul_32x32x32_float16_kernel
// target: CUDA C, sm_90

static __device__ __forceinline__ float gc_f16_to_f32(unsigned short x) {
  float r;
  asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(x));
  return r;
}

// matmul_32x32x32_float16_kernel: grid (1, 1, 1), block (16, 16, 1)
extern "C" __global__ void __launch_bounds__(256) matmul_32x32x32_float16_kernel(
    const unsigned short* __restrict__ A,
    const unsigned short* __restrict__ B,
    float* __restrict__ C) {
  const int threadIdx_x = (int)threadIdx.x;
  const int threadIdx_y = (int)threadIdx.y;
  __shared__ __align__(16) unsigned short A_shared[1280];
  __shared__ __align__(16) unsigned short B_shared[1024];
  const int A_at = (threadIdx_x & 3) * 4;
  const int B_at = threadIdx_y * 64 + threadIdx_x * 4;
  const int A_at_1 = threadIdx_y * 128 + (threadIdx_x >> 2) * 32 + A_at;
  const int A_shared_at = threadIdx_y * 80 + (threadIdx_x >> 2) * 20 + A_at;
  const int C_at = threadIdx_y * 64 + threadIdx_x * 2;
  float C_local[4];
  unsigned short A_shared_next[4];
  unsigned short B_shared_next[4];
  unsigned short A_shared_local[8];
  unsigned short B_shared_local[8];
  #pragma unroll
  for (int i_c_init = 0; i_c_init < 2; ++i_c_init) {
    #pragma unroll
    for (int j_c_init = 0; j_c_init < 2; ++j_c_init) {
      C_local[i_c_init * 2 + j_c_init] = 0.0f;
    }
  }
  if (threadIdx_y < 8) {
    *(ushort4*)(A_shared + A_shared_at) = *(const ushort4*)(A + A_at_1);
    *(ushort4*)(B_shared + B_at) = *(const ushort4*)(B + B_at);
  }
  for (int k_outer = 0; k_outer < 2; ++k_outer) {
    if (k_outer < 1 && threadIdx_y < 8) {
      const ushort4 A_v = *(const ushort4*)(A + (A_at_1 + 16));
      A_shared_next[0] = A_v.x;
      A_shared_next[1] = A_v.y;
      A_shared_next[2] = A_v.z;
      A_shared_next[3] = A_v.w;
      const ushort4 B_v = *(const ushort4*)(B + (B_at + 512));
      B_shared_next[0] = B_v.x;
      B_shared_next[1] = B_v.y;
      B_shared_next[2] = B_v.z;
      B_shared_next[3] = B_v.w;
    }
    __syncthreads();
    const unsigned short* A_shared_ptr = A_shared + (threadIdx_y * 40 + k_outer * 640);
    const unsigned short* B_shared_ptr = B_shared + (threadIdx_x * 2 + k_outer * 512);
    for (int k_inner_outer = 0; k_inner_outer < 4; ++k_inner_outer) {
      #pragma unroll
      for (int ax0 = 0; ax0 < 2; ++ax0) {
        const ushort4 A_shared_v = *(const ushort4*)(A_shared_ptr + ax0 * 20);
        A_shared_local[ax0 * 4] = A_shared_v.x;
        A_shared_local[ax0 * 4 + 1] = A_shared_v.y;
        A_shared_local[ax0 * 4 + 2] = A_shared_v.z;
        A_shared_local[ax0 * 4 + 3] = A_shared_v.w;
      }
      #pragma unroll
      for (int ax0_1 = 0; ax0_1 < 4; ++ax0_1) {
        const ushort2 B_shared_v = *(const ushort2*)(B_shared_ptr + ax0_1 * 32);
        B_shared_local[ax0_1 * 2] = B_shared_v.x;
        B_shared_local[ax0_1 * 2 + 1] = B_shared_v.y;
      }
      #pragma unroll
      for (int k_inner_inner = 0; k_inner_inner < 4; ++k_inner_inner) {
        #pragma unroll
        for (int i_c = 0; i_c < 2; ++i_c) {
          #pragma unroll
          for (int j_c = 0; j_c < 2; ++j_c) {
            const int C_local_at = i_c * 2 + j_c;
            C_local[C_local_at] = C_local[C_local_at] + gc_f16_to_f32(A_shared_local[i_c * 4 + k_inner_inner]) * gc_f16_to_f32(B_shared_local[k_inner_inner * 2 + j_c]);
          }
        }
      }
      A_shared_ptr += 4;
      B_shared_ptr += 128;
    }
    __syncthreads();
    if (k_outer < 1 && threadIdx_y < 8) {
      *(ushort4*)(A_shared + (A_shared_at + 640)) = make_ushort4(A_shared_next[0], A_shared_next[1], A_shared_next[2], A_shared_next[3]);
      *(ushort4*)(B_shared + (B_at + 512)) = make_ushort4(B_shared_next[0], B_shared_next[1], B_shared_next[2], B_shared_next[3]);
    }
  }
  #pragma unroll
  for (int i_inner_inner_inner = 0; i_inner_inner_inner < 2; ++i_inner_inner_inner) {
    *(float2*)(C + (C_at + i_inner_inner_inner * 32)) = make_float2(C_local[i_inner_inner_inner * 2], C_local[i_inner_inner_inner * 2 + 1]);
  }
}
