"""Each backend's list of passes, as data.  ``Sequential`` refuses an order that breaks a pass's needs.

Facts: "buffers" (accesses go to multi-dimensional buffers), "flat" (one-dimensional), "scalar-loops" (no
vectorized loops left), "threads" (no virtual threads left), "synced" (barriers are in), "no-allreduce".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gpucomp.analysis import verify_gpu_code, verify_memory
from gpucomp.analysis.verify_clusters import verify_clusters
from gpucomp.ir.transform import Pass, PassContext, Sequential
from gpucomp.target import Target
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.ptx import open_ptx
from gpucomp.transform.bound_checkers import instrument_bound_checkers
from gpucomp.transform.bulk_copies import bulk_copies
from gpucomp.transform.bytes_in_words import bytes_in_words
from gpucomp.transform.choose_intrinsics import choose_intrinsics
from gpucomp.transform.common_subexpr_elim import common_subexpr_elim
from gpucomp.transform.flatten_storage import flatten_storage
from gpucomp.transform.hoist_if_then_else import hoist_if_then_else
from gpucomp.transform.hoist_invariants import hoist_invariants
from gpucomp.transform.inject_double_buffer import inject_double_buffer
from gpucomp.transform.inject_prefetch import inject_prefetch
from gpucomp.transform.inject_software_pipeline import inject_software_pipeline
from gpucomp.transform.inject_virtual_thread import inject_virtual_thread
from gpucomp.transform.join_reductions import join_reductions
from gpucomp.transform.loads_first import loads_first
from gpucomp.transform.loop_ends import loop_ends
from gpucomp.transform.lower_blocks import lower_blocks
from gpucomp.transform.lower_intrin import lower_intrin
from gpucomp.transform.lower_thread_allreduce import lower_thread_allreduce
from gpucomp.transform.lower_warp_memory import lower_warp_memory
from gpucomp.transform.product_order import product_order
from gpucomp.transform.remove_no_op import remove_no_op
from gpucomp.transform.round_conditions import round_conditions
from gpucomp.transform.serialize_threads import serialize_threads
from gpucomp.transform.simplify import simplify
from gpucomp.transform.storage_rewrite import storage_rewrite
from gpucomp.transform.thread_sync import thread_sync
from gpucomp.transform.unroll_loop import unroll_loop
from gpucomp.transform.vectorize_loop import serialize_vectorized, vectorize_loop

Step = Pass  # of PrimFunc
_F: Final = frozenset


def _check(verify: Callable[[PrimFunc], object]) -> Callable[[PrimFunc], PrimFunc]:
    def run(func: PrimFunc) -> PrimFunc:
        verify(func)
        return func

    run.__name__ = verify.__name__
    return run


def _vectorize(func: PrimFunc) -> PrimFunc:
    disabled = bool(PassContext.current().config.get("tir.disable_vectorize", False))
    return serialize_vectorized(func) if disabled else vectorize_loop(func)


def _user_passes(phase: int) -> Callable[[PrimFunc], PrimFunc]:
    def run(func: PrimFunc) -> PrimFunc:
        for wanted, extra in PassContext.current().config.get("tir.add_lower_pass", ()):
            if wanted == phase:
                func = extra(func)
        return func

    return run


def _open_ptx(func: PrimFunc) -> PrimFunc:
    return func.with_body(open_ptx(func.body, func.buffer_map, flat=True))


FLATTEN: Final = [
    Step("lower_blocks", lower_blocks, needs=_F({"buffers"})),
    Step("choose_intrinsics", choose_intrinsics, needs=_F({"buffers"})),
    Step("user_passes_0", _user_passes(0)),
    Step("inject_prefetch", inject_prefetch, needs=_F({"buffers"})),
    Step("instrument_bound_checkers", instrument_bound_checkers, needs=_F({"buffers"})),
    Step("flatten_storage", flatten_storage, needs=_F({"buffers"}), gives=_F({"flat"}), drops=_F({"buffers"})),
    Step("open_ptx", _open_ptx, needs=_F({"flat"})),
    Step("simplify", simplify, needs=_F({"flat"}), optional=True),
    Step("user_passes_1", _user_passes(1)),
]

LOOPS: Final = [
    Step("vectorize_loop", _vectorize, needs=_F({"flat"}), gives=_F({"scalar-loops"})),
    Step("bytes_in_words", bytes_in_words, needs=_F({"flat", "scalar-loops"})),
    Step("inject_virtual_thread", inject_virtual_thread, needs=_F({"flat", "scalar-loops"}), gives=_F({"threads"})),
    Step("loads_first", loads_first, needs=_F({"flat", "threads"})),
    Step("inject_software_pipeline", inject_software_pipeline, needs=_F({"flat", "threads"}), gives=_F({"pipelined"})),
    Step("inject_double_buffer", inject_double_buffer, needs=_F({"flat", "pipelined"}), gives=_F({"staged"})),
    Step("storage_rewrite", storage_rewrite, needs=_F({"staged"}), opt_level=1, optional=True),
    Step("product_order", product_order, needs=_F({"staged"})),
    Step("unroll_loop", unroll_loop, needs=_F({"threads"}), gives=_F({"unrolled"})),
    Step("hoist_if_then_else", hoist_if_then_else, needs=_F({"flat"}), opt_level=1, optional=True),
    Step("simplify_again", simplify, needs=_F({"flat"}), optional=True),
    Step("remove_no_op", remove_no_op, needs=_F({"flat"}), optional=True),
    Step("user_passes_2", _user_passes(2)),
]

CLEAN_UP: Final = [
    Step("lower_intrin", lower_intrin, needs=_F({"flat", "unrolled"}), gives=_F({"lowered-intrinsics"})),
    Step("hoist_invariants", hoist_invariants, needs=_F({"unrolled"}), opt_level=1, optional=True),
    Step("common_subexpr_elim", common_subexpr_elim, needs=_F({"unrolled"}), opt_level=1, optional=True),
    Step("user_passes_3", _user_passes(3)),
]

GPU_THREADS: Final = [
    Step("bulk_copies", bulk_copies, needs=_F({"staged", "unrolled"})),
    Step("verify_memory", _check(verify_memory), needs=_F({"flat"})),
    Step("verify_clusters", _check(verify_clusters), needs=_F({"flat"})),
    Step("lower_warp_memory", lower_warp_memory, needs=_F({"staged", "unrolled"}), gives=_F({"no-warp"})),
    Step("thread_sync", thread_sync, needs=_F({"staged", "unrolled", "no-warp"}), gives=_F({"synced"})),
    Step("join_reductions", join_reductions, needs=_F({"synced"})),
    Step("lower_thread_allreduce", lower_thread_allreduce, needs=_F({"synced"}), gives=_F({"no-allreduce"})),
    Step("verify_gpu_code", _check(verify_gpu_code), needs=_F({"no-allreduce"})),
]

# A schedule for a GPU runs on processors too: what needs threads that wait for each other becomes loops.
CPU_THREADS: Final = [
    Step("lower_warp_memory", lower_warp_memory, needs=_F({"staged", "unrolled"}), gives=_F({"no-warp"})),
    Step("thread_sync", thread_sync, needs=_F({"staged", "unrolled", "no-warp"}), gives=_F({"synced"})),
    Step("serialize_threads", serialize_threads, needs=_F({"synced"}), gives=_F({"no-allreduce"})),
]

# What only device compilers gain from.
GPU_ROUNDS: Final = [
    Step(
        "round_conditions", round_conditions, needs=_F({"flat", "unrolled", "no-allreduce"}), opt_level=1, optional=True
    ),
]

GPU_TEXT: Final = [
    Step("loop_ends", loop_ends, needs=_F({"synced", "unrolled"})),
]

GPU: Final = Sequential(
    [*FLATTEN, *LOOPS, *GPU_THREADS, *GPU_ROUNDS, *CLEAN_UP, *GPU_TEXT], name="gpu", given=("buffers",)
)
CPU: Final = Sequential([*FLATTEN, *LOOPS, *CPU_THREADS, *CLEAN_UP], name="cpu", given=("buffers",))
LOWER: Final = Sequential([*FLATTEN, *LOOPS], name="lower", given=("buffers",))


def pipeline(target: Target | None) -> Sequential[PrimFunc]:
    """The passes for a target; without one, those that every target shares."""
    if target is None:
        return LOWER
    return GPU if target.is_gpu else CPU
