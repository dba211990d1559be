"""The language of tensor expressions: placeholder, compute, variables, axes and reductions."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ContextDecorator
from typing import Any, overload

from gpucomp.support.diagnostics import (
    GpucompError,
    Span,
    TensorError,
    TypeMismatchError,
    caller_span,
    is_internal,
)
from gpucomp.support.dtype import FLOAT32, INT32, DType
from gpucomp.te.operation import ComputeOp, PlaceholderOp
from gpucomp.te.scopes import KERNEL_TAGS
from gpucomp.te.tensor import Tensor
from gpucomp.te.tensor_compute import tensor_compute
from gpucomp.te.tensor_intrin import TensorIntrinCall
from gpucomp.te.user_input import is_a, named, number, unfit
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, IntImm, IterVar, Range, Reduce, SizeVar, Var
from gpucomp.tir.functor import expr_post_order

THREAD_TAGS = frozenset(KERNEL_TAGS)
_local = threading.local()


def var(name: str = "tindex", dtype: str = "int32", span: Span | None = None) -> Var:
    """A scalar variable: a symbolic extent, or a scalar argument."""
    return Var(name, dtype)


def size_var(name: str = "size", dtype: str = "int32", span: Span | None = None) -> SizeVar:
    """A scalar variable that is known to be >= 0."""
    made = SizeVar(name, dtype)
    assert isinstance(made, SizeVar)  # Var.__new__ builds the class it is called on
    return made


def const(value: float | int | bool, dtype: str = "int32", span: Span | None = None) -> Expr:
    """A literal of the given type.

    Raises:
        TypeMismatchError: GC252 the value is no number; GC254 an integer type does not hold it.
    """
    made = operators.const(value, dtype)
    held = made.value if isinstance(made, e.Broadcast) else made
    if isinstance(held, IntImm) and not held.dtype.is_bool and held.value != value:
        raise TypeMismatchError(
            f"const: {value} does not fit into {held.dtype}, and would be {held.value} there",
            code="GC254",
            hint=f"a wider type, or te.const({value}, 'int64').astype({str(held.dtype)!r}) for what wraps",
        )
    return made


def shape_of(shape: object, what: str) -> tuple[Expr, ...]:
    """Extents from one, or a tuple of them; ``what`` names the owner in messages."""
    items = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    extents = [_extent(number(s), what) for s in items]
    for position, extent in enumerate(extents):
        problem = ""
        if not extent.dtype.is_int or extent.dtype.lanes != 1:
            problem = f"has type {extent.dtype}; extents are integers"
        elif isinstance(extent, e.IntImm) and extent.value < 0:
            problem = f"is {extent.value}; extents are >= 0"
        if problem:
            raise TensorError(
                f"extent {position} of {what} {problem}",
                code="GC206",
                where=caller_span(),
                hint="an int >= 0, or an integer expression of te.var(...)",
            )
    return tuple(extents)


def _extent(given: object, what: str) -> Expr:
    try:
        return operators.convert(given)
    except TypeMismatchError:
        raise TensorError(
            f"an extent of {what} is {given!r:.40}; extents are integers",
            code="GC206",
            where=caller_span(),
            hint="an int >= 0, or an integer expression of te.var(...); several in a tuple",
        ) from None


def placeholder(shape: object, dtype: str | None = None, name: str = "placeholder") -> Tensor:
    """An input tensor.

    Args:
        shape: extents: integers or integer expressions of :func:`var`.
        dtype: element type, float32 when not given.
        name: preferred name.

    Raises:
        TensorError: an extent is negative or no integer.
    """
    named("placeholder", name)
    extents = shape_of(shape, f"placeholder {name!r}")
    return PlaceholderOp(name, extents, DType(dtype) if dtype else FLOAT32, caller_span()).output(0)


class tag_scope(ContextDecorator):  # public name
    """``with te.tag_scope("broadcast"):`` gives operations made inside a tag.

    Raises:
        TensorError: a scope inside of another one.
    """

    def __init__(self, tag: str) -> None:
        self.tag = tag

    def __enter__(self) -> tag_scope:
        named("tag_scope", "", self.tag)
        if getattr(_local, "tag", ""):
            raise TensorError(f"tag_scope {self.tag!r} inside of {_local.tag!r}: tags do not nest", where=caller_span())
        _local.tag = self.tag
        return self

    def __exit__(self, *exc: object) -> None:
        _local.tag = ""


def _arg_names(fcompute: Callable[..., Any], ndim: int, name: str, varargs_names: Sequence[str] | None) -> list[str]:
    kinds = inspect.Parameter
    problem = unfit(fcompute)
    if problem:
        raise TensorError(
            f"compute {name!r}: fcompute {problem}",
            code="GC207",
            where=caller_span(),
            hint="te.compute((n,), lambda i: A[i] + 1)",
        )
    params = list(inspect.signature(fcompute).parameters.values())
    positional = [p for p in params if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in positional if p.default is kinds.empty]
    names = [p.name for p in positional[:ndim]]
    rest = ndim - len(names)
    has_varargs = any([p.kind is kinds.VAR_POSITIONAL for p in params])
    if len(needed) > ndim:
        raise _wrong_count(name, ndim, len(positional))
    if rest and not has_varargs:
        return names  # enough for a tensor intrinsic, which computes the other dimensions
    if varargs_names is not None and has_varargs:
        if len(varargs_names) != rest:
            raise TensorError(
                f"compute {name!r}: varargs_names has {len(varargs_names)} names for {rest} indices",
                code="GC207",
                where=caller_span(),
                hint="one name for each index that the function takes as *indices",
            )
        return names + list(varargs_names)
    return names + [f"i{i}" for i in range(len(names), ndim)]


def _wrong_count(name: str, ndim: int, count: int) -> TensorError:
    return TensorError(
        f"compute {name!r} has {ndim} dimensions, but its function takes {count} indices",
        code="GC207",
        where=caller_span(),
        hint="the function takes one index for each dimension of the shape",
    )


def current_tag() -> str:
    """The tag of the enclosing :class:`tag_scope`, empty when there is none."""
    return getattr(_local, "tag", "")


def trace_body(fcompute: Callable[..., Any], args: Sequence[Any]) -> Any:
    """Call a user's function; errors point at the innermost line of the user's."""
    try:
        with operators.tracing():
            return fcompute(*args)
    except GpucompError as error:
        if error.where is None:
            error.where = _innermost_user_line(error)
        raise
    except (IndexError, TypeError) as error:  # Python's, or numpy's: a symbol where they need a number
        error.add_note(
            "note: inside of a compute indices and elements are symbols, not numbers: what a kernel reads is a "
            "te.placeholder, not an array or a list; a loop over a symbol is a te.reduce_axis"
        )
        raise


def _innermost_user_line(error: GpucompError) -> Span | None:
    place: Span | None = None
    frame = error.__traceback__
    while frame is not None:
        filename = frame.tb_frame.f_code.co_filename
        if not is_internal(filename):
            place = Span(filename, frame.tb_lineno)
        frame = frame.tb_next
    return place


@overload
def compute(
    shape: object,
    fcompute: Callable[..., ExprLike],
    name: str = "compute",
    tag: str = "",
    attrs: Mapping[str, Any] | None = None,
    varargs_names: Sequence[str] | None = None,
) -> Tensor: ...
@overload
def compute(
    shape: object,
    fcompute: Callable[..., tuple[ExprLike, ...] | list[ExprLike]],
    name: str = "compute",
    tag: str = "",
    attrs: Mapping[str, Any] | None = None,
    varargs_names: Sequence[str] | None = None,
) -> tuple[Tensor, ...]: ...
@overload
def compute(
    shape: object,
    fcompute: Callable[..., TensorIntrinCall],
    name: str = "compute",
    tag: str = "",
    attrs: Mapping[str, Any] | None = None,
    varargs_names: Sequence[str] | None = None,
) -> Any: ...  # Any: a tensor, or as many as the intrinsic writes
def compute(
    shape: object,
    fcompute: Callable[..., ExprLike | tuple[ExprLike, ...] | list[ExprLike] | TensorIntrinCall],
    name: str = "compute",
    tag: str = "",
    attrs: Mapping[str, Any] | None = None,
    varargs_names: Sequence[str] | None = None,
) -> Tensor | tuple[Tensor, ...]:
    """A tensor whose elements are given by an expression of their indices.

    Args:
        shape: extents of the result; ``()`` for a scalar.
        fcompute: called once with one index variable for each dimension; returns an expression, a reduction
            (``te.sum(...)``), or a tuple of those for several outputs of one shape.  One that returns the call of a
            tensor intrinsic takes the indices of the outer dimensions only.
        name: preferred name.
        tag: class of operation, for automatic scheduling.
        attrs: free annotations.
        varargs_names: names of the indices that ``fcompute`` takes as ``*indices``.

    Returns:
        The tensor, or a tuple of tensors.

    Raises:
        TensorError: wrong number of indices, a result that is no expression, or a reduction inside of another
            expression.
    """
    span = caller_span()
    named("compute", name, tag, attrs)
    extents = shape_of(shape, f"compute {name!r}")
    names = _arg_names(fcompute, len(extents), name, varargs_names)
    axis = tuple(
        [
            IterVar(Range.from_min_extent(0, x), Var(n, x.dtype), IterVar.DataPar)
            for n, x in zip(names, extents, strict=False)
        ]
    )
    result = trace_body(fcompute, [a.var for a in axis])
    if isinstance(result, TensorIntrinCall):
        made = tensor_compute(name, tag or current_tag(), attrs, axis, extents[len(axis) :], result, span)
        return made.outputs if made.num_outputs > 1 else made.output(0)
    if len(axis) < len(extents):
        raise _wrong_count(name, len(extents), len(axis))
    several = isinstance(result, (tuple, list))
    body = tuple([_body(x, name, span) for x in (result if several else (result,))])
    if not body:
        raise TensorError(
            f"the function of compute {name!r} returns no value", code="GC208", where=span, hint="lambda i: A[i] + 1"
        )
    _check_reductions(body, name, span)
    op = ComputeOp(name, tag or current_tag(), attrs, axis, body, span)
    return op.outputs if len(body) > 1 else op.output(0)


def _body(value: object, name: str, span: Span | None) -> Expr:
    if value is None:
        raise TensorError(
            f"the function of compute {name!r} returns None", code="GC208", where=span, hint="does it lack a return?"
        )
    body = operators.convert(value)
    if body.dtype.is_handle:
        raise TensorError(
            f"the function of compute {name!r} returns {body}, which is no number", code="GC208", where=span
        )
    return body


def _check_reductions(body: tuple[Expr, ...], name: str, span: Span | None) -> None:
    roots = [b for b in body if isinstance(b, Reduce)]
    inner: list[Expr] = [b for b in body if not isinstance(b, Reduce)]
    for r in roots:
        inner += [*r.source, r.condition, *r.init]
    if any([isinstance(n, Reduce) for n in expr_post_order(*inner)]):
        raise TensorError(
            f"compute {name!r} uses a reduction inside of another expression",
            code="GC209",
            where=span,
            hint="compute the reduction first, in a tensor of its own, then use its elements",
        )
    if not roots:
        return
    first = roots[0]
    whole = [_same_reduction(r, first) and r.value_index == i for i, r in enumerate(roots)]
    if len(roots) != len(body) or len(body) != len(first.source) or not all(whole):
        raise TensorError(
            f"compute {name!r} returns {len(body)} values that are not the elements of one reduction, in order",
            code="GC210",
            where=span,
            hint="return the tuple that the reducer returns, whole; compute other results in a tensor of their own",
        )


def _same_reduction(a: Reduce, b: Reduce) -> bool:
    # Interning makes equal operands the same objects, so putting b's index into a must give b itself.
    return Reduce(a.combiner, a.source, a.axis, a.condition, b.value_index, a.init) is b


def _domain(dom: Any) -> Range | None:
    if dom is None or isinstance(dom, Range):
        return dom
    ends = [number(end) for end in dom] if isinstance(dom, (tuple, list)) else [0, number(dom)]
    problem = f"got {len(ends)} values" if len(ends) != 2 else ""
    made = None if problem else _converted(ends)
    if made is None or not all([end.dtype.is_int and not end.dtype.is_bool for end in made]):
        raise TensorError(
            f"a domain is (begin, end), two whole numbers, {problem or f'got {dom!r:.60}'}",
            code="GC211",
            where=caller_span(),
            hint="(0, n), or the extent n alone",
        )
    return Range(made[0], made[1])


def _converted(ends: Sequence[object]) -> list[Expr] | None:
    return None if any([end is None or isinstance(end, str) for end in ends]) else [operators.convert(x) for x in ends]


def thread_axis(dom: object = None, tag: str = "", name: str = "", span: Span | None = None) -> IterVar:
    """An axis of the launch grid, to which loops are bound.

    Args:
        dom: extent or (begin, end), when it shall be fixed here; the tag itself is accepted in its place.
        tag: ``blockIdx.{x,y,z}``, ``threadIdx.{x,y,z}``, ``vthread[...]`` or ``cthread``; ``clusterIdx.x`` counts the
            blocks of a thread block cluster: they run together, and reductions may go over them.
        name: preferred name, the tag when not given.

    Raises:
        TensorError: GC212 unknown tag; GC211 a domain that has no two whole ends, does not begin at 0, or is empty.
    """
    if isinstance(dom, str):
        dom, tag = None, dom
    if not is_a(tag, str) or (tag not in THREAD_TAGS and not tag.startswith(("vthread", "cthread"))):
        raise TensorError(
            f"unknown thread tag {tag!r}",
            code="GC212",
            where=caller_span(),
            hint="one of blockIdx.x/y/z, threadIdx.x/y/z, clusterIdx.x, vthread",
        )
    domain = _domain(dom)
    if domain is not None and isinstance(domain.extent, IntImm) and (domain.extent.value < 1 or _begins_late(domain)):
        raise TensorError(
            f"thread axis {tag} runs over {domain}; threads are numbered from 0, and there is one at the least",
            code="GC211",
            where=caller_span(),
            hint=f"te.thread_axis((0, 32), {tag!r})",
        )
    return IterVar(domain, Var(name or tag, INT32), IterVar.ThreadIndex, tag)


def _begins_late(domain: Range) -> bool:
    return isinstance(domain.min, IntImm) and domain.min.value != 0


def reduce_axis(dom: object, name: str = "rv", thread_tag: str = "", span: Span | None = None) -> IterVar:
    """An axis to reduce over.

    Args:
        dom: (begin, end), a :class:`Range`, or the extent.
        name: preferred name.
        thread_tag: accepted as TVM does; :meth:`Stage.bind` binds an axis to threads.

    Raises:
        TensorError: GC211 there is no domain, it has not two ends, or its extent is negative.
    """
    domain = _domain(dom)
    if domain is None:
        raise TensorError(
            "a reduce axis needs a domain", code="GC211", where=caller_span(), hint="te.reduce_axis((0, n))"
        )
    if isinstance(domain.extent, IntImm) and domain.extent.value < 0:
        raise TensorError(
            f"reduce axis {name!r} has extent {domain.extent}; extents are >= 0",
            code="GC211",
            where=caller_span(),
            hint="te.reduce_axis((begin, end)) with begin <= end",
        )
    return IterVar(domain, Var(name, domain.extent.dtype), IterVar.CommReduce, thread_tag)
