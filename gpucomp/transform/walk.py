"""What the passes share: a mutator that knows the ranges of the variables in scope, and small questions about IR."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gpucomp.arith.analyzer import Analyzer
from gpucomp.arith.bounds import ConstIntBound
from gpucomp.support.dtype import BOOL
from gpucomp.tir import operators
from gpucomp.tir.expr import (
    Add,
    And,
    BufferLoad,
    Call,
    Expr,
    FloorDiv,
    IntImm,
    IterVar,
    Min,
    Mul,
    Range,
    Var,
)
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, expr_post_order
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import AttrStmt, For, Stmt

THREAD_KEYS: Final = frozenset({"thread_extent", "virtual_thread"})
TRUE: Final = IntImm(BOOL, 1)
FALSE: Final = IntImm(BOOL, 0)


class ScopedMutator(Mutator):
    """A mutator with one :class:`Analyzer`, which learns the range of each loop and thread variable on the way down.

    Bindings are never taken back: a variable does not occur outside its scope.
    """

    def __init__(self, func: PrimFunc | None = None) -> None:
        super().__init__()
        self.analyzer = Analyzer()
        self.known_ranges: dict[Var, tuple[Expr, Expr]] = {}
        if func is not None:
            self.bind_arguments(func)

    def bind_arguments(self, func: PrimFunc) -> None:
        """Tell the analyzer that extents of argument buffers are not negative, and what scalars are at least."""
        least = func.attrs.get("tir.minimum", {})
        for param in func.params:
            if param.name in least:
                self.analyzer.update(param, ConstIntBound(least[param.name], (1 << (param.dtype.bits - 1)) - 1), True)
        for buffer in func.buffer_map.values():
            for extent in buffer.shape:
                if isinstance(extent, Var):
                    most = (1 << (extent.dtype.bits - 1)) - 1
                    self.analyzer.update(extent, ConstIntBound(0, most), True)

    def bind_range(self, var: Var, low: Expr, extent: Expr) -> None:
        """Tell the analyzer that ``low <= var < low + extent``."""
        known = self.known_ranges.get(var)
        if known is not None:
            if known[0] is low and known[1] is extent:
                return
            self.forget()
        self.known_ranges[var] = (low, extent)
        self.analyzer.bind(var, Range.from_min_extent(low, extent), True)

    def forget(self) -> None:
        """Drop what was derived from a range that no longer holds: two loops share a variable."""
        self.memo.clear()

    def visit_for(self, node: For) -> Stmt:
        self.bind_range(node.loop_var, self.expr(node.min), self.expr(node.extent))
        return super().visit_for(node)

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        if node.attr_key in THREAD_KEYS and isinstance(node.node, IterVar):
            self.bind_range(node.node.var, operators.const(0, node.value.dtype), self.expr(node.value))
        return super().visit_attr_stmt(node)


def positive_factors(extent: Expr, analyzer: Analyzer) -> list[Var]:
    """The variables that are at least 1 where ``extent`` is, from what is known of their signs; none of a number.

    Looks into products of what is not negative, minima, and the quotient that rounds up: ``(n * m + 255) // 256``.
    """
    out: dict[Var, None] = {}
    stack = [extent]
    while stack:
        node = stack.pop()
        if isinstance(node, Var):
            if analyzer.const_int_bound(node).min_value < 1:
                out[node] = None
        elif isinstance(node, Mul):
            if all([analyzer.const_int_bound(x).min_value >= 0 for x in (node.a, node.b)]):
                stack += [node.b, node.a]
        elif isinstance(node, Min):
            stack += [node.b, node.a]
        elif isinstance(node, FloorDiv):
            top, divisor = node.a, int_value(node.b)
            more = int_value(top.b) if isinstance(top, Add) else 0
            if divisor is not None and more is not None and 0 <= more < divisor:
                stack.append(top.a if isinstance(top, Add) else top)
    return list(out)


def int_value(node: Expr | None) -> int | None:
    """The value of an integer literal, else None."""
    return node.value if type(node) is IntImm else None


def conjuncts(condition: Expr) -> list[Expr]:
    """The operands of a chain of ``And``, from left to right."""
    out: list[Expr] = []
    stack = [condition]
    while stack:
        item = stack.pop()
        if type(item) is And:
            stack += [item.b, item.a]
        else:
            out.append(item)
    return out


def conjunction(conditions: Iterable[Expr]) -> Expr:
    """``And`` of all; true when there are none."""
    result: Expr = TRUE
    for condition in conditions:
        result = operators.logical(And, result, condition)
    return result


def is_call(node: Expr, name: str) -> bool:
    """True for a call of the intrinsic ``tir.<name>``."""
    return type(node) is Call and isinstance(node.op, Op) and node.op.name == f"tir.{name}"


def is_pure(node: Expr) -> bool:
    """True when evaluating the expression changes nothing; loads are pure here."""
    for item in expr_post_order(node):
        if type(item) is Call and not (isinstance(item.op, Op) and item.op.is_pure):
            return False
    return True


def has_load(node: Expr) -> bool:
    """True when the expression reads memory."""
    return any([type(item) is BufferLoad for item in expr_post_order(node)])
