// column_sum_33x40_float16_kernel, column_sum_33x40_float16_kernel_1
// target: CUDA C, sm_90

static __device__ __forceinline__ float gc_f16_to_f32(unsigned short x) {
  float r;
  asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(x));
  return r;
}

static __device__ __forceinline__ unsigned short gc_f32_to_f16(float x) {
  unsigned short r;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r) : "f"(x));
  return r;
}

// column_sum_33x40_float16_kernel: grid (1, 2, 1), block (5, 8, 1)
extern "C" __global__ void __launch_bounds__(40) column_sum_33x40_float16_kernel(
    const unsigned short* __restrict__ A,
    float* __restrict__ total_rf) {
  const int blockIdx_y = (int)blockIdx.y;
  const int threadIdx_y = (int)threadIdx.y;
  const int threadIdx_x = (int)threadIdx.x;
  __shared__ __align__(16) float total_rf_rf[320];
  const int total_rf_at = blockIdx_y * 40 + threadIdx_y * 5 + threadIdx_x;
  const int at = blockIdx_y * 32 + threadIdx_y;
  const int A_at = blockIdx_y * 1280 + threadIdx_y * 40 + threadIdx_x * 8;
  const int total_rf_rf_at = threadIdx_y * 40 + threadIdx_x * 8;
  const int total_rf_rf_at_1 = threadIdx_y * 5 + threadIdx_x;
  float total_rf_rf_local[8];
  float X[8];
  #pragma unroll
  for (int j_c_init = 0; j_c_init < 8; ++j_c_init) {
    total_rf_rf_local[j_c_init] = 0.0f;
  }
  #pragma unroll
  for (int k_inner_outer_inner = 0; k_inner_outer_inner < 4; ++k_inner_outer_inner) {
    const int at_1 = at + k_inner_outer_inner * 8;
    const bool t = at_1 < 33;
    float t_1;
    if (t) {
      const uint4 A_v = *(const uint4*)(A + (A_at + k_inner_outer_inner * 320));
      t_1 = gc_f16_to_f32((unsigned short)(A_v.x));
    } else {
      t_1 = 0.0f;
    }
    float t_2;
    if (t) {
      const uint4 A_v_1 = *(const uint4*)(A + (A_at + k_inner_outer_inner * 320));
      t_2 = gc_f16_to_f32((unsigned short)(A_v_1.x >> 16));
    } else {
      t_2 = 0.0f;
    }
    float t_3;
    if (t) {
      const uint4 A_v_2 = *(const uint4*)(A + (A_at + k_inner_outer_inner * 320));
      t_3 = gc_f16_to_f32((unsigned short)(A_v_2.y));
    } else {
      t_3 = 0.0f;
    }
    float t_4;
    if (t) {
      const uint4 A_v_3 = *(const uint4*)(A + (A_at + k_inner_outer_inner * 320));
      t_4 = gc_f16_to_f32((unsigned short)(A_v_3.y >> 16));
    } else {
      t_4 = 0.0f;
    }
    float t_5;
    if (t) {
      const uint4 A_v_4 = *(const uint4*)(A + (A_at + k_inner_outer_inner * 320));
      t_5 = gc_f16_to_f32((unsigned short)(A_v_4.z));
    } else {
      t_5 = 0.0f;
    }
    float t_6;
    if (t) {
      const uint4 A_v_5 = *(const uint4*)(A + (A_at + k_inner_outer_inner * 320));
      t_6 = gc_f16_to_f32((unsigned short)(A_v_5.z >> 16));
    } else {
      t_6 = 0.0f;
    }
    float t_7;
    if (t) {
      const uint4 A_v_6 = *(const uint4*)(A + (A_at + k_inner_outer_inner * 320));
      t_7 = gc_f16_to_f32((unsigned short)(A_v_6.w));
    } else {
      t_7 = 0.0f;
    }
    float t_8;
    if (t) {
      const uint4 A_v_7 = *(const uint4*)(A + (A_at + k_inner_outer_inner * 320));
      t_8 = gc_f16_to_f32((unsigned short)(A_v_7.w >> 16));
    } else {
      t_8 = 0.0f;
    }
    X[0] = t_1;
    X[1] = t_2;
    X[2] = t_3;
    X[3] = t_4;
    X[4] = t_5;
    X[5] = t_6;
    X[6] = t_7;
    X[7] = t_8;
    if (at_1 < 33) {
      #pragma unroll
      for (int j_c = 0; j_c < 8; ++j_c) {
        total_rf_rf_local[j_c] = total_rf_rf_local[j_c] + X[j_c];
      }
    }
  }
  for (int j_inner = 0; j_inner < 8; ++j_inner) {
    total_rf_rf[total_rf_rf_at + j_inner] = total_rf_rf_local[j_inner];
  }
  total_rf[total_rf_at] = 0.0f;
  __syncthreads();
  for (int k_inner_inner_v = 0; k_inner_inner_v < 8; ++k_inner_inner_v) {
    total_rf[total_rf_at] = total_rf[total_rf_at] + total_rf_rf[total_rf_rf_at_1 + k_inner_inner_v * 40];
  }
}

// column_sum_33x40_float16_kernel_1: grid (1, 1, 1), block (128, 1, 1)
extern "C" __global__ void __launch_bounds__(128) column_sum_33x40_float16_kernel_1(
    unsigned short* __restrict__ B,
    const float* __restrict__ total_rf) {
  const int threadIdx_x = (int)threadIdx.x;
  float total;
  if (threadIdx_x < 40) {
    total = 0.0f;
    for (int k_outer_v = 0; k_outer_v < 2; ++k_outer_v) {
      total = total + total_rf[k_outer_v * 40 + threadIdx_x];
    }
    B[threadIdx_x] = gc_f32_to_f16(total);
  }
}
