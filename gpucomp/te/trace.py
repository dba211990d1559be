"""The record of a schedule: every primitive, printable as Python and replayable on other tensors."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any  # Any: the trace records arguments and results of all primitives

from gpucomp.layout import IndexMap
from gpucomp.support.diagnostics import Span, caller_span
from gpucomp.te.operation import Operation
from gpucomp.te.tensor import Tensor
from gpucomp.te.tensor_intrin import TensorIntrin
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, IterVar, Var
from gpucomp.tir.functor import substitute

if TYPE_CHECKING:
    from gpucomp.te.group import Group
    from gpucomp.te.state import Schedule


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One primitive.

    Attributes:
        primitive: name of the method of Stage, or of Schedule when ``op`` is None.
        op: the operation whose stage was scheduled, or the group.
        args: positional arguments.
        kwargs: keyword arguments.
        results: axes or tensors that it returned.
        axes: root axes that it made without returning them.
        span: the user's call.
    """

    primitive: str
    op: Operation | Group | None
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    results: tuple[Any, ...]
    axes: tuple[IterVar, ...]
    span: Span | None


@dataclass(slots=True)
class Trace:
    """The steps of a schedule, in order.

    Attributes:
        outputs: operations given to ``create_schedule``.
        ops: all operations of the graph, producers first.
        steps: the primitives.
    """

    outputs: tuple[Operation, ...]
    ops: tuple[Operation, ...]
    steps: list[Step] = field(default_factory=list)

    def as_python(self) -> str:
        """Python that rebuilds the schedule, given the output tensors and the tensor intrinsics by name."""
        return _PythonWriter(self).text()

    def __str__(self) -> str:
        return self.as_python()

    def __len__(self) -> int:
        return len(self.steps)


def replay(trace: Trace, tensors: Sequence[Tensor | Operation] | Tensor | Operation) -> Schedule:
    """Apply a trace to another graph of the same structure.

    Args:
        trace: what to apply.
        tensors: the outputs of the other graph, in the order in which ``create_schedule`` got the first ones.

    Returns:
        A new schedule of those tensors.

    Raises:
        ScheduleError: the graphs differ in structure, or a primitive is illegal on the new graph.
    """
    from gpucomp.te.errors import schedule_error
    from gpucomp.te.state import create_schedule

    schedule = create_schedule(tensors)
    new_ops = schedule.trace.ops
    kinds = [(type(a), len(a.root_iter_vars), a.num_outputs) for a in trace.ops]
    others = [(type(a), len(a.root_iter_vars), a.num_outputs) for a in new_ops]
    if kinds != others:
        differs = next((k for k, (x, y) in enumerate(zip(kinds, others, strict=False)) if x != y), None)
        what = "" if differs is None else f": {_structure(trace.ops[differs])}, {_structure(new_ops[differs])}"
        raise schedule_error(
            "GC104",
            f"the trace was recorded on {len(kinds)} operations ({', '.join([o.name for o in trace.ops])}), "
            f"which do not match the {len(others)} given ({', '.join([o.name for o in new_ops])}){what}",
            where=caller_span(),
            hint="replay on tensors that are computed from as many operations, of the same kinds and axes",
        )
    mapping: dict[Any, Any] = {}
    for old, new in zip(trace.ops, new_ops, strict=True):
        _map_op(mapping, old, new)
    for step in trace.steps:
        args = [_map(mapping, a) for a in step.args]
        kwargs = {k: _map(mapping, v) for k, v in step.kwargs.items()}
        target: Any = schedule if step.op is None else mapping[step.op]  # Any: the primitive is found by name
        target = schedule[target] if isinstance(target, Operation) else target
        schedule.replaying_span = step.span
        getattr(target, step.primitive)(*args, **kwargs)
        schedule.replaying_span = None
        done = schedule.trace.steps[-1]
        for a, b in zip(step.results, done.results, strict=True):
            if isinstance(a, Tensor):
                _map_op(mapping, a.op, b.op)
            else:
                mapping[a] = b
        mapping.update(zip(step.axes, done.axes, strict=True))
    return schedule


def _structure(op: Operation) -> str:
    axes = len(op.root_iter_vars)
    return f"{op.name} is a {type(op).__name__} with {axes} {'axis' if axes == 1 else 'axes'}"


def _map_op(mapping: dict[Any, Any], old: Operation, new: Operation) -> None:
    mapping[old] = new
    mapping.update(zip(old.outputs, new.outputs, strict=True))
    for a, b in zip(old.root_iter_vars, new.root_iter_vars, strict=True):
        mapping.setdefault(a, b)
    for mine, theirs in zip(old.outputs[0].shape, new.outputs[0].shape, strict=True):
        if isinstance(mine, Var):
            mapping.setdefault(mine, theirs)


def _map(mapping: dict[Any, Any], value: object) -> Any:
    if isinstance(value, (list, tuple)):
        return [_map(mapping, v) for v in value]
    if isinstance(value, Expr):
        variables: dict[Var, Expr] = {k: v for k, v in mapping.items() if isinstance(k, Var)}
        variables.update({k.var: v.var for k, v in mapping.items() if isinstance(k, IterVar)})
        return substitute(value, variables)
    if isinstance(value, (IterVar, Tensor, Operation)):
        return mapping.get(value, value)
    return value


_INFIX: dict[type, str] = {
    e.Add: "+", e.Sub: "-", e.Mul: "*", e.FloorDiv: "//", e.FloorMod: "%",
    e.LT: "<", e.LE: "<=", e.GT: ">", e.GE: ">=", e.And: "&", e.Or: "|",
}  # fmt: skip


class _PythonWriter:
    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.names: dict[Any, str] = {}
        self.taken: set[str] = {"s", "te", "tir", "gpucomp"}
        self.lines: list[str] = []

    def text(self) -> str:
        for op in self.trace.outputs:
            for tensor in op.outputs:
                self._name(tensor, tensor.name)
        outputs = ", ".join([f"{self.names[op.output(0)]}.op" for op in self.trace.outputs])
        self.lines.append(f"s = te.create_schedule([{outputs}])")
        for step in self.trace.steps:
            self._step(step)
        return "\n".join(self.lines) + "\n"

    def _name(self, key: object, wish: str) -> str:
        base = re.sub(r"\W", "_", wish) or "x"
        if base[0].isdigit() or keyword.iskeyword(base):
            base = f"_{base}"
        name, n = base, 1
        while name in self.taken:
            name, n = f"{base}_{n}", n + 1
        self.taken.add(name)
        self.names[key] = name
        return name

    def _step(self, step: Step) -> None:
        args = [self._value(a) for a in step.args]
        args += [f"{k}={self._value(v)}" for k, v in step.kwargs.items()]
        head = self._head(step.op)
        call = f"{head}.{step.primitive}({', '.join(args)})"
        if step.results:
            # A list of one: what is returned as a list is taken apart as a list.
            listed = step.primitive == "transform_layout" or (
                step.primitive == "cache_write" and type(step.args[0]) is not Tensor
            )
            comma = "," if listed and len(step.results) == 1 else ""
            call = f"{', '.join([self._name(r, r.name) for r in step.results])}{comma} = {call}"
        self.lines.append(call)
        if step.primitive == "rfactor":
            made = [a for a in step.axes if a.iter_type == IterVar.CommReduce][-1:]
            tensor = self._tensor(step.args[0])
            self.lines += [f"{self._name(a, f'{tensor}_{a.name}')} = s[{tensor}].op.reduce_axis[0]" for a in made]

    def _head(self, op: Operation | Group | None) -> str:
        if op is None:
            return "s"
        return f"s[{self._tensor(op.output(0))}]" if isinstance(op, Operation) else self.names[op]

    def _tensor(self, tensor: Tensor) -> str:
        found = self.names.get(tensor)
        if found is not None:
            return found
        for position, op in enumerate(self.trace.ops):
            if tensor.op is op:
                name = self._name(tensor, tensor.name)
                self.lines.append(f"{name} = s.trace.ops[{position}].output({tensor.value_index})")
                return name
        for step in self.trace.steps:
            for result in step.results:
                if isinstance(result, Tensor) and result.op is tensor.op:
                    return f"{self.names[result]}.op.output({tensor.value_index})"
        return tensor.name

    def _axis(self, axis: IterVar) -> str:
        found = self.names.get(axis)
        if found is not None:
            return found
        if axis.iter_type == IterVar.ThreadIndex:
            name = self._name(axis, axis.name)
            domain = (
                ""
                if axis.dom is None
                else f"({self._value(axis.dom.min)}, {self._value(axis.dom.min + axis.dom.extent)}), "
            )
            shown = "" if axis.name == axis.thread_tag else f", name={axis.name!r}"
            self.lines.append(f"{name} = te.thread_axis({domain}{axis.thread_tag!r}{shown})")
            return name
        for op in self._known_ops():
            for kind in ("axis", "reduce_axis"):
                for i, candidate in enumerate(getattr(op, kind, ())):
                    if candidate is axis:
                        tensor = self._tensor(op.output(0))
                        name = self._name(axis, f"{tensor}_{axis.name}")
                        self.lines.append(f"{name} = {tensor}.op.{kind}[{i}]")
                        return name
        return axis.name

    def _known_ops(self) -> list[Operation]:
        made = [r.op for step in self.trace.steps for r in step.results if isinstance(r, Tensor)]
        return [*self.trace.ops, *made]

    def _value(self, value: object) -> str:
        if isinstance(value, Operation):
            return f"s[{self._tensor(value.output(0))}]"
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, IterVar):
            return self._axis(value)
        if isinstance(value, IndexMap):
            return str(value)
        if isinstance(value, TensorIntrin):
            return self.names.get(value) or self._name(value, value.name)
        if isinstance(value, (list, tuple)):
            return f"[{', '.join([self._value(v) for v in value])}]"
        return self._expr(value) if isinstance(value, Expr) else repr(value)

    def _expr(self, x: Expr) -> str:
        if isinstance(x, (e.IntImm, e.FloatImm)):
            return repr(bool(x.value) if x.dtype.is_bool else x.value)
        if isinstance(x, e.StringImm):
            return repr(x.value)
        if isinstance(x, Var):
            return self._var(x)
        if type(x) in _INFIX and isinstance(x, e.BinaryOp):
            return f"({self._expr(x.a)} {_INFIX[type(x)]} {self._expr(x.b)})"
        if isinstance(x, e.EQ):
            return f"{self._expr(x.a)}.equal({self._expr(x.b)})"
        if isinstance(x, e.Not):
            return f"~{self._expr(x.a)}"
        return str(x)

    def _axis_of(self, x: Var) -> IterVar | None:
        """The axis whose variable stands in an expression: one that a step names or makes, or that an operation has."""
        own = [a for op in self._known_ops() for a in op.root_iter_vars]
        named = [v for step in self.trace.steps for v in (*step.args, *step.results) if isinstance(v, IterVar)]
        return next((a for a in (*named, *own) if a.var is x), None)

    def _var(self, x: Var) -> str:
        found = self.names.get(x)
        if found is not None:
            return found
        axis = self._axis_of(x)
        if axis is not None:
            return f"{self._axis(axis)}.var"
        for op in self.trace.ops:
            for i, extent in enumerate(op.output(0).shape):
                if extent is x:
                    tensor = self._tensor(op.output(0))
                    name = self._name(x, x.name)
                    self.lines.append(f"{name} = {tensor}.shape[{i}]")
                    return name
        name = self._name(x, x.name)
        self.lines.append(f"{name} = te.var({x.name!r}, {str(x.dtype)!r})")
        return name
