"""Where variables are bound: the base of passes that name index expressions at the outermost place that knows them."""

from __future__ import annotations

from typing import Final

from gpucomp.tir.expr import Add, Div, Expr, FloorDiv, FloorMod, IntImm, IterVar, Mod, Mul, Sub, Var
from gpucomp.tir.functor import Mutator, expr_children, free_vars
from gpucomp.tir.stmt import AttrStmt, For, ForKind, LetStmt, Stmt
from gpucomp.transform.walk import int_value

DIVISIONS: Final = frozenset({Div, Mod, FloorDiv, FloorMod})
_ARITHMETIC: Final = frozenset({Add, Sub, Mul}) | DIVISIONS


class ScopeWalk(Mutator):
    """A mutator that knows how deep each variable in scope is bound.

    A scope opens below the thread axes of a kernel (one for all that stand together), in a loop and below a binding.
    ``leave`` is called with the rewritten body of each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.depths: dict[Var, int] = {}
        self.depth = 0
        self.floor = 0
        self.entered = 0
        self.bound_before: set[Var] = set()

    def level(self, node: Expr) -> int:
        """Depth of the innermost variable of an expression, not less than that of the code that runs as one piece."""
        depths = self.depths
        deepest = self.floor
        for var in free_vars(node):
            depth = depths.get(var, 0)
            if depth > deepest:
                deepest = depth
        return deepest

    def inside(self, bound: list[Var], body: Stmt, node: Stmt) -> Stmt:
        """Rewrite a body below newly bound variables."""
        number = self.entered
        self.entered += 1
        self.depth += 1
        if not self.bound_before.isdisjoint(bound):
            self.memo.clear()  # the variable stood for something else
        self.bound_before.update(bound)
        saved = [self.depths.get(v) for v in bound]
        self.depths.update(dict.fromkeys(bound, self.depth))
        floor = self.floor
        if isinstance(node, AttrStmt) or (isinstance(node, For) and node.kind is ForKind.PARALLEL):
            self.floor = self.depth  # a kernel, or an iteration that may run in another thread
            self.memo.clear()  # names from outside are not for here, nor those from here for what follows
        self.enter(number, node)
        done = self.leave(number, self.stmt(body))
        if self.floor != floor:
            self.floor = floor
            self.memo.clear()
        self.depth -= 1
        for var, old in zip(bound, saved, strict=True):
            if old is None:
                del self.depths[var]
            else:
                self.depths[var] = old
        return done

    def enter(self, number: int, node: Stmt) -> None:
        """Called at the start of each scope; they are numbered in order, from 0."""

    def leave(self, number: int, body: Stmt) -> Stmt:
        """Called with the rewritten body of each scope; gives what takes its place."""
        return body

    def visit_for(self, node: For) -> Stmt:
        low, extent = self.expr(node.min), self.expr(node.extent)
        body = self.inside([node.loop_var], node.body, node)
        if low is node.min and extent is node.extent and body is node.body:
            return node
        return node.replace(min=low, extent=extent, body=body)

    def visit_let_stmt(self, node: LetStmt) -> Stmt:
        value = self.expr(node.value)
        body = self.inside([node.var], node.body, node)
        return node if value is node.value and body is node.body else LetStmt(node.var, value, body, node.span)

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        if node.attr_key != "thread_extent":
            return super().visit_attr_stmt(node)
        chain = [node]
        while isinstance(chain[-1].body, AttrStmt) and chain[-1].body.attr_key == "thread_extent":
            chain.append(chain[-1].body)
        axes = [a.node.var for a in chain if isinstance(a.node, IterVar)]
        body = self.inside(axes, chain[-1].body, node)
        if body is chain[-1].body:
            return node
        for attr in reversed(chain):
            body = attr.replace(body=body)
        return body


class Weights:
    """What an integer expression costs to compute: 0 for a leaf, None where it must not be computed elsewhere."""

    def __init__(self) -> None:
        self.memo: dict[Expr, int | None] = {}

    def of(self, node: Expr) -> int | None:
        """Number of operations; a division by other than a power of two counts as four."""
        if node in self.memo:
            return self.memo[node]
        done = self.memo[node] = self._of(node)
        return done

    def _of(self, node: Expr) -> int | None:
        if isinstance(node, (Var, IntImm)):
            return 0
        kind = type(node)
        if kind not in _ARITHMETIC or not node.dtype.is_int or node.dtype.lanes > 1:
            return None
        total = 1
        if kind in DIVISIONS:
            divisor = int_value(expr_children(node)[1])
            if divisor is None or divisor <= 0:
                return None  # it might be zero where the expression is not wanted
            total = 1 if divisor & (divisor - 1) == 0 else 4
        for child in expr_children(node):
            weight = self.of(child)
            if weight is None:
                return None
            total += weight
        return total
