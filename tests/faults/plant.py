"""Compiler faults to plant: each puts one wrong decision into a real pass, or into the lowering of schedules.

A fault is planted by replacing the function that takes the decision, or by changing what a pass of the pipeline for
GPUs gives.  Everything else of the compiler stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gpucomp.driver import pipelines
from gpucomp.ir.transform import Sequential
from gpucomp.tir import operators
from gpucomp.tir.expr import LE, LT, Broadcast, BufferLoad, Expr, IntImm, Ramp, Range
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator
from gpucomp.tir.stmt import NOOP, Evaluate, For, IfThenElse, Stmt
from gpucomp.transform.thread_sync import is_barrier
from tests.faults import kernels
from tests.golden.cases import Made

Patch = pytest.MonkeyPatch
Change = Callable[[PrimFunc], PrimFunc]


@dataclass(frozen=True)
class Fault:
    """One wrong decision.

    Attributes:
        name: says what is wrong.
        kernel: on which it shows.
        plant: puts it into the compiler.
        found: code of the interpreter's error, or "differs" for results that are not those of the operators.
        named: the pass that ``GPUCOMP_VERIFY=3`` names; None for faults in the lowering of schedules.
        target: what the kernel is compiled for.
    """

    name: str
    kernel: Callable[[], Made]
    plant: Callable[[Patch], None]
    found: str
    named: str | None = None
    target: str = "cuda -arch=sm_90"


FAULTS: list[Fault] = []


def fault(
    kernel: Callable[[], Made], found: str, named: str | None = None, target: str = "cuda -arch=sm_90"
) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Register a fault under the name of the function that plants it."""

    def add(plant: Callable[[Patch], None]) -> Callable[[Patch], None]:
        FAULTS.append(Fault(plant.__name__, kernel, plant, found, named, target))
        return plant

    return add


def change_after(patch: Patch, name: str, change: Change) -> None:
    """Let a pass of the GPU pipeline do what it does, then ``change`` its result."""
    before = {p.name: p for p in pipelines.GPU.passes}[name]
    wrong = replace(before, fn=lambda func: change(before.fn(func)))
    passes = [wrong if p is before else p for p in pipelines.GPU.passes]
    patch.setattr(pipelines, "GPU", Sequential(passes, "gpu", given=("buffers",)))


class _Statements(Mutator):
    """A mutator that leaves expressions alone."""

    def expr(self, node: Expr) -> Expr:
        return node


# -- lowering of schedules ----------------------------------------------------------------------------------------


def _one_too_far(patch: Patch, *, of_sums: bool) -> None:
    """Bound checks of split loops that let one element too many pass."""
    from gpucomp.te import schedule_ops

    real = schedule_ops.split_predicates

    def wrong(*args: Any, only_reduce: bool = False, **options: Any) -> Any:  # Any: hands everything on
        checks = real(*args, only_reduce=only_reduce, **options)
        if only_reduce is not of_sums:
            return checks
        return [(axis, operators.compare(LE, c.a, c.b) if isinstance(c, LT) else c) for axis, c in checks]

    patch.setattr(schedule_ops, "split_predicates", wrong)


@fault(kernels.uneven, "GC402")
def bound_check_off_by_one(patch: Patch) -> None:
    _one_too_far(patch, of_sums=False)


@fault(kernels.uneven_sum, "GC402")
def bound_check_of_a_sum_off_by_one(patch: Patch) -> None:
    _one_too_far(patch, of_sums=True)


@fault(lambda: kernels.golden("shared_stencil"), "GC402")
def shared_region_too_small(patch: Patch) -> None:
    from gpucomp.te import operation

    real = operation.union_domain

    def wrong(whole: Range, parts: Any, forms: Any) -> tuple[Range, bool]:
        region, exact = real(whole, parts, forms)
        if region is whole:
            return region, exact
        return Range.from_min_extent(region.min, operators.subtract(region.extent, 1)), exact

    patch.setattr(operation, "union_domain", wrong)


@fault(kernels.filled_by_one_thread, "differs")
def shared_region_of_one_thread(patch: Patch) -> None:
    """The region is not relaxed over the threads that share the memory."""
    from gpucomp.te import bound

    real = bound.needs_relax
    patch.setattr(bound, "needs_relax", lambda scope, tag: scope != "shared" and real(scope, tag))


@fault(kernels.running_sum, "GC404")
def sum_without_a_start(patch: Patch) -> None:
    from gpucomp.te.schedule_ops import Builder

    patch.setattr(Builder, "init_nest", lambda *_: NOOP)


@fault(kernels.uneven_sum, "differs")
def sum_without_a_start_in_the_output(patch: Patch) -> None:
    sum_without_a_start(patch)


@fault(kernels.swapped_inline, "differs")
def inlined_with_swapped_indices(patch: Patch) -> None:
    from gpucomp.te import normalize

    real = normalize.substitute

    def wrong(node: Any, mapping: Any) -> Any:
        return real(node, dict(zip(mapping, reversed(mapping.values()), strict=True)))

    patch.setattr(normalize, "substitute", wrong)


# -- storage --------------------------------------------------------------------------------------------------------


@fault(kernels.not_square, "GC402", "flatten_storage")
def strides_in_the_wrong_order(patch: Patch) -> None:
    from gpucomp.transform.flatten_storage import _Flatten

    real = _Flatten._dot

    def wrong(self: Any, layout: Any, indices: tuple[Expr, ...]) -> Expr:
        return real(self, layout, tuple(reversed(indices)))

    patch.setattr(_Flatten, "_dot", wrong)


@fault(kernels.two_tiles, "differs", "storage_rewrite")
def memory_shared_while_in_use(patch: Patch) -> None:
    """A buffer counts as free after its first use."""
    from gpucomp.transform.storage_rewrite import _Memory

    real = _Memory.close

    def wrong(self: _Memory) -> None:
        real(self)
        self.last = self.first

    patch.setattr(_Memory, "close", wrong)


# -- threads ----------------------------------------------------------------------------------------------------


class _DropBarrier(_Statements):
    """Leaves out one barrier, counted from 0."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def visit_evaluate(self, node: Evaluate) -> Stmt:
        if not is_barrier(node):
            return node
        self.number -= 1
        return NOOP if self.number == -1 else node


def _without_barrier(patch: Patch, number: int) -> None:
    change_after(patch, "thread_sync", lambda f: f.with_body(_DropBarrier(number).stmt(f.body)))


@fault(lambda: kernels.golden("shared_stencil"), "GC401", "thread_sync")
def no_barrier_before_the_use(patch: Patch) -> None:
    _without_barrier(patch, 0)


@fault(kernels.tiles, "GC401", "thread_sync")
def no_barrier_between_rounds(patch: Patch) -> None:
    from gpucomp.transform.thread_sync import _Sync

    patch.setattr(_Sync, "carry", lambda _self, body, _carried: body)


class _Unguarded(_Statements):
    """Takes conditions at the top of loops away."""

    def __init__(self) -> None:
        super().__init__()
        self.loops = 0

    def visit_for(self, node: For) -> Stmt:
        self.loops += 1
        done = super().visit_for(node)
        self.loops -= 1
        return done

    def visit_if_then_else(self, node: IfThenElse) -> Stmt:
        return node.then_case if self.loops == 1 and node.else_case is None else super().visit_if_then_else(node)


@fault(lambda: kernels.golden("double_buffer"), "GC402", "inject_double_buffer")
def double_buffer_without_its_guard(patch: Patch) -> None:
    """The last iteration loads a tile past the end."""
    change_after(patch, "inject_double_buffer", lambda f: f.with_body(_Unguarded().stmt(f.body)))


@fault(lambda: kernels.golden("double_buffer"), "GC401", "thread_sync")
def double_buffer_without_its_barrier(patch: Patch) -> None:
    _without_barrier(patch, 0)


@fault(lambda: kernels.golden("double_buffer"), "GC404", "inject_double_buffer")
def double_buffer_that_starts_in_the_wrong_half(patch: Patch) -> None:
    from gpucomp.transform import inject_double_buffer as module

    real = module.moved_step

    def wrong(node: Stmt, var: Any, value: Expr, halves: Any, half: Expr) -> Stmt:
        other = operators.const(1, var.dtype) if isinstance(half, IntImm) else half
        return real(node, var, value, halves, other)

    patch.setattr(module, "moved_step", wrong)


@fault(lambda: kernels.tiles(vthreads=2), "differs", "inject_virtual_thread")
def virtual_threads_with_a_wrong_stride(patch: Patch) -> None:
    """Copies of memory lie one element apart instead of one buffer."""
    from gpucomp.transform.inject_virtual_thread import _Injector

    real = _Injector.copy_of

    def wrong(self: _Injector, buffer: Any) -> Any:
        place = real(self, buffer)
        return None if place is None else (place[0], self.var)

    patch.setattr(_Injector, "copy_of", wrong)


# -- reductions over threads ------------------------------------------------------------------------------------


@fault(lambda: kernels.golden("row_sum_32_threads"), "differs", "lower_thread_allreduce")
def exchange_that_leaves_out_half_of_the_warp(patch: Patch) -> None:
    from gpucomp.transform.lower_thread_allreduce import _Reduction

    real = _Reduction.exchange
    patch.setattr(_Reduction, "exchange", lambda self, width, mask: real(self, width // 2, mask))


@fault(kernels.wide_sum, "differs", "lower_thread_allreduce")
def reduction_that_misses_the_last_warp(patch: Patch) -> None:
    from gpucomp.transform.lower_thread_allreduce import _Reduction

    real = _Reduction.across_warps

    def wrong(self: _Reduction, buffers: Any) -> Stmt:
        self.count -= self.warp
        return real(self, buffers)

    patch.setattr(_Reduction, "across_warps", wrong)


@fault(lambda: kernels.golden("row_sum_48_threads"), "GC401", "lower_thread_allreduce")
def tree_in_memory_without_barriers(patch: Patch) -> None:
    from gpucomp.transform import lower_thread_allreduce

    patch.setattr(lower_thread_allreduce, "_barrier", lambda: NOOP)


@fault(lambda: kernels.golden("argmax_threads"), "differs", "lower_thread_allreduce")
def exchange_in_the_wrong_order(patch: Patch) -> None:
    """Lanes are taken from above and below alike, for a combiner that only goes one way."""
    from gpucomp.transform.lower_thread_allreduce import _Reduction

    real = _Reduction._peers
    patch.setattr(_Reduction, "_peers", lambda self, name, mask, lane, width: real(self, name, mask, lane, width // 2))


# -- expressions and loops ------------------------------------------------------------------------------------------


class _FirstLaneOnly(Mutator):
    """Vector loads that give the element of lane 0 to all lanes."""

    def visit_buffer_load(self, node: BufferLoad) -> Expr:
        index = node.indices[0]
        if not isinstance(index, Ramp):
            return super().visit_expr(node)
        return Broadcast(BufferLoad(node.buffer, (index.base,)), index.lanes)


@fault(lambda: kernels.golden("half_vectors"), "differs", "vectorize_loop")
def vector_load_of_one_element(patch: Patch) -> None:
    change_after(patch, "vectorize_loop", lambda f: f.with_body(_FirstLaneOnly().stmt(f.body)))


@fault(kernels.strided_lanes, "differs", "vectorize_loop")
def strided_lanes_taken_for_neighbours(patch: Patch) -> None:
    from gpucomp.transform import lanes

    real = lanes.base_and_step

    def wrong(node: Expr) -> Any:
        found = real(node)
        return None if found is None else (found[0], operators.const(min(1, node.dtype.lanes - 1), found[1].dtype))

    patch.setattr(lanes, "base_and_step", wrong)


@fault(kernels.running_best, "differs", "common_subexpr_elim")
def loads_shared_across_a_store(patch: Patch) -> None:
    """A load counts as arithmetic, so that it is computed once for the whole scope."""
    from gpucomp.transform.scopes import Weights

    real = Weights._of
    patch.setattr(Weights, "_of", lambda self, node: 4 if isinstance(node, BufferLoad) else real(self, node))


@fault(kernels.unrolled_sum, "differs", "unroll_loop")
def unrolled_without_the_last_step(patch: Patch) -> None:
    from gpucomp.transform import unroll_loop

    real = unroll_loop._written_out
    patch.setattr(unroll_loop, "_written_out", lambda loop, body, extent: real(loop, body, extent - 1))


@fault(kernels.negative_quotients, "differs", "lower_intrin")
def floor_division_taken_for_that_of_c(patch: Patch) -> None:
    """Operands count as proven not to be negative."""
    from gpucomp.transform.lower_intrin import _LowerIntrin

    patch.setattr(_LowerIntrin, "_is_plain", lambda _self, _node: True)


@fault(lambda: kernels.golden("shared_stencil"), "GC404", "serialize_threads", target="llvm")
def threads_that_do_not_wait_on_the_processor(patch: Patch) -> None:
    """Each thread runs past the barrier before the next one starts."""
    from gpucomp.transform.serialize_threads import _Block

    patch.setattr(_Block, "meets", lambda _self, _node: False)
