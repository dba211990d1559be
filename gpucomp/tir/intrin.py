"""Intrinsics: named operations that a target provides, with their effects and numpy meaning.

An intrinsic couples a name with its *meaning* (a numpy function here, which the interpreter runs), and, in
``templates/``, with a macro per target.  Tests check that meaning and device agree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from gpucomp.ir.node import Node
from gpucomp.support.diagnostics import TypeMismatchError, did_you_mean
from gpucomp.support.enums import NumberedEnum
from gpucomp.support.expect import expect
from gpucomp.tir import operators
from gpucomp.tir.expr import Call, Expr, ExprLike, IntImm, Select, Shuffle, StringImm


class CallEffectKind(NumberedEnum):
    """What evaluating a call may do; passes move, merge or drop calls only as far as this allows."""

    ExprAnnotation = 0
    Pure = 1
    ReadState = 2
    UpdateState = 3
    Opaque = 3
    SpecialCallArg = 4
    EmbedInfo = 5
    ControlJump = 6


class Op(Node):
    """An intrinsic.

    Attributes:
        name: full name with prefix, such as ``"tir.exp"``.
        effect: what a call may do.
        arity: number of arguments, -1 for any.
    """

    name: str
    effect: CallEffectKind
    arity: int = -1

    __hash__ = object.__hash__
    _registry: ClassVar[dict[str, Op]] = {}

    @staticmethod
    def get(name: str) -> Op:
        """Look up an intrinsic.

        Raises:
            TypeMismatchError: no intrinsic has this name.
        """
        op = Op._registry.get(name)
        if op is None:
            raise TypeMismatchError(f"unknown intrinsic {name!r}", hint=did_you_mean(name, Op._registry) or None)
        return op

    @property
    def is_pure(self) -> bool:
        """True when the value depends on the arguments only and nothing is written."""
        return self.effect <= CallEffectKind.Pure

    def __repr__(self) -> str:
        return f"Op({self.name})"


def register(name: str, effect: CallEffectKind = CallEffectKind.Pure, arity: int = -1) -> Op:
    """Declare an intrinsic; declaring it twice returns the first declaration."""
    return Op._registry.setdefault(name, Op(name, effect, arity))


UNARY_MATH: Final = [
    "exp",
    "exp2",
    "exp10",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "sqrt",
    "rsqrt",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "erf",
    "sigmoid",
    "floor",
    "ceil",
    "trunc",
    "round",
    "nearbyint",
    "fabs",
]
BINARY_MATH: Final = ["pow", "atan2", "hypot", "fmod", "copysign", "ldexp", "nextafter"]
PREDICATES: Final = ["isnan", "isinf", "isfinite"]
BITWISE: Final = ["shift_left", "shift_right", "bitwise_and", "bitwise_or", "bitwise_xor"]

for _name in UNARY_MATH + PREDICATES + ["bitwise_not", "popcount", "clz", "likely", "reinterpret"]:
    register(f"tir.{_name}", arity=1)
for _name in BINARY_MATH + BITWISE:
    register(f"tir.{_name}", arity=2)
register("tir.fma", arity=3)
register("tir.dp4a", arity=3)
register("tir.undef", arity=0)  # any value, another one at each place
register("tir.exp2_flushed", arity=1)
register("tir.if_then_else", arity=3)  # pure, but only the chosen side is evaluated
register("tir.call_extern", CallEffectKind.Opaque)
register("tir.call_pure_extern")
# call_llvm_intrin("llvm.name", ...): an intrinsic of LLVM, on processors that have it.
register("tir.call_llvm_intrin", CallEffectKind.Opaque)
register("tir.call_llvm_pure_intrin")
register("tir.call_packed", CallEffectKind.Opaque)
register("tir.address_of", arity=1)
# tvm_stack_make_array(address_of(first element), ndim, *shape, *strides): an array argument of a packed call.
register("tir.tvm_stack_make_array", CallEffectKind.SpecialCallArg)
# tvm_access_ptr(type_annotation(), pointer, offset, extent, mask): the address of an element; mask 1 reads, 2 writes.
register("tir.tvm_access_ptr", arity=5)
register("tir.type_annotation", arity=0)
register("tir.tvm_tuple")
# provides("name", ...): true on targets that have all of these functions.
register("tir.provides")
# barrier(scope[, id, count]): all threads of the group meet; writes before it are visible after it.
register("tir.barrier", CallEffectKind.Opaque)
# cluster_load(address_of(load), rank): the element at that place of the shared memory of block `rank` of the cluster;
# barrier("cluster") on both sides keeps it from being overwritten, or gone with its block.
register("tir.cluster_load", CallEffectKind.ReadState, 2)
# cluster_store(address_of(load), rank, value): stores there instead; what it stores may be read after the next
# barrier("cluster").  That block must have started: all threads of the cluster pass barrier("cluster_arrive") and, at
# any time later but before such a store, barrier("cluster_wait"), which waits until all have arrived.
register("tir.cluster_store", CallEffectKind.Opaque, 3)
# Copies of many neighbouring elements by the copy engine, which one thread of a block starts: bulk_begin(bytes) says
# how much is to come, bulk_copy(address_of(shared), address_of(global), elements) starts a copy, and bulk_wait(),
# which all threads of the block reach after one more barrier, waits for all of it.  Once a kernel; first elements are
# vectors, so that their alignment is known.  bulk_prefetch(address_of(global), elements) asks the second-level cache.
register("tir.bulk_begin", CallEffectKind.Opaque, 1)
register("tir.bulk_copy", CallEffectKind.Opaque, 3)
register("tir.bulk_wait", CallEffectKind.Opaque, 0)
register("tir.bulk_prefetch", CallEffectKind.Opaque, 2)
# Asynchronous copies are stores under the attribute ``async_copy``: what they write is there once the group that they
# were committed to (ptx_commit_group()) has been waited for: ptx_wait_group(n) waits for all but the n newest groups.
register("tir.ptx_commit_group", CallEffectKind.Opaque, 0)
register("tir.ptx_wait_group", CallEffectKind.Opaque, 1)
register("tir.assume", CallEffectKind.EmbedInfo, 1)
register("tir.prefetch", CallEffectKind.Opaque)
register("tir.ret", CallEffectKind.ControlJump, 1)
# Warp exchanges: (mask, value, lane | delta | lane_mask, width)
for _name in ("shuffle", "shuffle_up", "shuffle_down", "shuffle_xor"):
    register(f"tir.{_name}", CallEffectKind.Opaque, 4)
register("tir.activemask", CallEffectKind.Opaque, 0)
# atomic_add(address_of(load), value): returns the old value
register("tir.atomic_add", CallEffectKind.Opaque, 2)


def call_intrin(dtype: str, name: str, *args: object, span: object = None) -> Call:
    """Call the intrinsic ``name`` ("tir." may be left out) with a result of type ``dtype``.

    Raises:
        TypeMismatchError: no intrinsic has this name, or it takes another number of arguments.
    """
    expect(name, str, "call_intrin", 'name an intrinsic: tir.call_intrin("float32", "tir.exp", x)')
    full = name if name.startswith("tir.") else f"tir.{name}"
    op = Op.get(full)
    if op.arity not in (-1, len(args)):
        raise TypeMismatchError(f"{full} takes {op.arity} arguments, got {len(args)}")
    return Call(operators.DType(dtype), op, tuple([operators.convert(a) for a in args]))


def call_extern(dtype: str, func_name: str, *args: object, span: object = None) -> Call:
    """Call an external function, which may do anything."""
    return call_intrin(dtype, "tir.call_extern", StringImm(func_name), *args)


def call_pure_extern(dtype: str, func_name: str, *args: object, span: object = None) -> Call:
    """Call an external function whose value depends on its arguments only."""
    return call_intrin(dtype, "tir.call_pure_extern", StringImm(func_name), *args)


def call_llvm_intrin(dtype: str, name: str, *args: object, span: object = None) -> Call:
    """Call an intrinsic of LLVM by its full name, on processors only; arguments and result have the types it takes."""
    return call_intrin(dtype, "tir.call_llvm_intrin", StringImm(name), *args)


def call_llvm_pure_intrin(dtype: str, name: str, *args: object, span: object = None) -> Call:
    """Call an intrinsic of LLVM whose value depends on its arguments only: see :func:`call_llvm_intrin`."""
    return call_intrin(dtype, "tir.call_llvm_pure_intrin", StringImm(name), *args)


def barrier(scope: str = "shared") -> Call:
    """A barrier of all threads that share ``scope`` ("shared": the block; "warp": the warp; "cluster": its blocks)."""
    return call_intrin("int32", "tir.barrier", StringImm(scope))


def if_then_else(cond: ExprLike, t: ExprLike, f: ExprLike, span: object = None) -> Expr:
    """``t`` where ``cond`` holds, else ``f``; only the chosen side is evaluated, so it may guard a load.

    Raises:
        TypeMismatchError: ``cond`` is no bool, or the sides have no common type.
    """
    c = operators.convert(cond)
    x, y = operators.match_types(t, f)
    if not c.dtype.is_bool:
        raise TypeMismatchError(f"if_then_else needs a bool condition, got {c.dtype}")
    if isinstance(c, IntImm):
        return x if c.value else y
    return call_intrin(x.dtype, "tir.if_then_else", c, x, y)


def undef(dtype: str | operators.DType) -> Expr:
    """Some value that nothing reads: the compiler takes whatever costs least, such as what lies beside in memory."""
    return Call(operators.DType(dtype), Op.get("tir.undef"), ())


def likely(cond: ExprLike, span: object = None) -> Expr:
    """Mark a condition as almost always true: a bound check that only the last tile fails."""
    c = operators.convert(cond)
    return c if isinstance(c, IntImm) else call_intrin(c.dtype, "tir.likely", c)


def _unary(name: str) -> Callable[..., Expr]:
    def call(x: ExprLike, span: object = None) -> Expr:
        value = operators.convert(x)
        if not value.dtype.is_float:
            value = operators.cast(operators.FLOAT32.with_lanes(value.dtype.lanes), value)
        return call_intrin(value.dtype, name, value)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{name}(x), lane by lane; integers are converted to float32 first."
    return call


def _predicate(name: str) -> Callable[..., Expr]:
    def call(x: ExprLike, span: object = None) -> Expr:
        value = operators.convert(x)
        kind = operators.BOOL.with_lanes(value.dtype.lanes)
        if not value.dtype.is_float:
            return operators.const(int(name == "isfinite"), kind)
        return call_intrin(kind, name, value)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{name}(x) as bool, lane by lane."
    return call


def _binary(name: str) -> Callable[..., Expr]:
    def call(a: ExprLike, b: ExprLike, span: object = None) -> Expr:
        x, y = operators.match_types(a, b)
        return call_intrin(x.dtype, name, x, y)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{name}(a, b), lane by lane."
    return call


exp, exp2, exp10, expm1 = (_unary(n) for n in ("exp", "exp2", "exp10", "expm1"))
exp2_flushed = _unary("exp2_flushed")
exp2_flushed.__doc__ = """2 ** x, lane by lane, where results below 2**-126 may be 0.

One instruction on CUDA (``ex2.approx.ftz``, within 2 units in the last place as :func:`exp2` is), which spends three
more on results that small; :func:`exp2` elsewhere.  For what is added up with something near 1, as in a softmax.
"""
log, log2, log10, log1p = (_unary(n) for n in ("log", "log2", "log10", "log1p"))
sqrt, rsqrt, erf, sigmoid = (_unary(n) for n in ("sqrt", "rsqrt", "erf", "sigmoid"))
sin, cos, tan, asin, acos, atan = (_unary(n) for n in ("sin", "cos", "tan", "asin", "acos", "atan"))
sinh, cosh, tanh, asinh, acosh, atanh = (_unary(n) for n in ("sinh", "cosh", "tanh", "asinh", "acosh", "atanh"))
_floor, _ceil, _trunc, _round = (_unary(n) for n in ("floor", "ceil", "trunc", "round"))
nearbyint = _unary("nearbyint")
isnan, isinf, isfinite = (_predicate(n) for n in PREDICATES)
atan2, hypot, fmod, copysign, ldexp, nextafter = (_binary(n) for n in BINARY_MATH[1:])


def _rounding(fn: Callable[..., Expr]) -> Callable[..., Expr]:
    def call(x: ExprLike, span: object = None) -> Expr:
        value = operators.convert(x)
        return value if value.dtype.is_integral else fn(value)

    call.__doc__ = fn.__doc__
    return call


floor, ceil, trunc, round = (_rounding(f) for f in (_floor, _ceil, _trunc, _round))  # public name


def power(x: ExprLike, y: ExprLike, span: object = None) -> Expr:
    """x ** y."""
    return operators.power(x, y)


def abs(x: ExprLike, span: object = None) -> Expr:  # public name
    """Absolute value."""
    return operators.absolute(x)


def popcount(x: ExprLike, span: object = None) -> Expr:
    """Number of set bits."""
    value = operators.convert(x)
    return call_intrin(value.dtype, "popcount", value)


def clz(x: ExprLike, span: object = None) -> Expr:
    """Number of leading zero bits, as int32; undefined for 0."""
    return call_intrin("int32", "clz", x)


def reinterpret(dtype: str, value: ExprLike, span: object = None) -> Expr:
    """The bits of ``value`` read as another type of the same width.

    Raises:
        TypeMismatchError: the widths differ.
    """
    x = operators.convert(value)
    kind = operators.DType(dtype)
    if kind.bits * kind.lanes != x.dtype.bits * x.dtype.lanes:
        raise TypeMismatchError(f"cannot reinterpret {x.dtype} as {kind}: widths differ")
    return x if kind is x.dtype else call_intrin(kind, "reinterpret", x)


def fma(a: ExprLike, b: ExprLike, c: ExprLike) -> Expr:
    """a * b + c with one rounding where the target has it."""
    x, y = operators.match_types(a, b)
    return call_intrin(x.dtype, "fma", x, y, operators.convert(c))


def dp4a(a: ExprLike, b: ExprLike, c: ExprLike) -> Expr:
    """``c`` plus the dot product of two vectors of four int8 (with an int32) or of four uint8 (with a uint32).

    Raises:
        TypeMismatchError: other types.
    """
    x, y, z = operators.convert(a), operators.convert(b), operators.convert(c)
    kinds = (str(x.dtype), str(y.dtype), str(z.dtype))
    if kinds not in (("int8x4", "int8x4", "int32"), ("uint8x4", "uint8x4", "uint32")):
        raise TypeMismatchError(
            f"dp4a of {', '.join(kinds)}", hint="int8x4, int8x4, int32, or uint8x4, uint8x4, uint32"
        )
    return call_intrin(z.dtype, "dp4a", x, y, z)


def dp4a_meaning(call: Call) -> Expr:
    """What :func:`dp4a` means, as multiplications and additions of lanes."""
    a, b, total = call.args
    for i in range(4):
        left, right = [operators.cast(call.dtype, Shuffle((v,), (i,))) for v in (a, b)]
        total = operators.add(total, operators.multiply(left, right))
    return total


def select(condition: ExprLike, true_value: ExprLike, false_value: ExprLike) -> Expr:
    """:class:`Select` with a literal condition folded."""
    c = operators.convert(condition)
    x, y = operators.match_types(true_value, false_value)
    if isinstance(c, IntImm):
        return x if c.value else y
    return Select(c, x, y)


def min_value(dtype: str, span: object = None) -> Expr:
    """The smallest finite value of a type."""
    kind = operators.DType(dtype)
    if kind.is_float:
        return operators.const(_finfo_min(kind), kind)
    return operators.const(0 if kind.code in ("uint", "bool") else -(1 << (kind.bits - 1)), kind)


def max_value(dtype: str, span: object = None) -> Expr:
    """The largest finite value of a type."""
    kind = operators.DType(dtype)
    if kind.is_float:
        return operators.const(-_finfo_min(kind), kind)
    bits = 1 if kind.is_bool else kind.bits - (kind.code == "int")
    return operators.const((1 << bits) - 1, kind)


def infinity(dtype: str, span: object = None) -> Expr:
    """Positive infinity of a floating type.

    Raises:
        TypeMismatchError: GC254 another type.
    """
    return operators.const(float("inf"), dtype)


def _finfo_min(kind: operators.DType) -> float:
    import ml_dtypes

    return float(ml_dtypes.finfo(kind.element.numpy).min)
