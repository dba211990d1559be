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
    if (at_1 < 33) {
      const uint4 A_v = *(const uint4*)(A + (A_at + k_inner_outer_inner * 320));
      X[0] = gc_f16_to_f32((unsigned short)(A_v.x));
      X[1] = gc_f16_to_f32((unsigned short)(A_v.x >> 16));
      X[2] = gc_f16_to_f32((unsigned short)(A_v.y));
      X[3] = gc_f16_to_f32((unsigned short)(A_v.y >> 16));
      X[4] = gc_f16_to_f32((unsigned short)(A_v.z));
      X[5] = gc_f16_to_f32((unsigned short)(A_v.z >> 16));
      X[6] = gc_f16_to_f32((unsigned short)(A_v.w));
      X[7] = gc_f16_to_f32((unsigned short)(A_v.w >> 16));
    } else {
      X[0] = 0.0f;
      X[1] = 0.0f;
      X[2] = 0.0f;
      X[3] = 0.0f;
      X[4] = 0.0f;
      X[5] = 0.0f;
      X[6] = 0.0f;
      X[7] = 0.0f;
    }
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
    #pragma unroll
    for (int k_outer_v_inner = 0; k_outer_v_inner < 2; ++k_outer_v_inner) {
      total = total + total_rf[k_outer_v_inner * 40 + threadIdx_x];
    }
    B[threadIdx_x] = gc_f32_to_f16(total);
  }
}
