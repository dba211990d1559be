"""Expressions to numpy code: one assignment per distinct node, hoisted to where its operands are defined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

import numpy as np

from gpucomp.support.dtype import BOOL, DType
from gpucomp.support.recursion import ensure_recursion
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.functor import expr_children, free_vars
from gpucomp.tir.interp.faults import UNSUPPORTED, Faults
from gpucomp.tir.interp.values import Lane, Val, Writer, deepest, int_range
from gpucomp.tir.stmt import Stmt

_COMPARE: Final[dict[type, str]] = {e.EQ: "==", e.NE: "!=", e.LT: "<", e.LE: "<=", e.GT: ">", e.GE: ">="}


class ExprCompiler:
    """Compiles expressions under the current mask.

    Integers of up to 32 bits are held as Python ints or int64 arrays as long as their interval shows that they
    cannot wrap, else in arrays of their own type, where numpy wraps as the type does.
    """

    table: ClassVar[dict[type, Callable[[Any, Any], Val]]] = {}

    def __init__(self, faults: Faults) -> None:
        self.w = Writer()
        self.faults = faults
        self.env: dict[str, Any] = {"np": np}  # Any: the globals of the generated code
        self.memo: dict[Expr, Val] = {}
        self.volatile: dict[tuple[Expr, int], Val] = {}
        self.added: dict[int, list[Expr]] = {}
        self.mask: Lane | None = None
        self.in_lanes = False
        self.stmt: Stmt | None = None
        self.site = 0
        self._bound: dict[Var, Val] = {}
        self._danger: dict[Expr, bool] = {}

    # -- scopes and names -------------------------------------------------------------------------------------

    def open(self, header: str) -> None:
        """Begin a block of generated code."""
        self.w.open(header)

    def close(self) -> None:
        """End it, and forget what was defined inside."""
        self.w.close()
        for depth in [d for d in self.added if d > self.w.depth]:
            for node in self.added.pop(depth):
                self.memo.pop(node, None)

    def bind(self, node: Expr, val: Val) -> None:
        """Remember the value of an expression until its scope ends."""
        self.memo[node] = val
        self.added.setdefault(val.depth, []).append(node)

    def bind_var(self, var: Var, val: Val) -> None:
        """Let a variable stand for a value; what was computed from an earlier binding is forgotten."""
        if self._bound.get(var, val) != val:
            for node in [n for n in self.memo if var in free_vars(n)]:
                del self.memo[node]
        self._bound[var] = val
        self.bind(var, val)

    def constant(self, prefix: str, key: str, value: object) -> str:
        """A global of the generated code."""
        name = f"{prefix}_{key}"
        self.env.setdefault(name, value)
        return name

    def np_dtype(self, dtype: DType) -> str:
        """Name of a numpy dtype in generated code."""
        return self.constant("D", str(dtype.element), dtype.element.numpy)

    def np_type(self, dtype: DType) -> str:
        """Name of a numpy scalar type in generated code."""
        return self.constant("T", str(dtype.element), dtype.element.numpy.type)

    def mask_text(self) -> str:
        """The current mask, ``None`` when all lanes are active."""
        return "None" if self.mask is None else self.mask.text

    # -- values -----------------------------------------------------------------------------------------------

    def literal(self, value: int, dtype: DType) -> Val:
        """A known integer or bool."""
        if dtype.is_bool:
            return Val(
                "True" if value else "False", 0, dtype, lo=int(value != 0), hi=int(value != 0), known=int(value != 0)
            )
        return Val(str(value) if value >= 0 else f"({value})", 0, dtype, lo=value, hi=value, known=value)

    def pure(
        self, text: str, operands: tuple[Val, ...], dtype: DType, *, arr: bool | None = None,
        lo: int | None = None, hi: int | None = None, wide: bool = False,
    ) -> Val:  # fmt: skip
        """A value computed by ``text`` from the operands only."""
        depth = deepest(operands)
        low, high = int_range(dtype.element) if dtype.is_integral else (0, 0)
        return Val(
            self.w.define(text, depth),
            depth,
            dtype,
            any([v.arr for v in operands]) if arr is None else arr,
            any([v.varying for v in operands]),
            low if lo is None else lo,
            high if hi is None else hi,
            wide,
            any([v.volatile for v in operands]),
        )

    def here(self, text: str, dtype: DType, *, arr: bool, varying: bool, prefix: str = "v", wide: bool = False) -> Val:
        """A value computed by ``text`` at this very place: it depends on memory or on the mask."""
        name = self.w.name(prefix)
        self.w.line(f"{name} = {text}")
        low, high = int_range(dtype.element) if dtype.is_integral else (0, 0)
        return Val(name, self.w.depth, dtype, arr, varying, low, high, wide, volatile=True)

    def integer(self, text: str, operands: tuple[Val, ...], dtype: DType, lo: int, hi: int) -> Val:
        """The result of integer arithmetic whose exact value lies in [lo, hi]: wrapped where it may overflow."""
        low, high = int_range(dtype.element)
        arr = any([v.arr for v in operands])
        if lo == hi and low <= lo <= high and not any([v.volatile for v in operands]):
            return self.literal(lo, dtype)
        if low <= lo and hi <= high:
            return self.pure(text, operands, dtype, lo=lo, hi=hi, wide=arr and any([v.wide for v in operands]))
        if not arr:
            mask, half = (1 << dtype.bits) - 1, 1 << (dtype.bits - 1)
            text = f"({text}) & {mask}" if dtype.code == "uint" else f"((({text}) + {half}) & {mask}) - {half}"
            return self.pure(text, operands, dtype)
        if any([v.wide for v in operands]) and dtype.bits < 64:
            return self.pure(f"({text}).astype({self.np_dtype(dtype)})", operands, dtype)
        return self.pure(text, operands, dtype, wide=dtype.bits == 64 and dtype.is_signed)

    def native(self, val: Val) -> Val:
        """The same integers in an array of their own type (scalars stay scalars)."""
        if not (val.arr and val.wide) or val.dtype.bits == 64:
            return val
        return self.pure(f"{val.text}.astype({self.np_dtype(val.dtype)})", (val,), val.dtype, lo=val.lo, hi=val.hi)

    def typed(self, val: Val) -> str:
        """Text of the value as numpy data of its own type, also for scalars."""
        if not val.dtype.is_integral:
            return val.text
        if val.arr:
            return self.native(val).text
        return f"{self.np_type(val.dtype)}({val.text})"

    # -- entry ------------------------------------------------------------------------------------------------

    def begin(self, stmt: Stmt) -> None:
        """Begin the expressions of a statement: what earlier statements read from memory is stale."""
        self.stmt = stmt
        self.site = self.faults.site(stmt)
        self.volatile.clear()

    def root(self, node: Expr) -> Val:
        """Compile an expression of a statement."""
        ensure_recursion(node.depth)
        return self.expr(node)

    def expr(self, node: Expr) -> Val:
        """Compile an expression under the current mask."""
        found = self.memo.get(node)
        if found is not None:
            return found
        key = (node, -1 if self.mask is None else self.mask.number)
        found = self.volatile.get(key)
        if found is not None:
            return found
        method = self.table.get(type(node))
        if method is None:
            method = next((self.table[c] for c in type(node).__mro__ if c in self.table), ExprCompiler.refuse)
        val = method(self, node)
        if val.volatile:
            self.volatile[key] = val
        else:
            self.bind(node, val)
        return val

    def refuse(self, node: Expr) -> Val:
        """Expressions that have no meaning at this stage."""
        raise self.unsupported(f"{type(node).__name__} has no meaning here: {str(node)[:80]}")

    def unsupported(self, message: str, hint: str | None = None) -> Exception:
        """The error for something that the interpreter cannot run."""
        return self.faults.error(UNSUPPORTED, message, self.site, hint=hint)

    def var(self, node: Var) -> Val:
        """A variable that nothing binds."""
        raise self.unsupported(f"variable {node.name} is used outside of what defines it")

    def int_imm(self, node: e.IntImm) -> Val:
        return self.literal(node.value, node.dtype)

    def float_imm(self, node: e.FloatImm) -> Val:
        name = f"c{len(self.env)}"
        with np.errstate(all="ignore"):
            self.env[name] = np.asarray(node.value, np.float64).astype(node.dtype.numpy)[()]
        return Val(name, 0, node.dtype)

    # -- arithmetic -------------------------------------------------------------------------------------------

    def arithmetic(self, node: e.BinaryOp) -> Val:
        a, b = self.expr(node.a), self.expr(node.b)
        sign = "+" if isinstance(node, e.Add) else "-" if isinstance(node, e.Sub) else "*"
        text = f"{a.text} {sign} {b.text}"
        if not node.dtype.is_int:
            return self.pure(text, (a, b), node.dtype)
        if sign == "+":
            ends = [a.lo + b.lo, a.hi + b.hi]
        elif sign == "-":
            ends = [a.lo - b.hi, a.hi - b.lo]
        else:
            ends = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
        return self.integer(text, (a, b), node.dtype, min(ends), max(ends))

    def division(self, node: e.BinaryOp) -> Val:
        a, b = self.expr(node.a), self.expr(node.b)
        kind = type(node)
        if not node.dtype.is_int:
            return self._float_division(kind, a, b, node.dtype)
        if b.lo <= 0 <= b.hi:
            text = f"K.check_divisor({b.text}, {self.mask_text()}, {self.site})"
            if not self.in_lanes:
                text = f"nonzero({b.text}, {self.site})"
            safe = self.here(text, b.dtype, arr=b.arr, varying=b.varying, wide=b.wide)
            low = 1 if b.lo == 0 else b.lo
            b = Val(safe.text, safe.depth, b.dtype, b.arr, b.varying, low, b.hi, b.wide, volatile=True)
        if kind is e.FloorDiv or (kind is e.Div and a.lo >= 0 and b.lo > 0):
            return self.integer(f"{a.text} // {b.text}", (a, b), node.dtype, *_quotients(a, b, node.dtype))
        if kind is e.FloorMod or (kind is e.Mod and a.lo >= 0 and b.lo > 0):
            if a.lo >= 0 and b.lo > a.hi:
                return a
            return self.integer(f"{a.text} % {b.text}", (a, b), node.dtype, *_remainders(a, b))
        low, high = int_range(node.dtype.element)
        a, b = self.native(a), self.native(b)
        fn = "trunc_div" if kind is e.Div else "trunc_mod"
        if kind is e.Div and not a.arr and not b.arr:  # Python ints: the smallest number over -1 must wrap
            high += 1
        return self.integer(f"{fn}({a.text}, {b.text})", (a, b), node.dtype, low, high)

    def _float_division(self, kind: type, a: Val, b: Val, dtype: DType) -> Val:
        text = {
            e.Div: f"{a.text} / {b.text}",
            e.Mod: f"np.fmod({a.text}, {b.text})",
            e.FloorDiv: f"np.floor({a.text} / {b.text})",
            e.FloorMod: f"floor_mod_float({a.text}, {b.text})",
        }[kind]
        return self.pure(text, (a, b), dtype)

    def min_max(self, node: e.BinaryOp) -> Val:
        a, b = self.expr(node.a), self.expr(node.b)
        small = type(node) is e.Min
        if not node.dtype.is_integral:
            return self.pure(f"np.{'fmin' if small else 'fmax'}({a.text}, {b.text})", (a, b), node.dtype)
        pick = min if small else max
        lo, hi = pick(a.lo, b.lo), pick(a.hi, b.hi)
        if a.arr or b.arr:
            return self.integer(
                f"np.{'minimum' if small else 'maximum'}({a.text}, {b.text})", (a, b), node.dtype, lo, hi
            )
        return self.integer(f"{'min' if small else 'max'}({a.text}, {b.text})", (a, b), node.dtype, lo, hi)

    def compare(self, node: e.CmpOp) -> Val:
        a, b = self.expr(node.a), self.expr(node.b)
        kind = type(node)
        if a.dtype.is_integral:
            decided = _decide(kind, a, b)
            if decided is not None:
                return self.literal(decided, node.dtype)
        return self.pure(f"{a.text} {_COMPARE[kind]} {b.text}", (a, b), node.dtype)

    def logical(self, node: e.BinaryOp) -> Val:
        a = self.expr(node.a)
        is_and = type(node) is e.And
        if a.known is not None:
            return self.expr(node.b) if a.known == int(is_and) else a
        if not self.danger(node.b):
            b = self.expr(node.b)
            if b.known is not None:
                return a if b.known == int(is_and) else b
            sign = ("&" if is_and else "|") if a.arr or b.arr else ("and" if is_and else "or")
            return self.pure(f"{a.text} {sign} {b.text}", (a, b), node.dtype)
        false, true = self.literal(0, BOOL), self.literal(1, BOOL)
        if is_and:
            return self.guarded(a, lambda: self.expr(node.b), lambda: false, node.dtype)
        return self.guarded(a, lambda: true, lambda: self.expr(node.b), node.dtype)

    def negation(self, node: e.Not) -> Val:
        a = self.expr(node.a)
        if a.known is not None:
            return self.literal(1 - a.known, node.dtype)
        return self.pure(f"~{a.text}" if a.arr else f"not {a.text}", (a,), node.dtype)

    # -- choices ----------------------------------------------------------------------------------------------

    def select(self, node: e.Select) -> Val:
        c, x, y = self.expr(node.condition), self.expr(node.true_value), self.expr(node.false_value)
        return self.choose(c, x, y, node.dtype)

    def choose(self, c: Val, x: Val, y: Val, dtype: DType) -> Val:
        """``x`` where ``c`` holds, else ``y``; both are there already."""
        if c.known is not None:
            return x if c.known else y
        if not c.arr and x.arr == y.arr and (not x.arr or x.wide == y.wide):
            text = f"({x.text} if {c.text} else {y.text})"
            return self.pure(text, (c, x, y), dtype, arr=x.arr, lo=min(x.lo, y.lo), hi=max(x.hi, y.hi), wide=x.wide)
        if c.arr and dtype.lanes > c.dtype.lanes:  # one answer for all lanes of a thread's vector
            c = self.pure(f"{c.text}[:, None]", (c,), c.dtype, arr=True)
        if dtype.is_int:
            text = f"np.where({c.text}, {self.typed(x)}, {self.typed(y)})"
            wide = dtype.bits == 64 and dtype.is_signed
            return self.pure(text, (c, x, y), dtype, arr=True, lo=min(x.lo, y.lo), hi=max(x.hi, y.hi), wide=wide)
        return self.pure(f"np.where({c.text}, {x.text}, {y.text})", (c, x, y), dtype, arr=True)

    def guarded(self, c: Val, then: Callable[[], Val], other: Callable[[], Val], dtype: DType) -> Val:
        """A choice of which only the chosen side is evaluated."""
        if c.known is not None:
            return then() if c.known else other()
        if c.arr and c.dtype.lanes == 1:
            outer = self.mask
            self.mask = self.narrow(outer, c, expected=True)
            x = then()
            self.mask = self.narrow(outer, c, expected=False)
            y = other()
            self.mask = outer
            return self.choose(c, x, y, dtype)
        if c.arr:
            raise self.unsupported("a condition that differs between vector lanes guards a load or a division")
        result = self.w.name("v")
        saved = dict(self.volatile)
        sides: list[Val] = []
        # Not "else:": what the second side shares with the surroundings is defined between the two.
        for header, side in ((f"if {c.text}:", then), (f"if not ({c.text}):", other)):
            self.open(header)
            val = side()
            # Both sides end in one representation: own type, so that neither interval matters afterwards.
            self.w.line(f"{result} = {self.native(val).text}")
            sides.append(val)
            self.close()
            self.volatile = dict(saved)
        arr = any([s.arr for s in sides])
        if arr and not all([s.arr for s in sides]):
            self.w.line(f"{result} = np.asarray({result}, {self.np_dtype(dtype)})")
        varying = any([s.varying for s in sides])
        if varying and not all([s.varying for s in sides]):
            tail = "(K.L, 1)" if dtype.lanes > 1 else "(K.L,)"
            self.w.line(f"{result} = np.broadcast_to({result}, np.broadcast_shapes({tail}, np.shape({result})))")
        low, high = (min([s.lo for s in sides]), max([s.hi for s in sides])) if dtype.is_integral else (0, 0)
        wide = arr and dtype.bits == 64 and dtype.is_signed
        return Val(result, self.w.depth, dtype, arr, varying, low, high, wide, volatile=True)

    def narrow(self, mask: Lane | None, c: Val, *, expected: bool, nonempty: bool = False) -> Lane:
        """The mask of the lanes where a condition per lane holds (or does not)."""
        test = c.text if expected else f"~{c.text}"
        depth = c.depth
        if mask is not None:
            test, depth = f"{mask.text} & {test}", max(depth, mask.depth)
        name = self.w.define(test, depth, "m")
        return Lane(name, depth, int(name[1:]) if name[1:].isdigit() else 0, maybe_empty=not nonempty)

    def danger(self, node: Expr) -> bool:
        """True if evaluating the expression where it is not wanted could fail."""
        found = self._danger.get(node)
        if found is not None:
            return found
        impure = isinstance(node, e.Call) and not getattr(node.op, "is_pure", False)
        if impure or isinstance(node, (e.BufferLoad, e.ProducerLoad, e.Reduce)):
            found = True
        elif isinstance(node, (e.Div, e.Mod, e.FloorDiv, e.FloorMod)) and node.dtype.is_int:
            divisor = node.b.value if isinstance(node.b, e.Broadcast) else node.b
            found = not isinstance(divisor, e.IntImm) or divisor.value == 0 or self.danger(node.a)
        else:
            found = any([self.danger(c) for c in expr_children(node)])
        self._danger[node] = found
        return found

    # -- conversions and vectors ------------------------------------------------------------------------------

    def cast(self, node: e.Cast) -> Val:
        return self.convert(self.expr(node.value), node.dtype)

    def convert(self, val: Val, dtype: DType) -> Val:
        """A value as another element type."""
        source = val.dtype
        if dtype.element is source.element:
            return val
        if dtype.is_bool:
            return self.pure(f"{val.text} != 0", (val,), dtype)
        if dtype.is_int and source.is_integral:
            return self._int_to_int(val, dtype)
        if dtype.is_int:
            if val.arr:
                return self.pure(f"{val.text}.astype({self.np_dtype(dtype)})", (val,), dtype)
            return self.pure(f"int(np.asarray({val.text}).astype({self.np_dtype(dtype)}))", (val,), dtype)
        if val.arr:
            return self.pure(f"{val.text}.astype({self.np_dtype(dtype)})", (val,), dtype)
        return self.pure(f"{self.np_type(dtype)}({val.text})", (val,), dtype)

    def _int_to_int(self, val: Val, dtype: DType) -> Val:
        low, high = int_range(dtype.element)
        fits = low <= val.lo and val.hi <= high
        if val.known is not None and fits:
            return self.literal(val.known, dtype)
        if not val.arr:
            text = f"int({val.text})" if val.dtype.is_bool else val.text
            return self.integer(text, (val,), dtype, val.lo, val.hi)
        if fits and val.wide and not (dtype.bits == 64 and dtype.code == "uint"):
            return Val(val.text, val.depth, dtype, True, val.varying, val.lo, val.hi, True, val.volatile)
        if fits and dtype.is_signed:
            return self.pure(f"{val.text}.astype(np.int64)", (val,), dtype, lo=val.lo, hi=val.hi, wide=True)
        ends = (val.lo, val.hi) if fits else (low, high)
        return self.pure(f"{val.text}.astype({self.np_dtype(dtype)})", (val,), dtype, lo=ends[0], hi=ends[1])

    def broadcast(self, node: e.Broadcast) -> Val:
        val = self.expr(node.value)
        if not val.arr:
            return Val(val.text, val.depth, node.dtype, False, False, val.lo, val.hi, False, val.volatile, val.known)
        return self.pure(f"{val.text}[:, None]", (val,), node.dtype, lo=val.lo, hi=val.hi, wide=val.wide)

    def ramp(self, node: e.Ramp) -> Val:
        base, stride = self.expr(node.base), self.expr(node.stride)
        steps = self.constant("R", str(node.lanes), np.arange(node.lanes, dtype=np.int64)[None, :])
        lanes = Val(steps, 0, node.dtype, True, False, 0, node.lanes - 1, True)
        reach = [x * (node.lanes - 1) for x in (stride.lo, stride.hi)] + [0]
        step = f"{stride.text}[:, None]" if stride.arr else stride.text
        first = f"{base.text}[:, None]" if base.arr else base.text
        text = f"{first} + {step} * {steps}"
        return self.integer(text, (base, stride, lanes), node.dtype, base.lo + min(reach), base.hi + max(reach))

    def shuffle_lanes(self, node: e.Shuffle) -> Val:
        parts = [self.expr(v) for v in node.vectors]
        rows = ", ".join([f"as_rows({self.typed(p)}, {p.dtype.lanes})" for p in parts])
        text = f"shuffle_rows(({rows},), {node.indices})"
        arr = node.dtype.lanes > 1 or any([p.varying for p in parts])
        val = self.pure(text, tuple(parts), node.dtype, arr=arr)
        if arr and node.dtype.lanes == 1:
            return self.pure(f"{val.text}[:, 0]", (val,), node.dtype)
        if not arr:
            item = f"{val.text}[0, 0]"
            return self.pure(f"int({item})" if node.dtype.is_integral else item, (val,), node.dtype)
        return val

    def let(self, node: e.Let) -> Val:
        self.bind_var(node.var, self.expr(node.value))
        val = self.expr(node.body)
        self.memo.pop(node.var, None)
        return val


def _quotients(a: Val, b: Val, dtype: DType) -> tuple[int, int]:
    low, high = int_range(dtype.element)
    if b.lo <= 0 <= b.hi:
        return low, high + 1
    ends = [x // y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
    return min(ends), max(ends)


def _remainders(a: Val, b: Val) -> tuple[int, int]:
    """Interval of a - b * floor(a / b)."""
    if b.lo <= 0:
        return min(b.lo, 0), max(b.hi, 0)
    return 0, min(b.hi - 1, a.hi) if a.lo >= 0 else b.hi - 1


def _decide(kind: type, a: Val, b: Val) -> bool | None:
    """The outcome of a comparison that the intervals decide."""
    if kind is e.GT or kind is e.GE:
        a, b, kind = b, a, e.LT if kind is e.GT else e.LE
    if kind is e.LT:
        return True if a.hi < b.lo else False if a.lo >= b.hi else None
    if kind is e.LE:
        return True if a.hi <= b.lo else False if a.lo > b.hi else None
    apart = a.hi < b.lo or b.hi < a.lo
    same = a.lo == a.hi == b.lo == b.hi
    return (kind is e.NE) if apart else (kind is e.EQ) if same else None


ExprCompiler.table = {
    Var: ExprCompiler.var,
    e.IntImm: ExprCompiler.int_imm,
    e.FloatImm: ExprCompiler.float_imm,
    **dict.fromkeys((e.Add, e.Sub, e.Mul), ExprCompiler.arithmetic),
    **dict.fromkeys((e.Div, e.Mod, e.FloorDiv, e.FloorMod), ExprCompiler.division),
    **dict.fromkeys((e.Min, e.Max), ExprCompiler.min_max),
    **dict.fromkeys(_COMPARE, ExprCompiler.compare),
    e.And: ExprCompiler.logical,
    e.Or: ExprCompiler.logical,
    e.Not: ExprCompiler.negation,
    e.Select: ExprCompiler.select,
    e.Cast: ExprCompiler.cast,
    e.Broadcast: ExprCompiler.broadcast,
    e.Ramp: ExprCompiler.ramp,
    e.Shuffle: ExprCompiler.shuffle_lanes,
    e.Let: ExprCompiler.let,
}
