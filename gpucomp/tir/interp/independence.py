"""Which serial loops of the host may run in lockstep: their iterations touch different elements.

A memory that the body writes must be told apart by one of its dimensions: in every access its index is
``c * v + r``, with the loop variable ``v``, and ``r`` spans less than ``|c|`` over the loops inside.
"""

from __future__ import annotations

from collections.abc import Callable

from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.functor import post_order
from gpucomp.tir.interp.affine import Linear
from gpucomp.tir.stmt import Stmt

LOCKSTEP_FROM = 16  # iterations; below that a plain loop costs no more


def independent(loop: s.For, linear: Callable[[Expr], Linear]) -> bool:
    """True if the iterations of a loop may run in any order, and together.

    Args:
        loop: a serial loop of the host.
        linear: gives the linear form of an index.
    """
    return _Body(loop, linear).independent()


class _Body:
    """What the body of a loop accesses."""

    def __init__(self, loop: s.For, linear: Callable[[Expr], Linear]) -> None:
        self.var = loop.loop_var
        self.linear = linear
        self.ranges: dict[Var, tuple[int, int]] = {}
        self.own: dict[Var, None] = {}
        self.stored: dict[Var, None] = {}
        self.accesses: dict[Var, list[tuple[Buffer, tuple[Expr, ...]]]] = {}
        self.simple = True
        for node in post_order(loop.body):
            self.note(node)

    def note(self, node: Stmt | Expr) -> None:
        """Enter one node."""
        if isinstance(node, (e.BufferLoad, s.BufferStore)):
            self.accesses.setdefault(node.buffer.data, []).append((node.buffer, node.indices))
        if isinstance(node, s.BufferStore):
            self.stored[node.buffer.data] = None
        elif isinstance(node, s.For):
            self.note_loop(node)
        elif isinstance(node, s.Allocate):
            self.own[node.buffer_var] = None
        elif isinstance(node, s.BufferRealize):
            self.own[node.buffer.data] = None
        elif isinstance(node, e.Call):
            self.simple &= bool(getattr(node.op, "is_pure", False))
        elif isinstance(node, (s.AttrStmt, s.AllReduce, s.AssertStmt)):
            self.simple &= isinstance(node, s.AttrStmt) and node.attr_key not in ("thread_extent", "virtual_thread")

    def note_loop(self, node: s.For) -> None:
        """Remember the range of a loop inside."""
        low, extent = self.linear(node.min), self.linear(node.extent)
        self.simple &= node.thread_binding is None
        if not low[0] and not extent[0] and node.loop_var not in self.ranges:
            self.ranges[node.loop_var] = (low[1], low[1] + extent[1] - 1)
        elif self.ranges.get(node.loop_var) != (low[1], low[1] + extent[1] - 1) or low[0] or extent[0]:
            self.ranges[node.loop_var] = (-(1 << 62), 1 << 62)

    def independent(self) -> bool:
        """The answer."""
        if not self.simple:
            return False
        return all([self.apart(self.accesses[d]) for d in self.stored if d not in self.own])

    def apart(self, accesses: list[tuple[Buffer, tuple[Expr, ...]]]) -> bool:
        """True if one dimension tells the iterations apart in all accesses of a memory."""
        first = accesses[0][0]
        if any([b is not first for b, _ in accesses]):
            return False
        return any([self.dimension([indices[d] for _, indices in accesses]) for d in range(len(first.shape))])

    def dimension(self, indices: list[Expr]) -> bool:
        """True if the indices of one dimension are ``c * v + r`` with a narrow ``r``."""
        factor = 0
        outside: dict[Expr, int] | None = None
        lows: list[int] = []
        highs: list[int] = []
        for index in indices:
            part = self.split(index)
            if part is None or (factor and part[0] != factor) or (outside is not None and part[1] != outside):
                return False
            factor, outside = part[0], part[1]
            lows.append(part[2])
            highs.append(part[3])
        return max(highs) - min(lows) < abs(factor)

    def split(self, index: Expr) -> tuple[int, dict[Expr, int], int, int] | None:
        """Factor of the loop variable, terms from outside of the loop, and the span of the rest."""
        reach = (0, 0)
        if isinstance(index, e.Ramp) and isinstance(index.stride, e.IntImm):
            end = index.stride.value * (index.lanes - 1)
            reach, index = (min(end, 0), max(end, 0)), index.base
        if index.dtype.lanes > 1:
            return None
        terms, const = self.linear(index)
        low, high = const + reach[0], const + reach[1]
        outside: dict[Expr, int] = {}
        for atom, c in terms.items():
            if atom is self.var:
                continue
            if not isinstance(atom, Var):
                return None
            bounds = self.ranges.get(atom)
            if bounds is None:
                outside[atom] = c
                continue
            low, high = low + min(c * bounds[0], c * bounds[1]), high + max(c * bounds[0], c * bounds[1])
        factor = terms.get(self.var, 0)
        return (factor, outside, low, high) if factor else None
