"""Which memory an expression or a statement touches, by the pointer variables of the buffers."""

from __future__ import annotations

from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import BufferLoad, Call, Expr, Var
from gpucomp.tir.functor import expr_post_order, free_vars
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import AllReduce, BufferStore, Stmt
from gpucomp.transform.walk import is_call

_NOTHING: frozenset[Var] = frozenset()


class Sources:
    """What expressions depend on: free variables, and the pointers of the buffers that they load; memoised."""

    def __init__(self) -> None:
        self.memo: dict[Expr, frozenset[Var]] = {}
        self.loaded: dict[Expr, frozenset[Var]] = {}

    def of(self, node: Expr) -> frozenset[Var]:
        """Free variables and loaded pointers."""
        done = self.memo.get(node)
        if done is None:
            done = self.memo[node] = free_vars(node) | self.loads(node)
        return done

    def loads(self, node: Expr) -> frozenset[Var]:
        """Pointers of the buffers that the expression loads, or whose address it takes."""
        done = self.loaded.get(node)
        if done is None:
            found = [n.buffer.data for n in expr_post_order(node) if isinstance(n, BufferLoad)]
            done = self.loaded[node] = frozenset(found) if found else _NOTHING
        return done


def own_exprs(node: Stmt) -> list[Expr]:
    """The expressions of a statement itself, those of nested statements left out."""
    out: list[Expr] = []
    for field in node._fields:
        if field in ("loop_var", "var", "buffer_var", "threads"):
            continue
        value = getattr(node, field)
        if isinstance(value, Expr):
            out.append(value)
        elif type(value) is tuple and value and isinstance(value[0], Expr):
            out += value
    return out


def bodies(node: Stmt) -> list[Stmt]:
    """The statements directly inside a statement, in order."""
    out: list[Stmt] = []
    for field in node._fields:
        value = getattr(node, field)
        if isinstance(value, Stmt):
            out.append(value)
        elif type(value) is tuple and value and isinstance(value[0], Stmt):
            out += value
    return out


def effects(node: Expr) -> list[Call]:
    """The calls in an expression that may do more than return a value."""
    return [n for n in expr_post_order(node) if isinstance(n, Call) and not (isinstance(n.op, Op) and n.op.is_pure)]


def written(node: Stmt) -> list[Buffer]:
    """Buffers that a statement itself writes: stores, results of reductions, addresses given to calls with effects."""
    if isinstance(node, BufferStore):
        return [node.buffer]
    out: list[Buffer] = list(node.results) if isinstance(node, AllReduce) else []
    for value in own_exprs(node):
        for call in effects(value):
            for item in expr_post_order(call):
                if isinstance(item, Call) and is_call(item, "address_of") and isinstance(item.args[0], BufferLoad):
                    out.append(item.args[0].buffer)
    return out
