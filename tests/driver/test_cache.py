"""The compile cache: equal structure is compiled once, whatever objects it is made of; anything else is not shared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any  # Any: functions of expressions, as users write them

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.driver.build import compile_function
from gpucomp.driver.cache import CompileCache, compiled_functions, structure_key
from gpucomp.ir.transform import PassContext
from gpucomp.support.launch import FunctionData
from gpucomp.target import Target
from gpucomp.tir.buffer import decl_buffer
from tests.driver.graphs import Graph, vector_add

CUDA = Target("cuda -arch=sm_90")


@pytest.fixture(autouse=True)
def _fresh() -> Generator[None]:
    compiled_functions.clear()
    yield
    compiled_functions.clear()


def compiled(made: Graph, target: Target = CUDA, name: str = "f") -> FunctionData:
    return compile_function(made[0], made[1], target, name)


def same(first: Callable[[], Graph], second: Callable[[], Graph]) -> bool:
    """Whether the second graph is served from the cache after the first."""
    return compiled(first()) is compiled(second())


def test_new_tensors_of_equal_structure_hit() -> None:
    hits = compiled_functions.hits
    assert same(vector_add, vector_add)
    assert compiled_functions.hits == hits + 1


@pytest.mark.parametrize(
    "other",
    [
        lambda: vector_add(names="ABD"),
        lambda: vector_add(names="XBC"),
        lambda: vector_add(factor=32),
        lambda: vector_add(dtype="float64"),
        lambda: vector_add(extent=37),
        lambda: vector_add(extent=te.var("m")),
        lambda: vector_add(extent=te.var("n", "int64")),
    ],
    ids=["output name", "input name", "factor", "dtype", "extent", "name of an extent", "type of an extent"],
)
def test_what_changes_the_code_or_its_names_misses(other: Callable[[], Graph]) -> None:
    assert not same(vector_add, other)


def bodies(function: Callable[[Any, Any], Any]) -> Callable[[], Graph]:
    def make() -> Graph:
        a = te.placeholder((8, 8), name="A")
        b = te.compute((8, 8), lambda i, j: function(a, (i, j)), name="B")
        return te.create_schedule(b.op), [a, b]

    return make


PLAIN = bodies(lambda a, at: a[at[0], at[1]] + 1.0)


@pytest.mark.parametrize(
    ("function", "hits"),
    [
        (lambda a, at: a[at[0], at[1]] + 1.0, True),
        (lambda a, at: a[at[1], at[0]] + 1.0, False),
        (lambda a, at: a[at[0], at[1]] + 2.0, False),
        (lambda a, at: a[at[0], at[1]] + tir.const(1.0, "float32"), True),
        (lambda a, at: a[at[0], at[1]] - 1.0, False),
        (lambda a, at: 1.0 + a[at[0], at[1]], False),
    ],
)
def test_bodies_are_compared_in_full(function: Callable[[Any, Any], Any], hits: bool) -> None:
    assert same(PLAIN, bodies(function)) is hits


def scheduled(act: Callable[[te.Schedule, te.Tensor], object]) -> Callable[[], Graph]:
    def make() -> Graph:
        s, args = PLAIN()
        act(s, args[1])
        return s, args

    return make


def bind_both(s: te.Schedule, b: te.Tensor) -> None:
    s[b].bind(b.op.axis[0], te.thread_axis("blockIdx.x"))
    s[b].bind(b.op.axis[1], te.thread_axis("threadIdx.x"))


def bind_swapped(s: te.Schedule, b: te.Tensor) -> None:
    s[b].bind(b.op.axis[1], te.thread_axis("blockIdx.x"))
    s[b].bind(b.op.axis[0], te.thread_axis("threadIdx.x"))


def bind_other_order(s: te.Schedule, b: te.Tensor) -> None:
    s[b].bind(b.op.axis[1], te.thread_axis("threadIdx.x"))
    s[b].bind(b.op.axis[0], te.thread_axis("blockIdx.x"))


def bind_to_y(s: te.Schedule, b: te.Tensor) -> None:
    s[b].bind(b.op.axis[0], te.thread_axis("blockIdx.x"))
    s[b].bind(b.op.axis[1], te.thread_axis("threadIdx.y"))


def bind_and_unroll(s: te.Schedule, b: te.Tensor) -> None:
    bind_both(s, b)
    s[b].pragma(b.op.axis[0], "auto_unroll_max_step", 4)


@pytest.mark.parametrize(
    ("act", "hits"), [(bind_both, True), (bind_swapped, False), (bind_to_y, False), (bind_and_unroll, False)]
)
def test_schedules_are_compared_in_full(act: Callable[[te.Schedule, te.Tensor], object], hits: bool) -> None:
    assert same(scheduled(bind_both), scheduled(act)) is hits


def test_another_order_of_primitives_gives_the_same_code() -> None:
    first, second = compiled(scheduled(bind_both)()), compiled(scheduled(bind_other_order)())
    assert first.variants[0].image.source == second.variants[0].image.source


def test_target_name_and_settings_are_part_of_the_key() -> None:
    first = compiled(vector_add())
    assert compiled(vector_add(), Target("cuda -arch=sm_80")) is not first
    assert compiled(vector_add(), Target("opencl")) is not first
    assert compiled(vector_add(), CUDA, "g") is not first
    with PassContext(opt_level=0):
        assert compiled(vector_add()) is not first
    with PassContext(disabled_pass=["common_subexpr_elim"]):
        assert compiled(vector_add()) is not first
    with PassContext(config={"tir.disable_vectorize": True}):
        assert compiled(vector_add()) is not first
    assert compiled(vector_add()) is first


def test_the_order_of_arguments_is_part_of_the_key() -> None:
    s, [a, b, c] = vector_add()
    first = compile_function(s, [a, b, c], CUDA, "f")
    assert compile_function(s, [b, a, c], CUDA, "f") is not first
    assert compile_function(s, [a, b, c], CUDA, "f") is first


def test_a_changed_schedule_is_compiled_anew() -> None:
    s, args = PLAIN()
    plain = compile_function(s, args, Target("llvm"), "f")
    s[args[1]].vectorize(args[1].op.axis[1])
    assert compile_function(s, args, Target("llvm"), "f") is not plain


def test_instruments_extra_passes_and_bound_buffers_forbid_the_cache() -> None:
    s, args = vector_add(extent=8)
    first = compile_function(s, args, CUDA, "f")
    with PassContext(config={"tir.add_lower_pass": [(0, lambda f: f)]}):
        assert compile_function(s, args, CUDA, "f") is not first
    bound = {args[0]: decl_buffer((8,), "float32", "A")}
    assert structure_key(s, args, CUDA, "f", bound) is None
    with gpucomp.config.override(verify=1):
        assert structure_key(s, args, CUDA, "f", None) is None
    with gpucomp.config.override(cache=False):
        assert compile_function(s, args, CUDA, "f") is not first


def test_functions_are_cached_by_themselves() -> None:
    s, args = vector_add(extent=8)
    [func] = gpucomp.lower(s, args, simple_mode=True).functions.values()
    first = compile_function(func, None, CUDA, "f")
    assert compile_function(func, None, CUDA, "f") is first
    assert compile_function(func, None, CUDA, "g") is not first


def test_the_entry_used_longest_ago_goes_first() -> None:
    cache, data = CompileCache(capacity=2), compiled(vector_add())
    for key in "abac":
        if cache.get(key) is None:
            cache.put(key, data)
    assert cache.get("a") is data
    assert cache.get("b") is None
    assert cache.get("c") is data


def test_a_hit_computes_with_the_new_arrays() -> None:
    for seed in range(3):
        s, args = vector_add(extent=37)
        module = gpucomp.build(s, args, "llvm")
        x = np.arange(37, dtype="float32") * seed
        np.testing.assert_array_equal(module(x, x), x + x)


def test_threads_may_compile_at_the_same_time() -> None:
    results: dict[int, str] = {}
    want = {f: compiled(vector_add(factor=f)).variants[0].image.source for f in (2, 4, 8, 16)}
    compiled_functions.clear()

    def work(number: int) -> None:
        for k in range(4):
            factor = (2, 4, 8, 16)[(number + k) % 4]
            results[number * 4 + k] = compiled(vector_add(factor=factor)).variants[0].image.source

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(results) == 24
    assert all(results[n * 4 + k] == want[(2, 4, 8, 16)[(n + k) % 4]] for n in range(6) for k in range(4))
