"""Hints to fetch what a later iteration of a loop will read."""

from __future__ import annotations

import functools

from gpucomp.arith import Analyzer
from gpucomp.arith.int_set import NEG_INF, POS_INF, IntervalSet
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import LT, BufferLoad, Expr, IterVar, Range, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import expr_post_order, free_vars, stmt_children, substitute
from gpucomp.tir.stmt import AttrStmt, BufferRealize, For, ForKind, IfThenElse, LetStmt, Prefetch, Stmt, seq
from gpucomp.transform.walk import THREAD_KEYS, ScopedMutator

KEY = "prefetch_scope"
_Region = list[tuple[Expr, Expr]]  # minimum and extent in each dimension


def inject_prefetch(func: PrimFunc) -> PrimFunc:
    """Replace each ``prefetch_scope`` (node: buffer, value: iterations ahead) by a Prefetch of the region to be read.

    The attribute stands just inside of a loop.  The region is what the body reads of the buffer, with the loop's
    variable that much further on and all inner loops run over; there is no hint where the loop ends before.  Where the
    body is a serial loop of which each iteration reads rows of its own, the hints for those stand there: memory answers
    them one by one, while a burst of them would hold up the loads behind it.  A region that cannot be told from the
    indices, and a buffer that the body does not read, give none; nor does a buffer whose memory is made inside of the
    body, and does not exist yet where the hint would stand.
    """
    return func.with_body(_Injector(func).stmt(func.body))


class _Injector(ScopedMutator):
    def __init__(self, func: PrimFunc) -> None:
        super().__init__(func)
        self.loops: list[For] = []

    def expr(self, node: Expr) -> Expr:
        return node

    def visit_for(self, node: For) -> Stmt:
        self.loops.append(node)
        done = super().visit_for(node)
        self.loops.pop()
        return done

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        if node.attr_key != KEY:
            return super().visit_attr_stmt(node)
        if not self.loops:
            return self.stmt(node.body)
        region = touched(node.body, node.node, self.analyzer)
        if region is None:
            return self.stmt(node.body)
        done = self.stmt(node.body)
        inner = node.body
        if isinstance(inner, For) and isinstance(done, For):
            part = self._part(inner, node.node, region)
            if part is not None:
                return done.replace(body=seq(self._hint(node, part), done.body))
        return seq(self._hint(node, region), done)

    def _part(self, loop: For, buffer: Buffer, region: _Region) -> _Region | None:
        """What one iteration reads, where the iterations of a serial loop share the region between them."""
        part = touched(loop.body, buffer, self.analyzer) if loop.kind == ForKind.SERIAL else None
        if not part or loop.loop_var in free_vars(part[-1][0]):  # neighbours: one hint brings several
            return None
        whole, shared = _size(region), operators.multiply(_size(part), loop.extent)
        return part if self.analyzer.can_prove_equal(whole, shared) else None

    def _hint(self, node: AttrStmt, region: _Region) -> Stmt:
        loop = self.loops[-1]
        ahead = operators.add(loop.loop_var, operators.cast(loop.loop_var.dtype, node.value))
        later = {loop.loop_var: ahead}
        box = tuple([
            Range.from_min_extent(
                self.analyzer.simplify(substitute(low, later)), self.analyzer.simplify(substitute(extent, later))
            )
            for low, extent in region
        ])  # fmt: skip
        end = operators.add(loop.min, loop.extent)
        return IfThenElse(operators.compare(LT, ahead, end), Prefetch(node.node, box, node.span), None, node.span)


def _size(region: _Region) -> Expr:
    return functools.reduce(operators.multiply, [extent for _, extent in region])


def touched(body: Stmt, buffer: Buffer, analyzer: Analyzer) -> _Region | None:
    """Minimum and extent of what a statement reads of a buffer in each dimension.

    None where that is not known, and where the statement makes the buffer's memory.
    """
    inner: dict[Var, IntervalSet] = {}
    found: list[BufferLoad] = []
    stack: list[Stmt] = [body]
    while stack:
        node = stack.pop()
        if isinstance(node, BufferRealize) and node.buffer is buffer:
            return None
        if isinstance(node, For):
            last = operators.subtract(operators.add(node.min, node.extent), 1)
            inner[node.loop_var] = IntervalSet(node.min, last)
        elif isinstance(node, LetStmt):
            inner[node.var] = IntervalSet(NEG_INF, POS_INF)
        elif isinstance(node, AttrStmt) and node.attr_key in THREAD_KEYS and isinstance(node.node, IterVar):
            inner[node.node.var] = IntervalSet(operators.const(0, node.value.dtype), operators.subtract(node.value, 1))
        for child in stmt_children(node):
            if isinstance(child, Stmt):
                stack.append(child)
                continue
            found += [x for x in expr_post_order(child) if isinstance(x, BufferLoad) and x.buffer is buffer]
    if not found:
        return None
    out: _Region = []
    for position in range(buffer.ndim):
        parts = [analyzer.int_set(load.indices[position], inner) for load in found]
        whole = analyzer.union(parts) if len(parts) > 1 else parts[0]
        low, high = whole.min_value, whole.max_value
        ends = free_vars(low) | free_vars(high)
        if not (low.dtype.is_int and high.dtype.is_int) or any([v in inner or v.dtype.is_handle for v in ends]):
            return None
        out.append((low, operators.add(operators.subtract(high, low), 1)))
    return out
