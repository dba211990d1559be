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
