"""Name integer index expressions that are used more than once, where the last of their variables is bound."""

from __future__ import annotations

from gpucomp.ir.transform import PassContext
from gpucomp.tir.expr import Add, BufferLoad, Expr, IntImm, Sub, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import expr_children
from gpucomp.tir.stmt import BufferStore, LetStmt, Stmt
from gpucomp.transform.scopes import ScopeWalk, Weights

# A shorter expression reads better where it is used.
LEAST_WEIGHT = 2


def common_subexpr_elim(func: PrimFunc) -> PrimFunc:
    """Bind repeated integer expressions of indices, extents and conditions to variables.

    An expression gets a name when two different places need it in one scope and it costs at least two operations; the
    binding stands at the start of the scope that binds its innermost variable. Only arithmetic on variables is
    shared: loads, calls and divisions that might fail stay where they are. The option ``tir.disable_cse_tir`` of the
    pass context switches it off.
    """
    if PassContext.current().config.get("tir.disable_cse_tir", False):
        return func
    counter = _Counter()
    counter.inside([], func.body, func.body)
    chosen = counter.chosen()
    if not chosen:
        return func
    return func.with_body(_Namer(chosen, counter.names).inside([], func.body, func.body))


def _is_offset(node: Expr) -> bool:
    """True for ``x + literal``, which is not worth a name: the literal goes into the address."""
    return isinstance(node, (Add, Sub)) and isinstance(node.b, IntImm)


class _Counter(ScopeWalk):
    """Counts, for each scope, the distinct uses of each candidate of that scope."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = Weights()
        self.open: list[int] = []
        self.uses: dict[tuple[int, Expr], int] = {}
        self.names: dict[Expr, str] = {}

    def enter(self, number: int, node: Stmt) -> None:
        self.open.append(number)

    def leave(self, number: int, body: Stmt) -> Stmt:
        self.open.pop()
        return body

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        for index in node.indices:
            self._count(index, f"{node.buffer.name}_at")
        self._count(node.value, "at")
        if node.predicate is not None:
            self._count(node.predicate, "at")
        return node

    def expr(self, node: Expr) -> Expr:
        self._count(node, "at")
        return node

    def visit_let_stmt(self, node: LetStmt) -> Stmt:
        self._count(node.value, node.var.name)
        self.inside([node.var], node.body, node)
        return node

    def _count(self, root: Expr, name: str) -> None:
        """Count the edges to candidates; a candidate's own operands are counted once in its scope."""
        stack = [(root, name)]
        seen: dict[Expr, None] = {}
        while stack:
            node, name = stack.pop()
            weight = self.weights.of(node)
            if weight == 0:
                continue
            if weight is None:
                if node in seen:
                    continue
                seen[node] = None
                if isinstance(node, BufferLoad):
                    name = f"{node.buffer.name}_at"
            elif not _is_offset(node):
                key = (self.open[max(self.level(node) - 1, 0)], node)
                known = self.uses.get(key, 0)
                self.uses[key] = known + 1
                if known:
                    continue
                self.names.setdefault(node, name)
            stack += [(child, name) for child in expr_children(node)]

    def chosen(self) -> dict[int, list[Expr]]:
        """The expressions to name, by scope, operands first."""
        out: dict[int, list[Expr]] = {}
        for (number, node), uses in self.uses.items():
            if uses > 1 and (self.weights.of(node) or 0) >= LEAST_WEIGHT:
                out.setdefault(number, []).append(node)
        for found in out.values():
            found.sort(key=lambda n: n.depth)
        return out


class _Namer(ScopeWalk):
    """Binds the chosen expressions and uses the bindings."""

    def __init__(self, chosen: dict[int, list[Expr]], names: dict[Expr, str]) -> None:
        super().__init__()
        self.chosen, self.names = chosen, names
        self.wanted = frozenset([e for found in chosen.values() for e in found])
        self.open: list[dict[Expr, Var]] = []
        self.values: dict[int, list[tuple[Var, Expr]]] = {}
        self.alias: dict[Var, Var] = {}

    def enter(self, number: int, node: Stmt) -> None:
        bound: dict[Expr, Var] = {}
        self.open.append(bound)
        lets: list[tuple[Var, Expr]] = []
        for expr in self.chosen.get(number, ()):
            value = self._table[type(expr)](self, expr)
            bound[expr] = var = Var(self.names[expr], expr.dtype)
            self.memo[expr] = var
            lets.append((var, value))
        self.values[number] = lets

    def leave(self, number: int, body: Stmt) -> Stmt:
        self.open.pop()
        for var, value in reversed(self.values[number]):
            body = LetStmt(var, value, body)
        return body

    def visit_let_stmt(self, node: LetStmt) -> Stmt:
        value = self.expr(node.value)
        if isinstance(value, Var) and value is not node.value:
            self.alias[node.var] = value  # what it stood for has a name already
            return self.inside([node.var], node.body, node)
        body = self.inside([node.var], node.body, node)
        return node if value is node.value and body is node.body else LetStmt(node.var, value, body, node.span)

    def visit_var(self, node: Var) -> Expr:
        return self.alias.get(node, node)

    def visit(self, node: Expr) -> Expr:
        done = self.memo.get(node)
        if done is None:
            if node in self.wanted:
                done = self.open[max(self.level(node) - 1, 0)].get(node)
            if done is None:
                done = self._table[type(node)](self, node)
            self.memo[node] = done
        return done
