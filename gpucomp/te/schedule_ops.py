"""Loop nests: from a normalised schedule and its bounds to statements over tensors.

For each stage: its loops from the innermost outwards, with the stages attached to each loop computed just inside of
it; a reduction becomes an initialising nest and an updating one under the loops that they share.  A stage at root
that binds hardware threads is a kernel: its thread axes enclose the whole nest, one variable each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gpucomp.analysis.conflicts import WRITES_ONCE
from gpucomp.te import rolling
from gpucomp.te.atomics import adds_atomically, atomic_stores, start_kernel
from gpucomp.te.bound import Bounds, ThreadUse
from gpucomp.te.cross_thread import cross_thread_nest, reduce_threads
from gpucomp.te.errors import needs_schedule, schedule_error
from gpucomp.te.fragment_reads import own_elements, refuse_fragments
from gpucomp.te.join import parts_of_joins, settle_joins
from gpucomp.te.message_passing import pass_up_index, split_predicates
from gpucomp.te.nest import Guard, Loops, conjunction
from gpucomp.te.nest_rules import nest_rule, rule_of
from gpucomp.te.operation import ComputeOp, Operation
from gpucomp.te.overrun import Overrun
from gpucomp.te.region_guard import region_guard
from gpucomp.te.relation import Align
from gpucomp.te.scan_place import scan_starts
from gpucomp.te.scan_reads import ScanReads
from gpucomp.te.scopes import KERNEL_TAGS, STORAGE_RANK, needs_relax
from gpucomp.te.stage import Stage
from gpucomp.te.stage_state import AttachType
from gpucomp.te.store_threads import first_of_chosen
from gpucomp.te.tensor import Tensor
from gpucomp.te.tensorize import collective_tags, tensorized_nest, tensorized_position
from gpucomp.tir import operators
from gpucomp.tir.expr import EQ, GE, LT, Expr, IntImm, IterVar, ProducerLoad, Range, Reduce, Var, is_const_int
from gpucomp.tir.functor import expr_post_order, free_vars, substitute
from gpucomp.tir.intrin import if_then_else, likely
from gpucomp.tir.shared_values import let_values
from gpucomp.tir.stmt import NOOP, AttrStmt, IfThenElse, ProducerRealize, ProducerStore, Stmt, seq

if TYPE_CHECKING:
    from gpucomp.te.state import Schedule

_TRUE = operators.const(1, "bool")


@dataclass(slots=True)
class Work:
    """One stage while its nest is built.

    Attributes:
        stage, op: the stage and its operation.
        leaves: its loops, outermost first; none for operations without axes.
        values: value of every axis in terms of the loops.
        indices: the element that an iteration computes, where the operation has ``region_axis``.
        mapping: values by variable of the root axes.
        data_guards, reduce_guards: conditions under which an iteration does anything, and reduces anything.
        thread_guard: condition under which a thread stores.
        value_guard: condition outside of which zero is stored.
        children: stages attached to each loop, by position.
    """

    stage: Stage
    op: Operation
    leaves: list[IterVar]
    values: dict[IterVar, Expr]
    indices: tuple[Expr, ...]
    mapping: dict[Var, Expr]
    data_guards: list[Expr] = field(default_factory=list)
    reduce_guards: list[Expr] = field(default_factory=list)
    thread_guard: Expr | None = None
    value_guard: Expr | None = None
    children: dict[int, list[Stage]] = field(default_factory=dict)


def schedule_ops(schedule: Schedule, bounds: Bounds, external: Collection[Tensor] | None = None) -> Stmt:
    """Build the statement of a normalised schedule: ProducerStore and ProducerRealize inside of loops.

    Args:
        schedule: result of ``Schedule.normalize``.
        bounds: result of ``infer_bound``.
        external: tensors whose memory the caller provides.  Other intermediate tensors may be computed past their
            ends, where that spares bound checks; None (not known) forbids it.

    Raises:
        ScheduleError: GC122, GC123, GC127, GC129; see ``gpucomp.te.errors``.
    """
    needs_schedule(schedule, "ScheduleOps")
    if external is not None:
        external = [*external, *parts_of_joins(schedule)]
    stmt = settle_joins(schedule, bounds, Builder(schedule, bounds, external).build())
    return rolling.inject_rolling_buffers(schedule, stmt, external or ())


def _waits(stage: Stage) -> bool:
    """True for a stage that reads what another stage computes."""
    return any([tensor.op.computes for tensor in stage.op.input_tensors])


class Builder:
    """Builds nests, producers around their consumers."""

    def __init__(self, schedule: Schedule, bounds: Bounds, external: Collection[Tensor] | None) -> None:
        self.schedule = schedule
        self.bounds = bounds
        self.overrun = Overrun(schedule, bounds, external)
        self.loops = Loops(bounds)
        self.scan_reads = ScanReads(schedule, bounds, self.loops)
        self.attached: dict[Stage, dict[IterVar, list[Stage]]] = {}
        self.starts = scan_starts(schedule)  # the nest of a scan begins with them
        for stage in schedule.stages:
            if (
                stage.is_attached
                and stage not in self.starts
                and stage.attach_stage is not None
                and stage.attach_ivar is not None
            ):
                by_axis = self.attached.setdefault(stage.attach_stage, {})
                by_axis.setdefault(stage.attach_ivar, []).append(stage)
        for by_axis in self.attached.values():
            for stages in by_axis.values():
                # What needs nothing but inputs goes first: its loads are on their way while the others compute.
                stages.sort(key=_waits)
        self.works = {st: self._work(st, st.op) for st in schedule.stages if st.op.computes}

    def build(self) -> Stmt:
        """The statement of all stages at root."""
        body: Stmt = NOOP
        for stage in reversed(self.schedule.stages):
            if stage.op.computes and stage.attach_type == AttachType.GROUP_ROOT and stage not in self.starts:
                body = self.pipeline(stage, body)
        return body

    def pipeline(self, stage: Stage, consumer: Stmt) -> Stmt:
        """Compute a stage, then run its consumer, with the memory for its tensors around both."""
        work, rule = self.works[stage], rule_of(stage.op)
        body = rule.provide(self, work)
        guard = region_guard(self, stage)
        if guard is not None:
            body = IfThenElse(likely(guard), body, None, stage.span)
        if self.bounds.root_of(stage) is stage:
            body = self._kernel(stage, body)
        if isinstance(stage.op, ComputeOp) and adds_atomically(stage, self.bounds):
            body = seq(start_kernel(stage), body)
        body = seq(body, consumer)
        if stage.is_output or stage in self.bounds.shares:
            return body
        if rule.realize is not None:
            return rule.realize(self, work, body)
        scope = self.bounds.scopes[stage]
        for tensor in work.op.outputs:
            box = work.op.realize_region(tensor, self.bounds.doms)
            if stage.double_buffered:
                body = AttrStmt(tensor, "double_buffer_scope", 1, body, stage.span)
            body = ProducerRealize(tensor, box, _TRUE, body, scope, stage.span)
            for axis, (factor, offset) in stage.dim_align.items():
                body = AttrStmt((tensor, axis, factor, offset), "buffer_dim_align", 1, body, stage.span)
            if stage.swizzle is not None:
                body = AttrStmt((tensor, *stage.swizzle), "buffer_swizzle", 1, body, stage.swizzle_span)
            if stage.rolls:
                body = AttrStmt(tensor, rolling.KEY, 1, body, stage.span)
        return body

    def _kernel(self, stage: Stage, body: Stmt) -> Stmt:
        uses = self.bounds.kernels[stage]
        for tag in reversed(KERNEL_TAGS):
            use = uses.get(tag)
            if use is not None:
                body = self._thread_extent(use, body)
        return body

    def _thread_extent(self, use: ThreadUse, body: Stmt) -> Stmt:
        inner = [v.name for v in free_vars(use.extent) if v in self.bounds.forms.ranges]
        if inner:
            raise schedule_error(
                "GC127",
                f"the extent {use.extent} of {use.axis.thread_tag} depends on {min(inner)!r}, which changes "
                "inside of the kernel",
                stage=use.stage,
                where=use.span,
                hint="split by a constant factor, and bind the part of constant extent",
            )
        dom = Range.from_min_extent(0, use.extent)
        axis = IterVar(dom, use.axis.var, IterVar.ThreadIndex, use.axis.thread_tag)
        return AttrStmt(axis, "thread_extent", use.extent, body, use.span)

    def scope_of(self, tensor: Tensor) -> str:
        """Where a tensor lives; empty for what the caller gives."""
        return self.bounds.scopes.get(self.overrun.owner[tensor], "")

    # -- one stage --------------------------------------------------------------------------------------------------

    def nest(self, work: Work, op: ComputeOp) -> Stmt:
        """The loops of one compute stage."""
        position = tensorized_position(work.stage)
        if position is not None:
            return tensorized_nest(self, work, op, position)
        return self.plain_nest(work, op)

    def plain_nest(self, work: Work, op: ComputeOp) -> Stmt:
        """The loops of one compute stage, or of the inner part of one, without tensor intrinsics."""
        if not isinstance(op.body[0], Reduce):
            values = own_elements(self, work.stage, [substitute(b, work.mapping) for b in op.body])
            if work.value_guard is not None:
                values = [if_then_else(work.value_guard, v, operators.const(0, v.dtype)) for v in values]
            return self.serial(work, 0, self._marked(work, self.stores(work, values)), work.data_guards)
        refuse_fragments(self, work.stage)
        threads = reduce_threads(work.stage, work.leaves, self.bounds)
        if threads:
            return cross_thread_nest(self, work, threads)
        if adds_atomically(work.stage, self.bounds):
            return self._atomic_reduction(work, op.body[0])
        return self._reduction(work, op.body[0])

    def _marked(self, work: Work, body: Stmt) -> Stmt:
        """Stores to memory that threads share at places that no analysis tells apart: rows that start anywhere."""
        aligned = [rel.aligned for rel in work.stage.relations if isinstance(rel, Align)]
        if not aligned or STORAGE_RANK[self.bounds.scopes[work.stage]] != STORAGE_RANK["shared"]:
            return body
        return AttrStmt(aligned[0], WRITES_ONCE, operators.const(1), body, work.op.span)

    def _work(self, stage: Stage, op: Operation) -> Work:
        leaves = stage.leaf_iter_vars
        values: dict[IterVar, Expr] = {leaf: self.loops.value(stage, leaf) for leaf in leaves}
        values = pass_up_index(stage, self.bounds.doms, values)
        work = Work(
            stage,
            op,
            leaves,
            values,
            tuple([values[a] for a in op.region_axis]),
            {a.var: values[a] for a in op.root_iter_vars},
        )
        self._guards(work)
        by_axis = self.attached.get(stage, {})
        work.children = {i: by_axis[leaf] for i, leaf in enumerate(leaves) if leaf in by_axis}
        return work

    def _guards(self, work: Work) -> None:
        stage, bounds = work.stage, self.bounds
        forms = bounds.forms
        work.data_guards = [
            c for _, c in split_predicates(stage, bounds.doms, work.values, only_data=True, forms=forms)
        ]
        work.reduce_guards = [
            c
            for axis, c in split_predicates(stage, bounds.doms, work.values, only_reduce=True, forms=forms)
            if not self.overrun.adds_nothing(work.op, axis)
        ]
        ends: dict[IterVar, list[Expr]] = {}
        for axis in work.op.region_axis:
            checks = self._end_checks(axis, work.values[axis])
            if checks:
                ends[axis] = checks
        earlier = self.scan_reads.guards(stage, work.op, work.mapping)
        first = work.op.body[0] if isinstance(work.op, ComputeOp) else None
        if isinstance(first, Reduce) and not first.init:
            work.reduce_guards += earlier  # the others still get their start value: they may be read, if not used
            earlier = []
        plan = self.overrun.plan(stage, work.op, ends, earlier)
        work.data_guards += plan.checks
        work.value_guard = conjunction([likely(c) for c in plan.choices])
        work.thread_guard = self._thread_guard(stage, work.values)

    def _end_checks(self, axis: IterVar, value: Expr) -> list[Expr]:
        """Conditions under which an index lies in the tensor, where its region may not."""
        forms, region, whole = self.bounds.forms, self.bounds.doms[axis], axis.dom
        assert whole is not None
        if region is whole:
            return []
        out: list[Expr] = []
        low, width = forms.box(region.min, region.extent)
        if not forms.at_least(low, 0):
            out.append(operators.compare(GE, value, 0))
        if not forms.at_least(forms.of(whole.extent).shifted(-1).plus(low, -1).plus(width, -1), 0):
            out.append(operators.compare(LT, value, whole.extent))
        return out

    def _thread_guard(self, stage: Stage, values: Mapping[IterVar, Expr]) -> Expr | None:
        """Where memory is shared by threads that the stage does not distribute work over, the first of them stores."""
        checks: list[Expr] = []
        chosen: frozenset[Var] = frozenset()
        if stage.store_predicate is not None:
            checks.append(self.loops.store_predicate(stage, stage.store_predicate, values))
            chosen = free_vars(checks[0])
        scope = self.bounds.scopes[stage]
        if STORAGE_RANK[scope] >= STORAGE_RANK["local"]:
            return conjunction(checks)
        leaves = [leaf for leaf in stage.leaf_iter_vars if leaf not in stage.env_thread_axes]
        own = collective_tags(stage)
        own |= {t.thread_tag for leaf in leaves if (t := self.bounds.thread(stage, leaf)) is not None}
        named: list[ThreadUse] = []
        for tag in KERNEL_TAGS:
            use = self.bounds.kernels[self.bounds.root_of(stage)].get(tag)
            if use is None or tag in own or not needs_relax(scope, tag):
                continue
            if use.axis.var in chosen:
                named.append(use)  # the user says which of these threads stores
            elif not (isinstance(use.extent, IntImm) and use.extent.value == 1):
                checks.append(EQ(use.axis.var, operators.const(0, use.axis.var.dtype)))
        if named and stage.op.reduce_axis and not reduce_threads(stage, stage.leaf_iter_vars, self.bounds):
            checks += first_of_chosen(stage, checks[0], named, self.bounds)
        return conjunction(checks)

    def stores(self, work: Work, values: list[Expr], *, update: bool = False) -> Stmt:
        """Store one value into each output; an update reads all of them before it stores any."""
        span = work.op.span
        if len(values) == 1 or not update:
            return seq([ProducerStore(t, v, work.indices, span) for t, v in zip(work.op.outputs, values, strict=True)])
        names = [Var(f"{work.op.name}_v{i}", v.dtype) for i, v in enumerate(values)]
        stores = [ProducerStore(t, n, work.indices, span) for t, n in zip(work.op.outputs, names, strict=True)]
        return let_values(work.op.name, names, values, seq(*stores), span, work.op.outputs)

    def serial(self, work: Work, first: int, body: Stmt, guards: list[Expr]) -> Stmt:
        """Loops ``first`` and further in around ``body``, with the stages attached to them, each guard as far out as
        it may stand."""
        last = len(work.leaves) - 1
        plan = self._plan(work, guards, first, last)
        if work.thread_guard is not None:
            body = IfThenElse(work.thread_guard, body, None, work.op.span)
        for position in range(last, first - 1, -1):
            body = plan.wrap(position, body)
            for child in reversed(work.children.get(position, ())):
                body = self.pipeline(child, body)
            body = self.loops.loop(work.stage, work.leaves[position], body)
        return plan.wrap(first - 1, body)

    def _plan(self, work: Work, guards: list[Expr], first: int, last: int) -> Guard:
        """Place guards: outside of loops that they do not depend on, but inside of every attached stage.

        Attached stages may hold barriers, which all threads must reach; for the same reason, guards of shared stages
        stay innermost.
        """
        scope = self.bounds.scopes[work.stage]
        shared = STORAGE_RANK[scope] in (STORAGE_RANK["shared"], STORAGE_RANK["warp"])
        floor = max([first - 1, *[p for p in work.children if p >= first]])
        plan = Guard()
        for guard in guards:
            used = free_vars(guard)
            own = [p for p in range(first, last + 1) if self.loops.var(work.stage, work.leaves[p]) in used]
            plan.add(last if shared else max([floor, *own]), guard)
        return plan

    # -- serial reductions ------------------------------------------------------------------------------------------

    def _reduction(self, work: Work, reduce: Reduce) -> Stmt:
        first = next(
            (i for i, leaf in enumerate(work.leaves) if leaf.iter_type == IterVar.CommReduce), len(work.leaves)
        )
        init = self.init_nest(work, reduce, first)
        update = self.update_nest(work, reduce, first)
        outer = Work(
            work.stage, work.op, work.leaves[:first], work.values, work.indices, work.mapping,
            children={p: c for p, c in work.children.items() if p < first},
        )  # fmt: skip
        return self.serial(outer, 0, seq(init, update), [])

    def _atomic_reduction(self, work: Work, reduce: Reduce) -> Stmt:
        """Every iteration adds to the result in memory, which another kernel has started."""
        body = atomic_stores(work, substitute(reduce.source[0], work.mapping))
        condition: Expr = substitute(reduce.condition, work.mapping)
        if not is_const_int(condition, 1):
            body = IfThenElse(condition, body, None, work.op.span)
        return self.serial(work, 0, body, [*work.data_guards, *work.reduce_guards])

    def init_nest(self, work: Work, reduce: Reduce, first: int) -> Stmt:
        """The initial value of a reduction, over the data loops from ``first`` inwards."""
        starts = reduce.init or reduce.combiner.identity_element
        self.check_start(work, reduce, first)
        data = [leaf for leaf in work.leaves[first:] if leaf.iter_type != IterVar.CommReduce]
        rename: dict[Var, Expr] = {}
        leaves: list[IterVar] = []
        for leaf in data:
            fresh = self.loops.again(work.stage, leaf)
            leaves.append(fresh)
            if fresh is not leaf:
                rename[self.loops.var(work.stage, leaf)] = self.loops.value(work.stage, fresh)
        values: list[Expr] = [substitute(substitute(x, work.mapping), rename) for x in starts]
        inner = Work(
            work.stage, work.op, leaves, work.values,
            tuple([substitute(i, rename) for i in work.indices]), work.mapping,
            thread_guard=None if work.thread_guard is None else substitute(work.thread_guard, rename),
        )  # fmt: skip
        guards = [substitute(g, rename) for g in work.data_guards]
        return self.serial(inner, 0, self.stores(inner, values), guards)

    def check_start(self, work: Work, reduce: Reduce, first: int) -> None:
        """What the initial value reads must be computed before the loops of the reduction start."""
        read = {n.producer for n in expr_post_order(*reduce.init) if isinstance(n, ProducerLoad)}
        for position, children in work.children.items():
            for child in children:
                if position >= first and any([t in read for t in child.op.outputs]):
                    raise schedule_error(
                        "GC121",
                        f"stage {child.name} is computed at {work.leaves[position].name!r}, inside of the reduction of "
                        f"{work.stage.name}, whose initial value reads it before",
                        stage=work.stage,
                        where=child.attach_span,
                        hint=f"compute {child.name} outside of loop {work.leaves[first].name!r}",
                    )

    def update_nest(self, work: Work, reduce: Reduce, first: int) -> Stmt:
        """The loops from ``first`` inwards, each of whose iterations adds to the result."""
        old: tuple[Expr, ...] = tuple([ProducerLoad(t, work.indices) for t in work.op.outputs])
        source = tuple([substitute(x, work.mapping) for x in reduce.source])
        body = self.stores(work, list(reduce.combiner(old, source)), update=True)
        condition: Expr = substitute(reduce.condition, work.mapping)
        if not is_const_int(condition, 1) and not self.overrun.is_idle(work.op, reduce):
            body = IfThenElse(condition, body, None, work.op.span)
        return self.serial(work, first, body, [*work.data_guards, *work.reduce_guards])


@nest_rule(ComputeOp)
def compute_nest(builder: Builder, work: Work) -> Stmt:
    """The loops of a ``te.compute``."""
    assert isinstance(work.op, ComputeOp)
    return builder.nest(work, work.op)
