"""The pragmas that passes and code generators know, as data."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Final

from gpucomp.support.diagnostics import caller_span, did_you_mean
from gpucomp.te.errors import schedule_error
from gpucomp.te.stage_state import StageState
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, StringImm

WHOLE_TILES: Final = "whole_tiles"  # bound inference reads this one
PRAGMAS: Final[dict[str, str]] = {
    "auto_unroll_max_step": "unroll the loops inside that take at most this many steps",
    "unroll_explicit": "write unrolled loops out (1), or leave that to the device's compiler (0)",
    "unroll_factor": "tell the device's compiler how often to unroll the loop (1: not at all)",
    "unroll": "unroll the loop, as the primitive does",
    "software_pipeline": "load what later iterations use while this one computes; the value is the number of stages",
    "product_order": "the order of the unrolled products of two fragments: back and forth (1), or row by row (2)",
    "predicate_copies": "asynchronous copies of a pipelined loop that may not happen have a predicate, not a branch",
    "spread_copies": "asynchronous copies of a pipelined loop start in turns, some in each step of the loop inside",
    "loads_first": "load what all iterations of an unrolled loop use before the first of them uses it",
    "nontemporal": "store what the loop writes past the caches (processors only)",
    "min_blocks": "blocks that are to fit a multiprocessor: the device's compiler keeps to as many registers",
    "bulk_copy": "one thread has the copy engine copy what the loop copies to shared memory, where there is one",
    "bulk_ahead": "ask the second-level cache for what the block so many further along blockIdx.x will copy there",
    "bulk_ahead_late": "the same, once what this block copies has come",
    "atomic": "blocks add up this reduction loop by atomic additions, in any order",
    "cache_hint": "how the caches are to treat what the loop loads and stores in global memory",
    WHOLE_TILES: "compute what the stage reads for all iterations of the loop, past the end of the tensors too, so "
    "that producers need no checks inside",
    "debug_skip_region": "leave the loop and what it holds out, to time the rest; results are wrong by intent",
    # Hints without an effect: processors run parallel loops with one fork and join and equal shares, and loop
    # splitting goes by what is proven.
    "parallel_launch_point": "",
    "parallel_stride_pattern": "",
    "parallel_barrier_when_finish": "",
    "loop_partition_hint": "",
    "scope_prefix": "",
}
# The values of "cache_hint".  A hint changes no result; where a device has no instruction for it, nothing happens.
CACHE_HINTS: Final[dict[str, str]] = {
    "read_only": "loads of arrays that the kernel does not write take the read-only path",
    "streaming": "used once: the first to make room in all caches; stores of processors go past the caches",
    "no_allocate": "not kept in the first-level cache",
    "evict_first": "the first to make room in the second-level cache",
    "evict_last": "the last to make room in the second-level cache",
}
# Text that defines what the loop calls by ``call_extern``; ``driver/imports.py`` takes it to the kernels.
SOURCES: Final[dict[str, str]] = {
    "import_c": "text in CUDA C or OpenCL C, put before the kernels",
    "import_llvm": "a module of LLVM IR, linked with code for processors: its text, or the name of a .ll file",
}
_warned: dict[str, None] = {}


def check_pragma(stage: StageState, kind: str, value: Expr) -> None:
    """Refuse what cannot be meant; an unknown kind is warned about once, for passes of the user's may know it.

    Raises:
        ScheduleError: GC104 the kind is no name, or the value does not go with it.
    """
    if not kind or not isinstance(kind, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # what users write
        raise schedule_error(
            "GC104",
            f"pragma: the kind is a name, got {kind!r}",
            stage=stage,
            where=caller_span(),
            hint=f"one of {', '.join(PRAGMAS)}",
        )
    if kind in SOURCES:
        _check_source(stage, kind, value)
        return
    if kind == "cache_hint":
        _check_cache_hint(stage, value)
        return
    if kind in PRAGMAS and isinstance(value, StringImm) and PRAGMAS[kind]:
        raise schedule_error(
            "GC104",
            f"pragma {kind!r} needs a number, got {value.value!r}",
            stage=stage,
            where=caller_span(),
            hint=f"s[{stage.name}].pragma(axis, {kind!r}, 16)",
        )
    if kind in PRAGMAS or kind in _warned:
        return
    _warned[kind] = None
    hint = did_you_mean(kind, {**PRAGMAS, **SOURCES}) or f"known ones: {', '.join(PRAGMAS)}"
    warnings.warn(f"no pass knows the pragma {kind!r}; {hint}", stacklevel=4)


def _check_source(stage: StageState, kind: str, value: Expr) -> None:
    if isinstance(value, StringImm) and value.value.strip():
        return
    given = repr(value.value) if isinstance(value, StringImm) else str(value)
    raise schedule_error(
        "GC104",
        f"pragma {kind!r} needs source text, got {given}",
        stage=stage,
        where=caller_span(),
        hint=SOURCES[kind],
    )


def pragma_value(stage: StageState, kind: str, value: ExprLike | str | None) -> Expr:
    """The value of a pragma as an expression, 1 where none is given; of ``import_llvm``, what a file holds that it
    names.

    Raises:
        ScheduleError: GC104 the file cannot be read.
    """
    if kind != "import_llvm" or not isinstance(value, str) or "\n" in value or not value.endswith(".ll"):
        return operators.convert(1 if value is None else value)
    try:
        return StringImm(Path(value).read_text(encoding="utf-8"))
    except OSError as error:
        raise schedule_error(
            "GC104",
            f"pragma 'import_llvm' cannot read {value!r}: {error.strerror}",
            stage=stage,
            where=caller_span(),
            hint="the name of a file of LLVM IR, or the text itself",
        ) from None


def _check_cache_hint(stage: StageState, value: Expr) -> None:
    if isinstance(value, StringImm) and value.value in CACHE_HINTS:
        return
    given = repr(value.value) if isinstance(value, StringImm) else str(value)
    raise schedule_error(
        "GC104",
        f"pragma 'cache_hint' has no value {given}",
        stage=stage,
        where=caller_span(),
        hint=f"one of {', '.join([repr(name) for name in CACHE_HINTS])}",
    )
