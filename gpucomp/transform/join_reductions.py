"""Reductions over threads that follow one another, of several rows, meet once.

Where an unrolled loop does nothing but reduce one thing after another over the same threads, each round would wait for
all threads of the block, or of a cluster of blocks.  The rounds become one reduction of as many values, whose exchanges
go side by side::

    for i in unroll(2):                               own_all0, own_all1 = all_reduce((own[0], own[1]))
        own_all = all_reduce((own[i]))       -->      row[0] = own_all0
        row[i] = own_all                              row[1] = own_all1
"""

from __future__ import annotations

from typing import Final

from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import CommReducer, Expr, IntImm, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, expr_post_order, substitute
from gpucomp.tir.stmt import Stmt

MOST_VALUES: Final = 16  # that one reduction carries: each takes registers for itself and for what it meets


def join_reductions(func: PrimFunc) -> PrimFunc:
    """Join the rounds of unrolled loops of reductions.  Runs on flat functions, before ``lower_thread_allreduce``."""
    return func.with_body(_Join().stmt(func.body))


class _Join(Mutator):
    def visit_for(self, node: s.For) -> Stmt:
        found = _rounds(node)
        if found is None:
            return super().visit_for(node)
        reduction, after, count = found
        begin = node.min
        more = [[_own(b, k) for b in reduction.results] for k in range(1, count)]
        results = [list(reduction.results), *more]
        values: list[Expr] = []
        tail: list[Stmt] = []
        for k in range(count):
            at = {node.loop_var: operators.add(begin, k)}
            values += [substitute(value, at) for value in reduction.values]
            renamed = dict(zip(reduction.results, results[k], strict=True))
            tail += [_Rename(renamed).stmt(substitute(stmt, at)) for stmt in after]
        joined = s.AllReduce(
            _side_by_side(reduction.combiner, count),
            tuple(values),
            reduction.condition,
            tuple([b for own in results for b in own]),
            reduction.threads,
            reduction.span,
        )
        body: Stmt = s.seq(joined, *tail)
        for own in reversed(more):
            for buffer in reversed(own):
                body = s.Allocate(buffer.data, buffer.dtype, buffer.shape, operators.const(1, "bool"), body)
        return body


def _rounds(node: s.For) -> tuple[s.AllReduce, list[Stmt], int] | None:
    """The reduction of a loop, what each round does with its results, and how many rounds; None where they depend."""
    if node.kind is not s.ForKind.UNROLLED or not isinstance(node.extent, IntImm) or node.extent.value < 2:
        return None
    reduction, *after = node.body.seq if isinstance(node.body, s.SeqStmt) else (node.body,)
    if not isinstance(reduction, s.AllReduce) or node.extent.value * len(reduction.values) > MOST_VALUES:
        return None
    if not all([isinstance(stmt, s.BufferStore) for stmt in after]) or not after:
        return None
    written = [b.data for b in reduction.results] + [x.buffer.data for x in after if isinstance(x, s.BufferStore)]
    if any([_reads(value, written) for value in reduction.values]):
        return None
    varies = any([item is node.loop_var for item in expr_post_order(reduction.condition)])
    return None if varies or _reads(reduction.condition, written) else (reduction, after, node.extent.value)


def _reads(value: Expr, memory: list[Var]) -> bool:
    loads = [item for item in expr_post_order(value) if isinstance(item, e.BufferLoad)]
    return any([load.buffer.data is data for load in loads for data in memory])


def _own(buffer: Buffer, turn: int) -> Buffer:
    return decl_buffer(buffer.shape, buffer.dtype, f"{buffer.name}_{turn}", scope=buffer.scope())


def _side_by_side(combiner: CommReducer, count: int) -> CommReducer:
    """A combiner of ``count`` times as many values, which combine as they did."""
    lhs: list[Var] = []
    rhs: list[Var] = []
    result: list[Expr] = []
    for k in range(count):
        left = [Var(f"{v.name}_{k}", v.dtype) for v in combiner.lhs]
        right = [Var(f"{v.name}_{k}", v.dtype) for v in combiner.rhs]
        result += combiner(tuple(left), tuple(right))
        lhs += left
        rhs += right
    return CommReducer(tuple(lhs), tuple(rhs), tuple(result), combiner.identity_element * count)


class _Rename(Mutator):
    """Loads of the results of a reduction become loads of a round's own."""

    def __init__(self, renamed: dict[Buffer, Buffer]) -> None:
        super().__init__()
        self.renamed = renamed

    def visit_buffer_load(self, node: e.BufferLoad) -> Expr:
        own = self.renamed.get(node.buffer)
        return self.visit_expr(node) if own is None else e.BufferLoad(own, node.indices)
