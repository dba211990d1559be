"""The box of a buffer that a statement touches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gpucomp.arith.analyzer import Analyzer
from gpucomp.arith.int_set import IntervalSet, IntSet, is_infinite
from gpucomp.arith.logic import strip_likely
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
    ana = Analyzer()
    touched: list[list[IntSet]] = [[] for _ in buffer.shape]
    for access in accesses(stmt, buffer, consider_loads, consider_stores):
        for sets, index in zip(touched, access.indices, strict=True):
            sets.append(_sweep(ana, index, access.bindings))
    found: list[Range] = []
    for sets, extent in zip(touched, buffer.shape, strict=True):
        if sets:
            whole = Range.from_min_extent(0, extent)
            found.append(ana.union(sets).cover_range(whole) or whole)
    return found


@dataclass(frozen=True)
class Access:
    """One load or store.

    Attributes:
        indices: of the element, or vectors of indices.
        bindings: what encloses it.
        guards: conditions under which it happens.
    """

    indices: tuple[Expr, ...]
    bindings: Bindings
    guards: tuple[Expr, ...]


def accesses(stmt: Stmt, buffer: Buffer, loads: bool = True, stores: bool = True) -> list[Access]:
    """All accesses of a buffer, with what stands around them; a shared expression counts once where it stands."""
    found: list[Access] = []

    def visit(node: Stmt | Expr, bindings: Bindings, guards: tuple[Expr, ...]) -> None:
        if isinstance(node, s.BufferStore) and stores and node.buffer is buffer:
            found.append(Access(node.indices, bindings, guards))
        if isinstance(node, s.AllReduce) and stores and any([b is buffer for b in node.results]):
            found.append(Access((operators.const(0),), bindings, guards))
        if isinstance(node, e.BufferLoad) and loads and node.buffer is buffer:
            found.append(Access(node.indices, bindings, guards))

    walk_places(stmt, visit)
    return found


Visit = Callable[[Stmt | Expr, Bindings, tuple[Expr, ...]], None]


def walk_places(root: Stmt, visit: Visit) -> None:
    """Visit all statements and expressions with the bindings and conditions around them."""
    stack: list[tuple[Stmt | Expr, Bindings, tuple[Expr, ...]]] = [(root, [], ())]
    seen: dict[Expr, None] = {}
    around: tuple[Bindings, tuple[Expr, ...]] = [], ()
    while stack:
        node, bindings, guards = stack.pop()
        if isinstance(node, Expr):
            if bindings is not around[0] or guards is not around[1]:
                seen, around = {}, (bindings, guards)
            if node in seen:
                continue
            seen[node] = None
        visit(node, bindings, guards)
        stack += _inside(node, bindings, guards)[::-1]


def _inside(
    node: Stmt | Expr, bindings: Bindings, guards: tuple[Expr, ...]
) -> list[tuple[Stmt | Expr, Bindings, tuple[Expr, ...]]]:
    """Children with what is around them."""
    if isinstance(node, Expr):
        return [(x, b, g) for x, b, g in _inside_expr(node, bindings, guards)]
    if isinstance(node, s.IfThenElse):
        branches: list[tuple[Stmt | Expr, Bindings, tuple[Expr, ...]]] = [(node.condition, bindings, guards)]
        branches.append((node.then_case, bindings, (*guards, strip_likely(node.condition))))
        if node.else_case is not None:
            branches.append((node.else_case, bindings, (*guards, e.Not(strip_likely(node.condition)))))
        return branches
    if isinstance(node, s.BlockRealize):
        values = [(v.var, x) for v, x in zip(node.block.iter_vars, node.iter_values, strict=True)]
        parts: list[tuple[Stmt | Expr, Bindings, tuple[Expr, ...]]] = [
            (x, bindings, guards) for x in (*node.iter_values, node.predicate)
        ]
        inner = (*guards, node.predicate)
        return parts + [(x, [*bindings, *values], inner) for x in (node.block.init, node.block.body) if x is not None]
    inner_bindings = _binds(node, bindings)
    return [(x, inner_bindings if isinstance(x, Stmt) else bindings, guards) for x in stmt_children(node)]


def _inside_expr(
    node: Expr, bindings: Bindings, guards: tuple[Expr, ...]
) -> list[tuple[Expr, Bindings, tuple[Expr, ...]]]:
    if isinstance(node, e.Let):
        return [(node.value, bindings, guards), (node.body, [*bindings, (node.var, node.value)], guards)]
    if isinstance(node, e.Reduce):
        axes = [(a.var, a.dom) for a in node.axis if a.dom is not None]
        return [(x, [*bindings, *axes], guards) for x in expr_children(node)]
    choice = _choice(node)
    if choice is None:
        return [(x, bindings, guards) for x in expr_children(node)]
    condition, yes, no = choice
    positive, negative = (*guards, strip_likely(condition)), (*guards, e.Not(strip_likely(condition)))
    return [(condition, bindings, guards), (yes, bindings, positive), (no, bindings, negative)]


def _choice(node: Expr) -> tuple[Expr, Expr, Expr] | None:
    """Condition and values of a choice between scalars that evaluates one side only."""
    if isinstance(node, e.Call) and getattr(node.op, "name", "") == "tir.if_then_else":
        condition, yes, no = node.args
        return (condition, yes, no) if condition.dtype.lanes == 1 else None
    return None


def _binds(node: Stmt, outer: Bindings) -> Bindings:
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


def _sweep(ana: Analyzer, index: Expr, outer: Bindings) -> IntervalSet:
    """The interval of an index, from the innermost binding outwards."""
    values = ana.int_set(index, {}) if index.dtype.lanes > 1 else IntSet.single_point(index)
    low, high = values.min_value, values.max_value
    for var, bound in reversed(outer):
        if isinstance(bound, Expr):
            low, high = [x if is_infinite(x) else substitute(x, {var: bound}) for x in (low, high)]
            continue
        low = low if is_infinite(low) else ana.int_set(low, {var: bound}).min_value
        high = high if is_infinite(high) else ana.int_set(high, {var: bound}).max_value
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
