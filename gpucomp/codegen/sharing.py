"""Which sub-expressions of a statement get a variable of their own.

Expressions are graphs, C text is a tree: a graph in which each node is used twice grows as 2**depth when it is
written out.  A node that is used more than once and costs something to write or to compute is therefore written
once, into a constant before the statement, where that is legal: a node that is only evaluated under a condition
may be moved above it if nothing can go wrong (no memory access, no division by something unknown).
"""

from __future__ import annotations

from typing import Final

from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, IntImm, Var
from gpucomp.tir.functor import expr_children, expr_post_order, free_vars
from gpucomp.tir.intrin import Op

_LEAVES: Final = frozenset({e.Var, e.SizeVar, e.IntImm, e.FloatImm, e.StringImm})
_CHEAP: Final = 3  # a shared node of fewer operations is written out again
_LONG: Final = 120  # an expression of more operations is cut, for readers and for compilers' nesting limits
_DIVISIONS: Final = frozenset({e.Div, e.Mod, e.FloorDiv, e.FloorMod})
_REGISTERS: Final = frozenset({"local"})


class Sharing:
    """The plan for one statement."""

    __slots__ = ("_safe", "bound", "named", "unconditional")

    def __init__(self) -> None:
        self.named: dict[Expr, None] = {}
        self.unconditional: dict[Expr, None] | None = None
        self.bound: frozenset[Var] = frozenset()
        self._safe: dict[Expr, bool] = {}

    def may_move(self, node: Expr) -> bool:
        """True when a node may be evaluated before the statement."""
        return self.unconditional is None or node in self.unconditional or self.is_safe(node)

    def is_safe(self, node: Expr) -> bool:
        """True when evaluating the node can do no harm, whatever the values of its variables are."""
        done = self._safe.get(node)
        if done is None:
            done = self._safe[node] = self._is_safe(node)
        return done

    def _is_safe(self, node: Expr) -> bool:
        kind = type(node)
        if kind is e.BufferLoad or (self.bound and not self.bound.isdisjoint(free_vars(node))):
            return False
        if isinstance(node, e.Call) and not (isinstance(node.op, Op) and node.op.is_pure):
            return False
        if kind in _DIVISIONS and isinstance(node, e.BinaryOp) and node.dtype.is_int:
            divisor = node.b
            if not (isinstance(divisor, IntImm) and divisor.value != 0):
                return False
        return all([self.is_safe(child) for child in expr_children(node)])


_NOTHING: Final = Sharing()


def plan(*roots: Expr) -> Sharing:
    """Decide for the expressions that one statement evaluates together."""
    counts: dict[Expr, int] = {}
    stack: list[Expr] = []
    repeated = guarded = False
    bound: list[Var] = []
    for root in roots:
        if type(root) not in _LEAVES:
            repeated = repeated or root in counts
            counts[root] = counts.get(root, 0) + 1
            stack.append(root)
    while stack:
        node = stack.pop()
        kind = type(node)
        if kind is e.And or kind is e.Or or (kind is e.Call and _is_guard(node)):
            guarded = True
        elif isinstance(node, e.Let):
            bound.append(node.var)
        for child in expr_children(node):
            if type(child) in _LEAVES:
                continue
            seen = counts.get(child)
            if seen is None:
                counts[child] = 1
                stack.append(child)
            else:
                counts[child] = seen + 1
                repeated = True
    if not repeated and len(counts) < _LONG:
        return _NOTHING
    result = Sharing()
    result.bound = frozenset(bound)
    _name(result, roots, counts)
    if result.named and guarded:
        result.unconditional = _unconditional(roots)
    return result


def _name(result: Sharing, roots: tuple[Expr, ...], counts: dict[Expr, int]) -> None:
    weights: dict[Expr, int] = {}
    named = result.named
    for node in expr_post_order(*roots):
        if type(node) in _LEAVES:
            weights[node] = 0
            continue
        weight = 1
        for child in expr_children(node):
            weight += weights[child]
        long = weight > _LONG and isinstance(node, e.BinaryOp)
        again = counts[node] > 1 and (weight >= _CHEAP or _is_costly(node)) and not isinstance(node, e.Ramp)
        if long or again:
            named[node] = None
        weights[node] = 0 if node in named else weight
    for root in roots:
        if counts.get(root) == 1:
            named.pop(root, None)


def _is_costly(node: Expr) -> bool:
    if isinstance(node, e.BufferLoad):
        return node.buffer.scope() not in _REGISTERS
    return isinstance(node, e.Call) and not _is_guard(node)


def _is_guard(node: Expr) -> bool:
    return isinstance(node, e.Call) and isinstance(node.op, Op) and node.op.name == "tir.if_then_else"


def _unconditional(roots: tuple[Expr, ...]) -> dict[Expr, None]:
    """The nodes that are evaluated whatever the conditions inside of the expressions are."""
    seen: dict[Expr, None] = {}
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen[node] = None
        if isinstance(node, (e.And, e.Or)):
            stack.append(node.a)
        elif isinstance(node, e.Call) and _is_guard(node):
            stack.append(node.args[0])
        else:
            stack += expr_children(node)
    return seen
