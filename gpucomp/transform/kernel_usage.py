"""What a kernel uses: variables, memory, thread axes; how its vector accesses are aligned."""

from __future__ import annotations

from typing import Final

from gpucomp.arith.analyzer import Analyzer
from gpucomp.support.diagnostics import LowerError, Span
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, IterVar, Var
from gpucomp.tir.functor import Functor, expr_children, stmt_children
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import Stmt
from gpucomp.transform.askew import askew
from gpucomp.transform.host_expr import Access
from gpucomp.transform.vector_access import ALIGNED_BYTES, first_element, is_aligned, vector_bytes

LEAST_ASKEW: Final = 2  # arrays: one alone gains nothing, and takes registers
MIN_BLOCKS: Final = "pragma_min_blocks"
_WRITERS: Final = frozenset({"tir.atomic_add", "tir.call_extern"})


def span_of(node: Stmt) -> Span | None:
    """The user's line that made a statement, where it is known."""
    return getattr(node, "span", None)


def dynamic_shared_bytes(extents: tuple[Expr, ...], dtype: DType) -> Expr:
    """Bytes that an allocation takes of a kernel's dynamic shared memory: rounded up to 16."""
    size: Expr = operators.const(vector_bytes(dtype))
    for extent in extents:
        size = operators.multiply(size, extent)
    return operators.multiply(operators.floordiv(operators.add(size, ALIGNED_BYTES - 1), ALIGNED_BYTES), ALIGNED_BYTES)


class Usage(Functor):
    """What a piece of code does with variables and memory.

    Attributes:
        used: variables and pointers, and the statement that names each first.
        bound: variables that the code itself declares.
        reads, writes, first_written: pointers; those that are written before they are read.
        alignment: bytes to which vector accesses need pointers aligned.
        extents, places: of thread axes by tag, and the statement that opens each.
        shared_bytes: dynamic shared memory.
        min_blocks: that a multiprocessor shall hold.
    """

    def __init__(self, alignments: dict[Var, int], analyzer: Analyzer, granules: bool = False) -> None:
        self.alignments = alignments
        self.granules = granules  # whole aligned vectors may be read, for the sake of one element
        self.analyzer = analyzer
        self.values: dict[Var, Expr] = {}
        self.used: dict[Var, Stmt] = {}
        self.bound: dict[Var, None] = {}
        self.reads: dict[Var, None] = {}
        self.writes: dict[Var, None] = {}
        self.first_written: dict[Var, None] = {}
        self.alignment: dict[Var, int] = {}
        self.askew: dict[Var, int] = {}  # arrays of which vectors lie askew, and the bytes of those
        self.extents: dict[str, Expr] = {}
        self.places: dict[str, Stmt] = {}
        self.at: Stmt = s.Evaluate(operators.const(0))
        self.shared_bytes: Expr = operators.const(0)
        self.min_blocks = 0
        self._seen: dict[Expr, None] = {}

    def stmt(self, node: Stmt) -> None:
        """Walk a statement in order of execution."""
        self.at = node
        self._table[type(node)](self, node)

    def visit_stmt(self, node: Stmt) -> None:
        for child in stmt_children(node):
            if isinstance(child, Stmt):
                self.stmt(child)
            else:
                self.expr(child)

    def visit_for(self, node: s.For) -> None:
        self.bound[node.loop_var] = None
        if node.thread_binding is not None and node.kind is s.ForKind.THREAD_BINDING:
            self._thread(node.thread_binding.thread_tag, node.extent, node)
        self.visit_stmt(node)

    def visit_let_stmt(self, node: s.LetStmt) -> None:
        self.bound[node.var] = None
        if node.var.dtype.is_int:
            self.analyzer.update(node.var, self.analyzer.modular_set(node.value), override=True)
            self.values[node.var] = node.value
        self.visit_stmt(node)

    def visit_attr_stmt(self, node: s.AttrStmt) -> None:
        if node.attr_key == "thread_extent" and isinstance(node.node, IterVar):
            self.bound[node.node.var] = None
            self._thread(node.node.thread_tag, node.value, node)
        elif node.attr_key == MIN_BLOCKS and isinstance(node.value, e.IntImm):
            self.min_blocks = max(self.min_blocks, node.value.value)
        self.visit_stmt(node)

    def _thread(self, tag: str, extent: Expr, node: Stmt) -> None:
        known = self.extents.setdefault(tag, extent)
        self.places.setdefault(tag, node)
        if known is not extent and not self.analyzer.can_prove_equal(known, extent):
            raise LowerError(
                f"thread axis {tag} has extent {known} at one place of a kernel and {extent} at another",
                code="GC371",
                where=span_of(node),
                hint="bind it to axes of one extent, or split the kernel",
            )

    def visit_allocate(self, node: s.Allocate) -> None:
        self.bound[node.buffer_var] = None
        if node.buffer_var.storage_scope == "shared.dyn":
            self.shared_bytes = operators.add(self.shared_bytes, dynamic_shared_bytes(node.extents, node.dtype))
        self.visit_stmt(node)

    def visit_buffer_store(self, node: s.BufferStore) -> None:
        self.visit_stmt(node)
        data = node.buffer.data
        self.used.setdefault(data, node)
        if data not in self.reads:
            self.first_written[data] = None
        self.writes[data] = None
        self._align(node.buffer, node.indices, node.value.dtype)

    def expr(self, root: Expr) -> None:
        """Walk an expression; what was seen before is not walked again."""
        stack = [root]
        seen = self._seen
        while stack:
            node = stack.pop()
            if node in seen:
                continue
            seen[node] = None
            if isinstance(node, Var):
                self.used.setdefault(node, self.at)
                continue
            stack += reversed(expr_children(node))
            if isinstance(node, e.BufferLoad):
                self.used.setdefault(node.buffer.data, self.at)
                self.reads[node.buffer.data] = None
                self._align(node.buffer, node.indices, node.dtype)
            elif isinstance(node, e.Call) and isinstance(node.op, Op) and node.op.name in _WRITERS:
                self._written_through(node)
            elif isinstance(node, e.Let):
                self.bound[node.var] = None

    def _written_through(self, node: e.Call) -> None:
        atomic = isinstance(node.op, Op) and node.op.name == "tir.atomic_add"
        for given in node.args[:1] if atomic else node.args:
            arg, writes = given, True
            if isinstance(given, e.Call) and isinstance(given.op, Op) and given.op.name == "tir.tvm_access_ptr":
                mask = given.args[4]
                arg, writes = given.args[1], not isinstance(mask, e.IntImm) or bool(mask.value & 2)
            place = arg.args[0] if isinstance(arg, e.Call) and arg.args else arg
            data = place.buffer.data if isinstance(place, e.BufferLoad) else place
            if isinstance(data, Var) and data.dtype.is_handle:
                self.reads[data] = None
                if writes:
                    self.writes[data] = None

    def _align(self, buffer: Buffer, indices: tuple[Expr, ...], dtype: DType) -> None:
        """Note how an address must be aligned for a vector access; see ``codegen``, which relies on it."""
        if dtype.lanes == 1 or buffer.data not in self.alignments:
            return
        base = first_element(buffer, indices)
        lanes = dtype.lanes
        known = self.alignments[buffer.data]
        if self.granules and base is not None and askew(base, dtype, known, self.analyzer, self.values):
            self.askew[buffer.data] = vector_bytes(dtype)
            if len(self.askew) >= LEAST_ASKEW:
                self.alignment |= {data: max(self.alignment.get(data, 1), n) for data, n in self.askew.items()}
                return
        while base is not None and lanes > 1:  # a vector that is too wide is accessed in pieces
            if is_aligned(base, dtype.with_lanes(lanes), self.alignments[buffer.data], self.analyzer, self.values):
                width = vector_bytes(dtype.with_lanes(lanes))
                self.alignment[buffer.data] = max(self.alignment.get(buffer.data, 1), width)
                return
            lanes //= 2

    def access(self, data: Var) -> Access:
        """How memory is used."""
        if data not in self.writes:
            return "read"
        return "readwrite" if data in self.reads else "write"
