"""Calls of intrinsics and external functions as LLVM instructions: a table from names to writers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gpucomp.codegen import llvm_math
from gpucomp.codegen.llvm_text import REGISTER, vector
from gpucomp.support.diagnostics import LowerError
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Call, Expr
from gpucomp.tir.intrin import Op

if TYPE_CHECKING:
    from gpucomp.codegen.llvm_expr import ExprWriter

# Intrinsics of LLVM with the same meaning; for float16 and bfloat16 they run in float and round.
_SAME: Final = {
    "sqrt": "sqrt", "floor": "floor", "ceil": "ceil", "trunc": "trunc", "round": "round", "fabs": "fabs",
    "nearbyint": "nearbyint", "copysign": "copysign", "fma": "fma",
}  # fmt: skip
# Functions of the C library (double form; the float form ends in "f"), called lane by lane.
_LIBRARY: Final = frozenset({
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "sinh",
    "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "pow", "atan2", "hypot", "fmod", "nextafter",
})  # fmt: skip
_COOPERATIVE: Final = frozenset({"shuffle", "shuffle_up", "shuffle_down", "shuffle_xor", "warp_ldmatrix", "warp_mma"})


def write_call(w: ExprWriter, node: Call) -> str:
    """Write a call; returns its value ("0" for calls without one)."""
    op = node.op
    if not isinstance(op, Op):
        raise LowerError(f"call of function {op.name_hint!r} from a CPU kernel", code="GC343")
    name = op.name.removeprefix("tir.")
    writer = _WRITERS.get(name)
    if writer is not None:
        return writer(w, node)
    if name in _COOPERATIVE or name == "barrier":
        raise LowerError(
            f"{name!r} needs threads that run together, which CPU code does not have",
            code="GC344",
            hint="build for the CPU with a schedule without thread bindings and shared memory",
        )
    if name in llvm_math.FLOAT32 or name in _SAME or name in _LIBRARY:
        return _math(w, name, node.dtype, [w.value(x) for x in node.args])
    raise LowerError(f"the CPU backend has no intrinsic {op.name}", code="GC343")


def _math(w: ExprWriter, name: str, dtype: DType, args: list[str]) -> str:
    if not dtype.is_float:
        raise LowerError(f"{name} of {dtype}", code="GC343", hint="cast the operand to float32 first")
    if name in _SAME:
        return w.rounded(dtype, w.intrinsic(_SAME[name], dtype, *args))
    if dtype.bits < 64 and name in llvm_math.FLOAT32:
        kind = REGISTER[dtype]
        helper = llvm_math.helper(w.module, name, dtype.lanes)
        return w.rounded(dtype, w.text.op(f"call {kind} {helper}({kind} {args[0]})"))
    if name == "rsqrt":
        root = w.intrinsic("sqrt", dtype, *args)
        return w.text.op(f"fdiv {REGISTER[dtype]} {w.literal(dtype, 1.0)}, {root}")
    if name == "sigmoid":
        negative = w.text.op(f"fneg {REGISTER[dtype]} {args[0]}")
        return w.float_op("div", dtype, w.literal(dtype, 1.0), _one_more(w, dtype, _math(w, "exp", dtype, [negative])))
    if name == "exp10":
        return _library(w, "pow", dtype, [w.literal(dtype, 10.0), *args])
    return w.rounded(dtype, _library(w, name, dtype, args))


def _one_more(w: ExprWriter, dtype: DType, value: str) -> str:
    return w.float_op("add", dtype, w.literal(dtype, 1.0), value)


def _library(w: ExprWriter, name: str, dtype: DType, args: list[str]) -> str:
    scalar = REGISTER[dtype.element]
    symbol = name if scalar == "double" else name + "f"
    target = w.module.declare(symbol, scalar, ", ".join([scalar] * len(args)), " nounwind willreturn memory(none)")
    if dtype.lanes == 1:
        return w.text.op(f"call {scalar} {target}({', '.join([f'{scalar} {x}' for x in args])})")
    kind = REGISTER[dtype]
    lanes: list[str] = []
    for i in range(dtype.lanes):
        operands = ", ".join([f"{scalar} {w.lane(kind, x, i)}" for x in args])
        lanes.append(w.text.op(f"call {scalar} {target}({operands})"))
    return w.gathered(scalar, lanes)


# -- intrinsics that are not functions of numbers -------------------------------------------------------------


def _if_then_else(w: ExprWriter, node: Call) -> str:
    return w.if_then_else(*node.args)


def _likely(w: ExprWriter, node: Call) -> str:
    return w.value(node.args[0])


def _bits(op: str) -> Callable[[ExprWriter, Call], str]:
    def write(w: ExprWriter, node: Call) -> str:
        a, b = [w.value(x) for x in node.args]
        return w.text.op(f"{op} {REGISTER[node.dtype]} {a}, {b}")

    return write


def _bitwise_not(w: ExprWriter, node: Call) -> str:
    return w.text.op(f"xor {REGISTER[node.dtype]} {w.value(node.args[0])}, {w.literal(node.dtype, -1)}")


def _shift(left: bool) -> Callable[[ExprWriter, Call], str]:
    def write(w: ExprWriter, node: Call) -> str:
        dtype, kind = node.dtype, REGISTER[node.dtype]
        a, b = [w.value(x) for x in node.args]
        signed = dtype.code == "int"
        op = "shl" if left else "ashr" if signed else "lshr"
        amount = node.args[1].value if isinstance(node.args[1], e.Broadcast) else node.args[1]
        if isinstance(amount, e.IntImm) and 0 <= amount.value < dtype.bits:
            return w.text.op(f"{op} {kind} {a}, {b}")
        # An amount of the width or more gives 0 (or -1 for a negative number), as numpy has it; LLVM leaves it open.
        limit = w.literal(dtype, dtype.bits)
        inside = w.text.op(f"icmp ult {kind} {b}, {limit}")
        tame = w.select(dtype, inside, b, w.literal(dtype, dtype.bits - 1 if op == "ashr" else 0))
        shifted = w.text.op(f"{op} {kind} {a}, {tame}")
        return shifted if op == "ashr" else w.select(dtype, inside, shifted, w.zero(dtype))

    return write


def _count(name: str) -> Callable[[ExprWriter, Call], str]:
    def write(w: ExprWriter, node: Call) -> str:
        source = node.args[0].dtype
        kind = REGISTER[source]
        suffix = f"i{source.bits}" if source.lanes == 1 else f"v{source.lanes}i{source.bits}"
        extra = ", i1 false" if name == "ctlz" else ""
        target = w.module.declare(f"llvm.{name}.{suffix}", kind, kind + (", i1 immarg" if extra else ""))
        counted = w.text.op(f"call {kind} {target}({kind} {w.value(node.args[0])}{extra})")
        return w.convert(DType(f"uint{source.bits}").with_lanes(source.lanes), node.dtype, counted)

    return write


def _predicate(name: str) -> Callable[[ExprWriter, Call], str]:
    def write(w: ExprWriter, node: Call) -> str:
        source, value = node.args[0].dtype, w.value(node.args[0])
        kind = REGISTER[source]
        if name == "isnan":
            return w.text.op(f"fcmp uno {kind} {value}, {value}")
        size = w.intrinsic("fabs", source, value)
        relation = "oeq" if name == "isinf" else "one"
        infinite = w.literal(source, float("inf"))
        return w.text.op(f"fcmp {relation} {kind} {size}, {infinite}")

    return write


def _ldexp(w: ExprWriter, node: Call) -> str:
    """x * 2**n; ``n`` comes in the type of x."""
    dtype = node.dtype
    x, n = [w.value(a) for a in node.args]
    whole = w.convert(node.args[1].dtype, DType("int32").with_lanes(dtype.lanes), n)
    kind, ints = REGISTER[dtype], vector("i32", dtype.lanes)
    letter = "f64" if dtype.bits == 64 else "f32"
    suffix = f"{letter}.i32" if dtype.lanes == 1 else f"v{dtype.lanes}{letter}.v{dtype.lanes}i32"
    target = w.module.declare(f"llvm.ldexp.{suffix}", kind, f"{kind}, {ints}")
    return w.rounded(dtype, w.text.op(f"call {kind} {target}({kind} {x}, {ints} {whole})"))


def _reinterpret(w: ExprWriter, node: Call) -> str:
    from gpucomp.codegen.llvm_text import MEMORY

    source, target = node.args[0].dtype, node.dtype
    raw = w.narrow(source, w.value(node.args[0]))
    if MEMORY[source] == MEMORY[target]:
        return w.widen(target, raw)
    return w.widen(target, w.text.op(f"bitcast {MEMORY[source]} {raw} to {MEMORY[target]}"))


def _address_of(w: ExprWriter, node: Call) -> str:
    load = node.args[0]
    if not isinstance(load, e.BufferLoad) or len(load.indices) != 1 or load.indices[0].dtype.lanes != 1:
        raise LowerError("address_of takes one element of a buffer", code="GC343")
    return w.address(load.buffer, load.indices[0])


def _atomic_add(w: ExprWriter, node: Call) -> str:
    pointer, value = node.args
    dtype = value.dtype
    if dtype.is_float and dtype.bits == 16:
        raise LowerError(f"the CPU backend has no atomic addition of {dtype}", code="GC343")
    address, number = w.value(pointer), w.value(value)
    op = "fadd" if dtype.is_float else "add"
    return w.text.op(f"atomicrmw {op} ptr {address}, {REGISTER[dtype]} {number} monotonic")


def _extern(w: ExprWriter, node: Call) -> str:
    name = node.args[0]
    if not isinstance(name, e.StringImm):
        raise LowerError("call_extern takes the function's name first", code="GC343")
    operands = node.args[1:]
    for x in (*operands, node):
        _refuse_extern_type(name.value, x)
    result = REGISTER[node.dtype]
    kinds = [REGISTER[x.dtype] for x in operands]
    target = w.module.declare(name.value, result, ", ".join(kinds))
    values = ", ".join([f"{kind} {w.value(x)}" for kind, x in zip(kinds, operands, strict=True)])
    return w.text.op(f"call {result} {target}({values})")


def _llvm_intrinsic(w: ExprWriter, node: Call) -> str:
    name = node.args[0]
    if not isinstance(name, e.StringImm) or not name.value.startswith("llvm."):
        raise LowerError(
            "call_llvm_intrin takes the intrinsic's name first",
            code="GC343",
            hint='the full name, such as "llvm.x86.avx512.vpdpbusd.512"',
        )
    operands = [(REGISTER[x.dtype], w.value(x)) for x in node.args[1:]]
    result = REGISTER[node.dtype]
    pure = node.op is Op.get("tir.call_llvm_pure_intrin")
    effects = " nounwind willreturn memory(none)" if pure else ""
    target = w.module.declare(name.value, result, ", ".join([kind for kind, _ in operands]), effects)
    return w.text.op(f"call {result} {target}({', '.join([f'{kind} {value}' for kind, value in operands])})")


def _refuse_extern_type(name: str, node: Expr) -> None:
    dtype = node.dtype
    if dtype.lanes > 1 or dtype.is_bool or (dtype.is_float and dtype.bits == 16):
        raise LowerError(
            f"external function {name!r}: a value of type {dtype} cannot be passed",
            code="GC343",
            hint="pass int32, int64, float32, float64 or an address",
        )


def _prefetch(w: ExprWriter, node: Call) -> str:
    address = w.value(node.args[0])
    target = w.module.declare("llvm.prefetch.p0", "void", "ptr, i32 immarg, i32 immarg, i32 immarg")
    w.text.do(f"call void {target}(ptr {address}, i32 0, i32 3, i32 1)")
    return "0"


def _assume(w: ExprWriter, node: Call) -> str:
    target = w.module.declare("llvm.assume", "void", "i1")
    w.text.do(f"call void {target}(i1 {w.test(node.args[0])})")
    return "0"


def _active(w: ExprWriter, node: Call) -> str:
    return w.literal(node.dtype, 1)


_WRITERS: Final[dict[str, Callable[[ExprWriter, Call], str]]] = {
    "if_then_else": _if_then_else,
    "likely": _likely,
    "bitwise_and": _bits("and"),
    "bitwise_or": _bits("or"),
    "bitwise_xor": _bits("xor"),
    "bitwise_not": _bitwise_not,
    "shift_left": _shift(left=True),
    "shift_right": _shift(left=False),
    "popcount": _count("ctpop"),
    "clz": _count("ctlz"),
    "isnan": _predicate("isnan"),
    "isinf": _predicate("isinf"),
    "isfinite": _predicate("isfinite"),
    "ldexp": _ldexp,
    "reinterpret": _reinterpret,
    "address_of": _address_of,
    "tvm_access_ptr": lambda w, node: w.value(node.args[1]),
    "atomic_add": _atomic_add,
    "call_extern": _extern,
    "call_pure_extern": _extern,
    "call_llvm_intrin": _llvm_intrinsic,
    "call_llvm_pure_intrin": _llvm_intrinsic,
    "prefetch": _prefetch,
    "assume": _assume,
    "activemask": _active,
}
