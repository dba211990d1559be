// Y[f, y, x] = sum over rc, ry, rx of X[rc, y + ry - 1, x + rx - 1] W[f, rc, ry, rx]: 64 channels of 56 x 56 to 64, 3 x 3,
// padding 1.  Written by hand.
// A block computes 64 channels of 4 rows of 28 pixels; two input channels at a time in shared memory; 16 x 16 threads, each
// with 7 pixels of 4 channels (ty, ty + 16: two neighbours of each half).  Grid 28, block (16, 16).

constexpr int CHANNELS = 64, SIDE = 56, ROWS = 4, COLUMNS = 28, STEP = 2;
constexpr int IN_ROWS = ROWS + 2, IN_COLUMNS = COLUMNS + 2, PLANE = IN_ROWS * IN_COLUMNS, TAPS = 9;

extern "C" __global__ void __launch_bounds__(256) reference(
    const float* __restrict__ image, const float* __restrict__ weight, float* __restrict__ out) {
  __shared__ float input[STEP * PLANE];
  __shared__ float taps[CHANNELS * STEP * TAPS];
  const int tx = threadIdx.x, ty = threadIdx.y, thread = ty * 16 + tx;
  const int y0 = blockIdx.x / 2 * ROWS, x0 = blockIdx.x % 2 * COLUMNS;
  const int row = tx / 4, column = tx % 4 * 7;
  float sum[4][7] = {};
  for (int channel = 0; channel < CHANNELS; channel += STEP) {
    __syncthreads();
    for (int i = thread; i < STEP * PLANE; i += 256) {
      const int plane = i / PLANE, at = i % PLANE;
      const int y = y0 + at / IN_COLUMNS - 1, x = x0 + at % IN_COLUMNS - 1;
      const bool inside = (unsigned)y < SIDE && (unsigned)x < SIDE;
      input[i] = inside ? image[(channel + plane) * SIDE * SIDE + y * SIDE + x] : 0.0f;
    }
    for (int i = thread; i < CHANNELS * STEP * TAPS; i += 256)
      taps[i] = weight[i / (STEP * TAPS) * CHANNELS * TAPS + channel * TAPS + i % (STEP * TAPS)];
    __syncthreads();
    const float* pixels = input + row * IN_COLUMNS + column;
    const float* mine = taps + ty * 2 * STEP * TAPS;
    for (int plane = 0; plane < STEP; ++plane) {
#pragma unroll
      for (int ry = 0; ry < 3; ++ry) {
        float x[9], w[4][3];
#pragma unroll
        for (int i = 0; i < 9; ++i) x[i] = pixels[ry * IN_COLUMNS + i];
#pragma unroll
        for (int f = 0; f < 4; ++f)
#pragma unroll
          for (int rx = 0; rx < 3; ++rx)
            w[f][rx] = mine[(f / 2 * 32 + f % 2) * STEP * TAPS + ry * 3 + rx];
#pragma unroll
        for (int rx = 0; rx < 3; ++rx)
#pragma unroll
          for (int f = 0; f < 4; ++f)
#pragma unroll
            for (int i = 0; i < 7; ++i) sum[f][i] += x[i + rx] * w[f][rx];
      }
      pixels += PLANE;
      mine += TAPS;
    }
  }
  float* to = out + ty * 2 * SIDE * SIDE + (y0 + row) * SIDE + x0 + column;
#pragma unroll
  for (int f = 0; f < 4; ++f)
#pragma unroll
    for (int i = 0; i < 7; ++i) to[(f / 2 * 32 + f % 2) * SIDE * SIDE + i] = sum[f][i];
}
