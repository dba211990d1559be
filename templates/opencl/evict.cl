__kernel void gpucomp_evict(__global const int4* restrict data, __global int* restrict result, int count) {
  int sum = 0, step = get_global_size(0), i = get_global_id(0);
  for (; i + 3 * step < count; i += 4 * step) {
    int4 a = data[i], b = data[i + step], c = data[i + 2 * step], d = data[i + 3 * step];
    sum += (a.x ^ a.y ^ a.z ^ a.w) + (b.x ^ b.y ^ b.z ^ b.w) + (c.x ^ c.y ^ c.z ^ c.w) + (d.x ^ d.y ^ d.z ^ d.w);
  }
  for (; i < count; i += step) {
    int4 v = data[i];
    sum += v.x ^ v.y ^ v.z ^ v.w;
  }
  if (sum == 0x7fffffff) result[0] = sum;
}
