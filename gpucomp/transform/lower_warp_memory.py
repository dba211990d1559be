"""Memory of a warp, which no hardware has: by exchanges between its threads, or in shared memory.

Memory in scope "warp" belongs to the threads that differ in threadIdx.x only.  Where the target has shuffles and each
thread writes elements of its own (those at its number modulo the number of threads), it keeps them in registers, and
whoever reads an element asks its owner.  Everywhere else each row of threads gets a part of shared memory, and the
barriers that thread_sync puts around shared memory do the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gpucomp.arith import Analyzer
from gpucomp.ir.types import PointerType, PrimType
from gpucomp.target import Target
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import BufferLoad, Call, Expr, IntImm, IterVar, Let, Ramp, Range, Select, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, expr_children, free_vars, stmt_children
from gpucomp.tir.intrin import call_intrin
from gpucomp.tir.stmt import Allocate, AttrStmt, BufferStore, For, IfThenElse, LetStmt, Stmt, While
from gpucomp.transform.walk import int_value, is_call

_FULL_MASK = 0xFFFFFFFF


def lower_warp_memory(func: PrimFunc) -> PrimFunc:
    """Give every allocation in scope "warp" a home that the target has.  To run before thread_sync."""
    target = func.attrs.get("target")
    warp = target.thread_warp_size if isinstance(target, Target) and "shuffle" in target.features else 0
    return func.with_body(_Lower(warp).stmt(func.body))


@dataclass(slots=True)
class _Home:
    """Where one allocation goes: shared memory at ``offset``, or registers of ``width`` threads."""

    var: Var
    offset: Expr | None
    width: int = 0
    buffers: dict[Buffer, Buffer] = field(default_factory=dict)


class _Lower(Mutator):
    def __init__(self, warp: int) -> None:
        super().__init__()
        self.warp = warp
        self.analyzer = Analyzer()
        self.threads: dict[str, IterVar] = {}
        self.extents: dict[str, Expr] = {}
        self.homes: dict[Var, _Home] = {}

    def visit_for(self, node: For) -> Stmt:
        self.analyzer.bind(node.loop_var, _range(node.min, node.extent), True)
        return super().visit_stmt(node)

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        if node.attr_key == "thread_extent" and isinstance(node.node, IterVar):
            self.threads[node.node.thread_tag] = node.node
            self.extents[node.node.thread_tag] = node.value
            self.analyzer.bind(node.node.var, _range(operators.const(0, node.value.dtype), node.value), True)
        return super().visit_stmt(node)

    def visit_allocate(self, node: Allocate) -> Stmt:
        if node.buffer_var.storage_scope != "warp":
            return super().visit_stmt(node)
        width = self._exchange_width(node)
        size = node.extents[0]
        if width:
            home = _Home(_pointer(node, "local"), None, width)
            size = _part(size, width)
        elif not any([tag.startswith("threadIdx") for tag in self.threads]):
            home = _Home(_pointer(node, "local"), operators.const(0, size.dtype))
        else:
            row, rows = self._rows()
            home = _Home(_pointer(node, "shared"), operators.multiply(row, size))
            size = self.analyzer.simplify(operators.multiply(rows, size))
        self.homes[node.buffer_var] = home
        return node.replace(buffer_var=home.var, extents=(size,), body=self.stmt(node.body))

    def _rows(self) -> tuple[Expr, Expr]:
        """Number of this thread's row among the rows of the block, and how many there are."""
        row, rows = operators.const(0), operators.const(1)
        for tag in ("threadIdx.y", "threadIdx.z"):
            if tag in self.threads:
                row = operators.add(row, operators.multiply(self.threads[tag].var, rows))
                rows = operators.multiply(rows, self.extents[tag])
        return row, rows

    def _exchange_width(self, node: Allocate) -> int:
        """How many threads share the memory, if exchanges can serve every access; else 0."""
        extents = [int_value(self.extents.get(f"threadIdx.{d}", operators.const(1))) for d in "xyz"]
        x, size = extents[0], int_value(node.extents[0])
        if not self.warp or size is None or x is None or "threadIdx.x" not in self.threads:
            return 0
        total = 1
        for extent in extents:
            total *= extent or 0
        # Groups of lanes start at multiples of their width, and no lane that is asked may be missing.
        if x < 2 or self.warp % x or size % x or total == 0 or total % self.warp:
            return 0
        uses = _Uses(node.buffer_var, self.threads["threadIdx.x"].var, x, self.analyzer)
        uses.stmt(node.body)
        return x if uses.fits else 0

    # -- accesses ---------------------------------------------------------------------------------------------

    def _buffer(self, home: _Home, buffer: Buffer) -> Buffer:
        found = home.buffers.get(buffer)
        if found is None:
            found = home.buffers[buffer] = buffer.replace(data=home.var)
        return found

    def visit_var(self, node: Var) -> Expr:
        home = self.homes.get(node)
        return node if home is None else home.var

    def visit_buffer_load(self, node: BufferLoad) -> Expr:
        home = self.homes.get(node.buffer.data)
        if home is None:
            return super().visit_expr(node)
        index, buffer = self.visit(node.indices[0]), self._buffer(home, node.buffer)
        if home.offset is not None:
            return BufferLoad(buffer, (_moved(index, home.offset),), node.predicate)
        own = BufferLoad(buffer, (self.analyzer.simplify(operators.floordiv(index, home.width)),))
        lane = self.analyzer.simplify(operators.floormod(index, home.width))
        mask, width = operators.const(_FULL_MASK, "uint32"), operators.const(home.width)
        return call_intrin(node.dtype, "shuffle", mask, own, operators.cast("int32", lane), width)

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        home = self.homes.get(node.buffer.data)
        if home is None:
            return super().visit_stmt(node)
        index, value, buffer = self.expr(node.indices[0]), self.expr(node.value), self._buffer(home, node.buffer)
        if home.offset is not None:
            return BufferStore(buffer, value, (_moved(index, home.offset),), node.predicate, node.span)
        place = self.analyzer.simplify(operators.floordiv(index, home.width))
        return BufferStore(buffer, value, (place,), node.predicate, node.span)


class _Uses:
    """Whether every access to one allocation can be served by exchanges."""

    def __init__(self, memory: Var, thread: Var, width: int, analyzer: Analyzer) -> None:
        self.memory, self.thread, self.width, self.analyzer = memory, thread, width, analyzer
        self.fits = True
        self.varying: set[Var] = {thread}  # what may differ between the threads of a warp

    def _varies(self, x: Expr) -> bool:
        return any([v in self.varying for v in free_vars(x)]) or _has_load(x)

    def stmt(self, node: Stmt, together: bool = True) -> None:
        """Look at a statement; ``together``: all threads of a warp reach it at once."""
        if isinstance(node, BufferStore) and node.buffer.data is self.memory:
            self._store(node)
            self.expr(node.value, together)
            return
        if isinstance(node, For):
            self.analyzer.bind(node.loop_var, _range(node.min, node.extent), True)
            inside = together and not self._varies(node.min) and not self._varies(node.extent)
        elif isinstance(node, IfThenElse):
            inside = together and not self._varies(node.condition)
        else:
            inside = together and not isinstance(node, While)
        if isinstance(node, LetStmt) and self._varies(node.value):
            self.varying.add(node.var)
        if isinstance(node, Allocate) and node.buffer_var is self.memory:
            self.fits = False
        for child in stmt_children(node):
            if isinstance(child, Stmt):
                self.stmt(child, inside)
            else:
                self.expr(child, together and not isinstance(node, While))

    def _store(self, node: BufferStore) -> None:
        index = node.indices[0]
        if index.dtype.lanes > 1 or node.predicate is not None:
            self.fits = False
            return
        rest = self.analyzer.simplify(operators.subtract(index, self.thread))
        own = self.analyzer.modular_set(rest)
        if own.coeff % self.width or own.base % self.width or self._varies(rest):
            self.fits = False

    def expr(self, node: Expr, together: bool) -> None:
        """Look at an expression; what is evaluated only sometimes is not evaluated together."""
        if node is self.memory:
            self.fits = False
            return
        if isinstance(node, BufferLoad) and node.buffer.data is self.memory:
            index = node.indices[0]
            if index.dtype.lanes > 1 or node.predicate is not None or not together:
                self.fits = False
                return
            if self._varies(self.analyzer.simplify(operators.floordiv(index, self.width))):
                self.fits = False
        lazy = isinstance(node, (Select, Let)) or (isinstance(node, Call) and is_call(node, "if_then_else"))
        for child in expr_children(node):
            self.expr(child, together and not lazy)


def _has_load(x: Expr) -> bool:
    return isinstance(x, (BufferLoad, Call)) or any([_has_load(c) for c in expr_children(x)])


def _moved(index: Expr, offset: Expr) -> Expr:
    """An index further by an offset; that of a vector stays a ramp, which thread_sync and emitters know."""
    if isinstance(index, Ramp):
        return Ramp(operators.add(offset, index.base), index.stride, index.lanes)
    return operators.add(offset, index)


def _part(size: Expr, width: int) -> Expr:
    assert isinstance(size, IntImm)
    return operators.const(size.value // width, size.dtype)


def _pointer(node: Allocate, scope: str) -> Var:
    return Var(node.buffer_var.name, PointerType(PrimType(node.dtype), scope))


def _range(low: Expr, extent: Expr) -> Range:
    return Range.from_min_extent(low, extent)
