"""Small functions for tests of the runtime: programs written by hand, kernels with a Python meaning or C source."""

from __future__ import annotations

import numpy as np

from gpucomp.runtime.base import Dim3, get_api
from gpucomp.runtime.null import NullAPI
from gpucomp.support.launch import (
    BufferArg,
    BufferParam,
    FunctionData,
    HostProgram,
    KernelImage,
    KernelSpec,
    LaunchStep,
    ScalarArg,
    ScalarParam,
    Variant,
)

BLOCKS = ("floordiv", ("add", "n", 255), 256)

OPENCL_ADD = """\
__kernel void add(__global const float* A, __global const float* B, __global float* C, int n) {
  int i = get_global_id(0);
  if (i < n) C[i] = A[i] + B[i];
}
"""
CUDA_ADD = """\
extern "C" __global__ void add(const float* A, const float* B, float* C, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) C[i] = A[i] + B[i];
}
"""
ADD_SPEC = KernelSpec("add", ("float32*", "float32*", "float32*", "int32"), 256)


def null_api() -> NullAPI:
    """The null device, emptied."""
    api = get_api("null")
    assert isinstance(api, NullAPI)
    api.clear()
    return api


def add_program(alignment: int = 1) -> HostProgram:
    """C[n] = A[n] + B[n]."""
    params = (
        BufferParam("A", "float32", ("n",), alignment=alignment),
        BufferParam("B", "float32", ("n",), alignment=alignment),
        BufferParam("C", "float32", ("n",), alignment=alignment, access="write", output=True),
    )
    args = (BufferArg("A"), BufferArg("B"), BufferArg("C"), ScalarArg("int32", "n"))
    return HostProgram("add", params, (LaunchStep("add", (BLOCKS, 1, 1), (256, 1, 1), 0, args),))


def add_function(kind: str = "null", source: str = "") -> FunctionData:
    """Vector addition for a device kind."""
    return FunctionData("add", (Variant(True, add_program(), KernelImage(kind, source, (ADD_SPEC,))),))


def teach_add(api: NullAPI) -> None:
    """Give the kernel ``add`` of the null device its meaning."""

    def add(grid: Dim3, block: Dim3, args: tuple[object, ...]) -> None:
        a, b, c, n = args
        assert isinstance(n, int)
        assert grid[0] * block[0] >= n
        api.view(c, "float32", n)[:] = np.add(api.view(a, "float32", n), api.view(b, "float32", n))

    api.behaviours["add"] = add


def matmul_function() -> FunctionData:
    """C[m, n] = A[m, k] @ B[k, n] + alpha; the kernel has no meaning."""
    params = (
        BufferParam("A", "float32", ("m", "k"), alignment=4),
        BufferParam("B", "float32", ("k", "n"), alignment=4),
        ScalarParam("alpha", "float32"),
        BufferParam("C", "float32", ("m", "n"), alignment=4, access="write", output=True),
    )
    args = (
        BufferArg("A"),
        BufferArg("B"),
        ScalarArg("float32", "alpha"),
        BufferArg("C"),
        *(ScalarArg("int32", name) for name in ("m", "n", "k")),
    )
    launch = LaunchStep("matmul", ("n", "m", 1), (1, 1, 1), 0, args)
    spec = KernelSpec("matmul", ("float32*", "float32*", "float32", "float32*", "int32", "int32", "int32"))
    program = HostProgram("matmul", params, (launch,))
    return FunctionData("matmul", (Variant(True, program, KernelImage("null", "", (spec,))),))
