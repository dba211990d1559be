"""Reductions over blocks by atomic additions: the order of additions, and so the rounding, differs from run to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gpucomp.te.bound import Bounds
from gpucomp.te.errors import schedule_error
from gpucomp.te.operation import ComputeOp
from gpucomp.te.stage import Stage
from gpucomp.tir import operators
from gpucomp.tir.expr import LT, Add, Expr, IterVar, ProducerLoad, Range, Reduce, Var
from gpucomp.tir.functor import substitute
from gpucomp.tir.intrin import call_intrin, likely
from gpucomp.tir.stmt import AttrStmt, Evaluate, IfThenElse, ProducerStore, Stmt, seq

if TYPE_CHECKING:
    from gpucomp.te.schedule_ops import Work

KEY: Final = "atomic"
_THREADS: Final = 256


def is_atomic(stage: Stage, leaf: IterVar) -> bool:
    """True for a reduction loop whose iterations may add to the result at the same time."""
    found = stage.iter_var_attrs.get(leaf)
    return found is not None and any([key == KEY for key, *_ in found.pragmas])


def adds_atomically(stage: Stage, bounds: Bounds) -> bool:
    """True for a stage with such a loop, bound to blocks.

    Raises:
        ScheduleError: GC122 it is no sum, or not one that blocks can add to.
    """
    leaves = [leaf for leaf in stage.leaf_iter_vars if is_atomic(stage, leaf)]
    if not leaves:
        return False
    leaf = leaves[0]
    thread = bounds.thread(stage, leaf)
    problem = _problem(stage, bounds, leaf, "" if thread is None else thread.thread_tag)
    if problem:
        raise schedule_error(
            "GC122",
            f"pragma 'atomic' of axis {leaf.name!r} of stage {stage.name}: {problem[0]}",
            stage=stage,
            where=stage.attr(leaf).bind_span or stage.span,
            hint=problem[1],
        )
    return True


def _problem(stage: Stage, bounds: Bounds, leaf: IterVar, tag: str) -> tuple[str, str] | None:
    op = stage.op
    body = op.body[0] if isinstance(op, ComputeOp) else None
    if leaf.iter_type != IterVar.CommReduce or not isinstance(body, Reduce):
        return "it is no reduction axis", f"mark one of s[{stage.name}].op.reduce_axis, or what they were split into"
    if not tag.startswith("blockIdx"):
        return "it is not bound to blocks", f"s[{stage.name}].bind({leaf.name}, te.thread_axis('blockIdx.x'))"
    combiner = body.combiner
    is_sum = len(combiner.result) == 1 and isinstance(combiner.result[0], Add)
    if not is_sum:
        return "blocks can only add", f"s.rfactor({stage.name}, {leaf.name}) reduces in two kernels"
    if bounds.root_of(stage) is not stage or bounds.scopes[stage] not in ("", "global"):
        return "the result is not in global memory, or its kernel is another stage's", f"s[{stage.name}].compute_root()"
    return None


def atomic_stores(work: Work, value: Expr) -> Stmt:
    """Add a value to the element of the result."""
    (tensor,) = work.op.outputs
    place = call_intrin("handle", "address_of", ProducerLoad(tensor, work.indices))
    return Evaluate(call_intrin(tensor.dtype, "atomic_add", place, value), work.op.span)


def start_kernel(stage: Stage) -> Stmt:
    """The kernel that stores the value from which a result starts, before blocks add to it."""
    op = stage.op
    assert isinstance(op, ComputeOp)
    reduce = op.body[0]
    assert isinstance(reduce, Reduce)
    (tensor,) = op.outputs
    total: Expr = operators.const(1)
    for extent in tensor.shape:
        total = operators.multiply(total, extent)
    blocks = operators.floordiv(operators.add(total, _THREADS - 1), _THREADS)
    block, thread = Var("start_block", total.dtype), Var("start_thread", total.dtype)
    place = left = operators.add(operators.multiply(block, _THREADS), thread)
    indices: list[Expr] = []
    for extent in reversed(tensor.shape):
        indices.insert(0, operators.floormod(left, extent))
        left = operators.floordiv(left, extent)
    if indices:
        indices[0] = operators.floormod(indices[0], tensor.shape[0])
    start = (reduce.init or reduce.combiner.identity_element)[0]
    mapping: dict[Var, Expr] = {a.var: x for a, x in zip(op.axis, indices, strict=True)}
    body: Stmt = ProducerStore(tensor, substitute(start, mapping), tuple(indices), op.span)
    body = IfThenElse(likely(operators.compare(LT, place, total)), body, None, op.span)
    for tag, var, extent in (("threadIdx.x", thread, operators.const(_THREADS)), ("blockIdx.x", block, blocks)):
        axis = IterVar(Range.from_min_extent(0, extent), var, IterVar.ThreadIndex, tag)
        body = AttrStmt(axis, "thread_extent", extent, body, op.span)
    return seq(body)
