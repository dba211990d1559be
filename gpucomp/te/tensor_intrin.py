"""Tensor intrinsics: a computation, by its declaration, and the statements that do it on a target.

The declaration is an ordinary ``te.compute`` over placeholders: it says what the statements mean, tensorize compares
a loop nest with it, and where a target lacks a function that the statements call, the nest runs as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any  # Any: what the user's function takes and returns

from gpucomp import arith
from gpucomp.support.diagnostics import Span, TensorError, caller_span
from gpucomp.te.affine import Forms
from gpucomp.te.operation import ComputeOp, Operation, PlaceholderOp
from gpucomp.te.tensor import Tensor
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import Call, Expr, IterVar, StringImm, Var
from gpucomp.tir.functor import expr_post_order, post_order
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import Evaluate, Stmt

_EXTERNS = frozenset({"tir.call_extern", "tir.call_pure_extern"})


class TensorIntrin:
    """A tensor intrinsic; see :func:`decl_tensor_intrin`.  Compares by identity.

    Attributes:
        name: for messages and traces.
        op: the declaration: what the statements compute.
        inputs: the placeholders that the declaration reads.
        buffers: what the statements access: one for each input, then one for each output.
        any_scope: buffers that were not given by the user, which stand for memory of any scope.
        scalar_params: variables of the declaration whose values the use supplies.
        body: computes the outputs.
        reduce_init: sets the outputs to the start of a reduction; None where there is none.
        reduce_update: adds to the outputs; None where there is none.
        span: the user's declaration.
    """

    __slots__ = (
        "any_scope", "body", "buffers", "inputs", "name", "op", "reduce_init", "reduce_update", "scalar_params", "span",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        op: ComputeOp,
        buffers: tuple[Buffer, ...],
        any_scope: frozenset[Buffer],
        scalar_params: tuple[Var, ...],
        body: tuple[Stmt | None, Stmt | None, Stmt | None],
        span: Span | None,
    ) -> None:
        self.name, self.op, self.inputs = name, op, op.input_tensors
        self.buffers, self.any_scope, self.scalar_params = buffers, any_scope, scalar_params
        self.body, self.reduce_init, self.reduce_update = body
        self.span = span

    @property
    def extern_names(self) -> tuple[str, ...]:
        """The functions that its statements call by name."""
        statements = [x for x in (self.body, self.reduce_init, self.reduce_update) if x is not None]
        return tuple(dict.fromkeys([name for x in statements for name in extern_names(x)]))

    def __repr__(self) -> str:
        return f"TensorIntrin({self.name})"


def decl_tensor_intrin(
    op: Operation | Tensor,
    fcompute: Callable[..., Any],
    name: str = "tensor_intrin",
    binds: Mapping[Tensor, Buffer] | None = None,
    scalar_params: Sequence[Var] | Var | None = None,
    default_buffer_params: Mapping[str, Any] | None = None,
) -> TensorIntrin:
    """Declare a tensor intrinsic.

    Args:
        op: the declaration: a ``te.compute`` that reads placeholders only.  Every element of every placeholder
            must be read.
        fcompute: ``fcompute(ins, outs)``, or ``fcompute(ins, outs, scalars)`` with ``scalar_params``: takes one
            buffer for each input and output, and returns a statement (or a call) that computes the outputs, or
            (body, reset, update) for a reduction: ``reset`` sets the outputs to the start value, ``update`` combines
            one more part into them.  ``body`` or ``reset`` may be None.
        name: for messages and traces.
        binds: buffers for some of the tensors: with strides, an ``elem_offset`` or an ``offset_factor``, a scope.
        scalar_params: variables that ``op`` uses and that each use gives a value.
        default_buffer_params: arguments of ``tir.decl_buffer`` for tensors that ``binds`` leaves out.

    Raises:
        TensorError: GC150 the declaration is no compute over placeholders, leaves elements of an input unread, or
            ``fcompute`` returns something else.
    """
    span = caller_span()
    given = op.op if isinstance(op, Tensor) else op
    if not isinstance(given, ComputeOp):
        raise _wrong(name, f"needs a te.compute that declares it, got {type(given).__name__}", span, "pass C.op")
    for tensor in given.input_tensors:
        if not isinstance(tensor.op, PlaceholderOp):
            hint = f"declare {tensor.name} as te.placeholder"
            raise _wrong(name, f"reads {tensor.name!r}, which is computed itself", span, hint)
    _check_whole(name, given, span)
    tensors = (*given.input_tensors, *given.outputs)
    buffers = tuple([_buffer(name, t, dict(binds or {}), default_buffer_params or {}, span) for t in tensors])
    own = frozenset([b for b, t in zip(buffers, tensors, strict=True) if t not in (binds or {})])
    if default_buffer_params and "scope" in default_buffer_params:
        own = frozenset[Buffer]()
    count = len(given.input_tensors)
    scalars = () if scalar_params is None else (scalar_params,) if isinstance(scalar_params, Var) else scalar_params
    arguments: list[Any] = [list(buffers[:count]), list(buffers[count:])]
    with operators.tracing():
        result = fcompute(*arguments, list(scalars)) if scalars else fcompute(*arguments)
    return TensorIntrin(name, given, buffers, own, tuple(scalars), _bodies(name, result, span), span)


def _wrong(name: str, problem: str, span: Span | None, hint: str | None = None) -> TensorError:
    return TensorError(f"tensor intrinsic {name!r} {problem}", code="GC150", where=span, hint=hint)


def _buffer(
    name: str, tensor: Tensor, binds: Mapping[Tensor, Buffer], defaults: Mapping[str, Any], span: Span | None
) -> Buffer:
    found = binds.get(tensor)
    if found is None:
        chosen: dict[str, Any] = {"offset_factor": 1, **defaults}
        return decl_buffer(tensor.shape, tensor.dtype, tensor.op.name, **chosen)
    same = found.ndim == tensor.ndim and found.dtype is tensor.dtype
    extents = zip(found.shape, tensor.shape, strict=True) if same else ()
    if not same or not all([isinstance(x, Var) or x is y for x, y in extents]):
        shown = f"{found.dtype}{_shape(found.shape)}"
        problem = f"binds {tensor.name} of type {tensor.dtype}{_shape(tensor.shape)} to a buffer of type {shown}"
        raise _wrong(name, problem, span, "tir.decl_buffer(t.shape, t.dtype, ...)")
    return found


def _shape(extents: Sequence[Expr]) -> str:
    return f"[{', '.join([str(x) for x in extents])}]"


def _bodies(name: str, result: Any, span: Span | None) -> tuple[Stmt | None, Stmt | None, Stmt | None]:
    items: list[object] = list(result) if isinstance(result, (tuple, list)) else [result]
    made: list[Stmt | None] = []
    for item in items:
        if item is not None and not isinstance(item, (Stmt, Expr)):
            hint = "return a statement, or (body, reset, update)"
            raise _wrong(name, f"has a function that returns a {type(item).__name__}", span, hint)
        made.append(Evaluate(item) if isinstance(item, Expr) else item)
    made += [None] * (3 - len(made))
    body, reset, update = made[:3]
    if len(made) > 3 or (body is None and update is None):
        hint = "return a statement, or (body, reset, update)"
        nothing = items.count(None)
        raise _wrong(name, f"has a function that returns {len(items)} value(s), {nothing} of them None", span, hint)
    return body, reset, update


def _check_whole(name: str, op: ComputeOp, span: Span | None) -> None:
    """What the statements may read is what the declaration reads: the whole of each input."""
    forms = Forms(arith.Analyzer())
    whole = {axis.var: forms.box(axis.dom.min, axis.dom.extent) for axis in op.root_iter_vars if axis.dom is not None}
    for tensor, accesses in op.reads:
        for position, extent in enumerate(tensor.shape):
            part = forms.union([forms.evaluate(indices[position], whole) for indices in accesses])
            low, high = (None, None) if part is None else (part.low.value(), part.low.plus(part.width))
            if part is not None and low == 0 and high is not None and high.same(forms.of(extent).shifted(-1)):
                continue
            shown = "" if part is None or high is None else f": only [{forms.expr(part.low)}, {forms.expr(high)}]"
            raise _wrong(
                name,
                f"is declared with dimension {position} of {tensor.name} of extent {extent}, which it does not "
                f"read exactly{shown}",
                span,
                f"declare {tensor.name} with the extent that is read",
            )


def extern_names(stmt: Stmt) -> tuple[str, ...]:
    """The functions of a target that a statement calls, each once."""
    found: dict[str, None] = {}
    for node in post_order(stmt):
        if isinstance(node, Call) and isinstance(node.op, Op) and node.op.name in _EXTERNS:
            name = node.args[0]
            if isinstance(name, StringImm):
                found[name.value] = None
    return tuple(found)


def declared_scalars(intrin: TensorIntrin) -> tuple[Var, ...]:
    """The variables of a declaration that are no axes: symbolic extents and scalar parameters."""
    axes = {axis.var for axis in intrin.op.root_iter_vars}
    found: dict[Var, None] = {}
    bodies: list[Expr] = list(intrin.op.body)
    for axis in intrin.op.root_iter_vars:
        assert isinstance(axis, IterVar)
        assert axis.dom is not None
        bodies += [axis.dom.min, axis.dom.extent]
    for node in expr_post_order(*bodies):
        if isinstance(node, Var) and node not in axes:
            found[node] = None
    return tuple(found)
