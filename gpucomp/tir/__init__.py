"""Low-level IR: expressions, statements, functions, and the operations that build them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from gpucomp.ir.types import PointerType, PrimType
from gpucomp.support.absent import no_attribute
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
    undef,
)
from gpucomp.tir.operators import add, cast, const, convert, floordiv, floormod, multiply, subtract, truncdiv, truncmod
from gpucomp.tir.packed import call_packed
from gpucomp.tir.ptx import (
    mma_fill,
    mma_store,
    ptx_commit_group,
    ptx_cp_async,
    ptx_ldmatrix,
    ptx_mma,
    ptx_wait_group,
)
from gpucomp.tir.reduction import all_of as all
from gpucomp.tir.reduction import any_of as any
from gpucomp.tir.reduction import comm_reducer
from gpucomp.tir.reduction import max_of as max
from gpucomp.tir.reduction import min_of as min
from gpucomp.tir.reduction import sum_of as sum
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

if TYPE_CHECKING:
    from gpucomp.layout.index_map import IndexMap
    from gpucomp.tir import analysis, transform


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


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        # These re-export what is in layers above this one.
        if name in ("analysis", "transform"):
            return importlib.import_module(f"{__name__}.{name}")
        if name == "IndexMap":
            return importlib.import_module("gpucomp.layout.index_map").IndexMap
        raise no_attribute(__name__, name, __all__)


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
    "IndexMap",
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
    "add",
    "all",
    "analysis",
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
    "comm_reducer",
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
    "multiply",
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
    "sum",
    "subtract",
    "tan",
    "tanh",
    "transform",
    "trunc",
    "truncdiv",
    "truncmod",
    "undef",
    "stmt_functor",
    "mma_fill",
    "mma_store",
    "ptx_commit_group",
    "ptx_cp_async",
    "ptx_ldmatrix",
    "ptx_mma",
    "ptx_wait_group",
]
