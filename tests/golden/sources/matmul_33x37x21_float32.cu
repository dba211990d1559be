// matmul_33x37x21_float32_kernel
// target: CUDA C, sm_90

// matmul_33x37x21_float32_kernel: grid (2, 2, 1), block (16, 16, 1)
extern "C" __global__ void __launch_bounds__(256) matmul_33x37x21_float32_kernel(
    const float* __restrict__ A,
    const float* __restrict__ B,
    float* __restrict__ C) {
  const int threadIdx_x = (int)threadIdx.x;
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_y = (int)threadIdx.y;
  const int blockIdx_y = (int)blockIdx.y;
  __shared__ __align__(16) float A_shared[1280];
  __shared__ __align__(16) float B_shared[1024];
  __builtin_assume(threadIdx_x >= 0 && threadIdx_x < 16);
  __builtin_assume(threadIdx_y >= 0 && threadIdx_y < 16);
  const int A_at = (threadIdx_x & 3) * 4;
  const int at = (threadIdx_x & 7) + blockIdx_x * 8;
  const int B_shared_at = threadIdx_y * 64 + threadIdx_x * 4;
  const int C_at = blockIdx_y * 1184 + threadIdx_y * 74;
  const int at_1 = threadIdx_y * 4 + (threadIdx_x >> 2) + blockIdx_y * 32;
  const int B_at = threadIdx_y * 74 + (threadIdx_x >> 3) * 37 + (threadIdx_x & 7) * 4;
  const int A_shared_at = threadIdx_y * 80 + (threadIdx_x >> 2) * 20 + A_at;
  const int A_at_1 = threadIdx_y * 84 + (threadIdx_x >> 2) * 21 + blockIdx_y * 672 + A_at;
  const int B_at_1 = B_at + blockIdx_x * 32;
  const int at_2 = threadIdx_y * 2 + (threadIdx_x >> 3);
  const int at_3 = blockIdx_y * 32 + threadIdx_y * 2;
  const int at_4 = blockIdx_x * 16 + threadIdx_x;
  const int C_at_1 = C_at + blockIdx_x * 32 + threadIdx_x * 2;
  float C_local[4];
  float A_shared_next[4];
  float B_shared_next[4];
  float A_shared_local[8];
  float B_shared_local[8];
  #pragma unroll
  for (int i_c_init = 0; i_c_init < 2; ++i_c_init) {
    #pragma unroll
    for (int j_c_init = 0; j_c_init < 2; ++j_c_init) {
      C_local[i_c_init * 2 + j_c_init] = 0.0f;
    }
  }
  if (threadIdx_y < 8) {
    const bool t = at_1 < 33;
    const float lane = t ? A[A_at_1] : 0.0f;
    const float lane_1 = t ? A[A_at_1 + 1] : 0.0f;
    const float lane_2 = t ? A[A_at_1 + 2] : 0.0f;
    const float lane_3 = t ? A[A_at_1 + 3] : 0.0f;
    *(float4*)(A_shared + A_shared_at) = make_float4(lane, lane_1, lane_2, lane_3);
    const float lane_4 = at < 9 ? B[B_at_1] : (threadIdx_x & 7) < 2 ? B[B_at + 32] : 0.0f;
    const float lane_5 = at < 9 ? B[B_at_1 + 1] : 0.0f;
    const float lane_6 = at < 9 ? B[B_at_1 + 2] : 0.0f;
    const float lane_7 = at < 9 ? B[B_at_1 + 3] : 0.0f;
    *(float4*)(B_shared + B_shared_at) = make_float4(lane_4, lane_5, lane_6, lane_7);
  }
  for (int k_outer = 0; k_outer < 2; ++k_outer) {
    if (k_outer < 1 && threadIdx_y < 8) {
      const bool t_1 = at_1 < 33;
      const bool t_2 = t_1 && (threadIdx_x & 3) < 1;
      float t_6;
      if (t_2) {
        const float t_3 = A[A_at_1 + 16];
        t_6 = t_3;
      } else {
        float t_5;
        if (t_1 && (threadIdx_x & 3) < 2) {
          const float t_4 = A[A_at_1 + 16];
          t_5 = t_4;
        } else {
          t_5 = 0.0f;
        }
        t_6 = t_5;
      }
      const bool t_7 = t_1 && (threadIdx_x & 3) < 1;
      A_shared_next[0] = t_6;
      A_shared_next[1] = t_2 ? A[A_at_1 + 16 + 1] : t_7 ? A[A_at_1 + 17] : 0.0f;
      A_shared_next[2] = t_2 ? A[A_at_1 + 16 + 2] : t_7 ? A[A_at_1 + 18] : 0.0f;
      A_shared_next[3] = t_2 ? A[A_at_1 + 16 + 3] : t_7 ? A[A_at_1 + 19] : 0.0f;
      const bool t_8 = at_2 < 5;
      float t_12;
      if (t_8 && at < 9) {
        const float t_9 = B[B_at_1 + 592];
        t_12 = t_9;
      } else {
        float t_11;
        if (t_8 && at < 10) {
          const float t_10 = B[B_at_1 + 592];
          t_11 = t_10;
        } else {
          t_11 = 0.0f;
        }
        t_12 = t_11;
      }
      const bool t_13 = t_8 && at < 9;
      B_shared_next[0] = t_12;
      B_shared_next[1] = t_8 && at < 9 ? B[B_at_1 + 592 + 1] : t_13 ? B[B_at_1 + 593] : 0.0f;
      B_shared_next[2] = t_8 && at < 9 ? B[B_at_1 + 592 + 2] : t_13 ? B[B_at_1 + 594] : 0.0f;
      B_shared_next[3] = t_8 && at < 9 ? B[B_at_1 + 592 + 3] : t_13 ? B[B_at_1 + 595] : 0.0f;
    }
    __syncthreads();
    const float* A_shared_ptr = A_shared + (threadIdx_y * 40 + k_outer * 640);
    const float* B_shared_ptr = B_shared + (threadIdx_x * 2 + k_outer * 512);
    for (int k_inner_outer = 0; k_inner_outer < 4; ++k_inner_outer) {
      #pragma unroll
      for (int ax0 = 0; ax0 < 2; ++ax0) {
        const float4 A_shared_v = *(const float4*)(A_shared_ptr + ax0 * 20);
        A_shared_local[ax0 * 4] = A_shared_v.x;
        A_shared_local[ax0 * 4 + 1] = A_shared_v.y;
        A_shared_local[ax0 * 4 + 2] = A_shared_v.z;
        A_shared_local[ax0 * 4 + 3] = A_shared_v.w;
      }
      #pragma unroll
      for (int ax0_1 = 0; ax0_1 < 4; ++ax0_1) {
        const float2 B_shared_v = *(const float2*)(B_shared_ptr + ax0_1 * 32);
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
            C_local[C_local_at] = C_local[C_local_at] + A_shared_local[i_c * 4 + k_inner_inner] * B_shared_local[k_inner_inner * 2 + j_c];
          }
        }
      }
      A_shared_ptr += 4;
      B_shared_ptr += 128;
    }
    __syncthreads();
    if (k_outer < 1 && threadIdx_y < 8) {
      *(float4*)(A_shared + (A_shared_at + 640)) = make_float4(A_shared_next[0], A_shared_next[1], A_shared_next[2], A_shared_next[3]);
      *(float4*)(B_shared + (B_shared_at + 512)) = make_float4(B_shared_next[0], B_shared_next[1], B_shared_next[2], B_shared_next[3]);
    }
  }
  #pragma unroll
  for (int i_inner_inner_inner = 0; i_inner_inner_inner < 2; ++i_inner_inner_inner) {
    if (at_3 + i_inner_inner_inner < 33) {
      if (at_4 < 18) {
        C[C_at_1 + i_inner_inner_inner * 37] = C_local[i_inner_inner_inner * 2];
        C[C_at_1 + i_inner_inner_inner * 37 + 1] = C_local[i_inner_inner_inner * 2 + 1];
      } else {
        #pragma unroll
        for (int j_inner_inner_inner = 0; j_inner_inner_inner < 2; ++j_inner_inner_inner) {
          if (threadIdx_x * 2 + j_inner_inner_inner < 5) {
            C[C_at + i_inner_inner_inner * 37 + 36] = C_local[i_inner_inner_inner * 2];
          }
        }
      }
    }
  }
}
