// conv2d_nhwc_1x9x6x64x1x1_float32_kernel
// target: CUDA C, sm_90

static __device__ __forceinline__ void gc_cp_async_zero_4(void* to, const void* from, bool valid) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;"
               : : "r"((unsigned int)__cvta_generic_to_shared(to)), "l"(from), "r"(valid ? 4 : 0));
}

static __device__ __forceinline__ void gc_cp_async_16(void* to, const void* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;"
               : : "r"((unsigned int)__cvta_generic_to_shared(to)), "l"(from));
}

static __device__ __forceinline__ void gc_cp_async_zero_16(void* to, const void* from, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               : : "r"((unsigned int)__cvta_generic_to_shared(to)), "l"(from), "r"(valid ? 16 : 0));
}

// conv2d_nhwc_1x9x6x64x1x1_float32_kernel: grid (2, 1, 1), block (64, 1, 1)
extern "C" __global__ void __launch_bounds__(64) conv2d_nhwc_1x9x6x64x1x1_float32_kernel(
    const float* __restrict__ X,
    const float* __restrict__ W,
    float* __restrict__ Y) {
  const int threadIdx_x = (int)threadIdx.x;
  const int blockIdx_x = (int)blockIdx.x;
  __shared__ __align__(16) float X_shared[864];
  __shared__ __align__(16) float W_shared[1536];
  __builtin_assume(threadIdx_x >= 0 && threadIdx_x < 64);
  const int W_shared_at = (threadIdx_x & 3) * 4;
  const int W_shared_at_1 = (threadIdx_x >> 5) * 32;
  const int X_shared_at = (threadIdx_x >> 2) & 7;
  const int X_shared_at_1 = X_shared_at * 4;
  const int X_shared_at_2 = (threadIdx_x & 7) * 36 + (threadIdx_x >> 3);
  const int at = (threadIdx_x >> 3) + blockIdx_x * 32;
  const int X_at = blockIdx_x * 288 + (threadIdx_x & 7) + (threadIdx_x >> 3) * 9;
  const int W_shared_at_2 = W_shared_at_1 + W_shared_at;
  const int Y_at = blockIdx_x * 2048 + W_shared_at_1 + W_shared_at + X_shared_at * 256;
  float Y_local[32];
  float X_shared_local[8];
  float W_shared_local[16];
  #pragma unroll
  for (int b_y_x_fused_c_init = 0; b_y_x_fused_c_init < 4; ++b_y_x_fused_c_init) {
    #pragma unroll
    for (int f_c_init = 0; f_c_init < 4; ++f_c_init) {
      #pragma unroll
      for (int vx = 0; vx < 2; ++vx) {
        Y_local[b_y_x_fused_c_init * 4 + f_c_init + vx * 16] = 0.0f;
      }
    }
  }
  #pragma unroll
  for (int b_y_x_fused_c_outer = 0; b_y_x_fused_c_outer < 4; ++b_y_x_fused_c_outer) {
    gc_cp_async_zero_4((X_shared + X_shared_at_2) + b_y_x_fused_c_outer * 8, X + (X_at + b_y_x_fused_c_outer * 72), at + b_y_x_fused_c_outer * 8 < 36);
  }
  #pragma unroll
  for (int ax0_ax1_ax2_ax3_fused_outer_outer = 0; ax0_ax1_ax2_ax3_fused_outer_outer < 2; ++ax0_ax1_ax2_ax3_fused_outer_outer) {
    const int W_shared_at_3 = ax0_ax1_ax2_ax3_fused_outer_outer * 256 + threadIdx_x * 4;
    gc_cp_async_16(W_shared + W_shared_at_3, W + W_shared_at_3);
  }
  asm volatile("cp.async.commit_group;" : : : "memory");
  #pragma unroll
  for (int b_y_x_fused_c_outer_1 = 0; b_y_x_fused_c_outer_1 < 4; ++b_y_x_fused_c_outer_1) {
    gc_cp_async_zero_4((X_shared + X_shared_at_2) + (b_y_x_fused_c_outer_1 * 8 + 288), X + (X_at + b_y_x_fused_c_outer_1 * 72 + 8), (threadIdx_x & 7) < 1 && at + b_y_x_fused_c_outer_1 * 8 < 36);
  }
  #pragma unroll
  for (int ax0_ax1_ax2_ax3_fused_outer_outer_1 = 0; ax0_ax1_ax2_ax3_fused_outer_outer_1 < 2; ++ax0_ax1_ax2_ax3_fused_outer_outer_1) {
    gc_cp_async_zero_16((W_shared + threadIdx_x * 4) + (ax0_ax1_ax2_ax3_fused_outer_outer_1 * 256 + 512), W + (threadIdx_x * 4 + 512), ax0_ax1_ax2_ax3_fused_outer_outer_1 * 4 + (threadIdx_x >> 4) < 1);
  }
  asm volatile("cp.async.commit_group;" : : : "memory");
  asm volatile("cp.async.wait_group 1;" : : : "memory");
  __syncthreads();
  const float4 X_shared_v = *(const float4*)(X_shared + X_shared_at_1);
  X_shared_local[0] = X_shared_v.x;
  X_shared_local[1] = X_shared_v.y;
  X_shared_local[2] = X_shared_v.z;
  X_shared_local[3] = X_shared_v.w;
  #pragma unroll
  for (int vx_1 = 0; vx_1 < 2; ++vx_1) {
    const float4 W_shared_v = *(const float4*)(W_shared + (W_shared_at_2 + vx_1 * 16));
    W_shared_local[vx_1 * 4] = W_shared_v.x;
    W_shared_local[vx_1 * 4 + 1] = W_shared_v.y;
    W_shared_local[vx_1 * 4 + 2] = W_shared_v.z;
    W_shared_local[vx_1 * 4 + 3] = W_shared_v.w;
  }
  const float* X_shared_ptr = X_shared + X_shared_at_1;
  const float* W_shared_ptr = W_shared + W_shared_at_2;
  #pragma unroll 1
  for (int rc_outer_ry_rx_fused = 0; rc_outer_ry_rx_fused < 2; ++rc_outer_ry_rx_fused) {
    asm volatile("cp.async.commit_group;" : : : "memory");
    #pragma unroll
    for (int rc_inner = 0; rc_inner < 7; ++rc_inner) {
      const int X_shared_local_at = (rc_inner + 1) & 1;
      const float4 X_shared_v_1 = *(const float4*)(X_shared_ptr + (rc_inner * 36 + 36));
      X_shared_local[X_shared_local_at * 4] = X_shared_v_1.x;
      X_shared_local[X_shared_local_at * 4 + 1] = X_shared_v_1.y;
      X_shared_local[X_shared_local_at * 4 + 2] = X_shared_v_1.z;
      X_shared_local[X_shared_local_at * 4 + 3] = X_shared_v_1.w;
      #pragma unroll
      for (int vx_2 = 0; vx_2 < 2; ++vx_2) {
        const float4 W_shared_v_1 = *(const float4*)(W_shared_ptr + (rc_inner * 64 + vx_2 * 16 + 64));
        const int t = vx_2 * 4 + X_shared_local_at * 8;
        W_shared_local[t] = W_shared_v_1.x;
        W_shared_local[t + 1] = W_shared_v_1.y;
        W_shared_local[t + 2] = W_shared_v_1.z;
        W_shared_local[t + 3] = W_shared_v_1.w;
      }
      #pragma unroll
      for (int vx_3 = 0; vx_3 < 2; ++vx_3) {
        #pragma unroll
        for (int f_c = 0; f_c < 4; ++f_c) {
          #pragma unroll
          for (int b_y_x_fused_c = 0; b_y_x_fused_c < 4; ++b_y_x_fused_c) {
            const int t_1 = (f_c & 1) == 0 ? b_y_x_fused_c : 3 - b_y_x_fused_c;
            const int t_2 = t_1 * 4 + f_c + vx_3 * 16;
            Y_local[t_2] = Y_local[t_2] + X_shared_local[t_1 + (rc_inner & 1) * 4] * W_shared_local[f_c + vx_3 * 4 + (rc_inner & 1) * 8];
          }
        }
      }
    }
    asm volatile("cp.async.wait_group 1;" : : : "memory");
    __syncthreads();
    const float4 X_shared_v_2 = *(const float4*)(X_shared + (X_shared_at_1 + 288));
    X_shared_local[0] = X_shared_v_2.x;
    X_shared_local[1] = X_shared_v_2.y;
    X_shared_local[2] = X_shared_v_2.z;
    X_shared_local[3] = X_shared_v_2.w;
    #pragma unroll
    for (int vx_4 = 0; vx_4 < 2; ++vx_4) {
      const float4 W_shared_v_2 = *(const float4*)(W_shared + (W_shared_at_2 + vx_4 * 16 + 512));
      W_shared_local[vx_4 * 4] = W_shared_v_2.x;
      W_shared_local[vx_4 * 4 + 1] = W_shared_v_2.y;
      W_shared_local[vx_4 * 4 + 2] = W_shared_v_2.z;
      W_shared_local[vx_4 * 4 + 3] = W_shared_v_2.w;
    }
    #pragma unroll
    for (int vx_5 = 0; vx_5 < 2; ++vx_5) {
      #pragma unroll
      for (int f_c_1 = 0; f_c_1 < 4; ++f_c_1) {
        #pragma unroll
        for (int b_y_x_fused_c_1 = 0; b_y_x_fused_c_1 < 4; ++b_y_x_fused_c_1) {
          const int t_3 = (f_c_1 & 1) == 0 ? b_y_x_fused_c_1 : 3 - b_y_x_fused_c_1;
          const int t_4 = t_3 * 4 + f_c_1 + vx_5 * 16;
          Y_local[t_4] = Y_local[t_4] + X_shared_local[t_3 + 4] * W_shared_local[f_c_1 + vx_5 * 4 + 8];
        }
      }
    }
    X_shared_ptr += 288;
    W_shared_ptr += 512;
  }
  if (blockIdx_x * 8 + X_shared_at < 9) {
    #pragma unroll
    for (int b_y_x_fused_inner_inner_inner_inner = 0; b_y_x_fused_inner_inner_inner_inner < 4; ++b_y_x_fused_inner_inner_inner_inner) {
      #pragma unroll
      for (int vx_6 = 0; vx_6 < 2; ++vx_6) {
        const int t_5 = b_y_x_fused_inner_inner_inner_inner * 4 + vx_6 * 16;
        *(float4*)(Y + (Y_at + vx_6 * 16 + b_y_x_fused_inner_inner_inner_inner * 64)) = make_float4(Y_local[t_5], Y_local[t_5 + 1], Y_local[t_5 + 2], Y_local[t_5 + 3]);
      }
    }
  }
}
