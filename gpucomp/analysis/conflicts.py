"""May two accesses of shared memory by different threads of a block meet in one element?

The question is answered by the difference of the two index expressions, with the variables of the second
thread renamed.  Two proofs say no.  *Disjoint*: the interval of the difference leaves out zero.  *Same thread*:
a difference of zero forces all thread indices to be equal, digit by digit, as in a number whose digits have
different weights: where ``|c| > sum of all that is smaller``, the digit of weight ``c`` must agree.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from gpucomp.analysis.affine import ANY, Affine, AffineForms, Interval, is_xor
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.functor import expr_children, expr_post_order, free_vars, substitute, substitution
from gpucomp.tir.stmt import Stmt

# Around the stores of a stage that computes each element from its indices alone: threads that store the same element,
# which the form of the index does not rule out, store the same value.
WRITES_ONCE: Final = "pragma_writes_once"
_MOST_CASES: Final = 16

_Rename: TypeAlias = Callable[[Expr], Expr]
_Limits: TypeAlias = tuple[tuple[Var, Interval], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """One access of shared memory, by each thread of a block.

    Attributes:
        data: pointer of the memory.
        kind: "read", "write" or "atomic".
        index: element offset, with one variable for each vector lane; None when unknown.
        nbytes: bytes of the element.
        inner: variables that run over all their values while the other access does something else.
        limits: intervals of thread variables that enclosing conditions imply.
        stmt: the statement, for messages.
        once: what marks writes of one value a place, whichever thread it comes from (see ``WRITES_ONCE``).
    """

    data: Var
    kind: str
    index: Expr | None
    nbytes: int
    inner: frozenset[Var] = frozenset()
    limits: _Limits = ()
    stmt: Stmt | None = None
    once: object = None


@dataclass(frozen=True, slots=True)
class Carried:
    """The second access happens in a later iteration of a loop: ``var`` is then larger by 1 .. ``most``."""

    var: Var
    most: int


class Conflicts:
    """Answers questions about one kernel.

    Args:
        threads: thread variables of the block with their extents.
    """

    def __init__(self, threads: Mapping[Var, int]) -> None:
        self.threads = threads
        self.ranges: dict[Var, Interval] = {}
        ranges = self.ranges
        for var, extent in threads.items():
            ranges[var] = (0, max(extent - 1, 0))
        self.sums: dict[tuple[Var, Var], Interval] = {}
        self.forms = AffineForms(ranges, self.sums)
        self._primed: dict[Var, Var] = {}
        self._gaps: dict[Carried, Var] = {}
        self._before: dict[Var, Var] = {}
        self._turns: dict[tuple[Var, int], Var] = {}
        self._narrower: dict[tuple[_Limits, _Limits], AffineForms] = {}
        self._answers: dict[tuple[Access, Access, Carried | None], bool] = {}

    def bind(self, var: Var, low: int, high: int) -> None:
        """Tell the interval of a loop variable; of two loops that share one, the hull counts."""
        known = self.ranges.get(var)
        if known is None:
            self.ranges[var] = (low, high)
        elif low < known[0] or high > known[1]:
            self.ranges[var] = (min(low, known[0]), max(high, known[1]))
            self.forms = AffineForms(self.ranges, self.sums)
            self._narrower.clear()
            self._answers.clear()

    def any(self, before: Iterable[Access], after: Iterable[Access], carried: Carried | None = None) -> bool:
        """True if some earlier access may conflict with some later one."""
        later = list(after)
        if not later:
            return False
        for a in before:
            for b in later:
                if a.data is b.data and self.between(a, b, carried):
                    return True
        return False

    def between(self, a: Access, b: Access, carried: Carried | None = None) -> bool:
        """True if ``a``, and then ``b`` of another thread, may meet in one element that one of them writes."""
        if a.data is not b.data or a.kind == b.kind != "write":
            return False
        if a.kind == b.kind and a.once is not None and a.once is b.once:
            return False
        if a.index is None or b.index is None:
            return True
        key = (a, b, carried)
        found = self._answers.get(key)
        if found is None:
            found = self._answers[key] = self._between(a, b, carried)
        return found

    # -- the question -------------------------------------------------------------------------------------------

    def _between(self, a: Access, b: Access, carried: Carried | None) -> bool:
        assert a.index is not None
        assert b.index is not None
        first, second = a.index, b.index
        if a.nbytes != b.nbytes:
            first, second = self._bytes(a, first), self._bytes(b, second)
        names: dict[Var, Expr] = {v: self._prime(v) for v in (*self.threads, *_vars(b.inner, second))}
        if carried is not None:
            step: Expr = operators.const(1, carried.var.dtype)
            if carried.most > 1:
                step = self._gap(carried)
            # Both iterations exist, so the earlier one is not the last.
            now = self._earlier(carried.var)
            if isinstance(step, Var):
                low, high = self.ranges.get(carried.var, ANY)
                self.sums[now, step] = (low + 1, high)
            first = substitute(first, {carried.var: now})
            names[carried.var] = names[now] = operators.add(now, step)
        rename = substitution(names)
        second = rename(second)
        for case in self._cases(first, second, a.inner):
            put = substitution(case)
            if self._meets(a, b, put(first), put(second), rename):
                return True
        return False

    def _bytes(self, access: Access, index: Expr) -> Expr:
        """Offset in bytes, with a variable that runs over the bytes of the element."""
        part = Var("byte", index.dtype)
        self.ranges[part] = (0, access.nbytes - 1)
        if access.nbytes == 1:
            return index
        return operators.add(operators.multiply(index, operators.const(access.nbytes, index.dtype)), part)

    def _prime(self, var: Var) -> Var:
        """The variable of the other thread (or iteration)."""
        found = self._primed.get(var)
        if found is None:
            found = self._primed[var] = Var(var.name + "'", var.dtype)
        self.ranges[found] = self.ranges.get(var, ANY)
        return found

    def _earlier(self, var: Var) -> Var:
        """The loop variable in the earlier of two iterations."""
        found = self._before.get(var)
        if found is None:
            found = self._before[var] = Var(var.name, var.dtype)
        low, high = self.ranges.get(var, ANY)
        self.ranges[found] = (low, high - 1)
        return found

    def _gap(self, carried: Carried) -> Var:
        """Iterations between the two accesses."""
        found = self._gaps.get(carried)
        if found is None:
            found = self._gaps[carried] = Var(carried.var.name + "_gap", carried.var.dtype)
            self.ranges[found] = (1, carried.most)
        return found

    def _cases(self, first: Expr, second: Expr, inner: frozenset[Var]) -> list[dict[Var, Expr]]:
        """Split on remainders of common variables: ``k % 2`` is 0 or 1, for both accesses alike."""
        moduli: dict[Var, int] = {}
        own = inner | frozenset(self.threads) | frozenset(self._primed.values())
        for node in expr_post_order(first, second):
            if not (isinstance(node, e.FloorMod) and isinstance(node.b, e.IntImm) and 1 < node.b.value <= _MOST_CASES):
                continue
            for var in sorted(free_vars(node.a) - own, key=lambda v: v.name):
                moduli[var] = math.lcm(moduli.get(var, 1), node.b.value)
        if not moduli or math.prod(moduli.values()) > _MOST_CASES:
            return [{}]
        cases: list[dict[Var, Expr]] = []
        for remainders in itertools.product(*[range(m) for m in moduli.values()]):
            case: dict[Var, Expr] = {}
            for (var, m), r in zip(moduli.items(), remainders, strict=True):
                turn = self._turn(var, m)
                case[var] = operators.add(operators.multiply(turn, operators.const(m, var.dtype)), r)
            cases.append(case)
        return cases

    def _turn(self, var: Var, modulus: int) -> Var:
        turn = self._turns.get((var, modulus))
        if turn is None:
            turn = self._turns[var, modulus] = Var(f"{var.name}_{modulus}", var.dtype)
        low, high = self.ranges.get(var, ANY)
        self.ranges[turn] = (low // modulus, high // modulus)
        return turn

    def _within(self, mine: _Limits, theirs: _Limits) -> AffineForms:
        """Forms where thread variables are as conditions around the two accesses limit them."""
        if not mine and not theirs:
            return self.forms
        found = self._narrower.get((mine, theirs))
        if found is None:
            limits: dict[Var, Interval] = {}
            for var, limit in (*mine, *[(self._prime(var), limit) for var, limit in theirs]):
                limits[var] = _cut(limits.get(var) or self.ranges.get(var, ANY), limit)
            found = self._narrower[mine, theirs] = AffineForms(self.ranges, self.sums, limits)
        return found

    def _meets(self, a: Access, b: Access, first: Expr, second: Expr, rename: _Rename) -> bool:
        forms = self._within(a.limits, b.limits)
        x, y = forms.form(first), forms.form(second)
        if apart(forms, x.plus(y, -1)):
            return False
        equal: dict[Expr, None] = {}
        if self._resolve(forms, x, y, rename, equal):
            return False
        for var in self.threads:
            mine, theirs = forms.bounds(var), forms.bounds(self._prime(var))
            if var not in equal and not (mine == theirs and mine[0] == mine[1]):
                return True
        return False

    def _resolve(self, forms: AffineForms, x: Affine, y: Affine, rename: _Rename, equal: dict[Expr, None]) -> bool:
        """Enter the atoms of ``x`` that equal their renamed twins in ``y`` whenever ``x == y``; True if never."""
        digits: list[tuple[int, int, Expr]] = []
        gaps: dict[Expr, Affine] = {}
        left = rest = x.plus(y, -1)
        for atom, c in x.terms.items():
            twin = self._twin(forms, atom, rename)
            if twin is None or y.terms.get(twin) != c:
                continue
            low, high = forms.interval(Affine({atom: 1}, 0).plus(Affine({twin: 1}, 0), -1))
            digits.append((abs(c), max(abs(low), abs(high)), atom))
            gaps[atom] = Affine({atom: c, twin: -c}, 0)
            rest = rest.plus(gaps[atom], -1)
        low, high = forms.interval(rest)
        slack = max(abs(low), abs(high))
        digits.sort(key=lambda d: -d[0])
        for k, (weight, _, atom) in enumerate(digits):
            if weight <= slack + sum([w * span for w, span, _ in digits[k + 1 :]]):
                if apart(forms, left):
                    return True
                break
            left = left.plus(gaps[atom], -1)
            equal[atom] = None
        self._resolve_swizzles(forms, x, rename, equal)
        self._resolve_pairs(forms, x, rename, equal)
        return False

    def _resolve_swizzles(self, forms: AffineForms, x: Affine, rename: _Rename, equal: dict[Expr, None]) -> None:
        """Where ``a ^ b`` agrees and ``b`` does, ``a`` agrees."""
        for atom in x.terms:
            if not (isinstance(atom, e.Call) and is_xor(atom) and atom in equal):
                continue
            for known, other in (atom.args, atom.args[::-1]):
                if self._agrees(forms, known, rename, equal):
                    self._resolve(forms, forms.form(other), forms.form(rename(other)), rename, equal)

    def _agrees(self, forms: AffineForms, node: Expr, rename: _Rename, equal: dict[Expr, None]) -> bool:
        """True if an expression has the same value in both threads, for what it is made of has."""
        for atom in forms.form(node).terms:
            if atom in equal or (isinstance(atom, Var) and rename(atom) is atom):
                continue
            parts = [x for x in expr_children(atom) if not isinstance(x, e.IntImm)]
            if not parts or not all([self._agrees(forms, x, rename, equal) for x in parts]):
                return False
        return True

    def _resolve_pairs(self, forms: AffineForms, x: Affine, rename: _Rename, equal: dict[Expr, None]) -> None:
        """Where a quotient and a remainder of one dividend agree, the dividends agree."""
        for atom in x.terms:
            if not (isinstance(atom, e.FloorDiv) and atom in equal):
                continue
            remainder = e.FloorMod(atom.a, atom.b)
            if remainder not in equal:
                continue
            dividend = forms.form(atom.a)
            twin = forms.form(rename(atom.a))
            self._resolve(forms, dividend, twin, rename, equal)

    def _twin(self, forms: AffineForms, atom: Expr, rename: _Rename) -> Expr | None:
        """The renamed atom, if it is one."""
        other = rename(atom)
        if other is atom:
            return None
        form = forms.form(other)
        if form.const == 0 and len(form.terms) == 1:
            twin, c = next(iter(form.terms.items()))
            return twin if c == 1 else None
        return None


def apart(forms: AffineForms, difference: Affine) -> bool:
    """True if a difference is never zero, by its interval or modulo one of its factors."""
    low, high = forms.interval(difference)
    if low > 0 or high < 0:
        return True
    for g in sorted({abs(c) for c in difference.terms.values()} - {1}):
        rest = Affine({a: c for a, c in difference.terms.items() if c % g}, difference.const)
        low, high = forms.interval(rest)
        if -(-low // g) * g > high:  # no multiple of g in [low, high]
            return True
    return False


def _vars(names: frozenset[Var], node: Expr) -> list[Var]:
    """Those of the variables that occur, in a fixed order."""
    return sorted(names & free_vars(node), key=lambda v: v.name)


def _cut(a: Interval, b: Interval) -> Interval:
    return max(a[0], b[0]), min(a[1], b[1])
