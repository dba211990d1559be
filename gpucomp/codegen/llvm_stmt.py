"""Statements of the flat form as LLVM basic blocks: loops, branches, allocations, parallel tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gpucomp.codegen.llvm_expr import ExprWriter, not_flat
from gpucomp.codegen.llvm_text import (
    MEMORY,
    OUT_OF_MEMORY,
    REGISTER,
    FunctionText,
    ModuleText,
    memory_bytes,
)
from gpucomp.codegen.llvm_unroll import fits_registers, index_variables, unroll_fully
from gpucomp.codegen.llvm_values import is_number
from gpucomp.support.diagnostics import LowerError
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.functor import expr_post_order, stmt_children
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import ForKind, Stmt

ALIGNMENT: Final = 64
REASSOCIATE: Final = "reassociate"  # annotation of a loop over lanes that carries a sum
STACK_LIMIT: Final = 64 * 1024  # bytes of one buffer on the stack; threads have megabytes
STACK_TOTAL: Final = 256 * 1024
# Schedules say what runs in vectors.  LLVM's own loop vectorizer gets plain loops only: on others its cost models
# can disagree, and builds of LLVM with assertions (llvmlite 0.50 is one) then end the process.
SCALAR_LOOP: Final = '!"llvm.loop.vectorize.enable", i1 false'
_PLAIN: Final = (e.Add, e.Sub, e.Mul, e.Min, e.Max, e.Var, e.IntImm, e.FloatImm, e.BufferLoad, e.Cast)


def is_plain(body: Stmt) -> bool:
    """A loop body that only stores scalars made of loads, sums, products, minima and maxima."""
    stores = body.seq if isinstance(body, s.SeqStmt) else (body,)
    if len(stores) > 4:
        return False
    for store in stores:
        if not isinstance(store, s.BufferStore) or store.predicate is not None or store.value.dtype.lanes != 1:
            return False
        for node in expr_post_order(store.value, *store.indices):
            division = isinstance(node, e.Div) and node.dtype.is_float
            if not (division or isinstance(node, _PLAIN)) or node.dtype.lanes != 1:
                return False
    return True


class StmtWriter(ExprWriter):
    """Adds the walk over statements.

    Args:
        noalias: buffers of different variables never overlap.
        parent: the writer of the function of whose parallel loop this is the task.
    """

    def __init__(
        self, module: ModuleText, text: FunctionText, symbol: str, noalias: bool, parent: StmtWriter | None = None
    ) -> None:
        super().__init__(module, text)
        self.symbol = symbol
        self.noalias = noalias
        self.parent = parent
        self.captured: dict[Var, str] = {}
        self.bound: dict[str, Var] = {}  # thread axes whose loops are open, by tag
        self.registers: dict[Var, frozenset[Var]] = {}  # of buffers that loops leave to registers: what indexes them
        self.written_out: dict[s.For, bool] = {}
        self.lengths: dict[Stmt, int] = {}

    def stmt(self, node: Stmt) -> None:
        """Write a statement."""
        self._table[type(node)](self, node)

    def lookup(self, var: Var) -> str:
        if var in self.env or self.parent is None:
            return super().lookup(var)
        outer = self.parent.lookup(var)
        if outer[0] != "%":  # a literal needs no passing
            self.env[var] = outer
            return outer
        self.captured[var] = outer
        self.env[var] = name = f"%in.{len(self.captured)}"
        return name

    # -- simple statements ------------------------------------------------------------------------------------

    def visit_seq_stmt(self, node: s.SeqStmt) -> None:
        for item in node.seq:
            self.stmt(item)

    def visit_evaluate(self, node: s.Evaluate) -> None:
        value = node.value
        if isinstance(value, e.ConstExpr):
            return
        if isinstance(value, e.Call) and value.op is Op.get("tir.ret"):
            raise LowerError("return from inside a CPU kernel", code="GC342", hint="use if/else")
        self.root(value)
        self.forget_memory()

    def visit_buffer_store(self, node: s.BufferStore) -> None:
        if len(node.indices) != 1:
            raise not_flat(f"buffer {node.buffer.name} has {len(node.indices)} dimensions")
        index = node.indices[0]
        if node.predicate is not None and index.dtype.lanes == 1:
            plain = s.BufferStore(node.buffer, node.value, node.indices, None, node.span)
            self._branch(self.test(node.predicate), lambda: self.stmt(plain))
            return
        value = self.root(node.value)
        self.store(node.buffer, index, node.value.dtype, value, node.predicate)
        self.forget_memory()

    def visit_let_stmt(self, node: s.LetStmt) -> None:
        value = self.root(node.value)
        self.forget_memory()
        with self.scope():
            self.env[node.var] = value
            self.stmt(node.body)

    def visit_assert_stmt(self, node: s.AssertStmt) -> None:
        condition = self.test(node.condition)
        self.forget_memory()
        self.leave_unless(condition, self.module.message(node.message))
        self.stmt(node.body)

    def visit_prefetch(self, node: s.Prefetch) -> None:
        """A hint that flat code gives through the intrinsic; this form is dropped."""

    def visit_stmt(self, node: Stmt) -> None:
        raise not_flat(f"a {type(node).__name__} is left")

    def visit_all_reduce(self, node: s.AllReduce) -> None:
        raise cooperative("a reduction across threads")

    # -- control flow -----------------------------------------------------------------------------------------

    def leave_unless(self, condition: str, code: int | str) -> None:
        """Return ``code`` when ``condition`` does not hold, giving heap memory back."""
        stop, on = self.text.labels("stop.", "on.")
        self.text.branch(condition, on, stop)
        self.text.start(stop)
        for pointer in reversed(self.text.live):
            self.text.do(f"call void {self._free()}(ptr {pointer})")
        self.text.do(f"ret i32 {code}")
        self.text.start(on)

    def _branch(self, condition: str, then: Callable[[], None], otherwise: Callable[[], None] | None = None) -> None:
        yes, no, join = self.text.labels("then.", "else.", "join.")
        self.text.branch(condition, yes, no if otherwise else join)
        for label, write in ((yes, then), (no, otherwise)):
            if write is None:
                continue
            self.text.start(label)
            with self.scope():
                write()
            self.text.jump(join)
        self.text.start(join)

    def visit_if_then_else(self, node: s.IfThenElse) -> None:
        condition = self.test(node.condition)
        self.forget_memory()
        if condition in ("true", "false"):
            chosen = node.then_case if condition == "true" else node.else_case
            if chosen is not None:
                self.stmt(chosen)
            return
        other = node.else_case
        self._branch(condition, lambda: self.stmt(node.then_case), None if other is None else lambda: self.stmt(other))

    def visit_while(self, node: s.While) -> None:
        head, body, done = self.text.labels("while.", "do.", "done.")
        self.text.jump(head)
        self.text.start(head)
        with self.scope():
            condition = self.root(node.condition)
            self.forget_memory()
            self.text.branch(condition, body, done)
            self.text.start(body)
            self.stmt(node.body)
        self.text.jump(head)
        self.text.start(done)

    def visit_for(self, node: s.For) -> None:
        if node.kind is ForKind.THREAD_BINDING and node.thread_binding is not None:
            self._thread_axis(node.thread_binding.thread_tag, node.loop_var, node)
            return
        if node.kind is ForKind.PARALLEL and self.parent is None:
            self._parallel(node)
            return
        saved = self.fast
        if node.kind is ForKind.VECTORIZED or (node.annotations or {}).get(REASSOCIATE):
            self.fast = "reassoc contract"  # the schedule reduces in lanes: a sum may be regrouped
        self._serial(node)
        self.fast = saved

    def _serial(self, node: s.For) -> None:
        if node not in self.written_out:
            indexing = frozenset[Var]().union(*self.registers.values())
            self.written_out[node] = unroll_fully(node, indexing, self.lengths)
        if self.written_out[node]:
            self._unrolled(node)
            return
        low, size = self.index(node.min), self.index(node.extent)
        self.forget_memory()
        hints = [] if is_plain(node.body) else [SCALAR_LOOP]
        if node.kind is ForKind.UNROLLED:
            hints.append('!"llvm.loop.unroll.full"')
        self.loop(node.loop_var, low, size, lambda: self.stmt(node.body), *hints)

    def _unrolled(self, node: s.For) -> None:
        assert isinstance(node.min, e.IntImm)
        assert isinstance(node.extent, e.IntImm)
        low = node.min.value
        for i in range(low, low + node.extent.value):
            with self.scope():
                self.env[node.loop_var] = str(i)
                self.stmt(node.body)

    def loop(self, var: Var, low: str, size: str, body: Callable[[], None], *hints: str) -> None:
        """``body`` for ``var`` in [low, low + size)."""
        if size == "0":
            return
        dtype, kind = var.dtype, REGISTER[var.dtype]
        enter, again, done = self.text.labels("enter.", "loop.", "done.")
        saved, self.wrap = self.wrap, " nsw"
        end = self.int_op("add", dtype, low, size)
        self.wrap = saved
        if is_number(size) and int(size) > 0:
            self.text.jump(enter)
        else:
            some = self.text.op(f"icmp sgt {kind} {size}, 0")
            self.text.branch(some, enter, done)
        self.text.start(enter)
        self.text.jump(again)
        self.text.start(again)
        name, following = self.text.name(), self.text.name()
        place = len(self.text.lines)
        with self.scope():
            self.env[var] = name
            body()
        latch = self.text.block
        phi = f"  {name} = phi {kind} [ {low}, %{enter} ], [ {following}, %{latch} ]"
        self.text.lines.insert(place, phi)
        self.text.do(f"{following} = add nsw {kind} {name}, 1")
        more = self.text.op(f"icmp slt {kind} {following}, {end}")
        suffix = self.module.loop_metadata(*hints) if hints else ""
        self.text.do(f"br i1 {more}, label %{again}, label %{done}{suffix}")
        self.text.start(done)

    # -- attributes -------------------------------------------------------------------------------------------

    def visit_attr_stmt(self, node: s.AttrStmt) -> None:
        if node.attr_key == "thread_extent":
            self._thread_axis(node.node.thread_tag, node.node.var, node)
            return
        if node.attr_key == "virtual_thread":
            raise not_flat("a virtual thread is left")
        saved = self.streaming
        if node.attr_key == "pragma_nontemporal":
            self.streaming = not (isinstance(node.value, e.IntImm) and node.value.value == 0)
        elif node.attr_key == "pragma_cache_hint" and isinstance(node.value, e.StringImm):
            self.streaming = node.value.value == "streaming"
        self.stmt(node.body)
        self.streaming = saved

    def _thread_axis(self, tag: str, var: Var, node: s.AttrStmt | s.For) -> None:
        """The outermost thread axis opens the loops of all axes of its kernel: each thread runs all of it.

        Without barriers threads do not wait for each other, so one after the other is as good as together.
        """
        if tag in self.bound:
            shared = self.bound[tag]
            if shared is not var:
                self.env[var] = self.lookup(shared)
            self.stmt(node.body)
            return
        axes = thread_axes(node)
        previous, self.bound = self.bound, {**self.bound, **{t: axis for t, (axis, _) in axes.items()}}
        nest: Stmt = node
        for t in sorted(axes, key=_nesting, reverse=True):
            axis, extent = axes[t]
            outermost = t == min(axes, key=_nesting) and t.startswith("blockIdx")
            kind = ForKind.PARALLEL if outermost else ForKind.SERIAL
            nest = s.For(axis, e.IntImm(axis.dtype, 0), extent, kind, nest)
        self.stmt(nest)
        self.bound = previous

    # -- memory -----------------------------------------------------------------------------------------------

    def _free(self) -> str:
        return self.module.declare("free", "void", "ptr nocapture", " nounwind")

    def visit_allocate(self, node: s.Allocate) -> None:
        self.own[node.buffer_var] = None
        scope = node.buffer_var.storage_scope
        size = constant_elements(node.extents)
        bytes_each = memory_bytes(node.dtype) * node.dtype.lanes
        with self.scope():
            if size is not None and self._fits_stack(size * bytes_each):
                self._on_stack(node, size)
                self.stmt(node.body)
                self.small.pop(node.buffer_var, None)
                self.registers.pop(node.buffer_var, None)
                return
            if scope.startswith("local") and size is None:
                raise LowerError(
                    f"local buffer {node.buffer_var.name!r} has an extent that is not constant", code="GC345"
                )
            self._on_heap(node, bytes_each)

    def _fits_stack(self, nbytes: int) -> bool:
        return nbytes <= STACK_LIMIT and self.text.stack_bytes + nbytes <= STACK_TOTAL

    def _on_stack(self, node: s.Allocate, size: int) -> None:
        kind = MEMORY[node.dtype.element]
        count = max(1, size * node.dtype.lanes)
        wide = ALIGNMENT // memory_bytes(node.dtype)
        if count > wide:  # a masked vector at the end may reach beyond it: see is_inside
            count = -(-count // wide) * wide
        self.text.stack_bytes += count * memory_bytes(node.dtype)
        self.env[node.buffer_var] = self.text.alloca(f"[{count} x {kind}], align {ALIGNMENT}")
        if count * memory_bytes(node.dtype) <= REGISTER_FILE:
            self.small[node.buffer_var] = nbytes = count * memory_bytes(node.dtype)
            indexing = index_variables(node.body, node.buffer_var)
            if fits_registers(node.body, indexing, nbytes, self.lengths):
                self.registers[node.buffer_var] = indexing

    def _on_heap(self, node: s.Allocate, bytes_each: int) -> None:
        total = self._byte_count(node.extents, bytes_each)
        allocate = self.module.declare(
            "aligned_alloc",
            "noalias ptr",
            "i64 allocalign, i64",
            ' nounwind allockind("alloc,uninitialized,aligned") allocsize(1)',
        )
        pointer = self.text.op(f"call noalias ptr {allocate}(i64 {ALIGNMENT}, i64 {total})")
        there = self.text.op(f"icmp ne ptr {pointer}, null")
        self.leave_unless(there, OUT_OF_MEMORY)
        self.env[node.buffer_var] = pointer
        self.text.live.append(pointer)
        self.stmt(node.body)
        self.text.live.pop()
        self.text.do(f"call void {self._free()}(ptr {pointer})")

    def _byte_count(self, extents: tuple[Expr, ...], bytes_each: int) -> str:
        """Bytes, rounded up to the alignment and never 0."""
        total = str(bytes_each)
        wide = DType("int64")
        for extent in extents:
            size = self.wide_index(extent)
            total = self.int_op("mul", wide, total, size)
        if is_number(total):
            return str(max(ALIGNMENT, -(-int(total) // ALIGNMENT) * ALIGNMENT))
        room = self.text.op(f"add i64 {total}, {ALIGNMENT}")
        return self.text.op(f"and i64 {room}, {-ALIGNMENT}")

    # -- parallel loops ---------------------------------------------------------------------------------------

    def _parallel(self, node: s.For) -> None:
        low, size = self.index(node.min), self.index(node.extent)
        self.forget_memory()
        self.module.tasks += 1
        symbol = f"{self.symbol}.task{self.module.tasks}"
        task = StmtWriter(self.module, FunctionText(), symbol, self.noalias, self)
        task.bound = dict(self.bound)
        task.own = dict(self.own)
        task.streaming = self.streaming
        self._write_task(task, node, low)
        fields = [(var, task.env[var], outer) for var, outer in task.captured.items()]
        kinds = [REGISTER[var.dtype] for var, _, _ in fields]
        context = "null"
        if fields:
            record = "{ " + ", ".join(kinds) + " }"
            context = self.text.alloca(record)
            for i, (_, _, outer) in enumerate(fields):
                slot = self.text.op(f"getelementptr inbounds {record}, ptr {context}, i32 0, i32 {i}")
                self.text.do(f"store {kinds[i]} {outer}, ptr {slot}")
        count = size
        if node.loop_var.dtype.bits != 64 and not is_number(size):
            count = self.text.op(f"sext {REGISTER[node.loop_var.dtype]} {size} to i64")
        run = self.module.declare("gpucomp_parallel_for", "i32", "ptr, ptr, i64")
        code = self.text.op(f"call i32 {run}(ptr @{quoted(symbol)}, ptr {context}, i64 {count})")
        fine = self.text.op(f"icmp eq i32 {code}, 0")
        self.leave_unless(fine, code)

    def _write_task(self, task: StmtWriter, node: s.For, low: str) -> None:
        """The iterations [begin, end) of a parallel loop as a function, and one that unpacks its arguments.

        The unpacking is a function of its own so that the body's pointers stay parameters, which may be noalias.
        """
        var = node.loop_var
        kind = REGISTER[var.dtype]
        start = Var("low", var.dtype)
        self.env[start] = low
        base = task.lookup(start)
        begin, size = "%begin", "%count"
        if kind != "i64":
            begin = task.text.op(f"trunc i64 %begin to {kind}")
            size = task.text.op(f"trunc i64 %count to {kind}")
        first = task.text.op(f"add nsw {kind} {base}, {begin}")
        hints = () if is_plain(node.body) else (SCALAR_LOOP,)
        task.loop(var, first, size, lambda: task.stmt(node.body), *hints)
        task.fence()
        task.text.do("ret i32 0")
        mark = " noalias" if self.noalias else ""
        fields = [(v, task.env[v]) for v in task.captured]
        formal = [f"{REGISTER[v.dtype]}{mark if v.dtype.is_handle else ''} {name}" for v, name in fields]
        formal += ["i64 %begin", "i64 %count"]
        body = quoted(task.symbol + ".body")
        self.module.functions.append(
            f"define internal i32 @{body}({', '.join(formal)}) noinline nounwind {{\n{task.text.body()}\n}}\n"
        )
        self.module.functions.append(_unpacking(quoted(task.symbol), body, [REGISTER[v.dtype] for v, _ in fields]))


def _unpacking(symbol: str, body: str, kinds: list[str]) -> str:
    record = "{ " + ", ".join(kinds) + " }"
    lines: list[str] = []
    for i, kind in enumerate(kinds):
        lines.append(f"  %p{i} = getelementptr inbounds {record}, ptr %context, i32 0, i32 {i}")
        lines.append(f"  %x{i} = load {kind}, ptr %p{i}")
    actual = [f"{kind} %x{i}" for i, kind in enumerate(kinds)] + ["i64 %begin", "i64 %count"]
    lines += ["  %count = sub i64 %end, %begin", f"  %r = call i32 @{body}({', '.join(actual)})", "  ret i32 %r"]
    head = f"define internal i32 @{symbol}(ptr %context, i64 %begin, i64 %end) nounwind {{"
    return "\n".join([head, *lines, "}\n"])


REGISTER_FILE: Final = 8 * 1024  # bytes: loops over buffers up to this size are unrolled so that they may leave memory


def quoted(symbol: str) -> str:
    """A symbol as LLVM text."""
    plain = symbol.replace("_", "").replace(".", "").isalnum() and symbol.isascii() and not symbol[0].isdigit()
    if plain:
        return symbol
    escaped = "".join([f"\\{ord(c):02x}" if c in '"\\' or ord(c) < 32 else c for c in symbol])
    return f'"{escaped}"'


def constant_elements(extents: tuple[Expr, ...]) -> int | None:
    """The product of literal extents; None when one is no literal."""
    total = 1
    for extent in extents:
        if not isinstance(extent, e.IntImm):
            return None
        total *= extent.value
    return total


def cooperative(what: str) -> LowerError:
    """The error for what needs threads that run together."""
    return LowerError(
        f"{what} needs threads that run together, which CPU code does not have",
        code="GC344",
        hint="build for the CPU with a schedule without thread bindings and shared memory",
    )


_AXES: Final = (
    "blockIdx.z", "blockIdx.y", "blockIdx.x", "clusterIdx.x", "threadIdx.z", "threadIdx.y", "threadIdx.x",
)  # fmt: skip


def _nesting(tag: str) -> int:
    return _AXES.index(tag) if tag in _AXES else len(_AXES)


def thread_axes(node: Stmt) -> dict[str, tuple[Var, Expr]]:
    """Variable and extent of each thread axis that ``node`` opens, itself included, by tag."""
    found: dict[str, tuple[Var, Expr]] = {}
    stack: list[Stmt] = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, s.AttrStmt) and item.attr_key == "thread_extent":
            found.setdefault(item.node.thread_tag, (item.node.var, item.value))
        elif isinstance(item, s.For) and item.kind is ForKind.THREAD_BINDING and item.thread_binding is not None:
            found.setdefault(item.thread_binding.thread_tag, (item.loop_var, item.extent))
        stack += [child for child in reversed(stmt_children(item)) if isinstance(child, Stmt)]
    return found
