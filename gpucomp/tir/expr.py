"""Expressions: typed, immutable, interned.

Structurally equal expressions are the same object (variables excepted: a variable is equal to itself only), so
compiler code compares with ``is``.  ``==`` and ``!=`` build :class:`EQ` and :class:`NE` nodes, as ``<`` and
``+`` build theirs.  Constructors of this module do not fold; the operators and the functions of
``gpucomp.tir.op`` fold constants and match types.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Union

from gpucomp.ir.node import Node, intern_lookup, intern_store
from gpucomp.ir.types import PointerType, PrimType, Type
from gpucomp.support.diagnostics import Span, TypeMismatchError, UndecidedComparison, caller_span
from gpucomp.support.dtype import BOOL, HANDLE, INT32, DType
from gpucomp.support.expect import expect, mismatch
from gpucomp.tir import operators

if TYPE_CHECKING:
    import numpy as np

    from gpucomp.tir.buffer import Buffer
    from gpucomp.tir.intrin import Op

ExprLike = Union["Expr", "ExprOp", int, float, bool]
Inferred = DType | tuple[object, ...]


class ExprOp:
    """Operators shared by expressions and by things that stand for one (axes, tensor slices)."""

    __slots__ = ()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: ExprLike, **kwargs: object) -> Expr:
        from gpucomp.tir.ufuncs import apply

        return apply(ufunc, method, inputs, kwargs)

    def __float__(self) -> float:
        from gpucomp.tir.ufuncs import not_a_number

        raise not_a_number(self)

    def __int__(self) -> int:
        return int(float(self))

    def __round__(self, digits: int | None = None) -> int:
        return round(float(self))

    def __add__(self, other: ExprLike) -> Expr:
        return operators.add(self, other)

    def __radd__(self, other: ExprLike) -> Expr:
        return operators.add(other, self)

    def __sub__(self, other: ExprLike) -> Expr:
        return operators.subtract(self, other)

    def __rsub__(self, other: ExprLike) -> Expr:
        return operators.subtract(other, self)

    def __mul__(self, other: ExprLike) -> Expr:
        return operators.multiply(self, other)

    def __rmul__(self, other: ExprLike) -> Expr:
        return operators.multiply(other, self)

    def __truediv__(self, other: ExprLike) -> Expr:
        return operators.divide(self, other)

    def __rtruediv__(self, other: ExprLike) -> Expr:
        return operators.divide(other, self)

    def __floordiv__(self, other: ExprLike) -> Expr:
        return operators.floordiv(self, other)

    def __rfloordiv__(self, other: ExprLike) -> Expr:
        return operators.floordiv(other, self)

    def __mod__(self, other: ExprLike) -> Expr:
        return operators.floormod(self, other)

    def __rmod__(self, other: ExprLike) -> Expr:
        return operators.floormod(other, self)

    def __pow__(self, other: ExprLike) -> Expr:
        return operators.power(self, other)

    def __rpow__(self, other: ExprLike) -> Expr:
        return operators.power(other, self)

    def __neg__(self) -> Expr:
        return operators.negate(self)

    def __pos__(self) -> Expr:
        return operators.convert(self)

    def __abs__(self) -> Expr:
        return operators.absolute(self)

    def __lshift__(self, other: ExprLike) -> Expr:
        return operators.bitwise("shift_left", self, other)

    def __rlshift__(self, other: ExprLike) -> Expr:
        return operators.bitwise("shift_left", other, self)

    def __rshift__(self, other: ExprLike) -> Expr:
        return operators.bitwise("shift_right", self, other)

    def __rrshift__(self, other: ExprLike) -> Expr:
        return operators.bitwise("shift_right", other, self)

    def __and__(self, other: ExprLike) -> Expr:
        return operators.bitwise("bitwise_and", self, other)

    def __rand__(self, other: ExprLike) -> Expr:
        return operators.bitwise("bitwise_and", other, self)

    def __or__(self, other: ExprLike) -> Expr:
        return operators.bitwise("bitwise_or", self, other)

    def __ror__(self, other: ExprLike) -> Expr:
        return operators.bitwise("bitwise_or", other, self)

    def __xor__(self, other: ExprLike) -> Expr:
        return operators.bitwise("bitwise_xor", self, other)

    def __rxor__(self, other: ExprLike) -> Expr:
        return operators.bitwise("bitwise_xor", other, self)

    def __invert__(self) -> Expr:
        return operators.bitwise_not(self)

    def __lt__(self, other: ExprLike) -> Expr:
        return operators.compare(LT, self, other)

    def __le__(self, other: ExprLike) -> Expr:
        return operators.compare(LE, self, other)

    def __gt__(self, other: ExprLike) -> Expr:
        return operators.compare(GT, self, other)

    def __ge__(self, other: ExprLike) -> Expr:
        return operators.compare(GE, self, other)

    def equal(self, other: ExprLike) -> Expr:
        """Build ``self == other`` (for things whose ``==`` means identity)."""
        return operators.compare(EQ, self, other)

    def astype(self, dtype: str) -> Expr:
        """Convert to another element type."""
        return operators.cast(dtype, self)

    def as_expr(self) -> Expr:
        """The expression that this object stands for."""
        raise NotImplementedError(type(self).__name__)

    def __bool__(self) -> bool:
        raise UndecidedComparison(
            f"the value of {self} is not known while the kernel is being built",
            where=caller_span(),
            hint="instead of if write te.if_then_else(condition, a, b), which reads one side only; instead of and, or, "
            "not: te.all(...), te.any(...), tir.Not(...); instead of max, min: tir.max(a, b), tir.min(a, b)",
        )


class _Derived:
    """What an expression knows about itself beyond its fields (not part of constructors)."""

    __slots__ = ("_free", "depth", "dtype")

    dtype: DType
    depth: int
    _free: frozenset[Var] | Literal[False] | None  # None: not known yet; False: too many to keep


class Expr(Node, ExprOp, _Derived, interned=True):
    """Base of expressions.

    Attributes:
        dtype: element type and lanes of the value.
        depth: longest path to a leaf, in nodes.
    """

    __hash__ = object.__hash__  # identity is equality here

    def __eq__(self, other: object) -> Expr:  # pyright: ignore[reportIncompatibleMethodOverride]  # comparing builds an expression
        return operators.equality(EQ, self, other)

    def __ne__(self, other: object) -> Expr:  # pyright: ignore[reportIncompatibleMethodOverride]  # comparing builds an expression
        return operators.equality(NE, self, other)

    # Called with the fields of a node that is not interned yet.  Answers its dtype, or, where a field must be
    # converted first, the tuple of converted fields.
    _infer: ClassVar[Callable[..., Inferred]]

    def as_expr(self) -> Expr:
        return self

    def __repr__(self) -> str:
        from gpucomp.tir.script.printer import expr_text

        return expr_text(self)

    __str__ = __repr__


def _set(node: Expr, **values: object) -> None:
    for name, value in values.items():
        object.__setattr__(node, name, value)


class Var(Expr):
    """A scalar variable or a pointer.  Compares by identity: two variables of one name are different.

    Args:
        name: preferred name; generated code mangles it where needed.
        dtype: element type, or a :class:`PrimType` or :class:`PointerType`.
    """

    name: str
    dtype: DType
    type_annotation: Type

    def __new__(
        cls,
        name: str,
        dtype: str | Type = INT32,
        type_annotation: Type | None = None,
        span: Span | None = None,
    ) -> Var:
        if name.__class__ is not str:  # variables are made by the thousand: no call where all is well
            expect(name, str, cls.__name__, 'a variable is made of its name and type: te.var("n", "int32")')
        node = object.__new__(cls)
        if isinstance(dtype, PointerType):
            kind: Type = dtype
        elif isinstance(dtype, PrimType):
            kind = dtype
        else:
            kind = type_annotation or PrimType(DType(dtype))
        _set_name(node, name)
        _set_dtype(node, HANDLE if isinstance(kind, PointerType) else kind.dtype)
        _set_annotation(node, kind)
        _set_depth(node, 1)
        _set_free(node, None)
        return node

    @property
    def storage_scope(self) -> str:
        """Storage scope of a pointer; "" for scalars."""
        return self.type_annotation.storage_scope if isinstance(self.type_annotation, PointerType) else ""

    def with_name(self, name: str) -> Var:
        """A new variable of the same type under another name."""
        return type(self)(name, self.dtype, self.type_annotation)


# Slot setters bypass __setattr__, which refuses; looking them up once makes a Var cost 1 us instead of 5.
_set_name, _set_dtype, _set_annotation, _set_depth, _set_free = (
    getattr(cls, slot).__set__
    for cls, slot in (
        (Var, "name"),
        (Var, "dtype"),
        (Var, "type_annotation"),
        (Expr, "depth"),
        (Expr, "_free"),
    )
)


class SizeVar(Var):
    """A variable that is known to be >= 0: a tensor extent or a size."""


class ConstExpr(Expr):
    """Base of literals."""


class IntImm(ConstExpr):
    """An integer or boolean literal.  Values outside the type's range wrap, as device arithmetic does."""

    dtype: DType
    value: int

    def __new__(cls, dtype: str, value: int | IntImm, span: Span | None = None) -> IntImm:
        if type(value) is int and (node := intern_lookup((IntImm, dtype, value))) is not None:
            return node
        kind = DType(dtype)
        if isinstance(value, (str, float)):
            raise mismatch("IntImm", int, value, "an IntImm is made of its dtype and a whole number")
        number = wrap_int(int(value), kind)
        key = (IntImm, kind, number)
        node = intern_lookup(key)
        if node is not None:
            return node
        if not kind.is_integral or kind.lanes != 1:
            raise TypeMismatchError(f"IntImm needs a scalar integer or bool dtype, got {kind}")
        node = object.__new__(cls)
        _set(node, dtype=kind, value=number, depth=1, _free=frozenset())
        return intern_store(key, node)

    def __int__(self) -> int:
        return self.value

    def __index__(self) -> int:
        return self.value

    def __float__(self) -> float:
        return float(self.value)

    def __bool__(self) -> bool:
        return self.value != 0


class FloatImm(ConstExpr):
    """A floating-point literal; the value is rounded to the type when it is used, not here."""

    dtype: DType
    value: float

    def __new__(cls, dtype: str, value: float | FloatImm, span: Span | None = None) -> FloatImm:
        kind = DType(dtype)
        if isinstance(value, str):
            raise mismatch("FloatImm", float, value, "a FloatImm is made of its dtype and a number")
        number = float(value)
        # Key by bits: 0.0 == -0.0 and nan != nan would both go wrong by value.
        key = (FloatImm, kind, struct.pack("<d", number))
        node = intern_lookup(key)
        if node is not None:
            return node
        if not kind.is_float or kind.lanes != 1:
            raise TypeMismatchError(f"FloatImm needs a scalar floating dtype, got {kind}")
        node = object.__new__(cls)
        _set(node, dtype=kind, value=number, depth=1, _free=frozenset())
        return intern_store(key, node)

    def __float__(self) -> float:
        return self.value


class StringImm(ConstExpr):
    """A string argument of an intrinsic or a message."""

    value: str

    @classmethod
    def _infer(cls, value: object) -> Inferred:
        return HANDLE if type(value) is str else (str(value),)


class Cast(Expr):
    """Conversion of ``value`` to ``dtype``, lane by lane; float to int truncates toward zero."""

    dtype: DType
    value: Expr

    @classmethod
    def _infer(cls, dtype: str, value: object) -> Inferred:
        kind, operand = DType(dtype), operators.convert(value)
        if kind is not dtype or operand is not value:
            return (kind, operand)
        if kind.lanes != operand.dtype.lanes:
            raise TypeMismatchError(f"cannot cast {operand.dtype} to {kind}: lane counts differ")
        return kind


class BinaryOp(Expr):
    """Base of operators with two operands of one type."""

    a: Expr
    b: Expr

    @classmethod
    def _infer(cls, a: object, b: object) -> Inferred:
        if not (isinstance(a, Expr) and isinstance(b, Expr)):
            return operators.convert_pair(a, b)
        if a.dtype is not b.dtype:
            raise TypeMismatchError(f"{cls.__name__} needs operands of one type, got {a.dtype} and {b.dtype}")
        return a.dtype


class Add(BinaryOp):
    """a + b"""


class Sub(BinaryOp):
    """a - b"""


class Mul(BinaryOp):
    """a * b"""


class Div(BinaryOp):
    """a / b: truncating for integers, as C divides; exact for floats."""


class Mod(BinaryOp):
    """Remainder of truncating division: the sign follows the dividend."""


class FloorDiv(BinaryOp):
    """Quotient rounded toward minus infinity."""


class FloorMod(BinaryOp):
    """Remainder of floor division: the sign follows the divisor."""


class Min(BinaryOp):
    """The smaller operand; a NaN operand gives the other one or NaN (see docs/numerics.md)."""


class Max(BinaryOp):
    """The larger operand; NaN as for Min."""


class CmpOp(BinaryOp):
    """Base of comparisons; the result is bool with the operands' lanes."""

    @classmethod
    def _infer(cls, a: object, b: object) -> Inferred:
        kind = BinaryOp._infer.__func__(cls, a, b)
        return kind if type(kind) is tuple else BOOL.with_lanes(kind.lanes)


class EQ(CmpOp):
    """a == b"""

    def __bool__(self) -> bool:
        if operators.is_tracing():
            return Expr.__bool__(self)
        return self.a is self.b


class NE(CmpOp):
    """a != b"""

    def __bool__(self) -> bool:
        if operators.is_tracing():
            return Expr.__bool__(self)
        return self.a is not self.b


class LT(CmpOp):
    """a < b"""


class LE(CmpOp):
    """a <= b"""


class GT(CmpOp):
    """a > b"""


class GE(CmpOp):
    """a >= b"""


class And(BinaryOp):
    """Logical and of bool operands; the second operand is evaluated only where the first holds."""

    @classmethod
    def _infer(cls, a: object, b: object) -> Inferred:
        return _infer_logical(cls, a, b)


class Or(BinaryOp):
    """Logical or of bool operands; the second operand is evaluated only where the first does not hold."""

    @classmethod
    def _infer(cls, a: object, b: object) -> Inferred:
        return _infer_logical(cls, a, b)


def _infer_logical(cls: type[BinaryOp], a: object, b: object) -> Inferred:
    x, y = operators.convert(a), operators.convert(b)
    if x is not a or y is not b:
        return (x, y)
    if not (x.dtype.is_bool and x.dtype is y.dtype):
        raise TypeMismatchError(f"{cls.__name__} needs bool operands, got {x.dtype} and {y.dtype}")
    return x.dtype


class Not(Expr):
    """Logical negation."""

    a: Expr

    @classmethod
    def _infer(cls, a: object) -> Inferred:
        operand = operators.convert(a)
        if operand is not a:
            return (operand,)
        if not operand.dtype.is_bool:
            raise TypeMismatchError(f"Not needs a bool operand, got {operand.dtype}")
        return operand.dtype


class Select(Expr):
    """``true_value`` where ``condition`` holds, else ``false_value``.  Both values may be evaluated.

    For a guarded load use ``tir.if_then_else``, which evaluates one side only.
    """

    condition: Expr
    true_value: Expr
    false_value: Expr

    @classmethod
    def _infer(cls, condition: object, true_value: object, false_value: object) -> Inferred:
        cond = operators.convert(condition)
        x, y = operators.match_types(true_value, false_value)
        if cond is not condition or x is not true_value or y is not false_value:
            return (cond, x, y)
        if not cond.dtype.is_bool:
            raise TypeMismatchError(f"Select needs a bool condition, got {cond.dtype}")
        if cond.dtype.lanes not in (1, x.dtype.lanes):
            raise TypeMismatchError(f"Select condition has {cond.dtype.lanes} lanes, its values {x.dtype.lanes}")
        return x.dtype


class Ramp(Expr):
    """The vector base, base + stride, ..., base + (lanes - 1) * stride."""

    base: Expr
    stride: Expr
    lanes: int

    @classmethod
    def _infer(cls, base: object, stride: object, lanes: int) -> Inferred:
        x, y = operators.match_types(base, stride)
        if x is not base or y is not stride or type(lanes) is not int:
            return (x, y, int(lanes))
        if lanes < 2 or x.dtype.lanes != 1:
            raise TypeMismatchError(f"Ramp needs a scalar base and at least 2 lanes, got {x.dtype} and {lanes}")
        return x.dtype.with_lanes(lanes)


class Broadcast(Expr):
    """The scalar ``value`` in every one of ``lanes`` lanes."""

    value: Expr
    lanes: int

    @classmethod
    def _infer(cls, value: object, lanes: int) -> Inferred:
        x = operators.convert(value)
        if x is not value or type(lanes) is not int:
            return (x, int(lanes))
        if lanes < 2 or x.dtype.lanes != 1:
            raise TypeMismatchError(f"Broadcast needs a scalar and at least 2 lanes, got {x.dtype} and {lanes}")
        return x.dtype.with_lanes(lanes)


class Shuffle(Expr):
    """Lanes picked by constant ``indices`` out of the concatenation of ``vectors``."""

    vectors: tuple[Expr, ...]
    indices: tuple[int, ...]

    @classmethod
    def _infer(cls, vectors: Sequence[Expr], indices: Sequence[int]) -> Inferred:
        if type(vectors) is not tuple or type(indices) is not tuple or any(type(i) is not int for i in indices):
            return (tuple(vectors), tuple([int(i) for i in indices]))
        total = sum([v.dtype.lanes for v in vectors])
        if any(not 0 <= i < total for i in indices):
            raise TypeMismatchError(f"Shuffle picks lanes {indices} out of {total}")
        return vectors[0].dtype.element.with_lanes(len(indices))


class Let(Expr):
    """``body`` with ``var`` standing for ``value``."""

    _binds: ClassVar[tuple[str, ...]] = ("var",)

    var: Var
    value: Expr
    body: Expr

    @classmethod
    def _infer(cls, var: Var, value: Expr, body: Expr) -> Inferred:
        if value.dtype is not var.dtype:
            raise TypeMismatchError(f"Let binds {var.name}: {var.dtype} to a value of type {value.dtype}")
        return body.dtype


class Call(Expr):
    """A call of an intrinsic, an external function by name, or another function of the module."""

    dtype: DType
    op: Op | GlobalVar
    args: tuple[Expr, ...]

    @classmethod
    def _infer(cls, dtype: str, op: object, args: Sequence[object]) -> Inferred:
        kind = DType(dtype)
        if isinstance(op, str):
            from gpucomp.tir.intrin import Op

            return (kind, Op.get(op), tuple([operators.convert(x) for x in args]))
        if kind is not dtype or type(args) is not tuple or any([not isinstance(x, Expr) for x in args]):
            return (kind, op, tuple([operators.convert(x) for x in args]))
        return kind


class GlobalVar(Node):
    """The name of a function of the module."""

    name_hint: str

    __hash__ = object.__hash__


class BufferLoad(Expr):
    """``buffer[indices]``.  The last index may be a vector; ``predicate`` masks its lanes."""

    buffer: Buffer
    indices: tuple[Expr, ...]
    predicate: Expr | None = None

    @classmethod
    def _infer(cls, buffer: Buffer, indices: Sequence[object], predicate: Expr | None) -> Inferred:
        if type(indices) is not tuple or any([not isinstance(i, Expr) for i in indices]):
            return (buffer, tuple([operators.convert(i) for i in indices]), predicate)
        check_indices(buffer.name, len(buffer.shape), indices)
        return vector_of(buffer.dtype, indices)


class ProducerLoad(Expr):
    """``producer[indices]``: one element of a tensor, before buffers exist."""

    producer: Any  # te.Tensor: a layer above this one, which only needs .shape, .dtype and .name here
    indices: tuple[Expr, ...]

    @classmethod
    def _infer(cls, producer: Any, indices: Sequence[object]) -> Inferred:
        if type(indices) is not tuple or any([not isinstance(i, Expr) for i in indices]):
            return (producer, tuple([operators.convert(i) for i in indices]))
        check_indices(producer.name, len(producer.shape), indices)
        return vector_of(producer.dtype, indices)


def check_indices(name: str, ndim: int, indices: tuple[Expr, ...]) -> None:
    """Refuse an access with the wrong number of indices or with indices that are no integers."""
    if len(indices) != ndim:
        raise TypeMismatchError(f"{name} has {ndim} dimensions, but is indexed with {len(indices)}")
    for i in indices:
        if not i.dtype.is_int:
            raise TypeMismatchError(
                f"{name} is indexed with a value of type {i.dtype}", hint="cast it: index.astype('int32')"
            )


def vector_of(dtype: DType, indices: tuple[Expr, ...]) -> DType:
    """The type of an access of element type ``dtype`` at ``indices``."""
    lanes = indices[-1].dtype.lanes if indices else 1
    return dtype.with_lanes(dtype.lanes * lanes) if lanes > 1 else dtype


class CommReducer(Node):
    """A commutative, associative combination of k-tuples.

    ``result`` combines the variables ``lhs`` and ``rhs``; ``identity_element`` is neutral for it.
    """

    _binds: ClassVar[tuple[str, ...]] = ("lhs", "rhs")
    lhs: tuple[Var, ...]
    rhs: tuple[Var, ...]
    result: tuple[Expr, ...]
    identity_element: tuple[Expr, ...]

    def __call__(self, a: tuple[Expr, ...], b: tuple[Expr, ...]) -> tuple[Expr, ...]:
        """Combine two k-tuples of expressions."""
        from gpucomp.tir.functor import substitute

        mapping = dict(zip(self.lhs + self.rhs, tuple(a) + tuple(b), strict=True))
        return tuple([substitute(r, mapping) for r in self.result])


class Reduce(Expr):
    """Element ``value_index`` of the reduction of ``source`` over ``axis`` where ``condition`` holds."""

    _binds: ClassVar[tuple[str, ...]] = ("axis",)
    combiner: CommReducer
    source: tuple[Expr, ...]
    axis: tuple[IterVar, ...]
    condition: Expr
    value_index: int
    init: tuple[Expr, ...] = ()

    @classmethod
    def _infer(
        cls,
        combiner: CommReducer,
        source: Sequence[Expr],
        axis: Sequence[IterVar],
        condition: Expr,
        value_index: int,
        init: Sequence[Expr] | None,
    ) -> Inferred:
        if type(source) is not tuple or type(axis) is not tuple or type(init) is not tuple:
            return (combiner, tuple(source), tuple(axis), condition, value_index, tuple(init or ()))
        for ax in axis:
            if ax.iter_type != IterVar.CommReduce:
                raise TypeMismatchError(
                    f"axis {ax.var.name!r} of a reduction is not a reduce axis",
                    hint="make it with te.reduce_axis",
                )
        return source[value_index].dtype


class Range(Node):
    """The half-open interval [min, min + extent).

    ``Range(end)`` starts at 0; ``Range(begin, end)`` spans begin to end; see also :meth:`from_min_extent`.
    """

    min: Expr
    extent: Expr

    __hash__ = object.__hash__

    def __new__(cls, begin: ExprLike, end: ExprLike | None = None, span: Span | None = None) -> Range:
        if end is None:
            return cls.from_min_extent(0, begin)
        return cls.from_min_extent(begin, operators.subtract(end, begin))

    @classmethod
    def from_min_extent(cls, min_value: ExprLike, extent: ExprLike, span: Span | None = None) -> Range:
        """Build [min_value, min_value + extent)."""
        node = object.__new__(cls)
        size = operators.convert(extent)
        low = operators.convert(min_value)
        if low.dtype is not size.dtype:
            low, size = operators.match_types(low, size)
        object.__setattr__(node, "min", low)
        object.__setattr__(node, "extent", size)
        return node

    def __reduce__(self) -> tuple[object, ...]:
        return (Range.from_min_extent, (self.min, self.extent))

    def __repr__(self) -> str:
        return f"Range({self.min}, {operators.add(self.min, self.extent)})"


class IterVar(Node, ExprOp):
    """An axis: a variable, its domain, and what kind of iteration it stands for."""

    dom: Range | None
    var: Var
    iter_type: int
    thread_tag: str = ""

    DataPar: ClassVar[int] = 0
    ThreadIndex: ClassVar[int] = 1
    CommReduce: ClassVar[int] = 2
    Ordered: ClassVar[int] = 3
    Opaque: ClassVar[int] = 4
    Unrolled: ClassVar[int] = 5
    Vectorized: ClassVar[int] = 6
    Parallelized: ClassVar[int] = 7
    Tensorized: ClassVar[int] = 8

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (int, Expr)) and not isinstance(other, bool):
            return self.var == other  # pyright: ignore[reportReturnType]  # an index compared with a number builds IR
        return self is other

    def __ne__(self, other: object) -> bool:
        if isinstance(other, (int, Expr)) and not isinstance(other, bool):
            return self.var != other  # pyright: ignore[reportReturnType]  # as above
        return self is not other

    @classmethod
    def _prepare(
        cls, dom: Range | tuple[ExprLike, ExprLike] | None, var: Var | str, iter_type: int, thread_tag: str
    ) -> tuple[object, ...]:
        domain = Range(*dom) if isinstance(dom, (tuple, list)) else dom
        axis = Var(var, domain.extent.dtype if domain is not None else INT32) if isinstance(var, str) else var
        usual = (domain is None or domain.__class__ is Range) and axis.__class__ in _AXIS_VARIABLES
        if not usual or iter_type.__class__ is not int or thread_tag.__class__ is not str or not 0 <= iter_type <= 8:
            cls._check(domain, axis, iter_type, thread_tag)
        return domain, axis, iter_type, thread_tag

    @staticmethod
    def _check(dom: object, var: object, iter_type: object, thread_tag: object) -> None:
        """TypeError, which the constructor turns into an error at the user's line."""
        if dom is not None and not isinstance(dom, Range):
            raise TypeError(f"dom is no Range, pair or None: {dom!r:.60}")
        if not isinstance(var, Var):
            raise TypeError(f"var is no Var and no name: {var!r:.60}")
        if not isinstance(iter_type, int) or not 0 <= iter_type <= IterVar.Tensorized:
            raise TypeError(f"iter_type is none of IterVar.DataPar ... IterVar.Tensorized (0 to 8): {iter_type!r:.60}")
        if not isinstance(thread_tag, str):
            raise TypeError(f"thread_tag is no text: {thread_tag!r:.60}")

    def as_expr(self) -> Expr:
        return self.var

    @property
    def dtype(self) -> DType:
        """Type of the index."""
        return self.var.dtype

    @property
    def name(self) -> str:
        """Name of the variable."""
        return self.var.name

    def __repr__(self) -> str:
        return f"IterVar({self.var.name}, {self.dom})"


_AXIS_VARIABLES: Final = (Var, SizeVar)


def wrap_int(value: int, dtype: DType) -> int:
    """Reduce ``value`` modulo 2**bits into the range of an integer or bool type."""
    if dtype.code == "bool":
        return int(value != 0)
    if dtype.code == "uint":
        return value & ((1 << dtype.bits) - 1)
    half = 1 << (dtype.bits - 1)
    return value if -half <= value < half else (value + half) % (2 * half) - half


def is_const_int(e: object, value: int | None = None) -> bool:
    """True for an integer literal (of the given value)."""
    return isinstance(e, IntImm) and (value is None or e.value == value)
