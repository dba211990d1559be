"""What an analyzer knows and what it has worked out: the base of the classes that make up ``Analyzer``.

Two kinds of table live here.  *Structural* ones (how a sum splits into terms) hold in any context and live as
long as the analyzer.  *Contextual* ones (simplified forms, bounds, congruences, proofs) hold for one version of
the facts: a constraint scope starts fresh ones and falls back on the outer ones for expressions that do not
mention what the constraint is about; changing a fact about a variable that was already met clears them.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from gpucomp.arith.bounds import Congruence, Interval
from gpucomp.arith.extension import Extension
from gpucomp.support.dtype import INT32, INT64, DType
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.functor import free_vars

Terms = dict[Expr, int]
Form = tuple[Terms, int]
"""A sum: atom -> coefficient, and the constant.  Shared forms are never changed in place."""
Node = Any  # Any: a node whose class was tested by identity of its type, which narrows nothing

_INDEX_CALLS: Final = frozenset(
    ["tir.likely", "tir.if_then_else", "tir.shift_left", "tir.shift_right"]
    + [f"tir.bitwise_{name}" for name in ("and", "or", "xor")]
)


class Impure(Exception):
    """An expression contains a call with effects: it is left as it is."""


class TooLarge(Exception):
    """A coefficient or constant does not fit into the type of its sum: the expression is not normalised."""


class OutOfBudget(Exception):
    """One question took more steps than it may: the expression is left as it is, the proof is not found."""


BUDGET: Final = 16_000  # steps of one question; a step takes one to two microseconds
UNLIMITED: Final = 1 << 62
_BUDGET_PER_LEVEL: Final = 8  # long sums are deep, and every term of them counts


class Step(NamedTuple):
    """One thing that simplification did.

    Attributes:
        id: of a rule (``rules.py``) or of a step of the code (``steps.py``).
    """

    id: str
    before: Expr
    after: Expr

    def __str__(self) -> str:
        return f"{self.id}: {self.before}  ->  {self.after}"


class Layer:
    """Answers of an enclosing scope, right for expressions without the variables that the inner scope is about."""

    __slots__ = ("bounds", "memo", "outer", "reach")

    def __init__(
        self, reach: frozenset[Var], memo: dict[Expr, Expr], bounds: dict[Expr, Interval], outer: Layer | None
    ) -> None:
        self.reach = reach
        self.memo = memo
        self.bounds = bounds
        self.outer = outer


class State:
    """Facts and memo tables."""

    def __init__(self) -> None:
        # Facts.
        self._known: dict[Expr, Interval] = {}  # bounds of variables and, under constraints, of other atoms
        self._congruent: dict[Expr, Congruence] = {}
        self._replaced: dict[Var, Expr] = {}
        self._bound_to: dict[Var, tuple[object, ...]] = {}  # what bind and update were told
        self._facts: list[Form] = []  # sums known to be >= 0
        self._facts_of: dict[Expr, list[Form]] = {}
        # Contextual memos.
        self._memo: dict[Expr, Expr] = {}
        self._again: dict[Expr, Expr] = {}  # the same for results that are read once more
        self._assumed: dict[Expr, Expr] = {}  # conditions that the scope says are true or false
        self._bounds: dict[Expr, Interval] = {}
        self._mods: dict[Expr, Congruence] = {}
        self._proofs: dict[object, bool] = {}
        self._met: dict[Var, None] = {}
        self._outer: Layer | None = None
        # Structural memos.
        self._forms: dict[Expr, Form] = {}
        self._sums: dict[object, Expr] = {}
        self._products: dict[frozenset[tuple[Expr, int]], Expr] = {}
        self._factors: dict[Expr, tuple[Expr, ...]] = {}
        self._orders: dict[Expr, Form] = {}  # comparison -> the sum that it says is < 0
        self._data: dict[Expr, bool] = {}
        self._plain: dict[Expr, bool] = {}
        self._met_data = False
        self._extensions = Extension.TransitivelyProveInequalities
        self._nested = 0  # choices whose branches are in work
        self._given_deep = 0  # conditions that are simplified under what stands beside them
        self._trace: list[Step] | None = None  # what was done, where somebody asked for it
        self._budget = UNLIMITED  # steps that are left to the question in work

    def _allow(self, node: Expr) -> None:
        """A new question begins."""
        self._budget = BUDGET + _BUDGET_PER_LEVEL * node.depth

    def _spend(self, steps: int) -> None:
        self._budget -= steps
        if self._budget < 0:
            raise OutOfBudget

    def _note(self, step: str, before: Expr, after: Expr) -> None:
        if self._trace is not None and before is not after:
            self._trace.append(Step(step, before, after))

    # What the layers above provide; declared here so that lower layers may call them.

    def _simp(self, node: Expr) -> Expr:
        raise NotImplementedError

    def _rewritten(self, node: Expr) -> Expr:
        raise NotImplementedError

    def _bound(self, node: Expr) -> Interval:
        raise NotImplementedError

    def _is_total(self, node: Expr) -> bool:
        raise NotImplementedError

    def _congruence(self, node: Expr) -> Congruence:
        raise NotImplementedError

    def _prove_nonnegative(self, terms: Terms, const: int, depth: int) -> bool:
        raise NotImplementedError

    def _forget(self) -> None:
        """Drop everything that depends on facts."""
        self._memo, self._bounds, self._mods, self._proofs, self._met = {}, {}, {}, {}, {}
        self._again = {}
        self._outer = None

    # -- data and indices -------------------------------------------------------------------------------------

    def _is_data(self, node: Node) -> bool:
        """True when loaded values flow into the value of ``node``: such integers may wrap.

        Index arithmetic (axes, extents, literals) does not overflow; data arithmetic does, as on the device.
        """
        found = self._data.get(node)
        if found is None:
            kind = type(node)
            if isinstance(node, e.BinaryOp):
                found = self._is_data(node.a) or self._is_data(node.b)
            elif kind is e.Cast:
                found = self._is_data(node.value) or not node.value.dtype.is_integral
            elif kind is e.Select:
                found = self._is_data(node.true_value) or self._is_data(node.false_value)
            elif kind is e.Broadcast:
                found = self._is_data(node.value)
            elif kind is e.Ramp:
                found = self._is_data(node.base) or self._is_data(node.stride)
            elif kind is e.Call and getattr(node.op, "name", "") in _INDEX_CALLS:
                found = any([self._is_data(x) for x in node.args])
            else:
                found = not isinstance(node, (Var, e.ConstExpr))
            self._data[node] = found
        return found

    def _may_wrap(self, dtype: DType, terms: Terms) -> bool:
        """True when a sum of this type may differ from the sum over the integers."""
        if dtype is not INT32 and dtype is not INT64:
            return True
        if self._met_data:
            for atom in terms:
                if self._is_data(atom):
                    return True
        return False

    # -- answers of enclosing scopes --------------------------------------------------------------------------

    def _simplified_outside(self, node: Expr) -> Expr | None:
        layer, free = self._outer, free_vars(node)
        while layer is not None and layer.reach.isdisjoint(free):
            found = layer.memo.get(node)
            if found is not None:
                return found
            layer = layer.outer
        return None

    def _bound_outside(self, node: Expr) -> Interval | None:
        layer, free = self._outer, free_vars(node)
        while layer is not None and layer.reach.isdisjoint(free):
            found = layer.bounds.get(node)
            if found is not None:
                return found
            layer = layer.outer
        return None
