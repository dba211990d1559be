// conv2d_1x3x8x33x3x1_float32_kernel, conv2d_1x3x8x33x3x1_float32_kernel_1
// target: CUDA C, sm_90

static __device__ __forceinline__ void gc_cp_async_zero_4(void* to, const void* from, bool valid) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;"
               : : "r"((unsigned int)__cvta_generic_to_shared(to)), "l"(from), "r"(valid ? 4 : 0));
}

// conv2d_1x3x8x33x3x1_float32_kernel: grid (2, 1, 1), block (256, 1, 1)
extern "C" __global__ void __launch_bounds__(256) conv2d_1x3x8x33x3x1_float32_kernel(
    const float* __restrict__ W,
    float* __restrict__ W_global) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  __shared__ __align__(16) float W_shared[864];
  const int W_global_at = blockIdx_x * 32 + (threadIdx_x & 31);
  const int W_at = blockIdx_x * 864 + threadIdx_x;
  const int W_shared_at = (threadIdx_x & 31) * 27 + (threadIdx_x >> 5);
  for (int ax0_ax1_ax2_ax3_fused_outer = 0; ax0_ax1_ax2_ax3_fused_outer < 4; ++ax0_ax1_ax2_ax3_fused_outer) {
    const int at = ax0_ax1_ax2_ax3_fused_outer * 256 + threadIdx_x;
    if (at < 864) {
      W_shared[at] = ax0_ax1_ax2_ax3_fused_outer * 9 + (ax0_ax1_ax2_ax3_fused_outer * 13 + threadIdx_x) / 27 + blockIdx_x * 32 < 33 ? W[W_at + ax0_ax1_ax2_ax3_fused_outer * 256] : 0.0f;
    }
  }
  __syncthreads();
  if (W_global_at < 33) {
    for (int i2_inner_i0_i1_i3_inner_fused_outer = 0; i2_inner_i0_i1_i3_inner_fused_outer < 4; ++i2_inner_i0_i1_i3_inner_fused_outer) {
      const int W_global_at_1 = i2_inner_i0_i1_i3_inner_fused_outer * 8 + (threadIdx_x >> 5);
      if (i2_inner_i0_i1_i3_inner_fused_outer * 256 + threadIdx_x < 864) {
        W_global[W_global_at + W_global_at_1 / 9 * 33 + W_global_at_1 % 9 * 99] = W_shared[W_shared_at + i2_inner_i0_i1_i3_inner_fused_outer * 8];
      }
    }
  }
}

// conv2d_1x3x8x33x3x1_float32_kernel_1: grid (2, 1, 1), block (64, 1, 1)
extern "C" __global__ void __launch_bounds__(64) conv2d_1x3x8x33x3x1_float32_kernel_1(
    const float* __restrict__ X,
    float* __restrict__ Y,
    const float* __restrict__ W_global) {
  const int threadIdx_x = (int)threadIdx.x;
  const int blockIdx_x = (int)blockIdx.x;
  __shared__ __align__(16) float pad_shared[1728];
  __shared__ __align__(16) float W_global_shared[864];
  __builtin_assume(threadIdx_x >= 0 && threadIdx_x < 64);
  const int at = (threadIdx_x & 31) + blockIdx_x * 32;
  const int pad_shared_at = (threadIdx_x & 3) * 4;
  const int pad_shared_at_1 = (threadIdx_x >> 5) * 32;
  const int W_global_shared_at = (threadIdx_x >> 2) & 7;
  const int W_global_shared_at_1 = W_global_shared_at * 4;
  const int W_global_at = at + (threadIdx_x >> 5) * 33;
  const int pad_shared_at_2 = pad_shared_at_1 + pad_shared_at;
  const int at_1 = blockIdx_x * 32 + W_global_shared_at_1;
  const int Y_at = blockIdx_x * 2048 + W_global_shared_at * 256 + pad_shared_at_1 + pad_shared_at;
  float Y_local[32];
  float pad_shared_local[16];
  float W_global_shared_local[8];
  #pragma unroll
  for (int f_c_init = 0; f_c_init < 4; ++f_c_init) {
    #pragma unroll
    for (int b_y_x_fused_c_init = 0; b_y_x_fused_c_init < 4; ++b_y_x_fused_c_init) {
      #pragma unroll
      for (int vx = 0; vx < 2; ++vx) {
        Y_local[f_c_init * 4 + b_y_x_fused_c_init + vx * 16] = 0.0f;
      }
    }
  }
  #pragma unroll
  for (int ry_rx_rc_b_y_x_c_fused_outer = 0; ry_rx_rc_b_y_x_c_fused_outer < 9; ++ry_rx_rc_b_y_x_c_fused_outer) {
    const int X_at = ry_rx_rc_b_y_x_c_fused_outer / 3;
    const int at_2 = (threadIdx_x & 7) + X_at;
    gc_cp_async_zero_4((pad_shared + threadIdx_x) + ry_rx_rc_b_y_x_c_fused_outer * 64, X + (ry_rx_rc_b_y_x_c_fused_outer % 3 * 64 + X_at + threadIdx_x - 9), threadIdx_x >> 3 >= 1 && at_2 >= 1 && at_2 < 9);
  }
  #pragma unroll
  for (int ax0_ax1_ax2_ax3_fused_outer_outer = 0; ax0_ax1_ax2_ax3_fused_outer_outer < 5; ++ax0_ax1_ax2_ax3_fused_outer_outer) {
    const int at_3 = ax0_ax1_ax2_ax3_fused_outer_outer * 64 + threadIdx_x;
    if (at_3 < 288) {
      gc_cp_async_zero_4(W_global_shared + at_3, W_global + (W_global_at + ax0_ax1_ax2_ax3_fused_outer_outer * 66), at < 33);
    }
  }
  asm volatile("cp.async.commit_group;" : : : "memory");
  #pragma unroll
  for (int ry_rx_rc_b_y_x_c_fused_outer_1 = 0; ry_rx_rc_b_y_x_c_fused_outer_1 < 9; ++ry_rx_rc_b_y_x_c_fused_outer_1) {
    const int X_at_1 = ry_rx_rc_b_y_x_c_fused_outer_1 / 3;
    const int at_4 = (threadIdx_x & 7) + X_at_1;
    gc_cp_async_zero_4((pad_shared + threadIdx_x) + (ry_rx_rc_b_y_x_c_fused_outer_1 * 64 + 576), X + (ry_rx_rc_b_y_x_c_fused_outer_1 % 3 * 64 + X_at_1 + threadIdx_x - 1), at_4 >= 1 && at_4 < 9);
  }
  __syncthreads();
  #pragma unroll
  for (int ax0_ax1_ax2_ax3_fused_outer_outer_1 = 0; ax0_ax1_ax2_ax3_fused_outer_outer_1 < 5; ++ax0_ax1_ax2_ax3_fused_outer_outer_1) {
    const int at_5 = ax0_ax1_ax2_ax3_fused_outer_outer_1 * 64 + threadIdx_x;
    if (at_5 < 288) {
      gc_cp_async_zero_4((W_global_shared + at_5) + 288, W_global + (W_global_at + ax0_ax1_ax2_ax3_fused_outer_outer_1 * 66 + 297), at < 33);
    }
  }
  asm volatile("cp.async.commit_group;" : : : "memory");
  const float* pad_shared_ptr = pad_shared + pad_shared_at_2;
  const float* W_global_shared_ptr = W_global_shared + W_global_shared_at_1;
  #pragma unroll 1
  for (int rc_outer_ry_fused = 0; rc_outer_ry_fused < 3; ++rc_outer_ry_fused) {
    asm volatile("cp.async.wait_group 1;" : : : "memory");
    __syncthreads();
    if (rc_outer_ry_fused < 1) {
      #pragma unroll
      for (int ry_rx_rc_b_y_x_c_fused_outer_2 = 0; ry_rx_rc_b_y_x_c_fused_outer_2 < 9; ++ry_rx_rc_b_y_x_c_fused_outer_2) {
        const int X_at_2 = ry_rx_rc_b_y_x_c_fused_outer_2 / 3;
        const int at_6 = (threadIdx_x & 7) + X_at_2;
        gc_cp_async_zero_4((pad_shared + threadIdx_x) + (ry_rx_rc_b_y_x_c_fused_outer_2 * 64 + 1152), X + (ry_rx_rc_b_y_x_c_fused_outer_2 % 3 * 64 + X_at_2 + threadIdx_x + 7), threadIdx_x >> 3 < 7 && at_6 >= 1 && at_6 < 9);
      }
      #pragma unroll
      for (int ax0_ax1_ax2_ax3_fused_outer_outer_2 = 0; ax0_ax1_ax2_ax3_fused_outer_outer_2 < 5; ++ax0_ax1_ax2_ax3_fused_outer_outer_2) {
        const int at_7 = ax0_ax1_ax2_ax3_fused_outer_outer_2 * 64 + threadIdx_x;
        if (at_7 < 288) {
          gc_cp_async_zero_4((W_global_shared + at_7) + 576, W_global + (W_global_at + ax0_ax1_ax2_ax3_fused_outer_outer_2 * 66 + 594), at < 33);
        }
      }
    }
    asm volatile("cp.async.commit_group;" : : : "memory");
    #pragma unroll
    for (int vx_1 = 0; vx_1 < 2; ++vx_1) {
      const float4 pad_shared_v = *(const float4*)(pad_shared_ptr + vx_1 * 16);
      pad_shared_local[vx_1 * 4] = pad_shared_v.x;
      pad_shared_local[vx_1 * 4 + 1] = pad_shared_v.y;
      pad_shared_local[vx_1 * 4 + 2] = pad_shared_v.z;
      pad_shared_local[vx_1 * 4 + 3] = pad_shared_v.w;
    }
    const float4 W_global_shared_v = *(const float4*)(W_global_shared_ptr);
    W_global_shared_local[0] = W_global_shared_v.x;
    W_global_shared_local[1] = W_global_shared_v.y;
    W_global_shared_local[2] = W_global_shared_v.z;
    W_global_shared_local[3] = W_global_shared_v.w;
    #pragma unroll
    for (int rx_rc_inner_fused = 0; rx_rc_inner_fused < 9; ++rx_rc_inner_fused) {
      const int pad_shared_local_at = (rx_rc_inner_fused + 1) & 1;
      if (rx_rc_inner_fused < 8) {
        #pragma unroll
        for (int vx_2 = 0; vx_2 < 2; ++vx_2) {
          const float4 pad_shared_v_1 = *(const float4*)(pad_shared_ptr + (vx_2 * 16 + rx_rc_inner_fused * 64 + 64));
          const int t = vx_2 * 4 + pad_shared_local_at * 8;
          pad_shared_local[t] = pad_shared_v_1.x;
          pad_shared_local[t + 1] = pad_shared_v_1.y;
          pad_shared_local[t + 2] = pad_shared_v_1.z;
          pad_shared_local[t + 3] = pad_shared_v_1.w;
        }
        const float4 W_global_shared_v_1 = *(const float4*)(W_global_shared_ptr + (rx_rc_inner_fused * 32 + 32));
        W_global_shared_local[pad_shared_local_at * 4] = W_global_shared_v_1.x;
        W_global_shared_local[pad_shared_local_at * 4 + 1] = W_global_shared_v_1.y;
        W_global_shared_local[pad_shared_local_at * 4 + 2] = W_global_shared_v_1.z;
        W_global_shared_local[pad_shared_local_at * 4 + 3] = W_global_shared_v_1.w;
      }
      #pragma unroll
      for (int vx_3 = 0; vx_3 < 2; ++vx_3) {
        #pragma unroll
        for (int b_y_x_fused_c = 0; b_y_x_fused_c < 4; ++b_y_x_fused_c) {
          #pragma unroll
          for (int f_c = 0; f_c < 4; ++f_c) {
            const int t_1 = (b_y_x_fused_c & 1) == 0 ? f_c : 3 - f_c;
            const int t_2 = t_1 * 4 + b_y_x_fused_c + vx_3 * 16;
            Y_local[t_2] = Y_local[t_2] + pad_shared_local[b_y_x_fused_c + vx_3 * 4 + (rx_rc_inner_fused & 1) * 8] * W_global_shared_local[t_1 + (rx_rc_inner_fused & 1) * 4];
          }
        }
      }
    }
    pad_shared_ptr += 576;
    W_global_shared_ptr += 288;
  }
  #pragma unroll
  for (int f_inner_inner_inner_inner = 0; f_inner_inner_inner_inner < 4; ++f_inner_inner_inner_inner) {
    if (at_1 + f_inner_inner_inner_inner < 33) {
      #pragma unroll
      for (int vx_4 = 0; vx_4 < 2; ++vx_4) {
        const int t_3 = f_inner_inner_inner_inner * 4 + vx_4 * 16;
        *(float4*)(Y + (Y_at + f_inner_inner_inner_inner * 64 + vx_4 * 16)) = make_float4(Y_local[t_3], Y_local[t_3 + 1], Y_local[t_3 + 2], Y_local[t_3 + 3]);
      }
    }
  }
}
