"""Primitives that add stages: cache_read and rfactor, and what they share with cache_write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any  # Any: a tensor gives a tensor, a list gives a list

from gpucomp.support.diagnostics import caller_span
from gpucomp.support.expect import expect
from gpucomp.te.errors import schedule_error
from gpucomp.te.guarded import both
from gpucomp.te.message_passing import pass_down_domain, pass_up_index, split_predicates
from gpucomp.te.operation import ComputeOp, Operation
from gpucomp.te.relation import children_of, parents_of
from gpucomp.te.stage import Stage
from gpucomp.te.stage_state import check_scope
from gpucomp.te.tensor import Tensor
from gpucomp.te.user_input import listed
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IterVar, Range, Reduce, Var
from gpucomp.tir.functor import substitute

if TYPE_CHECKING:
    from gpucomp.te.state import Schedule


def data_axis(name: str, extent: Expr) -> IterVar:
    """A data-parallel axis that starts at zero."""
    return IterVar(Range.from_min_extent(0, extent), Var(name, extent.dtype), IterVar.DataPar)


def set_op(schedule: Schedule, stage: Stage, op: Operation) -> None:
    """Let a stage compute another operation."""
    if stage.op in schedule.outputs:
        schedule.outputs = tuple([op if o is stage.op else o for o in schedule.outputs])
    stage.op = op
    schedule.stage_map[op] = stage


def insert_stage(schedule: Schedule, position: int, op: Operation, scope: str, source: Stage) -> Stage:
    """Add the stage of ``op``, in the group of the stage that it was made for."""
    stage = Stage(schedule, op, span=schedule.current_span())
    stage.group = source.group
    stage.scope, stage.scope_span = scope, stage.span
    schedule.stages.insert(position, stage)
    schedule.stage_map[op] = stage
    return stage


def propagate(
    schedule: Schedule,
    redirect: dict[Tensor, Tensor],
    start: int,
    readers: Mapping[Stage, dict[Tensor, Tensor]] | None = None,
) -> None:
    """Let all stages from ``start`` on read the new tensors, and whoever reads those stages in turn.

    One pass in order: each stage is rebuilt once, after everything that it reads.
    """
    for stage in schedule.stages[start:]:
        new = stage.op.replace_inputs({**redirect, **(readers or {}).get(stage, {})})
        if new is not stage.op:
            redirect.update(zip(stage.op.outputs, new.outputs, strict=True))
            set_op(schedule, stage, new)


def user_tensor(schedule: Schedule, tensor: Tensor) -> Tensor:
    """The tensor as the trace knows it, whichever version of it the user holds."""
    return schedule[tensor].origin_op.output(tensor.value_index)


def cache_read(
    schedule: Schedule, tensor: Tensor, scope: str, readers: Sequence[Tensor | Operation] | Tensor | Operation
) -> Tensor:
    """See :meth:`Schedule.cache_read`."""
    check_scope(scope, "cache_read")
    source_stage = schedule[tensor]
    expect(tensor, Tensor, "cache_read", 's.cache_read(A, "shared", [C])')
    source = schedule.current(tensor)
    reading: list[Stage] = []
    for reader in listed(readers, (Tensor, Operation)):
        stage = schedule[reader]
        if source not in stage.op.input_tensors:
            others = [s.name for s in schedule.stages if source in s.op.input_tensors]
            raise schedule_error(
                "GC111",
                f"cache_read: {stage.name} does not read {tensor.name}",
                stage=stage,
                where=caller_span(),
                hint=f"{tensor.name} is read by {', '.join(others)}" if others else f"nothing reads {tensor.name}",
            )
        reading.append(stage)
    if not reading:
        raise schedule_error("GC111", f"cache_read of {tensor.name} names no reader", where=caller_span())
    axis = tuple([data_axis(f"ax{i}", s) for i, s in enumerate(source.shape)])
    body: Expr = source(*[a.var for a in axis])
    op = ComputeOp(f"{tensor.name}.{scope}", "", None, axis, (body,), schedule.current_span())
    cached = op.output(0)
    position = schedule.stages.index(source_stage) + 1
    stage = insert_stage(schedule, position, op, scope, source_stage if source_stage.op.computes else reading[0])
    propagate(schedule, {}, position + 1, {r: {source: cached} for r in reading})
    names = [s.origin_op.output(0) for s in reading]
    stage.span = schedule.record(
        "cache_read", None, (user_tensor(schedule, tensor), scope, names), {}, (cached,), op.root_iter_vars
    )
    return cached


def domain(axis: IterVar) -> Range:
    """The domain of a root axis."""
    assert axis.dom is not None
    return axis.dom


def rfactor(schedule: Schedule, tensor: Tensor, axis: IterVar, factor_axis: int) -> Any:
    """See :meth:`Schedule.rfactor`."""
    stage = schedule[tensor]
    old = stage.op
    if not isinstance(old, ComputeOp) or not isinstance(old.body[0], Reduce):
        raise schedule_error(
            "GC113", f"rfactor: {tensor.name!r} is not computed by a reduction", stage=stage, where=caller_span()
        )
    stage.leaf_index(axis, "rfactor")
    _check_rfactor(stage, old, axis, factor_axis)
    reduce_leaves = [iv for iv in stage.leaf_iter_vars if iv.iter_type == IterVar.CommReduce]
    doms = pass_down_domain(stage, {iv: domain(iv) for iv in old.root_iter_vars})
    # Every leaf reduction axis becomes a root axis of the new stage: the factored one a dimension, others reductions.
    # A dimension starts at 0, whatever the axis starts at.
    span = Range.from_min_extent(0, doms[axis].extent)
    fresh = {iv: IterVar(doms[iv], Var(iv.name, iv.var.dtype), IterVar.CommReduce) for iv in reduce_leaves}
    fresh[axis] = IterVar(span, Var(axis.name, axis.var.dtype), IterVar.DataPar)
    data = [data_axis(a.name, domain(a).extent) for a in old.axis]
    values: dict[IterVar, Expr] = {iv: fresh[iv].var for iv in reduce_leaves}
    values[axis] = operators.add(fresh[axis].var, doms[axis].min)
    values.update({iv: operators.const(0, iv.var.dtype) for iv in stage.leaf_iter_vars if iv not in values})
    roots = pass_up_index(stage, doms, values)
    mapping: dict[Var, Expr] = {iv.var: roots[iv] for iv in old.reduce_axis}
    mapping.update({a.var: b.var for a, b in zip(old.axis, data, strict=True)})
    guards = [condition for _, condition in split_predicates(stage, doms, roots, only_reduce=True)]
    partial_op = _partial(old, fresh, axis, data, factor_axis, mapping, guards)
    final_op = _final(old, partial_op, axis, factor_axis, span)
    position = schedule.stages.index(stage)
    partial_stage = insert_stage(schedule, position, partial_op, "", stage)
    partial_stage.scope_span = None
    _keep_data_axes(stage, old, final_op)
    set_op(schedule, stage, final_op)
    propagate(schedule, dict(zip(old.outputs, final_op.outputs, strict=True)), position + 2)
    results = partial_op.outputs
    partial_stage.span = schedule.record(
        "rfactor",
        None,
        (user_tensor(schedule, tensor), axis, factor_axis),
        {},
        results,
        (*partial_op.root_iter_vars, *final_op.reduce_axis),
    )
    return results[0] if len(results) == 1 else list(results)


def _check_rfactor(stage: Stage, op: ComputeOp, axis: IterVar, factor_axis: object) -> None:
    if axis.iter_type != IterVar.CommReduce:
        raise schedule_error(
            "GC113",
            f"rfactor: axis {axis.name!r} of stage {stage.name} is not a reduction axis",
            stage=stage,
            where=caller_span(),
            hint=f"one of {', '.join([iv.name for iv in stage.leaf_iter_vars if iv.iter_type == IterVar.CommReduce])}",
        )
    if isinstance(op.body[0], Reduce) and op.body[0].init:
        raise schedule_error(
            "GC113",
            f"rfactor: the reduction of {stage.name} has an init value, which would count twice",
            stage=stage,
            where=caller_span(),
        )
    if not isinstance(factor_axis, int) or not -len(op.axis) - 1 <= factor_axis <= len(op.axis):
        raise schedule_error(
            "GC113",
            f"rfactor: factor_axis {factor_axis} is no whole number from 0 to {len(op.axis)}",
            stage=stage,
            where=caller_span(),
            hint="the place among the axes of the tensor where the new one goes: 0 puts it first",
        )
    for leaf in stage.leaf_iter_vars:
        thread = stage.bound_thread(leaf)
        if thread is None or leaf.iter_type != IterVar.CommReduce:
            continue
        raise schedule_error(
            "GC113",
            f"rfactor: axis {leaf.name!r} of stage {stage.name} is bound to {thread.thread_tag} already",
            stage=stage,
            where=caller_span(),
            hint="rfactor first, then bind axes of the new stages",
        )


def _place(items: list[Any], item: object, factor_axis: int) -> list[Any]:
    position = factor_axis if factor_axis >= 0 else len(items) + 1 + factor_axis
    return [*items[:position], item, *items[position:]]


def _partial(
    old: ComputeOp,
    fresh: Mapping[IterVar, IterVar],
    axis: IterVar,
    data: list[IterVar],
    factor_axis: int,
    mapping: dict[Var, Expr],
    guards: list[Expr],
) -> ComputeOp:
    first = old.body[0]
    assert isinstance(first, Reduce)
    given: Expr = substitute(first.condition, mapping)
    condition: Expr = operators.const(1, "bool")
    for g in guards:
        condition = operators.logical(e.And, condition, g)
    condition = both(condition, given)
    source = tuple([substitute(x, mapping) for x in first.source])
    inner = tuple([f for iv, f in fresh.items() if iv is not axis])
    axes = tuple(_place(data, fresh[axis], factor_axis))
    body: tuple[Expr, ...]
    if inner:
        body = tuple([Reduce(first.combiner, source, inner, condition, i) for i in range(len(source))])
    elif e.is_const_int(condition, 1):
        body = source
    else:
        # Guarded loads: where the condition fails, the source must not be evaluated.
        identity = first.combiner.identity_element
        body = tuple([
            e.Call(x.dtype, "tir.if_then_else", (condition, x, y)) for x, y in zip(source, identity, strict=True)
        ])  # fmt: skip
    return ComputeOp(f"{old.name}.rf", old.tag, old.attrs, axes, body, old.span)


def _final(old: ComputeOp, partial: ComputeOp, axis: IterVar, factor_axis: int, span: Range) -> ComputeOp:
    first = old.body[0]
    assert isinstance(first, Reduce)
    again = IterVar(span, Var(f"{axis.name}.v", axis.var.dtype), IterVar.CommReduce)
    indices = _place([a.var for a in old.axis], again.var, factor_axis)
    loads: tuple[Expr, ...] = tuple([t(*indices) for t in partial.outputs])
    true = operators.const(1, "bool")
    body: tuple[Expr, ...] = tuple([Reduce(first.combiner, loads, (again,), true, i) for i in range(len(loads))])
    return ComputeOp(old.name, old.tag, old.attrs, old.axis, body, old.span)


def _keep_data_axes(stage: Stage, old: ComputeOp, new: ComputeOp) -> None:
    """Drop the reduction axes from the loop nest, keep what is scheduled of the others, add the new axis."""
    gone = dict.fromkeys([iv for iv in stage.all_iter_vars if iv.iter_type == IterVar.CommReduce])
    for iv in gone:
        stage.moved[iv] = f"rfactor made stage {old.name}.rf of its reduction"
        stage.iter_var_attrs.pop(iv, None)
    stage.relations = [r for r in stage.relations if not any([iv in gone for iv in (*parents_of(r), *children_of(r))])]
    stage.leaf_iter_vars = [iv for iv in stage.leaf_iter_vars if iv not in gone] + list(new.reduce_axis)
    stage.all_iter_vars = [iv for iv in stage.all_iter_vars if iv not in gone] + list(new.reduce_axis)
