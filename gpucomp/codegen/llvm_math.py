"""Elementary functions of float32 scalars and vectors as LLVM IR, without calls of a library.

Each function reduces its argument to a small interval and evaluates a polynomial there (W. Cody, W. Waite, Software
Manual for the Elementary Functions, 1980, for the reductions; the coefficients are minimax fits by iteratively
reweighted least squares, made for this module).  Errors stay below 2 units in the last place (tanh and sigmoid: 2.5);
infinities, NaNs, signed zeros and the denormal range come out as IEEE 754 asks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Final

from gpucomp.codegen.llvm_text import ModuleText, float_literal, splat_literal, vector

_EXP: Final = (0.49999994, 0.166665211, 0.0416682884, 0.00836870354, 0.00138189388)  # (e^r - 1 - r) / r^2
_EXP2: Final = (0.693147182, 0.240226477, 0.0555035956, 0.0096185049, 0.0013391024, 0.000153271729)  # (2^r - 1) / r
_EXP10: Final = (2.30258512, 2.650949, 2.03465605, 1.17125261, 0.541827917, 0.207657918)  # (10^r - 1) / r
_LOG: Final = (
    0.333333135, -0.250000089, 0.200020716, -0.166679904, 0.142203629, -0.124062076, 0.118834704, -0.116701923,
    0.0674955621,
)  # fmt: skip  # (log(1 + f) - f + f^2 / 2) / f^3
_ERF_SMALL: Final = (
    0.128379166, -0.376126289, 0.112836257, -0.0268557407, 0.00519246049, -0.000805080403, 8.00277485e-05
)  # fmt: skip  # erf(x) / x - 1 in x^2
_ERF_LARGE: Final = (
    0.000166438855, 1.12779725, 0.636976123, 0.104113616, -0.0223151762, 0.00306548108, -0.000198218841
)  # fmt: skip  # -log(1 - erf(t)) on 0.9 .. 4.05

_LN2_HIGH, _LN2_LOW = 0.693359375, math.log(2) - 0.693359375  # the high part has 9 bits: products with it are exact
_LG2_HIGH, _LG2_LOW = 0.301025390625, math.log10(2) - 0.301025390625
_ROUND: Final = 12582912.0  # 1.5 * 2**23: adding it leaves the nearest integer in the low bits
_ROUND_BITS: Final = 0x4B400000
_SQRT_HALF_BITS: Final = 0x3F3504F3
_INF: Final = math.inf
_SCALEF, _SCALED_LANES = "x86.avx512.mask.scalef.ps.512", 16


class _Body:
    """Instructions of one function of one vector.

    Attributes:
        scales: the processor has an instruction for x * 2**n of such vectors, which takes any n.
    """

    def __init__(self, lanes: int, features: Collection[str] = ()) -> None:
        self.lanes = lanes
        self.scales = lanes == _SCALED_LANES and "avx512f" in features
        self.float = vector("float", lanes)
        self.int = vector("i32", lanes)
        self.bool = vector("i1", lanes)
        self.suffix = "f32" if lanes == 1 else f"v{lanes}f32"
        self.lines: list[str] = []
        self.used: dict[str, str] = {}  # arguments of each intrinsic

    def op(self, text: str) -> str:
        name = f"%t{len(self.lines)}"
        self.lines.append(f"  {name} = {text}")
        return name

    def c(self, value: float) -> str:
        return splat_literal("float", float_literal(value, 32), self.lanes)

    def i(self, value: int) -> str:
        return splat_literal("i32", str(value), self.lanes)

    def add(self, a: str, b: str) -> str:
        return self.op(f"fadd {self.float} {a}, {b}")

    def sub(self, a: str, b: str) -> str:
        return self.op(f"fsub {self.float} {a}, {b}")

    def mul(self, a: str, b: str) -> str:
        return self.op(f"fmul {self.float} {a}, {b}")

    def div(self, a: str, b: str) -> str:
        return self.op(f"fdiv {self.float} {a}, {b}")

    def call(self, name: str, *args: str) -> str:
        self.used[f"{name}.{self.suffix}"] = ", ".join([self.float] * len(args))
        return self.op(
            f"call {self.float} @llvm.{name}.{self.suffix}({', '.join([f'{self.float} {a}' for a in args])})"
        )

    def fma(self, a: str, b: str, c: str) -> str:
        """a * b + c, in one instruction where there is one."""
        return self.call("fmuladd", a, b, c)

    def poly(self, x: str, coefficients: Sequence[float]) -> str:
        """Coefficients from the lowest power on."""
        result = self.c(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            result = self.fma(result, x, self.c(coefficient))
        return result

    def compare(self, relation: str, a: str, b: str) -> str:
        return self.op(f"fcmp {relation} {self.float} {a}, {b}")

    def select(self, mask: str, a: str, b: str) -> str:
        return self.op(f"select {self.bool} {mask}, {self.float} {a}, {self.float} {b}")

    def clamp(self, x: str, low: float, high: float) -> str:
        """x within [low, high]; a NaN stays."""
        x = self.select(self.compare("olt", self.c(high), x), self.c(high), x)
        return self.select(self.compare("ogt", self.c(low), x), self.c(low), x)

    def ints(self, op: str, a: str, b: str) -> str:
        return self.op(f"{op} {self.int} {a}, {b}")

    def bits(self, x: str) -> str:
        return self.op(f"bitcast {self.float} {x} to {self.int}")

    def from_bits(self, x: str) -> str:
        return self.op(f"bitcast {self.int} {x} to {self.float}")

    def nearest(self, x: str, scale: float) -> tuple[str, str]:
        """The integer nearest to x * scale, as float and as int; no conversion of a NaN, which would be undefined."""
        t = self.fma(x, self.c(scale), self.c(_ROUND))
        return self.sub(t, self.c(_ROUND)), self.ints("sub", self.bits(t), self.i(_ROUND_BITS))

    def power(self, n: str) -> str:
        """2**n for n in -126 .. 127."""
        return self.from_bits(self.ints("shl", self.ints("add", n, self.i(127)), self.i(23)))

    def scale(self, x: str, whole: str, n: str) -> str:
        """x * 2**n, in two steps, so that results may be denormal or infinite; ``whole``: n as a float."""
        if self.scales:
            return self.scalef(x, whole)
        half = self.ints("ashr", n, self.i(1))
        return self.mul(self.mul(x, self.power(half)), self.power(self.ints("sub", n, half)))

    def scalef(self, x: str, whole: str) -> str:
        """The instruction: a NaN times 2**infinity is infinity, times 2**-infinity 0."""
        kinds = [self.float, self.float, self.float, "i16", "i32"]
        self.used[_SCALEF] = f"{', '.join(kinds[:4])}, i32 immarg"
        values = zip(kinds, [x, whole, "zeroinitializer", "-1", "4"], strict=True)  # all lanes, rounding as set
        return self.op(f"call {self.float} @llvm.{_SCALEF}({', '.join([f'{kind} {v}' for kind, v in values])})")


def _exp(b: _Body, x: str) -> str:
    x = b.clamp(x, -105.0, 89.5)
    n, i = b.nearest(x, 1 / math.log(2))
    r = b.fma(n, b.c(-_LN2_LOW), b.fma(n, b.c(-_LN2_HIGH), x))
    p = b.fma(b.mul(r, r), b.poly(r, _EXP), r)
    return b.scale(b.add(p, b.c(1.0)), n, i)


def _exp2(b: _Body, x: str) -> str:
    if b.scales:  # of infinities r is a NaN, which the instruction makes infinity or 0
        n = b.call("rint", x)
        r = b.sub(x, n)
        return b.scalef(b.fma(r, b.poly(r, _EXP2), b.c(1.0)), n)
    x = b.clamp(x, -151.0, 129.0)
    n, i = b.nearest(x, 1.0)
    r = b.sub(x, n)
    return b.scale(b.fma(r, b.poly(r, _EXP2), b.c(1.0)), n, i)


def _exp10(b: _Body, x: str) -> str:
    x = b.clamp(x, -46.0, 39.0)
    n, i = b.nearest(x, 1 / math.log10(2))
    r = b.fma(n, b.c(-_LG2_LOW), b.fma(n, b.c(-_LG2_HIGH), x))
    return b.scale(b.fma(r, b.poly(r, _EXP10), b.c(1.0)), n, i)


def _expm1(b: _Body, x: str) -> str:
    big = _exp(b, x)
    y = b.clamp(x, -20.0, 20.0)
    n, i = b.nearest(y, 1 / math.log(2))
    r = b.fma(n, b.c(-_LN2_LOW), b.fma(n, b.c(-_LN2_HIGH), y))
    p = b.fma(b.mul(r, r), b.poly(r, _EXP), r)
    t = b.power(i)
    near = b.fma(t, p, b.sub(t, b.c(1.0)))
    near = b.select(b.compare("oeq", x, b.c(0.0)), x, near)  # keeps -0.0
    return b.select(b.compare("ogt", x, b.c(15.0)), b.sub(big, b.c(1.0)), near)


def _log_parts(b: _Body, x: str) -> tuple[str, str, str]:
    """f, rest and e with log(x) = e * log(2) + (f + rest), |f| < 0.42, for normal and denormal x > 0."""
    tiny = b.compare("olt", x, b.c(2.0**-126))
    x = b.select(tiny, b.mul(x, b.c(2.0**23)), x)
    bits = b.bits(x)
    e = b.ints("ashr", b.ints("sub", bits, b.i(_SQRT_HALF_BITS)), b.i(23))
    m = b.from_bits(b.ints("sub", bits, b.ints("shl", e, b.i(23))))
    scaled = b.op(f"select {b.bool} {tiny}, {b.int} {b.i(-23)}, {b.int} {b.i(0)}")
    exponent = b.op(f"sitofp {b.int} {b.ints('add', e, scaled)} to {b.float}")
    f = b.sub(m, b.c(1.0))
    return f, _log_rest(b, f), exponent


def _log_rest(b: _Body, f: str) -> str:
    square = b.mul(f, f)
    return b.fma(b.mul(square, f), b.poly(f, _LOG), b.mul(square, b.c(-0.5)))


def _log_ends(b: _Body, x: str, result: str) -> str:
    """The values of a logarithm at 0, infinity, below 0 and of NaN."""
    result = b.select(b.compare("oeq", x, b.c(_INF)), x, result)
    result = b.select(b.compare("ult", x, b.c(0.0)), b.c(math.nan), result)
    return b.select(b.compare("oeq", x, b.c(0.0)), b.c(-_INF), result)


def _log(b: _Body, x: str) -> str:
    f, rest, e = _log_parts(b, x)
    small = b.add(f, b.fma(e, b.c(_LN2_LOW), rest))
    return _log_ends(b, x, b.fma(e, b.c(_LN2_HIGH), small))


def _log2(b: _Body, x: str) -> str:
    f, rest, e = _log_parts(b, x)
    t = b.add(f, rest)
    return _log_ends(b, x, b.add(e, b.fma(t, b.c(1 / math.log(2) - 1), t)))


def _log10(b: _Body, x: str) -> str:
    f, rest, e = _log_parts(b, x)
    t = b.fma(e, b.c(_LG2_LOW), b.mul(b.add(f, rest), b.c(1 / math.log(10))))
    return _log_ends(b, x, b.fma(e, b.c(_LG2_HIGH), t))


def _log1p(b: _Body, x: str) -> str:
    u = b.add(x, b.c(1.0))
    lost = b.div(b.sub(x, b.sub(u, b.c(1.0))), u)  # log(1 + x) = log(u) + (1 + x - u) / u, nearly
    f, rest, e = _log_parts(b, u)
    far = b.fma(e, b.c(_LN2_HIGH), b.add(f, b.add(lost, b.fma(e, b.c(_LN2_LOW), rest))))
    far = _log_ends(b, u, far)
    near = b.add(x, _log_rest(b, x))
    near = b.select(b.compare("oeq", x, b.c(0.0)), x, near)
    size = b.call("fabs", b.sub(x, b.c(0.05)))
    return b.select(b.compare("olt", size, b.c(0.33)), near, far)


def _tanh(b: _Body, x: str) -> str:
    """(e^2|x| - 1) / (e^2|x| + 1); the numerator loses no digits near 0, and from 10 on the quotient rounds to 1."""
    size = b.call("fabs", x)
    size = b.select(b.compare("olt", b.c(10.0), size), b.c(10.0), size)
    y = b.add(size, size)
    n, i = b.nearest(y, 1 / math.log(2))
    r = b.fma(n, b.c(-_LN2_LOW), b.fma(n, b.c(-_LN2_HIGH), y))
    p = b.fma(b.mul(r, r), b.poly(r, _EXP), r)
    t = b.power(i)
    less = b.fma(t, p, b.sub(t, b.c(1.0)))
    return b.call("copysign", b.div(less, b.add(less, b.c(2.0))), x)


def _sigmoid(b: _Body, x: str) -> str:
    e = _exp(b, b.op(f"fneg {b.float} {b.call('fabs', x)}"))
    over = b.select(b.compare("olt", x, b.c(0.0)), e, b.c(1.0))
    return b.div(over, b.add(e, b.c(1.0)))


def _erf(b: _Body, x: str) -> str:
    size = b.call("fabs", x)
    square = b.mul(x, x)
    near = b.fma(x, b.poly(square, _ERF_SMALL), x)
    t = b.clamp(size, 0.0, 4.05)
    tail = _exp(b, b.op(f"fneg {b.float} {b.poly(t, _ERF_LARGE)}"))
    far = b.call("copysign", b.sub(b.c(1.0), tail), x)
    return b.select(b.compare("olt", size, b.c(0.925)), near, far)


def _rsqrt(b: _Body, x: str) -> str:
    return b.div(b.c(1.0), b.call("sqrt", x))


FLOAT32: Final[dict[str, Callable[[_Body, str], str]]] = {
    "exp": _exp,
    "exp2": _exp2,
    "exp10": _exp10,
    "expm1": _expm1,
    "log": _log,
    "log2": _log2,
    "log10": _log10,
    "log1p": _log1p,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "erf": _erf,
    "rsqrt": _rsqrt,
}


def helper(module: ModuleText, name: str, lanes: int) -> str:
    """The function ``name`` of ``lanes`` floats, written into the module at first use; returns ``@symbol``."""
    symbol = f"gc.{name}.{lanes}"
    if symbol not in module.helpers:
        body = _Body(lanes, module.features)
        result = FLOAT32[name](body, "%x")
        for used, arguments in body.used.items():
            module.declare(f"llvm.{used}", body.float, arguments)
        text = "\n".join(body.lines)
        module.helpers[symbol] = (
            f"define internal {body.float} @{symbol}({body.float} %x) alwaysinline {{\n"
            f"{text}\n  ret {body.float} {result}\n}}"
        )
    return "@" + symbol
