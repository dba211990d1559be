"""Convolutions and pools of one to three dimensions in every layout and with groups, against numpy in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # Any: tensors in, one out; arrays of several element types

import numpy as np
import pytest

import gpucomp
from gpucomp import te, topi
from gpucomp.support.diagnostics import TensorError
from tests.requirements import require_pocl
from tests.te.helpers import poisoned, small_ints
from tests.topi import reference as ref

Array = np.ndarray[Any, Any]


def _runs(make: Callable[..., te.Tensor], arrays: list[Array], want: Array, target: str = "llvm") -> te.Tensor:
    """Build an operator on its own and compare what it computes; sums of small whole numbers are exact."""
    inputs = [te.placeholder(x.shape, str(x.dtype), f"in{k}") for k, x in enumerate(arrays)]
    result = make(*inputs)
    out = poisoned(want.shape, str(result.dtype))
    assert topi.utils.get_const_tuple(result.shape) == want.shape
    gpucomp.build(topi.generic.schedule_injective(result), [*inputs, result], target)(*arrays, out)
    np.testing.assert_allclose(out, want, rtol=1e-6, atol=1e-6)
    return result


def _last(x: Array) -> Array:
    """Channels last."""
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def _filters_last(w: Array) -> Array:
    """(O, I, ...) as (..., I, O)."""
    return np.ascontiguousarray(np.moveaxis(w, (1, 0), (-2, -1)))


SIGNAL, IMAGE, SPACE = small_ints((2, 4, 11)), small_ints((2, 4, 6, 7), seed=1), small_ints((1, 4, 4, 5, 6), seed=2)
ONE, ONE_OF_TWO = small_ints((6, 4, 3), seed=3), small_ints((6, 2, 3), seed=4)
TWO, TWO_OF_TWO = small_ints((6, 4, 3, 2), seed=5), small_ints((6, 2, 3, 2), seed=6)
THREE, THREE_OF_TWO = small_ints((2, 4, 2, 3, 2), seed=7), small_ints((6, 2, 2, 3, 2), seed=8)


@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions_along_one_dimension(groups: int) -> None:
    w = ONE if groups == 1 else ONE_OF_TWO
    want = ref.convolution(SIGNAL, w, [2], [(2, 1)], [2], groups)
    _runs(lambda x, k: topi.nn.conv1d(x, k, 2, (2, 1), 2, groups), [SIGNAL, w], want)
    last = [_last(SIGNAL), _filters_last(w)]
    _runs(lambda x, k: topi.nn.conv1d(x, k, 2, (2, 1), 2, groups, "NWC"), last, _last(want))
    _runs(lambda x, k: topi.nn.conv1d(x, k, 2, (2, 1), 2, groups, "NWC", "OIW"), [last[0], w], _last(want))
    if groups == 1:
        _runs(lambda x, k: topi.nn.conv1d_nwc(x, k, 2, (2, 1), 2), last, _last(want))
        plain = ref.convolution(SIGNAL, w, [1], [(0, 0)], [1])
        _runs(lambda x, k: topi.nn.conv1d(x, k), [SIGNAL, w], plain)
        same = ref.convolution(SIGNAL, w, [1], [(1, 1)], [1])
        _runs(lambda x, k: topi.nn.conv1d_nwc(x, k, padding="SAME"), last, _last(same))


def test_images_with_their_batch_last() -> None:
    want = ref.convolution(IMAGE, TWO, [2, 1], [(1, 0), (0, 1)], [1, 2])
    data, weight = np.ascontiguousarray(np.transpose(IMAGE, (2, 3, 1, 0))), _filters_last(TWO)
    made = _runs(
        lambda x, k: topi.nn.conv2d_hwcn(x, k, (2, 1), (1, 0, 0, 1), (1, 2)),
        [data, weight],
        np.transpose(want, (2, 3, 1, 0)),
    )
    assert made.op.tag == "conv2d_hwcn"


@pytest.mark.parametrize("groups", [2, 4])
def test_groups_of_images_with_channels_last(groups: int) -> None:
    w = small_ints((8, 4 // groups, 3, 2), seed=9)
    want = ref.convolution(IMAGE, w, [1, 2], [(1, 1), (0, 0)], [2, 1], groups)
    arrays = [_last(IMAGE), _filters_last(w)]
    _runs(lambda x, k: topi.nn.group_conv2d_nhwc(x, k, (1, 2), (1, 0), (2, 1), groups), arrays, _last(want))


@pytest.mark.parametrize("times", [1, 3])
def test_each_channel_by_itself_with_channels_last(times: int) -> None:
    w = small_ints((4, times, 3, 2), seed=10)
    want = ref.convolution(IMAGE, w.reshape(4 * times, 1, 3, 2), [2, 1], [(1, 1), (1, 1)], [1, 2], 4)
    arrays = [_last(IMAGE), np.ascontiguousarray(np.transpose(w, (2, 3, 0, 1)))]
    _runs(lambda x, k: topi.nn.depthwise_conv2d_nhwc(x, k, (2, 1), 1, (1, 2)), arrays, _last(want))


@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions_of_three_dimensions_with_channels_last(groups: int) -> None:
    w = THREE if groups == 1 else THREE_OF_TWO
    want = ref.convolution(SPACE, w, [1, 2, 1], [(1, 1), (0, 0), (1, 1)], [1, 1, 2], groups)
    arrays = [_last(SPACE), _filters_last(w)]
    _runs(lambda x, k: topi.nn.conv3d_ndhwc(x, k, (1, 2, 1), (1, 0, 1), (1, 1, 2), groups), arrays, _last(want))
    _runs(lambda x, k: topi.nn.conv3d_ncdhw(x, k, (1, 2, 1), (1, 0, 1), (1, 1, 2), groups), [SPACE, w], want)


def test_one_function_for_every_number_of_dimensions_and_layout() -> None:
    for data, w, layout in ((SIGNAL, ONE_OF_TWO, "NCW"), (IMAGE, TWO_OF_TWO, "NCHW"), (SPACE, THREE_OF_TWO, "NCDHW")):
        n = data.ndim - 2
        want = ref.convolution(data, w, [2] * n, [(1, 1)] * n, [1] * n, 2)
        _runs(lambda x, k, layout=layout: topi.nn.conv(x, k, 2, 1, 1, 2, layout), [data, w], want)
        last = "N" + layout[2:] + "C"
        arrays = [_last(data), _filters_last(w)]
        _runs(lambda x, k, last=last: topi.nn.conv(x, k, 2, 1, 1, 2, last), arrays, _last(want))
        mixed = [_last(data), w]
        own = "OI" + layout[2:]
        _runs(lambda x, k, last=last, own=own: topi.nn.conv(x, k, 2, 1, 1, 2, last, own), mixed, _last(want))


def test_products_and_sums_are_of_the_type_that_is_asked_for() -> None:
    x, w = small_ints((1, 2, 9), "int8"), np.full((3, 2, 3), 100, "int8")
    want = ref.convolution(x, w, [1], [(0, 0)], [1])
    assert np.abs(want).max() > 127
    made = _runs(lambda a, b: topi.nn.conv(a, b, 1, 0, 1, 1, "NCW", "", "int32"), [x, w], want)
    assert made.dtype == "int32"


@pytest.mark.parametrize(
    ("shape", "groups", "layout"),
    [((6, 3, 3), 2, "NCW"), ((5, 2, 3), 2, "NCW"), ((6, 4, 3), 1, "NCWH"), ((6, 4), 1, "NC")],
)
def test_what_does_not_go_together_is_refused(shape: tuple[int, ...], groups: int, layout: str) -> None:
    data, weight = te.placeholder((2, 4, 11), name="x"), te.placeholder(shape, name="w")
    with pytest.raises(TensorError, match="conv"):
        topi.nn.conv(data, weight, 1, 0, 1, groups, layout)


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_pools_along_one_and_three_dimensions(kind: str, ceil: bool) -> None:
    for include in (True, False):
        want = ref.pool(SIGNAL, [3], [2], [2], [(1, 2)], kind, ceil, include)
        args: tuple[Any, ...] = (3, 2, 2, (1, 2), kind, ceil)
        _runs(lambda x, a=args, i=include: topi.nn.pool1d(x, *a, layout="NCW", count_include_pad=i), [SIGNAL], want)
        _runs(
            lambda x, a=args, i=include: topi.nn.pool1d(x, *a, layout="NWC", count_include_pad=i),
            [_last(SIGNAL)],
            _last(want),
        )
    for include in (True, False):
        want = ref.pool(SPACE, [3, 3, 3], [2, 1, 2], [1, 2, 1], [(0, 1), (1, 1), (0, 0)], kind, ceil, include)
        spread: tuple[Any, ...] = ((3, 3, 3), (2, 1, 2), (1, 2, 1), (0, 1, 0, 1, 1, 0), kind, ceil)
        _runs(lambda x, a=spread, i=include: topi.nn.pool3d(x, *a, layout="NCDHW", count_include_pad=i), [SPACE], want)
        _runs(
            lambda x, a=spread, i=include: topi.nn.pool3d(x, *a, layout="NDHWC", count_include_pad=i),
            [_last(SPACE)],
            _last(want),
        )


def test_scales_and_shifts_of_channels_that_are_last() -> None:
    x, scale, shift = _last(IMAGE), small_ints((4,), seed=11), small_ints((4,), seed=12)
    _runs(topi.nn.scale_shift_nhwc, [x, scale, shift], x * scale + shift)


def test_the_default_schedule_of_a_gpu_computes_them_too() -> None:
    require_pocl()
    want = ref.convolution(SIGNAL, ONE_OF_TWO, [2], [(1, 1)], [1], 2)
    _runs(lambda x, k: topi.nn.conv1d(x, k, 2, 1, 1, 2), [SIGNAL, ONE_OF_TWO], want, "opencl")
    want = ref.pool(SPACE, [2, 2, 2], [2, 2, 2], [1, 1, 1], [(0, 0), (1, 1), (0, 0)], "avg", False, False)
    pads = (0, 1, 0, 0, 1, 0)
    _runs(lambda x: topi.nn.pool3d(x, 2, 2, 1, pads, "avg", False, "NCDHW", False), [SPACE], want, "opencl")


def test_schedules_by_kind_of_operator_are_schedules_of_the_results() -> None:
    x, w = te.placeholder((5, 7), name="x"), te.placeholder((3, 7), name="w")
    data, weight = small_ints((5, 7)), small_ints((3, 7), seed=1)
    dense, pooled = topi.nn.dense(x, w), topi.nn.pool1d(topi.expand_dims(x, 0), 2, 1, 1, 0, "max")
    cases: list[tuple[str, te.Tensor, list[Any], Array]] = [
        ("dense", dense, [x, w], data @ weight.T),
        ("pool", pooled, [x], np.maximum(data[:, 1:], data[:, :-1])[None]),
    ]
    for kind, result, inputs, want in cases:
        for module, target in ((topi.generic, "llvm"), (topi.cuda, "cuda")):
            sch = getattr(module, f"schedule_{kind}")(result)
            assert [t.op for t in (result,)] == list(sch.trace.outputs)
            if target == "cuda":
                assert "threadIdx.x" in gpucomp.source(sch, [*inputs, result], "cuda")
                continue
            out = poisoned(want.shape)
            gpucomp.build(sch, [*inputs, result], target)(*[data, weight][: len(inputs)], out)
            np.testing.assert_array_equal(out, want)
    own = te.extern(
        (5, 7), [x], lambda ins, outs: gpucomp.tir.call_packed("tests.topi.double", ins[0], outs[0]), dtype="float32"
    )
    sch = topi.generic.schedule_extern([own])
    assert list(sch.outputs) == [own.op]


def test_numbers_are_taken_out_of_expressions() -> None:
    n = te.var("n")
    assert topi.utils.get_const_int(te.const(7)) == topi.utils.get_const_int(7) == 7
    with pytest.raises(TensorError):
        topi.utils.get_const_int(n)
    assert topi.utils.get_const_tuple((te.const(2), 3)) == (2, 3)
