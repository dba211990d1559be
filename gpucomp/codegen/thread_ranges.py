"""Where a compiler of C gains from being told how many threads a block has.

Loops that are unrolled often end with a round that only some threads take part in.  Which rounds those are follows
from the number of threads; a compiler that takes ``threadIdx.x`` for any number keeps the test in every round.
"""

from __future__ import annotations

from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.functor import expr_children, expr_post_order, stmt_children
from gpucomp.tir.stmt import ForKind, Stmt
from gpucomp.transform.split_host_device import BLOCK_TAGS
from gpucomp.transform.walk import is_call

_THREAD, _ROUND, _ANY = "thread", "round", "any"
_DECIDED = frozenset({_THREAD, _ROUND})


def tests_threads_in_rounds(body: Stmt) -> bool:
    """True if ranges of threads decide conditions inside of unrolled loops in some of the rounds.

    Such a condition compares what is made of a thread, of the round, and of nothing else but remainders.
    """
    depends: dict[Var, frozenset[str]] = {}
    values: dict[Var, Expr] = {}  # of lets, looked at when a comparison needs them
    stack: list[tuple[Stmt, bool]] = [(body, False)]
    while stack:
        node, rounds = stack.pop()
        if not rounds and isinstance(node, s.BufferStore):
            continue  # nothing in it is asked for
        if isinstance(node, s.AttrStmt) and node.attr_key == "thread_extent" and isinstance(node.node, e.IterVar):
            depends[node.node.var] = frozenset({_THREAD if node.node.thread_tag in BLOCK_TAGS else _ANY})
        elif isinstance(node, s.For):
            depends[node.loop_var] = frozenset({_ROUND if node.kind is ForKind.UNROLLED else _ANY})
            rounds = rounds or node.kind is ForKind.UNROLLED
        elif isinstance(node, s.LetStmt):
            values[node.var] = node.value
        if rounds and any([_on(compared, depends, values) == _DECIDED for compared in _comparisons(node)]):
            return True
        stack += [(child, rounds) for child in reversed(stmt_children(node)) if isinstance(child, Stmt)]
    return False


def _on(node: Expr, depends: dict[Var, frozenset[str]], values: dict[Var, Expr]) -> frozenset[str]:
    """On what a value depends, but for the remainders in it, which have ranges of their own."""
    out: frozenset[str] = frozenset()
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, Var):
            if item in values:
                depends[item] = _on(values.pop(item), depends, values)
            out |= depends.get(item, frozenset({_ANY}))
        elif isinstance(item, (e.BufferLoad, e.Call)):
            out |= {_ANY}
        elif not (isinstance(item, (e.FloorMod, e.Mod)) and isinstance(item.b, e.IntImm)):
            stack += expr_children(item)
    return out


def _comparisons(node: Stmt) -> list[Expr]:
    """What the conditions of a statement, and of its expressions, compare."""
    conditions: list[Expr] = [node.condition] if isinstance(node, s.IfThenElse) else []
    for child in stmt_children(node):
        for item in expr_post_order(child) if isinstance(child, Expr) else ():
            if isinstance(item, e.Select):
                conditions.append(item.condition)
            elif isinstance(item, e.Call) and is_call(item, "if_then_else"):
                conditions.append(item.args[0])
    out: list[Expr] = []
    while conditions:
        item = conditions.pop()
        if isinstance(item, (e.And, e.Or)):
            conditions += [item.a, item.b]
        elif isinstance(item, e.Call) and is_call(item, "likely"):
            conditions.append(item.args[0])
        elif isinstance(item, e.CmpOp):
            out.append(item)
    return out
