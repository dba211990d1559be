__kernel void gpucomp_evict(__global const int* data, __global int* result, int count) {
  int sum = 0;
  for (int i = get_global_id(0); i < count; i += get_global_size(0)) sum += data[i];
  if (sum == 0x7fffffff) result[0] = sum;
}
