"""Tensor intrinsics: a computation, by its declaration, and the statements that do it on a target.

The declaration is an ordinary ``te.compute`` over placeholders: it says what the statements mean, tensorize compares
a loop nest with it, and where a target lacks a function that the statements call, the nest runs as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any  # Any: what the user's function takes and returns

from gpucomp import arith
from gpucomp.support.diagnostics import Span, TensorError, caller_span
from gpucomp.te.affine import Forms
from gpucomp.te.operation import ComputeOp, Operation, PlaceholderOp
from gpucomp.te.tensor import Tensor, TensorSlice
from gpucomp.te.user_input import unfit
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import Call, Expr, IntImm, IterVar, Range, StringImm, Var
from gpucomp.tir.functor import expr_post_order, post_order
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import AttrStmt, Evaluate, Stmt

_EXTERNS = frozenset({"tir.call_extern", "tir.call_pure_extern", "tir.call_llvm_intrin", "tir.call_llvm_pure_intrin"})


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
        threads: thread axes whose threads do the work together: those of ``scope_attr(axis, "thread_extent", n)``
            around the statements.
        span: the user's declaration.
    """

    __slots__ = (
        "any_scope", "body", "buffers", "inputs", "name", "op", "reduce_init", "reduce_update", "scalar_params", "span",
        "threads",
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
        found = [_without_threads(x) for x in body]
        self.body, self.reduce_init, self.reduce_update = [x for x, _ in found]
        self.threads = tuple({axis.var: axis for _, axes in found for axis in axes}.values())
        self.span = span

    @property
    def extern_names(self) -> tuple[str, ...]:
        """The functions that its statements call by name."""
        statements = [x for x in (self.body, self.reduce_init, self.reduce_update) if x is not None]
        return tuple(dict.fromkeys([name for x in statements for name in extern_names(x)]))

    def __call__(
        self, *args: object, reduce_axis: IterVar | Sequence[IterVar] | None = None, scalar_inputs: object = None
    ) -> TensorIntrinCall:
        """Use it in ``te.compute``: ``te.compute((m, 16), lambda i: intrin(A[i, 0:16], B[i, 0:16]))``.

        The function of the compute takes the indices of the outer dimensions; the intrinsic computes the others.

        Args:
            args: a region for each input (a tensor with indices and slices, or a whole tensor), and a value for each
                scalar parameter.
            reduce_axis: reduction axes outside of the intrinsic, on which the regions depend; the intrinsic's update
                adds one part after the other.
            scalar_inputs: values of the scalar parameters, in place of those among ``args``.

        Raises:
            TensorError: GC157 wrong number of regions or scalars, or a slice with a step.
        """
        span = caller_span()
        slices = [x for x in args if isinstance(x, (Tensor, TensorSlice))]
        scalars: list[Any] = [x for x in args if not isinstance(x, (Tensor, TensorSlice))]
        if scalar_inputs is not None:
            scalars += list(scalar_inputs) if isinstance(scalar_inputs, (list, tuple)) else [scalar_inputs]
        counts = (len(slices), len(scalars)), (len(self.inputs), len(self.scalar_params))
        if counts[0] != counts[1]:
            raise TensorError(
                f"{self.name} takes {counts[1][0]} regions and {counts[1][1]} scalars, got {counts[0][0]} and "
                f"{counts[0][1]}",
                code="GC157",
                where=span,
                hint=f"its inputs are {', '.join([t.name for t in self.inputs])}",
            )
        axes = (reduce_axis,) if isinstance(reduce_axis, IterVar) else tuple(reduce_axis or ())
        values = [
            operators.cast(p.dtype, operators.convert(x)) for p, x in zip(self.scalar_params, scalars, strict=True)
        ]
        tensors = tuple([x if isinstance(x, Tensor) else x.tensor for x in slices])
        regions = tuple([_region(self.name, x, span) for x in slices])
        return TensorIntrinCall(self, tensors, regions, axes, tuple(values))

    def __repr__(self) -> str:
        return f"TensorIntrin({self.name})"


@dataclass(frozen=True, slots=True, eq=False)
class TensorIntrinCall:
    """A use of a tensor intrinsic in ``te.compute``.

    Attributes:
        intrin: the intrinsic.
        tensors: one for each input.
        regions: which part of each.
        reduce_axis: reduction axes outside of the intrinsic.
        scalar_inputs: values of the scalar parameters.
    """

    intrin: TensorIntrin
    tensors: tuple[Tensor, ...]
    regions: tuple[tuple[Range, ...], ...]
    reduce_axis: tuple[IterVar, ...]
    scalar_inputs: tuple[Expr, ...]


def _region(name: str, given: Tensor | TensorSlice, span: Span | None) -> tuple[Range, ...]:
    """The box that indices and slices name; dimensions without an index are whole."""
    tensor = given if isinstance(given, Tensor) else given.tensor
    indices: tuple[Any, ...] = () if isinstance(given, Tensor) else given.indices
    out: list[Range] = []
    for position, extent in enumerate(tensor.shape):
        index = indices[position] if position < len(indices) else slice(None)
        if not isinstance(index, slice):
            out.append(Range.from_min_extent(operators.convert(index), 1))
            continue
        if index.step not in (None, 1):
            raise TensorError(
                f"{name}: the region of {tensor.name} has a step of {index.step}",
                code="GC157",
                where=span,
                hint="a region is a box; strides belong to the buffer of the intrinsic",
            )
        begin = operators.convert(0 if index.start is None else index.start)
        end = operators.convert(extent if index.stop is None else index.stop)
        size = arith.Analyzer().simplify(operators.subtract(end, begin))
        out.append(Range.from_min_extent(begin, size))
    return tuple(out)


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
    used = dict.fromkeys(_scalars(given))
    for scalar in scalars:
        if scalar not in used:
            hint = "name it in the expression of the declaration"
            raise _wrong(
                name, f"has the scalar parameter {scalar.name!r}, which its declaration does not use", span, hint
            )
    problem = unfit(fcompute, 3 if scalars else 2)
    if problem:
        hint = "fcompute(ins, outs), or fcompute(ins, outs, scalars) where there are scalar_params"
        raise _wrong(name, f"has no function: fcompute {problem}", span, hint)
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


def _without_threads(stmt: Stmt | None) -> tuple[Stmt | None, list[IterVar]]:
    """Statements without the thread axes that stand around them, and those."""
    axes: list[IterVar] = []
    while isinstance(stmt, AttrStmt) and stmt.attr_key == "thread_extent" and isinstance(stmt.node, IterVar):
        dom = Range.from_min_extent(0, stmt.value)
        axes.append(IterVar(dom, stmt.node.var, stmt.node.iter_type, stmt.node.thread_tag))
        stmt = stmt.body
    return stmt, axes


def value_of_extent(var: Var, extent: Expr) -> Expr | None:
    """An extent as the value of a declared one; None where its type is another and it may not fit."""
    if extent.dtype is var.dtype or isinstance(extent, IntImm):
        return operators.cast(var.dtype, extent)
    return None


def declared_scalars(intrin: TensorIntrin) -> tuple[Var, ...]:
    """The variables of a declaration that are no axes: symbolic extents and scalar parameters."""
    return _scalars(intrin.op)


def _scalars(op: ComputeOp) -> tuple[Var, ...]:
    axes = {axis.var for axis in op.root_iter_vars}
    found: dict[Var, None] = {}
    bodies: list[Expr] = list(op.body)
    for axis in op.root_iter_vars:
        assert isinstance(axis, IterVar)
        assert axis.dom is not None
        bodies += [axis.dom.min, axis.dom.extent]
    for node in expr_post_order(*bodies):
        if isinstance(node, Var) and node not in axes:
            found[node] = None
    return tuple(found)
