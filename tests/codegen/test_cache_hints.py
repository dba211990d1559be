"""Hints to the caches: what CUDA C says, that devices without a form leave them out, and that no result changes."""

from __future__ import annotations

import re

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.driver.build import compile_function
from gpucomp.target import Target
from gpucomp.te.pragmas import CACHE_HINTS
from tests.codegen.devices import compile_cuda
from tests.te.everywhere import everywhere

SIZE = 1000  # no multiple of a block of vectors


def program(hint: str, dtype: str, lanes: int, size: int = SIZE) -> tuple[te.Schedule, list[te.Tensor]]:
    """``B = A + 1`` in vectors, everything under one hint."""
    a = te.placeholder((size,), dtype, name="A")
    b = te.compute((size,), lambda i: a[i] + te.const(1, dtype), name="B")
    s = te.create_schedule(b.op)
    block, inner = s[b].split(b.op.axis[0], factor=32 * lanes)
    thread, vector = s[b].split(inner, factor=lanes)
    s[b].bind(block, te.thread_axis("blockIdx.x"))
    s[b].bind(thread, te.thread_axis("threadIdx.x"))
    if lanes > 1:
        s[b].vectorize(vector)
    s[b].pragma(thread, "cache_hint", hint)
    return s, [a, b]


def source(hint: str, dtype: str, lanes: int, target: str = "cuda -arch=sm_90a", size: int = 1024) -> str:
    s, args = program(hint, dtype, lanes, size)
    return gpucomp.source(s, args, target)


@pytest.mark.parametrize(
    ("hint", "load", "store"),
    [
        ("read_only", "ld.global.nc.v4.f32 ", ""),
        ("streaming", "ld.global.cs.nc.v4.f32 ", "st.global.cs.v4.f32 "),
        ("no_allocate", "ld.global.nc.L1::no_allocate.v4.f32 ", "st.global.L1::no_allocate.v4.f32 "),
        ("evict_first", "ld.global.nc.L2::cache_hint.v4.f32 ", "st.global.L2::cache_hint.v4.f32 "),
        ("evict_last", "ld.global.nc.L2::cache_hint.v4.f32 ", "st.global.L2::cache_hint.v4.f32 "),
    ],
)
def test_each_hint_is_an_instruction_of_cuda(hint: str, load: str, store: str) -> None:
    text = source(hint, "float32", 4)
    assert f'asm("{load}' in text  # not volatile: nobody writes A
    assert (f'asm volatile("{store}' in text) == bool(store)
    assert text.count(f"createpolicy.fractional.L2::{hint}.b64") == (2 if "L2" in load else 0)


@pytest.mark.parametrize("hint", CACHE_HINTS)
@pytest.mark.parametrize(
    ("dtype", "lanes"), [("float32", 1), ("float32", 4), ("float16", 8), ("bfloat16", 2), ("float64", 2), ("int64", 1)]
)
def test_hinted_kernels_compile(hint: str, dtype: str, lanes: int) -> None:
    s, args = program(hint, dtype, lanes)
    target = Target("cuda -arch=sm_90a")
    used = compile_cuda(compile_function(s, args, target, "hinted").general.image, "sm_90a")
    assert all(kernel.spill_bytes == 0 for kernel in used.values())


def test_narrow_floats_that_are_only_moved_are_loaded_with_the_hint() -> None:
    a = te.placeholder((64,), "float16", name="A")
    b = te.compute((64,), lambda i: a[63 - i], name="B")
    s = te.create_schedule(b.op)
    s[b].bind(b.op.axis[0], te.thread_axis("threadIdx.x"))
    s[b].pragma(b.op.axis[0], "cache_hint", "streaming")
    text = gpucomp.source(s, [a, b], "cuda")
    assert re.search(r"gc_store_streaming_float16_1\(&B\[.*\], gc_load_streaming_float16_1_constant\(&A\[", text)


def test_what_the_kernel_writes_is_no_constant() -> None:
    """A loop that reads what it stored: the load stays in its place."""
    n = 64
    a = te.placeholder((n, 4), name="A")
    k = te.reduce_axis((0, 4), "k")
    b = te.compute((n,), lambda i: te.sum(a[i, k], axis=k), name="B")
    s = te.create_schedule(b.op)
    s[b].bind(b.op.axis[0], te.thread_axis("threadIdx.x"))
    s[b].pragma(b.op.axis[0], "cache_hint", "no_allocate")
    text = gpucomp.source(s, [a, b], "cuda")
    assert 'asm volatile("ld.global.L1::no_allocate.f32 ' in text  # the sum so far, in B
    assert 'asm("ld.global.nc.L1::no_allocate.f32 ' in text
    everywhere(s, [a, b], [(x := np.ones((n, 4), "float32"))], [x.sum(1)], gpu=True)


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("hint", CACHE_HINTS)
def test_results_do_not_depend_on_hints(hint: str, lanes: int) -> None:
    s, args = program(hint, "float32", lanes)
    x = np.arange(SIZE, dtype="float32")
    everywhere(s, args, [x], [x + 1], gpu=True)


def test_devices_without_a_form_leave_hints_out() -> None:
    plain = program("streaming", "float32", 4)
    assert "createpolicy" not in source("evict_last", "float32", 4, "cuda -arch=sm_75")
    assert "no_allocate" in source("no_allocate", "float32", 4, "cuda -arch=sm_75")
    assert "asm" not in source("streaming", "int8", 4)
    assert "asm" not in gpucomp.source(*plain, "opencl")


def test_processors_store_streams_past_the_caches() -> None:
    a = te.placeholder((1024,), name="A")
    b = te.compute((1024,), lambda i: a[i] + 1.0, name="B")
    for hint in CACHE_HINTS:
        s = te.create_schedule(b.op)
        outer, inner = s[b].split(b.op.axis[0], factor=16)
        s[b].vectorize(inner)
        s[b].pragma(outer, "cache_hint", hint)
        assert ("!nontemporal" in gpucomp.source(s, [a, b], "llvm")) == (hint == "streaming")


def test_launch_bounds_have_the_blocks_that_are_asked_for() -> None:
    s, args = program("streaming", "float32", 1)
    s[args[1]].pragma(s[args[1]].leaf_iter_vars[0], "min_blocks", 3)
    assert "__launch_bounds__(32, 3)" in gpucomp.source(s, args, "cuda")
    everywhere(s, args, [(x := np.arange(SIZE, dtype="float32"))], [x + 1], gpu=True)


@pytest.mark.opencl
@pytest.mark.parametrize("width", [64, 1000, 1001])
@pytest.mark.parametrize("dtype", ["float32", "int32", "float16"])
def test_opencl_stores_lines_past_the_caches_wherever_rows_start(dtype: str, width: int) -> None:
    a = te.placeholder((5, width), dtype, name="A")
    b = te.compute((5, width), lambda i, j: a[i, j] + te.const(1, dtype), name="B")
    s = te.create_schedule(b.op)
    row, column = b.op.axis
    vectors, lane = s[b].split(column, factor=16)
    s[b].bind(row, te.thread_axis("blockIdx.x"))
    s[b].vectorize(lane)
    s[b].pragma(vectors, "cache_hint", "streaming")
    assert ("__builtin_nontemporal_store" in gpucomp.source(s, [a, b], "opencl")) == (dtype != "float16")
    x = (np.arange(5 * width) % 1000).reshape(5, width).astype(dtype)
    everywhere(s, [a, b], [x], [x + 1], gpu=True)
