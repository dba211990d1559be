// matmul_symbolic_kernel
// target: CUDA C, sm_90

// matmul_symbolic_kernel: grid ((n + 127) // 128, (m + 127) // 128, 1), block (16, 16, 1)
extern "C" __global__ void __launch_bounds__(256) matmul_symbolic_kernel(
    const float* __restrict__ A,
    const float* __restrict__ B,
    float* __restrict__ C,
    const int m,
    const int k,
    const int n) {
  const int threadIdx_x = (int)threadIdx.x;
  const int threadIdx_y = (int)threadIdx.y;
  const int blockIdx_x = (int)blockIdx.x;
  const int blockIdx_y = (int)blockIdx.y;
  __shared__ __align__(16) float A_shared[4608];
  __shared__ __align__(16) float B_shared[4096];
  const int A_shared_at = (threadIdx_x & 7) * 4;
  const int at = threadIdx_x * 4 + (threadIdx_y & 1) * 64 + blockIdx_x * 128;
  const int A_shared_at_1 = threadIdx_y * 72 + (threadIdx_x >> 3) * 36 + A_shared_at;
  const int at_1 = threadIdx_y * 2 + (threadIdx_x >> 3) + blockIdx_y * 128;
  const int B_shared_at = threadIdx_y * 64 + threadIdx_x * 4;
  const int at_2 = at + 3;
  const int at_3 = at + 1;
  const int at_4 = at + 2;
  const int at_5 = blockIdx_y * 128 + threadIdx_y * 4;
  const int at_6 = blockIdx_x * 128 + threadIdx_x * 4;
  float C_local[64];
  float A_shared_local[32];
  float B_shared_local[32];
  #pragma unroll
  for (int i_c_init = 0; i_c_init < 4; ++i_c_init) {
    #pragma unroll
    for (int j_c_init = 0; j_c_init < 4; ++j_c_init) {
      #pragma unroll
      for (int vy = 0; vy < 2; ++vy) {
        #pragma unroll
        for (int vx = 0; vx < 2; ++vx) {
          C_local[i_c_init * 4 + j_c_init + vx * 16 + vy * 32] = 0.0f;
        }
      }
    }
  }
  for (int k_outer = 0; k_outer < ((k + 31) >> 5); ++k_outer) {
    const int at_7 = A_shared_at + k_outer * 32;
    __syncthreads();
    for (int ax0_ax1_fused_outer_outer_outer = 0; ax0_ax1_fused_outer_outer_outer < 4; ++ax0_ax1_fused_outer_outer_outer) {
      const int A_at = at_1 + ax0_ax1_fused_outer_outer_outer * 32;
      const int A_at_1 = A_shared_at + A_at * k + k_outer * 32;
      const bool t = A_at < m;
      const bool t_1 = t && at_7 + 3 < k;
      float t_5;
      if (t_1) {
        const float t_2 = A[A_at_1];
        t_5 = t_2;
      } else {
        float t_4;
        if (t && at_7 < k) {
          const float t_3 = A[A_at_1];
          t_4 = t_3;
        } else {
          t_4 = 0.0f;
        }
        t_5 = t_4;
      }
      float t_9;
      if (t_1) {
        const float t_6 = A[A_at_1 + 1];
        t_9 = t_6;
      } else {
        float t_8;
        if (t && at_7 + 1 < k) {
          const float t_7 = A[A_at_1 + 1];
          t_8 = t_7;
        } else {
          t_8 = 0.0f;
        }
        t_9 = t_8;
      }
      float t_13;
      if (t_1) {
        const float t_10 = A[A_at_1 + 2];
        t_13 = t_10;
      } else {
        float t_12;
        if (t && at_7 + 2 < k) {
          const float t_11 = A[A_at_1 + 2];
          t_12 = t_11;
        } else {
          t_12 = 0.0f;
        }
        t_13 = t_12;
      }
      float t_17;
      if (t_1) {
        const float t_14 = A[A_at_1 + 3];
        t_17 = t_14;
      } else {
        float t_16;
        if (t && at_7 + 3 < k) {
          const float t_15 = A[A_at_1 + 3];
          t_16 = t_15;
        } else {
          t_16 = 0.0f;
        }
        t_17 = t_16;
      }
      *(float4*)(A_shared + (A_shared_at_1 + ax0_ax1_fused_outer_outer_outer * 1152)) = make_float4(t_5, t_9, t_13, t_17);
    }
    for (int ax0_ax1_fused_outer_outer_outer_1 = 0; ax0_ax1_fused_outer_outer_outer_1 < 4; ++ax0_ax1_fused_outer_outer_outer_1) {
      const int B_at = ax0_ax1_fused_outer_outer_outer_1 * 8 + (threadIdx_y >> 1) + k_outer * 32;
      const int B_at_1 = at + B_at * n;
      const bool t_18 = B_at < k;
      float t_22;
      if (t_18 && at_2 < n) {
        const float t_19 = B[B_at_1];
        t_22 = t_19;
      } else {
        float t_21;
        if (t_18 && at < n) {
          const float t_20 = B[B_at_1];
          t_21 = t_20;
        } else {
          t_21 = 0.0f;
        }
        t_22 = t_21;
      }
      float t_26;
      if (t_18 && at_2 < n) {
        const float t_23 = B[B_at_1 + 1];
        t_26 = t_23;
      } else {
        float t_25;
        if (t_18 && at_3 < n) {
          const float t_24 = B[B_at_1 + 1];
          t_25 = t_24;
        } else {
          t_25 = 0.0f;
        }
        t_26 = t_25;
      }
      float t_30;
      if (t_18 && at_2 < n) {
        const float t_27 = B[B_at_1 + 2];
        t_30 = t_27;
      } else {
        float t_29;
        if (t_18 && at_4 < n) {
          const float t_28 = B[B_at_1 + 2];
          t_29 = t_28;
        } else {
          t_29 = 0.0f;
        }
        t_30 = t_29;
      }
      float t_34;
      if (t_18 && at_2 < n) {
        const float t_31 = B[B_at_1 + 3];
        t_34 = t_31;
      } else {
        float t_33;
        if (t_18 && at_2 < n) {
          const float t_32 = B[B_at_1 + 3];
          t_33 = t_32;
        } else {
          t_33 = 0.0f;
        }
        t_34 = t_33;
      }
      *(float4*)(B_shared + (B_shared_at + ax0_ax1_fused_outer_outer_outer_1 * 1024)) = make_float4(t_22, t_26, t_30, t_34);
    }
    __syncthreads();
    for (int k_inner_outer = 0; k_inner_outer < 8; ++k_inner_outer) {
      #pragma unroll
      for (int ax0 = 0; ax0 < 4; ++ax0) {
        #pragma unroll
        for (int vy_1 = 0; vy_1 < 2; ++vy_1) {
          const float4 A_shared_v = *(const float4*)(A_shared + (ax0 * 36 + vy_1 * 2304 + threadIdx_y * 144 + k_inner_outer * 4));
          const int t_35 = ax0 * 4 + vy_1 * 16;
          A_shared_local[t_35] = A_shared_v.x;
          A_shared_local[t_35 + 1] = A_shared_v.y;
          A_shared_local[t_35 + 2] = A_shared_v.z;
          A_shared_local[t_35 + 3] = A_shared_v.w;
        }
      }
      #pragma unroll
      for (int ax0_1 = 0; ax0_1 < 4; ++ax0_1) {
        #pragma unroll
        for (int vx_1 = 0; vx_1 < 2; ++vx_1) {
          const float4 B_shared_v = *(const float4*)(B_shared + (ax0_1 * 128 + k_inner_outer * 512 + vx_1 * 64 + threadIdx_x * 4));
          const int t_36 = ax0_1 * 4 + vx_1 * 16;
          B_shared_local[t_36] = B_shared_v.x;
          B_shared_local[t_36 + 1] = B_shared_v.y;
          B_shared_local[t_36 + 2] = B_shared_v.z;
          B_shared_local[t_36 + 3] = B_shared_v.w;
        }
      }
      #pragma unroll
      for (int k_inner_inner = 0; k_inner_inner < 4; ++k_inner_inner) {
        #pragma unroll
        for (int i_c = 0; i_c < 4; ++i_c) {
          #pragma unroll
          for (int j_c = 0; j_c < 4; ++j_c) {
            #pragma unroll
            for (int vy_2 = 0; vy_2 < 2; ++vy_2) {
              #pragma unroll
              for (int vx_2 = 0; vx_2 < 2; ++vx_2) {
                const int C_local_at = i_c * 4 + j_c + vx_2 * 16 + vy_2 * 32;
                C_local[C_local_at] = C_local[C_local_at] + A_shared_local[i_c * 4 + k_inner_inner + vy_2 * 16] * B_shared_local[k_inner_inner * 4 + j_c + vx_2 * 16];
              }
            }
          }
        }
      }
    }
  }
  #pragma unroll
  for (int i_inner_inner_inner = 0; i_inner_inner_inner < 4; ++i_inner_inner_inner) {
    #pragma unroll
    for (int vy_3 = 0; vy_3 < 2; ++vy_3) {
      const int at_8 = at_5 + vy_3 * 64 + i_inner_inner_inner;
      if (at_8 < m) {
        #pragma unroll
        for (int vx_3 = 0; vx_3 < 2; ++vx_3) {
          const int at_9 = at_6 + vx_3 * 64;
          const int C_at = at_6 + at_8 * n + vx_3 * 64;
          if (at_9 + 3 < n) {
            const int t_37 = i_inner_inner_inner * 4 + vx_3 * 16 + vy_3 * 32;
            C[C_at] = C_local[t_37];
            C[C_at + 1] = C_local[t_37 + 1];
            C[C_at + 2] = C_local[t_37 + 2];
            C[C_at + 3] = C_local[t_37 + 3];
          } else {
            #pragma unroll
            for (int j_inner_inner_inner = 0; j_inner_inner_inner < 4; ++j_inner_inner_inner) {
              if (at_9 + j_inner_inner_inner < n) {
                C[C_at + j_inner_inner_inner] = C_local[i_inner_inner_inner * 4 + j_inner_inner_inner + vx_3 * 16 + vy_3 * 32];
              }
            }
          }
        }
      }
    }
  }
}
