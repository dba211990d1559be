"""Products of 8-bit integers and of bfloat16 with the instructions that processors have for sums of few products.

``vpdpbusd`` adds four products of bytes to each 32-bit sum, ``vdpbf16ps`` two products of bfloat16.  Both operands
have the factors of one sum next to each other: those of the second are laid out so in its panel, those of the first
are so in memory.  The bytes of the first operand are unsigned: 128 is added to them, and 128 times the sum of the
second operand's taken off again.  ``vdpbf16ps`` takes subnormal numbers for zero.

On processors without the instructions the same schedule runs as the loops that they stand for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gpucomp import te, tir
from gpucomp.kernels.gemm.epilogue import accumulator, inline_epilogue
from gpucomp.kernels.gemm.layout import Operands
from gpucomp.kernels.registry import Definition
from gpucomp.target import Target
from gpucomp.te import Schedule
from gpucomp.tir.expr import Broadcast, Expr, Shuffle
from gpucomp.tir.stmt import Stmt

LANES: Final = 16
ROWS, VECTORS = 6, 4
GROUPS: Final = {"int8": 4, "bfloat16": 2}  # factors of one sum in 32 bits
FEATURES: Final = {"int8": "avx512vnni", "bfloat16": "avx512bf16"}
TASK_TILES, MANY_TASKS = 24, 16
_HIGH_BITS: Final = -0x7F7F7F80  # 0x80 in each byte


def takes_dots(defn: Definition, operands: Operands, target: Target) -> bool:
    """True for products for which the target has such an instruction, whose sums it takes in whole steps."""
    kind = str(defn.inputs[0].dtype)
    if kind not in GROUPS or FEATURES[kind] not in target.features or operands.transpose_a or operands.batched:
        return False
    m, n, k = operands.m, operands.n, operands.k
    if m is None or n is None or k is None or (kind == "int8" and not operands.transpose_b):
        return False
    return m > 1 and k % GROUPS[kind] == 0


def schedule_dots(defn: Definition, operands: Operands) -> Schedule:
    """A tile of six rows by 64 columns in registers; a task copies its panel of the second operand."""
    a, b = defn.inputs[:2]
    out, kind = defn.outputs[0], str(a.dtype)
    group = GROUPS[kind]
    rows = min(ROWS, operands.m or ROWS)
    s = te.create_schedule(out.op)
    acc = accumulator(s, defn)
    inline_epilogue(s, defn)
    panel = s.cache_read(b, "global", [acc])
    if operands.transpose_b:
        axes = s[panel].transform_layout(lambda j, k: [k // group, j, k % group])
    else:
        axes = s[panel].transform_layout(lambda k, j: [k // group, j, k % group])
    acc = s[acc].op.output(0)

    stage = s[out]
    i, j = out.op.axis
    columns, ji = stage.split(j, factor=VECTORS * LANES)
    tile, ii = stage.split(i, factor=rows)
    vector, lane = stage.split(ji, factor=LANES)
    count = -(-(operands.n or 1) // (VECTORS * LANES))
    tiles = -(-(operands.m or 1) // rows)
    part, tile = stage.split(tile, nparts=max(1, min(-(-tiles // TASK_TILES), -(-MANY_TASKS // count))))
    stage.reorder(columns, part, tile, ii, vector, lane)
    task = stage.fuse(columns, part)
    stage.parallel(task)
    stage.unroll(ii)
    stage.unroll(vector)
    stage.vectorize(lane)
    stage.pragma(lane, "whole_tiles")

    s[panel].compute_at(stage, task)
    if operands.transpose_b or (operands.n or 0) % (VECTORS * LANES):
        s[panel].vectorize(axes[2])
    else:
        _, lane = s[panel].split(axes[1], factor=LANES)
        s[panel].tensorize(lane, _interleave(kind, group))

    inner = s[acc]
    inner.compute_at(stage, tile)
    ai, aj = acc.op.axis
    vector, lane = inner.split(aj, factor=LANES)
    outer, factor = inner.split(acc.op.reduce_axis[0], factor=group)
    inner.reorder(outer, ai, vector, lane, factor)
    inner.unroll(ai)
    inner.unroll(vector)
    inner.tensorize(lane, _dot(kind, group, str(acc.dtype)))
    return s


def _dot(kind: str, group: int, total: str) -> te.TensorIntrin:
    """``c[lane] = sum over f of a[f] * b[lane, f]``, in vectors of 16 sums."""
    a, b = te.placeholder((group,), kind, "a"), te.placeholder((LANES, group), kind, "b")
    f = te.reduce_axis((0, group), "f")
    c = te.compute((LANES,), lambda i: te.sum(a[f].astype(total) * b[i, f].astype(total), axis=f), name="c")
    wide = f"{total}x{LANES}"

    def statements(ins: Sequence[tir.Buffer], outs: Sequence[tir.Buffer]) -> tuple[None, Stmt, Stmt]:
        one: Expr = tir.call_intrin("int32", "reinterpret", ins[0].vload((0,), f"{kind}x{group}"))
        many = tir.call_intrin(f"int32x{LANES}", "reinterpret", ins[1].vload((0, 0), f"{kind}x{group * LANES}"))
        old = outs[0].vload((0,), wide)
        zero = tir.const(0, wide)
        if kind == "bfloat16":
            new = tir.call_llvm_pure_intrin(wide, "llvm.x86.avx512bf16.dpbf16ps.512", old, Broadcast(one, LANES), many)
        else:
            high = tir.const(_HIGH_BITS, "int32")
            name = "llvm.x86.avx512.vpdpbusd.512"
            shifted = tir.call_llvm_pure_intrin(wide, name, old, Broadcast(one ^ high, LANES), many)
            new = shifted - tir.call_llvm_pure_intrin(wide, name, zero, Broadcast(high, LANES), many)
        return None, outs[0].vstore((0,), zero), outs[0].vstore((0,), new)

    return te.decl_tensor_intrin(c.op, statements, f"dot_{kind}")


def _interleave(kind: str, group: int) -> te.TensorIntrin:
    """``c[lane, f] = b[f, lane]``: rows of the second operand, factor by factor."""
    b = te.placeholder((group, LANES), kind, "b")
    c = te.compute((LANES, group), lambda i, f: b[f, i], name="c")
    order = [f * LANES + i for i in range(LANES) for f in range(group)]

    def statement(ins: Sequence[tir.Buffer], outs: Sequence[tir.Buffer]) -> Stmt:
        loaded = [ins[0].vload((f, 0), f"{kind}x{LANES}") for f in range(group)]
        return outs[0].vstore((0, 0), Shuffle(tuple(loaded), tuple(order)))

    return te.decl_tensor_intrin(c.op, statement, f"interleave_{kind}", binds={b: _view(b)})


def _view(tensor: te.Tensor) -> tir.Buffer:
    strides: list[Expr | int] = [te.var(f"{tensor.name}_s{d}") for d in range(tensor.ndim - 1)]
    return tir.decl_buffer(tensor.shape, tensor.dtype, tensor.name, offset_factor=1, strides=[*strides, 1])
