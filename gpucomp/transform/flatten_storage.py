"""Buffer form to flat form: every access through a one-dimensional buffer, every realised box an allocation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gpucomp.support.diagnostics import LowerError
from gpucomp.support.dtype import INT32
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import EQ, Broadcast, BufferLoad, Call, Expr, IntImm, Ramp, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import expr_post_order, ordered_vars
from gpucomp.tir.intrin import call_intrin, select
from gpucomp.tir.stmt import (
    NOOP,
    Allocate,
    AllReduce,
    AttrStmt,
    BufferRealize,
    BufferStore,
    Evaluate,
    For,
    ForKind,
    Prefetch,
    Stmt,
)
from gpucomp.transform.fragments import Registers, in_registers
from gpucomp.transform.swizzle import SWIZZLE, Swizzle, make_swizzle
from gpucomp.transform.walk import ScopedMutator, int_value, is_call

# In any other scope the device compiler lays memory out, and the size must be a number.
_RUN_TIME_SIZED: Final = frozenset({"", "global"})
# A bound as large as this is the absence of one.
_LARGEST_STATIC: Final = 1 << 24
_POINTED: Final = ("ptx_ldmatrix", "mma_store", "ptx_cp_async")  # they add to the pointers that they get
_CACHE_LINE: Final = 64  # bytes that one prefetch brings, at the least, on processors and GPUs


def flatten_storage(func: PrimFunc) -> PrimFunc:
    """Lower multi-dimensional buffers to one-dimensional ones.

    Each ``BufferRealize`` becomes an ``Allocate`` of one extent; indices become offsets from the minimum of the
    realised box. Strides are compact and row-major, except where ``buffer_dim_align`` (axis, factor, offset) asks for
    ``stride % factor == offset``, and ``buffer_swizzle`` (axis, vector, period) permutes each row. Argument buffers
    keep their strides and ``elem_offset``, which move into the index. A vector index stays a vector:
    ``Ramp(base, stride, lanes)`` of the last dimension becomes one of the offset. Prefetch hints become calls of the
    intrinsic for memory in global scope, and vanish for other memory.

    Raises:
        LowerError: a buffer outside global memory has an extent without a constant bound.
    """
    return func.with_body(_Flatten(func).stmt(func.body))


@dataclass(slots=True)
class _Layout:
    """Where element ``indices`` of a buffer lies: ``start + sum((indices - mins) * strides)``.

    The last of the differences may be swizzled.  Tiles that a warp holds in registers have a layout of their own.
    """

    flat: Buffer
    mins: tuple[Expr, ...]
    strides: tuple[Expr, ...]
    start: Expr
    swizzle: Swizzle | None = None
    registers: Registers | None = None


class _Flatten(ScopedMutator):
    def __init__(self, func: PrimFunc) -> None:
        super().__init__(func)
        self.arguments = frozenset(func.buffer_map.values())
        self.layouts: dict[Buffer, _Layout | None] = {}
        self.arguments = tuple(func.buffer_map.values())
        self.aligned: dict[Buffer, dict[int, tuple[int, int]]] = {}
        self.swizzled: dict[Buffer, AttrStmt] = {}
        self.offsets: dict[tuple[Buffer, tuple[Expr, ...]], Expr] = {}
        least = func.attrs.get("tir.minimum", {})
        self.factors = [p for p in func.params if least.get(p.name, 0) > 0]

    # -- layouts ----------------------------------------------------------------------------------------------

    def layout(self, buffer: Buffer) -> _Layout | None:
        """The layout of a buffer; None when it is flat already."""
        if buffer not in self.layouts:
            self.layouts[buffer] = self._declared(buffer)
        return self.layouts[buffer]

    def _declared(self, buffer: Buffer) -> _Layout | None:
        """The layout that a buffer's own shape, strides and offset give."""
        plain = buffer.ndim == 1 and not buffer.strides and not buffer.buffer_type
        if plain and int_value(buffer.elem_offset) == 0:
            return None
        strides = buffer.stride_exprs()
        if buffer.buffer_type == "auto_broadcast":
            strides = tuple([_broadcast_stride(s, e) for s, e in zip(strides, buffer.shape, strict=True)])
        zero = operators.const(0, buffer.shape[0].dtype if buffer.shape else INT32)
        size = _size(buffer, strides)
        return _Layout(_flat(buffer, self.analyzer.simplify(size)), (zero,) * buffer.ndim, strides, buffer.elem_offset)

    def visit_buffer_realize(self, node: BufferRealize) -> Stmt:
        buffer = node.buffer
        mins = tuple([self.analyzer.simplify(self.expr(r.min)) for r in node.bounds])
        extents = [self.analyzer.simplify(self.expr(r.extent)) for r in node.bounds]
        if buffer.scope() not in _RUN_TIME_SIZED:
            extents = [self._constant(node, axis, extent) for axis, extent in enumerate(extents)]
        tiles = in_registers(node, mins, extents)
        if tiles is not None:
            flat, size = tiles.flat, tiles.flat.shape[0]
            self.layouts[buffer] = _Layout(flat, mins, (), operators.const(0, size.dtype), registers=tiles)
            body = self.stmt(node.body)
            return Allocate(flat.data, buffer.dtype, (size,), self.expr(node.condition), body, None, node.span)
        strides, size = self._padded_strides(extents, self.aligned.pop(buffer, {}))
        flat = _flat(buffer, size)
        asked = self.swizzled.pop(buffer, None)
        swizzle = None if asked is None else make_swizzle(asked, extents, strides)
        self.layouts[buffer] = _Layout(flat, mins, strides, operators.const(0, size.dtype), swizzle)
        body = self.stmt(node.body)
        return Allocate(buffer.data, buffer.dtype, (size,), self.expr(node.condition), body, None, node.span)

    def _constant(self, node: BufferRealize, axis: int, extent: Expr) -> Expr:
        if isinstance(extent, IntImm):
            return extent
        most = self.analyzer.const_int_bound(extent).max_value
        if 0 < most < _LARGEST_STATIC:
            return operators.const(most, extent.dtype)
        buffer = node.buffer
        raise LowerError(
            f"buffer {buffer.name!r} in {buffer.scope()} memory has extent {extent} along dimension {axis}, "
            "which has no constant bound",
            code="GC314",
            where=node.span,
            hint=self._how_to_bound(extent),
        )

    def _how_to_bound(self, extent: Expr) -> str:
        given = [v.name for v in ordered_vars(extent) if v in self.factors]
        if given:
            values = ", ".join([f"{name}: 16" for name in given])
            return f"give the split factors values before: lower(..., simple_mode=True)[name].specialize({{{values}}})"
        return (
            "attach it inside a loop whose extent is a number (split by a constant factor first), "
            'or keep it in global memory: set_scope("global")'
        )

    def _padded_strides(
        self, extents: Sequence[Expr], aligned: dict[int, tuple[int, int]]
    ) -> tuple[tuple[Expr, ...], Expr]:
        """Row-major strides, padded where asked, and the number of elements."""
        step: Expr = operators.const(1, extents[0].dtype if extents else INT32)
        strides: list[Expr] = []
        for axis in reversed(range(len(extents))):
            if axis in aligned:
                factor, offset = aligned[axis]
                step = operators.add(step, operators.floormod(operators.subtract(offset, step), factor))
                step = self.analyzer.simplify(step)
            strides.append(step)
            step = self.analyzer.simplify(operators.multiply(step, extents[axis]))
        return tuple(reversed(strides)), step

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        if node.attr_key == "buffer_dim_align":
            buffer, axis, factor, offset = node.node
            self.aligned.setdefault(buffer, {})[int(axis)] = (int(factor), int(offset))
            return self.stmt(node.body)
        if node.attr_key == SWIZZLE:
            self.swizzled[node.node[0]] = node
            return self.stmt(node.body)
        if node.attr_key == "pragma_debug_skip_region":
            return NOOP
        done = super().visit_attr_stmt(node)
        if not isinstance(node.node, Buffer) or not isinstance(done, AttrStmt):
            return done
        # The layout is asked for only now: the buffer may be realised inside this statement.
        layout = self.layout(node.node)
        return done if layout is None else AttrStmt(layout.flat, done.attr_key, done.value, done.body, done.span)

    # -- accesses ---------------------------------------------------------------------------------------------

    def offset(self, buffer: Buffer, layout: _Layout, indices: tuple[Expr, ...]) -> Expr:
        """The index into the flat buffer."""
        key = (buffer, indices)
        done = self.offsets.get(key)
        if done is None:
            done = self.offsets[key] = self._offset(layout, indices)
        return done

    def _offset(self, layout: _Layout, indices: tuple[Expr, ...]) -> Expr:
        if layout.registers is not None:
            return self.analyzer.simplify(layout.registers.index(indices))
        lanes = indices[-1].dtype.lanes if indices else 1
        split = [_base_and_step(i) for i in indices]
        if layout.swizzle is not None and self._in_one_chunk(layout, layout.swizzle, indices):
            base = self._dot(layout, tuple([s[0] for s in split if s is not None]))
            return Ramp(base, operators.const(1, base.dtype), lanes)
        if lanes == 1 or any([s is None for s in split]) or layout.swizzle is not None:
            return self._dot(layout, indices)
        bases = tuple([s[0] for s in split if s is not None])
        steps = tuple([s[1] for s in split if s is not None])
        base = self._dot(layout, bases)
        step: Expr = operators.const(0, base.dtype)
        for lane_step, stride in zip(steps, layout.strides, strict=True):
            step = operators.add(step, operators.multiply(lane_step, stride))
        step = self.analyzer.simplify(step)
        return Broadcast(base, lanes) if int_value(step) == 0 else Ramp(base, step, lanes)

    def _in_one_chunk(self, layout: _Layout, swizzle: Swizzle, indices: tuple[Expr, ...]) -> bool:
        """True for neighbours in a row that stay neighbours."""
        *outer, last = indices
        if not isinstance(last, Ramp) or int_value(last.stride) != 1 or swizzle.vector % last.lanes:
            return False
        start = operators.floormod(operators.subtract(last.base, layout.mins[-1]), last.lanes)
        return all([i.dtype.lanes == 1 for i in outer]) and int_value(self.analyzer.simplify(start)) == 0

    def _dot(self, layout: _Layout, indices: tuple[Expr, ...]) -> Expr:
        total = layout.start
        offsets = [operators.subtract(index, low) for index, low in zip(indices, layout.mins, strict=True)]
        if layout.swizzle is not None:
            offsets[-1] = layout.swizzle.place(offsets)
        for offset, stride in zip(offsets, layout.strides, strict=True):
            total = operators.add(total, operators.multiply(offset, stride))
        return self.analyzer.simplify(total)

    def visit_buffer_load(self, node: BufferLoad) -> Expr:
        indices = tuple([self.visit(i) for i in node.indices])
        predicate = None if node.predicate is None else self.visit(node.predicate)
        layout = self.layout(node.buffer)
        if layout is not None:
            return BufferLoad(layout.flat, (self.offset(node.buffer, layout, indices),), predicate)
        same = predicate is node.predicate and all([x is y for x, y in zip(indices, node.indices, strict=True)])
        return node if same else BufferLoad(node.buffer, indices, predicate)

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        indices, value = self.exprs(node.indices), self.expr(node.value)
        predicate = None if node.predicate is None else self.expr(node.predicate)
        layout = self.layout(node.buffer)
        if layout is not None:
            index = self.offset(node.buffer, layout, indices)
            return BufferStore(layout.flat, value, (index,), predicate, node.span)
        if indices is node.indices and value is node.value and predicate is node.predicate:
            return node
        return BufferStore(node.buffer, value, indices, predicate, node.span)

    def visit_all_reduce(self, node: AllReduce) -> Stmt:
        done = super().visit_all_reduce(node)
        layouts = [self.layout(b) for b in node.results]
        if all([layout is None for layout in layouts]):
            return done
        results = [b if layout is None else layout.flat for b, layout in zip(node.results, layouts, strict=True)]
        return done.replace(results=tuple(results))

    def visit_call(self, node: Call) -> Expr:
        if any([is_call(node, name) for name in _POINTED]):
            for arg in node.args:
                self._refuse_swizzled(arg)
        if not is_call(node, "tvm_access_ptr"):
            return self.visit_expr(node)
        kind, pointer, offset, extent, mask = node.args
        start, size = self.visit(offset), self.visit(extent)
        self._refuse_swizzled(pointer)
        if isinstance(pointer, Var):
            place = BufferLoad(self._flat_of(pointer), (start,))
        else:
            done = self.visit(pointer)
            assert isinstance(done, Call)
            load = done.args[0]
            assert isinstance(load, BufferLoad)
            place = BufferLoad(load.buffer, (self.analyzer.simplify(operators.add(load.indices[0], start)),))
        zero = operators.const(0, start.dtype)
        return Call(node.dtype, node.op, (kind, call_intrin("handle", "address_of", place), zero, size, mask))

    def _refuse_swizzled(self, pointer: Expr) -> None:
        """Who gets a pointer would take neighbours in memory for neighbours in the tensor."""
        used = {x.buffer.data if isinstance(x, BufferLoad) else x for x in expr_post_order(pointer)}
        for buffer, layout in self.layouts.items():
            if layout is not None and layout.swizzle is not None and buffer.data in used:
                raise LowerError(
                    f"access_ptr of {buffer.name!r}, whose rows are permuted by storage_swizzle",
                    code="GC363",
                    where=layout.swizzle.span,
                    hint="take storage_swizzle away, or write the intrinsic with loads and stores of elements",
                )

    def _flat_of(self, data: Var) -> Buffer:
        """The flat buffer of a pointer."""
        for buffer in (*self.layouts, *self.arguments):
            if buffer.data is data:
                layout = self.layout(buffer)
                return buffer if layout is None else layout.flat
        raise LowerError(
            f"access_ptr of {data.name!r}, which is no buffer of this function",
            code="GC361",
            hint="use the buffers that the function of the intrinsic gets",
        )

    def visit_prefetch(self, node: Prefetch) -> Stmt:
        """One hint for each line of the cache that the box touches; indices stay within the buffer's shape."""
        buffer = node.buffer
        if buffer.scope() not in ("", "global") or not node.bounds:
            return NOOP
        realised = buffer in self.layouts and buffer not in self.arguments
        step = max(_CACHE_LINE // max(buffer.dtype.bits // 8, 1), 1)
        loops: list[tuple[Var, Expr]] = []
        indices: list[Expr] = []
        for position, box in enumerate(node.bounds):
            stride = step if position == buffer.ndim - 1 else 1
            low, extent = self.expr(box.min), self.expr(box.extent)
            count = self.analyzer.simplify(operators.floordiv(operators.add(extent, stride - 1), stride))
            var = Var(f"fetch{position}", low.dtype)
            loops.append((var, count))
            index = operators.add(low, operators.multiply(var, stride))
            if not realised:
                index = operators.minimum(operators.maximum(index, 0), operators.subtract(buffer.shape[position], 1))
            indices.append(index)
        for var, count in loops:
            self.bind_range(var, operators.const(0, var.dtype), count)
        load = self.expr(BufferLoad(buffer, tuple(indices)))
        hint: Stmt = Evaluate(call_intrin("int32", "prefetch", call_intrin("handle", "address_of", load)), node.span)
        for var, count in reversed(loops):
            hint = For(var, 0, count, ForKind.SERIAL, hint, span=node.span)
        return hint


def _flat(buffer: Buffer, size: Expr) -> Buffer:
    zero = operators.const(0, size.dtype)
    return Buffer(buffer.data, buffer.dtype, (size,), (), zero, buffer.name, buffer.data_alignment, 1)


def _size(buffer: Buffer, strides: tuple[Expr, ...]) -> Expr:
    """Elements from ``data`` to the last one of the buffer; for compact buffers the product of the extents."""
    if buffer.strides:
        size: Expr = operators.const(1, buffer.shape[0].dtype)
        for extent, stride in zip(buffer.shape, strides, strict=True):
            size = operators.add(size, operators.multiply(operators.subtract(extent, 1), stride))
    else:
        size = operators.const(1, buffer.shape[0].dtype if buffer.shape else INT32)
        for extent in buffer.shape:
            size = operators.multiply(size, extent)
    return operators.add(size, buffer.elem_offset)


def _broadcast_stride(stride: Expr, extent: Expr) -> Expr:
    """Dimensions of extent 1 are read with stride 0."""
    return select(operators.compare(EQ, extent, 1), 0, stride)


def _base_and_step(index: Expr) -> tuple[Expr, Expr] | None:
    """First lane and lane step of a vector index; None when the lanes are not evenly spaced."""
    if index.dtype.lanes == 1:
        return index, operators.const(0, index.dtype)
    if isinstance(index, Ramp):
        return index.base, index.stride
    if isinstance(index, Broadcast):
        return index.value, operators.const(0, index.value.dtype)
    return None
