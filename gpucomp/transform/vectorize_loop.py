"""VECTORIZED loops become vector expressions; where that is not possible, loops over the lanes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeGuard

from gpucomp.support.diagnostics import LowerError
from gpucomp.tir import operators
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import LT, BufferLoad, Call, Cast, Expr, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, expr_post_order, free_vars, post_order, stmt_post_order, substitute
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import (
    NOOP,
    Allocate,
    AllReduce,
    AttrStmt,
    BufferStore,
    Evaluate,
    For,
    ForKind,
    IfThenElse,
    LetStmt,
    SeqStmt,
    Stmt,
    While,
    seq,
)
from gpucomp.transform.lanes import Lanes, NotVectorizable
from gpucomp.transform.walk import TRUE, conjunction, conjuncts, has_load, int_value, is_call

# Loops over lanes up to this long are unrolled.
_SHORT: Final = 16


def vectorize_loop(func: PrimFunc) -> PrimFunc:
    """Replace VECTORIZED loops of constant extent by vector operations.

    Afterwards every vector access is ``Ramp(base, 1, lanes)``; loads on processors may have small strides too.
    Other strided and indirect loads are gathered one by one, and statements without a vector form (strided stores,
    branches on the lane, calls with effects) run in a loop over the lanes. A branch ``if (bound check on the
    lane)`` becomes a vector statement where all lanes pass and a loop otherwise; on processors with masked accesses
    (feature "vector_predication") a vector statement with a predicate. A loop longer than the widest vector of the
    target is cut into pieces; with masks an odd length fills its last vector in part. The iterations of a
    vectorised loop are independent, as the user promises; a body that carries a value from one lane to the next
    stays a loop.

    Raises:
        LowerError: the extent of a vectorised loop is no constant.
    """
    return func.with_body(_Vectorize(func).stmt(func.body))


def serialize_vectorized(func: PrimFunc) -> PrimFunc:
    """Turn VECTORIZED loops into serial ones: the same function without vectors."""
    return func.with_body(_Serialize().stmt(func.body))


class _Serialize(Mutator):
    def expr(self, node: Expr) -> Expr:
        return node

    def visit_for(self, node: For) -> Stmt:
        body = self.stmt(node.body)
        if node.kind is ForKind.VECTORIZED:
            return node.replace(kind=ForKind.SERIAL, body=body)
        return node if body is node.body else node.replace(body=body)


class _Vectorize(Mutator):
    """Finds the vectorised loops, innermost first."""

    def __init__(self, func: PrimFunc) -> None:
        super().__init__()
        target: Any = func.attrs.get("target")  # Any: attributes are untyped
        limits = {} if target is None else target.limits
        self.vector_bytes: int = limits.get("max_vector_bytes", 0)
        self.predicated = target is not None and not target.is_gpu and "vector_predication" in target.features
        self.granules = target is not None and "readable_granules" in target.features
        # Vectors that exist for accesses to memory only are as wide as those are: registers hold lanes one by one.
        self.in_memory_only = target is not None and "memory_vectors" in target.features
        self.vector_lanes: int = limits.get("max_vector_lanes", 16 if target is not None and target.is_gpu else 0)

    def expr(self, node: Expr) -> Expr:
        return node

    def visit_for(self, node: For) -> Stmt:
        body = self.stmt(node.body)
        if node.kind is not ForKind.VECTORIZED:
            return node if body is node.body else node.replace(body=body)
        extent = int_value(node.extent)
        if extent is None:
            raise LowerError(
                f"loop {node.loop_var.name!r} is vectorised, but its extent {node.extent} is no constant",
                code="GC364",
                where=node.span,
                hint="split it by a constant factor and vectorise the inner axis",
            )
        if extent <= 1:
            return NOOP if extent < 1 else substitute(body, {node.loop_var: node.min})
        node = node.replace(body=body)
        if _carries(node):
            return _loop(node.loop_var, node.min, extent, body, node)
        return self._cut(node, extent)

    def _cut(self, node: For, extent: int) -> Stmt:
        """A loop over vectors as wide as the target has them."""
        lanes = self._width(node, extent)
        padded = self._padded(node, extent, lanes) if self.predicated else None
        if padded is not None:
            return padded
        if lanes == extent:
            return self._vectors(node, node.min, lanes)
        if lanes == 1:
            return _loop(node.loop_var, node.min, extent, node.body, node)
        piece = Var(f"{node.loop_var.name}_v", node.loop_var.dtype)
        base = operators.add(node.min, operators.multiply(piece, lanes))
        return _loop(piece, operators.const(0, piece.dtype), extent // lanes, self._vectors(node, base, lanes), node)

    def _padded(self, node: For, extent: int, lanes: int) -> Stmt | None:
        """The loop in wider vectors, of which the last is masked, if those that fit are less than half as wide."""
        wide = 1 << (extent - 1).bit_length()
        if self.vector_bytes:
            wide = min(wide, self.vector_bytes // self._widest(node))
        if wide <= 2 * lanes or wide & (wide - 1):
            return None
        count = operators.const(extent, node.loop_var.dtype)
        inside = operators.compare(LT, operators.subtract(node.loop_var, node.min), count)
        whole = -(-extent // wide) * wide
        return self._cut(
            node.replace(extent=operators.const(whole, count.dtype), body=IfThenElse(inside, node.body)), whole
        )

    def _width(self, loop: For, extent: int) -> int:
        """Most lanes that divide the extent and that the target has for the widest element in the body."""
        limit = self.vector_lanes or extent
        if self.vector_bytes:
            limit = min(limit, self.vector_bytes // self._widest(loop))
        if limit >= extent and (self.vector_bytes == 0 or extent & (extent - 1) == 0):
            return extent
        lanes = 1
        while lanes * 2 <= limit and extent % (lanes * 2) == 0:
            lanes *= 2
        return lanes

    def _widest(self, loop: For) -> int:
        return (_widest_access(loop) if self.in_memory_only else 0) or _widest(loop.body)

    def _vectors(self, node: For, base: Expr, lanes: int) -> Stmt:
        try:
            return _Body(node, base, lanes, self.predicated, self.granules).stmt(node.body)
        except NotVectorizable:
            return _loop(node.loop_var, base, lanes, node.body, node)


def _is_converted_choice(value: Expr) -> TypeGuard[Call]:
    """True for a choice, alike in all lanes, between a vector load that is converted and something else."""
    return (
        isinstance(value, Call)
        and is_call(value, "if_then_else")
        and value.args[0].dtype.lanes == 1
        and isinstance(value.args[1], Cast)
    )


def _widest(body: Stmt) -> int:
    """Bytes of the widest element that the body computes with, indices left out."""
    widest = 1
    for item in stmt_post_order(body):
        if isinstance(item, BufferStore):
            widest = max(widest, item.buffer.dtype.nbytes, _widest_value(item.value))
    return widest


def _widest_access(loop: For) -> int:
    """Bytes of the widest element that differs by lane and is loaded from or stored to memory, registers left out."""
    widest = 0
    varying: dict[Var, None] = {loop.loop_var: None}
    for item in post_order(loop.body):
        if isinstance(item, LetStmt):
            varying[item.var] = None
    for item in post_order(loop.body):
        if not isinstance(item, (BufferStore, BufferLoad)) or item.buffer.scope() == "local":
            continue
        if any([not free_vars(index).isdisjoint(varying) for index in item.indices]):
            widest = max(widest, item.buffer.dtype.element.nbytes)
    return widest


def _widest_value(value: Expr) -> int:
    widest, stack, seen = 1, [value], {value: None}
    while stack:
        item = stack.pop()
        widest = max(widest, item.dtype.element.nbytes)
        if isinstance(item, BufferLoad):
            continue
        for child in _operands(item):
            if child not in seen and not child.dtype.is_handle:
                seen[child] = None
                stack.append(child)
    return widest


def _operands(node: Expr) -> Iterator[Expr]:
    for field, kind in node._kinds.items():
        value = getattr(node, field)
        if kind == "exprs":
            yield from value
        elif isinstance(value, Expr):
            yield value


def _loop(var: Var, low: Expr, extent: int, body: Stmt, origin: For) -> For:
    kind = ForKind.UNROLLED if extent <= _SHORT else ForKind.SERIAL
    return For(var, low, operators.const(extent, var.dtype), kind, body, None, None, origin.span)


def _carries(loop: For) -> bool:
    """True when an iteration may see what another one did: one element written by all, or effects out of sight."""
    varying: dict[Var, None] = {loop.loop_var: None}
    inner: dict[Var, None] = {}
    stack: list[Stmt] = [loop.body]
    stores: list[BufferStore] = []
    while stack:
        item = stack.pop()
        if isinstance(item, AllReduce):
            return True
        if isinstance(item, LetStmt) and not free_vars(item.value).isdisjoint(varying):
            varying[item.var] = None
        elif isinstance(item, Allocate):
            inner[item.buffer_var] = None
        elif isinstance(item, BufferStore):
            stores.append(item)
        for field in item._fields:
            value = getattr(item, field)
            if isinstance(value, Stmt):
                stack.append(value)
            elif isinstance(value, Expr) and _has_effect(value):
                return True
        if isinstance(item, SeqStmt):
            stack += reversed(item.seq)
    for store in stores:
        if store.buffer.data not in inner and all([free_vars(i).isdisjoint(varying) for i in store.indices]):
            return True
    return False


def _has_effect(value: Expr) -> bool:
    for item in expr_post_order(value):
        if isinstance(item, Call) and not (isinstance(item.op, Op) and item.op.is_pure):
            return True
    return False


class _Body(Mutator):
    """The body of one vectorised loop, for all lanes at once."""

    def __init__(self, loop: For, base: Expr, lanes: int, predicated: bool, granules: bool) -> None:
        super().__init__()
        self.loop, self.lanes = loop, Lanes(loop.loop_var, base, lanes, predicated, granules)
        self.scalarised = 0

    def uniform(self, node: Expr) -> Expr:
        """An expression that must be the same in all lanes."""
        done = self.lanes.expr(node)
        if done.dtype.lanes != 1:
            raise NotVectorizable
        return done

    def stmt(self, node: Stmt) -> Stmt:
        if isinstance(node, (SeqStmt, Allocate, LetStmt)):
            return super().stmt(node)
        try:
            return super().stmt(node)
        except NotVectorizable:
            return self.one_by_one(node)

    def one_by_one(self, node: Stmt) -> Stmt:
        """The statement in a loop over the lanes: lanes are independent, so they may run at another time."""
        if self.lanes.lets or self.lanes.expanded or self.lanes.mask is not None:
            raise NotVectorizable  # its operands exist as vectors only, or its condition does
        self.scalarised += 1
        return _loop(self.loop.loop_var, self.lanes.base, self.lanes.lanes, node, self.loop)

    def visit_stmt(self, node: Stmt) -> Stmt:
        raise NotVectorizable

    def visit_seq_stmt(self, node: SeqStmt) -> Stmt:
        return seq(*[self.stmt(s) for s in node.seq])

    def visit_evaluate(self, node: Evaluate) -> Stmt:
        return NOOP  # without effect: see _carries

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        if node.predicate is not None or node.buffer.dtype.lanes > 1:
            raise NotVectorizable
        place = self.lanes.place(node.buffer, [self.lanes.expr(i) for i in node.indices])
        if place is None or place[1][-1].dtype.lanes == 1:
            raise NotVectorizable
        value = self.lanes.lift(self.lanes.expr(node.value))
        if self.lanes.mask is None and _is_converted_choice(value):
            # A branch around stores: the vector is loaded once, and its lanes are taken apart inside.
            yes, no = value.args[1:]
            return IfThenElse(
                value.args[0],
                BufferStore(place[0], yes, place[1], None, node.span),
                BufferStore(place[0], no, place[1], None, node.span),
                node.span,
            )
        return BufferStore(place[0], value, place[1], self.lanes.mask, node.span)

    def visit_for(self, node: For) -> Stmt:
        low, extent = self.uniform(node.min), self.uniform(node.extent)
        return node.replace(min=low, extent=extent, body=self.stmt(node.body))

    def visit_while(self, node: While) -> Stmt:
        return While(self.uniform(node.condition), self.stmt(node.body), node.span)

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        return node.replace(value=self.uniform(node.value), body=self.stmt(node.body))

    def visit_let_stmt(self, node: LetStmt) -> Stmt:
        value = self.lanes.expr(node.value)
        if value.dtype.lanes == 1:
            return LetStmt(node.var, value, self.stmt(node.body), node.span)
        vector = Var(node.var.name, value.dtype)
        self.lanes.lets[node.var] = vector
        try:
            body = self.stmt(node.body)
        finally:
            del self.lanes.lets[node.var]
        return LetStmt(vector, value, body, node.span)

    def visit_allocate(self, node: Allocate) -> Stmt:
        """Each lane has its own copy; the lanes of one element lie side by side."""
        extents = [self.uniform(e) for e in node.extents]
        if len(extents) != 1 or node.dtype.lanes > 1:
            raise NotVectorizable
        extents[0] = operators.multiply(extents[0], self.lanes.lanes)
        self.lanes.expanded[node.buffer_var] = decl_buffer(
            (extents[0],), node.dtype, node.buffer_var.name, data=node.buffer_var
        )
        try:
            body = self.stmt(node.body)
        finally:
            del self.lanes.expanded[node.buffer_var]
        return node.replace(extents=tuple(extents), condition=self.uniform(node.condition), body=body)

    def visit_if_then_else(self, node: IfThenElse) -> Stmt:
        condition = self.lanes.expr(node.condition)
        if condition.dtype.lanes == 1:
            else_case = None if node.else_case is None else self.stmt(node.else_case)
            return IfThenElse(condition, self.stmt(node.then_case), else_case, node.span)
        if node.else_case is not None:
            raise NotVectorizable
        every = self.lanes.in_every_lane(node.condition)
        masked = self.masked(node) if self.lanes.predicated else None
        if masked is not None and (every is None or self.lanes.mask is not None or _stays_local(node.then_case)):
            return masked
        if every is None:
            raise NotVectorizable
        before = self.scalarised
        then_case = self.stmt(node.then_case)
        if self.scalarised > before:  # nothing is gained by a fast path that has no vectors
            raise NotVectorizable
        return IfThenElse(every, then_case, masked or self.one_by_one(node), node.span)

    def masked(self, node: IfThenElse) -> Stmt | None:
        """The branch with a mask on its accesses; None where that does not do."""
        checks = conjuncts(node.condition)
        differing = [c for c in checks if self.lanes.depends(c)]
        common = [c for c in checks if not self.lanes.depends(c)]
        if any([has_load(c) for c in common]):  # not to be moved to the front
            return None
        before = self.scalarised
        uniform = False
        for item in post_order(node.then_case):
            if isinstance(item, While) or (isinstance(item, Expr) and not self.lanes.is_maskable(item)):
                return None
            uniform = uniform or (isinstance(item, BufferLoad) and not self.lanes.depends(item))
        some = self.lanes.in_some_lane(differing) if uniform else TRUE
        if some is None:
            return None
        try:
            with self.lanes.under(self.lanes.expr(conjunction(differing))):
                body = self.stmt(node.then_case)
        except NotVectorizable:
            self.scalarised = before
            return None
        guard = conjunction([*common, some])
        return body if guard is TRUE else IfThenElse(guard, body, None, node.span)


def _stays_local(body: Stmt) -> bool:
    """True when all stores go to memory of a thread: it may be in registers, out of which a branch would keep it."""
    return all([s.buffer.scope() == "local" for s in stmt_post_order(body) if isinstance(s, BufferStore)])
