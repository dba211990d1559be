"""Symbolic kernels come with 32-bit and 64-bit indices: a guard picks, and both compute right."""

from __future__ import annotations

import mmap
import re
from dataclasses import replace
from typing import Any  # Any: arrays of several element types

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.driver.build import compile_function
from gpucomp.runtime.cuda_compile import compile_cuda
from gpucomp.runtime.module import Module
from gpucomp.support.hostexpr import evaluate
from gpucomp.support.launch import FunctionData
from gpucomp.target import Target
from gpucomp.tir.buffer import decl_buffer
from tests.driver.graphs import SHAPES, Graph, numbers, vector_add
from tests.golden.cases import CASES
from tests.golden.manifest import by_width
from tests.golden.support import assert_same, make_arrays, reference
from tests.golden.test_sources import INEXACT
from tests.tiers import tiered

CUDA = Target("cuda -arch=sm_90")
SYMBOLIC = [name for name, case in CASES.items() if case.shapes]
TIERED = tiered(SYMBOLIC, [name for name in SYMBOLIC if "matmul" not in name])
LIMIT = 2**31 - 2**20


def only(data: FunctionData, number: int) -> FunctionData:
    """The function with one of its variants, whatever the shapes."""
    return FunctionData(data.name, (replace(by_width(data)[number], guard=True),))


def test_there_are_symbolic_cases() -> None:
    assert "vector_add_symbolic" in SYMBOLIC
    assert "matmul_symbolic" in SYMBOLIC


@pytest.mark.parametrize("name", SYMBOLIC)
def test_symbolic_kernels_have_two_variants_and_constant_ones_have_one(name: str, require_nvrtc: object) -> None:
    schedule, args = CASES[name].make(CUDA)
    data = compile_function(schedule, args, CUDA, name)
    assert [v.note for v in by_width(data)] == ["32-bit indices", "64-bit indices"]
    narrow, wide = (v.image.source for v in by_width(data))
    assert "long long" not in re.sub(r"(?s)^.*?__global__", "", narrow)
    assert "long long" in re.sub(r"(?s)^.*?__global__", "", wide)
    for variant in data.variants:
        assert compile_cuda(variant.image.source, CUDA.arch, variant.image.options)[0]
    s, fixed = vector_add(extent=100)
    assert len(compile_function(s, fixed, CUDA, "f").variants) == 1


def both_variants(name: str, target: Target, device: gpucomp.Device) -> None:
    case = CASES[name]
    schedule, args = case.make(target)
    arrays = make_arrays(schedule, args, case.shapes, seed=3)
    want = reference(schedule, args, arrays)
    data = compile_function(schedule, args, target, name)
    for number in range(2):
        there = [gpucomp.nd.array(a, device) for a in arrays]
        Module({name: only(data, number)}, device)(*there)
        assert_same([a.numpy() for a in there], want, args, INEXACT.get(name, 0.0))


@pytest.mark.parametrize("name", TIERED)
def test_both_variants_compute_right_on_the_processor(name: str) -> None:
    both_variants(name, Target("llvm"), gpucomp.cpu(0))


@pytest.mark.opencl
@pytest.mark.parametrize("name", TIERED)
def test_both_variants_compute_right_on_opencl(name: str) -> None:
    both_variants(name, Target("opencl"), gpucomp.opencl(0))


@pytest.mark.cuda
@pytest.mark.parametrize("name", SYMBOLIC)
def test_both_variants_compute_right_on_cuda(name: str) -> None:
    both_variants(name, Target.from_device(gpucomp.cuda(0)), gpucomp.cuda(0))


@pytest.mark.parametrize(
    ("m", "n", "k", "narrow"),
    [
        (19, 23, 17, True),
        (1 << 15, 1 << 15, 1 << 15, True),
        (1 << 16, 1 << 15, 8, False),  # only C is too large
        (8, 1 << 16, 1 << 15, False),  # only B
        (1 << 15, 1, LIMIT // (1 << 15), False),  # the last size too many
        (1 << 15, 1, LIMIT // (1 << 15) - 1, True),
    ],
)
def test_the_guard_holds_when_every_array_is_within_32_bits(m: int, n: int, k: int, narrow: bool) -> None:
    schedule, args = CASES["matmul_symbolic"].make(CUDA)
    data = compile_function(schedule, args, CUDA, "matmul")
    env = {"m": m, "n": n, "k": k}
    assert bool(evaluate(by_width(data)[0].guard, env)) is narrow
    assert by_width(data)[1].guard is True


def test_a_constant_extent_past_32_bits_has_wide_indices_only() -> None:
    s, args = vector_add(dtype="int8", extent=3 << 30)
    data = compile_function(s, args, CUDA, "f")
    assert [v.note for v in data.variants] == ["64-bit indices"]
    assert "long long" in data.variants[0].image.source.split("__global__")[1]


def test_an_intermediate_tensor_counts_as_well() -> None:
    n = te.var("n")
    a, b = te.placeholder((n,), name="A"), te.placeholder((n,), name="B")
    outer = te.compute((n, n), lambda i, j: a[i] * b[j], name="P")
    k = te.reduce_axis((0, n), "k")
    c = te.compute((n,), lambda i: te.sum(outer[i, k], axis=k), name="C")
    s = te.create_schedule(c.op)
    for t in (outer, c):
        s[t].bind(t.op.axis[0], te.thread_axis("blockIdx.x"))
    data = compile_function(s, [a, b, c], CUDA, "f")
    assert bool(evaluate(data.variants[0].guard, {"n": 40_000})) is True
    assert bool(evaluate(data.variants[0].guard, {"n": 50_000})) is False


def _far_apart(step: int) -> np.ndarray[Any, Any]:
    """Three bytes ``step`` apart, in the middle of address space that is reserved but takes no memory."""
    size = 2 * step
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
    region = np.frombuffer(mmap.mmap(-1, 2 * size + mmap.PAGESIZE, flags=flags), np.int8)
    view = np.lib.stride_tricks.as_strided(region[size:], (3,), (step,))
    view[:] = [1, 2, 3]
    return view


def test_elements_that_lie_further_apart_than_32_bits_are_found() -> None:
    step = 1_100_000_000
    a = te.placeholder((3,), "int8", "A")
    b = te.compute((3,), lambda i: a[i] + tir.const(1, "int8"), name="B")
    far = decl_buffer((3,), "int8", "A", strides=(step,))
    module = gpucomp.build(te.create_schedule(b.op), [a, b], "llvm", binds={a: far})
    out = np.zeros(3, np.int8)
    module(_far_apart(step), out)
    assert out.tolist() == [2, 3, 4]


def test_64_bit_variables_need_no_second_variant_in_meaning() -> None:
    def make() -> Graph:
        return vector_add(extent=te.var("n", "int64"))

    s, args = make()
    x, y = numbers(SHAPES["n"]), numbers(SHAPES["n"], seed=1)
    np.testing.assert_array_equal(gpucomp.build(s, args, "llvm")(x, y), x + y)
