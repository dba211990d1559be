"""Kernels that PoCL compiles wrong when it makes work-groups in one way or another, and the way that is chosen."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest

from gpucomp.runtime import pocl
from tests.requirements import require_pocl

Array = npt.NDArray[np.float32]
POCL_5 = "OpenCL 3.0 PoCL 5.0+debian  Linux, None+Asserts, RELOC, SPIR, LLVM 16.0.6, SLEEF, DISTRO, POCL_DEBUG"

# The work-items of group 1 do not leave the loop over j.
ENDLESS = """
__kernel __attribute__((reqd_work_group_size(3, 2, 1))) void f(__global float* D, __global const float* B) {
  const int t = (int)get_local_id(0) + 3 * (int)get_local_id(1);
  const int b = (int)get_group_id(0);
  __local float sh[12];
  float Y = 0.0f;
  for (int j = 0; j < 3; ++j) {
    if (j + b * 3 < 4) {
      Y = 0.0f;
      for (int r = 0; r < 3; ++r)
        Y = Y + B[r + j];
    }
    if (t == 0) {
      sh[j] = j + b * 3 < 4 ? fmax(Y, 0.0f) : 0.0f;
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  if (t < 3) D[t + b * 3] = sh[t];
}
"""

# Elements of D_local come out as zeros.
LOST = """
__kernel __attribute__((reqd_work_group_size(8, 1, 1))) void f(
    __global float* restrict D,
    __global const float* restrict B,
    __global const float* restrict C) {
  __local float D_local_shared[18];
  const int at = ((int)get_group_id(0)) / 3;
  const int D_local_at = ((int)get_local_id(0)) % 6;
  float D_local[24];
  for (int j_c = 0; j_c < 6; ++j_c) {
    for (int i_c_outer = 0; i_c_outer < 4; ++i_c_outer) {
      D_local[i_c_outer * 6 + j_c] = ((((int)get_local_id(0)) / 6) + ((int)get_group_id(0)) + at) + i_c_outer < 8
          ? B[((((int)get_local_id(0)) / 6) * 6 + ((int)get_group_id(0)) * 6 + at * 6) + i_c_outer * 6 + j_c]
          : 0.0f;
    }
  }
  for (int ax0_ax1_fused_outer = 0; ax0_ax1_fused_outer < 3; ++ax0_ax1_fused_outer) {
    if ((ax0_ax1_fused_outer * 8 + ((int)get_local_id(0))) < 18) {
      D_local_shared[(ax0_ax1_fused_outer * 8 + ((int)get_local_id(0)))] =
          D_local[D_local_at + ax0_ax1_fused_outer * 8];
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  D[((int)get_group_id(0)) * 8 + ((int)get_local_id(0))] =
      D_local_shared[((int)get_local_id(0)) + ((int)get_group_id(0)) % 3 * 2];
}
"""

# Most elements of C come out wrong where PoCL 3.1 vectorizes its loops over work-items.
DROPPED = """
__kernel __attribute__((reqd_work_group_size(4, 16, 1))) void f(
    __global float* restrict C,
    __global const float* restrict A,
    __global const float* restrict B) {
  const int y = (int)get_local_id(1);
  const int x = (int)get_local_id(0);
  const int b = (int)get_group_id(0);
  __local float A_shared[128] __attribute__((aligned(16)));
  __local float B_shared[8] __attribute__((aligned(16)));
  float C_local[4];
  float A_local[2];
  float B_local[2];
  __attribute__((opencl_unroll_hint))
  for (int i = 0; i < 2; ++i) {
    __attribute__((opencl_unroll_hint))
    for (int j = 0; j < 2; ++j) C_local[i * 2 + j] = 0.0f;
  }
  if (y < 8) A_shared[y * 16 + x * 4] = A[y * 4 + x + b * 32];
  if (y * 4 + x < 2 && y < 1)
    *(__local float4*)(B_shared + x * 4) = *(__global const float4*)(B + x * 4);
  barrier(CLK_LOCAL_MEM_FENCE);
  __attribute__((opencl_unroll_hint))
  for (int i = 0; i < 2; ++i) A_local[i] = A_shared[i * 4 + y * 8];
  vstore2(*(__local const float2*)(B_shared + x * 2), 0, B_local);
  __attribute__((opencl_unroll_hint))
  for (int i = 0; i < 2; ++i) {
    __attribute__((opencl_unroll_hint))
    for (int j = 0; j < 2; ++j) C_local[i * 2 + j] = C_local[i * 2 + j] + A_local[i] * B_local[j];
  }
  __attribute__((opencl_unroll_hint))
  for (int i = 0; i < 2; ++i)
    *(__global float2*)(C + (y * 16 + x * 2 + b * 256 + i * 8)) = vload2(0, C_local + i * 2);
}
"""

# PoCL 6.0's continuations do not end.
NESTED = """
__kernel __attribute__((reqd_work_group_size(4, 1, 1))) void f(__global float* Z, __global const float* X) {
  const int t = (int)get_local_id(0);
  const int b = (int)get_group_id(0);
  __local float sh[16];
  float acc[4];
  for (int i = 0; i < 4; ++i) acc[i] = 0.0f;
  for (int k = 0; k < 2; ++k) {
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = 0; i < 4; ++i) sh[i * 4 + t] = X[b * 8 + k * 4 + t + i];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int r = 0; r < 2; ++r)
      for (int z = 0; z < 3; ++z)
        for (int i = 0; i < 4; ++i) acc[i] += sh[r * 4 + t + i] * sh[i + z];
  }
  for (int i = 0; i < 4; ++i) Z[b * 16 + t * 4 + i] = acc[i];
}
"""


@pytest.mark.parametrize(
    ("version", "options"),
    [
        (POCL_5, ("-DGPUCOMP_WORK_GROUPS=cbs",)),
        ("OpenCL 3.0 PoCL 6.0+debian  Linux", ("-DGPUCOMP_WORK_GROUPS=loopvec",)),
        ("OpenCL 3.0 PoCL 10.1  Linux", ("-DGPUCOMP_WORK_GROUPS=loopvec",)),
        ("OpenCL 3.0 PoCL 3.1+debian  Linux, None+Asserts", ("-DGPUCOMP_WORK_GROUPS=auto",)),
        ("OpenCL 2.0 pocl 3.0, LLVM 14.0.6", ("-DGPUCOMP_WORK_GROUPS=auto",)),
        ("OpenCL 3.0 CUDA 13.0.0", ()),
    ],
)
def test_work_groups_are_made_in_the_way_that_the_version_gets_right(
    version: str, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(pocl.METHOD, "")  # so that it is put back
    monkeypatch.delenv(pocl.METHOD)
    assert pocl.build_options(version) == options
    assert (pocl.METHOD in pocl.os.environ) == bool(options)


@pytest.mark.parametrize(
    ("version", "threads", "blind"), [(5, 6, True), (5, 0, True), (5, 1, False), (6, 6, False), (3, 6, False)]
)
def test_versions_4_and_5_see_no_hints_to_unroll_where_a_group_has_several_work_items(
    version: int, threads: int, blind: bool
) -> None:
    options = pocl.build_options(f"OpenCL 3.0 PoCL {version}.0+debian  Linux", threads)
    assert ("-Dopencl_unroll_hint=gpucomp_no_hint" in options) == blind


def test_the_way_that_the_environment_names_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pocl.METHOD, "loopvec")
    assert pocl.build_options(POCL_5) == ("-DGPUCOMP_WORK_GROUPS=loopvec",)
    assert pocl.os.environ[pocl.METHOD] == "loopvec"
    monkeypatch.setenv(pocl.METHOD, 'no name"')  # PoCL complains of it; the compiler's command line must not
    assert pocl.build_options(POCL_5) == ()


@pytest.mark.opencl
def test_kernels_that_some_ways_of_making_work_groups_get_wrong() -> None:
    require_pocl()
    b = np.arange(96, dtype=np.float32) % 7 - 2
    for source, arrays, groups, block, want in (
        (ENDLESS, 2, 2, (3, 2, 1), [*[max(b[j : j + 3].sum(), 0) for j in (0, 1, 2, 0)], 0.0, 0.0]),
        (DROPPED, 3, 3, (4, 16, 1), [b[row] * b[column] for row in range(96) for column in range(8)]),
        (LOST, 3, 6, (8, 1, 1), [b[(g + g // 3) * 6 + t + g % 3 * 2] for g in range(6) for t in range(8)]),
        (NESTED, 2, 2, (4, 1, 1), _nested(b)),
    ):
        # In a process of its own: one that hangs or dies is no answer either.
        program = _RUN.format(source=source, arrays=arrays, groups=groups, block=block, count=len(want))
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
        np.testing.assert_array_equal(np.array(done.stdout.split(), np.float32), np.array(want, np.float32))


def _nested(b: Array) -> list[float]:
    out: list[float] = []
    for group, thread, i in np.ndindex(2, 4, 4):
        shared = [[b[group * 8 + k * 4 + at % 4 + at // 4] for at in range(16)] for k in range(2)]
        terms = [sh[r * 4 + thread + i] * sh[i + z] for sh in shared for r in range(2) for z in range(3)]
        out.append(float(np.sum(terms)))
    return out


_RUN = """
import numpy as np
import gpucomp
from gpucomp.support.launch import KernelImage, KernelSpec

devices = [gpucomp.opencl(i) for i in range(gpucomp.opencl(0).api.count())]
[device, *_] = [d for d in devices if "PoCL" in d.attributes.version]
spec = KernelSpec("f", ("float32*",) * {arrays})
image = device.api.load(device.index, KernelImage("opencl", '''{source}''', (spec,)))
b = gpucomp.nd.array(np.arange(96, dtype=np.float32) % 7 - 2, device)
d = gpucomp.nd.array(np.zeros({count}, np.float32), device)
device.api.launch(image, "f", ({groups}, 1, 1), {block}, (d.memory.handle, *[b.memory.handle] * ({arrays} - 1)))
print(*d.numpy())
"""
