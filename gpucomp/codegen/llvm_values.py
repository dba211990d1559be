"""Values in LLVM registers: literals, splats, conversions and arithmetic, without knowledge of the IR's trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gpucomp.codegen.llvm_text import (
    REGISTER,
    FunctionText,
    ModuleText,
    float_literal,
    splat_literal,
    unsupported,
    vector,
)
from gpucomp.support.dtype import DType

_INT_FOLD: Final[dict[str, Callable[[int, int], int]]] = {
    "add": int.__add__,
    "sub": int.__sub__,
    "mul": int.__mul__,
}
_FLOAT_OPS: Final = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "rem": "frem"}
_FLOAT_COMPARE: Final = {"eq": "oeq", "ne": "une", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge"}


class ValueWriter:
    """Writes instructions that compute values.

    Attributes:
        fast: fast-math flags of floating operations; never nnan or ninf, masks are made of infinities.
        wrap: " nsw" while index arithmetic is written, which cannot overflow; user data wraps.
    """

    def __init__(self, module: ModuleText, text: FunctionText) -> None:
        self.module = module
        self.text = text
        self.fast = "contract"
        self.wrap = ""

    # -- literals ---------------------------------------------------------------------------------------------

    def literal(self, dtype: DType, value: float) -> str:
        """A literal of a scalar or vector type."""
        element = REGISTER[dtype.element]
        if dtype.is_float:
            text = float_literal(value, dtype.bits)
        elif dtype.is_bool:
            text = "true" if value else "false"
        else:
            text = str(signed(int(value), dtype.bits))
        return splat_literal(element, text, dtype.lanes)

    def zero(self, dtype: DType) -> str:
        """Zero in every lane."""
        return self.literal(dtype, 0) if dtype.lanes == 1 else "zeroinitializer"

    def splat(self, element: str, value: str, lanes: int) -> str:
        """A scalar in every lane."""
        if lanes == 1:
            return value
        if value[0] != "%" and value[0] != "@":
            return splat_literal(element, value, lanes)
        kind = vector(element, lanes)
        first = self.text.op(f"insertelement {kind} poison, {element} {value}, i64 0")
        return self.text.op(f"shufflevector {kind} {first}, {kind} poison, <{lanes} x i32> zeroinitializer")

    def lane(self, kind: str, value: str, index: int) -> str:
        """One lane of a vector."""
        return self.text.op(f"extractelement {kind} {value}, i64 {index}")

    # -- floating point ---------------------------------------------------------------------------------------

    def rounded(self, dtype: DType, value: str) -> str:
        """A float register rounded to a 16-bit type (and kept as float); other types pass through."""
        if dtype.bits != 16 or not dtype.is_float:
            return value
        kind = REGISTER[dtype]
        if dtype.code == "float":
            half = vector("half", dtype.lanes)
            low = self.text.op(f"fptrunc {kind} {value} to {half}")
            return self.text.op(f"fpext {half} {low} to {kind}")
        return self.text.op(f"call {kind} {bfloat_helper(self.module, dtype.lanes)}({kind} {value})")

    def float_op(self, op: str, dtype: DType, a: str, b: str) -> str:
        """One of add, sub, mul, div, rem, rounded to the type."""
        return self.rounded(dtype, self.text.op(f"{_FLOAT_OPS[op]} {self.fast} {REGISTER[dtype]} {a}, {b}"))

    # -- integers ---------------------------------------------------------------------------------------------

    def int_op(self, op: str, dtype: DType, a: str, b: str) -> str:
        """add, sub or mul; literals fold, index arithmetic carries nsw."""
        if is_number(a) and is_number(b):
            return str(signed(_INT_FOLD[op](int(a), int(b)), dtype.bits))
        if b == "0" and op != "mul":
            return a
        if (a == "0" and op == "add") or (a == "1" and op == "mul"):
            return b
        if op == "mul" and (b == "1" or a == "0"):
            return a
        return self.text.op(f"{op}{self.wrap if dtype.code == 'int' else ''} {REGISTER[dtype]} {a}, {b}")

    def safe_divisor(self, dtype: DType, b: str) -> str:
        """``b`` with zeros replaced by 1, so that a division on a path not taken cannot trap."""
        kind = REGISTER[dtype]
        none = self.compare("eq", dtype, b, self.zero(dtype))
        return self.select(dtype, none, self.literal(dtype, 1), b, vector("i1", dtype.lanes), kind)

    def divide(self, dtype: DType, a: str, b: str, constant: int | None) -> tuple[str, str]:
        """Truncating quotient and remainder.

        A zero divisor counts as 1; the smallest number divided by -1 wraps.  Neither may trap: the other side of
        a Select may be evaluated too.
        """
        kind = REGISTER[dtype]
        sign = "u" if dtype.code == "uint" else "s"
        if constant is not None and constant not in (0, -1):
            return self.text.op(f"{sign}div {kind} {a}, {b}"), self.text.op(f"{sign}rem {kind} {a}, {b}")
        divisor = self.safe_divisor(dtype, b)
        if sign == "u" or self.wrap:
            quotient = self.text.op(f"{sign}div {kind} {a}, {divisor}")
            product = self.text.op(f"mul {kind} {quotient}, {divisor}")
            return quotient, self.text.op(f"sub {kind} {a}, {product}")
        minus = self.compare("eq", dtype, divisor, self.literal(dtype, -1))
        tame = self.select(dtype, minus, self.literal(dtype, 1), divisor)
        plain = self.text.op(f"sdiv {kind} {a}, {tame}")
        negated = self.text.op(f"sub {kind} {self.zero(dtype)}, {a}")
        quotient = self.select(dtype, minus, negated, plain)
        product = self.text.op(f"mul {kind} {quotient}, {divisor}")
        return quotient, self.text.op(f"sub {kind} {a}, {product}")

    def floor_divide(self, dtype: DType, a: str, b: str, constant: int | None) -> str:
        """Quotient rounded toward minus infinity."""
        if is_number(a) and constant:
            return str(signed(int(a) // constant, dtype.bits))
        shift = power_of_two(constant)
        if shift is not None:
            if shift == 0:
                return a
            amount = self.literal(dtype, shift)
            return self.text.op(f"{'lshr' if dtype.code == 'uint' else 'ashr'} {REGISTER[dtype]} {a}, {amount}")
        quotient, remainder = self.divide(dtype, a, b, constant)
        if dtype.code == "uint":
            return quotient
        wrong = self._floor_differs(dtype, remainder, b, constant)
        step = self.text.op(f"zext {vector('i1', dtype.lanes)} {wrong} to {REGISTER[dtype]}")
        return self.text.op(f"sub {REGISTER[dtype]} {quotient}, {step}")

    def floor_remainder(self, dtype: DType, a: str, b: str, constant: int | None) -> str:
        """Remainder whose sign follows the divisor."""
        if is_number(a) and constant:
            return str(signed(int(a) % constant, dtype.bits))
        if power_of_two(constant) is not None and constant is not None:
            return self.text.op(f"and {REGISTER[dtype]} {a}, {self.literal(dtype, constant - 1)}")
        _, remainder = self.divide(dtype, a, b, constant)
        if dtype.code == "uint":
            return remainder
        wrong = self._floor_differs(dtype, remainder, b, constant)
        correction = self.select(dtype, wrong, b, self.zero(dtype))
        return self.text.op(f"add {REGISTER[dtype]} {remainder}, {correction}")

    def _floor_differs(self, dtype: DType, remainder: str, b: str, constant: int | None) -> str:
        kind, zero = REGISTER[dtype], self.zero(dtype)
        if constant is not None and constant > 0:
            return self.text.op(f"icmp slt {kind} {remainder}, {zero}")
        signs = self.text.op(f"xor {kind} {remainder}, {b}")
        opposite = self.text.op(f"icmp slt {kind} {signs}, {zero}")
        inexact = self.text.op(f"icmp ne {kind} {remainder}, {zero}")
        return self.text.op(f"and {vector('i1', dtype.lanes)} {opposite}, {inexact}")

    # -- comparisons and choices ------------------------------------------------------------------------------

    def compare(self, relation: str, dtype: DType, a: str, b: str) -> str:
        """eq, ne, lt, le, gt or ge of operands of type ``dtype``."""
        kind = REGISTER[dtype]
        if dtype.is_float:
            return self.text.op(f"fcmp {_FLOAT_COMPARE[relation]} {kind} {a}, {b}")
        if relation in ("eq", "ne"):
            return self.text.op(f"icmp {relation} {kind} {a}, {b}")
        return self.text.op(f"icmp {'s' if dtype.code == 'int' else 'u'}{relation} {kind} {a}, {b}")

    def select(self, dtype: DType, mask: str, a: str, b: str, mask_kind: str = "", kind: str = "") -> str:
        """``a`` where ``mask`` holds, else ``b``."""
        kind = kind or REGISTER[dtype]
        return self.text.op(f"select {mask_kind or vector('i1', dtype.lanes)} {mask}, {kind} {a}, {kind} {b}")

    def minmax(self, relation: str, dtype: DType, a: str, b: str) -> str:
        """The smaller ("lt") or larger ("gt") of two integers."""
        return self.select(dtype, self.compare(relation, dtype, a, b), a, b)

    # -- conversions ------------------------------------------------------------------------------------------

    def convert(self, source: DType, target: DType, value: str) -> str:
        """Convert lane by lane; float to int truncates toward zero, float to bool compares with 0."""
        if source is target:
            return value
        if target.is_bool:
            return self.compare("ne", source, value, self.zero(source))
        if target.is_float:
            return self._to_float(source, target, value)
        if not target.is_int:
            raise unsupported(target)
        return self._to_int(source, target, value)

    def _to_float(self, source: DType, target: DType, value: str) -> str:
        if not source.is_float:
            op = "sitofp" if source.code == "int" else "uitofp"
            return self.rounded(target, self.text.op(f"{op} {REGISTER[source]} {value} to {REGISTER[target]}"))
        narrow, wide = REGISTER[source], REGISTER[target]
        if source.bits == 64 and target.bits == 16 and target.code == "float":
            return self.rounded(target, self._rounded_to_odd(source, target, value))
        if narrow != wide:
            value = self.text.op(f"{'fpext' if target.bits == 64 else 'fptrunc'} {narrow} {value} to {wide}")
        return value if source.bits == 16 and source.code == target.code else self.rounded(target, value)

    def _rounded_to_odd(self, source: DType, target: DType, value: str) -> str:
        """A double as a float whose last bit says whether anything was lost, so that rounding again is right.

        S. Boldo, G. Melquiond, When double rounding is odd, 2005.
        """
        wide, kind = REGISTER[source], REGISTER[target]
        ints = DType("int32").with_lanes(target.lanes)
        near = self.text.op(f"fptrunc {wide} {value} to {kind}")
        back = self.text.op(f"fpext {kind} {near} to {wide}")
        size, exact = self._absolute(source, back), self._absolute(source, value)
        above = self.text.op(f"fcmp ogt {wide} {size}, {exact}")
        lost = self.text.op(f"fcmp one {wide} {size}, {exact}")
        flags = [self.text.op(f"zext {vector('i1', target.lanes)} {x} to {REGISTER[ints]}") for x in (above, lost)]
        bits = self.text.op(f"bitcast {kind} {near} to {REGISTER[ints]}")
        bits = self.text.op(f"sub {REGISTER[ints]} {bits}, {flags[0]}")
        bits = self.text.op(f"or {REGISTER[ints]} {bits}, {flags[1]}")
        return self.text.op(f"bitcast {REGISTER[ints]} {bits} to {kind}")

    def _absolute(self, dtype: DType, value: str) -> str:
        suffix = "f64" if dtype.lanes == 1 else f"v{dtype.lanes}f64"
        kind = REGISTER[dtype]
        return self.text.op(f"call {kind} {self.module.declare(f'llvm.fabs.{suffix}', kind, kind)}({kind} {value})")

    def _to_int(self, source: DType, target: DType, value: str) -> str:
        kind = REGISTER[target]
        if source.is_float:
            # Through a wider signed type: what numpy does, and negative numbers wrap rather than vanish.
            bits = max(32, target.bits) if target.code == "int" else max(64, target.bits)
            wide = vector(f"i{bits}", target.lanes)
            op = "fptoui" if target.code == "uint" and target.bits == 64 else "fptosi"
            whole = self.text.op(f"{op} {REGISTER[source]} {value} to {wide}")
            return whole if wide == kind else self.text.op(f"trunc {wide} {whole} to {kind}")
        if is_number(value) and target.code == source.code:
            return str(signed(int(value), target.bits))
        if REGISTER[source] == kind:
            return value
        if source.bits > target.bits:
            return self.text.op(f"trunc {REGISTER[source]} {value} to {kind}")
        op = "sext" if source.code == "int" else "zext"
        return self.text.op(f"{op} {REGISTER[source]} {value} to {kind}")


def is_number(text: str) -> bool:
    """True for a scalar integer literal."""
    return text[0] in "-0123456789" and not text.startswith("0x")


def signed(value: int, bits: int) -> int:
    """``value`` modulo 2**bits, as a signed number."""
    half = 1 << (bits - 1)
    return value if -half <= value < half else (value + half) % (2 * half) - half


def power_of_two(value: int | None) -> int | None:
    """The exponent when ``value`` is a positive power of two."""
    if value is None or value <= 0 or value & (value - 1):
        return None
    return value.bit_length() - 1


def bfloat_helper(module: ModuleText, lanes: int) -> str:
    """A function that rounds floats to bfloat16 precision: nearest, ties to even, NaNs stay NaNs."""
    name = f"gc.bfloat.{lanes}"
    if name not in module.helpers:
        f, i = vector("float", lanes), vector("i32", lanes)

        def c(value: int) -> str:
            return splat_literal("i32", str(value), lanes)

        module.helpers[name] = f"""define internal {f} @{name}({f} %x) alwaysinline {{
  %bits = bitcast {f} %x to {i}
  %high = lshr {i} %bits, {c(16)}
  %odd = and {i} %high, {c(1)}
  %bias = add {i} %odd, {c(0x7FFF)}
  %near = add {i} %bits, %bias
  %quiet = or {i} %bits, {c(0x400000)}
  %nan = fcmp uno {f} %x, %x
  %chosen = select {vector("i1", lanes)} %nan, {i} %quiet, {i} %near
  %kept = and {i} %chosen, {c(-65536)}
  %r = bitcast {i} %kept to {f}
  ret {f} %r
}}"""
    return "@" + name
