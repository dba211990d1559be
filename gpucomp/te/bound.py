"""Bound inference: which part of every tensor is computed where, and in which storage scope.

Stages are visited consumers first.  The region of a stage is the union of what its consumers read at its attach
point: loops inside the attach point run over their whole domain, loops outside stand still, and thread axes stand
still only if every thread has its own copy (``scopes.needs_relax``).  The region becomes the domain of the root axes,
and ``pass_down_domain`` gives the loops.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gpucomp import arith
from gpucomp.support.diagnostics import Span
from gpucomp.te.affine import ZERO, Forms, Interval
from gpucomp.te.errors import needs_schedule, schedule_error
from gpucomp.te.factors import declare_factors
from gpucomp.te.graph import AttachPath, create_attach_path, create_feed_graph
from gpucomp.te.message_passing import (
    Domains,
    in_whole_parts,
    pass_down_domain,
    pass_up_index,
    pass_up_interval,
)
from gpucomp.te.operation import ComputeOp, Operation
from gpucomp.te.regions import Box, Running, union_domain
from gpucomp.te.relation import Fuse, Split, parents_of
from gpucomp.te.scan import ScanOp
from gpucomp.te.scan_place import scan_memory
from gpucomp.te.scopes import GLOBAL_RANK, INFERRED_SCOPE, STORAGE_RANK, is_virtual, needs_relax, thread_rank
from gpucomp.te.stage import Stage
from gpucomp.te.tensor import Tensor
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm, IterVar, Range, Var

if TYPE_CHECKING:
    from gpucomp.te.state import Schedule


@dataclass(slots=True)
class ThreadUse:
    """One thread axis of one kernel: its variable, its extent, and the first loop that was bound to it."""

    axis: IterVar
    extent: Expr
    stage: Stage
    leaf: IterVar | None
    span: Span | None


@dataclass(slots=True)
class Bounds(Mapping[IterVar, Range]):
    """What bound inference found; a mapping from axis to domain.

    Attributes:
        doms: domain of every axis of every stage.
        scopes: storage scope by stage.
        exact: stages whose region holds everything that consumers read, what lies outside of the tensor included.
        cut: by stage, the axes of consumers whose last part reaches past their domain, and past the stage's region.
        paths: enclosing loops by stage, innermost first.
        kernels: for each stage at root, its thread axes by tag (by axis, for virtual threads).
        shares: stages that write into the memory of a scan, with its stage.
        whole: stages that are computed for whole parts of loops, past the end of their tensors too.
        forms: linear forms, with the ranges of all loop and thread variables.
    """

    forms: Forms
    paths: dict[Stage, AttachPath]
    doms: Domains = field(default_factory=dict)
    scopes: dict[Stage, str] = field(default_factory=dict)
    exact: dict[Stage, bool] = field(default_factory=dict)
    cut: dict[Stage, dict[IterVar, None]] = field(default_factory=dict)
    kernels: dict[Stage, dict[object, ThreadUse]] = field(default_factory=dict)
    shares: dict[Stage, Stage] = field(default_factory=dict)
    whole: dict[Stage, None] = field(default_factory=dict)
    _roots: dict[Stage, Stage] = field(default_factory=dict)

    def __getitem__(self, axis: IterVar) -> Range:
        return self.doms[axis]

    def __iter__(self) -> Iterator[IterVar]:
        return iter(self.doms)

    def __len__(self) -> int:
        return len(self.doms)

    def root_of(self, stage: Stage) -> Stage:
        """The stage whose nest, a kernel where it has threads, contains this stage."""
        found = self._roots.get(stage)
        if found is None:
            found = self._roots[stage] = self._kernel_root(stage)
        return found

    def _kernel_root(self, stage: Stage) -> Stage:
        at = stage
        while at.is_attached and at.attach_stage is not None:
            if isinstance(at.attach_stage.op, ScanOp) and not _in_threads(self.paths[at]):
                return at  # a step of a scan outside of any kernel: what runs in it are kernels of their own
            at = at.attach_stage
        return at

    def thread(self, stage: Stage, leaf: IterVar) -> IterVar | None:
        """The thread axis (one for each tag and kernel) that a leaf is bound to."""
        bound = stage.bound_thread(leaf)
        if bound is None:
            return None
        return self.kernels[self.root_of(stage)][_key(bound)].axis

    def is_single(self, axis: IterVar) -> bool:
        """True for an axis of extent 1, whose variable is replaced by 0."""
        extent = self.doms[axis].extent
        return isinstance(extent, IntImm) and extent.value == 1


def _key(thread: IterVar) -> object:
    return thread if is_virtual(thread.thread_tag) else thread.thread_tag


def infer_bound(schedule: Schedule) -> Bounds:
    """Infer domains and scopes of a normalised schedule.

    Raises:
        ScheduleError: GC120, GC121, GC125, GC126, GC128; see ``gpucomp.te.errors``.
    """
    needs_schedule(schedule, "InferBound")
    analyzer = arith.Analyzer()
    declare_factors(schedule, analyzer)
    _check_places(schedule)
    bounds = Bounds(Forms(analyzer), create_attach_path(schedule), shares=scan_memory(schedule))
    _collect_threads(schedule, bounds)
    feed = create_feed_graph(schedule)
    for stage in reversed(schedule.stages):
        if not stage.op.computes:
            continue
        bounds.scopes[stage] = _scope(stage, bounds)
        roots = _root_domains(stage, bounds, feed)
        roots.update({iv: iv.dom for iv in stage.env_thread_axes if iv.dom is not None})
        bounds.doms.update(pass_down_domain(stage, roots, bounds.forms))
        _declare(stage, bounds)
    return bounds


def _check_places(schedule: Schedule) -> None:
    """A stage is computed inside of something that runs after it: stages are in the order of the dataflow."""
    order = {stage: i for i, stage in enumerate(schedule.stages)}
    for stage, at in order.items():
        parent = stage.attach_stage
        if not stage.is_attached or parent is None or order.get(parent, at + 1) > at:
            continue
        name = stage.attach_ivar.name if stage.attach_ivar is not None else "?"
        raise schedule_error(
            "GC121",
            f"stage {stage.name} is computed at {name!r} of stage {parent.name}, which does not read it: "
            f"{parent.name} comes before {stage.name}",
            stage=stage,
            where=stage.attach_span,
            hint=f"s[{parent.name}].compute_at(s[{stage.name}], axis), or s[{stage.name}].compute_root()",
        )


def _collect_threads(schedule: Schedule, bounds: Bounds) -> None:
    for stage in schedule.stages:
        uses = bounds.kernels.setdefault(bounds.root_of(stage), {})
        own: dict[object, IterVar] = {}
        for leaf in stage.leaf_iter_vars:
            bound = stage.bound_thread(leaf)
            if bound is None:
                continue
            key = _key(bound)
            if key in own:
                raise schedule_error(
                    "GC126",
                    f"{bound.thread_tag} is bound to both {own[key].name!r} and {leaf.name!r} of stage {stage.name}",
                    stage=stage,
                    where=stage.attr(leaf).bind_span,
                    hint=f"fuse the two and bind the result, or bind {leaf.name!r} to another thread axis",
                )
            own[key] = leaf
            if key not in uses:
                tag = bound.thread_tag
                name = bound.name if is_virtual(tag) else tag
                axis = IterVar(None, Var(name, leaf.var.dtype), IterVar.ThreadIndex, tag)
                # The extent is that of the first loop whose domain gets known; see _declare.
                uses[key] = ThreadUse(axis, axis.var, stage, None, stage.attr(leaf).bind_span)


def _declare(stage: Stage, bounds: Bounds) -> None:
    """Note the ranges of the loop variables; thread extents must agree within a kernel."""
    uses = bounds.kernels[bounds.root_of(stage)]
    for leaf in stage.leaf_iter_vars:
        dom = bounds.doms[leaf]
        bound = stage.bound_thread(leaf)
        if bound is None:
            bounds.forms.declare(leaf.var, dom.min, dom.extent)
            continue
        use = uses[_key(bound)]
        if not bounds.is_single(leaf) and leaf not in stage.env_thread_axes:
            _check_share(stage, leaf, use.axis, bounds)
        if bound.dom is not None:
            _check_fixed(stage, leaf, dom.extent, bound.dom.extent, bounds)
        if use.leaf is None:
            use.extent, use.stage, use.leaf, use.span = dom.extent, stage, leaf, stage.attr(leaf).bind_span
            bounds.forms.declare(use.axis.var, dom.min, dom.extent)
        else:
            _check_agrees(stage, leaf, dom.extent, use, bounds)


def _check_share(stage: Stage, leaf: IterVar, thread: IterVar, bounds: Bounds) -> None:
    """Threads that each have memory of their own cannot share the work of filling it."""
    scope, tag = bounds.scopes[stage], thread.thread_tag
    if leaf.iter_type == IterVar.CommReduce or needs_relax(scope, tag):
        return
    if is_virtual(tag) and not any([bounds.thread(s, iv) is thread for s, iv in bounds.paths[stage]]):
        return
    attr = stage.attr(leaf)
    who = "block" if tag.startswith(("blockIdx", "clusterIdx")) else "thread"
    other = "global" if who == "block" else "shared"
    raise schedule_error(
        "GC128",
        f"stage {stage.name} lives in {scope} memory, of which every {who} has its own, but its axis "
        f"{leaf.name!r} is bound to "
        f"{tag}, so that every {who} would compute only a part of it",
        stage=stage,
        where=attr.bind_span,
        hint=f"s[{stage.name}].set_scope('{other}'), or leave {leaf.name!r} unbound",
    )


def _equal(a: Expr, b: Expr, bounds: Bounds) -> bool:
    if isinstance(a, IntImm) and isinstance(b, IntImm):
        return a.value == b.value
    return bounds.forms.of(a).same(bounds.forms.of(b)) or bool(bounds.forms.analyzer.can_prove_equal(a, b))


def _check_fixed(stage: Stage, leaf: IterVar, extent: Expr, fixed: Expr, bounds: Bounds) -> None:
    if _equal(extent, fixed, bounds):
        return
    attr = stage.attr(leaf)
    assert attr.bind_thread is not None
    raise schedule_error(
        "GC120",
        f"{attr.bind_thread.thread_tag} has extent {fixed} by its own domain, but axis {leaf.name!r} of "
        f"stage {stage.name} "
        f"has extent {extent}",
        stage=stage,
        where=attr.bind_span,
        hint=f"split {leaf.name!r} so that one part has extent {fixed}, or make the thread axis without a domain",
    )


def _check_agrees(stage: Stage, leaf: IterVar, extent: Expr, use: ThreadUse, bounds: Bounds) -> None:
    if _equal(extent, use.extent, bounds):
        return
    assert use.leaf is not None
    tag = use.axis.thread_tag
    place = f" ({use.span.render()})" if use.span is not None else ""
    raise schedule_error(
        "GC120",
        f"{tag} is bound with extent {extent} by axis {leaf.name!r} of stage {stage.name}, but with "
        f"extent {use.extent} "
        f"by axis {use.leaf.name!r} of stage {use.stage.name}{place}",
        stage=stage,
        where=stage.attr(leaf).bind_span,
        hint=f"split the loops of {stage.name} so that the part bound to {tag} has extent {use.extent}",
    )


def _in_threads(path: AttachPath) -> bool:
    """True when a hardware thread axis encloses the attach point."""
    bound = [s.bound_thread(iv) for s, iv in path]
    return any([t is not None and not is_virtual(t.thread_tag) for t in bound])


def _scope(stage: Stage, bounds: Bounds) -> str:
    if stage in bounds.shares:
        return bounds.scopes[bounds.shares[stage]]
    path = bounds.paths[stage]
    is_root = bounds.root_of(stage) is stage
    tags = [t.thread_tag for s, iv in path if (t := bounds.thread(s, iv)) is not None]
    named = "global" if stage.is_output and not path else stage.scope  # a result is in the caller's memory
    scope = named or INFERRED_SCOPE[max([thread_rank(t) for t in tags], default=-1)]
    in_kernel = any([not is_virtual(u.axis.thread_tag) for u in bounds.kernels[bounds.root_of(stage)].values()])
    if is_root and STORAGE_RANK[scope] > GLOBAL_RANK and not stage.is_output and _has_threads(bounds):
        raise schedule_error(
            "GC128",
            f"stage {stage.name} lives in {scope} memory but is computed at root, outside of the kernel that reads it",
            stage=stage,
            where=stage.scope_span,
            hint=f"s[{stage.name}].compute_at(s[consumer], axis) inside of a loop bound to threads",
        )
    if not is_root and in_kernel and STORAGE_RANK[scope] == GLOBAL_RANK:
        raise schedule_error(
            "GC128",
            f"stage {stage.name} lives in global memory but is computed inside of the kernel of "
            f"{bounds.root_of(stage).name}, whose other blocks would not wait for it",
            stage=stage,
            where=stage.scope_span or stage.attach_span,
            hint=f"s[{stage.name}].compute_root(), or attach it inside of the loop bound to blockIdx",
        )
    return scope


def _has_threads(bounds: Bounds) -> bool:
    """True when any kernel of the schedule has hardware threads: on a CPU, all scopes are the same memory."""
    return any([not is_virtual(use.axis.thread_tag) for uses in bounds.kernels.values() for use in uses.values()])


def _root_domains(stage: Stage, bounds: Bounds, feed: Mapping[Tensor, list[Stage]]) -> Domains:
    op = stage.op
    wanted: dict[Tensor, list[Box]] = {}
    steps: dict[Tensor, Box] = {}
    if not stage.is_output:
        for consumer, tensors in _consumers(op, feed).items():
            if consumer in bounds.whole or any([in_whole_parts(consumer, leaf) for leaf in consumer.leaf_iter_vars]):
                bounds.whole[stage] = None
            for tensor, region in _regions(stage, consumer, tensors, bounds):
                wanted.setdefault(tensor, []).append(region)
                if consumer is bounds.shares.get(stage):
                    steps[tensor] = region[:1]
    if steps:  # an update computes its own step only, whatever rows of the state its other readers may touch
        wanted = {t: [(*steps.get(t, box[:1]), *box[1:]) for box in boxes] for t, boxes in wanted.items()}
    roots, exact = op.gather_region(wanted, bounds.forms)
    if stage in bounds.whole and isinstance(op, ComputeOp):
        roots, exact = _widened(op, roots, wanted, bounds.forms)
    if not stage.is_output:
        bounds.exact[stage] = exact
    return roots


def _widened(op: ComputeOp, roots: Domains, wanted: Mapping[Tensor, list[Box]], forms: Forms) -> tuple[Domains, bool]:
    """Domains that reach as far as consumers read: what ``gather_region`` cut off at the end of the tensors is back."""
    exact = True
    boxes = [box for tensor in op.outputs for box in wanted.get(tensor, ())]
    for position, axis in enumerate(op.axis):
        assert axis.dom is not None
        dom, unchanged = union_domain(axis.dom, [box[position] for box in boxes], forms)
        union = None if unchanged else forms.union([box[position] for box in boxes])
        low, width = (None, None) if union is None else (union.low.value(), union.width.value())
        if low is not None and width is not None and low >= 0:
            dom, unchanged = Range.from_min_extent(low, width + 1), True
        roots[axis] = dom
        exact = exact and unchanged
    return roots, exact


def _consumers(op: Operation, feed: Mapping[Tensor, list[Stage]]) -> dict[Stage, list[Tensor]]:
    out: dict[Stage, list[Tensor]] = {}
    for tensor in op.outputs:
        for consumer in feed.get(tensor, ()):
            out.setdefault(consumer, []).append(tensor)
    return out


def _regions(stage: Stage, consumer: Stage, tensors: list[Tensor], bounds: Bounds) -> Iterator[tuple[Tensor, Box]]:
    """What ``consumer`` reads of the tensors of ``stage`` at its attach point, one box for each access."""
    forms, scope = bounds.forms, bounds.scopes[stage]
    target = stage.attach_ivar if stage.is_attached else None
    found = False
    leaves: dict[IterVar, Interval] = {}
    for leaf in reversed(consumer.leaf_iter_vars):
        found = found or (leaf is target and consumer is stage.attach_stage)
        dom, thread = bounds.doms[leaf], bounds.thread(consumer, leaf)
        if bounds.is_single(leaf) or _runs(thread, scope, found):
            leaves[leaf] = forms.box(dom.min, dom.extent)
        else:
            leaves[leaf] = forms.point(leaf.var if thread is None else thread.var)
    cut = bounds.cut.setdefault(stage, {})
    roots = Running(
        pass_up_interval(consumer, bounds.doms, leaves, forms, cut),
        (lambda: _by_loops(consumer, leaves, bounds)) if consumer.relations else None,
        [axis.var for r in consumer.relations if isinstance(r, Fuse) for axis in parents_of(r)],
        _fused_in_parts(consumer),
    )
    relax: dict[Var, Interval] = {}
    for use in bounds.kernels[bounds.root_of(consumer)].values():
        # Hardware threads enclose the kernel: domains may depend on them wherever their loops stand.
        tag = use.axis.thread_tag
        if use.leaf is not None and not is_virtual(tag) and needs_relax(scope, tag):
            relax[use.axis.var] = Interval(ZERO, forms.of(use.extent).shifted(-1))
    for owner, leaf in bounds.paths[consumer]:
        found = found or (leaf is target and owner is stage.attach_stage)
        dom, thread = bounds.doms[leaf], bounds.thread(owner, leaf)
        if not bounds.is_single(leaf) and _runs(thread, scope, found):
            relax[leaf.var if thread is None else thread.var] = forms.box(dom.min, dom.extent)
    if target is not None and not found:
        raise _not_a_consumer(stage, consumer, bounds)
    for tensor in consumer.op.input_tensors:
        if tensor not in tensors:
            continue
        for box in consumer.op.read_regions(tensor, roots, bounds.doms, forms):
            yield (
                tensor,
                tuple([_relaxed(part, axis, relax, forms) for part, axis in zip(box, tensor.shape, strict=True)]),
            )


def _fused_in_parts(stage: Stage) -> list[Var]:
    """The variables of axes of which a part, from a split, was fused into another axis."""
    above: dict[IterVar, IterVar] = {}
    found: dict[Var, None] = {}
    for rel in stage.relations:
        if isinstance(rel, Split):
            above[rel.outer] = above[rel.inner] = above.get(rel.parent, rel.parent)
        elif isinstance(rel, Fuse):
            found.update({above[axis].var: None for axis in (rel.outer, rel.inner) if axis in above})
    return list(found)


def _by_loops(
    stage: Stage, leaves: Mapping[IterVar, Interval], bounds: Bounds
) -> tuple[dict[Var, Expr], dict[Var, Interval]]:
    """The axes of an operation by the variables of its loops, and the intervals of those variables."""
    values: dict[IterVar, Expr] = {}
    intervals: dict[Var, Interval] = {}
    for leaf, interval in leaves.items():
        thread = bounds.thread(stage, leaf)
        var = leaf.var if thread is None else thread.var
        single = bounds.is_single(leaf)
        values[leaf] = bounds.doms[leaf].min if single else operators.cast(leaf.var.dtype, var)
        intervals[var] = interval
    roots = pass_up_index(stage, bounds.doms, values)
    return {axis.var: roots[axis] for axis in stage.op.root_iter_vars}, intervals


def _runs(thread: IterVar | None, scope: str, found: bool) -> bool:
    """True when a loop runs over its whole domain for one computation of a stage in ``scope``.

    ``found``: the loop encloses the attach point.
    """
    if thread is None:
        return not found
    if is_virtual(thread.thread_tag) and not found:
        return True
    return needs_relax(scope, thread.thread_tag)


def _relaxed(box: Interval | None, extent: Expr, relax: Mapping[Var, Interval], forms: Forms) -> Interval | None:
    if box is None or not relax:
        return box
    low = forms.evaluate_form(box.low, relax, extent.dtype)
    width = forms.evaluate_form(box.width, relax, extent.dtype)
    if low is None or width is None:
        return None
    return Interval(low.low, low.width.plus(width.low).plus(width.width))


def _not_a_consumer(stage: Stage, consumer: Stage, bounds: Bounds) -> Exception:
    parent, ivar = stage.attach_stage, stage.attach_ivar
    assert parent is not None
    assert ivar is not None
    place = bounds.paths[consumer]
    inside = f", which is computed inside of {place[0][0].name}" if place else ", which is computed at root"
    return schedule_error(
        "GC121",
        f"stage {stage.name} is computed at {ivar.name!r} of stage {parent.name}, but {consumer.name} "
        "reads it outside of "
        f"that loop{inside}",
        stage=parent,
        where=stage.attach_span,
        hint=f"s[{stage.name}].compute_at(s[{consumer.name}], axis), "
        f"or compute {consumer.name} inside of {parent.name} too",
    )
