"""Reductions: combine the values of a whole axis with a commutative, associative operation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, overload  # Any: the user's functions; one value or a tuple of them

from gpucomp.support.diagnostics import TensorError, TypeMismatchError, caller_span
from gpucomp.support.dtype import BOOL, DType
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import CommReducer, Expr, ExprLike, IterVar, Reduce, Var

Axes = IterVar | Sequence[IterVar]


class Reducer:
    """A commutative, associative combination with its identity; call it to reduce."""

    def __init__(self, fcombine: Callable[..., Any], fidentity: Callable[..., Any], name: str) -> None:
        self.fcombine, self.fidentity, self.__name__ = fcombine, fidentity, name
        self._combiners: dict[tuple[DType, ...], CommReducer] = {}

    @overload
    def __call__(
        self, expr: ExprLike, *other: ExprLike | Axes, axis: Axes | None = None, where: ExprLike | None = None,
        init: ExprLike | None = None,
    ) -> Expr: ...  # fmt: skip
    @overload
    def __call__(
        self, expr: Sequence[ExprLike], *other: Axes, axis: Axes | None = None, where: ExprLike | None = None,
        init: Sequence[ExprLike] | None = None,
    ) -> tuple[Expr, ...]: ...  # fmt: skip
    def __call__(
        self,
        expr: ExprLike | Sequence[ExprLike],
        *other: ExprLike | Axes,
        axis: Axes | None = None,
        where: ExprLike | None = None,
        init: ExprLike | Sequence[ExprLike] | None = None,
    ) -> Expr | tuple[Expr, ...]:
        """Reduce ``expr`` over ``axis``; given a second value instead of an axis, combine the two.

        Args:
            expr: value to reduce, or a tuple of values for a reducer of tuples.
            other: the axis, by position, or the second value.
            axis: a reduce axis or several.
            where: elements for which it does not hold are left out.
            init: start value (or tuple of them) in place of the identity.

        Returns:
            An expression, or a tuple of them.

        Raises:
            TensorError: GC215 there is no axis, or what is given as one is none; GC213 the reducer does not fit the
                values; GC220 ``where`` is no condition, or ``init`` no start value for each of them.
        """
        if len(other) == 1 and axis is None:
            if not isinstance(other[0], (IterVar, list, tuple)):
                return operators.convert(self.fcombine(*operators.match_types(expr, other[0])))
            axis = other[0]
        elif other or not isinstance(axis, (IterVar, list, tuple)):
            raise self._no_axis(axis)
        axes = (axis,) if isinstance(axis, IterVar) else tuple(axis)
        self._check_axes(axes)
        several = isinstance(expr, (tuple, list))
        source = tuple([operators.convert(x) for x in (expr if several else (expr,))])
        kinds = tuple([x.dtype for x in source])
        begin = self._starts(init, kinds, several)
        condition = operators.const(1, BOOL) if where is None else operators.convert(where)
        if not condition.dtype.is_bool:
            raise TensorError(
                f"{self.__name__}: where has type {condition.dtype}, which is no condition",
                code="GC220",
                where=caller_span(),
                hint="where=k < n, or where=A[k] != 0",
            )
        combiner = self._combiner(kinds, several)
        outputs = tuple([Reduce(combiner, source, axes, condition, i, begin) for i in range(len(source))])
        return outputs if several else outputs[0]

    def _starts(
        self, init: ExprLike | Sequence[ExprLike] | None, kinds: tuple[DType, ...], several: bool
    ) -> tuple[Expr, ...]:
        """The start values, in the types of the values that are combined."""
        if init is None:
            return ()
        items = list(init) if isinstance(init, (tuple, list)) else [init]
        if len(items) != len(kinds) or (isinstance(init, (tuple, list)) and not several):
            raise self._no_start(f"{len(items)} values in a {type(init).__name__}", len(kinds), several)
        starts = [operators.convert(x) for x in items]
        for x in starts:
            if x.dtype.is_handle:
                raise self._no_start(str(x), len(kinds), several)
        return tuple([operators.cast(k, x) for x, k in zip(starts, kinds, strict=True)])

    def _no_start(self, given: str, count: int, several: bool) -> TensorError:
        wanted = f"a tuple of {count} values" if several else "one value"
        return TensorError(
            f"{self.__name__}: init is {given}, but the reduction needs {wanted} to start from",
            code="GC220",
            where=caller_span(),
            hint="init=(a, b) for a reducer of pairs, init=a for one of single values",
        )

    def _no_axis(self, given: object) -> TensorError:
        what = "needs one axis or several" if given is None else f"runs over {given}, which is no reduction axis"
        return TensorError(
            f"{self.__name__} {what}",
            code="GC215",
            where=caller_span(),
            hint=f"k = te.reduce_axis((0, n), 'k'), then te.{self.__name__}(A[i, k], axis=k)",
        )

    def _check_axes(self, axes: tuple[object, ...]) -> None:
        for position, axis in enumerate(axes):
            if not isinstance(axis, IterVar):
                raise self._no_axis(axis)
            if axis.iter_type != IterVar.CommReduce:
                raise TensorError(
                    f"{self.__name__} runs over {axis.name!r}, which is no reduction axis",
                    code="GC215",
                    where=caller_span(),
                    hint=f"{axis.name} = te.reduce_axis((0, n), {axis.name!r})",
                )
            if axis in axes[:position]:
                raise TensorError(
                    f"{self.__name__} runs over {axis.name!r} twice",
                    code="GC215",
                    where=caller_span(),
                    hint="name each axis once, or make a second one of the same extent",
                )

    def _combiner(self, kinds: tuple[DType, ...], several: bool) -> CommReducer:
        found = self._combiners.get(kinds)
        if found is not None:
            return found
        suffix = [str(i) if several else "" for i in range(len(kinds))]
        lhs = tuple([Var(f"x{s}", k) for s, k in zip(suffix, kinds, strict=True)])
        rhs = tuple([Var(f"y{s}", k) for s, k in zip(suffix, kinds, strict=True)])
        result = self._call(self.fcombine, "fcombine", (lhs, rhs) if several else (lhs[0], rhs[0]), several)
        identity = self._call(self.fidentity, "fidentity", kinds, several)
        if len(result) != len(kinds) or len(identity) != len(kinds):
            raise TensorError(
                f"reducer {self.__name__!r} of {len(kinds)} values gives {len(result)} values and "
                f"{len(identity)} identities",
                code="GC213",
                where=caller_span(),
            )
        exprs = [operators.convert(x) for x in result]
        for x, k in zip(exprs, kinds, strict=True):
            if x.dtype is not k:
                raise TensorError(
                    f"reducer {self.__name__!r} combines two {k} to a {x.dtype}", code="GC213", where=caller_span()
                )
        neutral = tuple([operators.cast(k, operators.convert(x)) for x, k in zip(identity, kinds, strict=True)])
        made = CommReducer(lhs, rhs, tuple(exprs), neutral)
        return self._combiners.setdefault(kinds, made)

    def _call(self, function: Any, what: str, args: tuple[Any, ...], several: bool) -> tuple[Any, ...]:
        """What a function of the user's gives, as a tuple."""
        problem = "" if callable(function) else f"is a {type(function).__name__}, no function"
        if not problem:
            try:
                inspect.signature(function).bind(*args)
            except TypeError:
                problem = f"does not take {len(args)} arguments"
            except ValueError:  # a built-in without a signature
                problem = ""
        if not problem:
            with operators.tracing():
                result = function(*args)
            if not several:
                return (result,)
            if isinstance(result, (tuple, list)):
                return tuple(result)
            problem = f"gives one {type(result).__name__}, not a tuple, for {len(self._of(args))} values"
        raise TensorError(
            f"reducer {self.__name__!r}: {what} {problem}",
            code="GC213",
            where=caller_span(),
            hint="te.comm_reducer(lambda x, y: x + y, lambda t: te.const(0, t)); for pairs, x and y are tuples of two "
            "and the identity takes two types",
        )

    def _of(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return args[0] if args and isinstance(args[0], tuple) else args


def comm_reducer(fcombine: Callable[..., Any], fidentity: Callable[..., Any], name: str = "reduce") -> Reducer:
    """Make a reducer.

    Args:
        fcombine: combines two values, or two tuples of values.
        fidentity: called with the dtypes; gives the neutral value, or a tuple of them.
        name: for messages.

    Returns:
        A callable ``reducer(expr, axis, where=None, init=None)``.
    """
    return Reducer(fcombine, fidentity, name)


def _lowest(dtype: str) -> Expr:
    kind = DType(dtype)
    return operators.const(float("-inf"), kind) if kind.code in ("float", "bfloat") else intrin.min_value(kind)


def _highest(dtype: str) -> Expr:
    kind = DType(dtype)
    return operators.const(float("inf"), kind) if kind.code in ("float", "bfloat") else intrin.max_value(kind)


sum_of = comm_reducer(lambda x, y: x + y, lambda t: operators.const(0, t), name="sum")
product_of = comm_reducer(lambda x, y: x * y, lambda t: operators.const(1, t), name="prod")
max_of = comm_reducer(operators.maximum, _lowest, name="max")
min_of = comm_reducer(operators.minimum, _highest, name="min")


def _condition(function: str, given: object) -> Expr:
    condition = operators.convert(given)
    if not condition.dtype.is_bool:
        raise TypeMismatchError(
            f"{function}: {condition} has type {condition.dtype}, and is no condition",
            code="GC255",
            hint=f"te.{function}(i > 0, A[i] != 0)",
        )
    return condition


def all_of(*args: ExprLike) -> Expr:
    """Logical and of all arguments.

    Raises:
        TypeMismatchError: GC255 one of them is no condition.
    """
    result: Expr = operators.const(1, BOOL)
    for a in args:
        result = operators.logical(e.And, result, _condition("all", a))
    return result


def any_of(*args: ExprLike) -> Expr:
    """Logical or of all arguments.

    Raises:
        TypeMismatchError: GC255 one of them is no condition.
    """
    result: Expr = operators.const(0, BOOL)
    for a in args:
        result = operators.logical(e.Or, result, _condition("any", a))
    return result
