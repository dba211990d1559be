"""32- or 64-bit indices: which a function needs, and the rewriting to 64 bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gpucomp.support.dtype import BOOL, INT32, INT64
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import (
    LT,
    And,
    BufferLoad,
    Call,
    Cast,
    CmpOp,
    Expr,
    IntImm,
    IterVar,
    Range,
    Select,
    Var,
)
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, expr_post_order, free_vars, rebuild_binary, stmt_post_order
from gpucomp.tir.intrin import BITWISE, Op
from gpucomp.tir.stmt import (
    Allocate,
    AllReduce,
    AttrStmt,
    BufferRealize,
    BufferStore,
    For,
    LetStmt,
    Prefetch,
    Stmt,
)

# Extents below this are indexed with 32 bits; the margin is for loops that run past the end, to a whole tile.
LIMIT: Final = 2**31 - 2**20
_INDEX_CALLS: Final = frozenset(f"tir.{n}" for n in BITWISE)


def flat_extents(func: PrimFunc) -> tuple[Expr, ...]:
    """Numbers of elements, as int64, that the function indexes: of argument buffers, then of allocations.

    Allocations whose size depends on variables of the body are left out; their tensors are tiles of what is listed.
    """
    out: dict[Expr, None] = {}
    bound: dict[Var, None] = dict.fromkeys(func.params)
    for buffer in func.buffer_map.values():
        out[_elements(buffer)] = None
        for item in (*buffer.shape, *buffer.strides, buffer.elem_offset):
            bound.update(dict.fromkeys([v for v in expr_post_order(item) if isinstance(v, Var)]))
    for node in stmt_post_order(func.body):
        if isinstance(node, BufferRealize):
            size = _product([r.extent for r in node.bounds])
        elif isinstance(node, Allocate):
            size = _product(list(node.extents))
        else:
            continue
        if all([v in bound for v in free_vars(size)]):
            out[size] = None
    return tuple(out)


def needs_int64(func: PrimFunc) -> bool | Expr:
    """Whether indices may exceed 32 bits: True, False, or the condition over the shape under which they do not."""
    guard: Expr = IntImm(BOOL, 1)
    for extent in flat_extents(func):
        fits = operators.compare(LT, extent, operators.const(LIMIT, INT64))
        guard = operators.logical(And, guard, fits)
    if isinstance(guard, IntImm):
        return not guard.value
    return guard


def widen_indices(func: PrimFunc) -> PrimFunc:
    """Index with int64: loop, thread and shape variables, and all arithmetic on them.

    Integer data keeps its type: what is loaded, scalar arguments that are no extents, and values made from
    indices, which are cast back. Run it before ``flatten_storage``, which multiplies extents.
    """
    return _Widen(func).run()


def _product(extents: list[Expr]) -> Expr:
    size: Expr = operators.const(1, INT64)
    for extent in extents:
        size = operators.multiply(size, operators.cast(INT64, extent))
    return size


def _elements(buffer: Buffer) -> Expr:
    offset = operators.cast(INT64, buffer.elem_offset)
    if not buffer.strides:
        return operators.add(_product(list(buffer.shape)), offset)
    last: Expr = offset
    for extent, stride in zip(buffer.shape, buffer.strides, strict=True):
        steps = operators.subtract(operators.cast(INT64, extent), 1)
        last = operators.add(last, operators.multiply(steps, operators.cast(INT64, stride)))
    return operators.add(last, 1)


class _Index(Mutator):
    """Rewrites an expression in index position to int64."""

    def __init__(self, wide: dict[Var, Var], data: Callable[[Expr], Expr]) -> None:
        super().__init__()
        self.wide, self.data = wide, data

    def visit_var(self, node: Var) -> Expr:
        found = self.wide.get(node)
        if found is not None:
            return found
        return operators.cast(INT64, node) if node.dtype is INT32 else node

    def visit_int_imm(self, node: IntImm) -> Expr:
        return IntImm(INT64, node.value) if node.dtype is INT32 else node

    def visit_cast(self, node: Cast) -> Expr:
        if node.value.dtype.element in (INT32, INT64):
            return operators.cast(INT64.with_lanes(node.dtype.lanes), self.visit(node.value))
        return self._opaque(node)

    def visit_cmp_op(self, node: CmpOp) -> Expr:
        return self.data(node)

    def visit_select(self, node: Select) -> Expr:
        return Select(self.data(node.condition), self.visit(node.true_value), self.visit(node.false_value))

    def visit_buffer_load(self, node: BufferLoad) -> Expr:
        return self._opaque(node)

    def visit_call(self, node: Call) -> Expr:
        if not isinstance(node.op, Op) or node.dtype.element is not INT32:
            return self._opaque(node)
        if node.op.name == "tir.if_then_else":
            args = (self.data(node.args[0]), self.visit(node.args[1]), self.visit(node.args[2]))
        elif node.op.name in _INDEX_CALLS:
            args = tuple([self.visit(a) for a in node.args])
        else:
            return self._opaque(node)
        return Call(INT64.with_lanes(node.dtype.lanes), node.op, args)

    def _opaque(self, node: Expr) -> Expr:
        value = self.data(node)
        return operators.cast(INT64.with_lanes(value.dtype.lanes), value) if value.dtype.is_integral else value


class _Widen(Mutator):
    """Rewrites values, which keep their types, and statements."""

    def __init__(self, func: PrimFunc) -> None:
        super().__init__()
        self.func = func
        self.wide: dict[Var, Var] = {}
        self.buffers: dict[Buffer, Buffer] = {}
        self.indices = _Index(self.wide, self.expr)
        for buffer in func.buffer_map.values():
            for item in (*buffer.shape, *buffer.strides, buffer.elem_offset):
                for var in expr_post_order(item):
                    if isinstance(var, Var):
                        self.widen(var)

    def run(self) -> PrimFunc:
        """The function with 64-bit indices."""
        body = self.stmt(self.func.body)
        params = tuple([self.wide.get(p, p) for p in self.func.params])
        buffer_map = {p: self.buffer(b) for p, b in self.func.buffer_map.items()}
        same = all([buffer_map[p] is b for p, b in self.func.buffer_map.items()])
        if body is self.func.body and same:
            return self.func
        return self.func.replace(params=params, buffer_map=buffer_map, body=body)

    def widen(self, var: Var) -> Var:
        """The 64-bit variable that stands for an index variable."""
        if var.dtype is not INT32:
            return var
        found = self.wide.get(var)
        if found is None:
            found = self.wide[var] = type(var)(var.name, INT64)
        return found

    def buffer(self, buffer: Buffer) -> Buffer:
        """The buffer with 64-bit extents."""
        found = self.buffers.get(buffer)
        if found is None:
            shape, strides = self.index_tuple(buffer.shape), self.index_tuple(buffer.strides)
            offset = self.indices.expr(buffer.elem_offset)
            same = shape is buffer.shape and strides is buffer.strides and offset is buffer.elem_offset
            found = buffer if same else buffer.replace(shape=shape, strides=strides, elem_offset=offset)
            self.buffers[buffer] = found
        return found

    def index_tuple(self, nodes: tuple[Expr, ...]) -> tuple[Expr, ...]:
        return self.indices.exprs(nodes)

    def range(self, node: Range) -> Range:
        low, size = self.indices.expr(node.min), self.indices.expr(node.extent)
        return node if low is node.min and size is node.extent else Range.from_min_extent(low, size)

    def iter_var(self, node: IterVar) -> IterVar:
        var = self.widen(node.var)
        dom = None if node.dom is None else self.range(node.dom)
        return node if var is node.var and dom is node.dom else IterVar(dom, var, node.iter_type, node.thread_tag)

    # -- values ---------------------------------------------------------------------------------------------------

    def visit_var(self, node: Var) -> Expr:
        found = self.wide.get(node)
        return node if found is None else operators.cast(INT32, found)

    def visit_cmp_op(self, node: CmpOp) -> Expr:
        if node.a.dtype.element is INT32 and not _is_data(node.a) and not _is_data(node.b):
            a, b = self.indices.visit(node.a), self.indices.visit(node.b)
            return rebuild_binary(type(node), a, b)
        return super().visit_binary_op(node)

    def visit_buffer_load(self, node: BufferLoad) -> Expr:
        indices, buffer = self.index_tuple(node.indices), self.buffer(node.buffer)
        predicate = None if node.predicate is None else self.visit(node.predicate)
        if indices is node.indices and buffer is node.buffer and predicate is node.predicate:
            return node
        return BufferLoad(buffer, indices, predicate)

    # -- statements -----------------------------------------------------------------------------------------------

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        indices, value, buffer = self.index_tuple(node.indices), self.expr(node.value), self.buffer(node.buffer)
        predicate = None if node.predicate is None else self.expr(node.predicate)
        same = indices is node.indices and value is node.value and buffer is node.buffer
        if same and predicate is node.predicate:
            return node
        return BufferStore(buffer, value, indices, predicate, node.span)

    def visit_for(self, node: For) -> Stmt:
        var = self.widen(node.loop_var)
        low, extent = self.indices.expr(node.min), self.indices.expr(node.extent)
        binding = None if node.thread_binding is None else self.iter_var(node.thread_binding)
        body = self.stmt(node.body)
        if var is node.loop_var and low is node.min and extent is node.extent and body is node.body:
            return node
        return node.replace(loop_var=var, min=low, extent=extent, thread_binding=binding, body=body)

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        subject, value = node.node, node.value
        if isinstance(subject, IterVar):
            subject = self.iter_var(subject)
            value = self.indices.expr(value) if node.attr_key in ("thread_extent", "virtual_thread") else value
        elif isinstance(subject, Buffer):
            subject = self.buffer(subject)
        elif isinstance(subject, tuple):
            subject = tuple([self.buffer(x) if isinstance(x, Buffer) else x for x in subject])
        body = self.stmt(node.body)
        return AttrStmt(subject, node.attr_key, value, body, node.span)

    def visit_let_stmt(self, node: LetStmt) -> Stmt:
        if node.var.dtype is INT32 and not _is_data(node.value):
            value = self.indices.expr(node.value)
            return LetStmt(self.widen(node.var), value, self.stmt(node.body), node.span)
        return super().visit_let_stmt(node)

    def visit_allocate(self, node: Allocate) -> Stmt:
        extents, condition = self.index_tuple(node.extents), self.expr(node.condition)
        body = self.stmt(node.body)
        if extents is node.extents and condition is node.condition and body is node.body:
            return node
        return node.replace(extents=extents, condition=condition, body=body)

    def visit_buffer_realize(self, node: BufferRealize) -> Stmt:
        bounds, condition, buffer = self.ranges(node.bounds), self.expr(node.condition), self.buffer(node.buffer)
        body = self.stmt(node.body)
        if bounds is node.bounds and condition is node.condition and buffer is node.buffer and body is node.body:
            return node
        return BufferRealize(buffer, bounds, condition, body, node.span)

    def visit_prefetch(self, node: Prefetch) -> Stmt:
        return Prefetch(self.buffer(node.buffer), self.ranges(node.bounds), node.span)

    def visit_all_reduce(self, node: AllReduce) -> Stmt:
        done = super().visit_all_reduce(node)
        results = tuple([self.buffer(b) for b in node.results])
        return done.replace(results=results, threads=tuple([self.wide.get(t, t) for t in node.threads]))


def _is_data(node: Expr) -> bool:
    """True when the expression reads memory or calls something: its integers are the user's."""
    for item in expr_post_order(node):
        if isinstance(item, BufferLoad):
            return True
        if isinstance(item, Call) and not (isinstance(item.op, Op) and item.op.name in _INDEX_CALLS):
            return True
    return False
