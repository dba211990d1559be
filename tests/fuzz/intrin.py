"""Tensor intrinsics made to measure: declared and written for a box of a given stage.

What an index does outside of the box is an offset, which tensorize finds; so the declaration has the stage's own
expression with those axes at 0, over placeholders as large as what the box reads.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any  # Any: declarations take functions of any number of indices

from gpucomp import te, tir
from gpucomp.support.diagnostics import TensorError
from gpucomp.te import ComputeOp, Tensor
from gpucomp.tir import For, ForKind, Stmt
from gpucomp.tir.expr import BufferLoad, Expr, IntImm, IterVar, ProducerLoad, Range, Reduce, Var
from gpucomp.tir.functor import Mutator, expr_post_order, free_vars, substitute
from gpucomp.tir.stmt import BufferStore, seq
from tests.te.intrinsics import view

Box = Mapping[IterVar, int]
_MOST = 512  # points of a box that are looked at


def can_declare(op: ComputeOp) -> bool:
    """Whether the stage's values depend on its axes only through the elements that it reads."""
    first = op.body[0]
    if len(op.body) > 1 or not op.axis or (isinstance(first, Reduce) and first.init):
        return False
    parts = first.source if isinstance(first, Reduce) else op.body
    if isinstance(first, Reduce) and not isinstance(first.condition, IntImm):
        return False
    axes = {a.var for a in op.root_iter_vars}
    inside: set[Expr] = set()
    for part in parts:
        for node in expr_post_order(part):
            if isinstance(node, ProducerLoad):
                for index in node.indices:
                    inside.update(expr_post_order(index))
                    if any([not isinstance(n, (Var, IntImm)) and not _is_linear(n) for n in expr_post_order(index)]):
                        return False
    plain = _Without()
    return not any([v in axes for part in parts for v in free_vars(plain.expr(part))])


def _is_linear(node: Expr) -> bool:
    return isinstance(node, (tir.Add, tir.Sub, tir.Mul))


class _Without(Mutator):
    """Loads replaced by a number: what is left shows whether the axes are used otherwise."""

    def visit_producer_load(self, node: ProducerLoad) -> Expr:
        return tir.const(1, node.dtype)


def intrin_of(op: ComputeOp, box: Box) -> te.TensorIntrin | None:
    """An intrinsic for a box of a stage (extents by root axis); None where it cannot be declared."""
    if len(op.body) > 1:
        return None
    fresh = {a: Var(f"t{i}", "int32") for i, a in enumerate(op.root_iter_vars)}
    inside: dict[Var, Expr] = {a.var: v if box[a] > 1 else tir.const(0) for a, v in fresh.items()}
    sizes = {v: box[a] for a, v in fresh.items()}
    declared: dict[Tensor, Tensor] = {}
    lows: dict[Tensor, list[int]] = {}
    for tensor, accesses in op.reads:
        spans = [[_span(substitute(i, inside), sizes) for i in indices] for indices in accesses]
        ends = list(zip(*spans, strict=True))
        if not ends or any([s is None for dim in ends for s in dim]):
            return None
        lows[tensor] = [min([s[0] for s in dim if s is not None]) for dim in ends]
        shape = [
            max([s[1] for s in dim if s is not None]) - low + 1 for dim, low in zip(ends, lows[tensor], strict=True)
        ]
        declared[tensor] = te.placeholder(tuple(shape), str(tensor.dtype), f"{tensor.name}_part".replace(".", "_"))
    axes = [IterVar(Range(0, box[a]), fresh[a], IterVar.CommReduce) for a in op.reduce_axis]

    def body(*indices: Var) -> Expr:
        place: dict[Var, Expr] = {fresh[a]: i for a, i in zip(op.axis, indices, strict=True)}
        walker = _Moved(inside, declared, lows)
        first = op.body[0]
        if not isinstance(first, Reduce):
            return substitute(walker.expr(first), place)
        source = tuple([substitute(walker.expr(x), place) for x in first.source])
        return Reduce(first.combiner, source, tuple(axes), tir.const(1, "bool"), 0, ())

    result = te.compute(tuple([box[a] for a in op.axis]), body, name="part", varargs_names=None)
    assert isinstance(result.op, ComputeOp)
    try:
        return te.decl_tensor_intrin(
            result.op, _statements(result.op), "part", binds={t: view(t) for t in (*declared.values(), result)}
        )
    except TensorError:  # an element of an input that nothing reads
        return None


class _Moved(Mutator):
    def __init__(
        self, inside: Mapping[Var, Expr], declared: Mapping[Tensor, Tensor], lows: Mapping[Tensor, list[int]]
    ) -> None:
        super().__init__()
        self.inside, self.declared, self.lows = inside, declared, lows

    def visit_producer_load(self, node: ProducerLoad) -> Expr:
        low = self.lows[node.producer]
        indices = [substitute(i, self.inside) - n for i, n in zip(node.indices, low, strict=True)]
        return ProducerLoad(self.declared[node.producer], tuple(indices))


def _span(index: Expr, sizes: Mapping[Var, int]) -> tuple[int, int] | None:
    """Least and largest value of an index over the box."""
    used = [v for v in sizes if v in free_vars(index)]
    points = list(itertools.islice(itertools.product(*[range(sizes[v]) for v in used]), _MOST + 1))
    values: list[int] = []
    for point in points:
        known: dict[Var, Expr] = {v: tir.const(x) for v, x in zip(used, point, strict=True)}
        value = substitute(index, known)
        if not isinstance(value, IntImm) or len(points) > _MOST:
            return None
        values.append(value.value)
    return min(values), max(values)


def _statements(op: ComputeOp) -> Any:
    """What computes the declaration: plain loops, as body, reset and update for a reduction."""

    def write(ins: Any, outs: Any) -> Any:
        buffers = dict(zip(op.input_tensors, ins, strict=True))
        loads = _FromBuffers(buffers)
        out, first = outs[0], op.body[0]
        places = [a.var for a in op.axis]
        if not isinstance(first, Reduce):
            return _loops(op.axis, BufferStore(out, loads.expr(first), places))
        start = BufferStore(out, first.combiner.identity_element[0], places)
        [value] = first.combiner((BufferLoad(out, tuple(places)),), (loads.expr(first.source[0]),))
        reset = _loops(op.axis, start)
        update = _loops((*op.axis, *first.axis), BufferStore(out, value, places))
        return seq(reset, update), reset, update

    return write


def _loops(axes: tuple[IterVar, ...], body: Stmt) -> Stmt:
    """Loops with variables of their own, so that two copies of them share none."""
    fresh: dict[Var, Expr] = {a.var: Var(a.name, "int32") for a in axes}
    made = _Renamed(fresh).stmt(body)
    for axis in reversed(axes):
        assert axis.dom is not None
        var = fresh[axis.var]
        assert isinstance(var, Var)
        made = For(var, 0, axis.dom.extent, ForKind.SERIAL, made)
    return made


class _Renamed(Mutator):
    def __init__(self, names: Mapping[Var, Expr]) -> None:
        super().__init__()
        self.names = names

    def visit_var(self, node: Var) -> Expr:
        return self.names.get(node, node)


class _FromBuffers(Mutator):
    def __init__(self, buffers: Mapping[Tensor, Any]) -> None:
        super().__init__()
        self.buffers = buffers

    def visit_producer_load(self, node: ProducerLoad) -> Expr:
        return BufferLoad(self.buffers[node.producer], tuple([self.visit(i) for i in node.indices]))
