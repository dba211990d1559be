"""Instructions of NVIDIA's GPUs under the public names of ``tir``: matrices in registers, and copies ahead.

They take pointers: ``buffer.data``, ``buffer.access_ptr(...)`` or the address of an element, each with an offset in
elements.  What a call does is a store of what :mod:`gpucomp.tir.fragments` computes; :func:`open_ptx` puts that in its
place, after which passes see what is read and written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from gpucomp.ir.types import PointerType
from gpucomp.support.diagnostics import LowerError, Span, TypeMismatchError
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import BufferLoad, Call, Expr, ExprLike, IntImm, IterVar, Ramp, StringImm, Var
from gpucomp.tir.fragments import LANE_ELEMENTS, SUMS, TILE, warp_ldmatrix, warp_mma
from gpucomp.tir.functor import Mutator, stmt_post_order
from gpucomp.tir.intrin import CallEffectKind, Op, call_intrin, register
from gpucomp.tir.stmt import Allocate, AttrStmt, BufferRealize, BufferStore, Evaluate, For, Stmt, seq

LANES: Final = "threadIdx.x"
_KINDS: Final = {"fp16": "float16", "bf16": "bfloat16", "fp32": "float32"}
for _name in ("ptx_ldmatrix", "ptx_mma", "mma_fill", "mma_store", "ptx_cp_async"):
    register(f"tir.{_name}", CallEffectKind.Opaque)


def ptx_ldmatrix(
    dtype: str, trans: bool, num: int, type: str, local_ptr: ExprLike, local_offset: ExprLike, smem_ptr: ExprLike,
    smem_offset: ExprLike,
) -> Call:  # fmt: skip
    """Load four 8x8 matrices of 16-bit elements from shared memory, by the threads of a warp together.

    Args:
        dtype: of the elements in registers.
        trans: the matrices are transposed.
        num: how many: 4.
        type: ".b16".
        local_ptr, local_offset: where a thread's eight elements go.
        smem_ptr, smem_offset: the row that the thread points to: row ``lane % 8`` of matrix ``lane // 8``.

    Raises:
        TypeMismatchError: another number or type.
    """
    if num != 4 or type not in (".b16", "b16"):
        raise TypeMismatchError(f"ptx_ldmatrix of {num} matrices of {type}", hint='num=4, type=".b16"')
    pointers = local_ptr, local_offset, smem_ptr, smem_offset
    return call_intrin(dtype, "ptx_ldmatrix", IntImm("bool", int(trans)), *pointers)


def ptx_mma(
    dtype: str, shape: str, A_layout: str, B_layout: str, A_dtype: str, B_dtype: str, C_dtype: str,
    multiplicand_a: ExprLike, a_index: ExprLike, multiplicand_b: ExprLike, b_index: ExprLike, accumulator: ExprLike,
    c_index: ExprLike, saturate: bool = False, operator: str | None = None,
) -> Call:  # fmt: skip
    """``mma.sync``: add the product of a 16x16 and a 16x8 tile to a 16x8 tile, in the registers of a warp.

    Args:
        dtype: of the sums.
        shape: "m16n8k16".
        A_layout, B_layout: "row" and "col", the only ones of this shape.
        A_dtype, B_dtype, C_dtype: "fp16" or "bf16" twice, and "fp32" (of "fp16" also "fp16").
        multiplicand_a, a_index: eight elements of a thread.
        multiplicand_b, b_index: four.
        accumulator, c_index: four.
        saturate, operator: of integers and bits; there are none of these types here.

    Raises:
        TypeMismatchError: another shape, layout or type.
    """
    kinds = [_KINDS.get(kind, kind) for kind in (A_dtype, B_dtype, C_dtype)]
    fits = kinds[0] == kinds[1] and kinds[2] in SUMS.get(kinds[0], ())
    if (shape, A_layout, B_layout) != ("m16n8k16", "row", "col") or not fits or saturate or operator:
        raise TypeMismatchError(
            f"ptx_mma of {shape}, {A_layout} {A_dtype}, {B_layout} {B_dtype}, {C_dtype}",
            hint='"m16n8k16", "row", "col", of "fp16" in "fp32" or "fp16", or of "bf16" in "fp32"',
        )
    pointers = multiplicand_a, a_index, multiplicand_b, b_index, accumulator, c_index
    return call_intrin(dtype, "ptx_mma", *[StringImm(kind) for kind in kinds], *pointers)


def mma_fill(dtype: str, local_size: int, local_ptr: ExprLike, offset: ExprLike) -> Call:
    """Set ``local_size`` elements of a thread to zero."""
    return call_intrin(dtype, "mma_fill", IntImm("int32", local_size), local_ptr, offset)


def mma_store(
    dtype: str, m: int, n: int, dst_ptr: ExprLike, src_ptr: ExprLike, src_offset: ExprLike, dst_stride: ExprLike
) -> Call:
    """Store a 16x16 tile of sums: eight elements of each thread, to rows that are ``dst_stride`` elements apart.

    Raises:
        TypeMismatchError: another tile.
    """
    if (m, n) != (TILE, TILE):
        raise TypeMismatchError(f"mma_store of a tile of {m}x{n}", hint="16x16")
    return call_intrin(dtype, "mma_store", dst_ptr, src_ptr, src_offset, dst_stride)


def ptx_cp_async(
    dtype: str, shared_ptr: ExprLike, shared_offset: ExprLike, global_ptr: ExprLike, global_offset: ExprLike, bytes: int
) -> Call:
    """Start a copy of 4, 8 or 16 bytes from global to shared memory; offsets in elements.

    Raises:
        TypeMismatchError: another number of bytes.
    """
    if bytes not in (4, 8, 16):
        raise TypeMismatchError(f"ptx_cp_async of {bytes} bytes", hint="4, 8 or 16")
    pointers = shared_ptr, shared_offset, global_ptr, global_offset
    return call_intrin(dtype, "ptx_cp_async", *pointers, IntImm("int32", bytes))


def ptx_commit_group() -> Call:
    """The copies that this thread started since the last call are a group."""
    return call_intrin("int32", "ptx_commit_group")


def ptx_wait_group(num: int) -> Call:
    """Wait until all groups of this thread's copies but the ``num`` newest are there."""
    return call_intrin("int32", "ptx_wait_group", num)


def open_ptx(root: Stmt, arguments: Mapping[Var, Buffer], *, flat: bool = False) -> Stmt:
    """The statement with each call as the store that it does; itself where there is none.

    Args:
        root: a function's body.
        arguments: its buffers, by parameter.
        flat: accesses are of one-dimensional buffers already.

    Raises:
        LowerError: GC397 a pointer is to no memory of the function, or no thread axis has the lanes of a warp.
    """
    nodes = list(stmt_post_order(root))
    if not any([isinstance(n, Evaluate) and _name_of(n.value) in _OPENED for n in nodes]):
        return root
    buffers = list(arguments.values())
    return _Open(nodes, [_flat(x) for x in buffers] if flat else buffers).stmt(root)


def _flat(buffer: Buffer) -> Buffer:
    whole = buffer.get_flattened_buffer()
    return Buffer(whole.data, whole.dtype, whole.shape, (), operators.const(0, "int32"), whole.name, 64, 1)


def _name_of(node: Expr) -> str:
    return node.op.name if isinstance(node, Call) and isinstance(node.op, Op) else ""


class _Open(Mutator):
    def __init__(self, nodes: list[Stmt], arguments: list[Buffer]) -> None:
        super().__init__()
        self.buffers = {buffer.data: buffer for buffer in arguments}
        self.lane: Expr | None = None
        self.span: Span | None = None
        for node in nodes:
            if isinstance(node, BufferRealize):
                self.buffers[node.buffer.data] = node.buffer
            elif isinstance(node, Allocate):
                size = operators.const(math.prod([x.value for x in node.extents if isinstance(x, IntImm)]), "int32")
                zero = operators.const(0, "int32")
                self.buffers[node.buffer_var] = Buffer(
                    node.buffer_var, node.dtype, (size,), (), zero, node.buffer_var.name, 64, 1
                )

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        if node.attr_key == "thread_extent" and isinstance(node.node, IterVar) and node.node.thread_tag == LANES:
            self.lane = node.node.var
        return super().visit_attr_stmt(node)

    def visit_for(self, node: For) -> Stmt:
        if node.thread_binding is not None and node.thread_binding.thread_tag == LANES:
            self.lane = node.loop_var
        return super().visit_for(node)

    def visit_evaluate(self, node: Evaluate) -> Stmt:
        call = node.value
        opened = _OPENED.get(_name_of(call))
        if opened is None or not isinstance(call, Call):
            return node
        self.span = node.span
        return opened(self, call)

    # -- memory -------------------------------------------------------------------------------------------------

    def place(self, pointer: Expr, offset: Expr, lanes: int) -> tuple[Buffer, tuple[Expr, ...]]:
        """The elements that a pointer and an offset name."""
        while _name_of(pointer) == "tir.tvm_access_ptr" and isinstance(pointer, Call):
            offset = operators.add(offset, pointer.args[2])
            pointer = pointer.args[1]
        if _name_of(pointer) == "tir.address_of" and isinstance(pointer, Call):
            load = pointer.args[0]
            if isinstance(load, BufferLoad) and (len(load.indices) == 1 or isinstance(offset, IntImm)):
                last = operators.add(load.indices[-1], operators.cast(load.indices[-1].dtype, offset))
                return load.buffer, (*load.indices[:-1], _vector(last, lanes))
        buffer = self.buffers.get(pointer) if isinstance(pointer, Var) else None
        if buffer is None:
            known = isinstance(pointer, Var) and isinstance(pointer.type_annotation, PointerType)
            raise LowerError(
                f"{pointer} is no memory of this function" if known else f"{pointer} is no pointer to elements",
                code="GC397",
                where=self.span,
                hint="pass buffer.data, buffer.access_ptr(...) or the address of an element",
            )
        if buffer.strides:
            raise LowerError(
                f"{buffer.name} has strides, by which a pointer finds no element before buffers are flat",
                code="GC397",
                where=self.span,
                hint="lower the function first, or declare the buffer without strides",
            )
        index: list[Expr] = []
        for extent in reversed(buffer.shape[1:]):
            index.append(operators.floormod(offset, extent))
            offset = operators.floordiv(offset, extent)
        index.append(offset)
        return buffer, (*reversed(index[1:]), _vector(index[0], lanes))

    def load(self, pointer: Expr, offset: Expr, lanes: int) -> Expr:
        return BufferLoad(*self.place(pointer, offset, lanes))

    def store(self, pointer: Expr, offset: Expr, value: Expr) -> Stmt:
        buffer, indices = self.place(pointer, offset, value.dtype.lanes)
        kind = buffer.dtype.with_lanes(value.dtype.lanes)
        return BufferStore(buffer, operators.cast(kind, value), indices, None, self.span)

    # -- calls --------------------------------------------------------------------------------------------------

    def ldmatrix(self, call: Call) -> Stmt:
        trans, to, at, source, start = call.args
        row = self.load(source, start, LANE_ELEMENTS)
        return self.store(to, at, warp_ldmatrix(row, isinstance(trans, IntImm) and bool(trans.value)))

    def mma(self, call: Call) -> Stmt:
        a, a_at, b, b_at, c, c_at = call.args[3:]
        half = LANE_ELEMENTS // 2
        x, y, z = self.load(a, a_at, LANE_ELEMENTS), self.load(b, b_at, half), self.load(c, c_at, half)
        return self.store(c, c_at, warp_mma(x, y, z))

    def fill(self, call: Call) -> Stmt:
        size, to, at = call.args
        assert isinstance(size, IntImm)
        return self.store(to, at, operators.const(0, call.dtype.with_lanes(size.value)))

    def copy(self, call: Call) -> Stmt:
        to, at, source, start, count = call.args
        assert isinstance(count, IntImm)
        buffer, _ = self.place(to, at, 1)
        lanes = max(1, count.value // buffer.dtype.nbytes)
        store = self.store(to, at, self.load(source, start, lanes))
        return AttrStmt(buffer, "async_copy", operators.const(1), store, self.span)

    def store_tile(self, call: Call) -> Stmt:
        to, source, start, stride = call.args
        if self.lane is None:
            raise LowerError(
                "mma_store is the work of the 32 threads of a warp, but no loop around it is bound to threadIdx.x",
                code="GC397",
                where=self.span,
                hint='ib.scope_attr(te.thread_axis("threadIdx.x"), "thread_extent", 32)',
            )
        lane = operators.floormod(self.lane, 32)
        stores: list[Stmt] = []
        for part in range(LANE_ELEMENTS // 2):
            row = operators.add(operators.floordiv(lane, 4), part % 2 * 8)
            column = operators.add(operators.multiply(operators.floormod(lane, 4), 2), part // 2 * 8)
            at = operators.add(operators.multiply(row, stride), column)
            stores.append(self.store(to, at, self.load(source, operators.add(start, 2 * part), 2)))
        return seq(*stores)


def _vector(first: Expr, lanes: int) -> Expr:
    return first if lanes == 1 else Ramp(first, operators.const(1, first.dtype), lanes)


_OPENED: Final = {
    "tir.ptx_ldmatrix": _Open.ldmatrix,
    "tir.ptx_mma": _Open.mma,
    "tir.mma_fill": _Open.fill,
    "tir.mma_store": _Open.store_tile,
    "tir.ptx_cp_async": _Open.copy,
}
