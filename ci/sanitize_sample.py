"""A few small kernels with shared memory, barriers, ragged edges and cross-thread sums, against numpy.

Some are scheduled here, the others are the library's: rows in registers, in clusters and read again, reductions in two
kernels, transposes through padded tiles, cumulative sums, products with ``cp.async``, with sums split over blocks and
over slices of a block, of few rows and of integers; convolutions as products, by Winograd's filtering, direct, and
depthwise.
``ci/gpu sanitize`` runs this under each tool of compute-sanitizer; ``--target opencl`` runs it on OpenCL, and ``--every
6`` every sixth kernel of the library.
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt

import gpucomp as gc
from gpucomp import te
from gpucomp.cli.measure import relative_error
from gpucomp.kernels import registry
from gpucomp.target import Target

# Odd sizes, of which each takes another way through the schedules.
LIBRARY = (
    ("softmax", (33, 1001), "float32"),
    ("softmax", (5, 4096), "float16"),
    ("layer_norm", (9, 384), "bfloat16"),
    ("rms_norm", (70, 40), "float16"),
    ("softmax", (2, 65536), "bfloat16"),  # a cluster, where the target has them
    ("layer_norm", (2, 40002), "float32"),
    ("row_argmax", (7, 1030), "float32"),
    ("sum_all", (100_001,), "float32"),
    ("column_sum", (513, 130), "float16"),
    ("softmax", (3, 40001), "bfloat16"),
    ("rms_norm", (5, 2051), "float16"),  # vectors counted from aligned memory; the same of the next four
    ("layer_norm", (7, 2049), "bfloat16"),
    ("transpose", (257, 203), "float16"),
    ("transpose", (131, 517), "float32"),
    ("permute", (2, 150, 131), "float16"),
    ("transpose", (65, 132), "float16"),
    ("transpose", (97, 33), "float32"),
    ("cumulative_sum", (3, 3000), "float32"),
    ("gemv", (65, 1030), "float32"),
    ("gelu_chain", (10_001,), "float16"),
    ("matmul", (256, 128, 1024), "float32"),
    ("matmul_bias_gelu", (333, 129, 517), "float32"),
    ("matmul", (33, 18, 130), "float32"),  # the sum over k in slices of a block
    ("matmul", (3, 65, 131), "float32"),  # few rows
    ("matmul_nt", (5, 35, 132), "float32"),
    ("matmul_tn", (37, 66, 35), "float32"),
    ("matmul_tt", (37, 66, 35), "float16"),
    ("matmul_int8", (18, 33, 24), "int8"),
    ("batch_matmul", (2, 37, 66, 35), "float32"),
    ("conv2d", (2, 16, 13, 65, 3, 2), "float32"),  # as a product of patches; the same of the next five
    ("conv2d_nhwc", (2, 16, 13, 33, 3, 2), "float32"),
    ("conv2d_bias_relu", (1, 3, 9, 33, 3, 1), "float32"),
    ("group_conv2d", (1, 4, 9, 64, 3, 1, 2), "float32"),
    ("conv1d", (2, 5, 67, 33, 5, 2), "float32"),
    ("conv3d", (1, 3, 5, 33, 3, 1), "float32"),
    ("conv2d", (4, 64, 29, 65, 3, 1), "float32"),  # by Winograd's filtering, where the target has it
    ("conv2d_nhwc", (4, 64, 29, 65, 3, 1), "float32"),
    ("conv2d_bias_add_relu", (1, 5, 9, 7, 3, 1), "float16"),  # direct
    ("dilated_conv2d", (1, 3, 11, 5, 3, 1, 2), "float32"),
    ("conv2d_transpose", (1, 5, 4, 7, 4, 2), "float32"),
    ("depthwise_conv2d_nchw", (1, 5, 13, 11, 3, 1, 1, 1), "float32"),
    ("depthwise_conv2d_nchw", (1, 3, 13, 12, 5, 2, 1, 2), "float16"),
    ("depthwise_conv2d_nhwc", (1, 6, 9, 7, 5, 1, 2, 1), "float32"),
    ("depthwise_conv2d_nhwc", (2, 8, 9, 7, 3, 2, 1, 1), "float16"),
)

FloatArray = npt.NDArray[np.float32]


def added(target: str, extent: int) -> float:
    """A symbolic vector sum whose last block is ragged."""
    n = te.var("n")
    a, b = te.placeholder((n,), name="a"), te.placeholder((n,), name="b")
    c = te.compute((n,), lambda i: a[i] + b[i], name="c")
    s = te.create_schedule(c.op)
    outer, inner = s[c].split(c.op.axis[0], factor=64)
    s[c].bind(outer, te.thread_axis("blockIdx.x"))
    s[c].bind(inner, te.thread_axis("threadIdx.x"))
    x, y = random(extent), random(extent)
    return error(gc.build(s, [a, b, c], target)(x, y), x + y)


def multiplied(target: str, m: int, n: int, k: int) -> float:
    """A tiled product: both operands through shared memory, double buffered, every extent ragged."""
    tile, step = 16, 8
    a, b = te.placeholder((m, k), name="a"), te.placeholder((k, n), name="b")
    r = te.reduce_axis((0, k), name="r")
    c = te.compute((m, n), lambda i, j: te.sum(a[i, r] * b[r, j], axis=r), name="c")
    s = te.create_schedule(c.op)
    accumulator = s.cache_write(c, "local")
    shared = [s.cache_read(operand, "shared", [accumulator]) for operand in (a, b)]
    by, bx, ty, tx = s[c].tile(c.op.axis[0], c.op.axis[1], tile, tile)
    for axis, thread in ((by, "blockIdx.y"), (bx, "blockIdx.x"), (ty, "threadIdx.y"), (tx, "threadIdx.x")):
        s[c].bind(axis, te.thread_axis(thread))
    s[accumulator].compute_at(s[c], tx)
    outer, _ = s[accumulator].split(s[accumulator].op.reduce_axis[0], factor=step)
    for stage in shared:
        s[stage].compute_at(s[accumulator], outer)
        s[stage].double_buffer()
        fused = s[stage].fuse(*s[stage].op.axis)
        fused, x = s[stage].split(fused, factor=tile)
        _, y = s[stage].split(fused, factor=tile)
        s[stage].bind(x, te.thread_axis("threadIdx.x"))
        s[stage].bind(y, te.thread_axis("threadIdx.y"))
    x, y = random(m, k), random(k, n)
    return error(gc.build(s, [a, b, c], target)(x, y), x @ y)


def summed(target: str, rows: int, columns: int) -> float:
    """Row sums across the threads of a block."""
    a = te.placeholder((rows, columns), name="a")
    r = te.reduce_axis((0, columns), name="r")
    c = te.compute((rows,), lambda i: te.sum(a[i, r], axis=r), name="c")
    s = te.create_schedule(c.op)
    _, inner = s[c].split(s[c].op.reduce_axis[0], factor=64)
    partial = s.rfactor(c, inner)
    thread = te.thread_axis("threadIdx.x")
    s[c].bind(s[c].op.axis[0], te.thread_axis("blockIdx.x"))
    s[c].bind(s[c].op.reduce_axis[0], thread)
    s[partial].compute_at(s[c], s[c].op.reduce_axis[0])
    x = random(rows, columns)
    return error(gc.build(s, [a, c], target)(x), x.sum(axis=1))


def transposed(target: str, rows: int, columns: int) -> float:
    """A transpose through a swizzled tile, with vectors and hints to the caches on both sides."""
    side, lanes = 32, 4
    a = te.placeholder((rows, columns), name="a")
    b = te.compute((columns, rows), lambda i, j: a[j, i], name="b")
    s = te.create_schedule(b.op)
    tile = s.cache_read(a, "shared", [b])
    by, bx, inner, right = s[b].tile(b.op.axis[0], b.op.axis[1], side, side)
    s[b].bind(by, te.thread_axis("blockIdx.y"))
    s[b].bind(bx, te.thread_axis("blockIdx.x"))
    s[tile].compute_at(s[b], bx)
    for stage, row, column in ((s[tile], s[tile].op.axis[0], s[tile].op.axis[1]), (s[b], inner, right)):
        column, vector = stage.split(column, factor=lanes)
        _, row = stage.split(row, factor=16)
        stage.bind(row, te.thread_axis("threadIdx.y"))
        stage.bind(column, te.thread_axis("threadIdx.x"))
        stage.vectorize(vector)
        stage.pragma(column, "cache_hint", "evict_first")
    s[tile].storage_swizzle(s[tile].op.axis[0], lanes, lanes)
    x = random(rows, columns)
    return error(gc.build(s, [a, b], target)(x), x.T)


def added_up(target: str, extent: int) -> float:
    """A sum over blocks by atomic additions."""
    a = te.placeholder((extent,), name="a")
    r = te.reduce_axis((0, extent), name="r")
    c = te.compute((1,), lambda i: te.sum(a[r], axis=r), name="c")
    s = te.create_schedule(c.op)
    block, rest = s[c].split(s[c].op.reduce_axis[0], nparts=7)
    _, thread = s[c].split(rest, factor=64)
    s[c].reorder(block, thread)
    s[c].pragma(block, "atomic")
    s[c].bind(block, te.thread_axis("blockIdx.x"))
    s[c].bind(thread, te.thread_axis("threadIdx.x"))
    x = random(extent)
    return error(gc.build(s, [a, c], target)(x), x.sum(keepdims=True))


def wrong(target: str, name: str, shape: tuple[int, ...], dtype: str) -> float:
    """By how much an operator of the library exceeds its tolerance; 0 where it does not."""
    operator = registry.get(name)
    defn = operator.define(shape, dtype, target)
    module = gc.build(operator.schedule(defn, Target(target)), defn.args, target, name=name)
    inputs = operator.make_inputs(shape, dtype, np.random.default_rng(0))
    outputs = operator.make_outputs(shape, dtype)
    module(*inputs, *outputs)
    pairs = zip(outputs, operator.reference(inputs, shape), strict=True)
    worst = max([relative_error(got, wanted) for got, wanted in pairs])
    return 0 if worst <= operator.tolerance(dtype) else worst


def random(*shape: int) -> FloatArray:
    return np.random.default_rng(sum(shape)).integers(-4, 5, shape).astype(np.float32)


def error(got: object, wanted: FloatArray) -> float:
    return float(np.abs(np.asarray(got) - wanted).max())


def main() -> int:
    """Small whole numbers where kernels are scheduled here, so that every answer is exact.

    The status is 0 where all agree, 1 otherwise.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default="cuda")
    parser.add_argument("--every", type=int, default=1, metavar="N")
    chosen = parser.parse_args()
    target = str(chosen.target)
    errors = {
        "add 1000": added(target, 1000),
        "matmul 65,33,41": multiplied(target, 65, 33, 41),
        "matmul 32,32,32": multiplied(target, 32, 32, 32),
        "sum 7,513": summed(target, 7, 513),
        "transpose 70,130": transposed(target, 70, 130),
        "atomic sum 1000": added_up(target, 1000),
    }
    for name, worst in errors.items():
        print(f"{name}: {'exact' if worst == 0 else f'WRONG by {worst}'}")
    for name, shape, dtype in LIBRARY[:: chosen.every]:
        label = f"{name} {','.join(str(n) for n in shape)} {dtype}"
        errors[label] = wrong(target, name, shape, dtype)
        print(f"{label}: {'right' if errors[label] == 0 else f'WRONG by {errors[label]}'}", flush=True)
    return int(any(errors.values()))


if __name__ == "__main__":
    raise SystemExit(main())
