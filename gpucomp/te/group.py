"""Groups: several stages that are placed as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpucomp.support.diagnostics import Span, caller_span
from gpucomp.te.errors import schedule_error
from gpucomp.te.operation import Operation
from gpucomp.te.stage_state import AttachType, StageState
from gpucomp.te.tensor import Tensor
from gpucomp.te.user_input import listed
from gpucomp.tir.expr import IterVar

if TYPE_CHECKING:
    from gpucomp.te.stage import Stage
    from gpucomp.te.state import Schedule

TensorLike = Tensor | Operation


class Group:
    """Stages that are attached together; get one by ``s.create_group``.

    Members that are computed at root of the group go where the group goes.

    Attributes:
        name: the names of its outputs.
        group: the group that contains this one.
        attach_type, attach_stage, attach_ivar: where it is computed.
    """

    def __init__(self, schedule: Schedule, name: str, group: Group | None) -> None:
        self.schedule = schedule
        self.name = name
        self.group = group
        self.attach_type = AttachType.GROUP_ROOT
        self.attach_stage: Stage | None = None
        self.attach_ivar: IterVar | None = None
        self.attach_span: Span | None = None

    @property
    def stages(self) -> list[Stage]:
        """The members, those of inner groups included, producers first."""
        return [s for s in self.schedule.stages if self in enclosing(s.group)]

    def copy(self, schedule: Schedule) -> Group:
        """A copy in another schedule; ``group`` and ``attach_stage`` still point into this one."""
        other = Group(schedule, self.name, self.group)
        other.attach_type, other.attach_stage, other.attach_ivar = self.attach_type, self.attach_stage, self.attach_ivar
        other.attach_span = self.attach_span
        return other

    def compute_at(self, parent: Stage | Tensor | Operation, scope: IterVar) -> None:
        """Compute the members inside loop ``scope`` of stage ``parent``, as much as one iteration needs.

        >>> s = te.create_schedule(D.op)
        >>> g = s.create_group(outputs=B, inputs=V)
        >>> show(s)
        with T.realize(B[0:8], "float32", "global"):
            for i in T.serial(8):
                B[i] = V[i] * 2.0
            for i_1 in T.serial(8):
                D[i_1] = B[i_1] + 1.0
        >>> g.compute_at(s[D], D.op.axis[0])
        >>> show(s)
        for i in T.serial(8):
            with T.realize(B[i:i + 1], "float32", "global"):
                B[i] = V[i] * 2.0
                D[i] = B[i] + 1.0

        Raises:
            ScheduleError: GC102, GC103 scope is no leaf of parent; GC116 parent is a member, or in another group.
        """
        stage = self.schedule[parent] if isinstance(parent, (Tensor, Operation)) else parent
        stage.leaf_index(scope, "compute_at")
        if self in enclosing(stage.group):
            raise schedule_error(
                "GC116",
                f"compute_at: stage {stage.name} is a member of group {self.name} itself",
                stage=stage,
                where=caller_span(),
                hint="a group is computed inside of a stage that reads it",
            )
        check_same_group(self, stage)
        self.attach_type, self.attach_stage, self.attach_ivar = AttachType.SCOPE, stage, scope
        self.attach_span = self.schedule.record("compute_at", self, (stage.origin_op, scope), {}, ())

    def compute_root(self) -> None:
        """Compute the members at root again, or where the group that contains this one is computed."""
        self.attach_type, self.attach_stage, self.attach_ivar = AttachType.GROUP_ROOT, None, None
        self.attach_span = self.schedule.record("compute_root", self, (), {}, ())

    def compute_inline(self) -> None:
        """Refused: a group has no expression.

        Raises:
            ScheduleError: GC116.
        """
        raise schedule_error(
            "GC116",
            f"compute_inline: group {self.name} has no expression to put where it is read",
            where=caller_span(),
            hint=f"inline its stages: {', '.join([f's[{s.name}].compute_inline()' for s in self.stages])}",
        )

    def __repr__(self) -> str:
        return f"Group({', '.join([s.name for s in self.stages])})"


def enclosing(group: Group | None) -> list[Group]:
    """The groups that contain something, innermost first."""
    out: list[Group] = []
    while group is not None:
        out.append(group)
        group = group.group
    return out


def check_same_group(what: StageState | Group, parent: StageState) -> None:
    """Refuse an attachment that leaves the innermost group.

    Raises:
        ScheduleError: GC116.
    """
    if what.group is None or what.group in enclosing(parent.group):
        return
    raise schedule_error(
        "GC116",
        f"compute_at: {what.name} belongs to group {what.group.name}, of which stage {parent.name} is no member",
        stage=parent,
        where=caller_span(),
        hint=f"attach the group: g.compute_at(s[{parent.name}], axis)",
    )


def create_group(
    schedule: Schedule,
    outputs: Sequence[TensorLike] | TensorLike,
    inputs: Sequence[TensorLike] | TensorLike,
    include_inputs: bool,
) -> Group:
    """See :meth:`Schedule.create_group`."""
    outs = [schedule[x] for x in _list(outputs)]
    stops = [schedule[x] for x in _list(inputs)]
    if not outs:
        raise schedule_error(
            "GC116", "create_group names no output", where=caller_span(), hint="s.create_group(outputs=B, inputs=A)"
        )
    members = _between(schedule, outs, stops, include_inputs)
    if not members:
        raise schedule_error(
            "GC116",
            f"create_group: there is no stage between {', '.join([s.name for s in stops])} and "
            f"{', '.join([s.name for s in outs])}",
            where=caller_span(),
            hint="include_inputs=True makes the inputs members too",
        )
    parent = _common([s.group for s in members])
    group = Group(schedule, "_".join([s.name for s in outs]), parent)
    for stage in members:
        _join(stage, group, parent)
    schedule.groups.append(group)
    for stage in members:
        # What was attached outside of the group goes with the group from now on.
        if stage.attach_stage is not None and group not in enclosing(stage.attach_stage.group):
            stage.attach_type, stage.attach_stage, stage.attach_ivar = AttachType.GROUP_ROOT, None, None
    names = [s.origin_op.output(0) for s in outs], [s.origin_op.output(0) for s in stops]
    kwargs = {"include_inputs": True} if include_inputs else {}
    schedule.record("create_group", None, names, kwargs, (group,))
    return group


def _list(items: Sequence[TensorLike] | TensorLike) -> list[TensorLike]:
    return listed(items, (Tensor, Operation))


def _between(schedule: Schedule, outs: list[Stage], stops: list[Stage], include: bool) -> list[Stage]:
    """Stages that the outputs depend on, down to the inputs; placeholders are never members."""
    found: dict[Stage, None] = {}
    stack = list(outs)
    while stack:
        stage = stack.pop()
        if stage in found or not stage.op.computes or (stage in stops and not include):
            continue
        found[stage] = None
        if stage not in stops:
            stack += [schedule[t] for t in stage.op.input_tensors]
    return [s for s in schedule.stages if s in found]


def _common(groups: list[Group | None]) -> Group | None:
    """The innermost group that contains all of them."""
    chains = [enclosing(g) for g in groups]
    return next((g for g in chains[0] if all([g in chain for chain in chains])), None)


def _join(stage: Stage, group: Group, parent: Group | None) -> None:
    """Put a stage, or the outermost group below ``parent`` that it belongs to, into ``group``."""
    if stage.group is parent:
        stage.group = group
        return
    inner = next(g for g in enclosing(stage.group) if g.group is parent or g.group is group)
    inner.group = group


def resolve_groups(schedule: Schedule) -> None:
    """Give each member at root of its groups the place of the innermost group that has one."""
    for stage in schedule.stages:
        if stage.attach_type != AttachType.GROUP_ROOT:
            continue
        placed = next((g for g in enclosing(stage.group) if g.attach_type == AttachType.SCOPE), None)
        if placed is not None:
            stage.attach_type, stage.attach_stage, stage.attach_ivar = (
                placed.attach_type,
                placed.attach_stage,
                placed.attach_ivar,
            )
            stage.attach_span = placed.attach_span
