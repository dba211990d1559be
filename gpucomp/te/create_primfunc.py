"""From tensors to a function of blocks: the entrance to schedules of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any  # Any: what the user gives, and memos of several kinds

from gpucomp import arith
from gpucomp.ir.types import PointerType, PrimType
from gpucomp.support.diagnostics import TensorError, caller_span
from gpucomp.support.dtype import INT32, INT64, DType
from gpucomp.te.affine import Forms
from gpucomp.te.graph import post_dfs_order
from gpucomp.te.operation import ComputeOp, Operation, PlaceholderOp
from gpucomp.te.tensor import Tensor
from gpucomp.te.user_input import listed
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer, BufferRegion, decl_buffer
from gpucomp.tir.expr import BufferLoad, Call, Expr, IntImm, IterVar, ProducerLoad, Range, Reduce, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, expr_post_order
from gpucomp.tir.shared_values import let_values
from gpucomp.tir.stmt import Block, BlockRealize, BufferStore, For, ForKind, Stmt, seq

_TRUE = IntImm("bool", 1)


def create_prim_func(ops: Sequence[Tensor | Var], index_dtype_override: str | None = None) -> PrimFunc:
    """A function of blocks that computes a graph, one block for each operation, every tensor in memory.

    Args:
        ops: the parameters in order: inputs, results and scalar variables.  Tensors of the graph that are not listed
            live in buffers of the root block; inputs have to be listed.
        index_dtype_override: type of loop and block variables, ``"int64"`` or ``"int32"``; as the axes have it when
            not given.

    Returns:
        A function named "main" for ``tir.Schedule``, ``gpucomp.lower`` or ``gpucomp.build``.

    >>> print(te.create_prim_func([V, B]))
    @T.prim_func
    def main(V: T.Buffer((8,), "float32"), B: T.Buffer((8,), "float32")):
        T.func_attr({"tir.noalias": true})
        with T.block("root"):
            T.reads()
            T.writes()
            for i in T.serial(8):
                with T.block("B"):
                    v_i = T.axis.spatial(8, i)
                    T.reads(V[v_i])
                    T.writes(B[v_i])
                    B[v_i] = V[v_i] * 2.0

    Raises:
        TensorError: GC216 an argument is no tensor or variable, an input is missing, or an operation has no form as
            a block.
    """
    items: list[Tensor | Var] = listed(ops, (Tensor, Var))
    width = None if index_dtype_override is None else _index_type(index_dtype_override)
    for item in items:
        if not isinstance(item, (Tensor, Var)):  # pyright: ignore[reportUnnecessaryIsInstance]  # the user's
            raise _error(f"create_prim_func takes tensors and variables, got {type(item).__name__}", "pass [A, B, C]")
    return _Converter(items, width).function()


def _index_type(name: str) -> DType:
    kind = DType(name)
    if kind not in (INT32, INT64):
        raise _error(f"indices cannot have type {name}", "index_dtype_override is 'int32' or 'int64'")
    return kind


def _error(message: str, hint: str | None = None) -> TensorError:
    return TensorError(message, code="GC216", where=caller_span(), hint=hint)


class _Converter:
    def __init__(self, items: list[Tensor | Var], width: DType | None) -> None:
        self.items, self.width = items, width
        self.buffers: dict[Tensor, Buffer] = {}
        self.names: dict[str, int] = {}
        self.block_names: dict[str, int] = {"root": 0}
        roots = tuple([t.op for t in items if isinstance(t, Tensor)])
        self.order = post_dfs_order(roots)
        self.listed = dict.fromkeys([t for t in items if isinstance(t, Tensor)])

    def function(self) -> PrimFunc:
        """The whole function."""
        if not self.listed:
            raise _error("create_prim_func needs at least one tensor", "pass [A, B, C]")
        for op in self.order:
            if not isinstance(op, (PlaceholderOp, ComputeOp)):
                raise _error(
                    f"operation {op.name!r} ({type(op).__name__}) has no form as a block", "use te.create_schedule"
                )
        for tensor in self.listed:
            self.buffers[tensor] = self._buffer(tensor)
        kept: list[Buffer] = []
        body: list[Stmt] = []
        for op in self.order:
            if isinstance(op, PlaceholderOp):
                self._check_input(op)
                continue
            for tensor in op.outputs:
                if tensor not in self.buffers:
                    self.buffers[tensor] = self._buffer(tensor)
                    kept.append(self.buffers[tensor])
            body += self.blocks(op)
        root = Block((), (), (), "root", seq(*body), None, tuple(kept))
        params: list[Var] = []
        buffer_map: dict[Var, Buffer] = {}
        for item in self.items:
            if isinstance(item, Var):
                params.append(item)
                continue
            buffer = self.buffers[item]
            handle = Var(f"var_{buffer.name}", PointerType(PrimType(buffer.dtype), "global"))
            params.append(handle)
            buffer_map[handle] = buffer
        attrs = {"global_symbol": "main", "tir.noalias": True}
        return PrimFunc(tuple(params), BlockRealize((), _TRUE, root), buffer_map, attrs)

    def _check_input(self, op: PlaceholderOp) -> None:
        if op.output(0) not in self.listed:
            names = ", ".join([i.name for i in self.items])
            raise _error(f"input {op.name!r} is read but missing from the arguments ({names})", f"add {op.name}")

    def _buffer(self, tensor: Tensor) -> Buffer:
        shape = tuple([self._index(x) for x in tensor.shape])
        return decl_buffer(shape, tensor.dtype, _unique(self.names, tensor.name))

    def _index(self, x: Expr) -> Expr:
        """A constant in the index type; symbolic extents keep theirs."""
        if self.width is not None and isinstance(x, IntImm):
            return IntImm(self.width, x.value)
        return x

    # -- one operation ----------------------------------------------------------------------------------------------

    def blocks(self, op: Operation) -> list[Stmt]:
        """The nests of one operation; outputs that are no reduction get a block each."""
        assert isinstance(op, ComputeOp)  # function() refuses others
        if isinstance(op.body[0], Reduce):
            return [self._nest(op, op.outputs, op.root_iter_vars)]
        return [self._nest(op, (t,), op.axis) for t in op.outputs]

    def _nest(self, op: ComputeOp, outputs: tuple[Tensor, ...], axes: tuple[IterVar, ...]) -> Stmt:
        doms = [self._domain(a) for a in axes]
        inner = [IterVar(d, Var(f"v_{a.name}", d.extent.dtype), a.iter_type) for a, d in zip(axes, doms, strict=True)]
        loops = [Var(a.name, d.extent.dtype) for a, d in zip(axes, doms, strict=True)]
        walker = _ToBuffers(self.buffers, {a.var: b.var for a, b in zip(axes, inner, strict=True)}, self.width)
        indices = tuple([b.var for b in inner[: len(op.axis)]])
        body, init = self._body(op, outputs, indices, walker)
        written = tuple([_point(self.buffers[t], indices) for t in outputs])
        reads = _regions(walker.loads, inner, [self.buffers[t] for t in outputs])
        name = _unique(self.block_names, outputs[0].name if len(outputs) == 1 else op.name)
        attrs = {k: v for k, v in op.attrs.items() if isinstance(v, (str, int, float, bool))}
        block = Block(tuple(inner), reads, written, name, body, init, (), (), attrs or None, op.span)
        nest: Stmt = BlockRealize(tuple(loops), _TRUE, block, op.span)
        for var, dom in reversed(list(zip(loops, doms, strict=True))):
            nest = For(var, dom.min, dom.extent, ForKind.SERIAL, nest, None, None, op.span)
        return nest

    def _domain(self, axis: IterVar) -> Range:
        assert axis.dom is not None  # axes of operations have domains
        low, extent = self._index(axis.dom.min), self._index(axis.dom.extent)
        if self.width is not None:
            low, extent = operators.cast(self.width, low), operators.cast(self.width, extent)
        return Range.from_min_extent(low, extent)

    def _body(
        self, op: ComputeOp, outputs: tuple[Tensor, ...], indices: tuple[Expr, ...], walker: _ToBuffers
    ) -> tuple[Stmt, Stmt | None]:
        buffers = [self.buffers[t] for t in outputs]
        first = op.body[0]
        if not isinstance(first, Reduce):
            value = walker.expr(op.body[outputs[0].value_index])
            return BufferStore(buffers[0], value, indices, None, op.span), None
        starts = first.init or first.combiner.identity_element
        init = seq(*[
            BufferStore(b, walker.expr(x), indices, None, op.span) for b, x in zip(buffers, starts, strict=True)
        ])  # fmt: skip
        old: tuple[Expr, ...] = tuple([BufferLoad(b, indices) for b in buffers])
        source = tuple([walker.expr(x) for x in first.source])
        condition = walker.expr(first.condition)
        values = list(first.combiner(old, source))
        if not (isinstance(condition, IntImm) and condition.value):
            # Outside of the condition nothing is combined, and the source is not read.
            values = [_guarded(condition, v, o) for v, o in zip(values, old, strict=True)]
        return _stores(op, buffers, values, indices), init


def _unique(taken: dict[str, int], wish: str) -> str:
    name = wish.replace(".", "_")
    count = taken.get(name)
    taken[name] = 0 if count is None else count + 1
    return name if count is None else _unique(taken, f"{name}_{count + 1}")


def _guarded(condition: Expr, value: Expr, otherwise: Expr) -> Expr:
    return Call(value.dtype, "tir.if_then_else", (condition, value, otherwise))


def _stores(op: ComputeOp, buffers: list[Buffer], values: list[Expr], indices: tuple[Expr, ...]) -> Stmt:
    """Store values; several are all computed before the first is stored."""
    if len(values) == 1:
        return BufferStore(buffers[0], values[0], indices, None, op.span)
    names = [Var(f"v_{b.name}", v.dtype) for b, v in zip(buffers, values, strict=True)]
    body = seq(*[BufferStore(b, n, indices, None, op.span) for b, n in zip(buffers, names, strict=True)])
    return let_values(op.name, names, values, body, op.span, buffers)


def _point(buffer: Buffer, indices: tuple[Expr, ...]) -> BufferRegion:
    return BufferRegion(buffer, tuple([Range.from_min_extent(i, 1) for i in indices]))


class _ToBuffers(Mutator):
    """Loads of tensors as loads of buffers; axes as block variables."""

    def __init__(self, buffers: dict[Tensor, Buffer], axes: dict[Var, Var], width: DType | None) -> None:
        super().__init__()
        self.buffers, self.axes, self.width = buffers, axes, width
        # A value made of an index keeps its type: data of another width would be other data.
        self.values: dict[Var, Expr] = {a: operators.cast(a.dtype, b) for a, b in axes.items()}
        self.loads: dict[Buffer, dict[tuple[Expr, ...], None]] = {}

    def visit_var(self, node: Var) -> Expr:
        return self.values.get(node, node)

    def visit_producer_load(self, node: ProducerLoad) -> Expr:
        buffer = self.buffers[node.producer]
        indices = tuple([self._position(i) for i in node.indices])
        self.loads.setdefault(buffer, {})[indices] = None
        return BufferLoad(buffer, indices)

    def _position(self, index: Expr) -> Expr:
        index = self.visit(index)
        return index if self.width is None else _Widen(self.width).expr(index)


class _Widen(Mutator):
    """An index in another integer type; what is loaded keeps its own and is cast."""

    def __init__(self, kind: DType) -> None:
        super().__init__()
        self.kind = kind

    def visit(self, node: Expr) -> Expr:
        if not node.dtype.is_int:
            return node if node.dtype.is_float else super().visit(node)
        if isinstance(node, IntImm):
            return IntImm(self.kind, node.value)
        return super().visit(node)

    def visit_var(self, node: Var) -> Expr:
        return operators.cast(self.kind, node)

    def visit_cast(self, node: Any) -> Expr:
        inner = node.value
        if isinstance(inner, Var) and inner.dtype is self.kind:
            return inner
        return operators.cast(self.kind, node)

    def visit_buffer_load(self, node: BufferLoad) -> Expr:
        return operators.cast(self.kind, node)

    def visit_call(self, node: Call) -> Expr:
        if getattr(node.op, "name", "") == "tir.if_then_else":
            c, a, b = [self.visit(x) for x in node.args]
            return Call(a.dtype, "tir.if_then_else", (c, a, b))
        return operators.cast(self.kind, node)


def _regions(
    loads: dict[Buffer, dict[tuple[Expr, ...], None]], axes: list[IterVar], written: list[Buffer]
) -> tuple[BufferRegion, ...]:
    """The box of each buffer that an instance reads, what it updates left out."""
    forms = Forms(arith.Analyzer())
    for axis in axes:
        if axis.dom is not None:
            forms.declare(axis.var, axis.dom.min, axis.dom.extent)
    out: list[BufferRegion] = []
    for buffer, accesses in loads.items():
        if any([buffer is w for w in written]):
            continue
        columns = zip(zip(*accesses, strict=True), buffer.shape, strict=True)
        sides = [_side(forms, list(column), size) for column, size in columns]
        out.append(BufferRegion(buffer, tuple(sides)))
    return tuple(out)


def _side(forms: Forms, indices: list[Expr], size: Expr) -> Range:
    if all([i is indices[0] for i in indices]):
        return _whole(size) if _is_data(indices[0]) else Range.from_min_extent(indices[0], 1)
    union = None if any([_is_data(i) for i in indices]) else forms.union([forms.point(i) for i in indices])
    if union is None:
        return _whole(size)
    return Range.from_min_extent(forms.expr(union.low, size.dtype), forms.expr(union.width.shifted(1), size.dtype))


def _is_data(index: Expr) -> bool:
    """An index that is read from memory has no box but the whole dimension."""
    return any([isinstance(n, BufferLoad) for n in expr_post_order(index)])


def _whole(size: Expr) -> Range:
    return Range.from_min_extent(0, size)
