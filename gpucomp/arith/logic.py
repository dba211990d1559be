"""Conjunctions and disjunctions: flattened, with linear conditions over one sum merged."""

from __future__ import annotations

from gpucomp.arith.simplify import Simplify, boolean
from gpucomp.arith.state import Form
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, IntImm
from gpucomp.tir.intrin import Op

_FLATTEN_LIMIT = 64


def strip_likely(node: Expr) -> Expr:
    """The condition inside ``likely(...)``."""
    if type(node) is e.Call and isinstance(node.op, Op) and node.op.name == "tir.likely":
        return node.args[0]
    return node


def operands(kind: type[e.BinaryOp], node: Expr) -> list[Expr]:
    """Operands of a tree of one associative operator, in order."""
    out: list[Expr] = []
    stack = [node]
    while stack:
        item = stack.pop()
        if type(item) is kind:
            stack += [item.b, item.a]
        else:
            out.append(item)
    return out


class Logic(Simplify):
    """Adds :meth:`_logical`."""

    def _logical(self, node: e.BinaryOp) -> Expr:
        kind = type(node)
        if node.dtype.lanes != 1:
            return self._children(node)
        conjunction = kind is e.And
        kept: dict[Expr, None] = {}
        for raw in operands(kind, node):
            for item in operands(kind, self._simp(raw)):
                if type(item) is IntImm:
                    if bool(item.value) != conjunction:
                        return boolean(not conjunction)
                    continue
                kept[item] = None
        if len(kept) > 1 and len(kept) <= _FLATTEN_LIMIT:
            if self._complementary(kept):
                return boolean(not conjunction)
            merged = self._merge_orders(kept, conjunction)
            if merged is None:
                return boolean(not conjunction)
            kept = merged
        if not kept:
            return boolean(conjunction)
        items = list(kept)
        result = items[0]
        for item in items[1:]:
            result = kind(result, item)
        return result

    def _complementary(self, kept: dict[Expr, None]) -> bool:
        """True if an operand's negation is an operand too."""
        plain = dict.fromkeys([strip_likely(x) for x in kept])
        for item in plain:
            kind = type(item)
            if kind is e.Not and item.a in plain:
                return True
            if kind is e.EQ and e.NE(item.a, item.b) in plain:
                return True
        return False

    def _merge_orders(self, kept: dict[Expr, None], conjunction: bool) -> dict[Expr, None] | None:
        """Among conditions "sum + c < 0" over one sum keep the decisive one; None if they exclude each other.

        For a disjunction "exclude" means that one of them always holds.
        """
        best: dict[frozenset[tuple[Expr, int]], tuple[int, Expr]] = {}
        dropped: dict[Expr, None] = {}
        for item in kept:
            form = self._orders.get(strip_likely(item))
            if form is None:
                continue
            terms, const = form
            key = frozenset(terms.items())
            seen = best.get(key)
            if seen is not None:
                weaker = item if (const < seen[0]) == conjunction else seen[1]
                dropped[weaker] = None
                if weaker is item:
                    continue
            best[key] = const, item
            opposite = best.get(frozenset([(t, -k) for t, k in terms.items()]))
            if opposite is not None and self._exclusive(const, opposite[0], conjunction):
                return None
        if conjunction:
            for item in kept:
                if type(item) is e.EQ and self._equality_excluded(item, best):
                    return None
        return {x: None for x in kept if x not in dropped} if dropped else kept

    def _exclusive(self, c: int, d: int, conjunction: bool) -> bool:
        """T + c < 0 and -T + d < 0: d < T < -c has no integer T; their disjunction: every T is covered."""
        return c + d + 2 > 0 if conjunction else c + d < 0

    def _equality_excluded(self, item: Expr, best: dict[frozenset[tuple[Expr, int]], tuple[int, Expr]]) -> bool:
        terms, const = self._difference(self._form(item.a), self._form(item.b))  # type: ignore[attr-defined]
        for sign in (1, -1):
            order = best.get(frozenset([(t, k * sign) for t, k in terms.items()]))
            if order is not None and -const * sign + order[0] >= 0:
                return True
        return False


def order_of(analyzer: Logic, node: Expr) -> Form | None:
    """The sum that the simplified comparison ``node`` says is negative, if it is one."""
    return analyzer._orders.get(node)  # noqa: SLF001  # one family of classes


Simplify._simp_table.update({e.And: Logic._logical, e.Or: Logic._logical})
