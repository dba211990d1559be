"""fp32 products of large second operands that are stored along k: operands along k are transposed first.

A slab of what is stored along k reaches shared memory by copies of four bytes, four times as many instructions as along
rows, between the multiplications all along k.  A transpose reads and writes an operand once, at the speed of memory.
On an H100 fp32 4096^3 with both operands along k takes 2700 us so (2735 to 2754 without, cuBLAS 2700), 8192^3 21.1 ms
(21.8, 21.3); with the second alone 4096^3 takes 2651 us (2694, 2764).  With the first operand alone it gains nothing.
"""

from __future__ import annotations

from typing import Final

from gpucomp import te
from gpucomp.kernels.gemm.epilogue import product_of
from gpucomp.kernels.gemm.layout import Operands, operands_of
from gpucomp.kernels.gemm.schedule_simt import applies, schedule_simt
from gpucomp.kernels.gemm.tiles import Choice, choose
from gpucomp.kernels.registry import Definition, is_reduction
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor
from gpucomp.tir.expr import Expr, Var

GAIN: Final = 0.985  # of the time without: less is more than the model does not know
LEAST_US: Final = 500.0
BYTES_PER_US: Final = 2.6e6  # read and written
START_US: Final = 2.5
SIDE, THREADS, LANES = 64, 256, 4  # rows and columns that a block transposes


def gains(defn: Definition, target: Target) -> bool:
    """Whether the model says that a product is faster with its operands transposed first."""
    operands = operands_of(defn)
    m, n, k = operands.m, operands.n, operands.k
    whole = applies(defn, target)
    if whole is None or m is None or n is None or k is None or operands.batched or not operands.b_along_k:
        return False
    floats = str(defn.inputs[0].dtype) == "float32" and product_of(defn) is defn.outputs[0]
    if not floats or whole.microseconds < LEAST_US or m % LANES or n % LANES or k % LANES:
        return False
    rows = choose((m, n, k), target, 1, 0)
    return rows is not None and rows.microseconds + _copies(operands) < GAIN * whole.microseconds


def transposed(defn: Definition) -> Definition:
    """The same product of operands that are transposed first where they are stored along k."""
    operands = operands_of(defn)
    a, b = defn.inputs
    rows_a = _turned(a, "A_rows") if operands.a_along_k else a
    rows_b = _turned(b, "B_rows") if operands.b_along_k else b
    depth = rows_a.shape[0]
    k = te.reduce_axis((0, depth), "k")

    def element(i: Var, j: Var) -> Expr:
        return te.sum(rows_a[k, i] * rows_b[k, j], axis=k)

    out = te.compute(defn.outputs[0].shape, element, name=defn.outputs[0].op.name)
    return Definition((a, b), (out,), tuple([x for x in (rows_a, rows_b) if x.op.computes]))


def product_of_rows(defn: Definition) -> Definition | None:
    """The product that reads transposed operands, which count as inputs; None for another definition."""
    (out,) = defn.outputs
    if not defn.intermediates or not is_reduction(out):
        return None
    rows_a, rows_b = out.op.input_tensors
    return Definition((rows_a, rows_b), (out,))


def why(defn: Definition, target: Target) -> str:
    """What led to the tile."""
    rows = product_of_rows(defn)
    choice = None if rows is None else applies(rows, target)
    return "" if choice is None else f"operands along k are transposed first; then {choice.reason}"


def schedule_transposed(defn: Definition, target: Target, choice: Choice | None = None) -> Schedule:
    """Schedule such a product: as the model says, or as ``choice`` says."""
    rows = product_of_rows(defn)
    assert rows is not None
    choice = choice or applies(rows, target)
    assert choice is not None
    s = te.create_schedule(defn.outputs[0].op)
    schedule_simt(rows, choice, s)
    for copy in defn.intermediates:
        _transpose(s, copy)
    return s


def _copies(operands: Operands) -> float:
    m, n, k = operands.m or 0, operands.n or 0, operands.k or 0
    elements = n * k + (m * k if operands.a_along_k else 0)
    return operands.padded * START_US + 8 * elements / BYTES_PER_US


def _turned(x: Tensor, name: str) -> Tensor:
    return te.compute((x.shape[1], x.shape[0]), lambda k, i: x[i, k], name=name)


def _transpose(s: Schedule, copy: Tensor) -> None:
    """A kernel whose blocks move tiles through shared memory: whole lines on either side."""
    (x,) = copy.op.input_tensors
    shared = s.cache_read(x, "shared", [copy])
    stage = s[copy]
    k, i = copy.op.axis
    block_k, k = stage.split(k, factor=SIDE)
    block_i, i = stage.split(i, factor=SIDE)
    group, lane = stage.split(i, factor=LANES)
    stage.reorder(block_k, block_i, k, group, lane)
    turn, thread = stage.split(stage.fuse(k, group), factor=THREADS)
    stage.unroll(turn)
    block = stage.fuse(block_k, block_i)
    stage.bind(block, te.thread_axis("blockIdx.x"))
    stage.bind(thread, te.thread_axis("threadIdx.x"))
    stage.vectorize(lane)

    fetch = s[shared]
    fetch.compute_at(stage, block)
    row, column = shared.op.axis
    fetch.storage_align(row, SIDE, 1)
    group, lane = fetch.split(column, factor=LANES)
    turn, thread = fetch.split(fetch.fuse(row, group), factor=THREADS)
    fetch.unroll(turn)
    fetch.bind(thread, te.thread_axis("threadIdx.x"))
    fetch.vectorize(lane)
