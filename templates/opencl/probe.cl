__kernel void gpucomp_probe(__global float* x, int n) {
  int i = get_global_id(0);
  if (i < n) x[i] = 2.0f * x[i] + 1.0f;
}
