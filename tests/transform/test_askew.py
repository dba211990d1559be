"""Vectors that lie askew: aligned vectors are read, and the elements between taken from two of them."""

from __future__ import annotations

import re

import pytest

from gpucomp.arith.analyzer import Analyzer
from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.support.dtype import DType
from gpucomp.target import Target
from gpucomp.tir.expr import Expr, Var
from gpucomp.transform.askew import askew

row, at, tx, start = Var("row"), Var("at"), Var("tx"), Var("start")
HALVES = DType("float16x4")
VALUES: dict[Var, Expr] = {start: row * 3 % 4, at: tx * 4 + row * 8}


@pytest.mark.parametrize(
    ("base", "whole", "rest"),
    [
        (tx * 4 - row * 3 % 4, tx * 4, 0 - row * 3 % 4),
        (at - start, at, 0 - start),
        (at + 1 - start, at, 1 - start),
        (tx * 4 + row * 3 % 4 + 512, tx * 4, row * 3 % 4 + 512),
    ],
)
def test_a_remainder_is_how_far_a_vector_lies_askew(base: Expr, whole: Expr, rest: Expr) -> None:
    found = askew(base, HALVES, 16, Analyzer(), VALUES)
    assert found is not None
    assert found[0] is whole
    assert Analyzer().can_prove_equal(found[1], rest)


@pytest.mark.parametrize("base", [tx * 2 - row * 3 % 4, tx - start, tx * 4 - row, tx * 4 - row % 8, tx * 4 + 1, tx * 4])
def test_what_is_aligned_or_anywhere_else_is_not_looked_at(base: Expr) -> None:
    assert askew(base, HALVES, 16, Analyzer(), VALUES) is None


@pytest.mark.parametrize(
    ("dtype", "alignment"), [("float16x4", 2), ("float32x4", 16), ("float16x8", 16), ("int16x4", 16)]
)
def test_other_types_and_arrays_that_start_anywhere_are_read_as_they_were(dtype: str, alignment: int) -> None:
    assert askew(tx * 8 - row % 4, DType(dtype), alignment, Analyzer(), VALUES) is None


def _sources(target: str, shape: tuple[int, int], dtype: str = "float16", name: str = "layer_norm") -> list[str]:
    operator, place = registry.get(name), Target(target)
    definition = operator.define(shape, dtype, place)
    data = compile_function(operator.schedule(definition, place), definition.args, place, "f")
    return [variant.get().image.source for variant in data.variants]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_weights_of_rows_that_start_anywhere_are_two_loads_for_four_of_them(dtype: str) -> None:
    first, *others = _sources("cuda -arch=sm_90a", (4758, 3307), dtype)
    assert re.findall(r"gc_load_askew\((\w) \+ at_\d, 0 - A_at\)", first) == ["W", "V"]
    assert len(re.findall(r"\b[WV]\[", first)) == 2  # at the ends of rows
    unaligned = [text for text in others if "gc_load_askew" not in text]
    assert unaligned  # for arrays that start anywhere


def test_other_targets_and_whole_rows_read_weights_as_they_were() -> None:
    assert "askew" not in _sources("opencl", (4758, 3307))[0]
    assert "askew" not in _sources("cuda -arch=sm_90a", (4758, 3308))[0]


def test_one_weight_alone_is_read_as_it_was() -> None:
    assert "askew" not in _sources("cuda -arch=sm_90a", (4758, 3307), name="rms_norm")[0]
