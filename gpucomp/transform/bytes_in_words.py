"""Bytes that dot products take four at a time are kept in 32-bit words.

An instruction for the dot product of four bytes takes two words.  Kept as bytes, a fragment in registers is four
values for each word, which the device's compiler has to take apart and put together again; kept as words it is what the
instruction takes, and copies of it are copies of words like those of any other operand.
"""

from __future__ import annotations

from typing import Final

from gpucomp.ir.types import PointerType, PrimType
from gpucomp.support.dtype import DType
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Broadcast, BufferLoad, Call, Expr, IntImm, Ramp, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, post_order
from gpucomp.tir.intrin import call_intrin, reinterpret
from gpucomp.tir.stmt import Allocate, AttrStmt, BufferStore, Stmt
from gpucomp.transform.vector_access import first_element
from gpucomp.transform.walk import ScopedMutator, int_value, is_call

BYTES: Final = 4
WORDS: Final = {"int8": "int32", "uint8": "uint32"}


def bytes_in_words(func: PrimFunc) -> PrimFunc:
    """Keep memory of bytes as 32-bit words where every access is of whole words.

    It is done for allocations of int8 and uint8 in functions with dot products of bytes (``tir.dp4a``), on targets with
    an instruction for them. An allocation of which a single byte is read or written, or whose words might not begin at
    a multiple of four, stays as it is.
    """
    features: frozenset[str] = getattr(func.attrs.get("target"), "features", frozenset())
    if "dp4a" not in features or not any([isinstance(x, Call) and is_call(x, "dp4a") for x in post_order(func.body)]):
        return func
    found = _Candidates(func)
    found.stmt(func.body)
    chosen = {var: size for var, size in found.sizes.items() if var not in found.refused}
    return func.with_body(_Words(chosen).stmt(func.body)) if chosen else func


class _Candidates(ScopedMutator):
    """Collects allocations of bytes, and what keeps them from being words."""

    def __init__(self, func: PrimFunc) -> None:
        super().__init__(func)
        self.sizes: dict[Var, int] = {}
        self.refused: dict[Var, None] = {}

    def visit_allocate(self, node: Allocate) -> Stmt:
        count = int_value(node.extents[0]) if len(node.extents) == 1 else None
        if str(node.dtype) in WORDS and count is not None and count % BYTES == 0:
            self.sizes[node.buffer_var] = count // BYTES
        return super().visit_stmt(node)

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        if isinstance(node.node, (Buffer, Var)):
            self.refused[node.node.data if isinstance(node.node, Buffer) else node.node] = None
        return super().visit_attr_stmt(node)

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        self._access(node.buffer, node.indices, node.predicate)
        return super().visit_stmt(node)

    def visit_buffer_load(self, node: BufferLoad) -> Expr:
        self._access(node.buffer, node.indices, node.predicate)
        return super().visit_expr(node)

    def visit_call(self, node: Call) -> Expr:
        for arg in node.args:
            if isinstance(arg, Var):
                self.refused[arg] = None  # its address is taken
        return super().visit_expr(node)

    def _access(self, buffer: Buffer, indices: tuple[Expr, ...], predicate: Expr | None) -> None:
        if buffer.data not in self.sizes:
            return
        first = first_element(buffer, indices) if indices[0].dtype.lanes % BYTES == 0 else None
        known = None if first is None else self.analyzer.modular_set(first)
        if predicate is not None or known is None or known.coeff % BYTES or known.base % BYTES:
            self.refused[buffer.data] = None


class _Words(Mutator):
    def __init__(self, sizes: dict[Var, int]) -> None:
        super().__init__()
        self.sizes = sizes
        self.vars: dict[Var, Var] = {}
        self.buffers: dict[Buffer, Buffer] = {}

    def visit_allocate(self, node: Allocate) -> Stmt:
        var = node.buffer_var
        if var not in self.sizes:
            return super().visit_stmt(node)
        word = DType(WORDS[str(node.dtype)])
        kind = PointerType(PrimType(word), var.storage_scope or "global")
        self.vars[var] = Var(var.name, var.dtype, kind)
        size = operators.const(self.sizes[var], node.extents[0].dtype)
        return node.replace(buffer_var=self.vars[var], dtype=word, extents=(size,), body=self.stmt(node.body))

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        if node.buffer.data not in self.vars:
            return super().visit_stmt(node)
        return BufferStore(
            self._buffer(node.buffer), self._value(node.value), (self._index(node.indices[0]),), span=node.span
        )

    def visit_buffer_load(self, node: BufferLoad) -> Expr:
        if node.buffer.data not in self.vars:
            return super().visit_expr(node)
        return reinterpret(str(node.dtype), BufferLoad(self._buffer(node.buffer), (self._index(node.indices[0]),)))

    def _buffer(self, buffer: Buffer) -> Buffer:
        made = self.buffers.get(buffer)
        if made is None:
            size = operators.const(self.sizes[buffer.data])
            made = self.buffers[buffer] = Buffer(
                self.vars[buffer.data], DType(WORDS[str(buffer.dtype)]), (size,), (), operators.const(0), buffer.name,
                max(buffer.data_alignment, BYTES), 1,
            )  # fmt: skip
        return made

    def _index(self, index: Expr) -> Expr:
        assert isinstance(index, Ramp)
        first = operators.floordiv(self.expr(index.base), BYTES)
        words = index.lanes // BYTES
        return first if words == 1 else Ramp(first, operators.const(1, first.dtype), words)

    def _value(self, value: Expr) -> Expr:
        """A vector of bytes as words."""
        words = DType(WORDS[str(value.dtype.element)]).with_lanes(value.dtype.lanes // BYTES)
        if isinstance(value, Broadcast) and isinstance(value.value, IntImm) and value.value.value == 0:
            return operators.const(0, str(words))
        if isinstance(value, Call) and is_call(value, "if_then_else") and value.args[0].dtype.lanes == 1:
            condition, yes, no = value.args
            return call_intrin(words, "if_then_else", self.expr(condition), self._value(yes), self._value(no))
        new = self.expr(value)
        if isinstance(new, Call) and is_call(new, "reinterpret") and new.args[0].dtype is words:
            return new.args[0]
        return reinterpret(str(words), new)
