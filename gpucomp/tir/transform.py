"""The passes over PrimFuncs under their standard public names; the pipelines are in ``gpucomp.driver.pipelines``.

Each function gives a pass, which takes a module or a PrimFunc: ``Simplify()(mod)``.  A pass that works on flat
memory wants :func:`StorageFlatten` before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from gpucomp.analysis.verify_memory import verify_memory
from gpucomp.ir.transform import Pass
from gpucomp.ir.user_pass import Unit, function_pass, prim_func_pass
from gpucomp.tir.function import PrimFunc
from gpucomp.transform.common_subexpr_elim import common_subexpr_elim
from gpucomp.transform.flatten_storage import flatten_storage
from gpucomp.transform.hoist_if_then_else import hoist_if_then_else
from gpucomp.transform.inject_double_buffer import inject_double_buffer
from gpucomp.transform.inject_prefetch import inject_prefetch
from gpucomp.transform.inject_software_pipeline import inject_software_pipeline
from gpucomp.transform.inject_virtual_thread import inject_virtual_thread
from gpucomp.transform.lower_intrin import lower_intrin
from gpucomp.transform.lower_thread_allreduce import lower_thread_allreduce
from gpucomp.transform.lower_warp_memory import lower_warp_memory
from gpucomp.transform.remove_no_op import remove_no_op
from gpucomp.transform.simplify import simplify
from gpucomp.transform.storage_rewrite import storage_rewrite
from gpucomp.transform.thread_sync import thread_sync
from gpucomp.transform.unroll_loop import unroll_loop
from gpucomp.transform.vectorize_loop import serialize_vectorized, vectorize_loop

FuncPass: TypeAlias = Pass[Unit]

__all__ = [
    "CommonSubexprElimTIR", "FlattenBuffer", "HoistIfThenElse", "InjectDoubleBuffer", "InjectPrefetch",
    "InjectSoftwarePipeline", "InjectVirtualThread", "LowerIntrin", "LowerThreadAllreduce", "LowerWarpMemory",
    "RemoveNoOp", "Simplify", "StorageFlatten", "StorageRewrite", "ThreadSync", "UnrollLoop", "VectorizeLoop",
    "VerifyMemory", "prim_func_pass",
]  # fmt: skip


def _pass(name: str, function: Callable[[PrimFunc], PrimFunc]) -> FuncPass:
    return function_pass(f"tir.{name}", lambda func, _mod: function(func))


def Simplify() -> FuncPass:
    """Simplify expressions under what their loops and conditions say."""
    return _pass("Simplify", simplify)


def VectorizeLoop(enable_vectorize: bool = True) -> FuncPass:
    """Vectorized loops become vector expressions, or serial loops."""
    return _pass("VectorizeLoop", vectorize_loop if enable_vectorize else serialize_vectorized)


def UnrollLoop() -> FuncPass:
    """Write loops out that are marked so."""
    return _pass("UnrollLoop", unroll_loop)


def StorageFlatten(cache_line_size: int = 64, create_bound_attribute: bool = False) -> FuncPass:
    """Multi-dimensional buffers become flat memory; the arguments are accepted for compatibility."""
    return _pass("StorageFlatten", flatten_storage)


def FlattenBuffer() -> FuncPass:
    """The same as :func:`StorageFlatten`."""
    return _pass("FlattenBuffer", flatten_storage)


def StorageRewrite() -> FuncPass:
    """Let allocations whose lives do not overlap share memory."""
    return _pass("StorageRewrite", storage_rewrite)


def InjectVirtualThread() -> FuncPass:
    """Virtual threads become copies of what they run."""
    return _pass("InjectVirtualThread", inject_virtual_thread)


def InjectDoubleBuffer() -> FuncPass:
    """Memory marked so is filled one iteration ahead."""
    return _pass("InjectDoubleBuffer", inject_double_buffer)


def InjectSoftwarePipeline() -> FuncPass:
    """Loops marked so load several iterations ahead."""
    return _pass("InjectSoftwarePipeline", inject_software_pipeline)


def InjectPrefetch() -> FuncPass:
    """Statements of prefetches become calls, or go."""
    return _pass("InjectPrefetch", inject_prefetch)


def HoistIfThenElse(variant: str | None = None) -> FuncPass:
    """Conditions move out of the loops that do not change them; the argument is accepted for compatibility."""
    return _pass("HoistIfThenElse", hoist_if_then_else)


def RemoveNoOp() -> FuncPass:
    """What does nothing goes."""
    return _pass("RemoveNoOp", remove_no_op)


def CommonSubexprElimTIR(enable_cse_tir: bool = True, identify_equiv_terms: bool = False) -> FuncPass:
    """Repeated expressions are computed once; the second argument is accepted for compatibility."""
    return _pass("CommonSubexprElimTIR", common_subexpr_elim if enable_cse_tir else _same)


def LowerIntrin() -> FuncPass:
    """Operations become the cheaper ones of the function's target."""
    return _pass("LowerIntrin", lower_intrin)


def LowerThreadAllreduce() -> FuncPass:
    """Reductions over threads become exchanges between them."""
    return _pass("LowerThreadAllreduce", lower_thread_allreduce)


def LowerWarpMemory() -> FuncPass:
    """Memory of warps becomes registers and shuffles."""
    return _pass("LowerWarpMemory", lower_warp_memory)


def ThreadSync(storage_scope: str = "shared") -> FuncPass:
    """Put barriers between accesses of shared memory that need them; other scopes need none."""
    return _pass("ThreadSync", thread_sync if storage_scope.startswith("shared") else _same)


def VerifyMemory() -> FuncPass:
    """Refuse a function of a GPU that uses memory where no thread runs."""
    return _pass("VerifyMemory", _verified)


def _verified(func: PrimFunc) -> PrimFunc:
    verify_memory(func)
    return func


def _same(func: PrimFunc) -> PrimFunc:
    return func
