"""Compute the part of an index that loops do not change once, at the start of the threads' code."""

from __future__ import annotations

from gpucomp.tir import operators
from gpucomp.tir.expr import Add, BufferLoad, Expr, IntImm, Sub, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.stmt import AttrStmt, BufferStore, LetStmt, Stmt
from gpucomp.transform.scopes import ScopeWalk, Weights

# A part of fewer operations reads better in place.
LEAST_WEIGHT = 2


def hoist_invariants(func: PrimFunc) -> PrimFunc:
    """Bind what a kernel's indices take from block, thread and shape variables, outside of its loops.

    An integer sum inside of a loop is split in two: the terms that only depend on what is known at the start of the
    kernel go to a binding there, if they cost at least two operations; the others stay. Nothing that loads, calls or
    might divide by zero is moved.
    """
    return func.with_body(_Hoister().stmt(func.body))


class _Hoister(ScopeWalk):
    def __init__(self) -> None:
        super().__init__()
        self.weights = Weights()
        self.root = 0
        self.number = -1
        self.bound: dict[Expr, Var] = {}
        self.name = "at"

    def enter(self, number: int, node: Stmt) -> None:
        if self.root == 0 and isinstance(node, AttrStmt):
            self.root, self.number, self.bound = self.depth, number, {}

    def leave(self, number: int, body: Stmt) -> Stmt:
        if number != self.number:
            return body
        for value, var in reversed(self.bound.items()):
            body = LetStmt(var, value, body)
        self.root, self.number = 0, -1
        self.memo.clear()
        return body

    def expr(self, node: Expr) -> Expr:
        return super().expr(node) if self.root and self.depth > self.root else node

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        if not self.root or self.depth <= self.root:
            return node
        self.name = f"{node.buffer.name}_at"
        indices = self.exprs(node.indices)
        self.name = "at"
        value = self.expr(node.value)
        predicate = None if node.predicate is None else self.expr(node.predicate)
        if indices is node.indices and value is node.value and predicate is node.predicate:
            return node
        return BufferStore(node.buffer, value, indices, predicate, node.span)

    def visit_buffer_load(self, node: BufferLoad) -> Expr:
        saved, self.name = self.name, f"{node.buffer.name}_at"
        done = super().visit_expr(node)
        self.name = saved
        return done

    def visit_add(self, node: Add) -> Expr:
        return self._sum(node)

    def visit_sub(self, node: Sub) -> Expr:
        return self._sum(node)

    def _sum(self, node: Add | Sub) -> Expr:
        if not node.dtype.is_int or node.dtype.lanes > 1:
            return super().visit_binary_op(node)
        fixed: list[tuple[Expr, bool]] = []
        others: list[tuple[Expr, bool]] = []
        for term, minus in _terms(node):
            # A literal stays: it becomes part of the address in the instruction.
            steady = (
                not isinstance(term, IntImm) and self.level(term) <= self.root and self.weights.of(term) is not None
            )
            (fixed if steady else others).append((term, minus))
        part = _added(None, fixed)
        if part is None or (self.weights.of(part) or 0) < LEAST_WEIGHT:
            return super().visit_binary_op(node)
        total = _added(self._named(part), [(self.visit(t), minus) for t, minus in others])
        assert total is not None
        return total

    def _named(self, part: Expr) -> Expr:
        """The variable that stands for an expression known at the start of the kernel."""
        if (self.weights.of(part) or 0) < LEAST_WEIGHT:
            return part
        var = self.bound.get(part)
        if var is None:
            var = self.bound[part] = Var(self.name, part.dtype)
            self.depths[var] = self.root
        return var


def _terms(node: Expr) -> list[tuple[Expr, bool]]:
    """Terms of a sum from left to right, each with whether it is subtracted."""
    out: list[tuple[Expr, bool]] = []
    stack: list[tuple[Expr, bool]] = [(node, False)]
    while stack:
        item, minus = stack.pop()
        if isinstance(item, Add):
            stack += [(item.b, minus), (item.a, minus)]
        elif isinstance(item, Sub):
            stack += [(item.b, not minus), (item.a, minus)]
        else:
            out.append((item, minus))
    return out


def _added(start: Expr | None, terms: list[tuple[Expr, bool]]) -> Expr | None:
    """The sum of terms, positive ones first."""
    total = start
    for term, minus in sorted(terms, key=lambda item: item[1]):
        if total is None:
            total = operators.subtract(operators.const(0, term.dtype), term) if minus else term
        else:
            total = operators.subtract(total, term) if minus else operators.add(total, term)
    return total
