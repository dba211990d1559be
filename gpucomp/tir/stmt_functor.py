"""Walkers under their public names."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType

from gpucomp.support.expect import expect, mismatch
from gpucomp.tir.expr import Expr
from gpucomp.tir.functor import ir_transform, post_order_visit, stmt_children, substitute
from gpucomp.tir.stmt import Stmt

__all__ = ["ir_transform", "post_order_visit", "pre_order_visit", "substitute"]


def pre_order_visit(node: Stmt, fvisit: Callable[[Stmt | Expr], bool]) -> None:
    """Call ``fvisit`` on statements and root expressions, parents first; False keeps it out of the children."""
    expect(node, (Stmt, Expr), "pre_order_visit", "pass the body of a PrimFunc, or a part of one")
    if not callable(fvisit):
        raise mismatch("pre_order_visit", FunctionType, fvisit, "the second argument is called with each node")
    stack: list[Stmt | Expr] = [node]
    while stack:
        item = stack.pop()
        if fvisit(item) and isinstance(item, Stmt):
            stack += reversed(stmt_children(item))
