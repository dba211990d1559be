// layer_norm_5x96_float32_kernel
// target: OpenCL C 1.2

// layer_norm_5x96_float32_kernel: grid (1, 1, 1), block (16, 8, 1)
__kernel __attribute__((reqd_work_group_size(16, 8, 1))) void layer_norm_5x96_float32_kernel(
    __global const float* restrict A,
    __global const float* restrict W,
    __global const float* restrict V,
    __global float* restrict B) {
  __local float reduce[128] __attribute__((aligned(16)));
  const int threadIdx_y = (int)get_local_id(1);
  const int threadIdx_x = (int)get_local_id(0);
  const int reduce_at = threadIdx_y * 16 + threadIdx_x;
  float X[8];
  float W_local[8];
  float V_local[8];
  float row_sum;
  float row_sum_part;
  float row_sum_all;
  float row_mean;
  float row_squares;
  float row_squares_part;
  float row_squares_all;
  float row_scale;
  __attribute__((opencl_unroll_hint))
  for (int i1 = 0; i1 < 2; ++i1) {
    vstore4(threadIdx_y < 5 ? (threadIdx_x + i1 * 16 < 24 ? *(__global const float4*)(A + (threadIdx_y * 96 + threadIdx_x * 4 + i1 * 64)) : (float4)(0.0f)) : (float4)(0.0f), 0, X + i1 * 4);
  }
  __attribute__((opencl_unroll_hint))
  for (int i0 = 0; i0 < 2; ++i0) {
    vstore4(threadIdx_x + i0 * 16 < 24 ? *(__global const float4*)(W + (threadIdx_x * 4 + i0 * 64)) : (float4)(0.0f), 0, W_local + i0 * 4);
  }
  __attribute__((opencl_unroll_hint))
  for (int i0_1 = 0; i0_1 < 2; ++i0_1) {
    vstore4(threadIdx_x + i0_1 * 16 < 24 ? *(__global const float4*)(V + (threadIdx_x * 4 + i0_1 * 64)) : (float4)(0.0f), 0, V_local + i0_1 * 4);
  }
  row_sum_part = 0.0f;
  __attribute__((opencl_unroll_hint))
  for (int k_outer_outer = 0; k_outer_outer < 2; ++k_outer_outer) {
    if (k_outer_outer * 16 + threadIdx_x < 24) {
      __attribute__((opencl_unroll_hint))
      for (int k_inner = 0; k_inner < 4; ++k_inner) {
        row_sum_part = row_sum_part + X[k_outer_outer * 4 + k_inner];
      }
    }
  }
  reduce[reduce_at] = row_sum_part;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 4) {
    row_sum_all = reduce[reduce_at];
    __attribute__((opencl_unroll_hint))
    for (int j = 0; j < 3; ++j) {
      row_sum_all = row_sum_all + reduce[reduce_at + (j + 1) * 4];
    }
    reduce[reduce_at] = row_sum_all;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  row_sum_all = reduce[threadIdx_y * 16];
  __attribute__((opencl_unroll_hint))
  for (int j_1 = 0; j_1 < 3; ++j_1) {
    row_sum_all = row_sum_all + reduce[threadIdx_y * 16 + (j_1 + 1)];
  }
  row_sum = row_sum_all;
  row_mean = row_sum / 96.0f;
  row_squares_part = 0.0f;
  __attribute__((opencl_unroll_hint))
  for (int k_outer_outer_1 = 0; k_outer_outer_1 < 2; ++k_outer_outer_1) {
    if (k_outer_outer_1 * 16 + threadIdx_x < 24) {
      __attribute__((opencl_unroll_hint))
      for (int k_inner_1 = 0; k_inner_1 < 4; ++k_inner_1) {
        const float t = X[k_outer_outer_1 * 4 + k_inner_1] - row_mean;
        row_squares_part = row_squares_part + t * t;
      }
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  reduce[reduce_at] = row_squares_part;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (threadIdx_x < 4) {
    row_squares_all = reduce[reduce_at];
    __attribute__((opencl_unroll_hint))
    for (int j_2 = 0; j_2 < 3; ++j_2) {
      row_squares_all = row_squares_all + reduce[reduce_at + (j_2 + 1) * 4];
    }
    reduce[reduce_at] = row_squares_all;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  row_squares_all = reduce[threadIdx_y * 16];
  __attribute__((opencl_unroll_hint))
  for (int j_3 = 0; j_3 < 3; ++j_3) {
    row_squares_all = row_squares_all + reduce[threadIdx_y * 16 + (j_3 + 1)];
  }
  row_squares = row_squares_all;
  row_scale = 1.0f / sqrt(row_squares / 96.0f + 1e-05f);
  if (threadIdx_y < 5) {
    __attribute__((opencl_unroll_hint))
    for (int j_outer_outer = 0; j_outer_outer < 2; ++j_outer_outer) {
      if (j_outer_outer * 16 + threadIdx_x < 24) {
        *(__global float4*)(B + (threadIdx_y * 96 + j_outer_outer * 64 + threadIdx_x * 4)) = (vload4(0, X + j_outer_outer * 4) - (float4)(row_mean)) * (float4)(row_scale) * vload4(0, W_local + j_outer_outer * 4) + vload4(0, V_local + j_outer_outer * 4);
      }
    }
  }
}
