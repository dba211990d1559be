"""Definitions of operators that treat each element by itself.  16-bit inputs are treated in float32."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition, Extent, sum_dtype
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, Var
from gpucomp.tir.intrin import tanh

GELU_SCALE: Final = math.sqrt(2.0 / math.pi)
GELU_CUBE: Final = 0.044715


def add(shape: Sequence[Extent], dtype: str) -> Definition:
    """``C[i] = A[i] + B[i]`` for shape (N,)."""
    (n,) = shape
    a, b = te.placeholder((n,), dtype, "A"), te.placeholder((n,), dtype, "B")

    def element(i: Var) -> ExprLike:
        return a[i] + b[i]

    return Definition((a, b), (te.compute((n,), element, name="C"),))


def copy(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B[i] = A[i]`` for shape (N,)."""
    (n,) = shape
    a = te.placeholder((n,), dtype, "A")

    def element(i: Var) -> ExprLike:
        return a[i]

    return Definition((a,), (te.compute((n,), element, name="B"),))


def gelu(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B[i] = gelu(A[i])`` for shape (N,), by the formula with tanh (Hendrycks and Gimpel 2016)."""
    (n,) = shape
    a = te.placeholder((n,), dtype, "A")

    def element(i: Var) -> Expr:
        return gelu_of(a[i].astype(sum_dtype(dtype))).astype(dtype)

    return Definition((a,), (te.compute((n,), element, name="B"),))


def gelu_chain(shape: Sequence[Extent], dtype: str) -> Definition:
    """``C[i] = gelu(A[i] + B[i]) * A[i]`` for shape (N,): four operators of a graph in one kernel."""
    (n,) = shape
    a, b = te.placeholder((n,), dtype, "A"), te.placeholder((n,), dtype, "B")
    wide = sum_dtype(dtype)

    def total(i: Var) -> Expr:
        return a[i].astype(wide) + b[i].astype(wide)

    added = te.compute((n,), total, name="added")

    def activation(i: Var) -> Expr:
        return gelu_of(added[i])

    activated = te.compute((n,), activation, name="activated")

    def element(i: Var) -> Expr:
        return (activated[i] * a[i].astype(wide)).astype(dtype)

    return Definition((a, b), (te.compute((n,), element, name="C"),), (added, activated))


def add_bias(shape: Sequence[Extent], dtype: str) -> Definition:
    """``B[i, j] = max(A[i, j] + V[j], 0)`` for shape (M, N): a vector broadcast over rows."""
    m, n = shape
    a, v = te.placeholder((m, n), dtype, "A"), te.placeholder((n,), dtype, "V")
    wide = sum_dtype(dtype)

    def element(i: Var, j: Var) -> Expr:
        return operators.maximum(a[i, j].astype(wide) + v[j].astype(wide), te.const(0, wide)).astype(dtype)

    return Definition((a, v), (te.compute((m, n), element, name="B"),))


def gelu_of(x: ExprLike) -> Expr:
    """``x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))``"""
    inner = GELU_SCALE * (x + GELU_CUBE * x * x * x)
    return 0.5 * x * (1.0 + tanh(inner))
