"""Reads outside of a tensor, found before anything is compiled: iterations at the ends of loops show them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from math import prod
from typing import Final

from gpucomp.ir.transform import PassContext
from gpucomp.support.diagnostics import TensorError
from gpucomp.te.operation import ComputeOp, Operation
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, IntImm, IterVar, ProducerLoad, Reduce, Var
from gpucomp.tir.functor import expr_children, ordered_vars
from gpucomp.tir.intrin import Op

_Ends = Mapping[Var, tuple[int, ...]]

_MOST_CORNERS: Final = 64  # of the axes of one index
_FOLDS: Final[Mapping[type[Expr], Callable[[int, int], int]]] = {
    e.Add: lambda a, b: a + b,
    e.Sub: lambda a, b: a - b,
    e.Mul: lambda a, b: a * b,
    e.FloorDiv: lambda a, b: a // b,
    e.FloorMod: lambda a, b: a % b,
    e.Min: min,
    e.Max: max,
}


def check_reads(outputs: Iterable[Operation]) -> None:
    """Raise where an element of a result is made of one outside of a tensor, whatever the data and the schedule.

    Looked at are reads with no condition around them and extents that are numbers; the first and last iterations of the
    axes are tried.

    Raises:
        TensorError: GC204.
    """
    if PassContext.current().config.get("tir.instrument_bound_checkers", False):
        return  # to be seen when the kernel runs
    for op in outputs:
        if type(op) is ComputeOp:
            for load, ends in _reads(op):
                _check(op, load, ends)


def _reads(op: ComputeOp) -> Iterator[tuple[ProducerLoad, _Ends]]:
    """The reads that every element needs, and the ends of the axes."""
    first = op.body[0]
    axes: list[IterVar] = [*op.axis]
    stack: list[Expr] = list(op.body)
    if isinstance(first, Reduce):
        if not (isinstance(first.condition, IntImm) and first.condition.value):
            return
        axes += first.axis
        stack = [*first.source]
    ends: dict[Var, tuple[int, ...]] = {}
    for axis in axes:
        domain = axis.dom
        if domain is None or not (isinstance(domain.min, IntImm) and isinstance(domain.extent, IntImm)):
            continue
        if domain.extent.value == 0:
            return  # nothing is computed
        ends[axis.var] = tuple({domain.min.value: None, domain.min.value + domain.extent.value - 1: None})
    seen: dict[Expr, None] = {}
    while stack:
        node = stack.pop()
        if node in seen or isinstance(node, (e.Select, e.And, e.Or, e.Let, Reduce)):
            continue
        seen[node] = None
        if isinstance(node, e.Call) and not (isinstance(node.op, Op) and node.op.is_pure and not _is_guard(node.op)):
            continue  # of what does with its operands as it likes
        if isinstance(node, ProducerLoad):
            yield node, ends
        stack += expr_children(node)


def _is_guard(op: Op) -> bool:
    return op.name == "tir.if_then_else"


def _check(op: ComputeOp, load: ProducerLoad, ends: _Ends) -> None:
    for position, (index, extent) in enumerate(zip(load.indices, load.producer.shape, strict=True)):
        axes = ordered_vars(index)
        if not isinstance(extent, IntImm) or not all([v in ends for v in axes]):
            continue
        if prod([len(ends[v]) for v in axes]) > _MOST_CORNERS:
            continue
        for corner in product(*[ends[v] for v in axes]):
            at = dict(zip(axes, corner, strict=True))
            value = _value(index, at)
            if value is None:
                break
            if not 0 <= value < extent.value:
                raise _outside(op, load, position, value, at)


def _value(node: Expr, at: Mapping[Var, int]) -> int | None:
    """The value of an index at one iteration; None for what is not made of whole numbers and axes."""
    if isinstance(node, IntImm):
        return node.value
    if isinstance(node, Var):
        return at[node]
    if isinstance(node, e.Cast) and node.dtype.is_int and node.dtype.bits >= 32:
        return _value(node.value, at)
    fold = _FOLDS.get(type(node))
    if fold is None or not isinstance(node, e.BinaryOp):
        return None
    a, b = _value(node.a, at), _value(node.b, at)
    if a is None or b is None or (b == 0 and isinstance(node, (e.FloorDiv, e.FloorMod))):
        return None
    return fold(a, b)


def _outside(op: ComputeOp, load: ProducerLoad, position: int, value: int, at: Mapping[Var, int]) -> TensorError:
    name, extent = load.producer.name, load.producer.shape[position]
    place = f" for {', '.join([f'{v.name} = {x}' for v, x in at.items()])}" if at else ""
    return TensorError(
        f"{op.name!r} reads {name} outside of its dimension {position}, whose extent is {extent}: "
        f"index {load.indices[position]} is {value}{place}",
        code="GC204",
        where=op.span,
        hint="make the extents fit, or guard it: te.if_then_else(condition, element, 0)",
    )
