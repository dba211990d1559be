"""Normal form of a schedule: inlined stages gone, attachments on leaves, every leaf starting at zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gpucomp.te.errors import schedule_error
from gpucomp.te.group import resolve_groups
from gpucomp.te.operation import ComputeOp, Operation
from gpucomp.te.relation import Align, Fuse, Rebase, Split
from gpucomp.te.scan_place import place_scans
from gpucomp.te.stage import Stage
from gpucomp.te.stage_state import AttachType
from gpucomp.te.tensor import Tensor
from gpucomp.tir.expr import Expr, IterVar, ProducerLoad, Reduce, Var, is_const_int
from gpucomp.tir.functor import Mutator, substitute

if TYPE_CHECKING:
    from gpucomp.te.state import Schedule


def normalize(schedule: Schedule) -> Schedule:
    """See :meth:`Schedule.normalize`."""
    out = schedule.copy()
    resolve_groups(out)
    _inject_inline(out)
    _drop_unused(out)
    place_scans(out)
    for stage in out.stages:
        _legalize_attach(stage)
    for stage in out.stages:
        if stage.op.computes:
            _rebase(out, stage, stage.op)
    return out


class _Inliner(Mutator):
    def __init__(
        self, bodies: Mapping[Tensor, tuple[tuple[Var, ...], Expr]], redirect: Mapping[Tensor, Tensor]
    ) -> None:
        super().__init__()
        self.bodies, self.redirect = bodies, redirect

    def visit_producer_load(self, node: ProducerLoad) -> Expr:
        indices = tuple([self.visit(i) for i in node.indices])
        found = self.bodies.get(node.producer)
        if found is None:
            return ProducerLoad(self.redirect.get(node.producer, node.producer), indices)
        return substitute(found[1], dict(zip(found[0], indices, strict=True)))


def _inject_inline(schedule: Schedule) -> None:
    bodies: dict[Tensor, tuple[tuple[Var, ...], Expr]] = {}
    redirect: dict[Tensor, Tensor] = {}
    kept: list[Stage] = []
    for stage in schedule.stages:
        op = before = stage.op
        if any([t in bodies or t in redirect for t in op.input_tensors]):
            op = _reading_inlined(stage, bodies, redirect)
            redirect.update(zip(stage.op.outputs, op.outputs, strict=True))
            schedule.outputs = tuple([op if o is stage.op else o for o in schedule.outputs])
            stage.op = op
            schedule.stage_map[op] = stage
        if stage.attach_type != AttachType.INLINE or not isinstance(op, ComputeOp):
            kept.append(stage)
            continue
        if isinstance(op.body[0], Reduce):
            raise schedule_error(
                "GC124",
                f"compute_inline: stage {stage.name} is a reduction, which needs a place to accumulate",
                stage=stage,
                where=stage.attach_span,
                hint=f"s[{stage.name}].compute_at(s[consumer], axis) keeps it close to its consumer",
            )
        variables = tuple([a.var for a in op.axis])
        for tensors in (before.outputs, op.outputs):  # readers know the operation as it was
            for tensor, body in zip(tensors, op.body, strict=True):
                bodies[tensor] = (variables, body)
        stage.attach_type = AttachType.INLINED_ALREADY
    schedule.stages = kept


def _reading_inlined(
    stage: Stage, bodies: Mapping[Tensor, tuple[tuple[Var, ...], Expr]], redirect: Mapping[Tensor, Tensor]
) -> Operation:
    op = stage.op
    if isinstance(op, ComputeOp):
        walker = _Inliner(bodies, redirect)
        return op.with_body(tuple([walker.expr(b) for b in op.body]))
    for tensor in op.input_tensors:
        if tensor not in bodies:
            continue
        inlined = stage.schedule.stage_map.get(tensor.op)
        raise schedule_error(
            "GC140",
            f"stage {tensor.name} is inlined, but {stage.name} is no te.compute and needs it in memory",
            stage=stage,
            where=None if inlined is None else inlined.attach_span,
            hint=f"s[{tensor.name}].compute_root()",
        )
    return op.replace_inputs(redirect)


def _drop_unused(schedule: Schedule) -> None:
    used: dict[Tensor, None] = {}
    kept: list[Stage] = []
    for stage in reversed(schedule.stages):
        if stage.is_output or any([t in used for t in stage.op.outputs]):
            kept.append(stage)
            used.update(dict.fromkeys(stage.op.input_tensors))
    schedule.stages = kept[::-1]


def _legalize_attach(stage: Stage) -> None:
    """An axis that was split or fused after compute_at stands for the innermost loop made of it."""
    parent, ivar = stage.attach_stage, stage.attach_ivar
    if not stage.is_attached or parent is None or ivar is None:
        return
    for rel in parent.relations:
        if isinstance(rel, Split) and rel.parent is ivar:
            ivar = rel.inner
        elif isinstance(rel, Fuse) and (rel.outer is ivar or rel.inner is ivar):
            ivar = rel.fused
        elif isinstance(rel, Rebase) and rel.parent is ivar:
            ivar = rel.rebased
        elif isinstance(rel, Align) and rel.parent is ivar:
            ivar = rel.aligned
    if parent.attach_type == AttachType.INLINED_ALREADY:
        raise schedule_error(
            "GC125",
            f"stage {stage.name} is to be computed inside of stage {parent.name}, which is inlined and has no loops",
            stage=stage,
            where=stage.attach_span,
            hint=f"compute {stage.name} inside of a consumer of {parent.name}",
        )
    stage.attach_ivar = ivar


def _rebase(schedule: Schedule, stage: Stage, op: Operation) -> None:
    regional = () if stage.is_output else op.region_axis
    for axis in op.root_iter_vars:
        if axis not in regional and not _starts_elsewhere(axis):
            continue
        positions = [i for i, leaf in enumerate(stage.leaf_iter_vars) if leaf is axis]
        if not positions:
            continue
        rebased = IterVar(None, Var(axis.name, axis.var.dtype), axis.iter_type)
        stage.relations.append(Rebase(axis, rebased))
        stage.all_iter_vars.append(rebased)
        stage.leaf_iter_vars[positions[0]] = rebased
        if axis in stage.iter_var_attrs:
            stage.iter_var_attrs[rebased] = stage.iter_var_attrs.pop(axis)
        for other in schedule.stages:
            if other.attach_ivar is axis and other.attach_stage is stage:
                other.attach_ivar = rebased


def _starts_elsewhere(axis: IterVar) -> bool:
    return axis.dom is not None and not is_const_int(axis.dom.min, 0)
