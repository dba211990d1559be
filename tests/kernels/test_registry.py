"""The operator library: what each operator says about itself agrees with numpy and with itself."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from gpucomp import te
from gpucomp.kernels import registry
from gpucomp.kernels.registry import Operator
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.target.target import Target

OPERATORS = registry.all_operators()
NAMES = [operator.name for operator in OPERATORS]


def odd_shape(operator: Operator) -> tuple[int, ...]:
    shapes = {"batch_matmul": (2, 3, 5, 7), "permute": (2, 3, 5)}
    if operator.family == "convolution":
        return (2, 3, 7, 6, 3, 2, 3)[: len(operator.shape_names)]
    if operator.family == "depthwise":
        return (2, 3, 7, 6, 3, 2, 1, 2)
    return shapes.get(operator.name) or {1: (7,), 2: (3, 5), 3: (3, 5, 7)}[len(operator.shape_names)]


@pytest.mark.parametrize("name", [o.name for o in OPERATORS if o.family not in ("gemm", "convolution", "depthwise")])
def test_schedules_for_gpus_say_why(name: str) -> None:
    operator = registry.get(name)
    for target in (Target("cuda -arch=sm_90a"), Target("opencl")):
        known, unknown = odd_shape(operator), [te.var(x) for x in operator.shape_names]
        for shape in (operator.default_shape(target.keys), known, unknown):
            definition = operator.define(shape, "float32", target)
            operator.schedule(definition, target)
            assert operator.why(definition, target)


def test_every_family_has_operators_and_no_name_twice() -> None:
    assert list(dict.fromkeys(operator.family for operator in OPERATORS)) == list(registry.FAMILIES)
    assert len(set(NAMES)) == len(NAMES)
    assert {"add", "matmul", "softmax", "conv2d", "layer_norm", "row_sum", "sum_all", "transpose"} <= set(NAMES)


@pytest.mark.parametrize("operator", OPERATORS, ids=NAMES)
def test_shapes_and_types_of_a_definition_are_those_of_the_arrays(operator: Operator) -> None:
    for dtype in operator.dtypes:
        shape = odd_shape(operator)
        definition = operator.define(shape, dtype)
        rng = np.random.default_rng(0)
        arrays = [*operator.make_inputs(shape, dtype, rng), *operator.make_outputs(shape, dtype)]
        assert [tuple(int(str(extent)) for extent in tensor.shape) for tensor in definition.args] == [
            array.shape for array in arrays
        ]
        assert [str(tensor.dtype) for tensor in definition.args] == [array.dtype.name for array in arrays]


@pytest.mark.parametrize("operator", OPERATORS, ids=NAMES)
def test_what_a_numpy_user_writes_agrees_with_the_reference(operator: Operator) -> None:
    shape = odd_shape(operator)
    for dtype in operator.dtypes:
        inputs = operator.make_inputs(shape, dtype, np.random.default_rng(1))
        (wanted,) = operator.reference(inputs, shape)
        assert wanted.dtype == np.float64
        got = np.asarray(operator.numpy_peer(inputs, shape)()).astype(np.float64)
        # numpy's float16 sums of a handful of numbers near 1 have errors of their own.
        np.testing.assert_allclose(
            got,
            wanted.astype(np.float64),
            rtol=1e-2 if dtype == "bfloat16" else 2e-3,
            atol=1e-5 if dtype in ("float32", "float64") else 4e-3,
        )


def test_the_convolution_reference_is_the_sum_in_its_definition() -> None:
    shape = n, c, h, o, k, stride = 2, 3, 5, 4, 3, 2
    image, weight = registry.get("conv2d").make_inputs(shape, "float64", np.random.default_rng(2))
    (got,) = registry.get("conv2d").reference([image, weight], shape)
    assert got.shape == (n, o, 3, 3)
    for b, f, y, x in itertools.product(range(n), range(o), range(3), range(3)):
        total = 0.0
        for ch, dy, dx in itertools.product(range(c), range(k), range(k)):
            row, column = y * stride + dy - 1, x * stride + dx - 1
            if 0 <= row < h and 0 <= column < h:
                total += float(image[b, ch, row, column]) * float(weight[f, ch, dy, dx])
        assert math.isclose(got[b, f, y, x], total, abs_tol=1e-12)


def test_work_is_counted_as_the_figures_count_it() -> None:
    assert registry.get("matmul").flops((4, 5, 6)) == 240
    assert registry.get("matmul").bytes_moved((4, 5, 6), "float16") == 2 * (24 + 30) + 4 * 20
    assert registry.get("softmax").bytes_moved((4096, 4096), "float32") == 2 * 4 * 4096 * 4096
    assert registry.get("conv2d").flops((32, 128, 28, 128, 3, 1)) == 2 * 32 * 128 * 28 * 28 * 128 * 9
    assert registry.get("add").bytes_moved((10,), "bfloat16") == 60


def test_inputs_of_one_seed_are_the_same_and_of_another_differ() -> None:
    operator = registry.get("softmax")
    first, second, other = (
        operator.make_inputs((9, 9), "float32", np.random.default_rng(seed))[0] for seed in (5, 5, 6)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_extents_may_be_symbolic() -> None:
    n = te.var("n")
    definition = registry.get("add").define((n,))
    assert [tensor.shape[0] is n for tensor in definition.args] == [True, True, True]


def test_a_misspelt_name_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(ArgumentError, match=r"'matmull'(.|\n)*did you mean 'matmul'\?"):
        registry.get("matmull")


def test_a_wrong_number_of_extents_names_them() -> None:
    with pytest.raises(ArgumentError, match=r"matmul takes 3 extents \(M,N,K\), got 2"):
        registry.get("matmul").define((4, 4))
    with pytest.raises(ArgumentError, match="extent K is 0"):
        registry.get("matmul").define((4, 4, 0))


def test_an_element_type_that_an_operator_lacks_is_refused() -> None:
    with pytest.raises(ArgumentError, match="did you mean 'float32'"):
        registry.get("matmul").define((4, 4, 4), "floot32")


@pytest.mark.parametrize("operator", OPERATORS, ids=NAMES)
@pytest.mark.parametrize("target", ["cuda", "opencl", "opencl-cpu", "llvm"])
def test_every_operator_has_a_schedule_for_every_kind_of_target(operator: Operator, target: str) -> None:
    keys = ("opencl-cpu",) if target == "opencl-cpu" else Target(target).keys
    special = operator.find_schedule(keys)
    assert special.__name__.endswith("opencl_cpu") is (target == "opencl-cpu")


def test_a_target_without_a_schedule_is_refused() -> None:
    with pytest.raises(ArgumentError, match="no schedule for targets of kind abacus"):
        registry.get("add").find_schedule(("abacus",))


def test_extents_of_tensors_are_numbers_or_unknown() -> None:
    definition = registry.get("softmax").define((te.var("m"), 5))
    assert [registry.extent(size) for size in definition.outputs[0].shape] == [None, 5]
