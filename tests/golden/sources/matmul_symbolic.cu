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
  const int blockIdx_y = (int)blockIdx.y;
  const int blockIdx_x = (int)blockIdx.x;
  __shared__ __align__(16) float A_shared[5120];
  __shared__ __align__(16) float B_shared[4096];
  const int A_shared_at = (threadIdx_x & 3) * 4;
  const int at = (k + 15) >> 4;
  const int A_shared_at_1 = threadIdx_y * 80 + (threadIdx_x >> 2) * 20 + A_shared_at;
  const int at_1 = threadIdx_y * 4 + (threadIdx_x >> 2) + blockIdx_y * 128;
  const int B_shared_at = threadIdx_y * 64 + threadIdx_x * 4;
  const int at_2 = threadIdx_x * 4 + (threadIdx_y & 1) * 64 + blockIdx_x * 128;
  const int at_3 = blockIdx_y * 128 + threadIdx_y * 4;
  const int at_4 = blockIdx_x * 128 + threadIdx_x * 4;
  float C_local[64];
  float A_shared_next[8];
  float B_shared_next[8];
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
  if (at >= 1) {
    for (int ax0_ax1_fused_outer_outer_outer = 0; ax0_ax1_fused_outer_outer_outer < 2; ++ax0_ax1_fused_outer_outer_outer) {
      const int A_at = at_1 + ax0_ax1_fused_outer_outer_outer * 64;
      const int A_at_1 = A_shared_at + A_at * k;
      const bool t = A_at < m;
      const bool t_1 = t && A_shared_at + 3 < k;
      float t_5;
      if (t_1) {
        const float t_2 = A[A_at_1];
        t_5 = t_2;
      } else {
        float t_4;
        if (t && A_shared_at < k) {
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
        if (t && A_shared_at + 1 < k) {
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
        if (t && A_shared_at + 2 < k) {
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
        if (t && A_shared_at + 3 < k) {
          const float t_15 = A[A_at_1 + 3];
          t_16 = t_15;
        } else {
          t_16 = 0.0f;
        }
        t_17 = t_16;
      }
      *(float4*)(A_shared + (A_shared_at_1 + ax0_ax1_fused_outer_outer_outer * 1280)) = make_float4(t_5, t_9, t_13, t_17);
    }
    for (int ax0_ax1_fused_outer_outer_outer_1 = 0; ax0_ax1_fused_outer_outer_outer_1 < 2; ++ax0_ax1_fused_outer_outer_outer_1) {
      const int B_at = ax0_ax1_fused_outer_outer_outer_1 * 8 + (threadIdx_y >> 1);
      const int B_at_1 = at_2 + B_at * n;
      const bool t_18 = B_at < k;
      const bool t_19 = t_18 && at_2 + 3 < n;
      float t_23;
      if (t_19) {
        const float t_20 = B[B_at_1];
        t_23 = t_20;
      } else {
        float t_22;
        if (t_18 && at_2 < n) {
          const float t_21 = B[B_at_1];
          t_22 = t_21;
        } else {
          t_22 = 0.0f;
        }
        t_23 = t_22;
      }
      float t_27;
      if (t_19) {
        const float t_24 = B[B_at_1 + 1];
        t_27 = t_24;
      } else {
        float t_26;
        if (t_18 && at_2 + 1 < n) {
          const float t_25 = B[B_at_1 + 1];
          t_26 = t_25;
        } else {
          t_26 = 0.0f;
        }
        t_27 = t_26;
      }
      float t_31;
      if (t_19) {
        const float t_28 = B[B_at_1 + 2];
        t_31 = t_28;
      } else {
        float t_30;
        if (t_18 && at_2 + 2 < n) {
          const float t_29 = B[B_at_1 + 2];
          t_30 = t_29;
        } else {
          t_30 = 0.0f;
        }
        t_31 = t_30;
      }
      float t_35;
      if (t_19) {
        const float t_32 = B[B_at_1 + 3];
        t_35 = t_32;
      } else {
        float t_34;
        if (t_18 && at_2 + 3 < n) {
          const float t_33 = B[B_at_1 + 3];
          t_34 = t_33;
        } else {
          t_34 = 0.0f;
        }
        t_35 = t_34;
      }
      *(float4*)(B_shared + (B_shared_at + ax0_ax1_fused_outer_outer_outer_1 * 1024)) = make_float4(t_23, t_27, t_31, t_35);
    }
  }
  const float* A_ptr = A + A_shared_at;
  const float* B_ptr = B + (at_2 + (threadIdx_y >> 1) * n);
  for (int k_outer = 0; k_outer < at; ++k_outer) {
    const int at_5 = A_shared_at + k_outer * 16;
    const int A_shared_at_2 = (k_outer + 1) & 1;
    if (k_outer + 1 < at) {
      #pragma unroll
      for (int ax0_ax1_fused_outer_outer_outer_2 = 0; ax0_ax1_fused_outer_outer_outer_2 < 2; ++ax0_ax1_fused_outer_outer_outer_2) {
        const int A_at_2 = at_1 + ax0_ax1_fused_outer_outer_outer_2 * 64;
        const bool t_36 = A_at_2 < m;
        const bool t_37 = t_36 && at_5 + 19 < k;
        float t_41;
        if (t_37) {
          const float t_38 = A_ptr[A_at_2 * k + 16];
          t_41 = t_38;
        } else {
          float t_40;
          if (t_36 && at_5 + 16 < k) {
            const float t_39 = A_ptr[A_at_2 * k + 16];
            t_40 = t_39;
          } else {
            t_40 = 0.0f;
          }
          t_41 = t_40;
        }
        A_shared_next[ax0_ax1_fused_outer_outer_outer_2 * 4] = t_41;
        A_shared_next[ax0_ax1_fused_outer_outer_outer_2 * 4 + 1] = t_37 ? A_ptr[A_at_2 * k + 16 + 1] : t_36 && at_5 + 17 < k ? A_ptr[A_at_2 * k + 17] : 0.0f;
        A_shared_next[ax0_ax1_fused_outer_outer_outer_2 * 4 + 2] = t_37 ? A_ptr[A_at_2 * k + 16 + 2] : t_36 && at_5 + 18 < k ? A_ptr[A_at_2 * k + 18] : 0.0f;
        A_shared_next[ax0_ax1_fused_outer_outer_outer_2 * 4 + 3] = t_37 ? A_ptr[A_at_2 * k + 16 + 3] : t_36 && at_5 + 19 < k ? A_ptr[A_at_2 * k + 19] : 0.0f;
      }
      #pragma unroll
      for (int ax0_ax1_fused_outer_outer_outer_3 = 0; ax0_ax1_fused_outer_outer_outer_3 < 2; ++ax0_ax1_fused_outer_outer_outer_3) {
        const int B_at_2 = ax0_ax1_fused_outer_outer_outer_3 * 8 + (threadIdx_y >> 1) + k_outer * 16;
        const bool t_42 = B_at_2 + 16 < k;
        const bool t_43 = t_42 && at_2 + 3 < n;
        const int t_44 = ax0_ax1_fused_outer_outer_outer_3 * 8 * n + 16 * n;
        float t_48;
        if (t_43) {
          const float t_45 = B_ptr[t_44];
          t_48 = t_45;
        } else {
          float t_47;
          if (t_42 && at_2 < n) {
            const float t_46 = B_ptr[t_44];
            t_47 = t_46;
          } else {
            t_47 = 0.0f;
          }
          t_48 = t_47;
        }
        float t_52;
        if (t_43) {
          const float t_49 = B_ptr[t_44 + 1];
          t_52 = t_49;
        } else {
          float t_51;
          if (t_42 && at_2 + 1 < n) {
            const float t_50 = B_ptr[t_44 + 1];
            t_51 = t_50;
          } else {
            t_51 = 0.0f;
          }
          t_52 = t_51;
        }
        float t_56;
        if (t_43) {
          const float t_53 = B_ptr[t_44 + 2];
          t_56 = t_53;
        } else {
          float t_55;
          if (t_42 && at_2 + 2 < n) {
            const float t_54 = B_ptr[t_44 + 2];
            t_55 = t_54;
          } else {
            t_55 = 0.0f;
          }
          t_56 = t_55;
        }
        float t_60;
        if (t_43) {
          const float t_57 = B_ptr[t_44 + 3];
          t_60 = t_57;
        } else {
          float t_59;
          if (t_42 && at_2 + 3 < n) {
            const float t_58 = B_ptr[t_44 + 3];
            t_59 = t_58;
          } else {
            t_59 = 0.0f;
          }
          t_60 = t_59;
        }
        B_shared_next[ax0_ax1_fused_outer_outer_outer_3 * 4] = t_48;
        B_shared_next[ax0_ax1_fused_outer_outer_outer_3 * 4 + 1] = t_52;
        B_shared_next[ax0_ax1_fused_outer_outer_outer_3 * 4 + 2] = t_56;
        B_shared_next[ax0_ax1_fused_outer_outer_outer_3 * 4 + 3] = t_60;
      }
    }
    __syncthreads();
    const float* A_shared_ptr = A_shared + (threadIdx_y * 80 + (k_outer & 1) * 2560);
    const float* B_shared_ptr = B_shared + (threadIdx_x * 4 + (k_outer & 1) * 2048);
    for (int k_inner_outer = 0; k_inner_outer < 4; ++k_inner_outer) {
      #pragma unroll
      for (int ax0 = 0; ax0 < 4; ++ax0) {
        #pragma unroll
        for (int vy_1 = 0; vy_1 < 2; ++vy_1) {
          const float4 A_shared_v = *(const float4*)(A_shared_ptr + (ax0 * 20 + vy_1 * 1280));
          const int t_61 = ax0 * 4 + vy_1 * 16;
          A_shared_local[t_61] = A_shared_v.x;
          A_shared_local[t_61 + 1] = A_shared_v.y;
          A_shared_local[t_61 + 2] = A_shared_v.z;
          A_shared_local[t_61 + 3] = A_shared_v.w;
        }
      }
      #pragma unroll
      for (int ax0_1 = 0; ax0_1 < 4; ++ax0_1) {
        #pragma unroll
        for (int vx_1 = 0; vx_1 < 2; ++vx_1) {
          const float4 B_shared_v = *(const float4*)(B_shared_ptr + (ax0_1 * 128 + vx_1 * 64));
          const int t_62 = ax0_1 * 4 + vx_1 * 16;
          B_shared_local[t_62] = B_shared_v.x;
          B_shared_local[t_62 + 1] = B_shared_v.y;
          B_shared_local[t_62 + 2] = B_shared_v.z;
          B_shared_local[t_62 + 3] = B_shared_v.w;
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
      A_shared_ptr += 4;
      B_shared_ptr += 512;
    }
    if (k_outer + 1 < at) {
      #pragma unroll
      for (int ax0_ax1_fused_outer_outer_outer_4 = 0; ax0_ax1_fused_outer_outer_outer_4 < 2; ++ax0_ax1_fused_outer_outer_outer_4) {
        const float lane = A_shared_next[ax0_ax1_fused_outer_outer_outer_4 * 4];
        const float lane_1 = A_shared_next[ax0_ax1_fused_outer_outer_outer_4 * 4 + 1];
        const float lane_2 = A_shared_next[ax0_ax1_fused_outer_outer_outer_4 * 4 + 2];
        const float lane_3 = A_shared_next[ax0_ax1_fused_outer_outer_outer_4 * 4 + 3];
        *(float4*)(A_shared + (A_shared_at_1 + ax0_ax1_fused_outer_outer_outer_4 * 1280 + A_shared_at_2 * 2560)) = make_float4(lane, lane_1, lane_2, lane_3);
      }
      #pragma unroll
      for (int ax0_ax1_fused_outer_outer_outer_5 = 0; ax0_ax1_fused_outer_outer_outer_5 < 2; ++ax0_ax1_fused_outer_outer_outer_5) {
        const float lane_4 = B_shared_next[ax0_ax1_fused_outer_outer_outer_5 * 4];
        const float lane_5 = B_shared_next[ax0_ax1_fused_outer_outer_outer_5 * 4 + 1];
        const float lane_6 = B_shared_next[ax0_ax1_fused_outer_outer_outer_5 * 4 + 2];
        const float lane_7 = B_shared_next[ax0_ax1_fused_outer_outer_outer_5 * 4 + 3];
        *(float4*)(B_shared + (B_shared_at + ax0_ax1_fused_outer_outer_outer_5 * 1024 + A_shared_at_2 * 2048)) = make_float4(lane_4, lane_5, lane_6, lane_7);
      }
    }
    A_ptr += 16;
    B_ptr += 16 * n;
  }
  #pragma unroll
  for (int i_inner_inner_inner = 0; i_inner_inner_inner < 4; ++i_inner_inner_inner) {
    #pragma unroll
    for (int vy_3 = 0; vy_3 < 2; ++vy_3) {
      const int at_6 = at_3 + vy_3 * 64 + i_inner_inner_inner;
      if (at_6 < m) {
        #pragma unroll
        for (int vx_3 = 0; vx_3 < 2; ++vx_3) {
          const int at_7 = at_4 + vx_3 * 64;
          const int C_at = at_4 + at_6 * n + vx_3 * 64;
          if (at_7 + 3 < n) {
            const int t_63 = i_inner_inner_inner * 4 + vx_3 * 16 + vy_3 * 32;
            C[C_at] = C_local[t_63];
            C[C_at + 1] = C_local[t_63 + 1];
            C[C_at + 2] = C_local[t_63 + 2];
            C[C_at + 3] = C_local[t_63 + 3];
          } else {
            #pragma unroll
            for (int j_inner_inner_inner = 0; j_inner_inner_inner < 4; ++j_inner_inner_inner) {
              if (at_7 + j_inner_inner_inner < n) {
                C[C_at + j_inner_inner_inner] = C_local[i_inner_inner_inner * 4 + j_inner_inner_inner + vx_3 * 16 + vy_3 * 32];
              }
            }
          }
        }
      }
    }
  }
}
