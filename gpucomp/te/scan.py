"""Recurrences: a tensor whose elements along the first dimension are computed step by step from earlier ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any  # Any: one tensor or a list; attributes are the user's

from gpucomp.support.diagnostics import Span, TensorError, caller_span
from gpucomp.te.operation import ComputeOp, Operation, PlaceholderOp
from gpucomp.te.regions import Box, union_domain
from gpucomp.te.scan_graph import fixed_dimensions, scan_body, time_offsets
from gpucomp.te.tensor import Tensor
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm, IterVar, Range, Var

if TYPE_CHECKING:
    from gpucomp.te.affine import Forms
    from gpucomp.te.regions import Running


class ScanOp(Operation):
    """A recurrence over the first dimension of its states.

    Attributes:
        scan_axis: the step; starts where the initial part ends, and runs in order.
        spatial_axis_: an opaque axis for each further dimension of each state, in order.
        init: tensors of the first steps.
        update: tensors of the other steps, in terms of ``state_placeholder``.
        state_placeholder: stand for the states at earlier steps.
        inputs: what the user named as inputs.
    """

    __slots__ = ("_fixed", "init", "inputs", "scan_axis", "spatial_axis_", "state_placeholder", "update")

    writes_all = True

    def __init__(
        self, name: str, tag: str, attrs: Mapping[str, Any] | None, scan_axis: IterVar, spatial: tuple[IterVar, ...],
        init: tuple[Tensor, ...], update: tuple[Tensor, ...], states: tuple[Tensor, ...], inputs: tuple[Tensor, ...],
        span: Span | None = None,
    ) -> None:  # fmt: skip
        super().__init__(name, tag, attrs, span)
        self.scan_axis, self.spatial_axis_ = scan_axis, spatial
        self.init, self.update, self.state_placeholder, self.inputs = init, update, states, inputs
        self.axis = (scan_axis,)
        self._outputs = tuple([Tensor(self, i, s.shape, s.dtype) for i, s in enumerate(states)])
        self._fixed: dict[IterVar, bool] | None = None

    @property
    def root_iter_vars(self) -> tuple[IterVar, ...]:
        return (self.scan_axis,)

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        return tuple(dict.fromkeys((*self.init, *self.update)))

    @property
    def structure(self) -> tuple[object, ...]:
        return (self.init, self.update, self.state_placeholder)

    @property
    def body(self) -> tuple[Operation, ...]:
        """The operations of a step: those between the states and their updates, producers first."""
        return scan_body(self.update, self.state_placeholder)

    @property
    def fixed_axis(self) -> Mapping[IterVar, bool]:
        """For each spatial axis: whether an element depends on earlier elements at the same index only."""
        if self._fixed is None:
            keys = fixed_dimensions(self.update, self.state_placeholder, self.body)
            self._fixed = {axis: keys[i, k] for (i, k), axis in self._places()}
        return self._fixed

    def _places(self) -> Iterator[tuple[tuple[int, int], IterVar]]:
        spatial = iter(self.spatial_axis_)
        for i, state in enumerate(self.state_placeholder):
            for k in range(1, len(state.shape)):
                yield (i, k), next(spatial)

    def _spatial(self, index: int) -> list[IterVar]:
        return [axis for (i, _), axis in self._places() if i == index]

    def replace_inputs(self, mapping: Mapping[Tensor, Tensor]) -> Operation:
        if not any([t in mapping for t in self.input_tensors]):
            return self
        init = tuple([mapping.get(t, t) for t in self.init])
        update = tuple([mapping.get(t, t) for t in self.update])
        return ScanOp(
            self.name, self.tag, self.attrs, self.scan_axis, self.spatial_axis_, init, update, self.state_placeholder,
            self.inputs, self.span,
        )  # fmt: skip

    def read_regions(
        self, tensor: Tensor, roots: Running, doms: Mapping[IterVar, Range], forms: Forms
    ) -> Iterator[Box]:
        for i, (init, update) in enumerate(zip(self.init, self.update, strict=True)):
            rest = [forms.box(doms[a].min, doms[a].extent) for a in self._spatial(i)]
            if update is tensor:
                yield (roots[self.scan_axis], *rest)
            if init is tensor:
                yield (forms.box(operators.const(0, init.shape[0].dtype), init.shape[0]), *rest)

    def gather_region(self, wanted: Mapping[Tensor, Sequence[Box]], forms: Forms) -> tuple[dict[IterVar, Range], bool]:
        doms = {iv: iv.dom for iv in (self.scan_axis, *self.spatial_axis_) if iv.dom is not None}
        groups: dict[int, list[IterVar]] = {}
        boxes: dict[int, list[Any]] = {}
        for (i, k), axis in self._places():
            # Spatial axes of one dimension belong together: states read each other at the same index.
            groups.setdefault(k, []).append(axis)
            boxes.setdefault(k, []).extend([box[k] for box in wanted.get(self._outputs[i], ())])
        for k, axes in groups.items():
            if wanted and all([self.fixed_axis[a] and doms[a].extent is doms[axes[0]].extent for a in axes]):
                region, _ = union_domain(doms[axes[0]], boxes[k], forms)
                doms.update(dict.fromkeys(axes, region))
        return doms, False

    def realize_region(self, tensor: Tensor, doms: Mapping[IterVar, Range]) -> tuple[Range, ...]:
        time = Range.from_min_extent(0, tensor.shape[0])
        return (time, *[doms[a] for a in self._spatial(tensor.value_index)])


def scan(
    init: Tensor | Sequence[Tensor],
    update: Tensor | Sequence[Tensor],
    state_placeholder: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor] | None = None,
    name: str = "scan",
    tag: str = "",
    attrs: Mapping[str, Any] | None = None,
) -> Any:  # Any: one tensor, or a list of several
    """A recurrence: the first steps from ``init``, each further one from ``update``, which reads earlier steps.

    Args:
        init: the first steps of each state: shape ``(steps, ...)`` with at least one step, made by ``te.compute``.
        update: every step as an expression of earlier steps of the states; the shape of the state.
        state_placeholder: a ``te.placeholder`` for each state; ``update`` reads the states through it.
        inputs: other tensors that it reads (for the reader; they are found by themselves).
        name: preferred name.
        tag: class of operation.
        attrs: free annotations.

    Returns:
        The states at all steps: a tensor, or a list of tensors for a list of states.

    Raises:
        TensorError: GC218 numbers, shapes or types of the tensors differ; GC219 a step reads itself, a later step, or
            a step before the first.

    >>> X = te.placeholder((4, 3), name="X")
    >>> state = te.placeholder((4, 3), name="state")
    >>> first = te.compute((1, 3), lambda t, i: X[t, i], name="first")
    >>> step = te.compute((4, 3), lambda t, i: state[t - 1, i] + X[t, i], name="step")
    >>> total = te.scan(first, step, state, name="total")
    >>> show(te.create_schedule(total.op))
    for i in T.serial(3):
        total[0, i] = X[0, i]
    for total_idx in T.serial(3):
        for i_1 in T.serial(3):
            total[total_idx + 1, i_1] = total[total_idx + 1 - 1, i_1] + X[total_idx + 1, i_1]
    """
    span = caller_span()
    inits, updates = _listed(init, "init", name, span), _listed(update, "update", name, span)
    states = _listed(state_placeholder, "state_placeholder", name, span)
    rest = _listed(() if inputs is None else inputs, "inputs", name, span)
    _check_counts(name, inits, updates, states, span)
    for place, (a, b, c) in enumerate(zip(inits, updates, states, strict=True)):
        _check_state(name, place, a, b, c, span)
    steps, begin = updates[0].shape[0], inits[0].shape[0]
    dom = Range.from_min_extent(begin, operators.subtract(steps, begin))
    axis = IterVar(dom, Var(f"{name}.idx", steps.dtype), IterVar.Ordered)
    spatial = [
        IterVar(Range.from_min_extent(0, x), Var(f"{name}.out{i}.i{k}", x.dtype), IterVar.Opaque)
        for i, s in enumerate(states) for k, x in enumerate(s.shape) if k
    ]  # fmt: skip
    op = ScanOp(name, tag, attrs, axis, tuple(spatial), inits, updates, states, rest, span)
    _check_steps(op, begin)
    return list(op.outputs) if isinstance(update, (list, tuple)) else op.output(0)


def _error(message: str, span: Span | None, hint: str, code: str = "GC218") -> TensorError:
    return TensorError(message, code=code, where=span, hint=hint)


def _listed(value: object, what: str, name: str, span: Span | None) -> tuple[Tensor, ...]:
    items: list[object] = [*value] if isinstance(value, (list, tuple)) else [value]
    out: list[Tensor] = []
    for item in items:
        if not isinstance(item, Tensor):
            raise _error(
                f"scan {name!r}: {what} holds a {type(item).__name__}, no tensor", span,
                "te.scan(init, update, state), with tensors or lists of tensors",
            )  # fmt: skip
        out.append(item)
    return tuple(out)


def _check_counts(
    name: str, inits: tuple[Tensor, ...], updates: tuple[Tensor, ...], states: tuple[Tensor, ...], span: Span | None
) -> None:
    if not (len(inits) == len(updates) == len(states) > 0):
        raise _error(
            f"scan {name!r} has {len(inits)} inits, {len(updates)} updates and {len(states)} states",
            span,
            "one of each for every state, in the same order",
        )


def _same(a: Expr, b: Expr) -> bool:
    return a is b


def _text(shape: Sequence[Expr]) -> str:
    return f"({', '.join([str(x) for x in shape])})"


def _check_state(name: str, place: int, init: Tensor, update: Tensor, state: Tensor, span: Span | None) -> None:
    if not isinstance(state.op, PlaceholderOp):
        raise _error(
            f"scan {name!r}: state {state.name!r} is computed, but states are placeholders", span,
            f"state = te.placeholder({_text(update.shape)}, {str(update.dtype)!r})",
        )  # fmt: skip
    for tensor, what in ((init, "init"), (update, "update")):
        if not isinstance(tensor.op, ComputeOp) or len(tensor.op.outputs) > 1:
            raise _error(
                f"scan {name!r}: {what} {tensor.name!r} is no te.compute of one result", span,
                f"te.compute({_text(tensor.shape)}, lambda *i: {tensor.name}(*i)) makes one of it",
            )  # fmt: skip
        if tensor.dtype is not state.dtype:
            raise _error(
                f"scan {name!r}: {what} {tensor.name!r} holds {tensor.dtype}, state {state.name!r} {state.dtype}",
                span, "cast the one to the type of the other",
            )  # fmt: skip
    fits = update.ndim == state.ndim == init.ndim and state.ndim > 0
    if not fits or not all([_same(a, b) for a, b in zip(update.shape, state.shape, strict=True)]):
        raise _error(
            f"scan {name!r}: update {update.name!r} has shape {_text(update.shape)}, state {state.name!r} "
            f"{_text(state.shape)}, init {init.name!r} {_text(init.shape)}",
            span,
            "update and state have the shape of the result; init has fewer steps in its first dimension",
        )
    if not all([_same(a, b) for a, b in zip(init.shape[1:], state.shape[1:], strict=True)]):
        raise _error(
            f"scan {name!r}: a step of init {init.name!r} has shape {_text(init.shape[1:])}, one of the state "
            f"{_text(state.shape[1:])}",
            span,
            "init and state differ in the first dimension only",
        )
    begin, steps = init.shape[0], state.shape[0]
    if isinstance(begin, IntImm) and (begin.value < 1 or (isinstance(steps, IntImm) and begin.value > steps.value)):
        raise _error(
            f"scan {name!r}: init {init.name!r} has {begin} of {steps} steps", span,
            "init gives the first step at least, and no more than there are",
        )  # fmt: skip


def _check_steps(op: ScanOp, begin: Expr) -> None:
    """Each step needs one step at least before it, and those that it needs exist."""
    for init, state in zip(op.init, op.state_placeholder, strict=True):
        if init.shape[0] is not begin or state.shape[0] is not op.state_placeholder[0].shape[0]:
            raise _error(
                f"scan {op.name!r}: the states do not have the same steps: {init.name!r} begins with {init.shape[0]} "
                f"of {state.shape[0]}, {op.init[0].name!r} with {begin} of {op.state_placeholder[0].shape[0]}",
                op.span,
                "all inits have one extent in the first dimension, and so have all states",
            )
    for tensor, offset, guarded in time_offsets(op.update, op.state_placeholder, op.body):
        if offset >= 0:
            step = f"t + {offset}" if offset else "t"
            what = f"step {step}, which is later" if offset else "itself"
            raise _error(
                f"scan {op.name!r}: step t of the update reads {what}: {tensor.name}[{step}]",
                op.span,
                f"read an earlier step: {tensor.name}[t - 1, ...]",
                "GC219",
            )
        if isinstance(begin, IntImm) and -offset > begin.value and not guarded:
            raise _error(
                f"scan {op.name!r}: the update reads {tensor.name}[t - {-offset}], but init gives {begin.value} "
                f"step{'s' if begin.value > 1 else ''} only, so that the first update reads step "
                f"{begin.value + offset}",
                op.span,
                f"make init of {-offset} steps",
                "GC219",
            )
