"""Index arithmetic: sums of atoms with constant factors, which cancel, have tight intervals, and hoist well."""

from __future__ import annotations

from gpucomp.support.dtype import INT64
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.interp.exprs import ExprCompiler
from gpucomp.tir.interp.faults import Faults
from gpucomp.tir.interp.values import Val, deepest

Linear = tuple[dict[Expr, int], int]


class AffineCompiler(ExprCompiler):
    """Adds linear forms to expressions.

    Attributes:
        fixed: scalar parameters, whose values are known.
    """

    def __init__(self, faults: Faults) -> None:
        super().__init__(faults)
        self.fixed: dict[Var, int] = {}
        self._linear: dict[Expr, Linear] = {}

    def linear(self, node: Expr) -> Linear:
        """Integer expression as a sum of atoms with constant factors; exact since indices never overflow."""
        found = self._linear.get(node)
        if found is None:
            found = self._linear[node] = self._make_linear(node)
        return found

    def _make_linear(self, node: Expr) -> Linear:
        if isinstance(node, e.IntImm):
            return {}, node.value
        if isinstance(node, Var) and node in self.fixed:
            return {}, self.fixed[node]
        if isinstance(node, (e.Add, e.Sub)):
            return add_linear(self.linear(node.a), self.linear(node.b), 1 if isinstance(node, e.Add) else -1)
        if isinstance(node, e.Mul):
            a, b = self.linear(node.a), self.linear(node.b)
            if not b[0]:
                return scale_linear(a, b[1])
            if not a[0]:
                return scale_linear(b, a[1])
        if isinstance(node, e.Cast) and node.value.dtype.is_int and node.dtype.bits >= node.value.dtype.bits:
            return self.linear(node.value)
        return {node: 1}, 0

    def sum_of(self, form: Linear) -> Val:
        """The value of a linear form, as a Python int or an int64 array; shallow terms are added first."""
        terms, total = form
        scalars: dict[int, list[str]] = {}
        arrays: dict[int, list[str]] = {}
        used: list[Val] = []
        lo = hi = total
        for atom, factor in terms.items():
            val = self.expr(atom)
            if val.known is not None:
                total, lo, hi = total + factor * val.known, lo + factor * val.known, hi + factor * val.known
                continue
            ends = (val.lo * factor, val.hi * factor)
            lo, hi = lo + min(ends), hi + max(ends)
            if val.arr and not val.wide:
                val = self.pure(f"{val.text}.astype(np.int64)", (val,), val.dtype, lo=val.lo, hi=val.hi, wide=True)
            used.append(val)
            text = val.text if factor == 1 else f"{val.text} * {factor}"
            (arrays if val.arr else scalars).setdefault(val.depth, []).append(text)
        if not used:
            return self.literal(total, INT64)
        parts: list[str] = []
        for group, start in ((arrays, ""), (scalars, str(total) if total else "")):
            acc = start
            for depth in sorted(group):
                text = " + ".join(([acc] if acc else []) + group[depth])
                acc = text if " " not in text else self.w.define(text, depth)
            if acc:
                parts.append(acc)
        depth = deepest(used)
        text = " + ".join(parts)
        name = text if " " not in text else self.w.define(text, depth)
        volatile = any([v.volatile for v in used])
        return Val(name, depth, INT64, bool(arrays), any([v.varying for v in used]), lo, hi, True, volatile)


def add_linear(a: Linear, b: Linear, factor: int = 1) -> Linear:
    """a + factor * b"""
    terms = dict(a[0])
    for atom, c in b[0].items():
        total = terms.get(atom, 0) + factor * c
        if total:
            terms[atom] = total
        else:
            terms.pop(atom, None)
    return terms, a[1] + factor * b[1]


def scale_linear(a: Linear, factor: int) -> Linear:
    """a * factor"""
    return ({k: v * factor for k, v in a[0].items()} if factor else {}), a[1] * factor
