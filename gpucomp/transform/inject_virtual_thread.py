"""Virtual threads become unrolled loops around the statements that depend on them, with memory for each of them."""

from __future__ import annotations

from dataclasses import dataclass

from gpucomp.support.diagnostics import LowerError
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, IterVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, substitute
from gpucomp.tir.stmt import (
    NOOP,
    Allocate,
    AllReduce,
    AttrStmt,
    For,
    ForKind,
    IfThenElse,
    LetStmt,
    SeqStmt,
    Stmt,
    seq,
)
from gpucomp.transform.accesses import MovedAccesses, Sources, bodies, own_exprs
from gpucomp.transform.walk import int_value


def inject_virtual_thread(func: PrimFunc) -> PrimFunc:
    """Replace ``virtual_thread`` attributes by loops.

    A statement runs once for each virtual thread if it depends on the thread's variable, directly or through memory
    that does; the loop (of kind UNROLLED) goes around the innermost straight-line code. What all virtual threads
    share, such as a tile in shared memory, is produced once. Allocations that differ between virtual threads get a
    leading dimension of that extent.

    Raises:
        LowerError: the extent of a virtual thread is no constant, or a cross-thread reduction in virtual threads
            is mixed with code that they share.
    """
    return func.with_body(_Finder().stmt(func.body))


class _Finder(Mutator):
    """Walks to the innermost virtual threads first."""

    def __init__(self) -> None:
        super().__init__()
        self.active: dict[Var, None] = {}
        self.loops: dict[Var, None] = {}
        self.sources = Sources()

    def expr(self, node: Expr) -> Expr:
        return node

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        if node.attr_key != "virtual_thread" or not isinstance(node.node, IterVar):
            return super().visit_attr_stmt(node)
        var = node.node.var
        if var in self.active:  # a stage inside was bound to the same virtual thread
            return self.stmt(node.body)
        self.active[var] = None
        body = self.stmt(node.body)
        del self.active[var]
        extent = int_value(node.value)
        if extent is None:
            raise LowerError(
                f"virtual thread {var.name!r} has extent {node.value}, which is no constant",
                code="GC365",
                where=node.span,
                hint="split by nparts=<number> and bind the outer axis",
            )
        if extent <= 1:
            return substitute(body, {var: operators.const(0, var.dtype)}) if extent == 1 else NOOP
        self.loops[var] = None
        return _Injector(var, extent, body, self.loops, self.sources).run()


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a statement contains."""

    some: bool  # a part depends on the virtual thread
    every: bool  # every leaf does
    straight: bool  # no loop but those of virtual threads, no call with effects
    reads: frozenset[Var]
    writes: frozenset[Var]


class _Injector(MovedAccesses):
    def __init__(self, var: Var, extent: int, body: Stmt, vthreads: dict[Var, None], sources: Sources) -> None:
        super().__init__()
        self.var, self.extent, self.body, self.vthreads = var, extent, body, vthreads
        self.sources = sources
        self.own: dict[Stmt, frozenset[Var]] = {}
        self.facts: dict[Stmt, _Facts] = {}
        self.reduced: dict[Var, None] = {}
        self.sizes: dict[Var, Expr] = {}
        self.buffers: dict[Buffer, Buffer] = {}
        self.touched = self._find_touched()

    def run(self) -> Stmt:
        """The body without the virtual thread."""
        self._learn(self.body)
        return self.place(self.body)

    # -- what depends on the virtual thread -------------------------------------------------------------------------

    def _find_touched(self) -> frozenset[Var]:
        """Variables and allocated pointers that may differ between virtual threads."""
        flows: list[tuple[Var, frozenset[Var]]] = []
        owned: dict[Var, None] = {}
        stack: list[tuple[Stmt, frozenset[Var]]] = [(self.body, frozenset())]
        while stack:
            node, context = stack.pop()
            own = self._own(node)
            if isinstance(node, Allocate):
                owned[node.buffer_var] = None
            elif isinstance(node, LetStmt):
                owned[node.var] = None
                flows.append((node.var, own))
            elif isinstance(node, AllReduce):
                self.reduced.update(dict.fromkeys([b.data for b in node.results]))
            inside = bodies(node)
            flows += [(b.data, own | context) for b in self.sources.written(node)]
            if inside and not isinstance(node, (SeqStmt, LetStmt, Allocate)):
                context = context | own
            stack += [(b, context) for b in inside]
        touched = frozenset((self.var,))
        while True:
            more = [target for target, own in flows if target in owned and target not in touched and own & touched]
            if not more:
                return touched
            touched |= frozenset(more)

    def _own(self, node: Stmt) -> frozenset[Var]:
        """What the statement's own expressions depend on."""
        done = self.own.get(node)
        if done is None:
            done = self.own[node] = frozenset[Var]().union(*[self.sources.of(e) for e in own_exprs(node)])
        return done

    def _learn(self, node: Stmt) -> _Facts:
        own, exprs = self._own(node), own_exprs(node)
        writes = frozenset([b.data for b in self.sources.written(node)])
        inside = [self._learn(b) for b in bodies(node)]
        here = not (own | writes).isdisjoint(self.touched)
        loop = isinstance(node, For) and node.loop_var not in self.vthreads
        effect = any([self.sources.has_effect(e) for e in exprs]) or isinstance(node, AllReduce)
        facts = _Facts(
            here or any([f.some for f in inside]),
            all([f.every for f in inside]) if inside else here,
            not loop and not effect and all([f.straight for f in inside]),
            frozenset[Var]().union(*[self.sources.loads(e) for e in exprs], *[f.reads for f in inside]),
            writes.union(*[f.writes for f in inside]),
        )
        self.facts[node] = facts
        return facts

    # -- where the loop goes ------------------------------------------------------------------------------------------

    def place(self, node: Stmt) -> Stmt:
        """The statement for all virtual threads."""
        facts = self.facts[node]
        if not facts.some:
            return node
        if self._must_repeat(node) or (facts.every and facts.straight and not self._exchanges(facts)):
            return self.repeat(node)
        if isinstance(node, SeqStmt):
            return seq(*[self.place(s) for s in node.seq])
        if isinstance(node, Allocate) and node.buffer_var in self.touched:
            return self._expand(node)
        inside = bodies(node)
        if not inside:
            return self.repeat(node)
        if isinstance(node, IfThenElse):
            else_case = None if node.else_case is None else self.place(node.else_case)
            return node.replace(then_case=self.place(node.then_case), else_case=else_case)
        body = self.place(inside[0])
        if isinstance(node, AttrStmt) and isinstance(node.node, Buffer):
            return node.replace(node=self.buffers.get(node.node, node.node), body=body)
        return node.replace(body=body)

    def _must_repeat(self, node: Stmt) -> bool:
        """True when the statement itself, not only one inside, depends on the virtual thread."""
        if isinstance(node, (SeqStmt, Allocate)):
            return False
        return not self._own(node).isdisjoint(self.touched)

    def _exchanges(self, facts: _Facts) -> bool:
        """True when threads may pass data to each other: a barrier will stand between the write and the read."""
        return any([v.storage_scope.startswith("shared") for v in facts.writes & facts.reads])

    def _expand(self, node: Allocate) -> Stmt:
        if node.buffer_var in self.reduced:
            if not self.facts[node].every:
                raise LowerError(
                    f"a cross-thread reduction into {node.buffer_var.name!r} depends on virtual thread "
                    f"{self.var.name!r}, but stands among statements that do not",
                    code="GC366",
                    where=node.span,
                    hint="do not bind a virtual thread in a kernel with a cross-thread reduction",
                )
            return self.repeat(node)
        size: Expr = operators.const(1, node.extents[0].dtype)
        for extent in node.extents:
            size = operators.multiply(size, extent)
        self.sizes[node.buffer_var] = size
        body = self.place(node.body)
        return node.replace(extents=(operators.multiply(self.extent, size),), body=body)

    def repeat(self, node: Stmt) -> For:
        """The loop over the virtual threads around a statement."""
        extent = operators.const(self.extent, self.var.dtype)
        return For(self.var, operators.const(0, self.var.dtype), extent, ForKind.UNROLLED, self.stmt(node))

    # -- accesses of memory that each virtual thread has for itself ----------------------------

    def copy_of(self, buffer: Buffer) -> tuple[Buffer, Expr] | None:
        """Its part of the memory that all virtual threads have; none where it is shared or lies inside the loop."""
        size = self.sizes.get(buffer.data)
        if size is None:
            return None
        wide = self.buffers.get(buffer)
        if wide is None:
            wide = self.buffers[buffer] = buffer.replace(shape=(operators.multiply(self.extent, size),))
        return wide, operators.multiply(self.var, size)

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        done = super().visit_attr_stmt(node)
        if isinstance(done, AttrStmt) and isinstance(done.node, Buffer):
            return done.replace(node=self.buffers.get(done.node, done.node))
        return done
