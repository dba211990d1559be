"""The operators at sizes that nobody chose: ones, primes, tails, symbolic extents; every backend of this machine."""

from __future__ import annotations

import random

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.kernels import registry
from gpucomp.kernels.registry import Operator
from gpucomp.target import Target
from tests.tiers import tiered

CASES = 12
BACKENDS = {
    "llvm": ("cpu", Target("llvm"), Target("llvm")),
    # Schedules made for a GPU have to run on the processor too.
    "gpu-schedule-on-cpu": ("cpu", Target("cuda"), Target("llvm")),
    "opencl": ("opencl", Target("opencl"), Target("opencl")),
    "opencl-cpu": ("opencl", Target("opencl").with_options(features=["cpu"]), None),
}


STREAMING = tuple(
    o.name
    for o in registry.all_operators()
    # Those: test_convolution.py and test_depthwise.py.
    if o.name not in ("matmul", "softmax", "add") and o.family not in ("convolution", "depthwise")
)


def _streaming_shape(operator: Operator, rng: random.Random) -> tuple[int, ...]:
    if operator.family == "gemm":
        return tuple([rng.choice([1, 3, 16, 33, 65]) for _ in operator.shape_names])
    if len(operator.shape_names) == 1:
        return (rng.choice([1, 5, 100, 1000, 9001, 70000]),)
    return tuple([rng.choice([1, 3, 7, 16, 33, 64, 100, 257]) for _ in operator.shape_names])


def _shape(name: str, rng: random.Random) -> tuple[int, ...]:
    if name == "matmul":
        return tuple([rng.choice([1, 2, 3, 5, 7, 16, 17, 31, 33, 64, 65, 100, 129]) for _ in range(3)])
    if name == "softmax":
        return (rng.randint(1, 9), rng.choice([1, 2, 31, 33, 100, 255, 256, 1025]))
    if name in STREAMING:
        return _streaming_shape(registry.get(name), rng)
    if name == "add":
        return (rng.choice([1, 3, 4, 31, 1000, 8192, 20001]),)
    channels, filters = rng.choice([1, 2, 3, 8]), rng.choice([1, 2, 4, 7, 33])
    return (rng.randint(1, 2), channels, rng.randint(3, 20), filters, rng.choice([1, 3, 5]), rng.choice([1, 2]))


def _check(operator: Operator, shape: tuple[int, ...], dtype: str, backend: str, symbolic: bool) -> None:
    where, scheduled, target = BACKENDS[backend]
    rng = np.random.default_rng(7)
    extents = tuple([te.var(f"n{i}") for i in range(len(shape))]) if symbolic else shape
    definition = operator.define(extents, dtype, scheduled)
    module = gpucomp.build(operator.schedule(definition, scheduled), definition.args, target or scheduled)
    inputs = operator.make_inputs(shape, dtype, rng)
    device = gpucomp.device(where, 0)
    arrays = [gpucomp.nd.array(a, device) for a in [*inputs, *operator.make_outputs(shape, dtype)]]
    module(*arrays)
    got = arrays[-1].numpy().astype(np.float64)
    want = np.asarray(operator.reference(inputs, shape)[0], np.float64)
    scale = max(1e-30, float(np.sqrt(np.square(want).mean())))
    assert np.abs(got - want).max() <= 3 * operator.tolerance(dtype) * scale


@pytest.mark.opencl
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("index", tiered(range(CASES), (1, 2, 3, 4)))
def test_an_operator_is_right_at_any_size(index: int, backend: str) -> None:
    rng = random.Random(index)
    name = ("matmul", "softmax", "conv2d", "add")[index % 4]
    shape, dtype = _shape(name, rng), rng.choice(["float32", "float16", "bfloat16"])
    _check(registry.get(name), shape, dtype, backend, symbolic=name != "conv2d" and index >= 8)


@pytest.mark.opencl
@pytest.mark.parametrize("name", tiered(STREAMING, ("layer_norm", "row_argmax", "sum_all", "column_sum")))
def test_a_streaming_operator_is_right_at_any_size(name: str) -> None:
    operator = registry.get(name)
    rng = random.Random(name)
    for number, backend in enumerate(BACKENDS):
        dtype = rng.choice([d for d in operator.dtypes if d != "float64" or "opencl" not in backend])
        _check(operator, _shape(name, rng), dtype, backend, symbolic=number == rng.randrange(8))


@pytest.mark.parametrize("name", ["softmax", "rms_norm", "row_variance"])
def test_a_row_too_long_for_registers_is_read_again(name: str) -> None:
    _check(registry.get(name), (2, 70000), "float16", "gpu-schedule-on-cpu", symbolic=False)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 7), (1, 200, 5)])
def test_a_product_smaller_than_a_tile_takes_fewer_threads(shape: tuple[int, int, int]) -> None:
    _check(registry.get("matmul"), shape, "float32", "gpu-schedule-on-cpu", symbolic=False)
