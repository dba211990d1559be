// B = A^T for a 1024 x 1024 matrix.  Written by hand.
// A block transposes a strip of 32 rows of A, 32 x 32 elements at a time through shared memory with rows of 33; 32 x 8 threads,
// each with four elements of a tile.  Grid 32, block (32, 8).

constexpr int N = 1024, TILE = 32, PITCH = TILE + 1;

extern "C" __global__ void __launch_bounds__(256) reference(const float* __restrict__ a, float* __restrict__ b) {
  __shared__ float tile[TILE * PITCH];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const float* from = a + (blockIdx.x * TILE + ty) * N + tx;
  float* to = b + ty * N + blockIdx.x * TILE + tx;
  float* write = tile + ty * PITCH + tx;
  const float* read = tile + tx * PITCH + ty;
  for (int j = 0; j < N / TILE; ++j) {
    __syncthreads();
#pragma unroll
    for (int i = 0; i < TILE; i += 8) write[i * PITCH] = from[i * N];
    __syncthreads();
#pragma unroll
    for (int i = 0; i < TILE; i += 8) to[i * N] = read[i];
    from += TILE;
    to += TILE * N;
  }
}
