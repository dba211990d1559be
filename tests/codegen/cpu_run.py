"""Running a PrimFunc in flat form on the CPU, with nothing between it and the emitted function."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpucomp.codegen.llvm import emit_cpu, kernel_params
from gpucomp.runtime.base import LoadedImage
from gpucomp.runtime.cpu import device_api
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.stmt import Stmt

_api = device_api()


def function(body: Stmt, *params: Buffer | Var, **attrs: object) -> PrimFunc:
    """A host function over the given buffers and scalars."""
    handles = [Var(p.name + "_handle", "handle") if isinstance(p, Buffer) else p for p in params]
    buffers = {h: p for h, p in zip(handles, params, strict=True) if isinstance(p, Buffer)}
    return PrimFunc(tuple(handles), body, buffers, {"global_symbol": "kernel", "tir.noalias": True, **attrs}, None)


def load(func: PrimFunc) -> LoadedImage:
    """Emit, for the target that the function names, compile and link."""
    return _api.load(0, emit_cpu(func, func.attrs.get("target")))


def run(func: PrimFunc, *args: NDArray[np.generic] | float) -> None:
    """Call a function; shape variables are read off the arrays."""
    launch = load(func).functions[func.name]
    launch((1, 1, 1), (1, 1, 1), 0, None, packed(func, *args))


def packed(func: PrimFunc, *args: NDArray[np.generic] | float) -> tuple[object, ...]:
    """The arguments of the emitted function for arrays and numbers given in the order of the parameters."""
    known: dict[Var, object] = {}
    for param, arg in zip(func.params, args, strict=True):
        buffer = func.buffer_map.get(param)
        if buffer is None or not isinstance(arg, np.ndarray):
            known[param] = arg
            continue
        known[param] = arg.ctypes.data
        dims = [*zip(buffer.shape, arg.shape, strict=True)]
        dims += [(s, n // arg.itemsize) for s, n in zip(buffer.strides, arg.strides, strict=False)]
        for dim, extent in dims:
            if isinstance(dim, Var):
                known[dim] = extent
    return tuple([known[var] for var in kernel_params(func)])
