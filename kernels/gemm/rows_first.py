"""fp32 products whose operands are first written out along rows, in rows that start where vectors do.

A slab of what is stored along k, or in rows of odd lengths, reaches shared memory by copies of four bytes, four times
as many instructions as along whole rows, between the multiplications all along k.  A transpose, or a copy with longer
rows, reads and writes an operand once, at the speed of memory; the product then copies 16 bytes at a time, and a
multiple of its slabs, with no conditions along k.  docs/benchmarks/gemm has what that gains on an H100.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from gpucomp import te, tir
from gpucomp.kernels.gemm.epilogue import product_of
from gpucomp.kernels.gemm.layout import Operands, operands_of
from gpucomp.kernels.gemm.schedule_simt import applies, schedule_simt
from gpucomp.kernels.gemm.tiles import Choice, choose
from gpucomp.kernels.layouts.compute import turn_in_vectors
from gpucomp.kernels.layouts.schedule_gpu import turn_elements, turn_vectors
from gpucomp.kernels.layouts.tiles import choose_tile, vector_tile
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor
from gpucomp.tir.expr import Expr, ExprLike, ProducerLoad, Var
from gpucomp.tir.functor import expr_post_order

GAIN: Final = 0.985  # of the time without: less is more than the model does not know
LEAST_US: Final = 90.0
ROW: Final = 8  # elements that rows are a multiple of: sectors of memory
TURNED_BYTES_PER_US: Final = 2.9e6  # read and written
COPIED_BYTES_PER_US: Final = 2.5e6
START_US: Final = 2.0
THREADS, TURNS = 256, 4  # of a copy: elements a thread


class Plan(NamedTuple):
    """What a product takes with its operands along rows first: how, and in how many microseconds in all."""

    choice: Choice
    microseconds: float


def plan_of(defn: Definition, target: Target) -> Plan | None:
    """The model's plan; None where it says that a product is as fast as it stands."""
    operands = operands_of(defn)
    m, n, k = operands.m, operands.n, operands.k
    direct = applies(defn, target)
    if direct is None or m is None or n is None or k is None or operands.batched:
        return None
    if str(defn.inputs[0].dtype) != "float32" or product_of(defn) is not defn.outputs[0]:
        return None
    if not operands.b_along_k and (not operands.a_along_k or n % 4 != 2):  # measured: nothing is gained
        return None
    moved = _moved(operands)
    choice = choose((m, n, k), target, 1, 0, whole=True)
    if choice is None or not any(moved) or direct.microseconds < LEAST_US:
        return None
    time = choice.microseconds
    for rows, along_k, moves in ((m, operands.a_along_k, moved[0]), (n, operands.b_along_k, moved[1])):
        if moves:
            time += START_US + 8 * rows * k / (TURNED_BYTES_PER_US if along_k else COPIED_BYTES_PER_US)
    return Plan(choice, time) if time < GAIN * direct.microseconds else None


def rows_first(defn: Definition, target: Target, step: int) -> Definition:
    """The same product of operands along rows; those that are not, or in odd lengths, are written out so.

    Args:
        defn: a product alone.
        target: what transposes are for.
        step: what the depth is made a multiple of, by zeros.
    """
    operands = operands_of(defn)
    moved = _moved(operands)
    a, b = defn.inputs
    made: list[Tensor] = []
    sides = ((a, operands.a_along_k, moved[0], "A"), (b, operands.b_along_k, moved[1], "B"))
    step = step if all(moved) else 1
    rows_a, rows_b = [_along_rows(x, name, along_k, step, target, made) if go else x for x, along_k, go, name in sides]
    k = te.reduce_axis((0, rows_a.shape[0]), "k")

    def element(i: Var, j: Var) -> Expr:
        return te.sum(rows_a[k, i] * rows_b[k, j], axis=k)

    out = te.compute(defn.outputs[0].shape, element, name=defn.outputs[0].op.name)
    return Definition((a, b), (out,), tuple(made))


def product_of_rows(defn: Definition) -> Definition | None:
    """The product that reads operands along rows, which count as inputs; None for another definition."""
    (out,) = defn.outputs
    if not defn.intermediates or product_of(defn) is not out:
        return None
    rows_a, rows_b = out.op.input_tensors
    return Definition((rows_a, rows_b), (out,))


def why(defn: Definition, target: Target) -> str:
    """What led to the tile."""
    rows = product_of_rows(defn)
    choice = None if rows is None else applies(rows, target)
    return "" if choice is None else f"operands are written out along rows first; then {choice.reason}"


def schedule_rows_first(defn: Definition, target: Target, choice: Choice | None = None) -> Schedule:
    """Schedule such a product: as the model says, or as ``choice`` says."""
    rows = product_of_rows(defn)
    assert rows is not None
    choice = choice or applies(rows, target)
    assert choice is not None
    s = te.create_schedule(defn.outputs[0].op)
    schedule_simt(rows, choice, s)
    for operand in dict.fromkeys(rows.inputs):
        if operand.op.computes:
            _write(s, operand, target)
    return s


def _moved(operands: Operands) -> tuple[bool, bool]:
    """Which operands are along k, or in rows of odd lengths; copies of 8 bytes cost too little to be worth a kernel."""
    m, n = operands.m or 0, operands.n or 0
    return operands.a_along_k or m % 2 != 0, operands.b_along_k or n % 2 != 0


def _along_rows(x: Tensor, name: str, along_k: bool, step: int, target: Target, made: list[Tensor]) -> Tensor:
    """An operand as (K, rows), zeros past its ends; what computes it is added to ``made``."""
    rows, k = [extent(size) or 1 for size in (x.shape if along_k else reversed(x.shape))]
    shape = deep, padded = -(-k // step) * step, -(-rows // ROW) * ROW
    tile = vector_tile(padded, k, x.dtype.nbytes, target, 1) if along_k and deep == k else None
    if tile is not None:
        names = f"{name}_vectors", f"{name}_rows"
        made += turn_in_vectors(x, (rows, k), tile.loads, tile.panel, names, padded)
        return made[-1]

    def element(at_k: Var, i: Var) -> ExprLike:
        value = x[i, at_k] if along_k else x[at_k, i]
        checks = [at_k < k] * (deep > k) + [i < rows] * (padded > rows)
        return te.if_then_else(tir.all(*checks), value, tir.const(0, str(x.dtype))) if checks else value

    made.append(te.compute(shape, element, name=f"{name}_rows"))
    return made[-1]


def _write(s: Schedule, out: Tensor, target: Target) -> None:
    """The kernel that writes an operand out along rows."""
    (x,) = out.op.input_tensors
    _, padded = [extent(size) or 1 for size in out.shape]
    if x.op.computes:
        (source,) = x.op.input_tensors
        tile = vector_tile(padded, extent(source.shape[-1]) or 1, out.dtype.nbytes, target, 1)
        assert tile is not None
        turn_vectors(s, x, out, tile)
    elif _turns(out):
        turn_elements(s, out, choose_tile(padded, extent(x.shape[-1]), out.dtype.nbytes, target))
    else:
        stage = s[out]
        block, thread = stage.split(stage.fuse(*out.op.axis), factor=THREADS)
        block, turn = stage.split(block, factor=TURNS)
        stage.unroll(turn)
        stage.bind(block, te.thread_axis("blockIdx.x"))
        stage.bind(thread, te.thread_axis("threadIdx.x"))


def _turns(out: Tensor) -> bool:
    """Whether the axes of what a copy reads are in the other order."""
    op = out.op
    assert isinstance(op, te.ComputeOp)
    load = next(node for node in expr_post_order(op.body[0]) if isinstance(node, ProducerLoad))
    return load.indices[-1] is op.axis[0].var
