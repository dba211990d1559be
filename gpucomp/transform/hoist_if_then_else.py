"""Move conditions that a loop does not change out of it, and join branches on one condition."""

from __future__ import annotations

from gpucomp.tir.expr import BufferLoad, Call, Expr, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, expr_post_order, free_vars, post_order
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import AttrStmt, BufferStore, For, ForKind, IfThenElse, SeqStmt, Stmt, seq
from gpucomp.transform.walk import conjunction, conjuncts

_MOVABLE = frozenset({ForKind.SERIAL, ForKind.UNROLLED, ForKind.PARALLEL})


def hoist_if_then_else(func: PrimFunc) -> PrimFunc:
    """Test once, outside of the loop, what no iteration changes.

    Where the body of a loop is one branch, the conjuncts of its condition that do not depend on the loop go outside
    (with an ``else`` only when all do). Nested branches become one, and neighbouring branches on the same condition
    are joined. Conditions that load or call are left where they are.
    """
    return func.with_body(_Hoister().stmt(func.body))


class _Hoister(Mutator):
    def __init__(self) -> None:
        super().__init__()
        self.steady: dict[Expr, bool] = {}

    def expr(self, node: Expr) -> Expr:
        return node

    def is_steady(self, condition: Expr) -> bool:
        """True when the condition depends on variables only."""
        known = self.steady.get(condition)
        if known is None:
            known = self.steady[condition] = all([_is_plain(n) for n in expr_post_order(condition)])
        return known

    def visit_for(self, node: For) -> Stmt:
        body = self.stmt(node.body)
        if not isinstance(body, IfThenElse) or node.kind not in _MOVABLE:
            return node if body is node.body else node.replace(body=body)
        outside: list[Expr] = []
        inside: list[Expr] = []
        for item in conjuncts(body.condition):
            free = self.is_steady(item) and node.loop_var not in free_vars(item)
            # A conjunct may guard those after it, so none moves across one that stays and is not steady.
            guarded = any([not self.is_steady(x) for x in inside])
            (outside if free and not guarded else inside).append(item)
        if not outside or (inside and body.else_case is not None):
            return node if body is node.body else node.replace(body=body)
        if inside:
            return _branch(conjunction(outside), node.replace(body=body.replace(condition=conjunction(inside))), body)
        else_case = None if body.else_case is None else node.replace(body=body.else_case)
        return IfThenElse(conjunction(outside), node.replace(body=body.then_case), else_case, body.span)

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        body = self.stmt(node.body)
        if node.attr_key.startswith("pragma_") and isinstance(body, IfThenElse) and body.else_case is None:
            return IfThenElse(body.condition, node.replace(body=body.then_case), None, body.span)
        return node if body is node.body else node.replace(body=body)

    def visit_if_then_else(self, node: IfThenElse) -> Stmt:
        then_case = self.stmt(node.then_case)
        else_case = None if node.else_case is None else self.stmt(node.else_case)
        if else_case is None and isinstance(then_case, IfThenElse) and then_case.else_case is None:
            return _branch(node.condition, then_case, node)
        if then_case is node.then_case and else_case is node.else_case:
            return node
        return IfThenElse(node.condition, then_case, else_case, node.span)

    def visit_seq_stmt(self, node: SeqStmt) -> Stmt:
        done: list[Stmt] = []
        for item in node.seq:
            new = self.stmt(item)
            joined = self._joined(done[-1], new) if done else None
            if joined is None:
                done.append(new)
            else:
                done[-1] = joined
        same = len(done) == len(node.seq) and all([x is y for x, y in zip(done, node.seq, strict=True)])
        return node if same else seq(*done)

    def _joined(self, first: Stmt, second: Stmt) -> Stmt | None:
        """Two neighbouring branches as one; None when they are not on one condition."""
        if not isinstance(first, IfThenElse) or not isinstance(second, IfThenElse):
            return None
        if first.condition is not second.condition or not self.is_steady(first.condition):
            return None
        if first.else_case is not None or second.else_case is not None:
            return None
        if _hands_over(first.then_case, second.then_case):
            return None  # threads have to meet in between, outside of the condition
        return first.replace(then_case=seq(first.then_case, second.then_case))


def _hands_over(first: Stmt, second: Stmt) -> bool:
    """True when both use memory that threads share, and one of them writes it."""
    used = [_shared(first), _shared(second)]
    return any([writes or used[1][data] for data, writes in used[0].items() if data in used[1]])


def _shared(body: Stmt) -> dict[Var, bool]:
    """Memory shared by threads that a statement uses, and whether it writes there."""
    out: dict[Var, bool] = {}
    for item in post_order(body):
        if isinstance(item, (BufferLoad, BufferStore)) and item.buffer.scope() not in ("global", "local"):
            data = item.buffer.data
            out[data] = out.get(data, False) or isinstance(item, BufferStore)
    return out


def _branch(condition: Expr, body: Stmt, origin: IfThenElse) -> IfThenElse:
    """``if condition: body``, as one branch when the body is one."""
    if isinstance(body, IfThenElse) and body.else_case is None:
        return IfThenElse(
            conjunction([*conjuncts(condition), *conjuncts(body.condition)]), body.then_case, None, origin.span
        )
    return IfThenElse(condition, body, None, origin.span)


def _is_plain(node: Expr) -> bool:
    if isinstance(node, BufferLoad):
        return False
    return not isinstance(node, Call) or (isinstance(node.op, Op) and node.op.is_pure)
