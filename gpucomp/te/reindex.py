"""reindex_cache_read: a copy of a tensor in the order in which its reader goes through it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpucomp import arith
from gpucomp.support.diagnostics import caller_span
from gpucomp.te.dataflow import data_axis, domain, insert_stage, propagate, set_op, user_tensor
from gpucomp.te.errors import schedule_error
from gpucomp.te.operation import ComputeOp, Operation
from gpucomp.te.stage import Stage
from gpucomp.te.stage_state import check_scope
from gpucomp.te.tensor import Tensor
from gpucomp.te.tensor_compute import TensorComputeOp
from gpucomp.tir import operators
from gpucomp.tir.expr import Call, Expr, IntImm, IterVar, ProducerLoad, Reduce, Select, Var
from gpucomp.tir.functor import Mutator, expr_post_order, free_vars, substitute

if TYPE_CHECKING:
    from gpucomp.te.state import Schedule


def reindex_cache_read(
    schedule: Schedule, tensor: Tensor, scope: str, reader: Tensor | Operation, axes: Sequence[IterVar]
) -> Tensor:
    """See :meth:`Schedule.reindex_cache_read`."""
    check_scope(scope, "reindex_cache_read")
    source_stage, stage = schedule[tensor], schedule[reader]
    source = schedule.current(tensor)
    old = stage.op
    if not isinstance(old, ComputeOp) or isinstance(old, TensorComputeOp):
        raise _refusal(
            stage, f"{stage.name} is not computed element by element", "the reader is a te.compute of scalars"
        )
    load = _only_load(stage, old, source)
    plain = _simplified(old, load)
    order = list(axes)
    _check_axes(stage, old, plain, order)
    fresh = [data_axis(a.name, domain(a).extent) for a in order]
    starts = [domain(a).min for a in order]
    places = [operators.add(f.var, low) for f, low in zip(fresh, starts, strict=True)]
    there: dict[Var, Expr] = {a.var: p for a, p in zip(order, places, strict=True)}
    name = f"{tensor.name}.{scope}"
    op = ComputeOp(name, "", None, tuple(fresh), (substitute(plain, there),), schedule.current_span())
    cached = op.output(0)
    here: Expr = cached(*[operators.subtract(a.var, low) for a, low in zip(order, starts, strict=True)])
    position = schedule.stages.index(source_stage) + 1
    made = insert_stage(schedule, position, op, scope, source_stage if source_stage.op.computes else stage)
    new = old.with_body(tuple([_Replaced(load, here).expr(b) for b in old.body]))
    set_op(schedule, stage, new)
    propagate(schedule, dict(zip(old.outputs, new.outputs, strict=True)), schedule.stages.index(stage) + 1)
    made.span = schedule.record(
        "reindex_cache_read",
        None,
        (user_tensor(schedule, tensor), scope, stage.origin_op.output(0), order),
        {},
        (cached,),
        op.root_iter_vars,
    )
    return cached


def _only_load(stage: Stage, op: ComputeOp, source: Tensor) -> ProducerLoad:
    """The one element of the tensor that the reader reads in a step, and reads in every step."""
    loads: dict[ProducerLoad, None] = {}
    for node in [n for b in op.body for n in expr_post_order(b)]:
        if isinstance(node, ProducerLoad) and node.producer is source:
            loads[node] = None
    if len(loads) != 1:
        if not loads:
            read = ", ".join([t.name for t in op.input_tensors])
            raise _refusal(
                stage, f"{stage.name} does not read {source.name}", f"{stage.name} reads {read or 'nothing'}"
            )
        why = f"{stage.name} reads {len(loads)} elements a step of {source.name}"
        raise _refusal(stage, why, "cache_read copies the tensor as it is")
    (load,) = loads
    for node in [n for b in op.body for n in expr_post_order(b)]:
        chooses = isinstance(node, Select) or (isinstance(node, Call) and "if_then_else" in str(node.op))
        limits = isinstance(node, Reduce) and not isinstance(node.condition, IntImm)
        if (chooses or limits) and any([n is load for n in expr_post_order(node)]):
            raise _refusal(
                stage,
                f"{stage.name} reads {source.name} under a condition only, and the copy would read it always",
                "cache_read copies the tensor as it is",
            )
    return load


def _simplified(op: ComputeOp, load: ProducerLoad) -> ProducerLoad:
    """The same element with indices that name no axis without need: ``(g*8 + i) // 8`` is ``g``."""
    analyzer = arith.Analyzer()
    for axis in op.root_iter_vars:
        analyzer.bind(axis.var, domain(axis))
    return ProducerLoad(load.producer, tuple([analyzer.simplify(i) for i in load.indices]))


def _check_axes(stage: Stage, op: ComputeOp, load: ProducerLoad, axes: list[IterVar]) -> None:
    for place, axis in enumerate(axes):
        if not any([a is axis for a in op.root_iter_vars]):
            raise _refusal(
                stage,
                f"{axis.name!r} is no axis that {stage.name} starts with",
                f"axes of its op: {', '.join([a.name for a in op.root_iter_vars])}",
            )
        if any([a is axis for a in axes[:place]]):
            raise _refusal(stage, f"axis {axis.name!r} is given twice", "the copy has one dimension for each axis")
    used = free_vars(load)
    left = [a.name for a in op.root_iter_vars if a.var in used and not any([a is b for b in axes])]
    if left:
        raise _refusal(
            stage,
            f"which element of {load.producer.name} is read depends on {', '.join(left)} too",
            "give every axis of the reader that the element depends on",
        )


def _refusal(stage: Stage, why: str, hint: str) -> Exception:
    return schedule_error("GC119", f"reindex_cache_read: {why}", stage=stage, where=caller_span(), hint=hint)


class _Replaced(Mutator):
    """Puts one expression in the place of another."""

    def __init__(self, old: ProducerLoad, new: Expr) -> None:
        super().__init__()
        self.old, self.new = old, new

    def visit_producer_load(self, node: ProducerLoad) -> Expr:
        return self.new if node is self.old else super().visit_expr(node)
