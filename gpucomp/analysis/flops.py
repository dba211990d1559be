"""Arithmetic operations of a function."""

from __future__ import annotations

from typing import Final

from gpucomp.support.expect import expect
from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.expr import Expr, IntImm
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import expr_children, stmt_children
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import Stmt

_COUNTED: Final = (e.Add, e.Sub, e.Mul, e.Div, e.Mod, e.FloorDiv, e.FloorMod, e.Min, e.Max)
_FREE_CALLS: Final = frozenset({"tir.likely", "tir.reinterpret", "tir.if_then_else", "tir.address_of"})


def estimate_tir_flops(root: PrimFunc | Stmt) -> float:
    """Operations on data that a function executes: arithmetic and intrinsics of stored values, not of indices.

    Loops count their extents, threads theirs, a condition its dearer side, a fused multiply-add two.  Extents that
    are no literals count 1.
    """
    expect(root, (PrimFunc, Stmt), "estimate_tir_flops", "pass a PrimFunc: gpucomp.lower(s, [A, C])['main']")
    return _stmt(root.body if isinstance(root, PrimFunc) else root)


def _size(extent: Expr) -> float:
    return float(extent.value) if isinstance(extent, IntImm) else 1.0


def _stmt(node: Stmt) -> float:
    if isinstance(node, s.BufferStore):
        return _expr(node.value, {})
    if isinstance(node, s.IfThenElse):
        return max(_stmt(node.then_case), _stmt(node.else_case) if node.else_case is not None else 0.0)
    if isinstance(node, s.AllReduce):
        return sum([_expr(v, {}) for v in node.values]) + sum([_expr(r, {}) for r in node.combiner.result])
    inner = sum([_stmt(c) for c in stmt_children(node) if isinstance(c, Stmt)])
    if isinstance(node, s.For):
        return inner * _size(node.extent)
    if isinstance(node, s.AttrStmt) and node.attr_key in ("thread_extent", "virtual_thread"):
        return inner * _size(node.value)
    if isinstance(node, s.Evaluate):
        return _expr(node.value, {})
    return inner


def _expr(node: Expr, seen: dict[Expr, None]) -> float:
    """Operations of an expression; a part that occurs twice is computed once."""
    if node in seen or isinstance(node, (e.BufferLoad, e.Ramp)):
        return 0.0
    seen[node] = None
    own = 0.0
    if isinstance(node, _COUNTED):
        own = 1.0
    elif isinstance(node, e.Call) and isinstance(node.op, Op) and node.op.is_pure and node.op.name not in _FREE_CALLS:
        own = 2.0 if node.op.name == "tir.fma" else 1.0
    return own * node.dtype.lanes + sum([_expr(c, seen) for c in expr_children(node)])
