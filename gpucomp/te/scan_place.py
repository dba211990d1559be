"""Where the parts of a scan are computed.

An update is computed in the innermost loop over the steps, and so is what it reads of the same step, unless a
primitive says otherwise.  The initial part comes before that loop.  Both write the memory of the scan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpucomp.support.diagnostics import caller_span
from gpucomp.te.errors import schedule_error
from gpucomp.te.scan import ScanOp
from gpucomp.te.stage import Stage
from gpucomp.te.stage_state import AttachType
from gpucomp.te.tensor import Tensor
from gpucomp.tir.expr import IterVar

if TYPE_CHECKING:
    from gpucomp.te.state import Schedule


_FREE = (AttachType.GROUP_ROOT, AttachType.SCAN_UPDATE)  # placed by no primitive


def scan_parts(schedule: Schedule, stage: Stage) -> tuple[list[Stage], list[Stage]]:
    """The stages of the initial parts and of the updates of a scan."""
    op = stage.op
    assert isinstance(op, ScanOp)
    return [schedule[t] for t in op.init], [schedule[t] for t in op.update]


def scan_memory(schedule: Schedule) -> dict[Stage, Stage]:
    """The scan whose memory a stage writes, for initial parts and updates."""
    out: dict[Stage, Stage] = {}
    for stage in schedule.stages:
        if isinstance(stage.op, ScanOp):
            starts, updates = scan_parts(schedule, stage)
            out.update(dict.fromkeys([*starts, *updates], stage))
    return out


def scan_starts(schedule: Schedule) -> dict[Stage, None]:
    """The stages of initial parts, which the nest of their scan begins with."""
    scans = [s for s in schedule.stages if isinstance(s.op, ScanOp)]
    return dict.fromkeys([start for s in scans for start in scan_parts(schedule, s)[0]])


def enter_scans(schedule: Schedule) -> None:
    """Attach the updates of a new schedule, and refuse scans whose parts are used from outside.

    Raises:
        ScheduleError: GC141.
    """
    for stage in list(schedule.stages):
        if not isinstance(stage.op, ScanOp):
            continue
        _check_uses(schedule, stage.op)
        for update in scan_parts(schedule, stage)[1]:
            update.attach_type = AttachType.SCAN_UPDATE
            update.attach_stage, update.attach_ivar = stage, stage.op.scan_axis


def _check_uses(schedule: Schedule, op: ScanOp) -> None:
    body = op.body
    own = dict.fromkeys([*op.state_placeholder, *[t for part in body for t in part.outputs]])
    starts = dict.fromkeys(op.init)
    for reader in schedule.stages:
        for tensor in reader.op.input_tensors:
            if (tensor in own and reader.op not in body and reader.op is not op) or (
                tensor in starts and reader.op is not op
            ):
                raise schedule_error(
                    "GC141",
                    f"{reader.name} reads {_role(tensor, op)} of scan {op.name}, which has no memory outside of it",
                    where=reader.op.span or caller_span(),
                    hint=f"read the scan itself: {op.output(_which(tensor, op)).name}[...]",
                )
    for part in body:
        if schedule.stage_map[part].is_output:
            raise schedule_error(
                "GC141",
                f"{part.name}, a part of scan {op.name}, is no output: it is computed step by step",
                where=caller_span(),
                hint=f"create_schedule({op.name}.op)",
            )


def _role(tensor: Tensor, op: ScanOp) -> str:
    if tensor in op.state_placeholder:
        return f"the state placeholder {tensor.name!r}"
    if tensor in op.init:
        return f"the initial part {tensor.name!r}"
    return f"{tensor.name!r}, a part"


def _which(tensor: Tensor, op: ScanOp) -> int:
    for many in (op.state_placeholder, op.init, op.update):
        for i, t in enumerate(many):
            if t is tensor:
                return i
    return 0


def place_scans(schedule: Schedule) -> None:
    """Complete the attachments of a schedule that is being normalised.

    Raises:
        ScheduleError: GC143 an initial part or an update is computed somewhere else, or the steps do not run in order.
    """
    for stage in reversed(schedule.stages):  # a scan inside of a step of another comes after that one
        if not isinstance(stage.op, ScanOp):
            continue
        last = stage.leaf_iter_vars[-1]
        _check_order(stage, stage.op)
        starts, updates = scan_parts(schedule, stage)
        for update in updates:
            if update.attach_type == AttachType.SCOPE and update.attach_stage is not stage:
                raise _misplaced(update, stage, "the update")
        for part in stage.op.body:
            inner = schedule.stage_map.get(part)
            if inner is None or (inner.attach_type not in _FREE and inner not in updates):
                continue
            inner.attach_type, inner.attach_stage, inner.attach_ivar = AttachType.SCAN_UPDATE, stage, last
        for start in starts:
            _place_start(start, stage)


def _place_start(start: Stage, stage: Stage) -> None:
    if start.attach_type not in _FREE:
        raise _misplaced(start, stage, "the initial part")
    if stage.env_thread_axes:
        start.attach_type, start.attach_stage = AttachType.SCOPE, stage
        start.attach_ivar = stage.leaf_iter_vars[len(stage.env_thread_axes) - 1]
    else:
        start.attach_type = stage.attach_type
        start.attach_stage, start.attach_ivar = stage.attach_stage, stage.attach_ivar


def _misplaced(part: Stage, scan: Stage, what: str) -> Exception:
    assert part.attach_stage is not None
    return schedule_error(
        "GC143",
        f"stage {part.name} is {what} of scan {scan.name} and cannot be computed inside of stage "
        f"{part.attach_stage.name}",
        stage=part,
        where=part.attach_span,
        hint=f"place the scan: s[{scan.name}].compute_at(...); its parts go with it",
    )


def _check_order(stage: Stage, op: ScanOp) -> None:
    """The steps run one after the other: the loops made of the scan axis keep their order and their kind."""
    leaves = stage.leaf_iter_vars[len(stage.env_thread_axes) :]
    natural = _leaves_of(stage, op.scan_axis)
    if len(natural) != len(leaves) or any([a is not b for a, b in zip(natural, leaves, strict=True)]):
        raise schedule_error(
            "GC143",
            f"the loops over the steps of scan {stage.name} are out of order: {', '.join([a.name for a in leaves])}",
            stage=stage,
            where=stage.span,
            hint=f"the steps run in the order {', '.join([a.name for a in natural])}: leave out the reorder",
        )
    for leaf in leaves:
        attr = stage.iter_var_attrs.get(leaf)
        if attr is None or (attr.bind_thread is None and attr.kind in ("", "unroll")):
            continue
        how = f"bound to {attr.bind_thread.thread_tag}" if attr.bind_thread is not None else f"marked {attr.kind}"
        raise schedule_error(
            "GC143",
            f"axis {leaf.name!r} of scan {stage.name} is {how}, but its steps run one after the other",
            stage=stage,
            where=attr.bind_span or attr.kind_span,
            hint=f"bind axes of the update instead, or s[{stage.name}].env_threads([...]) around all steps",
        )


def _leaves_of(stage: Stage, axis: IterVar) -> list[IterVar]:
    """The loops that an axis was split into, outermost first; rebased ones by what they became."""
    from gpucomp.te.relation import Fuse, children_of, parents_of

    for rel in stage.relations:
        if any([p is axis for p in parents_of(rel)]):
            if isinstance(rel, Fuse) and rel.inner is axis:
                return []
            return [leaf for child in children_of(rel) for leaf in _leaves_of(stage, child)]
    return [axis]
