"""Scans in schedules: where the parts of a step are computed, whose memory they write, and the loop over the steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any  # Any: what an attribute is about

from gpucomp.te.affine import Linear
from gpucomp.te.bound import Bounds
from gpucomp.te.buffer_bind import BufferBind
from gpucomp.te.errors import schedule_error
from gpucomp.te.nest_rules import nest_rule
from gpucomp.te.operation import ComputeOp
from gpucomp.te.scan import ScanOp
from gpucomp.te.scan_place import scan_parts
from gpucomp.te.scopes import GLOBAL_RANK, KERNEL_TAGS, STORAGE_RANK
from gpucomp.te.stage import Stage
from gpucomp.te.tensor import Tensor
from gpucomp.tir.expr import Expr, IntImm, ProducerLoad, Var
from gpucomp.tir.functor import Mutator, free_vars, substitute
from gpucomp.tir.stmt import NOOP, AttrStmt, ProducerStore, Stmt, seq

if TYPE_CHECKING:
    from gpucomp.te.schedule_ops import Builder, Work


@nest_rule(ScanOp)
def scan_nest(builder: Builder, work: Work) -> Stmt:
    """The first steps, then the loop over the others, all in the memory of the scan."""
    from gpucomp.te.schedule_ops import Work

    op, stage = work.op, work.stage
    assert isinstance(op, ScanOp)
    starts, updates = scan_parts(builder.schedule, stage)
    _check_threads(builder, stage, op, starts, updates)
    outer = len(stage.env_thread_axes)
    whole = Work(stage, op, work.leaves, work.values, work.indices, work.mapping, children=work.children)
    steps = builder.serial(whole, outer, NOOP, [])
    first = [builder.pipeline(start, NOOP) for start in starts]
    lead = Work(
        stage, op, work.leaves[:outer], work.values, work.indices, work.mapping,
        children={p: c for p, c in work.children.items() if p < outer},
    )  # fmt: skip
    body = builder.serial(lead, 0, seq(*first, steps), [])
    same = {t: op.output(i) for many in (op.init, op.update, op.state_placeholder) for i, t in enumerate(many)}
    return _InPlace(same).stmt(body)


class _InPlace(Mutator):
    """Accesses of initial parts, updates and states as accesses of the scan's own memory."""

    def __init__(self, same: Mapping[Tensor, Tensor]) -> None:
        super().__init__()
        self.same = same

    def visit_producer_load(self, node: ProducerLoad) -> Expr:
        indices = tuple([self.visit(i) for i in node.indices])
        return ProducerLoad(self.same.get(node.producer, node.producer), indices)

    def visit_producer_store(self, node: ProducerStore) -> Stmt:
        tensor = self.same.get(node.producer, node.producer)
        return ProducerStore(tensor, self.expr(node.value), self.exprs(node.indices), node.span)

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        target = self._target(node.node)
        value, body = self.expr(node.value), self.stmt(node.body)
        return AttrStmt(target, node.attr_key, value, body, node.span)

    def _target(self, node: Any) -> Any:
        if isinstance(node, Tensor):
            return self.same.get(node, node)
        if isinstance(node, BufferBind):  # a tensor intrinsic's view of a part
            return replace(node, tensor=self.same.get(node.tensor, node.tensor))
        return node


def _check_threads(builder: Builder, stage: Stage, op: ScanOp, starts: list[Stage], updates: list[Stage]) -> None:
    """In one kernel over all steps, each thread reads those elements of global memory only that it wrote itself."""
    bounds = builder.bounds
    root = bounds.root_of(updates[0])
    if root is updates[0] or STORAGE_RANK[bounds.scopes[stage]] > GLOBAL_RANK:
        return
    threads = [
        use.axis.var for tag in KERNEL_TAGS if (use := bounds.kernels[root].get(tag)) and not _is_one(use.extent)
    ]
    if not threads:
        return
    spatial = iter(op.spatial_axis_)
    divided: dict[Tensor, list[dict[Expr, int]]] = {}
    written: dict[Tensor, tuple[Expr, ...]] = {}
    for start, update in zip(starts, updates, strict=True):
        axes = [next(spatial) for _ in update.op.axis[1:]]
        shares = [_thread_part(x, threads, bounds) for x in builder.works[update].indices[1:]]
        begins = [_thread_part(x, threads, bounds) for x in builder.works[start].indices[1:]]
        alone = all([op.fixed_axis[a] for a, part in zip(axes, shares, strict=True) if part])
        written[op.state_placeholder[len(divided)]] = builder.works[update].indices[1:]
        divided[op.state_placeholder[len(divided)]] = shares
        missing = [v for v in threads if not any([v in free_vars(t) for part in shares for t in part])]
        if alone and not missing and begins == shares:
            continue
        why = "reads what other threads wrote in earlier steps" if not alone else "shares elements between its threads"
        if alone and not missing:
            why = f"divides its elements among the threads otherwise than {start.name} does"
        raise _exchange(op, update, why)
    for part in op.body:
        inner = builder.schedule.stage_map.get(part)
        if inner is None or inner not in builder.works or not isinstance(part, ComputeOp):
            continue
        mapping = builder.works[inner].mapping
        for tensor, accesses in part.reads:
            for indices in accesses if tensor in divided else ():
                read = [substitute(i, mapping) for i in indices[1:]]
                places = [_thread_part(i, threads, bounds) for i in read]
                own = [_stays_within(i, w, threads, bounds) for i, w in zip(read, written[tensor], strict=True)]
                if places != divided[tensor] or not all(own):
                    raise _exchange(op, inner, "reads what other threads wrote in earlier steps")


def _exchange(op: ScanOp, stage: Stage, why: str) -> Exception:
    return schedule_error(
        "GC142",
        f"scan {op.name} runs all its steps in one kernel, but {stage.name} {why}: between two steps all blocks "
        "would have to wait for each other",
        stage=stage,
        where=next((a.bind_span for a in stage.iter_var_attrs.values() if a.bind_span is not None), stage.span),
        hint=f"leave out s[{op.name}].env_threads(...): a kernel for each step waits for the one before",
    )


def _is_one(extent: Expr) -> bool:
    return isinstance(extent, IntImm) and extent.value == 1


def _stays_within(read: Expr, write: Expr, threads: list[Var], bounds: Bounds) -> bool:
    """True when what a thread reads of a dimension lies among what it writes there, apart from its own share.

    The rest of both indices goes over multiples of one step; a box around elements that are two apart holds those in
    between as well, which belong to another thread.
    """
    share = _thread_part(write, threads, bounds)
    if not share:
        return True  # every thread writes all of it
    reading, writing = (_without(bounds.forms.of(x), share) for x in (read, write))
    step = math.gcd(*writing.terms.values()) if writing.terms else 0
    apart = reading.plus(writing, -1)
    if step == 0:
        return not reading.terms and apart.value() == 0
    low, high = bounds.forms.bound(reading)
    first, last = bounds.forms.bound(writing)
    steps = all([c % step == 0 for c in reading.terms.values()]) and (reading.const - writing.const) % step == 0
    return steps and first <= low and high <= last


def _without(form: Linear, share: Mapping[Expr, int]) -> Linear:
    return Linear(form.const, {t: c for t, c in form.terms.items() if t not in share})


def _thread_part(index: Expr, threads: list[Var], bounds: Bounds) -> dict[Expr, int]:
    """The terms of an index that differ between threads."""
    form = bounds.forms.of(index)
    return {t: c for t, c in form.terms.items() if any([v in free_vars(t) for v in threads])}
