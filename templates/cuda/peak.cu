// Arithmetic on registers only: how many multiplications and additions a second this device is seen to do.
extern "C" __global__ void gpucomp_peak_float(float* __restrict__ result, int rounds) {
  float x = 1.0f - 1e-6f * threadIdx.x, y = 1e-6f * threadIdx.x, sums[16];
#pragma unroll
  for (int i = 0; i < 16; ++i) sums[i] = x * i;
  for (int r = 0; r < rounds; ++r) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
#pragma unroll
      for (int i = 0; i < 16; ++i) sums[i] = fmaf(sums[i], x, y);
    }
  }
  float total = 0.0f;
#pragma unroll
  for (int i = 0; i < 16; ++i) total += sums[i];
  if (total == -1.0f) result[0] = total;
}

extern "C" __global__ void gpucomp_peak_int8(float* __restrict__ result, int rounds) {
  int x = 0x01020304 + threadIdx.x, sums[16];
#pragma unroll
  for (int i = 0; i < 16; ++i) sums[i] = x * i;
  for (int r = 0; r < rounds; ++r) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
#pragma unroll
      for (int i = 0; i < 16; ++i) sums[i] = __dp4a(sums[i], x, sums[i]);
    }
  }
  int total = 0;
#pragma unroll
  for (int i = 0; i < 16; ++i) total ^= sums[i];
  if (total == -1) result[0] = (float)total;
}

#if __CUDA_ARCH__ >= 800
// Sums of 16 x 8 products of 16 in float32, by the tensor cores of a warp: 64 registers of sums a thread.
extern "C" __global__ void gpucomp_peak_half(float* __restrict__ result, int rounds) {
  // 1 + threadIdx.x / 1024 and its like in halves: operands are neither equal nor zero.
  unsigned a = 0x3c003c00u + threadIdx.x * 0x00010003u, b = 0x3c00bc00u + threadIdx.x * 0x00030001u;
  float sums[16][4];
#pragma unroll
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 4; ++j) sums[i][j] = i * j;
  }
#pragma unroll 1
  for (int r = 0; r < rounds; ++r) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
#pragma unroll
      for (int i = 0; i < 16; ++i) {
        asm volatile(
            "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %4, %5}, {%5, %4}, {%0, %1, %2, %3};"
            : "+f"(sums[i][0]), "+f"(sums[i][1]), "+f"(sums[i][2]), "+f"(sums[i][3])
            : "r"(a), "r"(b));
      }
    }
  }
  float total = 0.0f;
#pragma unroll
  for (int i = 0; i < 16; ++i) total += sums[i][0] + sums[i][1] + sums[i][2] + sums[i][3];
  if (total == -1.0f) result[0] = total;
}
#endif
