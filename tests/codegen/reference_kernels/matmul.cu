// C = A B for 1024 x 1024 matrices, row-major.  Written by hand.
// Blocks of 64 x 64, slices of 16 along k in two buffers, 16 x 16 threads with 4 x 4 results each, loads of four floats.
// Grid (16, 16), block (16, 16).

constexpr int N = 1024, TILE = 64, SLICE = 16, A_PITCH = SLICE + 4;

extern "C" __global__ void __launch_bounds__(256) reference(
    const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c) {
  __shared__ __align__(16) float a_tile[2][TILE * A_PITCH];
  __shared__ __align__(16) float b_tile[2][SLICE * TILE];
  const int tx = threadIdx.x, ty = threadIdx.y, thread = ty * 16 + tx;
  const int a_row = thread / 4, a_column = thread % 4 * 4;
  const int b_row = thread / 16, b_column = thread % 16 * 4;
  const float* a_from = a + (blockIdx.y * TILE + a_row) * N + a_column;
  const float* b_from = b + b_row * N + blockIdx.x * TILE + b_column;
  const int a_to = a_row * A_PITCH + a_column, b_to = b_row * TILE + b_column;

  float sum[4][4] = {};
  *(float4*)&a_tile[0][a_to] = *(const float4*)a_from;
  *(float4*)&b_tile[0][b_to] = *(const float4*)b_from;
  for (int slice = 0; slice < N / SLICE; ++slice) {
    const int now = slice & 1;
    const bool more = slice + 1 < N / SLICE;
    float4 a_next, b_next;
    if (more) {
      a_from += SLICE;
      b_from += SLICE * N;
      a_next = *(const float4*)a_from;
      b_next = *(const float4*)b_from;
    }
    __syncthreads();
    const float* a_mine = &a_tile[now][ty * 4 * A_PITCH];
    const float* b_mine = &b_tile[now][tx * 4];
#pragma unroll
    for (int k = 0; k < SLICE; k += 4) {
      float4 x[4], y[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) x[i] = *(const float4*)(a_mine + i * A_PITCH + k);
#pragma unroll
      for (int i = 0; i < 4; ++i) y[i] = *(const float4*)(b_mine + (k + i) * TILE);
#pragma unroll
      for (int kk = 0; kk < 4; ++kk) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const float left = ((const float*)&x[i])[kk];
          sum[i][0] += left * y[kk].x;
          sum[i][1] += left * y[kk].y;
          sum[i][2] += left * y[kk].z;
          sum[i][3] += left * y[kk].w;
        }
      }
    }
    if (more) {
      *(float4*)&a_tile[now ^ 1][a_to] = a_next;
      *(float4*)&b_tile[now ^ 1][b_to] = b_next;
    }
  }
  float* to = c + (blockIdx.y * TILE + ty * 4) * N + blockIdx.x * TILE + tx * 4;
#pragma unroll
  for (int i = 0; i < 4; ++i) *(float4*)(to + i * N) = make_float4(sum[i][0], sum[i][1], sum[i][2], sum[i][3]);
}
