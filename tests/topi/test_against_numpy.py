"""Every operator against numpy in float64, families in one build each; some of them on PoCL."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any  # Any: tensors in, one or several out; arrays of several element types

import numpy as np
import pytest

import gpucomp
from gpucomp import te, topi
from tests.requirements import require_pocl
from tests.te.helpers import poisoned, small_ints
from tests.topi import reference as ref

Array = np.ndarray[Any, Any]
Case = tuple[Callable[..., Any], Callable[..., Any]]

_rng = np.random.default_rng(7)
A, B, ROW, COLUMN = small_ints((3, 5)), small_ints((3, 5), seed=1), small_ints((5,), seed=2), small_ints((3, 1), seed=3)
NONZERO = np.where(small_ints((5,), seed=4) == 0, 2, small_ints((5,), seed=4)).astype("float32")
LEFT, RIGHT = small_ints((3, 5), "int32"), np.array([1, -2, 3, -3, 2], "int32")
X = _rng.uniform(-0.9, 0.9, (3, 5)).astype("float32")
P = _rng.uniform(1.1, 3.0, (3, 5)).astype("float32")
HALVES = np.array([-2.5, -1.7, -0.2, 0.0, 0.4, 1.6, 2.3], "float32")
C3 = small_ints((2, 3, 5), seed=5)
PLACES = np.array([[0, 2], [4, 1]], "int32")
IMAGE, FILTER = small_ints((2, 4, 6, 7), seed=6), small_ints((6, 4, 3, 2), seed=7)
GROUPED, DEPTH = small_ints((6, 2, 3, 3), seed=8), small_ints((4, 2, 3, 3), seed=9)
VECTOR = small_ints((4,), seed=10)


def _erf(x: Array) -> Array:
    return np.vectorize(math.erf)(x)


def _softmax(x: Array, axis: int) -> Array:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _norm(x: Array, axes: tuple[int, ...]) -> Array:
    away = x - x.mean(axes, keepdims=True)
    return away / np.sqrt((away * away).mean(axes, keepdims=True) + 1e-5)


_LOGS = ("log", "log2", "log10", "sqrt")


def _nhwc(x: Array) -> Array:
    return np.moveaxis(x, 1, -1)


def _nn(name: str, *rest: Any, **named: Any) -> Callable[..., Any]:
    return lambda *tensors: getattr(topi.nn, name)(*tensors, *rest, **named)


def _of(name: str, *rest: Any, **named: Any) -> Callable[..., Any]:
    return lambda *tensors: getattr(topi, name)(*tensors, *rest, **named)


def _same(name: str, numpy_name: str = "") -> Case:
    return _of(name), getattr(np, numpy_name or name)


FAMILIES: dict[str, tuple[tuple[Array, ...], list[Case], float]] = {
    "broadcast": (
        (A, ROW),
        [_same(n) for n in ("add", "subtract", "multiply", "maximum", "minimum", "equal", "not_equal", "less")]
        + [_same(n) for n in ("less_equal", "greater", "greater_equal", "logical_and", "logical_or", "logical_xor")]
        + [(lambda a, b: topi.broadcast_to(b, (2, 3, 5)), lambda a, b: np.broadcast_to(b, (2, 3, 5)))]
        + [(lambda a, b: topi.where(topi.less(a, b), a, 9.0), lambda a, b: np.where(a < b, a, 9.0))]
        + [(lambda a, b: topi.subtract(1.0, a), lambda a, b: 1.0 - a)]
        + [(lambda a, b: topi.logical_not(a), lambda a, b: np.logical_not(a))],
        0.0,
    ),
    "a column": ((A, COLUMN), [_same("add"), (lambda a, b: topi.multiply(b, a), np.multiply)], 0.0),
    "quotients": (
        (A, NONZERO),
        [_same("divide"), _same("floor_divide"), _same("mod", "fmod"), _same("floor_mod", "mod")],
        1e-6,
    ),
    "integers": (
        (LEFT, RIGHT),
        [_same(n) for n in ("bitwise_and", "bitwise_or", "bitwise_xor", "floor_divide")]
        + [_same("floor_mod", "mod"), _same("mod", "fmod"), (_of("divide"), lambda a, b: np.trunc(a / b))]
        + [(lambda a, b: topi.left_shift(a, topi.abs(b)), lambda a, b: a << np.abs(b))]
        + [(lambda a, b: topi.right_shift(a, topi.abs(b)), lambda a, b: a >> np.abs(b))]
        + [(lambda a, b: topi.bitwise_not(a), lambda a, b: ~a), (lambda a, b: topi.sign(a), lambda a, b: np.sign(a))]
        + [
            (lambda a, b: topi.argmax(a, 1), lambda a, b: a.argmax(1)),
            (lambda a, b: topi.max(a), lambda a, b: a.max()),
        ],
        0.0,
    ),
    "functions": (
        (X,),
        [_same(n) for n in ("exp", "sin", "cos", "tan", "sinh", "cosh", "tanh")]
        + [_same(n, f"arc{n[1:]}") for n in ("asin", "acos", "atan", "asinh", "atanh")]
        + [(_of("erf"), _erf), (_of("sigmoid"), lambda x: 1 / (1 + np.exp(-x)))],
        3e-6,
    ),
    "functions of positives": (
        (P, X),
        [(lambda p, x, n=n: getattr(topi, n)(p), lambda p, x, n=n: getattr(np, n)(p)) for n in _LOGS]
        + [(lambda p, x: topi.rsqrt(p), lambda p, x: p**-0.5), (lambda p, x: topi.acosh(p), lambda p, x: np.arccosh(p))]
        + [_same("power")],
        3e-6,
    ),
    "rounding": (
        (HALVES,),
        [_same(n) for n in ("floor", "ceil", "trunc", "abs", "negative", "sign", "isnan", "isinf", "isfinite")]
        + [(_of("round"), lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5)), (_of("identity"), lambda x: x)]
        + [(_of("clip", -1.5, 1.25), lambda x: np.clip(x, -1.5, 1.25)), (_of("cast", "int32"), np.trunc)]
        + [(_of("full_like", 2.5), lambda x: np.full_like(x, 2.5))]
        + [(lambda x: topi.full((2, 3), "float32", 7), lambda x: np.full((2, 3), 7.0))]
        + [(lambda x: topi.elemwise_sum([x, x, topi.floor(x)]), lambda x: 2 * x + np.floor(x))]
        + [(lambda x: topi.reinterpret(x, "int32"), lambda x: x.astype("float32").view("int32"))]
        + [(lambda x: topi.nn.relu(x), lambda x: np.maximum(x, 0))]
        + [(lambda x: topi.nn.leaky_relu(x, 0.25), lambda x: np.where(x > 0, x, x * 0.25))],
        1e-6,
    ),
    "reductions": (
        (C3,),
        [(_of(n, 1), lambda x, n=n: getattr(x, n)(1)) for n in ("sum", "prod", "max", "min", "argmax", "argmin")]
        + [(_of(n, None), lambda x, n=n: getattr(x, n)()) for n in ("sum", "max", "argmin")]
        + [(_of(n, (0, -1), True), lambda x, n=n: getattr(x, n)((0, 2), keepdims=True)) for n in ("sum", "min")]
        + [(_of(n, 2, keepdims=True), lambda x, n=n: getattr(x, n)(2, keepdims=True)) for n in ("all", "any")]
        + [(_of("argmax", 2, False, True), lambda x: x.shape[2] - 1 - x[:, :, ::-1].argmax(2))]
        + [(_of("argmax", (1, 2)), lambda x: x.reshape(2, 15).argmax(1))],
        0.0,
    ),
    "moved": (
        (C3,),
        [
            (_of("transpose"), np.transpose),
            (_of("transpose", (1, -1, 0)), lambda x: np.transpose(x, (1, 2, 0))),
            (_of("reshape", (5, -1)), lambda x: x.reshape(5, 6)),
            (_of("expand_dims", -1, 2), lambda x: x[..., None, None]),
            (lambda x: topi.squeeze(topi.expand_dims(x, 1)), lambda x: x),
            (_of("flip", 2), lambda x: x[:, :, ::-1]),
            (_of("tile", (2, 1, 1, 3)), lambda x: np.tile(x, (2, 1, 1, 3))),
            (_of("tile", 2), lambda x: np.tile(x, 2)),
            (_of("repeat", 3, 1), lambda x: np.repeat(x, 3, 1)),
            (_of("split", [1, 4], 2), lambda x: np.split(x, [1, 4], 2)),
            (_of("split", 3, 1), lambda x: np.split(x, 3, 1)),
            (_of("strided_slice", [0, 2, 4], [2, 9, -9], [1, 1, -2]), lambda x: x[0:2, 2:9, 4:-9:-2]),
            (_of("strided_slice", [-2], [-1], axes=[1]), lambda x: x[:, -2:-1]),
            (_of("strided_slice", [0, 1], [-1, 2], None, [0, 2], "size"), lambda x: x[:, :, 1:3]),
            (lambda x: topi.arange(1, 8, 3, "int32"), lambda x: np.arange(1, 8, 3)),
            (lambda x: topi.arange(0.5, 2.0, 0.25), lambda x: np.arange(0.5, 2.0, 0.25)),
            (lambda x: topi.arange(5, 0, -2), lambda x: np.arange(5, 0, -2)),
            (_nn("pad", (0, 1, 2), (1, 0, 3), 4.0), lambda x: np.pad(x, ((0, 1), (1, 0), (2, 3)), constant_values=4)),
            (_nn("flatten"), lambda x: x.reshape(2, 15)),
            (lambda x: topi.strided_slice(topi.nn.dilate(x, (1, 2, 3)), [0, 0, 0], [2, 5, 13], [1, 2, 3]), lambda x: x),
            (lambda x: topi.sum(topi.nn.dilate(x, (1, 2, 3), 1.0)), lambda x: x.sum() + 2 * 5 * 13 - 30),
        ],
        0.0,
    ),
    "joined": (
        (A, B),
        [
            (lambda a, b, d=d: topi.concatenate([a, b, a], d), lambda a, b, d=d: np.concatenate([a, b, a], d))
            for d in (0, -1)
        ]
        + [(lambda a, b, d=d: topi.stack([a, b], d), lambda a, b, d=d: np.stack([a, b], d)) for d in (0, 1, 2)]
        + [(lambda a, b: topi.matmul(a, b, False, True), lambda a, b: a @ b.T)]
        + [(lambda a, b: topi.matmul(a, b, True), lambda a, b: a.T @ b)]
        + [(lambda a, b: topi.tensordot(a, b, 2), lambda a, b: np.tensordot(a, b, 2))]
        + [(lambda a, b: topi.tensordot(a, b, ([1], [1])), lambda a, b: np.tensordot(a, b, ([1], [1])))]
        + [(lambda a, b: topi.einsum("ij,kj->ki", a, b), lambda a, b: b @ a.T)]
        + [(lambda a, b: topi.einsum("ij,ik", a, b), lambda a, b: np.einsum("ij,ik", a, b))]
        + [(lambda a, b: topi.nn.dense(a, b), lambda a, b: a @ b.T)]
        + [(lambda a, b: topi.nn.matmul(a, b, None, "int32", True), lambda a, b: a.T @ b)],
        0.0,
    ),
    "gathered": (
        (C3, PLACES),
        [
            (_of("take", 2), lambda x, p: np.take(x, p, 2)),
            (_of("take"), lambda x, p: np.take(x, p)),
            (lambda x, p: topi.take(x, p, 1), lambda x, p: np.take(x, p, 1, mode="clip")),
            (lambda x, p: topi.take(x, p, 1, mode="wrap"), lambda x, p: np.take(x, p, 1, mode="wrap")),
            (lambda x, p: topi.take(x, p, 2, 1), lambda x, p: np.stack([x[i][:, p[i]] for i in range(2)])),
            (
                lambda x, p: topi.gather(topi.reshape(x, (6, 5)), 1, p),
                lambda x, p: np.take_along_axis(x.reshape(6, 5)[:2], p, 1),
            ),
            (lambda x, p: topi.gather_nd(topi.reshape(x, (3, 5, 2)), p), lambda x, p: x.reshape(3, 5, 2)[p[0], p[1]]),
            (
                lambda x, p: topi.one_hot(p, 2, -1, 4, 1, "float32"),
                lambda x, p: np.where(p[:, None] == np.arange(4)[:, None], 2, -1),
            ),
        ],
        0.0,
    ),
    "rows": (
        (X, ROW, NONZERO),
        [(lambda x, g, b, d=d: topi.nn.softmax(x, d), lambda x, g, b, d=d: _softmax(x, d)) for d in (-1, 0)]
        + [(lambda x, g, b: topi.nn.log_softmax(x), lambda x, g, b: np.log(_softmax(x, 1)))]
        + [(lambda x, g, b: topi.nn.layer_norm(x, g, b, -1), lambda x, g, b: _norm(x, (1,)) * g + b)]
        + [
            (
                lambda x, g, b: topi.nn.rms_norm(x, g, [1]),
                lambda x, g, b: x / np.sqrt((x * x).mean(1, keepdims=True) + 1e-5) * g,
            )
        ]
        + [(lambda x, g, b: topi.nn.bias_add(x, g), lambda x, g, b: x + g)]
        + [(lambda x, g, b: topi.nn.prelu(x, b), lambda x, g, b: np.where(x > 0, x, x * b))],
        1e-5,
    ),
    "batches": (
        (small_ints((2, 3, 5)), small_ints((2, 4, 5), seed=1)),
        [
            (_nn("batch_matmul"), lambda a, b: a @ b.transpose(0, 2, 1)),
            (
                lambda a, b: topi.nn.batch_matmul(topi.transpose(a, (0, 2, 1)), b, None, None, True),
                lambda a, b: a @ b.transpose(0, 2, 1),
            ),
        ],
        0.0,
    ),
    "convolutions": (
        (IMAGE, FILTER),
        [
            (_nn("conv2d_nchw", s, p, d), lambda x, w, s=s, p=p, d=d: ref.conv2d(x, w, s, p, d))
            for s, p, d in ((1, 0, 1), (2, 1, 2))
        ]
        + [
            (
                _nn("conv2d", (2, 1), (1, 0, 0, 1), 1, "NCHW"),
                lambda x, w: ref.conv2d(np.pad(x, ((0, 0), (0, 0), (1, 0), (0, 1))), w)[:, :, ::2],
            )
        ]
        + [(_nn("conv2d_nchw", 1, "SAME", 1), lambda x, w: ref.conv2d(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 0))), w))]
        + [
            (
                lambda x, w: topi.nn.conv2d_nhwc(
                    topi.transpose(x, (0, 2, 3, 1)), topi.transpose(w, (2, 3, 1, 0)), 2, 1, 1
                ),
                lambda x, w: _nhwc(ref.conv2d(x, w, 2, 1)),
            ),
            (
                lambda x, w: topi.nn.conv2d(
                    topi.transpose(x, (2, 3, 1, 0)), topi.transpose(w, (2, 3, 1, 0)), 1, 1, 1, "HWCN", "HWIO"
                ),
                lambda x, w: np.transpose(ref.conv2d(x, w, 1, 1), (2, 3, 1, 0)),
            ),
            (
                lambda x, w: topi.nn.conv2d_transpose_nchw(x, topi.transpose(w, (1, 0, 2, 3)), 2, 1, None, 1),
                lambda x, w: ref.conv2d_transpose(x, w.transpose(1, 0, 2, 3), 2, 1, 1),
            ),
            (
                lambda x, w: topi.nn.conv1d_ncw(topi.reshape(x, (2, 4, 42)), topi.reshape(w, (6, 4, 6)), 3, (2, 1)),
                lambda x, w: ref.conv2d(
                    np.pad(x.reshape(2, 4, 1, 42), ((0, 0), (0, 0), (0, 0), (2, 1))), w.reshape(6, 4, 1, 6)
                )[:, :, 0, ::3],
            ),
            (
                lambda x, w: topi.nn.conv3d_ncdhw(topi.expand_dims(x, 2), topi.expand_dims(w, 2), 1, 0, 1, 1),
                lambda x, w: ref.conv2d(x, w)[:, :, None],
            ),
        ],
        0.0,
    ),
    "channels": (
        (IMAGE, GROUPED, DEPTH, VECTOR),
        [
            (
                lambda x, g, d, v: topi.nn.group_conv2d_nchw(x, g, 2, 1, 1, 2),
                lambda x, g, d, v: ref.conv2d(x, g, 2, 1, 1, 2),
            ),
            (
                lambda x, g, d, v: topi.nn.depthwise_conv2d_nchw(x, d, 1, 1, 1),
                lambda x, g, d, v: ref.conv2d(x, d.reshape(8, 1, 3, 3), 1, 1, 1, 4),
            ),
            (
                lambda x, g, d, v: topi.nn.scale_shift_nchw(x, v, v),
                lambda x, g, d, v: x * v[:, None, None] + v[:, None, None],
            ),
            (
                lambda x, g, d, v: topi.nn.batch_norm(x, v, v, v, topi.abs(v))[0],
                lambda x, g, d, v: (
                    (x - v[:, None, None]) / np.sqrt(np.abs(v[:, None, None]) + 1e-5) * v[:, None, None]
                    + v[:, None, None]
                ),
            ),
            (
                lambda x, g, d, v: topi.nn.instance_norm(x, v, v, (2, 3)),
                lambda x, g, d, v: _norm(x, (2, 3)) * v[:, None, None] + v[:, None, None],
            ),
        ],
        1e-5,
    ),
    "pools": (
        (IMAGE,),
        [(_nn("pool2d", 3, 2, 1, 1, t), lambda x, t=t: ref.pool2d(x, 3, 2, 1, t)) for t in ("max", "avg")]
        + [
            (
                _nn("pool2d", 2, 3, 2, 0, t, True, "NCHW", False),
                lambda x, t=t: ref.pool2d(x, 2, 3, 0, t, True, False, 2),
            )
            for t in ("max", "avg")
        ]
        + [
            (
                _nn("pool2d", 3, 2, 1, 1, "avg", False, "NCHW", False),
                lambda x: ref.pool2d(x, 3, 2, 1, "avg", False, False),
            )
        ]
        + [
            (_nn("global_pool", "avg"), lambda x: x.mean((2, 3), keepdims=True)),
            (_nn("global_pool", "max"), lambda x: x.max((2, 3), keepdims=True)),
        ]
        + [
            (_nn("adaptive_pool", (4, 3), t), lambda x, f=f: ref.adaptive(x, (4, 3), f))
            for t, f in (("avg", np.mean), ("max", np.max))
        ],
        1e-6,
    ),
}


def _run(family: str, target: str) -> None:
    arrays, cases, rtol = FAMILIES[family]
    inputs = [te.placeholder(x.shape, str(x.dtype), f"in{k}") for k, x in enumerate(arrays)]
    wide = [x.astype(np.float64) if x.dtype.kind == "f" else x.astype(np.int64) for x in arrays]
    outputs: list[te.Tensor] = []
    wanted: list[Array] = []
    for ours, numpys in cases:
        made, want = ours(*inputs), numpys(*wide)
        several = isinstance(made, list)
        outputs += made if several else [made]
        wanted += [np.asarray(x) for x in (want if several else [want])]
    sch = topi.generic.schedule_injective(outputs)
    results = [poisoned(w.shape, str(t.dtype)) for w, t in zip(wanted, outputs, strict=True)]
    gpucomp.build(sch, [*inputs, *outputs], target)(*arrays, *results)
    for k, (t, got, want) in enumerate(zip(outputs, results, wanted, strict=True)):
        assert got.shape == tuple(topi.utils.get_const_tuple(t.shape))
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol, err_msg=f"{family}: output {k}, {t.name}")


@pytest.mark.parametrize("family", FAMILIES)
def test_operators_are_those_of_numpy(family: str) -> None:
    _run(family, "llvm")


@pytest.mark.parametrize("family", ["quotients", "reductions", "joined", "rows", "pools"])
def test_operators_with_the_default_schedule_of_a_gpu(family: str) -> None:
    require_pocl()
    _run(family, "opencl")


@pytest.mark.parametrize(("dtype", "low", "high"), [("uint8", -1, 300), ("int8", -1000, 3), ("uint16", -5, 70000)])
def test_limits_that_a_type_does_not_reach_limit_nothing(dtype: str, low: int, high: int) -> None:
    ends = np.iinfo(dtype)
    a = np.array([ends.min, 0, 1, 5, ends.max], dtype)
    x = te.placeholder(a.shape, dtype, name="x")
    y = topi.clip(x, low, high)
    got = gpucomp.build(te.create_schedule(y.op), [x, y], "llvm")(a)
    np.testing.assert_array_equal(got, np.clip(a.astype("int64"), low, high))
