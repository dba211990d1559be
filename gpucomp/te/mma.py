"""Ready-made tensor intrinsics of tensor cores: products of 16x16 tiles, by the 32 threads of a warp together.

A product takes four of them: tiles of both operands come from shared memory to registers (:func:`ldmatrix_a`,
:func:`ldmatrix_b`), are multiplied and added up there (:func:`mma_m16n8k16`), and the sums are stored
(:func:`mma_store`).  The tiles in registers are stages in the scopes "mma.frag.a", "mma.frag.b" and "mma.frag.c".  The
threads of a warp are those along threadIdx.x, which has 32: warps are bound to threadIdx.y and threadIdx.z.
"""

from __future__ import annotations

from typing import Any  # Any: buffers of the builders

from gpucomp.support.diagnostics import TensorError, caller_span
from gpucomp.te.api import compute, placeholder, reduce_axis, thread_axis, var
from gpucomp.te.reduction import sum_of
from gpucomp.te.stage import Stage
from gpucomp.te.tensor import Tensor
from gpucomp.te.tensor_intrin import TensorIntrin, decl_tensor_intrin
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import Expr, IterVar
from gpucomp.tir.fragments import LANE_ELEMENTS, SUMS, TILE, WARP, warp_ldmatrix, warp_mma
from gpucomp.tir.stmt import AttrStmt, Stmt, seq


def ldmatrix_a(dtype: str = "float16", *, transposed: bool = False, scope: str = "shared") -> TensorIntrin:
    """``y[i, k] = x[i, k]``: a tile of the first operand from shared memory to registers, by ``ldmatrix``.

    Args:
        dtype: "float16" or "bfloat16".
        transposed: the operand is stored (K, M): ``y[k, i] = x[k, i]``.
        scope: of the operand: "shared" or "shared.dyn".

    Raises:
        TensorError: GC150 another type.
    """
    return _ldmatrix("ldmatrix_a", "mma.frag.a", dtype, scope, trans=transposed, by_rows=not transposed)


def ldmatrix_b(dtype: str = "float16", *, transposed: bool = False, scope: str = "shared") -> TensorIntrin:
    """``y[k, j] = x[k, j]``: a tile of the second operand; ``transposed``: it is stored (N, K); see ``ldmatrix_a``."""
    return _ldmatrix("ldmatrix_b", "mma.frag.b", dtype, scope, trans=not transposed, by_rows=not transposed)


def _ldmatrix(name: str, target: str, dtype: str, scope: str, *, trans: bool, by_rows: bool) -> TensorIntrin:
    """Four matrices of 8x8: thread t gives row t % 8 of number t // 8; they are numbered by columns, or by rows."""
    _check(name, dtype)
    x = placeholder((TILE, TILE), dtype, "x")
    y = compute((TILE, TILE), lambda i, j: x[i, j], name="y")

    def statements(ins: Any, outs: Any) -> Stmt:
        warp = _warp()
        lane = warp.var
        row, column = (lane % 16, lane // 16 * 8) if by_rows else (lane // 16 * 8 + lane % 8, lane // 8 % 2 * 8)
        loaded = ins[0].vload((row, column), f"{dtype}x{LANE_ELEMENTS}")
        return _together(warp, outs[0].vstore((0, 0), warp_ldmatrix(loaded, trans)))

    binds = {x: _view(x, scope, LANE_ELEMENTS), y: _view(y, target)}
    return decl_tensor_intrin(y.op, statements, name, binds=binds)


def mma_m16n8k16(
    dtype: str = "float16", total: str = "float32", *, transpose_a: bool = False, transpose_b: bool = False
) -> TensorIntrin:
    """``z[i, j] += sum(x[i, k].astype(total) * y[k, j].astype(total))`` of tiles of 16x16, in registers.

    Two instructions ``mma.sync.aligned.m16n8k16``: their tiles of results are 16x8.

    Args:
        dtype: of the operands: "float16" or "bfloat16".
        total: of the sums: "float32", or "float16" of float16.
        transpose_a, transpose_b: an operand is stored (K, M), (N, K).

    Raises:
        TensorError: GC150 other types.
    """
    _check("mma_m16n8k16", dtype, total)
    x, y = placeholder((TILE, TILE), dtype, "x"), placeholder((TILE, TILE), dtype, "y")
    k = reduce_axis((0, TILE), "k")

    def product(i: Any, j: Any) -> Any:
        left = x[k, i] if transpose_a else x[i, k]
        right = y[j, k] if transpose_b else y[k, j]
        return sum_of(left.astype(total) * right.astype(total), axis=k)

    z = compute((TILE, TILE), product, name="z")

    def statements(ins: Any, outs: Any) -> tuple[Stmt, Stmt, Stmt]:
        warp, sums = _warp(), f"{total}x{LANE_ELEMENTS}"
        a, b = [buffer.vload((0, 0), f"{dtype}x{LANE_ELEMENTS}") for buffer in ins]
        old: Expr = outs[0].vload((0, 0), sums)
        reset = outs[0].vstore((0, 0), operators.const(0, sums))
        update = outs[0].vstore((0, 0), warp_mma(a, b, old))
        return (
            _together(warp, seq(reset, update)), _together(warp, reset), _together(warp, update),
        )  # fmt: skip

    binds = {x: _view(x, "mma.frag.a"), y: _view(y, "mma.frag.b"), z: _view(z, "mma.frag.c")}
    return decl_tensor_intrin(z.op, statements, "mma_m16n8k16", binds=binds)


def mma_store(total: str = "float32", dtype: str = "", *, scope: str = "global") -> TensorIntrin:
    """``y[i, j] = x[i, j]``: a tile of sums from registers to memory of ``scope``, converted to ``dtype`` if given."""
    kind = dtype or total
    x = placeholder((TILE, TILE), total, "x")
    y = compute((TILE, TILE), lambda i, j: x[i, j].astype(kind), name="y")

    def statements(ins: Any, outs: Any) -> Stmt:
        warp = _warp()
        lane = warp.var
        stores: list[Stmt] = []
        for part in range(LANE_ELEMENTS // 2):
            row, column = lane // 4 + part % 2 * 8, lane % 4 * 2 + part // 2 * 8
            pair = ins[0].vload((0, 2 * part), f"{total}x2")
            stores.append(outs[0].vstore((row, column), operators.cast(f"{kind}x2", pair)))
        return _together(warp, seq(*stores))

    binds = {x: _view(x, "mma.frag.c"), y: _view(y, scope, 2)}
    return decl_tensor_intrin(y.op, statements, "mma_store", binds=binds)


def own_elements(stage: Stage, i: IterVar, j: IterVar) -> tuple[IterVar, list[IterVar], IterVar]:
    """Split rows and columns of sums in registers so that each thread computes what belongs to its own elements.

    What follows a product elementwise is computed by an ordinary stage: it reads the tensor in "mma.frag.c" with these
    loops, the first of which is to be bound to threadIdx.x (of 32 threads).

    Args:
        stage: reads the sums; both axes are leaves, multiples of 16 long.
        i, j: its loops over rows and columns of a warp's part.

    Returns:
        The axis of threads; the axes of tiles and of halves of tiles, outermost first; an axis of two neighbours in a
        row.
    """
    tile_i, i = stage.split(i, factor=TILE)
    tile_j, j = stage.split(j, factor=TILE)
    half_i, i = stage.split(i, factor=TILE // 2)
    half_j, j = stage.split(j, factor=TILE // 2)
    j, pair = stage.split(j, factor=2)
    stage.reorder(tile_i, tile_j, half_i, half_j, i, j, pair)
    return stage.fuse(i, j), [tile_i, tile_j, half_i, half_j], pair


def _warp() -> IterVar:
    return thread_axis((0, WARP), "threadIdx.x")


def _together(warp: IterVar, body: Stmt) -> Stmt:
    return AttrStmt(warp, "thread_extent", operators.const(WARP, "int32"), body)


def _view(tensor: Tensor, scope: str, factor: int = 1) -> Buffer:
    return decl_buffer(
        tensor.shape, tensor.dtype, tensor.name, scope=scope, strides=[var(f"{tensor.name}_stride"), 1],
        offset_factor=factor,
    )  # fmt: skip


def _check(name: str, dtype: str, total: str = "") -> None:
    if dtype in SUMS and (not total or total in SUMS[dtype]):
        return
    shown = " and ".join([x for x in (dtype, total) if x])
    kinds = "; ".join([f"{x} in {' or '.join(sums)}" for x, sums in SUMS.items()])
    hint = f"tensor cores multiply and add up {kinds}"
    raise TensorError(f"{name} of {shown}", code="GC150", where=caller_span(), hint=hint)
