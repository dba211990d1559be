"""Rows as users of other libraries write them; ``t`` is torch, ``c`` is cupy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias  # Any: other libraries' modules and arrays

from gpucomp.cli.suite.row import Row
from gpucomp.cli.suite.torch_products import CONVOLUTIONS, PRODUCTS, Shaped

Library: TypeAlias = Any
Tensor: TypeAlias = Any
Formula = Callable[..., Tensor]

# Compiled by torch.compile, each becomes one kernel or a few.
TORCH: Final[Mapping[str, Formula]] = {
    "softmax": lambda t, a: t.softmax(a, 1),
    "log_softmax": lambda t, a: t.log_softmax(a, 1),
    "layer_norm": lambda t, a, w, v: t.nn.functional.layer_norm(a, a.shape[1:], w, v),
    "add_layer_norm": lambda t, a, r, w, v: t.nn.functional.layer_norm(a + r, a.shape[1:], w, v),
    "rms_norm": lambda t, a, w: t.nn.functional.rms_norm(a, a.shape[1:], w, 1e-5),
    "add_rms_norm": lambda t, a, r, w: t.nn.functional.rms_norm(a + r, a.shape[1:], w, 1e-5),
    "row_sum": lambda t, a: a.sum(1),
    "row_mean": lambda t, a: a.mean(1),
    "row_max": lambda t, a: a.amax(1),
    "row_min": lambda t, a: a.amin(1),
    "row_argmax": lambda t, a: a.argmax(1),
    "row_variance": lambda t, a: a.var(1, correction=0),
    "row_norm": lambda t, a: t.linalg.vector_norm(a, dim=1),
    "gemv": lambda t, a, v: t.mv(a, v),
    "transpose": lambda t, a: a.t().contiguous(),
    "permute": lambda t, a: a.permute(0, 2, 1).contiguous(),
    "column_sum": lambda t, a: a.sum(0),
    "column_mean": lambda t, a: a.mean(0),
    "cumulative_sum": lambda t, a: a.cumsum(1),
    "copy": lambda t, a: a.clone(),
    "add_bias": lambda t, a, v: t.relu(a + v),
    "add": lambda t, a, b: a + b,
    "gelu": lambda t, a: t.nn.functional.gelu(a, approximate="tanh"),
    "gelu_chain": lambda t, a, b: t.nn.functional.gelu(a + b, approximate="tanh") * a,
    "sum_all": lambda t, a: a.sum(),
    "mean_all": lambda t, a: a.mean(),
    "max_all": lambda t, a: a.max(),
    **PRODUCTS,
}


def torch_call(
    torch: Library, row: Row, inputs: Sequence[Tensor]
) -> tuple[Formula, list[Tensor], Shaped | None] | None:
    """A row as a function of arrays alone, the arrays that it takes, and how a convolution is written.

    None where torch has no such operator.
    """
    shaped, formula = CONVOLUTIONS.get(row.op), TORCH.get(row.op)
    if shaped is not None:
        written = shaped.run
        return (lambda *arrays: written(torch, row.shape, *arrays)), shaped.prepare(torch, row.shape, inputs), shaped
    if formula is not None:
        return (lambda *arrays: formula(torch, *arrays)), list(inputs), None
    return None


def _softmax(c: Library, a: Tensor) -> Tensor:
    powers = c.exp(a - a.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def _log_softmax(c: Library, a: Tensor) -> Tensor:
    shifted = a - a.max(1, keepdims=True)
    return shifted - c.log(c.exp(shifted).sum(1, keepdims=True))


def _rms_norm(c: Library, a: Tensor, w: Tensor) -> Tensor:
    return (a * c.reciprocal(c.sqrt((a * a).mean(1, keepdims=True) + 1e-5)) * w).astype(a.dtype, copy=False)


def _layer_norm(c: Library, a: Tensor, w: Tensor, v: Tensor) -> Tensor:
    shifted = a - a.mean(1, keepdims=True)
    return (shifted / c.sqrt((shifted * shifted).mean(1, keepdims=True) + 1e-5) * w + v).astype(a.dtype, copy=False)


def _gelu_chain(c: Library, a: Tensor, b: Tensor) -> Tensor:
    x = a + b
    return 0.5 * x * (1 + c.tanh(0.7978845608 * (x + 0.044715 * x * x * x))) * a


# Chains of element-wise operations on two arrays, that cupy makes one kernel of.
FUSED: Final[Mapping[str, Formula]] = {
    "gelu_chain": _gelu_chain,
    "add_bias": lambda c, a, v: c.maximum(a + v, 0),
}

CUPY: Final[Mapping[str, Formula]] = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "add_rms_norm": lambda c, a, r, w: _rms_norm(c, a + r, w),
    "row_sum": lambda c, a: a.sum(1),
    "row_max": lambda c, a: a.max(1),
    "row_argmax": lambda c, a: a.argmax(1),
    "row_variance": lambda c, a: a.var(1),
    "gemv": lambda c, a, v: a @ v,
    "transpose": lambda c, a: c.ascontiguousarray(a.T),
    "column_sum": lambda c, a: a.sum(0),
    "cumulative_sum": lambda c, a: a.cumsum(1),
    "add": lambda c, a, b: a + b,
    "sum_all": lambda c, a: a.sum(),
    "max_all": lambda c, a: a.max(),
    **FUSED,
    "matmul": lambda c, a, b: a @ b,
    "matmul_nt": lambda c, a, b: a @ b.T,
    "matmul_tn": lambda c, a, b: a.T @ b,
    "matmul_tt": lambda c, a, b: a.T @ b.T,
    "batch_matmul": lambda c, a, b: a @ b,
}


def cupy_call(cupy: Library, row: Row) -> Formula | None:
    """A row as a function of arrays alone; None where cupy has no such operator, or has not the type."""
    if row.op not in CUPY or row.dtype == "bfloat16":
        return None
    if row.op in FUSED:
        chain = FUSED[row.op]
        return cupy.fuse(kernel_name=row.op)(lambda a, b: chain(cupy, a, b))  # it counts a function's arguments
    formula = CUPY[row.op]
    return lambda *arrays: formula(cupy, *arrays)
