"""Conditions at the ends of rows, left to the rounds of unrolled loops in which they decide anything.

A row that starts anywhere in a vector is gone over in rounds, each with as many vectors as there are threads.  Elements
are compared with the row's start, a remainder, and with its end, but only those of the first and of the last rounds
can lie beyond.  Device compilers find that out by themselves for most lengths of rows, and not where the ends of all
rows lie on either side of a power of two: they keep two comparisons an element then, in every round of every loop.
"""

from __future__ import annotations

from typing import Final

from gpucomp.tir import operators
from gpucomp.tir.expr import (
    GE,
    GT,
    LE,
    LT,
    Add,
    Broadcast,
    BufferLoad,
    Call,
    CmpOp,
    Expr,
    FloorMod,
    IntImm,
    IterVar,
    Or,
    Sub,
    Var,
)
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import expr_post_order, ordered_vars, substitute
from gpucomp.tir.stmt import AttrStmt, For, ForKind, Stmt
from gpucomp.transform.lanes import base_and_step
from gpucomp.transform.split_host_device import BLOCK_TAGS
from gpucomp.transform.walk import ScopedMutator, int_value

MOST_ROUNDS: Final = 64
_ORDERS: Final[tuple[type[CmpOp], ...]] = (LT, LE, GT, GE)


def round_conditions(func: PrimFunc) -> PrimFunc:
    """Put ``round >= first or`` (or ``round < last or``) before comparisons that hold in all of those rounds.

    Rounds are those of unrolled loops, of which compilers know the number in each copy of the body.  Looked at is what
    compares threads with a remainder of something else::

        if blockIdx.x * 3 % 4 <= round * 512 + threadIdx.x * 4: ...
        if round >= 1 or blockIdx.x * 3 % 4 <= round * 512 + threadIdx.x * 4: ...
    """
    return func.with_body(_Rounds(func).stmt(func.body))


class _Rounds(ScopedMutator):
    def __init__(self, func: PrimFunc) -> None:
        super().__init__(func)
        self.rounds: dict[Var, int] = {}
        self.threads: set[Var] = set()

    def visit_for(self, node: For) -> Stmt:
        extent = int_value(node.extent)
        if node.kind is ForKind.UNROLLED and int_value(node.min) == 0 and extent and 1 < extent <= MOST_ROUNDS:
            self.rounds[node.loop_var] = extent
        else:
            self.rounds.pop(node.loop_var, None)
        return super().visit_for(node)

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        if node.attr_key == "thread_extent" and isinstance(node.node, IterVar) and node.node.thread_tag in BLOCK_TAGS:
            self.threads.add(node.node.var)
        return super().visit_attr_stmt(node)

    def visit_cmp_op(self, node: CmpOp) -> Expr:
        if type(node) not in _ORDERS or not node.a.dtype.is_int or not self.rounds:
            return node
        if not any([isinstance(item, FloorMod) for item in expr_post_order(node)]):
            return node
        distances = self._distances(node)
        if not distances or not self._starts_anywhere(distances[0]):
            return node
        found = [self._decided(node, var, distances) for var in ordered_vars(node) if var in self.rounds]
        best = max(found, key=lambda pair: pair[1], default=(node, 0))
        return best[0] if best[1] else node

    def _starts_anywhere(self, distance: Expr) -> bool:
        """True for a remainder by itself, of something else than the threads and rounds beside it."""
        remainders: list[Expr] = []
        others: list[Expr] = []
        stack = [distance]
        while stack:
            item = stack.pop()
            if isinstance(item, (Add, Sub)):
                stack += [item.b, item.a]
            elif isinstance(item, FloorMod) and isinstance(item.b, IntImm):
                remainders.append(item)
            else:
                others.append(item)
        if any([isinstance(item, (BufferLoad, Call)) for item in expr_post_order(distance)]):
            return False
        beside = set(ordered_vars(*others))
        alone = bool(remainders) and beside.isdisjoint(ordered_vars(*remainders))
        return alone and not beside.isdisjoint(self.threads)

    def _distances(self, node: CmpOp) -> list[Expr]:
        """What must not be negative: in the first and in the last lane, between which nothing is further off."""
        ahead, least = (node.b, node.a) if isinstance(node, (LT, LE)) else (node.a, node.b)
        more, less, lanes = base_and_step(ahead), base_and_step(least), node.a.dtype.lanes
        if more is None or less is None:
            return []
        (ahead, up), (least, down) = more, less
        one = 1 if isinstance(node, (LT, GT)) else 0
        return [
            self.analyzer.simplify(ahead + up * lane - least - down * lane - one)
            for lane in dict.fromkeys((0, lanes - 1))
        ]

    def _decided(self, node: CmpOp, var: Var, distances: list[Expr]) -> tuple[Expr, int]:
        """The condition that spares rounds of one loop, and how many."""

        def holds(value: int) -> bool:
            known = {var: operators.const(value, var.dtype)}
            return all([self.analyzer.const_int_bound(substitute(far, known)).min_value >= 0 for far in distances])

        def spared(decided: Expr) -> Expr:
            lanes = node.a.dtype.lanes
            return operators.logical(Or, Broadcast(decided, lanes) if lanes > 1 else decided, node)

        count = self.rounds[var]
        first, last = next((r for r in range(count) if not holds(r)), count), count
        while last > first and holds(last - 1):
            last -= 1
        if first >= count - last:
            return spared(operators.compare(LT, var, first)), first
        return spared(operators.compare(GE, var, last)), count - last
