extern "C" __global__ void gpucomp_evict(const int4* data, int* result, long long count) {
  int sum = 0;
  long long step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
    int4 v = data[i];
    sum += v.x ^ v.y ^ v.z ^ v.w;
  }
  if (sum == 0x7fffffff) result[0] = sum;
}
