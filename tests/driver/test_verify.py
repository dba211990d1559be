"""GPUCOMP_VERIFY: well-formedness after each pass, and the same meaning; every golden kernel passes at level 3."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any  # Any: values of several types

import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.driver import pipelines
from gpucomp.driver.build import lower_primfunc
from gpucomp.ir.transform import Sequential
from gpucomp.kernels import registry
from gpucomp.support.diagnostics import VerifyError
from gpucomp.target import Target
from gpucomp.te import lower_schedule
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator
from gpucomp.tir.stmt import BufferStore, Stmt
from tests.driver.graphs import vector_add
from tests.golden.cases import CASES, Made, int8_dot_products, winograd_conv2d
from tests.golden.run_opencl import ONE_BLOCK

CUDA, LLVM = Target("cuda -arch=sm_90"), Target("llvm")


class _Change(Mutator):
    """Changes what is stored."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        return node.replace(value=self.value(node.value))


def plant(monkeypatch: pytest.MonkeyPatch, name: str, value: Any) -> None:
    """Let a pass of the GPU pipeline change stored values."""

    def wrong(func: PrimFunc) -> PrimFunc:
        return func.with_body(_Change(value).stmt(func.body))

    passes = [replace(p, fn=wrong) if p.name == name else p for p in pipelines.GPU.passes]
    monkeypatch.setattr(pipelines, "GPU", Sequential(passes, "gpu", given=("buffers",)))


def lowered(func: PrimFunc, level: int) -> PrimFunc:
    with gpucomp.config.override(verify=level):
        return lower_primfunc(func, CUDA)


def addition(extent: int | None = 24) -> PrimFunc:
    s, args = vector_add(extent=extent)
    return lower_schedule(s, args, "add")


def small(name: str, target: Target) -> Made:
    """A golden case; of those that run block by block for ten seconds on a processor, one with a block or two."""
    if target.kind == "llvm" and name == "int8_dot_products":
        return int8_dot_products((32, 37, 68))
    if target.kind == "llvm" and name == "winograd_conv2d":
        return winograd_conv2d(ONE_BLOCK)
    return CASES[name].make(target)


def verify(name: str, target: Target) -> None:
    schedule, args = small(name, target)
    func = lower_schedule(schedule, args, name)
    with gpucomp.config.override(verify=3):
        lower_primfunc(func, target)


@pytest.mark.parametrize("name", CASES)
def test_no_pass_changes_what_a_golden_kernel_computes(name: str) -> None:
    verify(name, CUDA)


@pytest.mark.slow
@pytest.mark.parametrize("target", [LLVM, Target("opencl")], ids=lambda t: t.kind)
@pytest.mark.parametrize("name", CASES)
def test_no_pass_changes_what_a_golden_kernel_computes_for_other_targets(name: str, target: Target) -> None:
    verify(name, target)


def test_level_3_names_the_pass_the_buffer_and_the_element(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, "user_passes_2", lambda v: v + 1.0)
    assert lowered(addition(), 2)
    with pytest.raises(VerifyError, match=r"pass 'user_passes_2' changed what 'add' writes to C at \[0\]") as caught:
        lowered(addition(), 3)
    assert caught.value.code == "GC490"
    assert "disabled_pass" in str(caught.value.hint)


def test_level_2_names_the_pass_that_made_it_ill_formed(monkeypatch: pytest.MonkeyPatch) -> None:
    stray = Var("stray", "float32")

    def with_stray(value: Expr) -> Expr:
        return value + stray

    plant(monkeypatch, "user_passes_2", with_stray)
    with pytest.raises(VerifyError, match=r"after user_passes_2: .*stray"):
        lowered(addition(), 2)
    with pytest.raises(VerifyError, match=r"after the last pass: .*stray"):
        lowered(addition(), 1)


def test_level_0_checks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, "user_passes_2", lambda v: v + 1.0)
    assert lowered(addition(), 0)


def test_large_arrays_are_checked_on_a_sample_of_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    func = addition(1 << 20)
    assert lowered(func, 3)
    plant(monkeypatch, "user_passes_2", lambda v: v + 1.0)
    with pytest.raises(VerifyError, match="'user_passes_2'"):
        lowered(func, 3)


def test_symbolic_functions_are_checked_for_form_only(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, "user_passes_2", lambda v: v + 1.0)
    assert lowered(addition(None), 3)


def gather(limit: int) -> PrimFunc:
    at, table = te.placeholder((6,), "int32", "at"), te.placeholder((limit,), name="table")
    c = te.compute((6,), lambda i: table[at[i]], name="C")
    s = te.create_schedule(c.op)
    s[c].bind(c.op.axis[0], te.thread_axis("threadIdx.x"))
    return lower_schedule(s, [at, table, c], "gather")


def test_a_function_that_random_numbers_cannot_run_is_not_refused(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="gpucomp"):
        assert lowered(gather(2), 3)
    assert "gather is not run between passes" in caplog.text


def test_a_function_that_is_wrong_from_the_start_is_reported_as_such() -> None:
    a = te.placeholder((8,), name="A")
    b = te.compute((8,), lambda i: a[i * 2 % tir.const(9)], name="B")
    s = te.create_schedule(b.op)
    s[b].bind(b.op.axis[0], te.thread_axis("threadIdx.x"))
    with pytest.raises(VerifyError, match=r"before the first pass: .*A") as caught:
        lowered(lower_schedule(s, [a, b], "shifted"), 3)
    assert caught.value.code == "GC402"


@pytest.mark.parametrize(("name", "shape"), [("sum_all", (31,)), ("row_sum", (3, 1025))])
def test_whole_vectors_at_the_end_of_an_array_are_no_fault(name: str, shape: tuple[int, ...]) -> None:
    operator = registry.get(name)
    defn = operator.define(shape, "float32", CUDA)
    lowered(lower_schedule(operator.schedule(defn, CUDA), defn.args), 3)
