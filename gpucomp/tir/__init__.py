"""Low-level IR: expressions, statements, functions, and the operations that build them."""

from __future__ import annotations

from functools import reduce as _reduce
from typing import Any as _Any

from gpucomp.ir.types import PointerType, PrimType
from gpucomp.tir import ir_builder, stmt_functor
from gpucomp.tir import operators as _operators
from gpucomp.tir.buffer import Buffer, BufferRegion, decl_buffer
from gpucomp.tir.expr import (
    EQ,
    GE,
    GT,
    LE,
    LT,
    NE,
    Add,
    And,
    Broadcast,
    BufferLoad,
    Call,
    Cast,
    CommReducer,
    Div,
    Expr,
    ExprLike,
    FloatImm,
    FloorDiv,
    FloorMod,
    GlobalVar,
    IntImm,
    IterVar,
    Let,
    Max,
    Min,
    Mod,
    Mul,
    Not,
    Or,
    ProducerLoad,
    Ramp,
    Range,
    Reduce,
    Select,
    Shuffle,
    SizeVar,
    StringImm,
    Sub,
    Var,
)
from gpucomp.tir.function import CallingConv, PrimFunc
from gpucomp.tir.intrin import (
    CallEffectKind,
    Op,
    abs,
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    call_extern,
    call_intrin,
    call_llvm_intrin,
    call_llvm_pure_intrin,
    call_pure_extern,
    ceil,
    clz,
    copysign,
    cos,
    cosh,
    dp4a,
    erf,
    exp,
    exp2,
    exp10,
    floor,
    fma,
    fmod,
    hypot,
    if_then_else,
    infinity,
    isfinite,
    isinf,
    isnan,
    ldexp,
    likely,
    log,
    log1p,
    log2,
    log10,
    max_value,
    min_value,
    nearbyint,
    nextafter,
    popcount,
    power,
    reinterpret,
    round,
    rsqrt,
    sigmoid,
    sin,
    sinh,
    sqrt,
    tan,
    tanh,
    trunc,
)
from gpucomp.tir.operators import cast, const, convert, floordiv, floormod, truncdiv, truncmod
from gpucomp.tir.operators import maximum as max
from gpucomp.tir.operators import minimum as min
from gpucomp.tir.packed import call_packed
from gpucomp.tir.stmt import (
    Allocate,
    AllReduce,
    AssertStmt,
    AttrStmt,
    Block,
    BlockRealize,
    BufferRealize,
    BufferStore,
    Evaluate,
    For,
    ForKind,
    IfThenElse,
    LetStmt,
    MatchBufferRegion,
    Prefetch,
    ProducerRealize,
    ProducerStore,
    SeqStmt,
    Stmt,
    While,
)


def all(*conditions: ExprLike, span: object = None) -> Expr:
    """Every condition holds: ``tir.all(i > 0, j > 0)`` where Python would say ``i > 0 and j > 0``."""
    return _reduce(lambda a, b: _operators.logical(And, a, b), _exprs(conditions))


def any(*conditions: ExprLike, span: object = None) -> Expr:
    """At least one condition holds."""
    return _reduce(lambda a, b: _operators.logical(Or, a, b), _exprs(conditions))


def _exprs(conditions: _Any) -> list[Expr]:
    if not conditions:
        raise ValueError("expected at least one condition")
    return [convert(c) for c in conditions]


def div(a: ExprLike, b: ExprLike, span: object = None) -> Expr:
    """a / b as C divides."""
    return truncdiv(a, b)


def indexdiv(a: ExprLike, b: ExprLike, span: object = None) -> Expr:
    """Quotient of two indices, both >= 0."""
    return floordiv(a, b)


def indexmod(a: ExprLike, b: ExprLike, span: object = None) -> Expr:
    """Remainder of two indices, both >= 0."""
    return floormod(a, b)


def ceildiv(a: ExprLike, b: ExprLike, span: object = None) -> Expr:
    """Quotient rounded up."""
    x, y = _operators.match_types(a, b)
    return floordiv(x + y - 1, y)


pow = power  # public name

__all__ = [
    "Add",
    "AllReduce",
    "Allocate",
    "And",
    "AssertStmt",
    "AttrStmt",
    "Block",
    "BlockRealize",
    "Broadcast",
    "Buffer",
    "BufferLoad",
    "BufferRealize",
    "BufferRegion",
    "BufferStore",
    "Call",
    "CallEffectKind",
    "CallingConv",
    "Cast",
    "CommReducer",
    "Div",
    "EQ",
    "Evaluate",
    "Expr",
    "ExprLike",
    "FloatImm",
    "FloorDiv",
    "FloorMod",
    "For",
    "ForKind",
    "GE",
    "GT",
    "GlobalVar",
    "IfThenElse",
    "IntImm",
    "IterVar",
    "LE",
    "LT",
    "Let",
    "LetStmt",
    "MatchBufferRegion",
    "Max",
    "Min",
    "Mod",
    "Mul",
    "NE",
    "Not",
    "Op",
    "Or",
    "PointerType",
    "Prefetch",
    "PrimFunc",
    "PrimType",
    "ProducerLoad",
    "ProducerRealize",
    "ProducerStore",
    "Ramp",
    "Range",
    "Reduce",
    "Select",
    "SeqStmt",
    "Shuffle",
    "SizeVar",
    "Stmt",
    "StringImm",
    "Sub",
    "Var",
    "While",
    "abs",
    "acos",
    "acosh",
    "all",
    "any",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "call_extern",
    "call_intrin",
    "call_packed",
    "call_llvm_intrin",
    "call_llvm_pure_intrin",
    "call_pure_extern",
    "cast",
    "ceil",
    "ceildiv",
    "clz",
    "const",
    "convert",
    "copysign",
    "cos",
    "cosh",
    "decl_buffer",
    "div",
    "dp4a",
    "erf",
    "exp",
    "exp10",
    "exp2",
    "floor",
    "floordiv",
    "floormod",
    "fma",
    "fmod",
    "hypot",
    "if_then_else",
    "indexdiv",
    "indexmod",
    "infinity",
    "ir_builder",
    "isfinite",
    "isinf",
    "isnan",
    "ldexp",
    "likely",
    "log",
    "log10",
    "log1p",
    "log2",
    "max",
    "max_value",
    "min",
    "min_value",
    "nearbyint",
    "nextafter",
    "popcount",
    "pow",
    "power",
    "reinterpret",
    "round",
    "rsqrt",
    "sigmoid",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "trunc",
    "truncdiv",
    "truncmod",
    "stmt_functor",
]
