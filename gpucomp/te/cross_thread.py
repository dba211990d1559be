"""Reductions over thread axes: every thread reduces its share, then the threads combine theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpucomp.te.atomics import adds_atomically, atomic_stores, is_atomic
from gpucomp.te.bound import Bounds
from gpucomp.te.errors import schedule_error
from gpucomp.te.nest import conjunction
from gpucomp.te.operation import ComputeOp
from gpucomp.te.scopes import is_virtual, needs_relax
from gpucomp.te.stage import Stage
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import EQ, Expr, IterVar, Range, Reduce, Var, is_const_int
from gpucomp.tir.functor import free_vars, substitute
from gpucomp.tir.intrin import likely
from gpucomp.tir.shared_values import let_values
from gpucomp.tir.stmt import AllReduce, BufferRealize, BufferStore, IfThenElse, Stmt, seq

if TYPE_CHECKING:
    from gpucomp.te.schedule_ops import Builder, Work

_TRUE = operators.const(1, "bool")
_ZERO = operators.const(0)
_ONE_ELEMENT = (Range(0, 1),)


def reduce_threads(stage: Stage, leaves: list[IterVar], bounds: Bounds) -> list[IterVar]:
    """The thread axes that reduction leaves are bound to.

    Raises:
        ScheduleError: GC122 a reduction axis is bound to blocks or virtual threads.
    """
    out: list[IterVar] = []
    for leaf in leaves:
        thread = bounds.thread(stage, leaf)
        if thread is None or leaf.iter_type != IterVar.CommReduce:
            continue
        if is_atomic(stage, leaf):
            continue
        if not thread.thread_tag.startswith(("threadIdx", "clusterIdx")):
            why = (
                "virtual threads share one accumulator"
                if is_virtual(thread.thread_tag)
                else "blocks cannot combine results"
            )
            raise schedule_error(
                "GC122",
                f"axis {leaf.name!r} of stage {stage.name} is a reduction axis and cannot be bound to "
                f"{thread.thread_tag}: {why}",
                stage=stage,
                where=stage.attr(leaf).bind_span,
                hint=f"BF = s.rfactor({stage.name}, {leaf.name}), then bind s[BF].op.axis[0]; "
                f"or bind {leaf.name!r} to threadIdx.x; or s[{stage.name}].pragma({leaf.name}, 'atomic') before",
            )
        if not bounds.is_single(leaf):
            out.append(thread)
    return out


def _check_order(work: Work, bounds: Bounds) -> None:
    """Serial reduction loops must be inside of the serial data-parallel ones: each thread has one accumulator."""
    serial = [iv for iv in work.leaves if bounds.thread(work.stage, iv) is None and not bounds.is_single(iv)]
    outer: IterVar | None = None
    for leaf in serial:
        if leaf.iter_type == IterVar.CommReduce:
            outer = leaf if outer is None else outer
        elif outer is not None:
            bound = next(
                iv
                for iv in work.leaves
                if iv.iter_type == IterVar.CommReduce and bounds.thread(work.stage, iv) is not None
            )
            raise schedule_error(
                "GC122",
                f"stage {work.stage.name} reduces over the threads of {bound.name!r}, but its reduction loop "
                f"{outer.name!r} is "
                f"outside of the data-parallel loop {leaf.name!r}",
                stage=work.stage,
                where=work.stage.attr(bound).bind_span,
                hint=f"s[{work.stage.name}].reorder({leaf.name}, {outer.name})",
            )


def _check_uniform(work: Work, bounds: Bounds, threads: list[IterVar]) -> None:
    """All threads that reduce together must reduce the same element."""
    for axis in work.op.region_axis:
        used = free_vars(bounds.doms[axis].min)
        for thread in threads:
            if thread.var in used:
                scope = bounds.scopes[work.stage]
                raise schedule_error(
                    "GC122",
                    f"stage {work.stage.name} reduces over {thread.thread_tag}, but lives in {scope} memory, where "
                    "each of "
                    f"these threads needs another element of axis {axis.name!r}",
                    stage=work.stage,
                    where=work.stage.scope_span or work.stage.attach_span,
                    hint=f"s[{work.stage.name}].set_scope('shared'), or attach it outside of the loop bound to "
                    f"{thread.thread_tag}",
                )


def cross_thread_nest(builder: Builder, work: Work, threads: list[IterVar]) -> Stmt:
    """The nest of a stage that reduces over ``threads``.

    Data-parallel loops, then: a local partial result over the serial reduction loops (if there are any), an AllReduce
    of it, and a store by one thread, or by every thread where each has memory of its own.
    """
    bounds, stage = builder.bounds, work.stage
    _check_order(work, bounds)
    _check_uniform(work, bounds, threads)
    assert isinstance(work.op, ComputeOp)
    reduce = work.op.body[0]
    assert isinstance(reduce, Reduce)
    serial = [iv for iv in work.leaves if iv.iter_type == IterVar.CommReduce and bounds.thread(stage, iv) is None]
    serial = [iv for iv in serial if not bounds.is_single(iv)]
    first = next((i for i, iv in enumerate(work.leaves) if serial and iv is serial[0]), len(work.leaves))
    condition = conjunction([likely(g) for g in [*work.data_guards, *work.reduce_guards]])
    user: Expr = substitute(reduce.condition, work.mapping)
    if not is_const_int(user, 1):
        condition = user if condition is None else conjunction([condition, user])
    results = _locals(work, "all")
    body: Stmt
    if serial:
        partial = _locals(work, "part")
        values: tuple[Expr, ...] = tuple([b[0] for b in partial])
        body = seq(
            _partial_nest(builder, work, reduce, first, partial, condition),
            _all(work, reduce, values, _TRUE, results, threads),
        )
    else:
        partial = ()
        source = tuple([substitute(x, work.mapping) for x in reduce.source])
        body = _all(work, reduce, source, _TRUE if condition is None else condition, results, threads)
    body = seq(body, _store(builder, work, reduce, results, threads))
    for buffer in (*results, *partial):
        body = BufferRealize(buffer, _ONE_ELEMENT, _TRUE, body, work.op.span)
    for position in range(first - 1, -1, -1):
        for child in reversed(work.children.get(position, ())):
            body = builder.pipeline(child, body)
        body = builder.loops.loop(stage, work.leaves[position], body)
    return body


def _locals(work: Work, what: str) -> tuple[Buffer, ...]:
    name = work.op.name
    return tuple(
        [decl_buffer((1,), t.dtype, f"{name}.{what}{i or ''}", scope="local") for i, t in enumerate(work.op.outputs)]
    )


def _all(
    work: Work,
    reduce: Reduce,
    values: tuple[Expr, ...],
    condition: Expr,
    results: tuple[Buffer, ...],
    threads: list[IterVar],
) -> Stmt:
    return AllReduce(reduce.combiner, values, condition, results, tuple([t.var for t in threads]), work.op.span)


def _partial_nest(
    builder: Builder, work: Work, reduce: Reduce, first: int, partial: tuple[Buffer, ...], condition: Expr | None
) -> Stmt:
    span = work.op.span
    init = [
        BufferStore(b, x, (_ZERO,), None, span) for b, x in zip(partial, reduce.combiner.identity_element, strict=True)
    ]
    source = tuple([substitute(x, work.mapping) for x in reduce.source])
    new = reduce.combiner(tuple([b[0] for b in partial]), source)
    if len(new) == 1:
        body: Stmt = BufferStore(partial[0], new[0], (_ZERO,), None, span)
    else:
        names = [Var(f"{work.op.name}_v{i}", v.dtype) for i, v in enumerate(new)]
        body = seq([BufferStore(b, n, (_ZERO,), None, span) for b, n in zip(partial, names, strict=True)])
        body = let_values(work.op.name, names, new, body, span)
    if condition is not None:
        body = IfThenElse(condition, body, None, span)
    for position in range(len(work.leaves) - 1, first - 1, -1):
        for child in reversed(work.children.get(position, ())):
            body = builder.pipeline(child, body)
        body = builder.loops.loop(work.stage, work.leaves[position], body)
    return seq(init, body)


def _store(builder: Builder, work: Work, reduce: Reduce, results: tuple[Buffer, ...], threads: list[IterVar]) -> Stmt:
    values: tuple[Expr, ...] = tuple([b[0] for b in results])
    if adds_atomically(work.stage, builder.bounds):
        body = atomic_stores(work, values[0])
    else:
        if reduce.init:
            values = reduce.combiner(tuple([substitute(x, work.mapping) for x in reduce.init]), values)
        body = builder.stores(work, list(values))
    checks = [likely(g) for g in work.data_guards]
    if work.thread_guard is not None:
        checks.append(work.thread_guard)
    scope = builder.bounds.scopes[work.stage]
    if work.stage.store_predicate is None:  # where memory is shared by the threads, the first of them stores
        checks += [EQ(t.var, operators.const(0, t.var.dtype)) for t in threads if needs_relax(scope, t.thread_tag)]
    condition = conjunction(checks)
    return body if condition is None else IfThenElse(condition, body, None, work.op.span)
