"""Small kernels in device form, built by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any  # extents and shapes: numbers or expressions

from gpucomp.codegen import emit_unit
from gpucomp.support.launch import KernelImage
from gpucomp.target import Target
from gpucomp.tir import expr as e
from gpucomp.tir import operators as op
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import Expr, IterVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.stmt import Stmt

CUDA = Target("cuda -arch=sm_90a")
OPENCL = Target("opencl")
OPENCL_FP64 = Target({"kind": "opencl", "features": ["fp64"]})


def flat(name: str, dtype: str = "float32", size: Any = 4096, scope: str = "global") -> Buffer:
    """A flat buffer."""
    return decl_buffer([size], dtype, name, scope=scope)


def axis(tag: str, extent: Any, name: str = "") -> IterVar:
    """A thread axis."""
    return IterVar((0, extent), name or tag, IterVar.ThreadIndex, tag)


def bind(body: Stmt, *axes: IterVar) -> Stmt:
    """``body`` under thread_extent attributes."""
    for ax in reversed(axes):
        assert ax.dom is not None
        body = s.AttrStmt(ax, "thread_extent", ax.dom.extent, body)
    return body


def device(
    params: Sequence[Buffer | Var],
    body: Stmt,
    launch: Mapping[str, Any],
    writes: Sequence[Buffer],
    name: str = "f_kernel",
    alignment: int = 16,
) -> PrimFunc:
    """A kernel in device form."""
    pointers = [p for p in params if isinstance(p, Buffer)]
    return PrimFunc(
        tuple([p.data if isinstance(p, Buffer) else p for p in params]),
        body,
        {},
        {
            "global_symbol": name,
            "calling_conv": 2,
            "tir.noalias": True,
            "launch": {key: op.convert(value) for key, value in launch.items()},
            "param_access": {p.data: "readwrite" if p in writes else "read" for p in pointers},
            "param_alignment": {p.data: alignment for p in pointers},
        },
    )


def images(func: PrimFunc, opencl: Target = OPENCL) -> dict[str, KernelImage]:
    """The kernel in both dialects."""
    return {"cuda": emit_unit([func], CUDA), "opencl": emit_unit([func], opencl)}


def elementwise(
    compute: Callable[..., Any],
    inputs: Sequence[str],
    output: str,
    lanes: int = 1,
    block: int = 64,
    alignment: int = 16,
) -> PrimFunc:
    """``out[i] = compute(a[i], b[i], ...)`` for i < n, one vector for each thread; parameters: out, inputs..., n."""
    n = e.SizeVar("n")
    out = flat("out", output, n * lanes)
    ins = [flat(f"in{k}", dtype, n * lanes) for k, dtype in enumerate(inputs)]
    bx, tx = axis("blockIdx.x", (n + (block - 1)) // block), axis("threadIdx.x", block)
    place: Expr = bx * block + tx
    index = place if lanes == 1 else e.Ramp(place * lanes, op.const(1), lanes)
    store = s.BufferStore(out, compute(*[b[index] for b in ins]), (index,))
    body = bind(s.IfThenElse(e.LT(place, n), store), bx, tx)
    launch = {"blockIdx.x": (n + (block - 1)) // block, "threadIdx.x": block}
    return device([out, *ins, n], body, launch, [out], alignment=alignment)


__all__ = ["CUDA", "OPENCL", "OPENCL_FP64", "axis", "bind", "device", "elementwise", "flat", "images"]
