"""instrument_bound_checkers: a stray access ends a function on the processor with an error instead of a crash."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any  # of index expressions

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.ir.transform import PassContext
from gpucomp.support.diagnostics import DeviceError, LowerError
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor
from gpucomp.tir.stmt import AssertStmt
from gpucomp.transform.bound_checkers import KEY, instrument_bound_checkers
from tests.golden.cases import CASES
from tests.golden.support import assert_same, make_arrays, reference
from tests.transform.build import nodes

LLVM = Target("llvm")


@pytest.fixture(autouse=True)
def _checked() -> Generator[None]:
    with PassContext(config={KEY: True}):
        yield


def gather(guard: bool, *, vectors: bool = False, parallel: bool = False) -> tuple[Schedule, list[Tensor]]:
    """C[i] = table[at[i]]; where the index is bad, 0 when guarded."""
    at, table = te.placeholder((8,), "int32", "at"), te.placeholder((5,), name="table")

    def pick(i: Any) -> Any:
        inside = tir.all(at[i] >= 0, at[i] < 5)
        return tir.if_then_else(inside, table[at[i]], 0.0) if guard else table[at[i]]

    c = te.compute((8,), pick, name="C")
    s = te.create_schedule(c.op)
    outer, inner = s[c].split(c.op.axis[0], factor=4)
    if vectors:
        s[c].vectorize(inner)
    if parallel:
        s[c].parallel(outer)
    return s, [at, table, c]


GOOD, BAD = np.array([0, 1, 2, 3, 4, 0, 1, 2], "int32"), np.array([0, 1, 2, 3, 4, 5, 1, 2], "int32")
TABLE = np.arange(5, dtype="float32") + 10


@pytest.mark.parametrize("vectors", [False, True])
@pytest.mark.parametrize("parallel", [False, True])
def test_an_index_outside_of_its_buffer_is_an_error_that_names_both(vectors: bool, parallel: bool) -> None:
    s, args = gather(False, vectors=vectors, parallel=parallel)
    module = gpucomp.build(s, args, LLVM)
    np.testing.assert_array_equal(module(GOOD, TABLE), TABLE[GOOD])
    with pytest.raises(DeviceError, match=r"index 0 of table lies outside of \[0, 5\)"):
        module(BAD, TABLE)


def test_what_a_condition_guards_is_checked_only_where_it_happens() -> None:
    s, args = gather(True)
    module = gpucomp.build(s, args, LLVM)
    np.testing.assert_array_equal(module(BAD, TABLE), np.where(BAD < 5, TABLE[BAD % 5], 0))
    np.testing.assert_array_equal(module(-GOOD, TABLE), np.where(GOOD == 0, TABLE[0], 0))


def test_each_dimension_is_checked_by_itself() -> None:
    a = te.placeholder((4, 6), name="A")
    shift = te.var("shift")
    b = te.compute((4, 6), lambda i, j: a[i, j + shift], name="B")
    module = gpucomp.build(te.create_schedule(b.op), [a, b, shift], LLVM)
    x, out = np.arange(24, dtype="float32").reshape(4, 6), np.zeros((4, 6), "float32")
    module(x, out, 0)
    np.testing.assert_array_equal(out, x)
    with pytest.raises(DeviceError, match=r"index 1 of A lies outside of \[0, 6\)"):
        module(x, out, 1)


@pytest.mark.parametrize("name", ["matmul_33x37x21_float32", "shared_stencil", "row_sum_48_threads", "argmax_threads"])
def test_right_kernels_stay_right(name: str) -> None:
    schedule, args = CASES[name].make(LLVM)
    arrays = make_arrays(schedule, args, {}, seed=0)
    want = reference(schedule, args, arrays)
    gpucomp.build(schedule, args, LLVM, name=name)(*arrays)
    assert_same(arrays, want, args, 1e-6)


def test_accesses_of_a_tile_are_checked_against_the_part_that_is_kept() -> None:
    schedule, args = CASES["shared_stencil"].make(LLVM)
    func = instrument_bound_checkers(te.lower_schedule(schedule, args, "f"))
    messages = [n.message for n in nodes(func, AssertStmt)]
    assert any("index 0 of A.shared lies outside of" in m and "18" in m for m in messages)


def test_without_the_option_nothing_changes_and_for_a_gpu_it_is_refused() -> None:
    s, args = gather(False)
    func = te.lower_schedule(s, args, "f")
    with PassContext():
        assert instrument_bound_checkers(func) is func
    with pytest.raises(LowerError, match="checks on the processor only"):
        instrument_bound_checkers(func.with_attr("target", Target("cuda")))
