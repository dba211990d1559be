"""Graphs of many stages, and schedules for them: what the cost of lowering is measured on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any  # Any: numpy arrays of any dtype, and the indices of bodies

from gpucomp import te, tir
from gpucomp.te import Schedule, Tensor


@dataclass(frozen=True)
class Graph:
    """A graph: its arguments (inputs, then the output), and its stages in order."""

    args: tuple[Tensor, ...]
    stages: tuple[Tensor, ...]

    @property
    def output(self) -> Tensor:
        """The result."""
        return self.args[-1]


class _Maker:
    """Collects inputs and stages while a graph is made."""

    def __init__(self) -> None:
        self.inputs: list[Tensor] = []
        self.stages: list[Tensor] = []

    def input(self, *shape: int) -> Tensor:
        self.inputs.append(te.placeholder(shape, name=f"in{len(self.inputs)}"))
        return self.inputs[-1]

    def add(self, shape: tuple[Any, ...], function: Callable[..., Any], name: str) -> Tensor:
        self.stages.append(te.compute(shape, function, name=f"{name}{len(self.stages)}"))
        return self.stages[-1]

    def each(self, x: Tensor, function: Callable[..., Any], name: str) -> Tensor:
        """A stage that maps elements; ``function`` gets the element and its channel."""
        return self.add(x.shape, lambda n, c, y, z: function(x[n, c, y, z], c), name)

    def pad(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        zero = tir.const(0.0, "float32")

        def element(b: Any, ch: Any, y: Any, z: Any) -> Any:
            inside = te.all(y >= 1, y < h + 1, z >= 1, z < w + 1)
            return te.if_then_else(inside, x[b, ch, y - 1, z - 1], zero)

        return self.add((n, c, h + 2, w + 2), element, "pad")

    def conv(self, x: Tensor, channels: int, size: int) -> Tensor:
        n, c, h, w = x.shape
        weight = self.input(channels, int(str(c)), size, size)
        rc, ry, rx = te.reduce_axis((0, c), "rc"), te.reduce_axis((0, size), "ry"), te.reduce_axis((0, size), "rx")

        def product(b: Any, f: Any, y: Any, z: Any) -> Any:
            return te.sum(x[b, rc, y + ry, z + rx] * weight[f, rc, ry, rx], axis=[rc, ry, rx])

        return self.add((n, channels, h - (size - 1), w - (size - 1)), product, "conv")

    def norm(self, x: Tensor) -> Tensor:
        """Batch normalisation as inference does it, in five stages."""
        c = int(str(x.shape[1]))
        mean, var, gamma, beta = (self.input(c) for _ in range(4))
        scale = self.add((c,), lambda i: tir.rsqrt(var[i] + 1e-5), "rsqrt")
        x = self.each(x, lambda v, i: v - mean[i], "centre")
        x = self.each(x, lambda v, i: v * scale[i], "scale")
        x = self.each(x, lambda v, i: v * gamma[i], "gamma")
        return self.each(x, lambda v, i: v + beta[i], "beta")

    def relu(self, x: Tensor) -> Tensor:
        return self.each(x, lambda v, i: te.max(v, tir.const(0.0, "float32")), "relu")

    def graph(self) -> Graph:
        return Graph((*self.inputs, self.stages[-1]), tuple(self.stages))


def resnet_block(channels: int = 64, size: int = 28) -> Graph:
    """conv-norm-relu-conv-norm, a 1x1 convolution beside, their sum and relu: 23 stages."""
    make = _Maker()
    x = make.input(1, channels, size, size)
    y = make.relu(make.norm(make.conv(make.pad(x), channels, 3)))
    y = make.norm(make.conv(make.pad(y), channels, 3))
    side = make.norm(make.conv(x, channels, 1))
    total = make.add(y.shape, lambda n, c, i, j: y[n, c, i, j] + side[n, c, i, j], "add")
    make.relu(total)
    return make.graph()


def chain(stages: int, channels: int = 16, size: int = 14) -> Graph:
    """Blocks of pad, conv, bias, scale and relu, one after the other; ``stages`` is a multiple of 5."""
    make = _Maker()
    x = make.input(1, channels, size, size)
    for _ in range(stages // 5):
        x = make.conv(make.pad(x), channels, 3)
        bias, scale = make.input(channels), make.input(channels)
        x = make.each(x, lambda v, i, b=bias: v + b[i], "bias")
        x = make.each(x, lambda v, i, b=scale: v * b[i], "scale")
        x = make.relu(x)
    return make.graph()


def untouched(graph: Graph) -> Schedule:
    """A schedule for which the default rule is taken."""
    return te.create_schedule(graph.output.op)


def kernel_each(graph: Graph) -> Schedule:
    """Every stage a kernel of its own, tiled."""
    s = te.create_schedule(graph.output.op)
    for t in graph.stages:
        outer, inner = s[t].split(s[t].fuse(*t.op.axis), factor=128)
        s[t].bind(outer, te.thread_axis("blockIdx.x"))
        s[t].bind(inner, te.thread_axis("threadIdx.x"))
    return s


def staged_tiles(graph: Graph) -> Schedule:
    """Convolutions with weights in shared memory and sums in registers; what lies between them is inlined."""
    s = te.create_schedule(graph.output.op)
    convolutions = [t for t in graph.stages if t.op.reduce_axis]
    for t in graph.stages:
        if t not in convolutions and t is not graph.output:
            s[t].compute_inline()
    if graph.output not in convolutions:
        _flat(s, graph.output)
    for t in convolutions:
        _staged(s, t)
    return s


def _flat(s: Schedule, t: Tensor) -> None:
    outer, inner = s[t].split(s[t].fuse(*t.op.axis), factor=128)
    s[t].bind(outer, te.thread_axis("blockIdx.x"))
    s[t].bind(inner, te.thread_axis("threadIdx.x"))


def _staged(s: Schedule, t: Tensor) -> None:
    acc = s.cache_write(t, "local")
    n, f, y, x = s[t].op.axis
    fo, fi = s[t].split(f, factor=16)
    xo, xi = s[t].split(x, factor=14)
    ft, fv = s[t].split(fi, factor=2)
    s[t].reorder(n, fo, y, xo, ft, xi, fv)
    s[t].bind(fo, te.thread_axis("blockIdx.y"))
    s[t].bind(y, te.thread_axis("blockIdx.x"))
    s[t].bind(ft, te.thread_axis("threadIdx.y"))
    s[t].bind(xi, te.thread_axis("threadIdx.x"))
    s[acc].compute_at(s[t], xi)
    rc, ry, rx = s[acc].op.reduce_axis
    rco, rci = s[acc].split(rc, factor=4)
    s[acc].reorder(rco, rci, ry, rx, *s[acc].op.axis)
    weight = [x for x in s[acc].op.input_tensors if isinstance(x.op, te.PlaceholderOp)][-1]
    fetch = s.cache_read(weight, "shared", [acc])
    s[fetch].compute_at(s[acc], rco)
    fused = s[fetch].fuse(*s[fetch].op.axis)
    fused, tx = s[fetch].split(fused, factor=14)
    _, ty = s[fetch].split(fused, factor=8)
    s[fetch].bind(tx, te.thread_axis("threadIdx.x"))
    s[fetch].bind(ty, te.thread_axis("threadIdx.y"))
