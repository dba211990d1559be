"""cache_write: compute into a copy first, in the layout that the loops of the stage have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any  # Any: a tensor gives a tensor, a list gives a list

from gpucomp.support.diagnostics import Span, caller_span
from gpucomp.support.expect import expect_each
from gpucomp.te.dataflow import data_axis, domain, insert_stage, propagate, set_op, user_tensor
from gpucomp.te.errors import schedule_error
from gpucomp.te.guarded import guarded
from gpucomp.te.message_passing import Domains, pass_down_domain, pass_down_index, pass_up_index, split_predicates
from gpucomp.te.operation import ComputeOp
from gpucomp.te.relation import Align, IterVarRelation, children_of, parents_of
from gpucomp.te.stage import Stage
from gpucomp.te.stage_state import check_scope
from gpucomp.te.tensor import Tensor
from gpucomp.te.tensor_compute import TensorComputeOp
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IterVar, Var
from gpucomp.tir.functor import substitute

if TYPE_CHECKING:
    from gpucomp.te.state import Schedule


def cache_write(schedule: Schedule, tensor: Any, scope: str) -> Any:
    """See :meth:`Schedule.cache_write`."""
    check_scope(scope, "cache_write")
    several = isinstance(tensor, (list, tuple))
    tensors: list[Tensor] = list(tensor) if several else [tensor]
    if not tensors or len(dict.fromkeys(tensors)) < len(tensors):
        raise schedule_error(
            "GC112",
            f"cache_write: {'a tensor is named twice' if tensors else 'no tensor is named'}",
            where=caller_span(),
            hint="pass a tensor that a te.compute gives, or all the tensors that one gives, each once",
        )
    stage = schedule[tensors[0]]
    expect_each(tensors, Tensor, "cache_write", 's.cache_write(C, "local")')
    old = stage.op
    if not isinstance(old, ComputeOp) or any([schedule[t] is not stage for t in tensors]):
        what = "is no te.compute" if not isinstance(old, ComputeOp) else "and the others are not one operation"
        raise schedule_error(
            "GC112",
            f"cache_write: {tensors[0].name!r} {what}",
            where=caller_span(),
            hint="pass a tensor that a te.compute gives, or all the tensors that one gives",
        )
    order = [leaf for leaf in stage.leaf_iter_vars if leaf.iter_type != IterVar.CommReduce]
    packs = len(order) != len(old.axis) or any([a is not b for a, b in zip(order, old.axis, strict=True)])
    _refuse_marked(stage, scope, order, packs)
    axis, body, indices = _packed(stage, old, order)
    cache_op = _copy_op(old, f"{old.name}.{scope}", axis, body, schedule.current_span())
    copies: tuple[Expr, ...] = tuple([t(*indices) for t in cache_op.outputs])
    new = ComputeOp(old.name, "", old.attrs, old.axis, copies, old.span)
    position = schedule.stages.index(stage)
    cache_stage = insert_stage(schedule, position, cache_op, scope, stage)
    if isinstance(old, TensorComputeOp):
        _leave_intrinsic(stage, old, cache_op.name)
    else:
        _move_reduction(stage, cache_stage, {} if packs else dict(zip(old.axis, axis, strict=True)))
    if packs:
        _unschedule(stage, old, cache_op.name)
    set_op(schedule, stage, new)
    propagate(schedule, dict(zip(old.outputs, new.outputs, strict=True)), position + 2)
    results = tuple([cache_op.output(t.value_index) for t in tensors])
    named = [user_tensor(schedule, t) for t in tensors]
    cache_stage.span = schedule.record(
        "cache_write", None, (named if several else named[0], scope), {}, results, cache_op.root_iter_vars
    )
    return list(results) if several else results[0]


def _copy_op(
    old: ComputeOp, name: str, axis: tuple[IterVar, ...], body: tuple[Expr, ...], span: Span | None
) -> ComputeOp:
    """The operation of the copy; the intrinsic of a call goes along."""
    if not isinstance(old, TensorComputeOp):
        return ComputeOp(name, old.tag, old.attrs, axis, body, span)
    call = (old.intrin, old.schedulable_ndim, old.outer_reduce_axis)
    return TensorComputeOp(name, old.tag, old.attrs, axis, body, span, call)


def _leave_intrinsic(stage: Stage, old: TensorComputeOp, copy: str) -> None:
    """The copy computes by the intrinsic, over all reduction axes; copying out is plain."""
    for iv in old.reduce_axis:
        stage.moved[iv] = f"cache_write moved it to stage {copy}"
    stage.all_iter_vars, stage.leaf_iter_vars = list(old.axis), list(old.axis)
    for iv in old.inner_axis:
        stage.iter_var_attrs.pop(iv, None)


def _refuse_marked(stage: Stage, scope: str, order: list[IterVar], packs: bool) -> None:
    """Bindings stay with the copy out only as long as its loops do."""
    if isinstance(stage.op, TensorComputeOp):
        if stage.relations or packs:
            raise schedule_error(
                "GC112",
                f"cache_write: stage {stage.name} computes by the intrinsic {stage.op.intrin.name}, and its loops are "
                "scheduled already",
                stage=stage,
                where=caller_span(),
                hint=f"call s.cache_write({stage.name}, {scope!r}) before split and reorder of s[{stage.name}]",
            )
        packs = False
    summed = [rel.parent for rel in stage.relations if isinstance(rel, Align) and rel.parent not in stage.op.axis]
    if packs and summed:
        raise schedule_error(
            "GC112",
            f"cache_write: reduction axis {summed[0].name!r} of stage {stage.name} is aligned by the elements of the "
            "result, whose loops become dimensions of the copy",
            stage=stage,
            where=caller_span(),
            hint=f"call s.cache_write({stage.name}, {scope!r}) before split and reorder of s[{stage.name}]",
        )
    for leaf in stage.leaf_iter_vars:
        attr = stage.iter_var_attrs.get(leaf)
        if attr is not None and attr.kind == "tensorize" and not isinstance(stage.op, TensorComputeOp):
            packs = True
        if attr is None or not (attr.bind_thread is not None or (packs and leaf in order and attr.kind)):
            continue
        how = f"bound to {attr.bind_thread.thread_tag}" if attr.bind_thread is not None else f"marked {attr.kind}"
        raise schedule_error(
            "GC112",
            f"cache_write: axis {leaf.name!r} of stage {stage.name} is {how} already",
            stage=stage,
            where=caller_span(),
            hint=f"call s.cache_write({stage.name}, {scope!r}) before bind and the like of s[{stage.name}]",
        )


def _packed(
    stage: Stage, old: ComputeOp, order: list[IterVar]
) -> tuple[tuple[IterVar, ...], tuple[Expr, ...], list[Expr]]:
    """One dimension for each data-parallel loop: axes and bodies of the copy, and where an element lies in it."""
    doms: Domains = pass_down_domain(stage, {iv: domain(iv) for iv in old.root_iter_vars})
    axis = tuple([data_axis(f"{leaf.name}.c", doms[leaf].extent) for leaf in order])
    values: dict[IterVar, Expr] = {leaf: operators.const(0, leaf.var.dtype) for leaf in stage.leaf_iter_vars}
    values.update({leaf: new.var for leaf, new in zip(order, axis, strict=True)})
    roots = pass_up_index(stage, doms, values)
    mapping: dict[Var, Expr] = {a.var: roots[a] for a in old.axis}
    guards = [g for _, g in split_predicates(stage, doms, roots, only_data=True)]
    body = tuple([_guarded(substitute(b, mapping), guards) for b in old.body])
    down = pass_down_index(stage, doms, {a: a.var for a in old.axis})
    return axis, body, [down[leaf] for leaf in order]


def _guarded(body: Expr, guards: list[Expr]) -> Expr:
    """Elements of the copy that stand for none of the tensor are zero, or the identity of the reduction."""
    if not guards:
        return body
    condition = guards[0]
    for g in guards[1:]:
        condition = operators.logical(e.And, condition, g)
    return guarded(body, condition)


def _move_reduction(stage: Stage, cache: Stage, axes: dict[IterVar, IterVar]) -> None:
    """Reduction axes go to the copy, with what was done to them; ``axes`` of the copy for those of the stage."""
    gone = [iv for iv in stage.all_iter_vars if iv.iter_type == IterVar.CommReduce]
    if not gone:
        return
    moved = [rel for rel in stage.relations if any([iv in gone for iv in (*parents_of(rel), *children_of(rel))])]
    data = [iv for iv in cache.leaf_iter_vars if iv.iter_type != IterVar.CommReduce]
    cache.leaf_iter_vars = data + [iv for iv in stage.leaf_iter_vars if iv in gone]
    cache.all_iter_vars = data + gone
    there = {rel: _among(rel, axes) for rel in moved}
    cache.relations = list(there.values())
    cache.relation_spans = {new: stage.relation_spans.get(rel) for rel, new in there.items()}
    stage.relations = [rel for rel in stage.relations if rel not in moved]
    stage.leaf_iter_vars = [iv for iv in stage.leaf_iter_vars if iv not in gone]
    stage.all_iter_vars = [iv for iv in stage.all_iter_vars if iv not in gone]
    for iv in gone:
        stage.moved[iv] = f"cache_write moved it to stage {cache.op.name}"
        if iv in stage.iter_var_attrs:
            cache.iter_var_attrs[iv] = stage.iter_var_attrs.pop(iv)


def _among(relation: IterVarRelation, axes: dict[IterVar, IterVar]) -> IterVarRelation:
    """The same relation among the axes of the copy."""
    if not isinstance(relation, Align):
        return relation
    rows = tuple([axes.get(row, row) for row in relation.rows])
    return Align(relation.parent, relation.aligned, relation.lanes, rows)


def _unschedule(stage: Stage, op: ComputeOp, copy: str) -> None:
    """The loops became dimensions of the copy; copying out starts with the plain ones again."""
    for iv in stage.all_iter_vars:
        if iv not in op.axis:
            stage.moved[iv] = f"cache_write made a dimension of {copy} of it"
            stage.iter_var_attrs.pop(iv, None)
    stage.relations, stage.relation_spans = [], {}
    stage.all_iter_vars, stage.leaf_iter_vars = list(op.axis), list(op.axis)
