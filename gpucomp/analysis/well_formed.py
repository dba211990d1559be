"""Is a function put together as it must be: variables, memory, thread axes."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager

from gpucomp.support.diagnostics import VerifyError
from gpucomp.support.expect import expect
from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, IterVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import expr_post_order, stmt_children
from gpucomp.tir.stmt import Stmt


def undefined_vars(node: Stmt | Expr | PrimFunc, defs: Iterable[Var] = ()) -> list[Var]:
    """Variables, pointers included, that are used and nowhere bound around their use, in order of first use.

    Args:
        node: a function, a statement or an expression.
        defs: variables that count as bound.
    """
    expect(node, (PrimFunc, Stmt, Expr), "undefined_vars", "pass a PrimFunc: gpucomp.lower(s, [A, C])['main']")
    walk = _Walk(dict.fromkeys(defs))
    walk.top(node)
    return list(walk.undefined)


def verify_ssa(func: PrimFunc) -> bool:
    """True if each variable is bound at one place only (a thread axis may be named at several)."""
    expect(func, PrimFunc, "verify_ssa", "pass a PrimFunc: gpucomp.lower(s, [A, C])['main']")
    walk = _Walk({})
    walk.top(func)
    return not walk.rebound


def verify_well_formed(func: PrimFunc, assert_mode: bool = True) -> bool:
    """Check that a function is one that passes, the interpreter and code generators can read.

    Every variable and buffer is used only where it is bound; no binding hides another; extents of loops and
    allocations are integers; conditions are bool; a thread axis has one variable and one extent within a kernel.

    Args:
        func: in any form but the one with tensors.
        assert_mode: raise instead of answering False.

    Raises:
        VerifyError: what is wrong, where.
    """
    expect(func, PrimFunc, "verify_well_formed", "pass a PrimFunc: gpucomp.lower(s, [A, C])['main']")
    walk = _Walk({})
    walk.top(func)
    if not walk.problems:
        return True
    if not assert_mode:
        return False
    message, stmt = walk.problems[0]
    raise VerifyError(
        message,
        code="GC409",
        where=getattr(stmt, "span", None),
        context=f"function {func.name}" + (f": {_line(stmt)}" if stmt is not None else ""),
    )


def _line(stmt: Stmt) -> str:
    lines = str(stmt).strip().splitlines() or [""]
    leaf = isinstance(stmt, (s.BufferStore, s.Evaluate))
    return lines[-1 if leaf else 0].strip()


class _Walk:
    """Follows scopes: what is bound around each statement."""

    def __init__(self, bound: dict[Var, None]) -> None:
        self.bound = bound
        self.ever: dict[Var, None] = dict(bound)
        self.undefined: dict[Var, None] = {}
        self.rebound: dict[Var, None] = {}
        self.problems: list[tuple[str, Stmt | None]] = []
        self.tags: dict[str, tuple[Var, Expr]] = {}
        self.stmt: Stmt | None = None
        self.loops: dict[Var, None] = {}

    def top(self, node: Stmt | Expr | PrimFunc) -> None:
        """Walk a root."""
        if isinstance(node, Expr):
            self.expr(node)
        elif isinstance(node, Stmt):
            self.walk(node)
        else:
            self.function(node)

    def function(self, func: PrimFunc) -> None:
        for param in func.params:
            self.define(param)
        for buffer in func.buffer_map.values():
            self.bound[buffer.data] = None
            for item in (*buffer.shape, *buffer.strides, buffer.elem_offset):
                if isinstance(item, Var):  # bound by the call
                    self.bound[item] = None
        self.walk(func.body)

    def problem(self, message: str) -> None:
        self.problems.append((message, self.stmt))

    def define(self, var: Var) -> None:
        """Bind a variable; binding it twice is against single assignment."""
        if var in self.ever:
            self.rebound[var] = None
        self.ever[var] = None
        self.bound[var] = None

    @contextmanager
    def scope(self, *names: Var) -> Generator[None]:
        """Bind variables for a while."""
        for var in names:
            if var in self.bound:
                self.problem(f"{var.name} is bound again inside of its own scope")
            self.define(var)
        yield
        for var in names:
            self.bound.pop(var, None)

    # -- uses -----------------------------------------------------------------------------------------------------

    def use(self, var: Var, what: str) -> None:
        if var not in self.bound:
            if var not in self.undefined:
                self.problem(f"{what} {var.name} is used outside of what binds it")
            self.undefined[var] = None

    def memory(self, buffer: Buffer) -> None:
        self.use(buffer.data, "memory")

    def expr(self, node: Expr) -> None:
        """Uses in an expression; variables bound inside of it are left out."""
        inner: dict[Var, None] = {}
        nodes = expr_post_order(node)
        for item in nodes:
            if isinstance(item, e.Let):
                inner[item.var] = None
            elif isinstance(item, e.Reduce):
                inner.update(dict.fromkeys([a.var for a in item.axis]))
        for item in nodes:
            if isinstance(item, Var) and item not in inner:
                self.use(item, "variable")
            elif isinstance(item, e.BufferLoad):
                self.memory(item.buffer)

    def condition(self, node: Expr) -> None:
        if not node.dtype.is_bool:
            self.problem(f"a condition has type {node.dtype}")

    def extent(self, node: Expr, what: str) -> None:
        if not node.dtype.is_int or node.dtype.lanes > 1:
            self.problem(f"the extent of {what} has type {node.dtype}")

    # -- statements -----------------------------------------------------------------------------------------------

    def walk(self, node: Stmt) -> None:
        self.stmt = node
        if isinstance(node, (s.ProducerStore, s.ProducerRealize)):
            self.problem(f"{type(node).__name__} is left: the schedule was not lowered")
        names = self.names(node)
        if isinstance(node, s.BufferStore):
            self.memory(node.buffer)
        children = stmt_children(node)
        if isinstance(node, s.Block):
            self.block(node, children)
            return
        for child in children:
            if isinstance(child, Expr):
                self.expr(child)
        if isinstance(node, s.AllReduce):
            for var in node.threads:
                self.use(var, "thread")
            for buffer in node.results:
                self.memory(buffer)
        with self.scope(*names):
            for child in children:
                if isinstance(child, Stmt):
                    self.walk(child)

    def block(self, node: s.Block, children: list[Expr | Stmt]) -> None:
        """What a block says may use its own variables, and no others that loops around it bind."""
        outer = self.bound
        self.bound = {v: None for v in outer if v not in self.loops}
        own = [a.var for a in node.iter_vars] + [b.data for b in node.alloc_buffers]
        for match in node.match_buffers:
            view = match.buffer
            layout = (*view.shape, *view.strides, view.elem_offset)
            own += [v for v in (view.data, *layout) if isinstance(v, Var) and v not in own and v not in self.bound]
        with self.scope(*own):
            for child in children:
                if isinstance(child, Expr):
                    self.expr(child)
                else:
                    self.walk(child)
        self.bound = outer

    def names(self, node: Stmt) -> list[Var]:
        """Checks of one statement; gives what it binds around its body."""
        if isinstance(node, s.For):
            self.extent(node.extent, f"loop {node.loop_var.name}")
            self.loops[node.loop_var] = None
            if node.thread_binding is not None:
                return self.axis(node.thread_binding.thread_tag, node.loop_var, node.extent)
            return [node.loop_var]
        if isinstance(node, s.LetStmt):
            if node.value.dtype is not node.var.dtype:
                self.problem(f"{node.var.name}: {node.var.dtype} is bound to a value of type {node.value.dtype}")
            return [node.var]
        if isinstance(node, s.Allocate):
            for extent in node.extents:
                self.extent(extent, f"allocation {node.buffer_var.name}")
            return [node.buffer_var]
        if isinstance(node, s.BufferRealize):
            return [] if node.buffer.data in self.bound else [node.buffer.data]
        if isinstance(node, s.AttrStmt) and isinstance(node.node, IterVar):
            axis = node.node
            if node.attr_key == "thread_extent":
                return self.axis(axis.thread_tag, axis.var, node.value)
            return [axis.var] if node.attr_key == "virtual_thread" else []
        if isinstance(node, (s.IfThenElse, s.While, s.AssertStmt)):
            self.condition(node.condition)
        if isinstance(node, s.BlockRealize):
            self.condition(node.predicate)
        return []

    def axis(self, tag: str, var: Var, extent: Expr) -> list[Var]:
        """A thread axis, which may be named again inside of its kernel."""
        if not any([v in self.bound for v, _ in self.tags.values()]):
            self.tags = {}  # a new kernel
        known = self.tags.get(tag)
        if known is None:
            self.tags[tag] = (var, extent)
        elif known[1] is not extent:
            self.problem(f"thread axis {tag} has extent {extent} here and {known[1]} before")
        elif known[0] is not var and known[0] in self.bound:
            self.problem(f"thread axis {tag} has two variables in one kernel: {known[0].name} and {var.name}")
        if var in self.bound:
            return []
        self.ever.pop(var, None)
        return [var]
