"""Conjunctions and disjunctions: flattened, with linear conditions over one sum merged."""

from __future__ import annotations

from gpucomp.arith.compare import Compare
from gpucomp.arith.extension import Extension
from gpucomp.arith.simplify import SCOPE_STEPS, Simplify, boolean
from gpucomp.arith.state import Node
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, IntImm, Var
from gpucomp.tir.functor import expr_children, expr_post_order, free_vars
from gpucomp.tir.intrin import Op

_FLATTEN_LIMIT = 64
_DIVISIONS = (e.FloorDiv, e.FloorMod, e.Div, e.Mod)
_IF_THEN_ELSE = Op.get("tir.if_then_else")
_GIVEN_DEEP = 4  # assumptions within assumptions
_CLAUSES = 32  # more of them and a disjunction of conjunctions stays one
_Key = frozenset[tuple[Expr, int]]


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


def _divisors(node: Expr) -> tuple[dict[Expr, None], dict[Expr, None]]:
    """What is divided by whenever an expression is evaluated, and what only in a branch of a guard is."""
    bare: dict[Expr, None] = {}
    guarded: dict[Expr, None] = {}
    seen: set[tuple[Expr, bool]] = set()
    stack = [(node, False)]
    while stack:
        item, behind = stack.pop()
        if (item, behind) in seen:
            continue
        seen.add((item, behind))
        if isinstance(item, _DIVISIONS):
            (guarded if behind else bare)[item.b] = None
        children = [(child, behind) for child in expr_children(item)]
        if isinstance(item, e.Call) and item.op is _IF_THEN_ELSE:
            children[1:] = [(child, True) for child, _ in children[1:]]
        stack += children
    return bare, guarded


class Logic(Compare):
    """Adds :meth:`_logical`."""

    def _logical(self, node: e.BinaryOp) -> Expr:
        kind = type(node)
        if node.dtype.lanes != 1:
            return self._vector(node)
        conjunction = kind is e.And
        kept: dict[Expr, None] = {}
        under = bool(self._extensions & Extension.ApplyConstraintsToBooleanBranches)
        for raw in operands(kind, node):
            simple = self._simp(raw)
            if under and kept and len(kept) <= _FLATTEN_LIMIT:
                simple = self._given(simple, kept, conjunction)
            for item in operands(kind, simple):
                if type(item) is IntImm:
                    if bool(item.value) != conjunction:
                        return boolean(not conjunction)
                    continue
                kept[item] = None
        while 1 < len(kept) <= _FLATTEN_LIMIT:
            merged = self._merge_conditions(kept, conjunction)
            if merged is None:
                return boolean(not conjunction)
            if len(merged) == len(kept):
                break
            kept = merged  # fewer ones; what two became may say something about a third
        if not kept:
            return boolean(conjunction)
        if not conjunction and self._extensions & Extension.ConvertBooleanToAndOfOrs:
            clauses = self._clauses(list(kept))
            if clauses is not None:
                return self._simp(_joined(e.And, clauses))
        return _joined(kind, list(kept))

    def _clauses(self, items: list[Expr]) -> list[Expr] | None:
        """The disjunctions whose conjunction a disjunction is; None if no operand is a conjunction, or for too many.

        An operand of a conjunction may have a meaning only where those before it hold; it is left there.
        """
        if not any([type(x) is e.And for x in items]) or not all([self._is_total(x) for x in items]):
            return None
        clauses: list[list[Expr]] = [[]]
        for item in items:
            parts = operands(e.And, item)
            if len(clauses) * len(parts) > _CLAUSES:
                return None
            clauses = [[*clause, part] for clause in clauses for part in parts]
        return [_joined(e.Or, clause) for clause in clauses]

    def _is_total(self, node: Expr) -> bool:
        """True if an expression has a value whatever its variables are: nothing is divided by zero or loaded."""
        for item in expr_post_order(node):
            if isinstance(item, _DIVISIONS):
                low, high = self._bound(item.b)
                if low <= 0 <= high:
                    return False
            elif not isinstance(item, (e.BinaryOp, e.Not, e.Select, e.Cast, e.ConstExpr, Var)) and (
                strip_likely(item) is item
            ):
                return False
        return True

    def _given(self, item: Expr, kept: dict[Expr, None], conjunction: bool) -> Expr:
        """An operand where the earlier ones of a conjunction hold, or those of a disjunction do not."""
        if self._given_deep >= _GIVEN_DEEP:  # what an assumption says is simplified under assumptions in turn
            return item
        about = free_vars(item)
        related = [strip_likely(x) for x in kept if not about.isdisjoint(free_vars(x))]
        saved: list[dict[str, object]] = []
        self._given_deep += 1
        try:
            conditions = related if conjunction else [self._negation(x) for x in related]
            for condition in conditions:
                self._spend(SCOPE_STEPS)
                saved.append(self._enter(condition))
            simple = self._simp(item)
        finally:
            self._given_deep -= 1
            for scope in reversed(saved):
                self._leave(scope)
        # Both operands may be computed before they are joined: no new division by the zero that an earlier one found.
        return item if simple is not item and self._divides_anew(item, simple) else simple

    def _divides_anew(self, before: Expr, after: Expr) -> bool:
        """True if there is a division by what may be zero, and was not divided by before, or only behind a guard."""
        bare, guarded = _divisors(before)
        now_bare, now_guarded = _divisors(after)
        new = [x for x in now_bare if x not in bare] + [x for x in now_guarded if x not in bare and x not in guarded]
        return any([low <= 0 <= high for low, high in map(self._bound, new)])

    def _merge_conditions(self, kept: dict[Expr, None], conjunction: bool) -> dict[Expr, None] | None:
        """Drop what others imply; None if the operands exclude each other (or, for Or, cover everything)."""
        if self._complementary(kept):
            return None
        kept = self._absorb_conditions(kept, e.Or if conjunction else e.And)
        return self._merge_orders(kept, conjunction)

    def _complementary(self, kept: dict[Expr, None]) -> bool:
        """True if an operand's negation is an operand too."""
        plain = dict.fromkeys([strip_likely(x) for x in kept])
        for item in plain:
            if isinstance(item, e.Not) and item.a in plain:
                return True
            if isinstance(item, e.EQ) and e.NE(item.a, item.b) in plain:
                return True
        return False

    def _absorb_conditions(self, kept: dict[Expr, None], dual: type[e.BinaryOp]) -> dict[Expr, None]:
        """p and (p or q) is p; p or (p and q) is p."""
        if not any([type(x) is dual for x in kept]):
            return kept
        return {x: None for x in kept if type(x) is not dual or not any([y in kept for y in operands(dual, x)])}

    def _merge_orders(self, kept: dict[Expr, None], conjunction: bool) -> dict[Expr, None] | None:
        """Among conditions "sum + c < 0" over one sum keep the decisive one."""
        best: dict[_Key, tuple[int, Expr]] = {}
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
        new: dict[Expr, Expr] = {}
        for key, (const, item) in best.items():
            opposite = best.get(_negated(key))
            if opposite is None:
                continue
            gap = const + opposite[0]
            if gap + 2 > 0 if conjunction else gap < 0:
                return None
            if gap == (-2 if conjunction else 0) and opposite[1] not in new:
                # d < T < d + 2 is T == d + 1; T < -c or T > -c is T != -c.
                new[item] = self._equation(e.EQ if conjunction else e.NE, item, const + conjunction)
                dropped[opposite[1]] = None
        for item in kept:
            equation = type(item) is e.EQ or type(item) is e.NE
            if equation and not self._merge_equation(item, best, conjunction, dropped):
                return None
        return {new.get(x, x): None for x in kept if x not in dropped} if dropped else kept

    def _equation(self, kind: type[e.BinaryOp], order: Expr, const: int) -> Expr:
        """The sum of an order condition, compared with -const."""
        condition: Node = strip_likely(order)
        dtype = condition.a.dtype
        return self._simp(kind(self._build(self._orders[condition][0], 0, dtype), IntImm(dtype, -const)))

    def _merge_equation(
        self, item: Node, best: dict[_Key, tuple[int, Expr]], conjunction: bool, dropped: dict[Expr, None]
    ) -> bool:
        """Compare T == v (or !=) with T + c < 0; False if the two decide the whole condition."""
        a, b = item.a, item.b
        if not a.dtype.is_int:
            return True
        terms, const = self._difference(self._form(a), self._form(b))
        for sign in (1, -1):
            order = best.get(frozenset([(t, k * sign) for t, k in terms.items()]))
            if order is None:
                continue
            holds = -const * sign + order[0] < 0  # the order, at T == v
            if type(item) is e.EQ and conjunction:
                if not holds:
                    return False
                dropped[order[1]] = None
            elif (type(item) is e.EQ and holds) or (type(item) is e.NE and conjunction and not holds):
                dropped[item] = None
            elif type(item) is e.NE and not conjunction:
                if holds:
                    return False
                dropped[order[1]] = None
        return True


def _joined(kind: type[e.BinaryOp], items: list[Expr]) -> Expr:
    """A tree of one operator over some operands."""
    result = items[0]
    for item in items[1:]:
        result = kind(result, item)
    return result


def _negated(key: _Key) -> _Key:
    return frozenset([(t, -k) for t, k in key])


Simplify._simp_table.update({e.And: Logic._logical, e.Or: Logic._logical})
