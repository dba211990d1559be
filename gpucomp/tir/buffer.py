"""Buffers: typed, scoped views of memory with a shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from gpucomp.ir.node import Node
from gpucomp.ir.types import PointerType, PrimType
from gpucomp.support.diagnostics import Span, TypeMismatchError
from gpucomp.support.dtype import FLOAT32, HANDLE, INT32, DType
from gpucomp.support.expect import expect
from gpucomp.tir import operators
from gpucomp.tir.expr import BufferLoad, Expr, ExprLike, IntImm, Ramp, Range, Var


class Buffer(Node):
    """A view of memory.  Compares by identity.

    Attributes:
        data: pointer variable, whose type carries element type and storage scope.
        dtype: element type.
        shape: extents.
        strides: in elements; empty means compact, row-major.
        elem_offset: of the first element from ``data``, in elements.
        name: preferred name.
        data_alignment: of the first element, in bytes.
        offset_factor: ``elem_offset`` is a multiple of it.
        buffer_type: "" or "auto_broadcast" (extents of 1 are read with stride 0).
        axis_separators: dimensions before which physical dimensions split; empty for flat memory.
    """

    data: Var
    dtype: DType
    shape: tuple[Expr, ...]
    strides: tuple[Expr, ...]
    elem_offset: Expr
    name: str
    data_alignment: int
    offset_factor: int
    buffer_type: str = ""
    axis_separators: tuple[int, ...] = ()

    __hash__ = object.__hash__

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def scope(self) -> str:
        """Storage scope: "global", "shared", "local", ..."""
        return self.data.storage_scope or "global"

    def __getitem__(self, indices: ExprLike | tuple[ExprLike, ...]) -> BufferLoad:
        items = indices if isinstance(indices, tuple) else (indices,)
        return BufferLoad(self, tuple([operators.convert(i) for i in items]))

    def __bool__(self) -> bool:
        return True

    def vload(self, begin: Sequence[ExprLike], dtype: str | None = None) -> Expr:
        """Load ``dtype`` (lanes included) starting at ``begin``."""
        return BufferLoad(self, self._vector_indices(begin, dtype))

    def vstore(self, begin: Sequence[ExprLike], value: ExprLike) -> Any:  # Any: BufferStore lives above this module
        """A statement that stores ``value`` starting at ``begin``."""
        from gpucomp.tir.stmt import BufferStore

        expr = operators.convert(value)
        return BufferStore(self, expr, self._vector_indices(begin, expr.dtype))

    def _vector_indices(self, begin: Sequence[ExprLike], dtype: str | None) -> tuple[Expr, ...]:
        items = [operators.convert(i) for i in (begin if isinstance(begin, (tuple, list)) else (begin,))]
        lanes = 1 if dtype is None else DType(dtype).lanes // self.dtype.lanes
        if lanes > 1:
            items[-1] = Ramp(items[-1], operators.const(1, items[-1].dtype), lanes)
        return tuple(items)

    def stride_exprs(self) -> tuple[Expr, ...]:
        """Strides in elements, computed from the shape where they are implicit."""
        if self.strides:
            return self.strides
        out: list[Expr] = []
        step: Expr = operators.const(1, self.shape[-1].dtype if self.shape else INT32)
        for extent in reversed(self.shape):
            out.append(step)
            step = operators.multiply(extent, step)
        return tuple(reversed(out))

    def offset_of(self, indices: Sequence[ExprLike]) -> Expr:
        """Offset of an element from ``data``, in elements."""
        total = self.elem_offset
        for index, stride in zip(indices, self.stride_exprs(), strict=True):
            total = operators.add(total, operators.multiply(index, stride))
        return total

    def access_ptr(
        self,
        access_mask: str | int,
        ptr_type: str = "handle",
        content_lanes: int = 1,
        offset: ExprLike = 0,
        extent: ExprLike | None = None,
    ) -> Expr:
        """A pointer to the elements from ``offset`` on, to be given to a function.

        Args:
            access_mask: what the function does with them: "r", "w" or "rw" (1 reads, 2 writes).
            ptr_type: type of the pointer.
            content_lanes: the elements are seen as vectors of so many lanes.
            offset: in elements, from the first one of the buffer.
            extent: number of elements that may be accessed; those from ``offset`` to the end when not given.

        Raises:
            TypeMismatchError: another access mask.
        """
        from gpucomp.tir.intrin import call_intrin

        mask = access_mask
        if isinstance(mask, str):
            if not mask or set(mask) - {"r", "w"}:
                raise TypeMismatchError(f"access_ptr of {self.name}: access mask {mask!r}", hint='"r", "w" or "rw"')
            mask = ("r" in mask) + 2 * ("w" in mask)
        if extent is None:
            whole: Expr = operators.const(1, self.elem_offset.dtype)
            for size in self.shape[:1] if self.strides else self.shape:
                whole = operators.multiply(whole, size)
            if self.strides:
                whole = operators.multiply(whole, self.strides[0])
            extent = operators.subtract(whole, offset)
        kind = call_intrin(self.dtype.with_lanes(self.dtype.lanes * content_lanes), "type_annotation")
        place = operators.add(self.elem_offset, offset)
        return call_intrin(ptr_type, "tvm_access_ptr", kind, self.data, place, extent, mask)

    def get_flattened_buffer(self) -> Buffer:
        """The one-dimensional view of the same memory."""
        size: Expr = operators.const(1, self.shape[0].dtype if self.shape else INT32)
        if self.strides:
            size = operators.multiply(self.shape[0], self.strides[0])
        else:
            for extent in self.shape:
                size = operators.multiply(size, extent)
        return Buffer(
            self.data,
            self.dtype,
            (size,),
            (),
            self.elem_offset,
            self.name,
            self.data_alignment,
            self.offset_factor,
        )

    def __repr__(self) -> str:
        return f"Buffer({self.name}: {self.dtype}[{', '.join(map(str, self.shape))}], {self.scope()})"

    default_alignment: ClassVar[int] = 64


def decl_buffer(
    shape: Sequence[ExprLike] | ExprLike,
    dtype: str | None = None,
    name: str = "buffer",
    data: Var | None = None,
    strides: Sequence[ExprLike] | None = None,
    elem_offset: ExprLike | None = None,
    scope: str = "",
    data_alignment: int = -1,
    offset_factor: int = 0,
    buffer_type: str = "",
    axis_separators: Sequence[int] | None = None,
    span: Span | None = None,
) -> Buffer:
    """Declare a buffer.

    Args:
        shape: extents; integers or integer expressions.
        dtype: element type, float32 when not given.
        name: preferred name.
        data: pointer to view; a new one when not given.
        strides: in elements; compact row-major when not given.
        elem_offset: of the first element, in elements.
        scope: storage scope of a new ``data``; "" means global.
        data_alignment: bytes; -1 means 64.
        offset_factor: ``elem_offset`` is a multiple of it; 0 means 1.  Given without ``elem_offset``, the offset is
            a variable, to be bound where the buffer is.
        buffer_type: "" or "auto_broadcast".

    Raises:
        TypeMismatchError: GC252, GC256 an extent is no integer >= 0, or another argument is not as described.
    """
    extents = tuple([operators.convert(s) for s in (shape if isinstance(shape, (tuple, list)) else (shape,))])
    _check_declaration(extents, name, data, strides, elem_offset, scope, data_alignment, offset_factor, buffer_type)
    kind = DType(dtype) if dtype else FLOAT32
    if data is None:
        data = Var(name, HANDLE, PointerType(PrimType(kind), scope or "global"))
    index_dtype = extents[0].dtype if extents else INT32
    steps = tuple([operators.convert(s) for s in strides or ()])
    offset: Expr = operators.const(0, index_dtype) if elem_offset is None else operators.convert(elem_offset)
    if elem_offset is None and offset_factor:
        offset = Var(f"{name}_elem_offset", index_dtype)
    return Buffer(
        data,
        kind,
        extents,
        steps,
        offset,
        name,
        Buffer.default_alignment if data_alignment <= 0 else data_alignment,
        offset_factor or 1,
        buffer_type,
        tuple(axis_separators or ()),
    )


def _check_declaration(
    extents: tuple[Expr, ...],
    name: object,
    data: object,
    strides: Sequence[ExprLike] | None,
    elem_offset: object,
    scope: object,
    data_alignment: object,
    offset_factor: object,
    buffer_type: object,
) -> None:
    expect(name, str, "decl_buffer: name", 'tir.decl_buffer((n,), "float32", name="A")')
    for extent in extents:
        if not extent.dtype.is_int or (isinstance(extent, IntImm) and extent.value < 0):
            raise TypeMismatchError(
                f"buffer {name!r} has the extent {extent} of type {extent.dtype}; extents are integers >= 0",
                code="GC256",
                hint="an int, or an integer expression of te.var(...)",
            )
    if data is not None:
        expect(data, Var, "decl_buffer: data", "a pointer variable, such as the data of another buffer")
    if strides and len(strides) != len(extents):
        raise TypeMismatchError(
            f"buffer {name!r} has {len(extents)} dimensions and {len(strides)} strides",
            code="GC256",
            hint="a stride for each dimension, in elements, or none at all",
        )
    if elem_offset is not None and not operators.convert(elem_offset).dtype.is_int:
        raise TypeMismatchError(
            f"buffer {name!r}: elem_offset is {elem_offset!r:.40}, no integer", code="GC256", hint="te.var('offset')"
        )
    for part, given in (("data_alignment", data_alignment), ("offset_factor", offset_factor)):
        expect(given, int, f"decl_buffer: {part}", "bytes, or elements, as a plain number")
    if not isinstance(scope, str) or buffer_type not in ("", "default", "auto_broadcast"):
        raise TypeMismatchError(
            f"buffer {name!r}: scope is {scope!r:.40}, buffer_type {buffer_type!r:.40}",
            code="GC256",
            hint='scope "global", "shared", "local"...; buffer_type "" or "auto_broadcast"',
        )


class BufferRegion(Node):
    """A box of a buffer: one range for each dimension."""

    buffer: Buffer
    region: tuple[Range, ...]

    __hash__ = object.__hash__
