// winograd_conv2d_kernel, winograd_conv2d_kernel_1, winograd_conv2d_kernel_2, winograd_conv2d_kernel_3
// target: CUDA C, sm_90

// winograd_conv2d_kernel: grid (2, 4, 1), block (128, 1, 1)
extern "C" __global__ void __launch_bounds__(128) winograd_conv2d_kernel(
    const float* __restrict__ W,
    float* __restrict__ kernel_) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int blockIdx_y = (int)blockIdx.y;
  __shared__ __align__(16) float W_shared[1152];
  const int at = blockIdx_x * 32 + (threadIdx_x & 31);
  const int W_shared_at = (threadIdx_x & 31) * 36 + (threadIdx_x >> 5) * 9;
  const int kernel_at = blockIdx_y * 144 + (threadIdx_x >> 5) * 36 + blockIdx_x * 32 + (threadIdx_x & 31);
  const int W_at = blockIdx_x * 4608 + blockIdx_y * 36;
  float rows_kernel[12];
  #pragma unroll
  for (int ax0_ax1_ax2_ax3_fused_outer = 0; ax0_ax1_ax2_ax3_fused_outer < 9; ++ax0_ax1_ax2_ax3_fused_outer) {
    const int W_at_1 = ax0_ax1_ax2_ax3_fused_outer * 20 + threadIdx_x;
    const int W_at_2 = W_at_1 / 36;
    W_shared[ax0_ax1_ax2_ax3_fused_outer * 128 + threadIdx_x] = ax0_ax1_ax2_ax3_fused_outer * 3 + W_at_2 + blockIdx_x * 32 < 33 ? W[W_at + ax0_ax1_ax2_ax3_fused_outer * 432 + W_at_2 * 144 + W_at_1 % 36] : 0.0f;
  }
  __syncthreads();
  rows_kernel[0] = at < 33 ? W_shared[W_shared_at] * -1.0f : 0.0f;
  rows_kernel[1] = at < 33 ? W_shared[W_shared_at + 1] * -1.0f : 0.0f;
  rows_kernel[2] = at < 33 ? W_shared[W_shared_at + 2] * -1.0f : 0.0f;
  rows_kernel[3] = at < 33 ? W_shared[W_shared_at] * 0.5f + W_shared[W_shared_at + 3] * 0.5f + W_shared[W_shared_at + 6] * 0.5f : 0.0f;
  rows_kernel[4] = at < 33 ? W_shared[W_shared_at + 1] * 0.5f + W_shared[W_shared_at + 4] * 0.5f + W_shared[W_shared_at + 7] * 0.5f : 0.0f;
  rows_kernel[5] = at < 33 ? W_shared[W_shared_at + 2] * 0.5f + W_shared[W_shared_at + 5] * 0.5f + W_shared[W_shared_at + 8] * 0.5f : 0.0f;
  rows_kernel[6] = at < 33 ? W_shared[W_shared_at] * 0.5f + W_shared[W_shared_at + 6] * 0.5f - W_shared[W_shared_at + 3] * 0.5f : 0.0f;
  rows_kernel[7] = at < 33 ? W_shared[W_shared_at + 1] * 0.5f + W_shared[W_shared_at + 7] * 0.5f - W_shared[W_shared_at + 4] * 0.5f : 0.0f;
  rows_kernel[8] = at < 33 ? W_shared[W_shared_at + 2] * 0.5f + W_shared[W_shared_at + 8] * 0.5f - W_shared[W_shared_at + 5] * 0.5f : 0.0f;
  rows_kernel[9] = at < 33 ? W_shared[W_shared_at + 6] : 0.0f;
  rows_kernel[10] = at < 33 ? W_shared[W_shared_at + 7] : 0.0f;
  rows_kernel[11] = at < 33 ? W_shared[W_shared_at + 8] : 0.0f;
  if (at < 36) {
    kernel_[kernel_at] = rows_kernel[0] * -1.0f;
    kernel_[kernel_at + 576] = rows_kernel[0] * 0.5f + rows_kernel[1] * 0.5f + rows_kernel[2] * 0.5f;
    kernel_[kernel_at + 1152] = rows_kernel[0] * 0.5f + rows_kernel[2] * 0.5f - rows_kernel[1] * 0.5f;
    kernel_[kernel_at + 1728] = rows_kernel[2];
    kernel_[kernel_at + 2304] = rows_kernel[3] * -1.0f;
    kernel_[kernel_at + 2880] = rows_kernel[3] * 0.5f + rows_kernel[4] * 0.5f + rows_kernel[5] * 0.5f;
    kernel_[kernel_at + 3456] = rows_kernel[3] * 0.5f + rows_kernel[5] * 0.5f - rows_kernel[4] * 0.5f;
    kernel_[kernel_at + 4032] = rows_kernel[5];
    kernel_[kernel_at + 4608] = rows_kernel[6] * -1.0f;
    kernel_[kernel_at + 5184] = rows_kernel[6] * 0.5f + rows_kernel[7] * 0.5f + rows_kernel[8] * 0.5f;
    kernel_[kernel_at + 5760] = rows_kernel[6] * 0.5f + rows_kernel[8] * 0.5f - rows_kernel[7] * 0.5f;
    kernel_[kernel_at + 6336] = rows_kernel[8];
    kernel_[kernel_at + 6912] = rows_kernel[9] * -1.0f;
    kernel_[kernel_at + 7488] = rows_kernel[9] * 0.5f + rows_kernel[10] * 0.5f + rows_kernel[11] * 0.5f;
    kernel_[kernel_at + 8064] = rows_kernel[9] * 0.5f + rows_kernel[11] * 0.5f - rows_kernel[10] * 0.5f;
    kernel_[kernel_at + 8640] = rows_kernel[11];
  }
}

// winograd_conv2d_kernel_1: grid (9, 1, 1), block (128, 1, 1)
extern "C" __global__ void __launch_bounds__(128) winograd_conv2d_kernel_1(
    const float* __restrict__ X,
    float* __restrict__ data) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int at = blockIdx_x * 56 + threadIdx_x;
  const int data_at = blockIdx_x * 128 + threadIdx_x;
  const int at_1 = at % 72;
  const int at_2 = at_1 / 5 % 7;
  const int at_3 = at_1 % 5 * 2;
  const int at_4 = at_2 * 2;
  const int X_at = at_1 / 35 * 2080 + blockIdx_x * 130 + at / 72 * 130 + at_2 * 20 + at_3;
  float pad[16];
  float rows_data[16];
  #pragma unroll
  for (int y = 0; y < 4; ++y) {
    #pragma unroll
    for (int x = 0; x < 4; ++x) {
      pad[y * 4 + x] = at_4 + y >= 1 && at_4 + y < 14 && at_3 + x >= 1 && at_3 + x < 11 && at % 72 / 35 < 2 ? X[X_at + y * 10 + x - 11] : 0.0f;
    }
  }
  rows_data[0] = pad[8] - pad[0];
  rows_data[1] = pad[9] - pad[1];
  rows_data[2] = pad[10] - pad[2];
  rows_data[3] = pad[11] - pad[3];
  rows_data[4] = pad[4] + pad[8];
  rows_data[5] = pad[5] + pad[9];
  rows_data[6] = pad[6] + pad[10];
  rows_data[7] = pad[7] + pad[11];
  rows_data[8] = pad[8] - pad[4];
  rows_data[9] = pad[9] - pad[5];
  rows_data[10] = pad[10] - pad[6];
  rows_data[11] = pad[11] - pad[7];
  rows_data[12] = pad[12] - pad[4];
  rows_data[13] = pad[13] - pad[5];
  rows_data[14] = pad[14] - pad[6];
  rows_data[15] = pad[15] - pad[7];
  data[data_at] = rows_data[2] - rows_data[0];
  data[data_at + 1152] = rows_data[1] + rows_data[2];
  data[data_at + 2304] = rows_data[2] - rows_data[1];
  data[data_at + 3456] = rows_data[3] - rows_data[1];
  data[data_at + 4608] = rows_data[6] - rows_data[4];
  data[data_at + 5760] = rows_data[5] + rows_data[6];
  data[data_at + 6912] = rows_data[6] - rows_data[5];
  data[data_at + 8064] = rows_data[7] - rows_data[5];
  data[data_at + 9216] = rows_data[10] - rows_data[8];
  data[data_at + 10368] = rows_data[9] + rows_data[10];
  data[data_at + 11520] = rows_data[10] - rows_data[9];
  data[data_at + 12672] = rows_data[11] - rows_data[9];
  data[data_at + 13824] = rows_data[14] - rows_data[12];
  data[data_at + 14976] = rows_data[13] + rows_data[14];
  data[data_at + 16128] = rows_data[14] - rows_data[13];
  data[data_at + 17280] = rows_data[15] - rows_data[13];
}

// winograd_conv2d_kernel_2: grid (2, 2, 16), block (64, 1, 1)
extern "C" __global__ void __launch_bounds__(64) winograd_conv2d_kernel_2(
    const float* __restrict__ kernel_,
    const float* __restrict__ data,
    float* __restrict__ products) {
  const int threadIdx_x = (int)threadIdx.x;
  const int blockIdx_z = (int)blockIdx.z;
  const int blockIdx_y = (int)blockIdx.y;
  const int blockIdx_x = (int)blockIdx.x;
  __shared__ __align__(16) float kernel_shared[512];
  __shared__ __align__(16) float data_shared[1024];
  __builtin_assume(threadIdx_x >= 0 && threadIdx_x < 64);
  const int data_shared_at = (threadIdx_x & 3) * 4;
  const int data_shared_at_1 = (threadIdx_x >> 5) * 32;
  const int kernel_shared_at = (threadIdx_x >> 2) & 7;
  const int kernel_shared_at_1 = kernel_shared_at * 4;
  const int products_at = blockIdx_z * 2450 + blockIdx_y * 2240 + kernel_shared_at * 280;
  const int at = (threadIdx_x & 7) + blockIdx_y * 8;
  const int kernel_at = blockIdx_z * 576 + (threadIdx_x >> 3) * 36 + (threadIdx_x & 7) * 4 + blockIdx_y * 32;
  const int at_1 = (threadIdx_x & 15) + blockIdx_x * 16;
  const int data_at = blockIdx_z * 1152 + (threadIdx_x >> 4) * 72 + (threadIdx_x & 15) * 4 + blockIdx_x * 64;
  const int data_shared_at_2 = data_shared_at_1 + data_shared_at;
  const int at_2 = blockIdx_y * 32 + kernel_shared_at_1;
  const int at_3 = blockIdx_x * 16 + (threadIdx_x >> 5) * 8 + (threadIdx_x & 3);
  const int products_at_1 = products_at + blockIdx_x * 64 + data_shared_at_1 + data_shared_at;
  const int products_at_2 = products_at + data_shared_at_1 + data_shared_at;
  float products_local[32];
  float kernel_shared_local[8];
  float data_shared_local[16];
  #pragma unroll
  for (int f_c_init = 0; f_c_init < 4; ++f_c_init) {
    #pragma unroll
    for (int p_c_init = 0; p_c_init < 4; ++p_c_init) {
      #pragma unroll
      for (int vx = 0; vx < 2; ++vx) {
        products_local[f_c_init * 4 + p_c_init + vx * 16] = 0.0f;
      }
    }
  }
  #pragma unroll
  for (int ax0_ax1_ax2_fused_outer_outer = 0; ax0_ax1_ax2_fused_outer_outer < 2; ++ax0_ax1_ax2_fused_outer_outer) {
    *(float4*)(kernel_shared + (ax0_ax1_ax2_fused_outer_outer * 256 + threadIdx_x * 4)) = at < 9 ? *(const float4*)(kernel_ + (kernel_at + ax0_ax1_ax2_fused_outer_outer * 288)) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  }
  #pragma unroll
  for (int ax0_ax1_ax2_fused_outer_outer_1 = 0; ax0_ax1_ax2_fused_outer_outer_1 < 4; ++ax0_ax1_ax2_fused_outer_outer_1) {
    *(float4*)(data_shared + (ax0_ax1_ax2_fused_outer_outer_1 * 256 + threadIdx_x * 4)) = at_1 < 18 ? *(const float4*)(data + (data_at + ax0_ax1_ax2_fused_outer_outer_1 * 288)) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  }
  __syncthreads();
  const float4 kernel_shared_v = *(const float4*)(kernel_shared + kernel_shared_at_1);
  kernel_shared_local[0] = kernel_shared_v.x;
  kernel_shared_local[1] = kernel_shared_v.y;
  kernel_shared_local[2] = kernel_shared_v.z;
  kernel_shared_local[3] = kernel_shared_v.w;
  #pragma unroll
  for (int vx_1 = 0; vx_1 < 2; ++vx_1) {
    const float4 data_shared_v = *(const float4*)(data_shared + (data_shared_at_2 + vx_1 * 16));
    data_shared_local[vx_1 * 4] = data_shared_v.x;
    data_shared_local[vx_1 * 4 + 1] = data_shared_v.y;
    data_shared_local[vx_1 * 4 + 2] = data_shared_v.z;
    data_shared_local[vx_1 * 4 + 3] = data_shared_v.w;
  }
  #pragma unroll
  for (int rc_inner = 0; rc_inner < 16; ++rc_inner) {
    const int kernel_shared_local_at = (rc_inner + 1) & 1;
    if (rc_inner < 15) {
      const float4 kernel_shared_v_1 = *(const float4*)(kernel_shared + (kernel_shared_at_1 + rc_inner * 32 + 32));
      kernel_shared_local[kernel_shared_local_at * 4] = kernel_shared_v_1.x;
      kernel_shared_local[kernel_shared_local_at * 4 + 1] = kernel_shared_v_1.y;
      kernel_shared_local[kernel_shared_local_at * 4 + 2] = kernel_shared_v_1.z;
      kernel_shared_local[kernel_shared_local_at * 4 + 3] = kernel_shared_v_1.w;
      #pragma unroll
      for (int vx_2 = 0; vx_2 < 2; ++vx_2) {
        const float4 data_shared_v_1 = *(const float4*)(data_shared + (data_shared_at_2 + rc_inner * 64 + vx_2 * 16 + 64));
        const int t = vx_2 * 4 + kernel_shared_local_at * 8;
        data_shared_local[t] = data_shared_v_1.x;
        data_shared_local[t + 1] = data_shared_v_1.y;
        data_shared_local[t + 2] = data_shared_v_1.z;
        data_shared_local[t + 3] = data_shared_v_1.w;
      }
    }
    #pragma unroll
    for (int vx_3 = 0; vx_3 < 2; ++vx_3) {
      #pragma unroll
      for (int p_c = 0; p_c < 4; ++p_c) {
        #pragma unroll
        for (int f_c = 0; f_c < 4; ++f_c) {
          const int t_1 = (p_c & 1) == 0 ? f_c : 3 - f_c;
          const int t_2 = t_1 * 4 + p_c + vx_3 * 16;
          products_local[t_2] = products_local[t_2] + kernel_shared_local[t_1 + (rc_inner & 1) * 4] * data_shared_local[p_c + vx_3 * 4 + (rc_inner & 1) * 8];
        }
      }
    }
  }
  #pragma unroll
  for (int f_inner_inner_inner_inner = 0; f_inner_inner_inner_inner < 4; ++f_inner_inner_inner_inner) {
    if (at_2 + f_inner_inner_inner_inner < 35) {
      #pragma unroll
      for (int vx_4 = 0; vx_4 < 2; ++vx_4) {
        if (at_3 + vx_4 * 4 < 17) {
          const int t_3 = f_inner_inner_inner_inner * 4 + vx_4 * 16;
          const int t_4 = products_at_1 + f_inner_inner_inner_inner * 70 + vx_4 * 16;
          *(float2*)(products + t_4) = make_float2(products_local[t_3], products_local[t_3 + 1]);
          *(float2*)(products + (t_4 + 2)) = make_float2(products_local[t_3 + 2], products_local[t_3 + 3]);
        } else {
          #pragma unroll
          for (int p_inner_inner_inner_inner = 0; p_inner_inner_inner_inner < 4; ++p_inner_inner_inner_inner) {
            if (data_shared_at_2 + vx_4 * 16 + p_inner_inner_inner_inner < 6) {
              products[products_at_2 + f_inner_inner_inner_inner * 70 + p_inner_inner_inner_inner + 64] = products_local[f_inner_inner_inner_inner * 4 + p_inner_inner_inner_inner];
            }
          }
        }
      }
    }
  }
}

// winograd_conv2d_kernel_3: grid (19, 1, 1), block (128, 1, 1)
extern "C" __global__ void __launch_bounds__(128) winograd_conv2d_kernel_3(
    float* __restrict__ Y,
    const float* __restrict__ products) {
  const int blockIdx_x = (int)blockIdx.x;
  const int threadIdx_x = (int)threadIdx.x;
  const int products_at = blockIdx_x * 128 + threadIdx_x;
  const int at = blockIdx_x * 3 + threadIdx_x;
  const int at_1 = (blockIdx_x * 4 + at / 5) % 7;
  const int at_2 = at_1 * 2;
  const int Y_at = ((blockIdx_x + (blockIdx_x * 23 + threadIdx_x) / 35) & 1) * 4290 + blockIdx_x * 130 + (blockIdx_x * 58 + threadIdx_x) / 70 * 130 + at_1 * 20 + at % 5 * 2;
  float products_local[16];
  float rows_inverse[8];
  float inverse[4];
  #pragma unroll
  for (int ax0 = 0; ax0 < 16; ++ax0) {
    products_local[ax0] = products[products_at + ax0 * 2450];
  }
  rows_inverse[0] = products_local[0] + products_local[4] + products_local[8];
  rows_inverse[1] = products_local[1] + products_local[5] + products_local[9];
  rows_inverse[2] = products_local[2] + products_local[6] + products_local[10];
  rows_inverse[3] = products_local[3] + products_local[7] + products_local[11];
  rows_inverse[4] = products_local[4] + products_local[12] - products_local[8];
  rows_inverse[5] = products_local[5] + products_local[13] - products_local[9];
  rows_inverse[6] = products_local[6] + products_local[14] - products_local[10];
  rows_inverse[7] = products_local[7] + products_local[15] - products_local[11];
  inverse[0] = rows_inverse[0] + rows_inverse[1] + rows_inverse[2];
  inverse[1] = rows_inverse[1] + rows_inverse[3] - rows_inverse[2];
  inverse[2] = rows_inverse[4] + rows_inverse[5] + rows_inverse[6];
  inverse[3] = rows_inverse[5] + rows_inverse[7] - rows_inverse[6];
  if (products_at < 2310) {
    #pragma unroll
    for (int y_inner = 0; y_inner < 2; ++y_inner) {
      if (at_2 + y_inner < 13) {
        *(float2*)(Y + (Y_at + y_inner * 10)) = make_float2(inverse[y_inner * 2], inverse[y_inner * 2 + 1]);
      }
    }
  }
}
