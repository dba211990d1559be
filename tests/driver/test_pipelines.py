"""Pipelines are data: a wrong order is refused when it is defined, and the pass context decides what runs."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.driver import pipelines, stages
from gpucomp.driver.pipelines import CPU, GPU, LOWER, pipeline
from gpucomp.ir.transform import Pass, PassContext, PassTimingInstrument, Sequential
from gpucomp.support.diagnostics import ArgumentError, LowerError
from gpucomp.target import Target
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator
from gpucomp.tir.stmt import BufferStore, Stmt
from tests.driver.graphs import Graph, numbers, vector_add

CUDA = Target("cuda -arch=sm_90")


def vectors() -> Graph:
    """B = 2 A in vectors of 4, on one thread axis."""
    a = te.placeholder((32,), name="A")
    b = te.compute((32,), lambda i: a[i] * 2.0, name="B")
    s = te.create_schedule(b.op)
    outer, inner = s[b].split(b.op.axis[0], factor=4)
    s[b].bind(outer, te.thread_axis("threadIdx.x"))
    s[b].vectorize(inner)
    return s, [a, b]


@pytest.mark.parametrize("whole", [GPU, CPU, LOWER], ids=lambda p: p.name)
def test_names_of_passes_are_unique_and_every_need_is_met(whole: Sequential[PrimFunc]) -> None:
    names = [p.name for p in whole.passes]
    assert len(set(names)) == len(names)
    assert Sequential(whole.passes, whole.name, given=("buffers",)).gives == whole.gives


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("flatten_storage", "vectorize_loop"),
        ("vectorize_loop", "inject_virtual_thread"),
        ("inject_virtual_thread", "inject_double_buffer"),
        ("inject_double_buffer", "storage_rewrite"),
        ("inject_double_buffer", "thread_sync"),
        ("unroll_loop", "thread_sync"),
        ("thread_sync", "lower_thread_allreduce"),
    ],
)
def test_a_wrong_order_is_refused_when_it_is_defined(first: str, second: str) -> None:
    steps = {p.name: p for p in GPU.passes}
    order = [p for p in GPU.passes if p.name != first]
    at = next(i for i, p in enumerate(order) if p.name == second)
    order.insert(at + 1, steps[first])
    with pytest.raises(LowerError, match="which no earlier pass gives") as caught:
        Sequential(order, "mine", given=("buffers",))
    assert caught.value.message.startswith("mine: pass ")
    assert caught.value.hint == f"put {first!r} before it"


def test_a_pipeline_without_a_needed_pass_is_refused() -> None:
    order = [p for p in GPU.passes if p.name != "thread_sync"]
    with pytest.raises(LowerError, match="needs 'synced', which no earlier pass gives") as caught:
        Sequential(order, "mine", given=("buffers",))
    assert caught.value.hint == "add a pass that gives it"


def test_flat_functions_do_not_enter_a_pipeline_for_buffers() -> None:
    with pytest.raises(LowerError, match="needs 'buffers'"):
        Sequential(GPU.passes, "mine", given=("flat",))


def test_each_target_has_its_pipeline() -> None:
    assert pipeline(None) is LOWER
    assert pipeline(Target("llvm")) is CPU
    assert pipeline(Target("opencl")) is pipeline(CUDA) is GPU


# -- the pass context -----------------------------------------------------------------------------------------------


def test_disable_vectorize_leaves_no_vector() -> None:
    s, args = vectors()
    assert "float4" in gpucomp.source(s, args, CUDA)
    with PassContext(config={"tir.disable_vectorize": True}):
        text = gpucomp.source(s, args, CUDA)
        assert "float4" not in text
        module = gpucomp.build(s, args, "llvm")
    x = numbers(32)
    np.testing.assert_array_equal(module(x), x * 2)


class _Zeros(Mutator):
    """Stores zeros instead."""

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        return node.replace(value=node.value - node.value)


def _zeros(func: PrimFunc) -> PrimFunc:
    return func.with_body(_Zeros().stmt(func.body))


@pytest.mark.parametrize("phase", range(4))
def test_passes_of_the_user_run_in_their_phase(phase: int) -> None:
    s, args = vector_add(extent=8)
    seen: list[str] = []

    def look(func: PrimFunc) -> PrimFunc:
        seen.append(func.script())
        return func

    with PassContext(config={"tir.add_lower_pass": [(phase, look), (phase, _zeros)]}):
        module = gpucomp.build(s, args, "llvm")
    assert len(seen) == 1
    x = np.ones(8, "float32")
    np.testing.assert_array_equal(module(x, x), np.zeros(8, "float32"))
    np.testing.assert_array_equal(gpucomp.build(s, args, "llvm")(x, x), x + x)


def test_optional_passes_can_be_disabled_and_others_cannot() -> None:
    s, args = vector_add(extent=40)
    every = [name for name, _ in stages(s, args, CUDA)]
    assert "common_subexpr_elim" in every
    with PassContext(disabled_pass=["common_subexpr_elim", "flatten_storage", "vectorize_loop"]):
        fewer = PassTimingInstrument()
        with PassContext(disabled_pass=["common_subexpr_elim", "flatten_storage"], instruments=[fewer]):
            gpucomp.source(s, args, CUDA)
    assert "common_subexpr_elim" not in fewer.seconds
    assert "flatten_storage" in fewer.seconds


def test_opt_level_0_runs_no_optimisation_unless_it_is_required() -> None:
    s, args = vector_add(extent=40)
    timing = PassTimingInstrument()
    with PassContext(opt_level=0, required_pass=["hoist_invariants"], instruments=[timing]):
        text = gpucomp.source(s, args, CUDA)
    assert "hoist_invariants" in timing.seconds
    assert "common_subexpr_elim" not in timing.seconds
    assert "storage_rewrite" not in timing.seconds
    assert "thread_sync" in timing.seconds
    assert "__global__" in text
    assert "thread_sync" in timing.render()


@pytest.mark.parametrize("level", range(4))
def test_every_level_computes_the_same(level: int) -> None:
    s, args = vectors()
    x = numbers(32)
    with PassContext(opt_level=level):
        np.testing.assert_array_equal(gpucomp.build(s, args, "llvm")(x), x * 2)


def test_without_noalias_an_output_may_be_an_input() -> None:
    s, args = vector_add()
    x, y = numbers(20), numbers(20, seed=1)
    with pytest.raises(ArgumentError, match="is written and overlaps"):
        gpucomp.build(s, args, "llvm")(x, y, x)
    assert "__restrict__" in gpucomp.source(s, args, CUDA)
    with PassContext(config={"tir.noalias": False}):
        module = gpucomp.build(s, args, "llvm")
        assert "__restrict__" not in gpucomp.source(s, args, CUDA)
        assert "restrict" not in gpucomp.source(s, args, "opencl")
        assert " noalias " not in gpucomp.source(s, args, "llvm").split("define")[1]
    want = x + y
    module(x, y, x)
    np.testing.assert_array_equal(x, want)


def test_an_unknown_key_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(LowerError, match=r"unknown pass config key 'tir\.disable_vectorise'") as caught:
        PassContext(config={"tir.disable_vectorise": True})
    assert caught.value.hint == "did you mean 'tir.disable_vectorize'?"


def test_contexts_nest_and_belong_to_their_thread() -> None:
    assert PassContext.current().opt_level == 2
    with PassContext(opt_level=1):
        with PassContext(opt_level=3):
            assert PassContext.current().opt_level == 3
        assert PassContext.current().opt_level == 1
    assert PassContext.current().opt_level == 2


def test_each_optional_pass_may_be_left_out_alone() -> None:
    s, args = vectors()
    x = numbers(32)
    for name in [p.name for p in CPU.passes if p.optional]:
        with PassContext(disabled_pass=[name]):
            np.testing.assert_array_equal(gpucomp.build(s, args, "llvm")(x), x * 2)


def test_a_pass_replaced_in_the_list_takes_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [replace(p, fn=_zeros) if p.name == "user_passes_3" else p for p in CPU.passes]
    monkeypatch.setattr(pipelines, "CPU", Sequential(wrong, "cpu", given=("buffers",)))
    s, args = vectors()
    with gpucomp.config.override(cache=False):
        module = gpucomp.build(s, args, "llvm")
    np.testing.assert_array_equal(module(numbers(32)), np.zeros(32, "float32"))


# -- the IR after each pass ----------------------------------------------------------------------------------------


def test_stages_show_the_input_and_each_pass_that_changed_something() -> None:
    s, args = vectors()
    pages = stages(s, args, CUDA)
    assert pages[0][0] == "input"
    assert "T.vectorized" in pages[0][1]
    names = [name for name, _ in pages]
    assert names.index("vectorize_loop") < len(names)
    assert "T.Ramp" in dict(pages)["vectorize_loop"]
    assert all(a[1] != b[1] for a, b in itertools.pairwise(pages))


def test_a_pass_calls_the_instruments_around_it() -> None:
    calls: list[tuple[str, str, object]] = []

    class Note:
        def run_before_pass(self, unit: object, info: Pass[int]) -> None:
            calls.append(("before", info.name, unit))

        def run_after_pass(self, unit: object, info: Pass[int]) -> None:
            calls.append(("after", info.name, unit))

    with PassContext(instruments=[Note()]):
        assert Pass("double", lambda x: x * 2)(21) == 42
    assert calls == [("before", "double", 21), ("after", "double", 42)]
