"""Streaming kernels on processors: stores past the caches, staged tiles, sums of rows; odd shapes and addresses."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.kernels import processor, registry
from gpucomp.kernels.arrays import Array, in_float64
from gpucomp.target import Target

CPU = Target("llvm")


def check(name: str, shape: tuple[int, ...], dtype: str = "float32", offset: int = 0) -> str:
    """Results beside the reference; outputs start ``offset`` bytes behind a whole line.  Returns the module's text."""
    operator = registry.get(name)
    definition = operator.define(shape, dtype)
    module = gpucomp.build(operator.schedule(definition, CPU), definition.args, CPU, name=name)
    inputs = operator.make_inputs(shape, dtype, np.random.default_rng(3))
    outputs = [placed(output, offset) for output in operator.make_outputs(shape, dtype)]
    module(*inputs, *outputs)
    for got, want in zip(outputs, operator.reference(inputs, shape), strict=True):
        wide = in_float64(got)
        scale = np.maximum(np.abs(want), np.sqrt(np.mean(np.square(want))))
        assert np.max(np.abs(np.subtract(wide, want)) / np.maximum(scale, 1e-30)) <= operator.tolerance(dtype)
    return module.get_source()


def placed(like: Array, offset: int) -> Array:
    """A poisoned array whose address is ``offset`` bytes behind a multiple of 64."""
    raw = np.zeros(like.nbytes + 128, np.uint8)
    start = -raw.ctypes.data % 64 + offset
    array = raw[start : start + like.nbytes].view(like.dtype).reshape(like.shape)
    array[...] = like
    return array


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "last_cache_bytes", lambda: 0)


@pytest.mark.usefixtures("no_cache")
@pytest.mark.parametrize("offset", [0, 4, 16, 32])
@pytest.mark.parametrize(("name", "shape"), [("softmax", (3, 100)), ("gelu", (9000,)), ("transpose", (70, 130))])
def test_stores_past_the_caches_at_any_address(name: str, shape: tuple[int, ...], offset: int) -> None:
    source = check(name, shape, offset=offset)
    assert "!nontemporal" in source
    assert "fence seq_cst" in source


@pytest.mark.usefixtures("no_cache")
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_stores_past_the_caches_of_other_types(dtype: str) -> None:
    for offset in (0, 8):
        check("layer_norm", (5, 96), dtype, offset)
    check("transpose", (33, 65), dtype)


@pytest.mark.parametrize("name", ["softmax", "gelu"])
def test_what_fits_the_caches_is_stored_through_them(name: str) -> None:
    operator = registry.get(name)
    definition = operator.define(tuple(te.var("n") for _ in operator.shape_names))
    symbolic = gpucomp.build(operator.schedule(definition, CPU), definition.args, CPU).get_source()
    assert "!nontemporal" not in symbolic
    assert "!nontemporal" not in check(name, (64,) if name == "gelu" else (4, 64))


@pytest.mark.parametrize("shape", [(1, 1), (127, 3), (128, 16), (129, 33), (300, 17), (5, 4099), (200, 4100)])
def test_column_sums_of_any_shape(shape: tuple[int, ...]) -> None:
    check("column_sum", shape)


@pytest.mark.parametrize("shape", [(1, 1), (63, 65), (64, 64), (1, 200), (130, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_transposes_of_any_shape(shape: tuple[int, ...], dtype: str) -> None:
    check("transpose", shape, dtype)
