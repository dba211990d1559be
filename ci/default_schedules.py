"""What default schedules do with programs that nobody scheduled: seconds, and the part of a copy's rate.

    python ci/default_schedules.py [--only NAME,...] [--json FILE]

Needs an NVIDIA GPU and torch.  Each program is checked against torch in float64 and timed as ``gpucomp bench suite``
does it: graphs, after the cache was emptied by reading, beside torch's own operators and a copy of as many bytes.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import sys
import time
from collections.abc import Callable
from typing import Any, Final  # Any: torch and its arrays

import gpucomp as gc
from gpucomp import te, tir, topi
from gpucomp.cli.suite.clock import Clock
from gpucomp.target import Target

Args = list[te.Tensor]
Program = tuple[te.Schedule, Args]
SLOW: Final = 5e-3  # seconds
CASES: dict[str, tuple[Callable[[], Program], Callable[..., Any], int]] = {}


def case(torch_side: Callable[..., Any], outputs: int = 1) -> Callable[[Callable[[], Args]], Callable[[], Program]]:
    """Register a function that gives arguments, results last; it becomes what `gpucomp bench` takes."""

    def add(make: Callable[[], Args]) -> Callable[[], Program]:
        def program() -> Program:
            args = make()
            return te.create_schedule(list(dict.fromkeys([t.op for t in args[-outputs:]]))), args

        CASES[make.__name__] = program, torch_side, outputs
        return program

    return add


def _wide(x: te.TensorSlice) -> tir.Expr:
    return x.astype("float32")


@case(lambda t, a, b: a + b)
def add_f32() -> Args:
    a, b = te.placeholder((1 << 24,), name="A"), te.placeholder((1 << 24,), name="B")
    return [a, b, te.compute(a.shape, lambda i: a[i] + b[i], name="C")]


@case(lambda t, a, b: t.relu(a + b))
def bias_relu_f16() -> Args:
    a, v = te.placeholder((8192, 4096), "float16", "A"), te.placeholder((4096,), "float16", "V")
    s = te.compute(a.shape, lambda i, j: a[i, j] + v[j], name="S")
    return [a, v, te.compute(a.shape, lambda i, j: te.max(s[i, j], tir.const(0, "float16")), name="C")]


@case(lambda t, a, b: a + b)
def bias_odd_f16() -> Args:
    a, v = te.placeholder((8191, 4093), "float16", "A"), te.placeholder((4093,), "float16", "V")
    return [a, v, te.compute(a.shape, lambda i, j: a[i, j] + v[j], name="C")]


@case(lambda t, a, b: a + b)
def bias_odd_f32() -> Args:
    a, v = te.placeholder((8191, 4093), name="A"), te.placeholder((4093,), name="V")
    return [a, v, te.compute(a.shape, lambda i, j: a[i, j] + v[j], name="C")]


@case(lambda t, x, s, b: x * s[:, None, None] + b[:, None, None])
def scale_shift_nchw() -> Args:
    x = te.placeholder((64, 128, 56, 56), name="X")
    s, b = te.placeholder((128,), name="S"), te.placeholder((128,), name="B")
    return [x, s, b, te.compute(x.shape, lambda n, c, h, w: x[n, c, h, w] * s[c] + b[c], name="C")]


@case(lambda t, x, s: x * s[:, None, None])
def scale_7x7_f16() -> Args:
    x, s = te.placeholder((512, 2048, 7, 7), "float16", "X"), te.placeholder((2048,), "float16", "S")
    return [x, s, te.compute(x.shape, lambda n, c, h, w: x[n, c, h, w] * s[c], name="C")]


@case(lambda t, a, b: t.tanh(a * b) + a)
def chain_bf16() -> Args:
    a, b = te.placeholder((4096, 8192), "bfloat16", "A"), te.placeholder((4096, 8192), "bfloat16", "B")
    p = te.compute(a.shape, lambda i, j: _wide(a[i, j]) * _wide(b[i, j]), name="P")
    q = te.compute(a.shape, lambda i, j: te.tanh(p[i, j]), name="Q")
    return [a, b, te.compute(a.shape, lambda i, j: (q[i, j] + _wide(a[i, j])).astype("bfloat16"), name="C")]


@case(lambda t, a, b: a[:, None] + b)
def outer_sum() -> Args:
    a, b = te.placeholder((4096,), name="A"), te.placeholder((8192,), name="B")
    return [a, b, te.compute((4096, 8192), lambda i, j: a[i] + b[j], name="C")]


@case(lambda t, a: a.permute(0, 2, 1, 3).contiguous())
def heads_f16() -> Args:
    a = te.placeholder((16, 2048, 16, 64), "float16", "A")
    return [a, te.compute((16, 16, 2048, 64), lambda b, h, s, d: a[b, s, h, d], name="C")]


@case(lambda t, a: a.t().contiguous())
def transpose_f32() -> Args:
    a = te.placeholder((4096, 8192), name="A")
    return [a, te.compute((8192, 4096), lambda i, j: a[j, i], name="C")]


@case(lambda t, a: a.t().contiguous())
def transpose_odd_f16() -> Args:
    a = te.placeholder((8191, 8193), "float16", "A")
    return [a, te.compute((8193, 8191), lambda i, j: a[j, i], name="C")]


@case(lambda t, a: a.permute(0, 2, 3, 1).contiguous())
def nchw_to_nhwc() -> Args:
    a = te.placeholder((64, 128, 56, 56), name="A")
    return [a, te.compute((64, 56, 56, 128), lambda n, h, w, c: a[n, c, h, w], name="C")]


@case(lambda t, a: t.exp(a.permute(2, 1, 0)).contiguous())
def reverse_axes() -> Args:
    a = te.placeholder((512, 64, 512), name="A")
    e = te.compute(a.shape, lambda i, j, k: te.exp(a[i, j, k]), name="E")
    return [a, te.compute((512, 64, 512), lambda i, j, k: e[k, j, i], name="C")]


@case(lambda t, a: a.sum(1))
def row_sum_f32() -> Args:
    a, k = te.placeholder((4096, 8192), name="A"), te.reduce_axis((0, 8192), "k")
    return [a, te.compute((4096,), lambda i: te.sum(a[i, k], axis=k), name="C")]


@case(lambda t, a: a.sum(1, dtype=t.float32))
def row_sum_f16() -> Args:
    a, k = te.placeholder((16384, 4096), "float16", "A"), te.reduce_axis((0, 4096), "k")
    return [a, te.compute((16384,), lambda i: te.sum(_wide(a[i, k]), axis=k), name="C")]


@case(lambda t, a: a.amax(1))
def row_max_odd() -> Args:
    a, k = te.placeholder((8191, 4093), name="A"), te.reduce_axis((0, 4093), "k")
    return [a, te.compute((8191,), lambda i: te.max(a[i, k], axis=k), name="C")]


@case(lambda t, a: a.sum(1))
def row_sum_32() -> Args:
    a, k = te.placeholder((1 << 20, 32), name="A"), te.reduce_axis((0, 32), "k")
    return [a, te.compute((1 << 20,), lambda i: te.sum(a[i, k], axis=k), name="C")]


@case(lambda t, a: a.sum(1))
def row_sum_7() -> Args:
    a, k = te.placeholder((1 << 22, 7), name="A"), te.reduce_axis((0, 7), "k")
    return [a, te.compute((1 << 22,), lambda i: te.sum(a[i, k], axis=k), name="C")]


@case(lambda t, a: a.sum(1))
def few_rows_sum() -> Args:
    a, k = te.placeholder((16, 1 << 21), name="A"), te.reduce_axis((0, 1 << 21), "k")
    return [a, te.compute((16,), lambda i: te.sum(a[i, k], axis=k), name="C")]


@case(lambda t, a: a.sum(0))
def column_sum_f32() -> Args:
    a, k = te.placeholder((8192, 4096), name="A"), te.reduce_axis((0, 8192), "k")
    return [a, te.compute((4096,), lambda j: te.sum(a[k, j], axis=k), name="C")]


@case(lambda t, a: a.sum(0, dtype=t.float32))
def column_sum_f16() -> Args:
    a, k = te.placeholder((16384, 4096), "float16", "A"), te.reduce_axis((0, 16384), "k")
    return [a, te.compute((4096,), lambda j: te.sum(_wide(a[k, j]), axis=k), name="C")]


@case(lambda t, a: a.sum(1))
def middle_sum() -> Args:
    a, k = te.placeholder((64, 512, 1024), name="A"), te.reduce_axis((0, 512), "k")
    return [a, te.compute((64, 1024), lambda i, j: te.sum(a[i, k, j], axis=k), name="C")]


@case(lambda t, a: a.amax(1))
def middle_max_odd() -> Args:
    a, k = te.placeholder((2048, 511, 33), name="A"), te.reduce_axis((0, 511), "k")
    return [a, te.compute((2048, 33), lambda i, j: te.max(a[i, k, j], axis=k), name="C")]


@case(lambda t, a: a.sum().reshape(1))
def full_sum() -> Args:
    a = te.placeholder((4096, 8192), name="A")
    i, j = te.reduce_axis((0, 4096), "i"), te.reduce_axis((0, 8192), "j")
    return [a, te.compute((1,), lambda _: te.sum(a[i, j], axis=[i, j]), name="C")]


@case(lambda t, a: a.amax().reshape(()))
def full_max_f16() -> Args:
    a, k = te.placeholder((1 << 26,), "float16", "A"), te.reduce_axis((0, 1 << 26), "k")
    return [a, te.compute((), lambda: te.max(a[k], axis=k), name="C")]


_BEST = te.comm_reducer(
    lambda x, y: (
        te.if_then_else(tir.any(x[1] > y[1], tir.all(x[1].equal(y[1]), x[0] < y[0])), x[0], y[0]),
        te.if_then_else(x[1] >= y[1], x[1], y[1]),
    ),
    lambda t0, t1: (tir.const(2**31 - 1, t0), te.min_value(t1)),
    name="argmax",
)


@case(lambda t, a: (a.argmax(1).int(), a.amax(1)), 2)
def row_argmax() -> Args:
    a, k = te.placeholder((4096, 8192), name="A"), te.reduce_axis((0, 8192), "k")
    return [a, *te.compute((4096,), lambda i: _BEST((k.var, a[i, k]), axis=k), name="C")]


@case(lambda t, a: t.softmax(a, 1))
def softmax_f32() -> Args:
    a = te.placeholder((8192, 4096), name="A")
    k, r = te.reduce_axis((0, 4096), "k"), te.reduce_axis((0, 4096), "r")
    top = te.compute((8192,), lambda i: te.max(a[i, k], axis=k), name="top")
    e = te.compute(a.shape, lambda i, j: te.exp(a[i, j] - top[i]), name="E")
    total = te.compute((8192,), lambda i: te.sum(e[i, r], axis=r), name="total")
    return [a, te.compute(a.shape, lambda i, j: e[i, j] / total[i], name="C")]


@case(lambda t, a: t.softmax(a, 3))
def topi_softmax_4d() -> Args:
    a = te.placeholder((16, 16, 512, 512), name="A")
    return [a, topi.nn.softmax(a, axis=3)]


@case(lambda t, a, g, b: t.nn.functional.layer_norm(a, (4096,), g, b, 1e-5))
def layer_norm_f32() -> Args:
    a = te.placeholder((8192, 4096), name="A")
    g, b = te.placeholder((4096,), name="G"), te.placeholder((4096,), name="B")
    k, r = te.reduce_axis((0, 4096), "k"), te.reduce_axis((0, 4096), "r")
    mean = te.compute((8192,), lambda i: te.sum(a[i, k] / 4096.0, axis=k), name="mean")
    var = te.compute((8192,), lambda i: te.sum((a[i, r] - mean[i]) * (a[i, r] - mean[i]) / 4096.0, axis=r), name="var")
    return [
        a, g, b,
        te.compute(a.shape, lambda i, j: (a[i, j] - mean[i]) * te.rsqrt(var[i] + 1e-5) * g[j] + b[j], name="C"),
    ]  # fmt: skip


@case(lambda t, a, g: t.nn.functional.rms_norm(a, (4096,), g, 1e-5))
def rms_norm_f16() -> Args:
    a, g = te.placeholder((16384, 4096), "float16", "A"), te.placeholder((4096,), "float16", "G")
    k = te.reduce_axis((0, 4096), "k")
    w = te.compute(a.shape, lambda i, j: _wide(a[i, j]), name="W")
    squares = te.compute((16384,), lambda i: te.sum(w[i, k] * w[i, k], axis=k), name="squares")
    scale = te.compute((16384,), lambda i: te.rsqrt(squares[i] / 4096.0 + 1e-5), name="scale")
    return [a, g, te.compute(a.shape, lambda i, j: (w[i, j] * scale[i] * _wide(g[j])).astype("float16"), name="C")]


@case(lambda t, a: a.mean((0, 2, 3)))
def channel_means() -> Args:
    a = te.placeholder((64, 128, 56, 56), name="A")
    n, h, w = te.reduce_axis((0, 64), "n"), te.reduce_axis((0, 56), "h"), te.reduce_axis((0, 56), "w")
    total = te.compute((128,), lambda c: te.sum(a[n, c, h, w], axis=[n, h, w]), name="T")
    return [a, te.compute((128,), lambda c: total[c] / float(64 * 56 * 56), name="C")]


@case(lambda t, a: t.nn.functional.pad(a, (1, 1, 1, 1)))
def pad_nchw() -> Args:
    a = te.placeholder((64, 128, 62, 62), name="A")
    return [a, topi.nn.pad(a, [0, 0, 1, 1], [0, 0, 1, 1])]


@case(lambda t, a, b: t.cat([a, b], 1))
def concat_columns() -> Args:
    a, b = te.placeholder((8192, 1024), name="A"), te.placeholder((8192, 3072), name="B")
    return [a, b, topi.concatenate([a, b], axis=1)]


@case(lambda t, w, i: w[i.long()])
def take_rows_f16() -> Args:
    w, i = te.placeholder((50257, 1024), "float16", "W"), te.placeholder((65536,), "int32", "I")
    return [w, i, te.compute((65536, 1024), lambda r, j: w[i[r], j], name="C")]


@case(lambda t, a: t.nn.functional.max_pool2d(a, 3, 2, 1))
def max_pool() -> Args:
    a = te.placeholder((64, 64, 112, 112), name="A")
    return [a, topi.nn.pool2d(a, [3, 3], [2, 2], [1, 1], [1, 1, 1, 1], "max")]


@case(lambda t, a: a.mean((2, 3), keepdim=True))
def global_pool() -> Args:
    a = te.placeholder((256, 2048, 7, 7), name="A")
    return [a, topi.nn.global_pool(a, "avg")]


@case(lambda t, a: (a[1:-1, 1:-1] + a[:-2, 1:-1] + a[2:, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:]) * 0.2)
def stencil() -> Args:
    a = te.placeholder((4098, 8194), name="A")
    return [a, te.compute((4096, 8192), lambda i, j: (
        a[i + 1, j + 1] + a[i, j + 1] + a[i + 2, j + 1] + a[i + 1, j] + a[i + 1, j + 2]) * 0.2, name="C")]  # fmt: skip


@case(lambda t, a, x: a @ x)
def gemv() -> Args:
    a, x = te.placeholder((8192, 4096), name="A"), te.placeholder((4096,), name="X")
    k = te.reduce_axis((0, 4096), "k")
    return [a, x, te.compute((8192,), lambda i: te.sum(a[i, k] * x[k], axis=k), name="C")]


@case(lambda t, a, x: x @ a)
def gemv_columns() -> Args:
    a, x = te.placeholder((8192, 4096), name="A"), te.placeholder((8192,), name="X")
    k = te.reduce_axis((0, 8192), "k")
    return [a, x, te.compute((4096,), lambda j: te.sum(x[k] * a[k, j], axis=k), name="C")]


@case(lambda t, a, b: a @ b)
def matmul() -> Args:
    a, b = te.placeholder((1024, 1024), name="A"), te.placeholder((1024, 1024), name="B")
    k = te.reduce_axis((0, 1024), "k")
    return [a, b, te.compute((1024, 1024), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="C")]


@case(lambda t, a, w: t.nn.functional.conv2d(a, w, padding=1))
def conv2d() -> Args:
    a, w = te.placeholder((8, 64, 56, 56), name="A"), te.placeholder((64, 64, 3, 3), name="W")
    return [a, w, topi.nn.conv2d(a, w, 1, 1, 1)]


def nbytes(tensor: te.Tensor) -> int:
    """Of a tensor of constant shape."""
    return math.prod([int(x) for x in tensor.shape]) * tensor.dtype.nbytes


def moved(name: str, args: Args) -> int:
    """Bytes that have to be read or written at least."""
    total = sum([nbytes(t) for t in args])
    if name == "take_rows_f16":
        total += nbytes(args[-1]) - nbytes(args[0])
    return total


class Measure:
    """The device, torch, and what copies take."""

    def __init__(self) -> None:

        torch: Any = importlib.import_module("torch")
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        self.torch = torch
        self.device = gc.cuda(0)
        self.target = Target.from_device(self.device)
        self.clock = Clock(self.device)
        self.stream = torch.cuda.ExternalStream(self.clock.stream.handle)
        self.copies: dict[int, float] = {}

    def copy_seconds(self, total: int) -> float:
        """Of a copy that reads and writes ``total`` bytes in all."""
        half = max(4096, total // 2 // 4096 * 4096)
        if half not in self.copies:
            a, b = self.torch.empty(half // 4, device="cuda"), self.torch.empty(half // 4, device="cuda")
            self.copies[half] = self.peer(lambda: b.copy_(a))
        return self.copies[half]

    def peer(self, call: Callable[[], object]) -> float:
        """Seconds of work of torch."""
        with self.torch.cuda.stream(self.stream):
            return self.seconds(call)

    def seconds(self, call: Callable[[], object]) -> float:
        """The median; of few calls where they are slow."""
        first = self.clock.time(call, 3).median
        return first if first > SLOW else self.clock.time(call).median

    def inputs(self, name: str, args: Args) -> list[Any]:
        """Random ones, on the device."""
        torch, made = self.torch, []
        torch.manual_seed(3)
        for t in args:
            shape = [int(x) for x in t.shape]
            if str(t.dtype) == "int32":
                made.append(torch.randint(0, 50257, shape, device="cuda", dtype=torch.int32))
                continue
            made.append((torch.rand(shape, device="cuda") * 2 - 1).to(getattr(torch, str(t.dtype))))
        return made

    def error(self, torch_side: Callable[..., Any], inputs: list[Any], outputs: list[Any]) -> float:
        """The largest, relative to the root mean square of the result in float64."""
        torch = self.torch
        wide = [x.double() if x.is_floating_point() else x for x in inputs]
        module = torch if not hasattr(torch, "float32") else _Wide(torch)
        want = torch_side(module, *wide)
        want = want if isinstance(want, tuple) else (want,)
        worst = 0.0
        for got, exact in zip(outputs, want, strict=True):
            scale = exact.double().pow(2).mean().sqrt().item() or 1.0
            worst = max(worst, (got.double() - exact.double()).abs().max().item() / scale)
            if not torch.isfinite(got.double()).all():
                worst = math.inf
        return worst

    def row(self, name: str) -> dict[str, object]:
        """Measure one program."""
        make, torch_side, count = CASES[name]
        schedule, args = make()
        started = time.perf_counter()
        module = gc.build(schedule, args, self.target, name=name)
        lowered = time.perf_counter() - started
        inputs = self.inputs(name, args[:-count])
        outputs = [
            self.torch.full([int(x) for x in t.shape], 3, device="cuda", dtype=getattr(self.torch, str(t.dtype)))
            for t in args[-count:]
        ]
        started = time.perf_counter()
        module(*inputs, *outputs)
        self.device.sync()
        compiled = time.perf_counter() - started
        error = self.error(torch_side, inputs, outputs)
        ours = self.seconds(lambda: module(*inputs, *outputs))
        theirs = self.peer(lambda: torch_side(self.torch, *inputs))
        total = moved(name, args)
        return {
            "name": name, "mb": round(total / 1e6, 1), "us": round(ours * 1e6, 1), "torch_us": round(theirs * 1e6, 1),
            "of_copy": round(self.copy_seconds(total) / ours, 3), "error": float(f"{error:.2g}"),
            "lower_s": round(lowered, 2), "compile_s": round(compiled, 2),
        }  # fmt: skip


class _Wide:
    """Torch whose float32 is float64."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._torch, "float64" if name == "float32" else name)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--json", default="")
    chosen = parser.parse_args()
    names = [n for n in chosen.only.split(",") if n] or list(CASES)
    measure, rows = Measure(), list[dict[str, object]]()
    print(
        f"{'program':18} {'MB':>7} {'us':>9} {'torch us':>9} {'of copy':>7} {'error':>8} {'lower s':>7} {'comp. s':>7}"
    )
    for name in names:
        try:
            row = measure.row(name)
        except Exception as error:  # one program that fails leaves the others their turn
            print(f"{name:18} {type(error).__name__}: {str(error)[:300]}", flush=True)
            continue
        rows.append(row)
        print(
            "{name:18} {mb:7} {us:9} {torch_us:9} {of_copy:7} {error:8} {lower_s:7} {compile_s:7}".format(**row),
            flush=True,
        )
        measure.torch.cuda.empty_cache()
    if chosen.json:
        with open(chosen.json, "w", encoding="utf-8") as file:
            file.writelines([json.dumps(row) + "\n" for row in rows])
    measure.clock.close()


if __name__ == "__main__":
    sys.exit(main())
