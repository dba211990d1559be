// matmul_33x37x21_float32_kernel
// target: CUDA C, sm_90

// matmul_33x37x21_float32_kernel: grid (2, 2, 1), block (16, 16, 1)
extern "C" __global__ void __launch_bounds__(256) matmul_33x37x21_float32_kernel(
    const float* __restrict__ A,
    const float* __restrict__ B,
    float* __restrict__ C) {
  const int threadIdx_x = (int)threadIdx.x;
  const int blockIdx_y = (int)blockIdx.y;
  const int threadIdx_y = (int)threadIdx.y;
  const int blockIdx_x = (int)blockIdx.x;
  __shared__ __align__(16) float A_shared[640];
  __shared__ __align__(16) float B_shared[512];
  const int A_shared_at = (threadIdx_x & 3) * 4;
  const int C_at = blockIdx_y * 1184 + threadIdx_y * 74;
  const int A_shared_at_1 = threadIdx_y * 80 + (threadIdx_x >> 2) * 20 + A_shared_at;
  const int at = threadIdx_y * 4 + (threadIdx_x >> 2) + blockIdx_y * 32;
  const int A_at = threadIdx_y * 84 + (threadIdx_x >> 2) * 21 + blockIdx_y * 672 + A_shared_at;
  const int B_shared_at = threadIdx_y * 64 + threadIdx_x * 4;
  const int at_1 = threadIdx_y * 2 + (threadIdx_x >> 3);
  const int at_2 = (threadIdx_x & 7) + blockIdx_x * 8;
  const int B_at = threadIdx_y * 74 + (threadIdx_x >> 3) * 37 + (threadIdx_x & 7) * 4 + blockIdx_x * 32;
  const int at_3 = blockIdx_y * 32 + threadIdx_y * 2;
  const int at_4 = blockIdx_x * 16 + threadIdx_x;
  const int C_at_1 = C_at + blockIdx_x * 32 + threadIdx_x * 2;
  float C_local[4];
  float A_shared_local[8];
  float B_shared_local[8];
  #pragma unroll
  for (int i_c_init = 0; i_c_init < 2; ++i_c_init) {
    #pragma unroll
    for (int j_c_init = 0; j_c_init < 2; ++j_c_init) {
      C_local[i_c_init * 2 + j_c_init] = 0.0f;
    }
  }
  for (int k_outer = 0; k_outer < 2; ++k_outer) {
    const int A_at_1 = A_at + k_outer * 16;
    const int at_5 = (threadIdx_x & 3) + k_outer * 4;
    const int B_at_1 = B_at + k_outer * 592;
    __syncthreads();
    if (threadIdx_y < 8) {
      const bool t = at < 33;
      float t_4;
      if (t && at_5 < 5) {
        const float t_1 = A[A_at_1];
        t_4 = t_1;
      } else {
        float t_3;
        if (t && at_5 < 6) {
          const float t_2 = A[A_at_1];
          t_3 = t_2;
        } else {
          t_3 = 0.0f;
        }
        t_4 = t_3;
      }
      const bool t_6 = t && at_5 < 5;
      float t_9;
      if (t && at_5 < 5) {
        const float t_5 = A[A_at_1 + 1];
        t_9 = t_5;
      } else {
        float t_8;
        if (t_6) {
          const float t_7 = A[A_at_1 + 1];
          t_8 = t_7;
        } else {
          t_8 = 0.0f;
        }
        t_9 = t_8;
      }
      float t_13;
      if (t && at_5 < 5) {
        const float t_10 = A[A_at_1 + 2];
        t_13 = t_10;
      } else {
        float t_12;
        if (t_6) {
          const float t_11 = A[A_at_1 + 2];
          t_12 = t_11;
        } else {
          t_12 = 0.0f;
        }
        t_13 = t_12;
      }
      float t_17;
      if (t && at_5 < 5) {
        const float t_14 = A[A_at_1 + 3];
        t_17 = t_14;
      } else {
        float t_16;
        if (t_6) {
          const float t_15 = A[A_at_1 + 3];
          t_16 = t_15;
        } else {
          t_16 = 0.0f;
        }
        t_17 = t_16;
      }
      *(float4*)(A_shared + A_shared_at_1) = make_float4(t_4, t_9, t_13, t_17);
      const bool t_18 = at_1 + k_outer * 16 < 21;
      float t_22;
      if (t_18 && at_2 < 9) {
        const float t_19 = B[B_at_1];
        t_22 = t_19;
      } else {
        float t_21;
        if (t_18 && at_2 < 10) {
          const float t_20 = B[B_at_1];
          t_21 = t_20;
        } else {
          t_21 = 0.0f;
        }
        t_22 = t_21;
      }
      const bool t_24 = t_18 && at_2 < 9;
      float t_27;
      if (t_18 && at_2 < 9) {
        const float t_23 = B[B_at_1 + 1];
        t_27 = t_23;
      } else {
        float t_26;
        if (t_24) {
          const float t_25 = B[B_at_1 + 1];
          t_26 = t_25;
        } else {
          t_26 = 0.0f;
        }
        t_27 = t_26;
      }
      float t_31;
      if (t_18 && at_2 < 9) {
        const float t_28 = B[B_at_1 + 2];
        t_31 = t_28;
      } else {
        float t_30;
        if (t_24) {
          const float t_29 = B[B_at_1 + 2];
          t_30 = t_29;
        } else {
          t_30 = 0.0f;
        }
        t_31 = t_30;
      }
      float t_35;
      if (t_18 && at_2 < 9) {
        const float t_32 = B[B_at_1 + 3];
        t_35 = t_32;
      } else {
        float t_34;
        if (t_24) {
          const float t_33 = B[B_at_1 + 3];
          t_34 = t_33;
        } else {
          t_34 = 0.0f;
        }
        t_35 = t_34;
      }
      *(float4*)(B_shared + B_shared_at) = make_float4(t_22, t_27, t_31, t_35);
    }
    __syncthreads();
    for (int k_inner_outer = 0; k_inner_outer < 4; ++k_inner_outer) {
      #pragma unroll
      for (int ax0 = 0; ax0 < 2; ++ax0) {
        const float4 A_shared_v = *(const float4*)(A_shared + (ax0 * 20 + threadIdx_y * 40 + k_inner_outer * 4));
        A_shared_local[ax0 * 4] = A_shared_v.x;
        A_shared_local[ax0 * 4 + 1] = A_shared_v.y;
        A_shared_local[ax0 * 4 + 2] = A_shared_v.z;
        A_shared_local[ax0 * 4 + 3] = A_shared_v.w;
      }
      #pragma unroll
      for (int ax0_1 = 0; ax0_1 < 4; ++ax0_1) {
        const float2 B_shared_v = *(const float2*)(B_shared + (ax0_1 * 32 + k_inner_outer * 128 + threadIdx_x * 2));
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
