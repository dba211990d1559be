"""Places of extreme elements: infinities, NaN and equal elements, under every kind of schedule."""

from __future__ import annotations

from functools import partial
from typing import Any  # arrays of any element type

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.driver.build import lower_primfunc
from gpucomp.kernels import registry
from gpucomp.support.dtype import DType
from gpucomp.target import Target
from gpucomp.te import extreme, lower_schedule
from gpucomp.tir.interp import interpret
from tests.te.everywhere import everywhere

Array = np.ndarray[Any, Any]
INF, NAN = np.inf, np.nan


def hard_rows(columns: int, rows: int = 8) -> Array:
    """Rows of one infinity, of NaN, with NaN before and behind infinities and numbers, and of equal numbers."""
    a = np.random.default_rng(columns).integers(-3, 4, (rows, columns)).astype("float32")
    half, third = columns // 2, columns // 3
    a[0], a[1], a[2] = -INF, INF, NAN
    a[3, half] = NAN
    a[4, third], a[4, half] = INF, NAN
    a[5, third], a[5, half] = NAN, -INF
    a[6, half], a[6, -1] = -INF, NAN
    return a


def scheduled(how: str, shape: tuple[int, int], *, smallest: bool, last: bool) -> tuple[te.Schedule, list[Any]]:
    a = te.placeholder(shape, "float32", "A")
    k = te.reduce_axis((0, shape[1]), "k")
    search = te.comm_reducer(
        partial(extreme.combine, smallest=smallest, last=last), partial(extreme.nothing, smallest=smallest, last=last)
    )
    pair = partial(extreme.candidate, smallest=smallest, last=last)
    found = te.compute((shape[0],), lambda i: search(pair(k.var, a[i, k]), axis=k), name="found")
    place = te.compute((shape[0],), lambda i: extreme.place_of(found[0][i], "float32"), name="place")
    s = te.create_schedule(place.op)
    if how == "lanes":  # eight rows side by side in a vector
        s[found[0]].reorder(k, found[0].op.axis[0])
        s[found[0]].vectorize(found[0].op.axis[0])
        return s, [a, place]
    s[place].bind(place.op.axis[0], te.thread_axis("blockIdx.x"))
    s[found[0]].compute_at(s[place], place.op.axis[0])
    if how == "threads":
        _, inner = s[found[0]].split(k, factor=32)
        s[found[0]].bind(inner, te.thread_axis("threadIdx.x"))
    return s, [a, place]


@pytest.mark.parametrize("how", ["serial", "threads", "lanes"])
@pytest.mark.parametrize(("smallest", "last"), [(False, False), (True, False), (False, True), (True, True)])
def test_the_place_is_that_of_numpy_whatever_is_in_the_row(how: str, smallest: bool, last: bool) -> None:
    a = hard_rows(77)
    find = np.argmin if smallest else np.argmax
    want = 76 - find(a[:, ::-1], 1) if last else find(a, 1)
    schedule, args = scheduled(how, a.shape, smallest=smallest, last=last)
    everywhere(schedule, args, [a], [want], gpu=how == "threads")


@pytest.mark.opencl
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("columns", [1, 33, 1030])
def test_row_argmax_of_the_library_gives_a_place_in_the_row(columns: int, dtype: str) -> None:
    a = hard_rows(columns).astype(dtype)
    operator = registry.get("row_argmax")
    for target, device in (("llvm", "cpu"), ("opencl", "opencl:0"), ("cuda -arch=sm_90", "cpu")):
        definition = operator.define(a.shape, dtype, target)
        place = gpucomp.device(device)
        schedule = operator.schedule(definition, Target(target))
        kernel = gpucomp.build(schedule, definition.args, Target.from_device(place))
        out = gpucomp.nd.array(np.full(a.shape[0], -7, "int32"), place)
        kernel(gpucomp.nd.array(a, place), out)
        np.testing.assert_array_equal(out.numpy(), a.astype("float64").argmax(1), err_msg=target)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("columns", [96, 1027])
def test_row_argmax_by_two_reductions_gives_the_place_that_pairs_give(columns: int, dtype: str) -> None:
    a = np.concatenate([hard_rows(columns), np.full((8, columns), -0.0)]).astype(DType(dtype).numpy)
    a[8, -1] = 0.0  # equal, and the first one counts
    a[9, columns // 3 :] = 1.0
    a[10, 5:9] = 9.0, -NAN, NAN, INF
    operator = registry.get("row_argmax")
    target = Target("cuda -arch=sm_90")
    definition = operator.define(a.shape, dtype, target)
    assert [t.name for t in definition.intermediates] == ["X", "row_max", "row_best"]
    lowered = lower_primfunc(lower_schedule(operator.schedule(definition, target), definition.args), target)
    out = np.full(a.shape[0], -7, "int32")
    interpret(lowered, [a, out])
    np.testing.assert_array_equal(out, a.astype("float64").argmax(1))


def test_rows_that_no_block_keeps_are_searched_once_in_pairs() -> None:
    operator, a100 = registry.get("row_argmax"), Target("cuda -arch=sm_80")

    def reductions(shape: tuple[int, int], target: str | Target) -> int:
        return len(operator.define(shape, "float16", target).intermediates) - 1

    assert reductions((4096, 32768), a100) == 2
    assert reductions((4096, 65536), a100) == 1
    assert reductions((4096, 65536), "cuda -arch=sm_90") == 1
    assert reductions((16, 65536), "cuda -arch=sm_90") == 2  # so few rows that clusters share them
    assert reductions((16, 65536), a100) == 1
    assert reductions((4096, 4096), "llvm") == 1


def test_the_condition_of_a_search_is_written_once() -> None:
    schedule, args = scheduled("threads", (8, 77), smallest=False, last=False)
    text = gpucomp.source(schedule, args, "cuda")
    lines = [line for line in text.splitlines() if "||" in line]
    assert lines
    assert all(["const bool" in line and line.count("||") == 1 for line in lines])
