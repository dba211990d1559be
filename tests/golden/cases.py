"""About thirty small kernels that together use every primitive and pass; their generated sources are goldens.

Each case is small enough for oclgrind (extents up to 64) and runs on every backend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any  # Any: functions of reducers take values or pairs of them

import numpy as np

from gpucomp import te, tir
from gpucomp.kernels import registry
from gpucomp.kernels.convolution import winograd, winograd_model
from gpucomp.kernels.convolution.problem import Convolution
from gpucomp.kernels.convolution.winograd_schedule import schedule_winograd
from gpucomp.kernels.gemm.schedule_simt import schedule_simt
from gpucomp.kernels.gemm.tiles import DOT_TILES, estimate
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor
from gpucomp.te.reduction import Reducer
from gpucomp.tir.expr import IterVar

Array = np.ndarray[Any, Any]
Made = tuple[Schedule, list[Any]]


@dataclass(frozen=True)
class Case:
    """One kernel.

    Attributes:
        name: of its golden files.
        make: builds schedule and arguments (inputs, then outputs) for a target.
        shapes: concrete extents of symbolic variables, by name.
    """

    name: str
    make: Callable[[Target], Made]
    shapes: dict[str, int]


CASES: dict[str, Case] = {}


def case(name: str, **shapes: int) -> Callable[[Callable[[Target], Made]], Callable[[Target], Made]]:
    """Register a case."""

    def add(make: Callable[[Target], Made]) -> Callable[[Target], Made]:
        CASES[name] = Case(name, make, shapes)
        return make

    return add


def block(name: str = "x") -> IterVar:
    """A block index."""
    return te.thread_axis(f"blockIdx.{name}")


def thread(name: str = "x") -> IterVar:
    """A thread index."""
    return te.thread_axis(f"threadIdx.{name}")


def bind_flat(s: Schedule, tensor: Tensor, threads: int = 16) -> None:
    """One element a thread."""
    stage = s[tensor]
    outer, inner = stage.split(stage.fuse(*tensor.op.axis), factor=threads)
    stage.bind(outer, block())
    stage.bind(inner, thread())


def _library(name: str, shape: tuple[int, ...], dtype: str, target: Target) -> Made:
    operator = registry.get(name)
    definition = operator.define(shape, dtype)
    return operator.schedule(definition, target), definition.args


for _name, _shape, _dtype in (
    ("add", (60,), "float32"),
    ("matmul", (33, 37, 21), "float32"),
    ("matmul", (32, 32, 32), "float16"),
    ("softmax", (5, 50), "float32"),
    ("layer_norm", (5, 96), "float32"),
    ("row_argmax", (7, 50), "float32"),
    ("sum_all", (5000,), "float32"),
    ("column_sum", (33, 40), "float16"),
    ("transpose", (33, 70), "float16"),
    ("gelu_chain", (1000,), "float16"),
    ("conv2d", (1, 5, 9, 6, 3, 1), "float32"),
    ("conv2d", (1, 3, 11, 4, 3, 2), "float32"),
    ("conv2d", (2, 4, 8, 4, 1, 1), "float32"),
    ("conv2d", (1, 3, 8, 33, 3, 1), "float32"),
    ("conv2d_nhwc", (1, 9, 6, 64, 1, 1), "float32"),
    ("conv2d_nhwc", (1, 3, 7, 4, 3, 2), "float16"),
    ("conv2d_bias_add_relu", (1, 3, 7, 4, 3, 1), "float32"),
    ("group_conv2d", (1, 4, 7, 6, 3, 1, 2), "float32"),
    ("dilated_conv2d", (1, 3, 8, 4, 3, 1, 2), "float32"),
    ("conv2d_transpose", (1, 4, 5, 6, 4, 2), "float32"),
    ("conv1d", (2, 3, 19, 4, 3, 2), "float32"),
    ("conv3d", (1, 2, 4, 4, 3, 1), "float32"),
    ("depthwise_conv2d_nchw", (1, 3, 9, 8, 3, 1, 1, 2), "float32"),
    ("depthwise_conv2d_nhwc", (1, 4, 9, 7, 3, 2, 1, 1), "float16"),
):
    _label = f"{_name}_{'x'.join(map(str, _shape))}_{_dtype}"
    CASES[_label] = Case(_label, lambda t, n=_name, s=_shape, d=_dtype: _library(n, s, d, t), {})


@case("vector_add_symbolic", n=37)
def _vector_add(target: Target) -> Made:
    n = te.var("n")
    a, b = te.placeholder((n,), name="A"), te.placeholder((n,), name="B")
    c = te.compute((n,), lambda i: a[i] + b[i], name="C")
    s = te.create_schedule(c.op)
    bind_flat(s, c)
    return s, [a, b, c]


@case("int8_dot_products")
def _int8_dot_products(target: Target) -> Made:
    return int8_dot_products((33, 37, 132))


def int8_dot_products(shape: tuple[int, int, int]) -> Made:
    """A product of bytes by tiles of 32 x 32, four terms at a time."""
    definition = registry.get("matmul_int8").define(shape, "int8")
    tile = next(t for t in DOT_TILES if (t.m, t.n, t.slices) == (32, 32, 1))
    return schedule_simt(definition, estimate(tile, (shape[0], shape[1], shape[2] // 4), 132)), definition.args


@case("matmul_symbolic", m=19, n=23, k=17)
def _matmul_symbolic(target: Target) -> Made:
    m, n, k = te.var("m"), te.var("n"), te.var("k")
    definition = registry.get("matmul").define((m, n, k), "float32")
    return registry.get("matmul").schedule(definition, target), definition.args


def _pointwise(dtype: str, function: Callable[[Any], Any], vector: int = 4) -> Callable[[Target], Made]:
    def make(target: Target) -> Made:
        a = te.placeholder((8, 8), dtype, "A")
        b = te.compute((8, 8), lambda i, j: function(a[i, j]), name="B")
        s = te.create_schedule(b.op)
        fused, lanes = s[b].split(s[b].fuse(*b.op.axis), factor=vector)
        outer, inner = s[b].split(fused, factor=8)
        s[b].bind(outer, block())
        s[b].bind(inner, thread())
        if vector > 1:
            s[b].vectorize(lanes)
        return s, [a, b]

    return make


case("half_vectors")(_pointwise("float16", lambda x: x * tir.const(1.5, "float16") + x))
case("bfloat16_vectors")(_pointwise("bfloat16", lambda x: (x.astype("float32") * 0.5).astype("bfloat16")))
case("int8_vectors")(_pointwise("int8", lambda x: x * x + tir.const(3, "int8")))
case("bool_results")(_pointwise("float32", lambda x: x > 0.25, vector=1))
case("int64_values")(_pointwise("int64", lambda x: x * x - 7, vector=2))
case("math_functions")(
    _pointwise(
        "float32", lambda x: tir.exp(x) + tir.tanh(x) * tir.sqrt(tir.abs(x)) - tir.log(tir.abs(x) + 1.0), vector=1
    )
)
case("integer_division")(
    _pointwise("int32", lambda x: x // 3 + x % 5 - tir.truncdiv(x, 7) + tir.truncmod(x, 4), vector=1)
)
case("casts")(_pointwise("float32", lambda x: (x * 100.0).astype("int32").astype("float32") + x, vector=1))


@case("shared_stencil")
def _stencil(target: Target) -> Made:
    a = te.placeholder((66,), name="A")
    b = te.compute((64,), lambda i: (a[i] + a[i + 1] + a[i + 2]) / 3.0, name="B")
    s = te.create_schedule(b.op)
    shared = s.cache_read(a, "shared", [b])
    outer, inner = s[b].split(b.op.axis[0], factor=16)
    s[b].bind(outer, block())
    s[b].bind(inner, thread())
    s[shared].compute_at(s[b], outer)
    _, tx = s[shared].split(shared.op.axis[0], factor=16)
    s[shared].bind(tx, thread())
    return s, [a, b]


@case("transpose_padded")
def _transpose(target: Target) -> Made:
    a = te.placeholder((20, 36), name="A")
    b = te.compute((36, 20), lambda i, j: a[j, i], name="B")
    s = te.create_schedule(b.op)
    tile = s.cache_read(a, "shared", [b])
    bi, bj, i, j = s[b].tile(b.op.axis[0], b.op.axis[1], 8, 8)
    s[b].bind(bi, block("y"))
    s[b].bind(bj, block("x"))
    s[b].bind(i, thread("y"))
    s[b].bind(j, thread("x"))
    s[tile].compute_at(s[b], bj)
    s[tile].storage_align(tile.op.axis[0], 8, 1)
    s[tile].bind(tile.op.axis[0], thread("y"))
    s[tile].bind(tile.op.axis[1], thread("x"))
    return s, [a, b]


def _row_sum(threads: int, rows: int = 6, columns: int = 50) -> Callable[[Target], Made]:
    def make(target: Target) -> Made:
        a = te.placeholder((rows, columns), name="A")
        k = te.reduce_axis((0, columns), "k")
        b = te.compute((rows,), lambda i: te.sum(a[i, k], axis=k), name="B")
        s = te.create_schedule(b.op)
        _, tx = s[b].split(b.op.reduce_axis[0], factor=threads)
        s[b].bind(b.op.axis[0], block())
        s[b].bind(tx, thread())
        return s, [a, b]

    return make


case("row_sum_32_threads")(_row_sum(32))
case("row_sum_8_threads")(_row_sum(8))
case("row_sum_48_threads")(_row_sum(48))


@case("row_sum_groups")
def _row_sum_groups(target: Target) -> Made:
    a = te.placeholder((13, 40), name="A")
    k = te.reduce_axis((0, 40), "k")
    b = te.compute((13,), lambda i: te.sum(a[i, k], axis=k), name="B")
    s = te.create_schedule(b.op)
    outer, ty = s[b].split(b.op.axis[0], factor=4)
    _, tx = s[b].split(b.op.reduce_axis[0], factor=8)
    s[b].bind(outer, block())
    s[b].bind(ty, thread("y"))
    s[b].bind(tx, thread("x"))
    return s, [a, b]


@case("rfactor_sum")
def _rfactor(target: Target) -> Made:
    a = te.placeholder((4, 64), name="A")
    k = te.reduce_axis((0, 64), "k")
    b = te.compute((4,), lambda i: te.sum(a[i, k], axis=k), name="B")
    s = te.create_schedule(b.op)
    _, ki = s[b].split(b.op.reduce_axis[0], factor=16)
    partial = s.rfactor(b, ki)
    s[b].bind(b.op.axis[0], block())
    tx = thread()
    s[b].bind(s[b].op.reduce_axis[0], tx)
    s[partial].compute_at(s[b], s[b].op.reduce_axis[0])
    s[b].set_store_predicate(tx.var.equal(0))
    return s, [a, b]


def argmax_reducer() -> Reducer:
    """The larger value with its index; of equals the first."""

    def combine(x: Any, y: Any) -> Any:
        keep = tir.any(x[1] > y[1], tir.all(x[1].equal(y[1]), x[0] < y[0]))
        return tir.Select(keep, x[0], y[0]), tir.Select(keep, x[1], y[1])

    def identity(index: str, value: str) -> Any:
        return tir.const(2**31 - 1, index), tir.min_value(value)

    return te.comm_reducer(combine, identity, name="argmax")


def _argmax(threads: int) -> Callable[[Target], Made]:
    def make(target: Target) -> Made:
        index, value = te.placeholder((5, 24), "int32", "index"), te.placeholder((5, 24), "float32", "value")
        k = te.reduce_axis((0, 24), "k")
        best = argmax_reducer()
        where, top = te.compute((5,), lambda i: best((index[i, k], value[i, k]), axis=k), name="best")
        s = te.create_schedule(where.op)
        s[where].bind(where.op.axis[0], block())
        if threads > 1:
            _, tx = s[where].split(where.op.reduce_axis[0], factor=threads)
            s[where].bind(tx, thread())
        return s, [index, value, where, top]

    return make


case("argmax_serial")(_argmax(1))
case("argmax_threads")(_argmax(8))


@case("virtual_threads")
def _virtual_threads(target: Target) -> Made:
    a = te.placeholder((64,), name="A")
    b = te.compute((64,), lambda i: a[i] * 2.0, name="B")
    c = te.compute((64,), lambda i: b[i] + 1.0, name="C")
    s = te.create_schedule(c.op)
    bx, rest = s[c].split(c.op.axis[0], factor=32)
    vx, rest = s[c].split(rest, nparts=2)
    tx, rest = s[c].split(rest, nparts=8)
    s[c].bind(bx, block())
    s[c].bind(vx, te.thread_axis("vthread", name="vx"))
    s[c].bind(tx, thread())
    s[b].compute_at(s[c], tx)
    s[b].set_scope("local")
    return s, [a, c]


@case("double_buffer")
def _double_buffer(target: Target) -> Made:
    a, w = te.placeholder((16, 32), name="A"), te.placeholder((32,), name="W")
    k = te.reduce_axis((0, 32), "k")
    b = te.compute((16,), lambda i: te.sum(a[i, k] * w[k], axis=k), name="B")
    s = te.create_schedule(b.op)
    shared = s.cache_read(w, "shared", [b])
    s[b].bind(s[b].split(b.op.axis[0], factor=8)[0], block())
    s[b].bind(s[b].leaf_iter_vars[1], thread())
    ko, _ = s[b].split(b.op.reduce_axis[0], factor=8)
    s[shared].compute_at(s[b], ko)
    s[shared].bind(shared.op.axis[0], thread())
    s[shared].double_buffer()
    return s, [a, w, b]


@case("inlined_chain")
def _inlined(target: Target) -> Made:
    a = te.placeholder((6, 10), name="A")
    b = te.compute((6, 10), lambda i, j: a[i, j] + 1.0, name="B")
    c = te.compute((6, 10), lambda i, j: b[i, j] * b[i, j], name="C")
    d = te.compute((10, 6), lambda i, j: tir.max(c[j, i], 2.0), name="D")
    s = te.create_schedule(d.op)
    s[b].compute_inline()
    s[c].compute_inline()
    bind_flat(s, d)
    return s, [a, d]


@case("two_kernels")
def _two_kernels(target: Target) -> Made:
    a = te.placeholder((40,), name="A")
    b = te.compute((40,), lambda i: a[i] * 3.0, name="B")
    c = te.compute((39,), lambda i: b[i] - b[i + 1], name="C")
    s = te.create_schedule(c.op)
    bind_flat(s, b)
    bind_flat(s, c)
    return s, [a, c]


@case("unrolled_by_pragma")
def _unrolled(target: Target) -> Made:
    a = te.placeholder((16, 8), name="A")
    k = te.reduce_axis((0, 8), "k")
    b = te.compute((16,), lambda i: te.max(a[i, k], axis=k), name="B")
    s = te.create_schedule(b.op)
    bind_flat(s, b, 8)
    s[b].pragma(s[b].leaf_iter_vars[0], "auto_unroll_max_step", 16)
    s[b].pragma(s[b].leaf_iter_vars[0], "unroll_explicit", True)
    return s, [a, b]


@case("two_outputs")
def _two_outputs(target: Target) -> Made:
    a, b = te.placeholder((30,), name="A"), te.placeholder((30,), name="B")
    low, high = te.compute((30,), lambda i: (tir.min(a[i], b[i]), tir.max(a[i], b[i])), name="pair")
    s = te.create_schedule(low.op)
    bind_flat(s, low)
    return s, [a, b, low, high]


@case("awkward_names")
def _awkward_names(target: Target) -> Made:
    a = te.placeholder((12,), name="float")
    b = te.placeholder((12,), name="my input")
    c = te.compute((12,), lambda i: a[i] + b[i], name="3rd-result")
    s = te.create_schedule(c.op)
    bind_flat(s, c, 4)
    return s, [a, b, c]


@case("guarded_gather")
def _gather(target: Target) -> Made:
    index, table = te.placeholder((20,), "int32", "index"), te.placeholder((16, 3), name="table")

    def pick(i: Any, j: Any) -> Any:
        at = index[i]
        return tir.if_then_else(tir.all(at >= 0, at < 16), table[at, j], 0.0)

    c = te.compute((20, 3), pick, name="C")
    s = te.create_schedule(c.op)
    bind_flat(s, c)
    return s, [index, table, c]


@case("row_cluster")
def _row_cluster(target: Target) -> Made:
    """Two rows a block, shared by the blocks of a cluster where the target has them, else by more threads."""
    cluster = not target.is_gpu or "cluster" in target.features
    a = te.placeholder((6, 61), name="A")
    k, r = te.reduce_axis((0, 61), "k"), te.reduce_axis((0, 61), "r")
    most = te.compute((6,), lambda i: te.max(a[i, k], axis=k), name="M")
    total = te.compute((6,), lambda i: te.sum(a[i, r] - most[i], axis=r), name="S")
    out = te.compute((6, 61), lambda i, j: a[i, j] * total[i], name="B")
    s = te.create_schedule(out.op)

    def share(tensor: Tensor, axis: IterVar) -> None:
        _, lane = s[tensor].split(axis, factor=32)
        rank, lane = s[tensor].split(lane, factor=8)
        s[tensor].bind(rank, te.thread_axis("clusterIdx.x") if cluster else thread("z"))
        s[tensor].bind(lane, thread())

    row, inner = s[out].split(out.op.axis[0], factor=2)
    s[out].bind(row, block())
    s[out].bind(inner, thread("y"))
    share(out, out.op.axis[1])
    for tensor in (most, total):
        s[tensor].compute_at(s[out], inner)
        s[tensor].set_scope("local")
        share(tensor, tensor.op.reduce_axis[0])
    return s, [a, out]


@case("winograd_conv2d")
def _winograd_conv2d(target: Target) -> Made:
    return winograd_conv2d(Convolution(2, 16, (13, 10), 33, (3, 3), (1, 1), (1, 1), (1, 1)))


def winograd_conv2d(problem: Convolution) -> Made:
    """F(2x2, 3x3): transforms and a batch of products, four kernels."""
    defn = winograd.define(problem, "float32", 2)
    return schedule_winograd(defn, winograd_model.CHANNELS_FIRST[0]), defn.args
