"""The box of a buffer that a statement touches."""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp.arith.analyzer import Analyzer
from gpucomp.arith.int_set import IntervalSet, IntSet, is_infinite
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, IterVar, Range, Var
from gpucomp.tir.functor import expr_children, stmt_children, substitute
from gpucomp.tir.stmt import Stmt

Bindings = list[tuple[Var, Range | Expr]]
"""What encloses an access, outermost first: loops with their ranges, names with their values."""


def domain_touched(
    stmt: Stmt, buffer: Buffer, consider_loads: bool = True, consider_stores: bool = True
) -> list[Range]:
    """A range per dimension that contains all elements of ``buffer`` that ``stmt`` accesses.

    Args:
        stmt: any statement; variables that it does not bind are parameters of the result.
        buffer: a buffer with any number of dimensions.
        consider_loads: count what is read.
        consider_stores: count what is written.

    Returns:
        The box: the whole extent of a dimension where an index depends on data.  Empty if nothing is accessed.

    >>> from gpucomp import arith, te
    >>> a = te.placeholder((64,), name="A")
    >>> b = te.compute((32,), lambda i: a[i + 1] + a[i + 3], name="B")
    >>> func = te.create_prim_func([a, b])
    >>> arith.domain_touched(func.body, func.buffer_map[func.params[0]])
    [Range(1, 35)]
    """
    walk = _Walk(buffer, loads=consider_loads, stores=consider_stores)
    walk.stmt(stmt, [])
    ana = walk.ana
    found: list[Range] = []
    for sets, extent in zip(walk.touched, buffer.shape, strict=True):
        if sets:
            whole = Range.from_min_extent(0, extent)
            found.append(ana.union(sets).cover_range(whole) or whole)
    return found


class _Walk:
    """Collects the intervals of all accesses."""

    def __init__(self, buffer: Buffer, *, loads: bool, stores: bool) -> None:
        self.buffer = buffer
        self.loads = loads
        self.stores = stores
        self.ana = Analyzer()
        self.touched: list[list[IntSet]] = [[] for _ in buffer.shape]

    def stmt(self, node: Stmt, outer: Bindings) -> None:
        inner = self._binds(node, outer)
        if isinstance(node, s.BufferStore) and self.stores and node.buffer is self.buffer:
            self._access(node.indices, outer)
        if isinstance(node, s.AllReduce) and self.stores and any([b is self.buffer for b in node.results]):
            self._access([operators.const(0)], outer)
        if isinstance(node, s.BlockRealize):
            self._block(node, outer)
            return
        for child in stmt_children(node):
            if isinstance(child, Stmt):
                self.stmt(child, inner)
            else:
                self.expr(child, outer)

    def _block(self, node: s.BlockRealize, outer: Bindings) -> None:
        for item in (*node.iter_values, node.predicate):
            self.expr(item, outer)
        values = [(v.var, x) for v, x in zip(node.block.iter_vars, node.iter_values, strict=True)]
        for part in (node.block.init, node.block.body):
            if part is not None:
                self.stmt(part, [*outer, *values])

    def _binds(self, node: Stmt, outer: Bindings) -> Bindings:
        """The bindings inside of a statement."""
        if isinstance(node, s.For):
            return [*outer, (node.loop_var, Range.from_min_extent(node.min, node.extent))]
        if isinstance(node, s.LetStmt):
            return [*outer, (node.var, node.value)]
        if isinstance(node, s.AttrStmt) and node.attr_key in ("thread_extent", "virtual_thread"):
            axis: object = node.node
            if isinstance(axis, IterVar):
                return [*outer, (axis.var, Range.from_min_extent(0, node.value))]
        return outer

    def expr(self, root: Expr, outer: Bindings) -> None:
        """Loads, each distinct one once for each set of bindings."""
        seen: dict[Expr, None] = {}
        stack: list[tuple[Expr, Bindings]] = [(root, outer)]
        while stack:
            node, around = stack.pop()
            if around is outer and node in seen:
                continue
            if around is outer:
                seen[node] = None
            if isinstance(node, e.BufferLoad) and self.loads and node.buffer is self.buffer:
                self._access(node.indices, around)
            if isinstance(node, e.Let):
                stack += [(node.value, around), (node.body, [*around, (node.var, node.value)])]
                continue
            if isinstance(node, e.Reduce):
                axes = [(a.var, a.dom) for a in node.axis if a.dom is not None]
                around = [*around, *axes]
            stack += [(child, around) for child in expr_children(node)]

    def _access(self, indices: Sequence[Expr], outer: Bindings) -> None:
        for sets, index in zip(self.touched, indices, strict=True):
            sets.append(self._sweep(index, outer))

    def _sweep(self, index: Expr, outer: Bindings) -> IntervalSet:
        """The interval of an index, from the innermost binding outwards."""
        values = self.ana.int_set(index, {}) if index.dtype.lanes > 1 else IntSet.single_point(index)
        low, high = values.min_value, values.max_value
        for var, bound in reversed(outer):
            if isinstance(bound, Expr):
                low, high = [x if is_infinite(x) else substitute(x, {var: bound}) for x in (low, high)]
                continue
            low = low if is_infinite(low) else self.ana.int_set(low, {var: bound}).min_value
            high = high if is_infinite(high) else self.ana.int_set(high, {var: bound}).max_value
        if any([_reads(x) for x in (low, high)]):
            return IntSet.everything()
        return IntervalSet(low, high)


def _reads(node: Expr) -> bool:
    """True if a value depends on memory."""
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, (e.BufferLoad, e.ProducerLoad)):
            return True
        stack += expr_children(item)
    return False
