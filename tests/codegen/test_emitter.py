"""What the emitter writes: sharing, guards, vectors, memory, loops, names. Run on PoCL, compiled for CUDA and AMD."""

from __future__ import annotations

import math
import re
from typing import Any  # arrays of any element type, functions of any shape

import numpy as np
import pytest

from gpucomp.codegen import emit_unit
from gpucomp.support.diagnostics import LowerError, Span
from gpucomp.support.dtype import DType
from gpucomp.support.launch import KernelImage
from gpucomp.tir import expr as e
from gpucomp.tir import intrin
from gpucomp.tir import operators as op
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.stmt import ForKind, Stmt
from tests.codegen.build import CUDA, OPENCL, axis, bind, device, elementwise, flat, images
from tests.codegen.devices import check_everywhere, compile_cuda, run_opencl
from tests.tiers import slow, tiered

Array = np.ndarray[Any, Any]
TRUE = op.const(1, "bool")


def ramp(base: Any, lanes: int, stride: int = 1) -> Expr:
    return e.Ramp(op.convert(base), op.const(stride), lanes)


def per_thread(body: Any, *buffers: Buffer, count: int = 64, writes: int = 1, alignment: int = 16) -> PrimFunc:
    """A kernel of one block; ``body(tx)`` builds the statement, the first ``writes`` buffers are written."""
    tx = axis("threadIdx.x", count)
    stmt: Stmt = body(tx.var)
    return device(list(buffers), bind(stmt, tx), {"threadIdx.x": count}, buffers[:writes], alignment=alignment)


def run(func: PrimFunc, *arrays: Any, count: int = 64) -> list[Array]:
    forms = images(func)
    check_everywhere(forms)
    return run_opencl(forms["opencl"], "f_kernel", (1,), (count,), arrays)


def several(builds: Any, inputs: list[str], outputs: list[str], *arrays: Array) -> list[Array]:
    """Several functions of the same inputs in one kernel; their results on PoCL, compiled for CUDA too."""
    outs = [flat(f"out{k}", dtype) for k, dtype in enumerate(outputs)]
    ins = [flat(f"in{k}", dtype) for k, dtype in enumerate(inputs)]

    def body(tx: Var) -> Stmt:
        stores = [s.BufferStore(o, f(*[b[tx] for b in ins]), (tx,)) for o, f in zip(outs, builds, strict=True)]
        return s.seq(stores)

    forms = images(per_thread(body, *outs, *ins, writes=len(outs)))
    compile_cuda(forms["cuda"])
    empty = [np.zeros(64, o.dtype.numpy) for o in outs]
    return run_opencl(forms["opencl"], "f_kernel", (1,), (64,), [*empty, *arrays])[: len(outs)]


def body_of(image: KernelImage) -> list[str]:
    """Lines of the kernel between the braces."""
    lines = image.source.splitlines()
    start = next(i for i, line in enumerate(lines) if line.endswith(") {") and "gc_" not in line)
    return [line.strip() for line in lines[start + 1 : -1]]


# -- sharing ----------------------------------------------------------------------------------------------------


def test_thirty_squares_are_thirty_lines() -> None:
    out, a = flat("out"), flat("a")

    def body(tx: Var) -> Stmt:
        x: Expr = a[tx]
        for _ in range(30):
            x = x * x
        return s.BufferStore(out, x, (tx,))

    func = per_thread(body, out, a)
    assert 15 <= len(body_of(images(func)["cuda"])) <= 34
    (got, _) = run(func, np.zeros(64, np.float32), np.full(64, -1.0, np.float32))
    np.testing.assert_array_equal(got, np.ones(64, np.float32))


@pytest.mark.opencl
@pytest.mark.slow
def test_a_sum_of_ten_thousand_terms_is_cut_into_lines_that_compilers_take() -> None:
    out, a = flat("out", "int32"), flat("a", "int32")

    def body(tx: Var) -> Stmt:
        total: Expr = a[tx]
        for k in range(1, 10_000):
            total = total + a[(tx + k) % 64] * (k % 7)
        return s.BufferStore(out, total, (tx,))

    func = per_thread(body, out, a)
    image = emit_unit([func], OPENCL)
    assert max(len(line) for line in image.source.splitlines()) < 8000
    data = np.arange(64, dtype=np.int32)
    (got, _) = run_opencl(image, "f_kernel", (1,), (64,), [np.zeros(64, np.int32), data])
    want = data.copy()
    for k in range(1, 10_000):
        want += np.roll(data, -k) * (k % 7)
    np.testing.assert_array_equal(got, want)


def test_a_load_is_not_moved_above_the_condition_that_guards_it() -> None:
    out, a = flat("out"), flat("a", size=64)

    def body(tx: Var) -> Stmt:
        x = a[tx + 60]
        for _ in range(4):
            x = x * x + x
        return s.BufferStore(out, intrin.if_then_else(tx < 4, x, 0.0), (tx,))

    func = per_thread(body, out, a)
    lines = body_of(images(func)["cuda"])
    load = next(i for i, line in enumerate(lines) if "a[" in line)
    assert "if (threadIdx_x < 4) {" in lines[:load]
    (got, _) = run(func, np.zeros(64, np.float32), np.full(64, 0.5, np.float32))
    x = np.float32(0.5)
    for _ in range(4):
        x = x * x + x
    np.testing.assert_allclose(got, np.where(np.arange(64) < 4, x, 0), rtol=1e-6)


def test_index_arithmetic_shared_by_condition_and_load_is_written_once() -> None:
    out, a = flat("out"), flat("a", size=64)

    def body(tx: Var) -> Stmt:
        i = tx * 3 + tx // 2 - 5
        inside = e.And(i >= 0, i < 64)
        return s.BufferStore(out, intrin.if_then_else(inside, a[i], -1.0), (tx,))

    func = per_thread(body, out, a)
    lines = body_of(images(func)["cuda"])
    assert lines[1:] == [
        "const int t = threadIdx_x * 3 + (threadIdx_x >> 1) - 5;",
        "out[threadIdx_x] = 0 <= t && t < 64 ? a[t] : -1.0f;",
    ] or lines[1:] == [
        "const int t = threadIdx_x * 3 + (threadIdx_x >> 1) - 5;",
        "out[threadIdx_x] = t >= 0 && t < 64 ? a[t] : -1.0f;",
    ]
    data = np.arange(64, dtype=np.float32)
    (got, _) = run(func, np.zeros(64, np.float32), data)
    i = np.arange(64) * 3 + np.arange(64) // 2 - 5
    np.testing.assert_array_equal(got, np.where((i >= 0) & (i < 64), data[np.clip(i, 0, 63)], -1))


def test_the_second_operand_of_and_is_guarded_by_the_first() -> None:
    out, a = flat("out", "int32"), flat("a", "int32", size=64)

    def body(tx: Var) -> Stmt:
        x = a[tx * 2]
        big = x * x * x + x > 7
        both = e.And(tx < 32, e.And(big, e.LT(x * x * x + x, 1000)))
        return s.BufferStore(out, e.Select(both, op.const(1), op.const(0)), (tx,))

    func = per_thread(body, out, a)
    lines = body_of(images(func)["cuda"])
    assert "if (threadIdx_x < 32) {" in lines
    data = np.arange(64, dtype=np.int32) // 4
    (got, _) = run(func, np.zeros(64, np.int32), data)
    x = np.append(data[::2], np.zeros(32, np.int32))
    y = x**3 + x
    np.testing.assert_array_equal(got, (np.arange(64) < 32) & (y > 7) & (y < 1000))


def test_a_let_expression_is_a_constant() -> None:
    out, a = flat("out"), flat("a")
    x = Var("x", "float32")
    func = per_thread(lambda tx: s.BufferStore(out, e.Let(x, a[tx] + 1.0, x * x), (tx,)), out, a)
    assert "const float x = a[threadIdx_x] + 1.0f;" in body_of(images(func)["cuda"])
    (got, _) = run(func, np.zeros(64, np.float32), np.ones(64, np.float32))
    np.testing.assert_array_equal(got, np.full(64, 4, np.float32))


# -- operators --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda x, y, z: (x + y) * z, "(x + y) * z"),
        (lambda x, y, z: x - (y - z), "x - (y - z)"),
        (lambda x, y, z: x - y - z, "x - y - z"),
        (lambda x, y, z: x + y * z, "x + y * z"),
        (lambda x, y, z: op.truncdiv(x * y, z), "x * y / z"),
        (lambda x, y, z: x * op.truncdiv(y, z), "x * (y / z)"),
        (lambda x, y, z: (x + y) // 8, "(x + y) >> 3"),
        (lambda x, y, z: (x + y) // 8 * z, "((x + y) >> 3) * z"),
        (lambda x, y, z: x % 16 + y, "(x & 15) + y"),
        (lambda x, y, z: x // y, "gc_floordiv_int32(x, y)"),
        (lambda x, y, z: x % y, "gc_floormod_int32(x, y)"),
        (lambda x, y, z: op.maximum(x, y + 1), "max(x, y + 1)"),
        (lambda x, y, z: (x << 2) | (y & z), "(x << 2) | (y & z)"),
        (lambda x, y, z: ~x ^ y, "~x ^ y"),
        (lambda x, y, z: x + -3, "x - 3"),
        (lambda x, y, z: e.Sub(x, op.const(-3)), "x + 3"),
        (lambda x, y, z: e.Select(x < y, y, z), "x < y ? y : z"),
        (
            lambda x, y, z: e.Select(e.Or(e.And(x < y, y < z), x.equal(z)), x, y),
            "(x < y && y < z) || x == z ? x : y",
        ),
        (lambda x, y, z: e.Select(e.Not(x < y), e.Select(y < z, x, y), z), "!(x < y) ? (y < z ? x : y) : z"),
        (lambda x, y, z: x * (y + 1) * (z + 1), "x * (y + 1) * (z + 1)"),
        (lambda x, y, z: op.cast("int32", op.cast("int64", x) * 5), "(int)((long long)x * 5LL)"),
    ],
)
def test_parentheses_are_minimal(build: Any, text: str) -> None:
    out = flat("out", "int32")
    x, y, z = Var("x"), Var("y"), Var("z")
    tx = axis("threadIdx.x", 1)
    func = device([out, x, y, z], bind(s.BufferStore(out, build(x, y, z), (0,)), tx), {"threadIdx.x": 1}, [out])
    forms = images(func)
    assert f"out[0] = {text};" in body_of(forms["cuda"])
    compile_cuda(forms["cuda"])


@pytest.mark.opencl
@pytest.mark.parametrize("dtype", ["int8", *slow("uint8", "int16"), "int32", *slow("uint32", "int64"), "uint64"])
def test_divisions_follow_their_families(dtype: str) -> None:
    a = np.array([-7, -6, -1, 0, 1, 6, 7, 100] * 8).astype(dtype)
    b = np.repeat(np.array([-3, -2, 1, 2, 3, 5, -1, 4]), 8).astype(dtype)
    b[b == 0] = 1
    quotients = [lambda x, y: x // y, lambda x, y: x % y, op.truncdiv, op.truncmod]
    quotients += [lambda x, y: x // 4, lambda x, y: x % 4, lambda x, y: x // 3]
    floor = a // b
    rest = a - floor * b
    exact = floor + ((rest != 0) & ((a < 0) != (b < 0)))
    one = np.dtype(dtype).type
    wants = [floor, rest, exact, a - exact * b, a // one(4), a % one(4), a // one(3)]
    for got, want in zip(several(quotients, [dtype, dtype], [dtype] * 7, a, b), wants, strict=True):
        np.testing.assert_array_equal(got, want.astype(dtype))


NUMBERS = [
    ("float32", float("inf")),
    ("float32", float("-inf")),
    ("float32", float("nan")),
    ("float32", 0.1),
    ("float32", -0.0),
    ("float32", 1e-45),
    ("float32", 3.4028235e38),
    ("float32", 1e300),
    ("float32", 16777216.0),
    ("float16", 0.1),
    ("float16", 65504.0),
    ("float16", 1e6),
    ("bfloat16", 0.1),
    ("int8", -128),
    ("uint8", 255),
    ("int16", -(2**15)),
    ("uint16", 2**16 - 1),
    ("int32", -(2**31)),
    ("int32", 2**31 - 1),
    ("uint32", 2**32 - 1),
    ("int64", -(2**63)),
    ("int64", 2**63 - 1),
    ("uint64", 2**64 - 1),
    ("bool", 1),
]


@pytest.mark.opencl
def test_literals_keep_their_value() -> None:
    types = [dtype for dtype, _ in NUMBERS]
    values = [op.const(value, dtype) for dtype, value in NUMBERS]
    for (dtype, value), got in zip(NUMBERS, several([lambda v=v: v for v in values], [], types), strict=True):
        kind = DType(dtype).numpy
        with np.errstate(over="ignore"):
            want = np.full(64, value).astype(kind) if DType(dtype).is_float else np.full(64, value, kind)
        assert got.tobytes() == want.tobytes() or (np.isnan(value) and np.isnan(got).all()), (dtype, value)


TYPES = [
    "float32",
    "float16",
    "bfloat16",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "bool",
]


@pytest.mark.opencl
@pytest.mark.parametrize("source", tiered(TYPES, ("float32", "bfloat16", "int8", "uint64")))
def test_casts_agree_with_numpy(source: str) -> None:
    kind = flat("a", source).dtype.numpy
    values = np.array([0, 1, 2, 3, 100, 7.5, 63.25, 5] * 8)
    if source in ("float32", "int8", "int16", "int32", "int64"):
        values[::3] *= -1
    data = values.astype(kind)
    # Negative floats to unsigned types are undefined everywhere.
    targets = [t for t in TYPES if not t.startswith("u") or source.startswith(("u", "int", "bool"))]
    casts = [lambda x, t=target: op.cast(t, x) for target in targets]
    for target, got in zip(targets, several(casts, [source], targets, data), strict=True):
        np.testing.assert_array_equal(got, data.astype(DType(target).numpy), err_msg=f"{source} to {target}")


UNARY = [
    "exp",
    "exp2",
    "log1p",
    "sqrt",
    "rsqrt",
    "sin",
    "cos",
    "tanh",
    "erf",
    "sigmoid",
    "floor",
    "ceil",
    "trunc",
    "nearbyint",
    "round",
]


@pytest.mark.opencl
@pytest.mark.parametrize("dtype", ["float32", *slow("float16")])
def test_functions_agree_with_numpy(dtype: str) -> None:
    data = np.linspace(0.25, 4, 64).astype(dtype)
    special: dict[str, Any] = {
        "rsqrt": lambda x: 1 / np.sqrt(x),
        "erf": np.vectorize(math.erf),
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "nearbyint": np.rint,
        "round": lambda x: np.floor(x + 0.5),
    }
    calls = [lambda x, n=name: op.unary(n, x) for name in UNARY]
    for name, got in zip(UNARY, several(calls, [dtype], [dtype] * len(UNARY), data), strict=True):
        want = (special.get(name) or getattr(np, name))(data.astype(np.float64))
        error = 1e-5 if dtype == "float32" else 1e-3
        np.testing.assert_allclose(got.astype(np.float64), want, rtol=error, err_msg=name)


@pytest.mark.opencl
def test_classification_and_bit_functions() -> None:
    data = np.array([0, 1, -1, np.inf, -np.inf, np.nan, 1e38, -0.0] * 8, np.float32)
    names = ["isnan", "isinf", "isfinite"]
    tests = [lambda x, n=name: e.Call("bool", f"tir.{n}", (x,)) for name in names]
    for name, got in zip(names, several(tests, ["float32"], ["bool"] * 3, data), strict=True):
        np.testing.assert_array_equal(got, getattr(np, name)(data))
    for dtype in ("uint8", "int32", "uint64"):
        bits = np.array([1, 2, 3, 7, 100, 127, 64, 5] * 8).astype(dtype)
        width = bits.dtype.itemsize * 8
        calls = [lambda x: op.cast("int32", intrin.popcount(x)), intrin.clz]
        ones, zeros = several(calls, [dtype], ["int32", "int32"], bits)
        np.testing.assert_array_equal(ones, [int(x).bit_count() for x in bits])
        np.testing.assert_array_equal(zeros, [width - int(x).bit_length() for x in bits])


@pytest.mark.opencl
def test_bits_of_a_float_are_its_bits() -> None:
    data = np.linspace(-3, 3, 64).astype(np.float32)
    for source, target in (
        ("float32", "int32"),
        ("float32", "uint32"),
        ("float16", "uint16"),
        ("bfloat16", "int16"),
    ):
        a = data.astype(DType(source).numpy)
        (got,) = several([lambda x, t=target: intrin.reinterpret(t, x)], [source], [target], a)
        np.testing.assert_array_equal(got, a.view(target))
        (again,) = several([lambda x, t=source: intrin.reinterpret(t, x)], [target], [source], got)
        assert again.tobytes() == a.tobytes()


# -- vectors ----------------------------------------------------------------------------------------------------


@pytest.mark.opencl
@pytest.mark.parametrize(
    ("dtype", "lanes"), [("float32", 4), ("float16", 8), ("int8", 16), ("float32", 8), ("float64", 2)]
)
def test_an_aligned_copy_moves_whole_vectors(dtype: str, lanes: int) -> None:
    func = elementwise(lambda x: x, [dtype], dtype, lanes)
    lines = body_of(emit_unit([func], CUDA))
    stores = [line for line in lines if line.startswith("*(")]
    width = lanes * np.dtype(flat("a", dtype).dtype.numpy).itemsize
    assert len(stores) == max(1, width // 16)
    assert all(line.count("*(const ") == 1 for line in stores)


WIDTHS = (2, 3, 4, 6, 8, 16, 32)


@pytest.mark.opencl
@pytest.mark.parametrize("dtype", ["float32", *slow("float16", "int8"), "bool"])
def test_any_width_of_any_alignment_is_right(dtype: str) -> None:
    outs, a, b = [flat(f"out{n}", dtype) for n in WIDTHS], flat("a", dtype), flat("b", dtype)
    kind = a.dtype.numpy

    def store(out: Buffer, tx: Var, lanes: int) -> Stmt:
        low = ramp(tx * lanes + 1, lanes)
        x, y = a[low], b[ramp(tx * lanes, lanes)]
        return s.BufferStore(out, e.And(x, y) if dtype == "bool" else x + y, (low,))

    def body(tx: Var) -> Stmt:
        return s.seq([store(out, tx, lanes) for out, lanes in zip(outs, WIDTHS, strict=True)])

    func = per_thread(body, *outs, a, b, writes=len(outs))
    x, y = np.random.default_rng(0).integers(0, 2, (2, 64 * 32 + 1)).astype(kind)
    got = run(func, *[np.zeros(64 * n + 1, kind) for n in WIDTHS], x, y)
    for lanes, mine in zip(WIDTHS, got, strict=False):
        size = 64 * lanes
        want = x[1 : size + 1] & y[:size] if dtype == "bool" else x[1 : size + 1] + y[:size]
        np.testing.assert_array_equal(mine[1:], want, err_msg=f"{lanes} lanes")


def test_vectors_of_unknown_alignment_go_lane_by_lane_where_the_dialect_needs_alignment() -> None:
    func = elementwise(lambda x: x, ["float32"], "float32", 4, alignment=4)
    forms = images(func)
    assert "float4" not in forms["cuda"].source
    assert "vload4" in forms["opencl"].source
    check_everywhere(forms)


@pytest.mark.opencl
def test_gathers_strides_and_masks_go_lane_by_lane() -> None:
    out, a, index = flat("out"), flat("a"), flat("index", "int32")

    def body(tx: Var) -> Stmt:
        value = a[index[ramp(tx * 4, 4)]] + a[ramp(tx, 4, 2)]
        mask = e.LT(ramp(tx * 4, 4), e.Broadcast(op.const(201), 4))
        return s.BufferStore(out, value, (ramp(tx * 4, 4),), mask)

    func = per_thread(body, out, a, index)
    x = np.random.default_rng(0).standard_normal(256).astype(np.float32)
    i = np.random.default_rng(1).integers(0, 256, 256).astype(np.int32)
    got = run(func, np.zeros(256, np.float32), x, i)[0]
    strided = np.stack([x[np.arange(64) + 2 * k] for k in range(4)], 1).reshape(-1)
    np.testing.assert_array_equal(got, np.where(np.arange(256) < 201, x[i] + strided, 0))


@pytest.mark.opencl
def test_a_vector_under_a_condition_is_loaded_under_it() -> None:
    out, a = flat("out"), flat("a", size=128)

    def body(tx: Var) -> Stmt:
        zero = e.Broadcast(op.const(0.0, "float32"), 4)
        value = intrin.call_intrin("float32x4", "if_then_else", tx < 32, a[ramp(tx * 4, 4)], zero)
        return s.BufferStore(out, value, (ramp(tx * 4, 4),))

    func = per_thread(body, out, a)
    forms = images(func)
    assert any("threadIdx_x < 32 ? *(const float4*)" in line for line in body_of(forms["cuda"]))
    data = np.arange(128, dtype=np.float32)
    got = run(func, np.zeros(256, np.float32), data)[0]
    np.testing.assert_array_equal(got, np.append(data, np.zeros(128)))


@pytest.mark.opencl
def test_vector_conditions_casts_and_lets_are_right() -> None:
    out, a = flat("out", "int32"), flat("a", "float16")
    v = Var("v", "float32x4")

    def body(tx: Var) -> Stmt:
        low = ramp(tx * 4, 4)
        picked = e.Select(e.LT(v, e.Broadcast(op.const(0.0, "float32"), 4)), v * 2.0, v)
        odd = e.Shuffle((e.Cast("int32x4", picked),), (3, 2, 1, 0))
        return s.LetStmt(v, e.Cast("float32x4", a[low]), s.BufferStore(out, odd, (low,)))

    data = np.random.default_rng(3).integers(-9, 9, 256).astype(np.float16)
    got = run(per_thread(body, out, a), np.zeros(256, np.int32), data)[0]
    x = data.astype(np.float32)
    want = np.where(x < 0, x * 2, x).astype(np.int32).reshape(-1, 4)[:, ::-1].reshape(-1)
    np.testing.assert_array_equal(got, want)


# -- memory, threads, loops ---------------------------------------------------------------------------------------


def transpose(scope: str) -> PrimFunc:
    out, a, tile, row = (
        flat("out"),
        flat("a"),
        flat("tile", size=16 * 17, scope=scope),
        flat("row", size=4, scope="local"),
    )
    tx, ty = axis("threadIdx.x", 16), axis("threadIdx.y", 4)
    k = Var("k")
    fill = s.For(k, 0, 4, ForKind.UNROLLED, s.BufferStore(tile, a[(ty * 4 + k) * 16 + tx], ((ty * 4 + k) * 17 + tx,)))
    j = Var("j")
    load = s.BufferStore(row, tile[tx * 17 + ty * 4 + (j - 1)], (j - 1,))
    gather = s.For(j, 1, 4, ForKind.SERIAL, load)
    drain = s.BufferStore(out, row[k], ((ty * 4 + k) * 16 + tx,))
    work = s.seq(fill, s.Evaluate(intrin.barrier()), gather, s.For(k, 0, 4, ForKind.SERIAL, drain))
    inner = s.Allocate(row.data, row.dtype, (op.const(4),), TRUE, work)
    body = s.Allocate(tile.data, tile.dtype, (op.const(16), op.const(17)), TRUE, inner)
    # The allocation stands under a condition: its declaration has to move to the kernel's top.
    n = Var("n")
    body = s.IfThenElse(n > 0, body)
    return device([out, a, n], bind(body, ty, tx), {"threadIdx.x": 16, "threadIdx.y": 4}, [out])


@pytest.mark.opencl
def test_shared_memory_is_declared_at_the_top_and_barriers_hold() -> None:
    forms = images(transpose("shared"))
    check_everywhere(forms)
    assert re.search(r"^  __local float tile\[272\]", forms["opencl"].source, re.M)
    assert forms["cuda"].kernels[0].static_shared_bytes == 1088
    data = np.random.default_rng(0).standard_normal((16, 16)).astype(np.float32)
    got = run_opencl(forms["opencl"], "f_kernel", (1, 1), (16, 4), [np.zeros_like(data), data, np.int32(1)])[0]
    np.testing.assert_array_equal(got, data.T)


def test_dynamic_shared_memory_is_one_array_in_cuda_and_static_in_opencl() -> None:
    forms = images(transpose("shared.dyn"))
    assert "extern __shared__ __align__(16) unsigned char shared_bytes[];" in forms["cuda"].source
    assert forms["cuda"].kernels[0].static_shared_bytes == 0
    assert forms["opencl"].kernels[0].static_shared_bytes == 1088
    check_everywhere(forms)


@pytest.mark.opencl
@pytest.mark.parametrize("dtype", ["int32", "uint32", "float32"])
def test_atomic_addition_counts_every_thread(dtype: str) -> None:
    out, a = flat("out", dtype, 4), flat("a", dtype)

    def body(tx: Var) -> Stmt:
        place = intrin.call_intrin("handle", "address_of", out[tx % 4])
        return s.Evaluate(intrin.call_intrin(dtype, "atomic_add", place, a[tx]))

    func = per_thread(body, out, a)
    data = np.arange(64).astype(dtype)
    got = run(func, np.zeros(4, dtype), data)[0]
    np.testing.assert_array_equal(got, data.reshape(-1, 4).sum(0))


@pytest.mark.opencl
def test_a_while_loop_computes_its_condition_in_each_round() -> None:
    out, a, x = flat("out", "int32"), flat("a", "int32"), flat("x", "int32", 1, "local")

    def body(tx: Var) -> Stmt:
        y = x[0] * x[0] + x[0] * 3
        loop = s.While(e.And(y * y > 10, e.LT(op.const(0), y * y * y + y)), s.BufferStore(x, x[0] - 1, (0,)))
        work = s.seq(s.BufferStore(x, a[tx], (0,)), loop, s.BufferStore(out, x[0], (tx,)))
        return s.Allocate(x.data, x.dtype, (op.const(1),), TRUE, work)

    data = np.arange(64, dtype=np.int32) % 20
    got = run(per_thread(body, out, a), np.zeros(64, np.int32), data)[0]

    def step(v: int) -> int:
        while (v * v + v * 3) ** 2 > 10 and 0 < (v * v + v * 3) ** 3 + v * v + v * 3:
            v -= 1
        return v

    np.testing.assert_array_equal(got, [step(int(v)) for v in data])


def test_loops_start_where_they_say_and_unroll_on_request() -> None:
    out, a = flat("out"), flat("a")
    k = Var("k")
    notes = {"unroll_factor": 4}

    def body(tx: Var) -> Stmt:
        store = s.BufferStore(out, out[tx] + a[tx + k], (tx,))
        return s.For(k, tx, op.const(8), ForKind.UNROLLED, store, None, notes)

    forms = images(per_thread(body, out, a))
    lines = body_of(forms["cuda"])
    at = lines.index("#pragma unroll 4")
    assert lines[at + 1] == "for (int k = threadIdx_x; k < threadIdx_x + 8; ++k) {"
    assert "__attribute__((opencl_unroll_hint(4)))" in forms["opencl"].source
    check_everywhere(forms)


@pytest.mark.opencl
def test_an_extent_from_memory_is_read_once() -> None:
    out, n, k = flat("out", "int32"), flat("n", "int32"), Var("k")

    def body(tx: Var) -> Stmt:
        work = s.seq(s.BufferStore(out, out[tx] + 1, (tx,)), s.BufferStore(n, op.const(0), (tx,)))
        return s.For(k, 0, n[tx], ForKind.SERIAL, work)

    rounds = np.arange(64, dtype=np.int32) % 5
    got = run(per_thread(body, out, n, writes=2), np.zeros(64, np.int32), rounds)[0]
    np.testing.assert_array_equal(got, rounds)


def test_launch_bounds_come_from_constant_blocks_only() -> None:
    n = Var("n")
    out = flat("out")
    tx = axis("threadIdx.x", n)
    func = device([out, n], bind(s.BufferStore(out, 1.0, (tx.var,)), tx), {"threadIdx.x": n}, [out])
    forms = images(func)
    assert "launch_bounds" not in forms["cuda"].source
    assert "reqd_work_group_size" not in forms["opencl"].source
    assert forms["cuda"].kernels[0].max_threads == 0


# -- names ------------------------------------------------------------------------------------------------------


@pytest.mark.opencl
def test_names_that_are_words_of_a_language_are_mangled() -> None:
    names = ["float", "kernel", "threadIdx.x", "a b", "größe", "1st", "__x", "gc_y", "a b"]
    buffers = [flat(name) for name in ["out", *names]]
    value = Var("int")

    def body(tx: Var) -> Stmt:
        total: Expr = op.cast("float32", value)
        for b in buffers[1:]:
            total = total + b[tx]
        return s.LetStmt(value, tx * 2, s.BufferStore(buffers[0], total, (tx,)))

    func = per_thread(body, *buffers)
    arrays = [np.full(64, 2.0**k, np.float32) for k in range(len(names))]
    got = run(func, np.zeros(64, np.float32), *arrays)[0]
    np.testing.assert_array_equal(got, np.arange(64) * 2 + 2 ** len(names) - 1)


# -- refusals ---------------------------------------------------------------------------------------------------


def refusal(func: PrimFunc, target: Any) -> str:
    with pytest.raises(LowerError) as caught:
        emit_unit([func], target)
    return str(caught.value)


def test_double_precision_without_the_extension_names_what_is_missing() -> None:
    func = elementwise(lambda x: x, ["float64"], "float64")
    assert refusal(func, OPENCL) == (
        "gpucomp.LowerError[GC320]: kernel f_kernel: float64 cannot be written for opencl: "
        "the target lacks cl_khr_fp64 (feature fp64)\n"
        "  help: choose another type or schedule, or a target that has it"
    )


def test_an_error_points_at_the_statement_that_caused_it() -> None:
    out, a = flat("out", "float64"), flat("a", "float64")
    here = Span(__file__, 1)
    func = per_thread(lambda tx: s.BufferStore(out, a[tx] + 1.5, (tx,), None, here), out, a)
    assert "test_emitter.py:1" in refusal(func.replace(params=(), attrs={**func.attrs}), OPENCL)


def test_a_shuffle_where_there_is_none_is_refused() -> None:
    func = elementwise(
        lambda x: intrin.call_intrin("float32", "shuffle_xor", op.const(1, "uint32"), x, 1, 32),
        ["float32"],
        "float32",
    )
    assert "the extension 'shuffle'" in refusal(func, OPENCL)
    compile_cuda(emit_unit([func], CUDA))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (
            lambda out, tx: s.For(Var("v"), 0, 4, ForKind.VECTORIZED, s.BufferStore(out, 1.0, (tx,))),
            "vectorize_loop",
        ),
        (lambda out, tx: s.BufferStore(flat("other"), 1.0, (tx,)), "other is used, but neither a parameter"),
        (
            lambda out, tx: s.BufferStore(out, op.cast("float32", Var("free")), (tx,)),
            "'free' is used where it has no value",
        ),
        (
            lambda out, tx: s.Allocate(
                Var("w", flat("w", scope="warp").data.type_annotation),
                out.dtype,
                (op.const(4),),
                TRUE,
                s.NOOP,
            ),
            "scope 'warp'",
        ),
        (lambda out, tx: s.Evaluate(intrin.call_extern("int32", "a; b", 1)), "no function name"),
    ],
)
def test_what_a_kernel_cannot_hold_is_an_error(build: Any, text: str) -> None:
    out = flat("out")
    func = per_thread(lambda tx: build(out, tx), out)
    assert text in refusal(func, CUDA)


@pytest.mark.opencl
def test_the_users_integers_wrap() -> None:
    a = np.random.default_rng(0).integers(-(2**31), 2**31 - 1, 64).astype(np.int32)
    b = np.roll(a, 1)
    c = a.astype(np.uint16)
    builds = [
        lambda x, y, z: e.Select(x + 1 > x, op.const(1), op.const(0)),
        lambda x, y, z: op.cast("int64", x * y + y * 3),
        lambda x, y, z: op.truncdiv(x + y, op.const(2)) - x,
        lambda x, y, z: z * z,
        lambda x, y, z: op.absolute(x) + y,
    ]
    got = several(builds, ["int32", "int32", "uint16"], ["int32", "int64", "int32", "uint16", "int32"], a, b, c)
    with np.errstate(over="ignore"):
        total = a + b
        wants = [a != 2**31 - 1, (a * b + b * 3).astype(np.int64)]
        wants += [(total - np.fmod(total, 2)) // 2 - a, c * c, np.abs(a) + b]
    for mine, want in zip(got, wants, strict=True):
        np.testing.assert_array_equal(mine, want)


def test_indices_that_come_from_memory_stay_plain() -> None:
    out, a, index = flat("out"), flat("a"), flat("index", "int32")
    func = per_thread(lambda tx: s.BufferStore(out, a[index[tx] * 4 + 1], (tx,)), out, a, index)
    assert "out[threadIdx_x] = a[index_[threadIdx_x] * 4 + 1];" in body_of(images(func)["cuda"])
    value = per_thread(lambda tx: s.BufferStore(index, index[tx] * 4 - 1, (tx,)), index)
    assert "index_[threadIdx_x] = (unsigned int)index_[threadIdx_x] * 4 - 1;" in body_of(images(value)["cuda"])


@pytest.mark.opencl
@pytest.mark.parametrize("lanes", [3, *slow(4, 6, 8), 32])
def test_a_vector_variable_of_any_width_is_right(lanes: int) -> None:
    out, a = flat("out"), flat("a")
    v = Var("v", f"float32x{lanes}")

    def body(tx: Var) -> Stmt:
        low = ramp(tx * lanes, lanes)
        return s.LetStmt(v, a[low] + a[low], s.BufferStore(out, v * v + v, (low,)))

    data = np.random.default_rng(0).integers(-9, 9, 64 * lanes).astype(np.float32)
    got = run(per_thread(body, out, a), np.zeros_like(data), data)[0]
    np.testing.assert_array_equal(got, 4 * data * data + 2 * data)


@pytest.mark.opencl
@pytest.mark.parametrize("dtype", ["float16", *slow("bfloat16", "float32"), "int8", *slow("int64", "bool")])
def test_scalar_arguments_arrive_in_their_own_type(dtype: str) -> None:
    out, x = flat("out", "float32"), Var("x", dtype)
    tx = axis("threadIdx.x", 64)
    body = bind(s.BufferStore(out, op.cast("float32", x), (tx.var,)), tx)
    func = device([out, x], body, {"threadIdx.x": 64}, [out])
    kind = DType(dtype).numpy.type
    value = kind(1) if dtype == "bool" else kind(-2.5)
    argument = np.uint8(1) if dtype == "bool" else value.view(np.uint16) if dtype == "bfloat16" else value
    got = run(func, np.zeros(64, np.float32), argument)[0]
    np.testing.assert_array_equal(got, np.full(64, value).astype(np.float32))


@pytest.mark.opencl
@pytest.mark.parametrize("lanes", [4, 16])
def test_conversions_of_vectors_are_whole_where_there_is_vector_arithmetic(lanes: int) -> None:
    types = ["float16", "bfloat16", "int32", "float32"]
    outs = [flat("out", "float16"), *[flat(f"out{k}", "float32") for k in range(3)], flat("out3", "int32")]
    ins = [flat(f"in{k}", dtype) for k, dtype in enumerate(types)]

    def body(tx: Var) -> Stmt:
        low = ramp(tx * lanes, lanes)
        h, b, i, f = [x[low] for x in ins]
        wide = f"float32x{lanes}"
        values = [
            op.cast(f"float16x{lanes}", f * f),
            op.cast(wide, h),
            op.cast(wide, b) * f,
            op.cast(wide, i),
        ]
        values.append(op.cast(f"int32x{lanes}", f))
        return s.seq([s.BufferStore(o, v, (low,)) for o, v in zip(outs, values, strict=True)])

    func = per_thread(body, *outs, *ins, writes=5)
    assert not re.search(r"\.s\d", images(func)["opencl"].source)
    draw = np.random.default_rng(0).integers(-40, 40, (4, 64 * lanes)) / 8
    h, b, i, f = [x.astype(DType(t).numpy) for x, t in zip(draw, types, strict=True)]
    empty = [np.zeros(64 * lanes, o.dtype.numpy) for o in outs]
    got = run(func, *empty, h, b, i, f)
    wants = [(f * f).astype(np.float16), h.astype(np.float32), b.astype(np.float32) * f, i.astype(np.float32)]
    for mine, want in zip(got, [*wants, f.astype(np.int32)], strict=False):
        np.testing.assert_array_equal(mine, want)
