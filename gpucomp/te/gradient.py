"""Reverse-mode gradients of tensor graphs.

Operations are visited consumers first.  Each one hands the adjoint of its result back to what it reads: one
:class:`~gpucomp.te.adjoint.Sum` for each element that its expression loads, with the equations between indices
solved, so that the gradient of a matrix product is two matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gpucomp.support.diagnostics import Span, TensorError, caller_span
from gpucomp.te.adjoint import Contribution, Sum
from gpucomp.te.graph import post_dfs_order
from gpucomp.te.operation import ComputeOp, Operation, PlaceholderOp
from gpucomp.te.partials import Term, partials, times
from gpucomp.te.reduction import sum_of
from gpucomp.te.tensor import Tensor
from gpucomp.te.user_input import listed
from gpucomp.te.weights import Weight, reduction_weights
from gpucomp.tir import operators
from gpucomp.tir.expr import And, Call, Expr, IntImm, IterVar, ProducerLoad, Range, Reduce, Var
from gpucomp.tir.functor import expr_post_order, substitute

_TRUE = IntImm("bool", 1)


def gradient(output: Tensor, inputs: Sequence[Tensor] | Tensor, head: Tensor | None = None) -> list[Tensor]:
    """Adjoints of ``output`` with respect to each of ``inputs``.

    Args:
        output: a float tensor that a graph of ``te.compute`` computes.
        inputs: float tensors of that graph: placeholders or intermediate results.
        head: adjoint of the output; its last dimensions are those of ``output``.  None means the identity: the
            result is the whole Jacobian.

    Returns:
        For each input a tensor of shape ``head.shape[:-output.ndim] + input.shape`` (``output.shape + input.shape``
        without a head), zero where the output does not depend on the input.

        At a jump, and at ties of ``max`` and ``min`` between two values, it is the derivative of the value taken; of
        a ``te.max`` or ``te.min`` over an axis, the first of equal elements gets all.

    >>> head = te.placeholder((6,), name="head")
    >>> [dA] = te.gradient(R, [A], head)
    >>> show(te.create_schedule(dA.op))
    for i0 in T.serial(6):
        for i1 in T.serial(8):
            A_grad[i0, i1] = head[i0]

    Raises:
        TensorError: GC217 a tensor is not float, the head does not fit, or there is no derivative.

    Source: reverse accumulation, A. Griewank and A. Walther, Evaluating Derivatives, chapter 3.
    """
    wanted = listed(inputs, Tensor)
    span = caller_span()
    _check(output, wanted, head, span)
    return _Backward(output, wanted, head, span).run()


def _refuse(message: str, span: Span | None, hint: str) -> TensorError:
    return TensorError(message, code="GC217", where=span, hint=hint)


def _check(output: object, inputs: Sequence[object], head: object, span: Span | None) -> None:
    for what, tensor in (("the output", output), *[("an input", x) for x in inputs], ("the head", head)):
        if tensor is None and what == "the head":
            continue
        if not isinstance(tensor, Tensor):
            raise _refuse(
                f"te.gradient: {what} is a {type(tensor).__name__}, no tensor", span, "te.gradient(C, [A, B])"
            )
        if not tensor.dtype.is_float:
            raise _refuse(
                f"te.gradient: {what}, {tensor.name!r}, holds {tensor.dtype}; only floats have gradients",
                span,
                "cast it to a float type in a te.compute first",
            )
    if isinstance(head, Tensor) and isinstance(output, Tensor):
        _check_head(output, head, span)


def _check_head(output: Tensor, head: Tensor, span: Span | None) -> None:
    lead = head.ndim - output.ndim
    shapes = f"({', '.join(map(str, head.shape))}) and ({', '.join(map(str, output.shape))})"
    fits = lead >= 0 and all([a is b for a, b in zip(head.shape[max(lead, 0) :], output.shape, strict=False)])
    if not fits or head.dtype is not output.dtype:
        raise _refuse(
            f"te.gradient: head {head.name!r} does not fit output {output.name!r}: shapes {shapes}, types {head.dtype} "
            f"and {output.dtype}",
            span,
            "the last dimensions of the head are those of the output; dimensions before them are free",
        )


@dataclass(slots=True)
class _Adjoint:
    """What is known of the adjoint of a tensor: whole tensors, and parts that need no sum."""

    stages: list[Tensor] = field(default_factory=list[Tensor])
    parts: list[Expr] = field(default_factory=list[Expr])


class _Backward:
    def __init__(self, output: Tensor, inputs: list[Tensor], head: Tensor | None, span: Span | None) -> None:
        self.output, self.inputs, self.head, self.span = output, inputs, head, span
        self.order = post_dfs_order((output.op,))
        self.active = self._active()
        lead = output.shape if head is None else head.shape[: head.ndim - output.ndim]
        self.lead = [_axis(f"h{i}", x) for i, x in enumerate(lead)]
        self.found: dict[Tensor, _Adjoint] = {}
        self.slots: dict[Tensor, list[IterVar]] = {}
        self.done: dict[Tensor, Tensor | None] = {}

    def _active(self) -> dict[Tensor, None]:
        """Tensors through which an input reaches the output."""
        active = dict.fromkeys(self.inputs)
        for op in self.order:
            if any([t in active for t in op.input_tensors]):
                active.update(dict.fromkeys(op.outputs))
        return active

    def run(self) -> list[Tensor]:
        """The adjoints of the inputs."""
        for op in reversed(self.order):
            for tensor in op.outputs:
                if tensor in self.active and (tensor is self.output or tensor in self.found):
                    self._back(op, tensor)
        return [self._result(t) for t in self.inputs]

    def _result(self, tensor: Tensor) -> Tensor:
        if tensor is self.output:
            return self._identity() if self.head is None else self._copy_of_head(self.head)
        made = self._adjoint(tensor)
        if made is not None:
            return made
        axes = [*self._fresh_lead(), *_axes_of(tensor)]
        return self._compute(f"{tensor.name}.grad", axes, operators.const(0, tensor.dtype))

    def _identity(self) -> Tensor:
        lead, axes = self._fresh_lead(), _axes_of(self.output)
        equal: Expr = _TRUE
        for a, b in zip(lead, axes, strict=True):
            equal = operators.logical(And, equal, a.var.equal(b.var))
        kind = self.output.dtype
        value = operators.cast(kind, operators.const(1, kind)) if equal is _TRUE else operators.cast(kind, equal)
        return self._compute("identity", [*lead, *axes], value)

    def _copy_of_head(self, head: Tensor) -> Tensor:
        axes = [_axis(f"h{i}", x) for i, x in enumerate(head.shape)]
        return self._compute(f"{self.output.name}.grad", axes, head(*[a.var for a in axes]))

    def _fresh_lead(self) -> list[IterVar]:
        return [_axis(a.name, _dom(a).extent) for a in self.lead]

    def _compute(self, name: str, axes: Sequence[IterVar], body: Expr) -> Tensor:
        op = ComputeOp(name.replace(".v", "_v"), "", None, tuple(axes), (body,), self.span)
        return op.output(0)

    # -- one operation ------------------------------------------------------------------------------------------------

    def _back(self, op: Operation, tensor: Tensor) -> None:
        """Hand the adjoint of a result to what its operation reads."""
        reads = [t for t in op.input_tensors if t in self.active and t.dtype.is_float]
        if isinstance(op, PlaceholderOp) or not reads:
            return
        if not isinstance(op, ComputeOp):
            raise _refuse(
                f"te.gradient: {op.name!r} is no te.compute ({type(op).__name__}), whose derivative is not known",
                op.span,
                "compute that tensor's gradient yourself, or write the operation as te.compute",
            )
        if not tensor.dtype.is_float:
            return
        bar = None if tensor is self.output and self.head is None else self._bar(tensor)
        body = op.body[tensor.value_index]
        if not isinstance(body, Reduce):
            self._terms(op, bar, body, (), Weight((), None), reads)
            return
        for source, weight in reduction_weights(op, body, self.span):
            self._terms(op, bar, source, body.axis, weight, reads)
        for start in body.init[body.value_index : body.value_index + 1]:
            self._terms(op, bar, start, (), Weight((), None), reads)

    def _bar(self, tensor: Tensor) -> Tensor:
        if tensor is self.output and self.head is not None:
            return self.head
        made = self._adjoint(tensor)
        assert made is not None  # run() asks only for what was found
        return made

    def _terms(
        self, op: ComputeOp, bar: Tensor | None, source: Expr, inner: Sequence[IterVar], weight: Weight,
        reads: list[Tensor],
    ) -> None:  # fmt: skip
        loads = [n for n in expr_post_order(source) if isinstance(n, ProducerLoad) and n.producer in reads]
        terms = partials(source, dict.fromkeys(loads), op.span)
        for load in loads:
            for term in terms.get(load, ()):
                self._term(op, bar, load, term, inner, weight)

    def _term(
        self, op: ComputeOp, bar: Tensor | None, load: ProducerLoad, term: Term, inner: Sequence[IterVar],
        weight: Weight,
    ) -> None:  # fmt: skip
        target: Tensor = load.producer
        slots = self.slots.setdefault(target, _axes_of(target))
        own = [a.var for a in op.axis]
        lead = [a.var for a in self.lead]
        equations: list[tuple[Expr, Expr]] = list(zip(load.indices, [a.var for a in slots], strict=True))
        value = operators.cast(target.dtype, term.factor)
        if weight.factor is not None:
            value = times(value, operators.cast(target.dtype, weight.factor))
        if bar is None:
            equations += zip(own, lead, strict=True)
        else:
            value = times(operators.cast(target.dtype, bar(*lead, *own)), value)
        params = {a.var: _dom(a) for a in (*self.lead, *slots)}
        conditions = [*term.conditions, *weight.conditions]
        part = Sum([*op.axis, *inner], params, equations, conditions, value).solve()
        if part is not None:
            self._add(op, target, part)

    # -- the sum of what an element gets ------------------------------------------------------------------------------

    def _add(self, op: ComputeOp, target: Tensor, part: Contribution) -> None:
        found = self.found.setdefault(target, _Adjoint())
        value = _guarded(part.chosen, part.value)
        if not part.axes:
            found.parts.append(_guarded(part.inside, value))
            return
        total = sum_of(value, axis=part.axes, where=None if part.inside is _TRUE else part.inside)
        found.stages.append(self._stage(f"{target.name}.grad.{op.name}", target, total))

    def _stage(self, name: str, target: Tensor, body: Expr) -> Tensor:
        """A tensor of the shape of an adjoint, from an expression of the slots of its target."""
        old = [*self.lead, *self.slots[target]]
        axes = [_axis(a.name, _dom(a).extent) for a in old]
        renamed = substitute(body, {a.var: b.var for a, b in zip(old, axes, strict=True)})
        return self._compute(name, axes, renamed)

    def _adjoint(self, tensor: Tensor) -> Tensor | None:
        if tensor in self.done:
            return self.done[tensor]
        found = self.found.get(tensor)
        self.done[tensor] = made = None if found is None else self._total(tensor, found)
        return made

    def _total(self, tensor: Tensor, found: _Adjoint) -> Tensor:
        if len(found.stages) == 1 and not found.parts:
            return found.stages[0]
        place = [a.var for a in (*self.lead, *self.slots[tensor])]
        items: list[Expr] = [*found.parts, *[s(*place) for s in found.stages]]
        total = items[0]
        for item in items[1:]:
            total = operators.add(total, item)
        return self._stage(f"{tensor.name}.grad", tensor, total)


def _guarded(condition: Expr, value: Expr) -> Expr:
    if isinstance(condition, IntImm) and condition.value:
        return value
    return Call(value.dtype, "tir.if_then_else", (condition, value, operators.const(0, value.dtype)))


def _axis(name: str, extent: Expr) -> IterVar:
    return IterVar(Range.from_min_extent(0, extent), Var(name, extent.dtype), IterVar.DataPar)


def _axes_of(tensor: Tensor) -> list[IterVar]:
    return [_axis(f"i{n}", x) for n, x in enumerate(tensor.shape)]


def _dom(axis: IterVar) -> Range:
    assert axis.dom is not None  # axes of operations have domains
    return axis.dom
