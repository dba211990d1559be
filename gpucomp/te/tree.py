"""The loop tree of a schedule as plain data: what ``Schedule.show`` draws.

Loops have the extents that bound inference finds, stages stand where they are computed, with the memory that they
take.  A schedule that is illegal as it stands is described as far as it is known: with the extents of whole tensors,
and the error beside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gpucomp.support.diagnostics import GpucompError
from gpucomp.support.recursion import ensure_recursion
from gpucomp.te.bound import Bounds, infer_bound
from gpucomp.te.operation import Operation, PlaceholderOp
from gpucomp.te.relation import Align, Fuse, Rebase, Split
from gpucomp.te.scan import ScanOp
from gpucomp.te.schedule_ops import schedule_ops
from gpucomp.te.scopes import CLUSTER_TAG, KERNEL_TAGS, SHARED_RANK, STORAGE_RANK
from gpucomp.te.stage import Stage
from gpucomp.te.stage_state import AttachType
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm, IterVar

if TYPE_CHECKING:
    from gpucomp.te.state import Schedule


@dataclass(frozen=True, slots=True)
class Loop:
    """One leaf axis.

    Attributes:
        name: of the axis.
        extent: as text; "?" where nothing is known.
        kind: "" for a loop, else "vectorize", "unroll", "parallel" or the tag of the thread axis.
        reduces: it is a reduction axis.
        pragmas: as text, and what is prefetched.
        children: stages that are computed inside of it, before what follows.
    """

    name: str
    extent: str
    kind: str
    reduces: bool
    pragmas: tuple[str, ...]
    children: tuple[StageTree, ...]


@dataclass(frozen=True, slots=True)
class StageTree:
    """One stage: its memory and its loops, outermost first.

    Attributes:
        name: of its tensor.
        role: "input", "output" or "".
        tensor: element type, and extents of what is kept of it, as text.
        scope: storage scope; "" where it is not known.
        memory: bytes that its tensors take where they live, as text; "" where that is not known.
        marks: what else was said about it, such as "double-buffered".
        reads: names of the stages that it reads.
        kernel: launch configuration, for a stage at root that runs on a GPU.
        loops: its loop nest.
    """

    name: str
    role: str
    tensor: str
    scope: str
    memory: str
    marks: tuple[str, ...]
    reads: tuple[str, ...]
    kernel: str
    loops: tuple[Loop, ...]


@dataclass(frozen=True, slots=True)
class ScheduleTree:
    """A schedule.

    Attributes:
        stages: those at root, inputs first, in order of execution.
        inlined: names of the stages that are put where they are read.
        error: why it does not lower, or None.
    """

    stages: tuple[StageTree, ...]
    inlined: tuple[str, ...]
    error: GpucompError | None

    def walk(self) -> Iterator[StageTree]:
        """All stages from top to bottom as they are drawn."""
        yield from _walk(self.stages)


def _walk(stages: tuple[StageTree, ...]) -> Iterator[StageTree]:
    for stage in stages:
        yield stage
        for loop in stage.loops:
            yield from _walk(loop.children)


def loop_tree(schedule: Schedule) -> ScheduleTree:
    """Describe a schedule; never raises for one that is illegal."""
    ensure_recursion(2 * len(schedule.stages) + 100)
    shown, bounds, error = schedule, None, None
    try:
        shown = schedule.normalize()
        bounds = infer_bound(shown)
        schedule_ops(shown, bounds)
    except GpucompError as found:
        error = found
    return _Builder(schedule, shown, bounds, error).build()


@dataclass(slots=True)
class _Builder:
    schedule: Schedule
    shown: Schedule
    bounds: Bounds | None
    error: GpucompError | None
    at: dict[Stage, dict[IterVar, list[Stage]]] = field(default_factory=dict)

    def build(self) -> ScheduleTree:
        roots: list[Stage] = []
        states = [x.op for s in self.shown.stages if isinstance(s.op, ScanOp) for x in s.op.state_placeholder]
        stages = [s for s in self.shown.stages if s.attach_type not in _INLINED and s.op not in states]
        for stage in stages:
            place = self._place(stage, stages)
            if place is None:
                roots.append(stage)
            else:
                self.at.setdefault(place[0], {}).setdefault(place[1], []).append(stage)
        inlined = tuple([s.name for s in self.schedule.stages if s.attach_type in _INLINED])
        return ScheduleTree(tuple([self._stage(s, root=True) for s in roots]), inlined, self.error)

    def _place(self, stage: Stage, stages: list[Stage]) -> tuple[Stage, IterVar] | None:
        """The loop in which a stage is computed, whose axis may have been split or fused since."""
        parent, axis = stage.attach_stage, stage.attach_ivar
        if not stage.is_attached or parent is None or axis is None:
            return None
        if not any([s is parent for s in stages]):
            return None
        for rel in parent.relations:
            if isinstance(rel, Split) and rel.parent is axis:
                axis = rel.inner
            elif isinstance(rel, Fuse) and (rel.outer is axis or rel.inner is axis):
                axis = rel.fused
            elif isinstance(rel, Rebase) and rel.parent is axis:
                axis = rel.rebased
            elif isinstance(rel, Align) and rel.parent is axis:
                axis = rel.aligned
        return (parent, axis) if any([leaf is axis for leaf in parent.leaf_iter_vars]) else None

    def _starts_kernel(self, stage: Stage) -> bool:
        """Parts of a step of a scan are kernels of their own where no kernel encloses the scan."""
        known = self.bounds is not None and stage in self.bounds.paths
        return known and self.bounds is not None and self.bounds.root_of(stage) is stage

    def _stage(self, stage: Stage, *, root: bool) -> StageTree:
        op = stage.op
        extents = self._extents(stage)
        role = "input" if isinstance(op, PlaceholderOp) else "output" if stage.is_output else ""
        inner = self.at.get(stage, {})
        loops = tuple([self._loop(stage, leaf, extents, inner.get(leaf, [])) for leaf in stage.leaf_iter_vars])
        scope = "" if role == "input" else self._scope(stage)
        return StageTree(
            stage.name,
            role,
            _tensors(op, self._box(stage)),
            scope,
            self._memory(stage),
            tuple(_marks(stage, self._copies(stage), root and stage.attach_type == AttachType.SCOPE)),
            tuple(dict.fromkeys([t.op.name for t in op.input_tensors])),
            self._kernel(stage) if role != "input" and (root or self._starts_kernel(stage)) else "",
            loops,
        )

    def _extents(self, stage: Stage) -> Mapping[IterVar, Expr]:
        nominal = stage.nominal_extents()
        if self.bounds is None:
            return nominal
        return {a: self.bounds.doms[a].extent if a in self.bounds.doms else e for a, e in nominal.items()}

    def _loop(self, stage: Stage, leaf: IterVar, extents: Mapping[IterVar, Expr], children: list[Stage]) -> Loop:
        attr = stage.iter_var_attrs.get(leaf)
        kind, pragmas = "", ()
        if attr is not None:
            kind = attr.kind if attr.bind_thread is None else attr.bind_thread.thread_tag
            ahead = [f"prefetch {source.name} +{_plain(offset)}" for source, offset, _ in attr.prefetches]
            pragmas = tuple([f"{key}={_plain(value)}" for key, value, _ in attr.pragmas] + ahead)
        extent = extents.get(leaf, leaf.dom.extent if leaf in stage.env_thread_axes and leaf.dom is not None else None)
        text = "?" if extent is None else self._text(extent)
        reduces = leaf.iter_type == IterVar.CommReduce
        return Loop(leaf.name, text, kind, reduces, pragmas, tuple([self._stage(c, root=False) for c in children]))

    def _scope(self, stage: Stage) -> str:
        if self.bounds is not None and stage in self.bounds.scopes:
            return self.bounds.scopes[stage]
        return stage.scope or ("global" if stage.is_output else "")

    def _box(self, stage: Stage) -> list[Expr] | None:
        """Extents of what is kept of a tensor; None where that is not known."""
        op = stage.op
        if isinstance(op, PlaceholderOp) or stage.is_output:
            return list(op.output(0).shape)
        if self.bounds is None or not all([axis in self.bounds.doms for axis in op.region_axis]):
            return None
        return [r.extent for r in op.realize_region(op.output(0), self.bounds.doms)]

    def _memory(self, stage: Stage) -> str:
        size = self._bytes(stage)
        if size is None:
            return ""
        return bytes_text(size.value) if isinstance(size, IntImm) else f"{self._text(size)} B"

    def _bytes(self, stage: Stage) -> Expr | None:
        box = self._box(stage)
        if box is None:
            return None
        elements = _padded(box, stage.dim_align)
        item = sum([max(8, t.dtype.bits) * t.dtype.lanes // 8 for t in stage.op.outputs])
        return operators.multiply(elements, item * (2 if stage.double_buffered else 1) * self._copies(stage))

    def _copies(self, stage: Stage) -> int:
        """Copies of shared memory: one for each stage of the software pipeline in whose loop it is filled."""
        if (
            stage.attach_stage is None
            or stage.attach_ivar is None
            or STORAGE_RANK.get(self._scope(stage)) != SHARED_RANK
        ):
            return 1
        attr = stage.attach_stage.iter_var_attrs.get(stage.attach_ivar)
        values = [value for key, value, _ in attr.pragmas if key == "software_pipeline"] if attr is not None else []
        return values[-1].value if values and isinstance(values[-1], IntImm) else 1

    def _kernel(self, stage: Stage) -> str:
        if self.bounds is None:
            return ""
        uses = self.bounds.kernels.get(stage, {})
        sizes = {tag: uses[tag].extent for tag in KERNEL_TAGS if tag in uses and uses[tag].leaf is not None}
        if not sizes:
            return ""
        words = [self._grid("grid", "blockIdx", sizes), self._grid("block", "threadIdx", sizes)]
        if CLUSTER_TAG in sizes:
            words.insert(1, f"cluster {self._text(sizes[CLUSTER_TAG])}")
        threads = [sizes[tag] for tag in KERNEL_TAGS if tag in sizes and tag.startswith("threadIdx")]
        if len(threads) > 1 and all([isinstance(t, IntImm) for t in threads]):
            words[-1] += f" = {math.prod([t.value for t in threads if isinstance(t, IntImm)])} threads"
        shared = self._shared(stage)
        return ", ".join(words) + (f", shared {shared}" if shared else "")

    def _grid(self, word: str, prefix: str, sizes: Mapping[str, Expr]) -> str:
        found = [self._text(sizes[t]) if t in sizes else "1" for t in KERNEL_TAGS if t.startswith(prefix)]
        while len(found) > 1 and found[-1] == "1":
            found.pop()
        return f"{word} " + " x ".join([f"({x})" if " " in x and len(found) > 1 else x for x in found])

    def _shared(self, root: Stage) -> str:
        """Bytes of the shared stages of one kernel together; the compiler may let some of them share memory."""
        assert self.bounds is not None
        total: Expr = operators.const(0)
        for stage in self.shown.stages:
            if stage in self.bounds.paths and self.bounds.root_of(stage) is root and stage is not root:
                size = self._bytes(stage)
                if size is not None and STORAGE_RANK.get(self._scope(stage)) == SHARED_RANK:
                    total = operators.add(total, size)
        if isinstance(total, IntImm):
            return bytes_text(total.value) if total.value else ""
        return f"{self._text(total)} B"

    def _text(self, extent: Expr) -> str:
        if self.bounds is not None and not isinstance(extent, IntImm):
            extent = self.bounds.forms.analyzer.simplify(extent)
        return _plain(extent)


_INLINED = (AttachType.INLINE, AttachType.INLINED_ALREADY)


def _plain(value: Expr) -> str:
    return str(value.value) if isinstance(value, IntImm) else str(value)


def _tensors(op: Operation, box: Sequence[Expr] | None) -> str:
    """Element types, and the extents of what is kept, of the whole tensor where that is not known."""
    texts = [f"{t.dtype}[{', '.join([_plain(x) for x in (t.shape if box is None else box)])}]" for t in op.outputs]
    count = f" x {len(texts)}" if len(texts) > len(dict.fromkeys(texts)) else ""
    return " and ".join(dict.fromkeys(texts)) + count


def _marks(stage: Stage, copies: int, lost: bool) -> Iterator[str]:
    if stage.double_buffered:
        yield "double-buffered"
    if copies > 1:
        yield f"{copies} copies"
    if stage.rolls:
        yield "rolling"
    for dim, (factor, offset) in sorted(stage.dim_align.items()):
        yield f"stride {dim} = {factor} k + {offset}"
    if stage.swizzle is not None:
        yield f"swizzled by dimension {stage.swizzle[0]} in chunks of {stage.swizzle[1]}"
    if stage.store_predicate is not None:
        yield f"stored if {stage.store_predicate}"
    if lost and stage.attach_stage is not None and stage.attach_ivar is not None:
        yield f"computed at {stage.attach_ivar.name} of {stage.attach_stage.name}"


def _padded(box: list[Expr], align: Mapping[int, tuple[int, int]]) -> Expr:
    """Elements of a box whose strides are aligned as asked."""
    step: Expr = operators.const(1)
    if not align:
        for extent in box:
            step = operators.multiply(step, extent)
        return step
    for dim in range(len(box) - 1, -1, -1):
        if dim in align:
            factor, offset = align[dim]
            step = operators.add(step, operators.floormod(operators.subtract(factor + offset, step), factor))
        step = operators.multiply(step, box[dim])
    return step


def bytes_text(count: int) -> str:
    """``4.0 KiB``, ``768 B``: powers of 1024, as the limits of devices are given."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            value = count / size
            return f"{value:.1f} {unit}" if value < 100 else f"{value:.0f} {unit}"
    return f"{count} B"
