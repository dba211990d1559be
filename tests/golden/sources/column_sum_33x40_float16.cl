// column_sum_33x40_float16_kernel, column_sum_33x40_float16_kernel_1
// target: OpenCL C 1.2

static inline float8 gc_f16_to_f32_v_8(ushort8 x) { return vload_half8(0, (const half*)&x); }

static inline ushort gc_f32_to_f16(float x) {
  ushort r;
  vstore_half_rte(x, 0, (half*)&r);
  return r;
}

// column_sum_33x40_float16_kernel: grid (1, 2, 1), block (5, 8, 1)
__kernel __attribute__((reqd_work_group_size(5, 8, 1))) void column_sum_33x40_float16_kernel(
    __global const ushort* restrict A,
    __global float* restrict total_rf) {
  const int blockIdx_y = (int)get_group_id(1);
  const int threadIdx_y = (int)get_local_id(1);
  const int threadIdx_x = (int)get_local_id(0);
  __local float total_rf_rf[320] __attribute__((aligned(16)));
  const int total_rf_at = blockIdx_y * 40 + threadIdx_y * 5 + threadIdx_x;
  const int at = blockIdx_y * 32 + threadIdx_y;
  const int A_at = blockIdx_y * 1280 + threadIdx_y * 40 + threadIdx_x * 8;
  const int total_rf_rf_at = threadIdx_y * 40 + threadIdx_x * 8;
  const int total_rf_rf_at_1 = threadIdx_y * 5 + threadIdx_x;
  float total_rf_rf_local[8];
  float X[8];
  __attribute__((opencl_unroll_hint))
  for (int j_c_init = 0; j_c_init < 8; ++j_c_init) {
    total_rf_rf_local[j_c_init] = 0.0f;
  }
  __attribute__((opencl_unroll_hint))
  for (int k_inner_outer_inner = 0; k_inner_outer_inner < 4; ++k_inner_outer_inner) {
    const int at_1 = at + k_inner_outer_inner * 8;
    if (at_1 < 33) {
      vstore8(gc_f16_to_f32_v_8(*(__global const ushort8*)(A + (A_at + k_inner_outer_inner * 320))), 0, X);
    } else {
      vstore8((float8)(0.0f), 0, X);
    }
    if (at_1 < 33) {
      __attribute__((opencl_unroll_hint))
      for (int j_c = 0; j_c < 8; ++j_c) {
        total_rf_rf_local[j_c] = total_rf_rf_local[j_c] + X[j_c];
      }
    }
  }
  for (int j_inner = 0; j_inner < 8; ++j_inner) {
    total_rf_rf[total_rf_rf_at + j_inner] = total_rf_rf_local[j_inner];
  }
  total_rf[total_rf_at] = 0.0f;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int k_inner_inner_v = 0; k_inner_inner_v < 8; ++k_inner_inner_v) {
    total_rf[total_rf_at] = total_rf[total_rf_at] + total_rf_rf[total_rf_rf_at_1 + k_inner_inner_v * 40];
  }
}

// column_sum_33x40_float16_kernel_1: grid (1, 1, 1), block (128, 1, 1)
__kernel __attribute__((reqd_work_group_size(128, 1, 1))) void column_sum_33x40_float16_kernel_1(
    __global ushort* restrict B,
    __global const float* restrict total_rf) {
  const int threadIdx_x = (int)get_local_id(0);
  float total;
  if (threadIdx_x < 40) {
    total = 0.0f;
    __attribute__((opencl_unroll_hint))
    for (int k_outer_v_inner = 0; k_outer_v_inner < 2; ++k_outer_v_inner) {
      total = total + total_rf[k_outer_v_inner * 40 + threadIdx_x];
    }
    B[threadIdx_x] = gc_f32_to_f16(total);
  }
}
