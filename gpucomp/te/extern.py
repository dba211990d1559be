"""Opaque operations: statements or calls over whole buffers, which schedules leave as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any  # Any: shapes, bodies and attributes are the user's

from gpucomp.support.diagnostics import Span, TensorError, caller_span
from gpucomp.support.dtype import DType
from gpucomp.te.api import current_tag, shape_of, trace_body
from gpucomp.te.errors import schedule_error
from gpucomp.te.nest_rules import nest_rule
from gpucomp.te.operation import Operation
from gpucomp.te.tensor import Tensor
from gpucomp.te.user_input import is_a, listed, unfit
from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.block import open_blocks
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import Expr, ExprOp, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import post_order, substitute
from gpucomp.tir.stmt import Stmt

if TYPE_CHECKING:
    from gpucomp.te.schedule_ops import Builder, Work

BIND_KEY = "extern_scope"  # of an AttrStmt whose node is the operation: its placeholders stand for its tensors


class ExternOp(Operation):
    """A statement that computes whole tensors from whole tensors.

    Attributes:
        inputs: what it reads.
        input_placeholders, output_placeholders: the buffers that stand for the tensors in ``body``.
        body: the statement.
    """

    __slots__ = ("body", "input_placeholders", "inputs", "output_placeholders")

    def __init__(
        self,
        name: str,
        tag: str,
        attrs: Mapping[str, Any] | None,
        inputs: tuple[Tensor, ...],
        input_placeholders: tuple[Buffer, ...],
        output_placeholders: tuple[Buffer, ...],
        shapes: tuple[tuple[Expr, ...], ...],
        body: Stmt,
        span: Span | None = None,
    ) -> None:
        super().__init__(name, tag, attrs, span)
        self.inputs = inputs
        self.input_placeholders = input_placeholders
        self.output_placeholders = output_placeholders
        self.body = body
        pairs = zip(output_placeholders, shapes, strict=True)
        self._outputs = tuple([Tensor(self, i, shape, b.dtype) for i, (b, shape) in enumerate(pairs)])

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        return tuple(dict.fromkeys(self.inputs))

    @property
    def structure(self) -> tuple[object, ...] | None:
        return (self.inputs, self.input_placeholders, self.output_placeholders, self.body)

    def replace_inputs(self, mapping: Mapping[Tensor, Tensor]) -> Operation:
        if not any([t in mapping for t in self.inputs]):
            return self
        inputs = tuple([mapping.get(t, t) for t in self.inputs])
        shapes = tuple([t.shape for t in self._outputs])
        return ExternOp(
            self.name, self.tag, self.attrs, inputs, self.input_placeholders, self.output_placeholders, shapes,
            self.body, self.span,
        )  # fmt: skip


@nest_rule(ExternOp)
def extern_nest(builder: Builder, work: Work) -> Stmt:
    """The body, to be bound to the buffers of the tensors when these exist."""
    op = work.op
    assert isinstance(op, ExternOp)
    return s.AttrStmt(op, BIND_KEY, 0, guarded_body(builder, work, op.body), op.span)


def guarded_body(builder: Builder, work: Work, body: Stmt) -> Stmt:
    """Where threads share the memory of the outputs, the first of them runs the body.

    Raises:
        ScheduleError: GC147 a body with threads of its own is computed inside of a kernel.
    """
    stage = work.stage
    binds = [n for n in post_order(body) if isinstance(n, s.AttrStmt) and n.attr_key == "thread_extent"]
    if binds and builder.bounds.paths[stage]:
        raise schedule_error(
            "GC147",
            f"stage {stage.name} binds {binds[0].node.thread_tag} itself, but is computed inside of "
            f"{builder.bounds.root_of(stage).name}",
            stage=stage,
            where=stage.attach_span,
            hint=f"s[{stage.name}].compute_root()",
        )
    return body if work.thread_guard is None else s.IfThenElse(work.thread_guard, body, None, stage.span)


def _error(message: str, code: str, hint: str | None = None, where: Span | None = None) -> TensorError:
    return TensorError(message, code=code, where=where or caller_span(), hint=hint)


def _shapes(shape: Any, name: str) -> list[tuple[Expr, ...]]:
    several = isinstance(shape, (tuple, list))
    if several and shape and all([isinstance(x, (tuple, list)) for x in shape]):
        return [shape_of(x, f"extern {name!r}") for x in shape]
    return [shape_of(shape, f"extern {name!r}")]


def _dtypes(dtype: Any, inputs: tuple[Tensor, ...], count: int, name: str) -> list[DType]:
    if dtype is None:
        kinds = list(dict.fromkeys([t.dtype for t in inputs]))
        if len(kinds) != 1:
            found = ", ".join([str(k) for k in kinds]) or "no inputs"
            raise _error(
                f"extern {name!r}: the type of the result cannot be inferred from its inputs ({found})",
                "GC230",
                "pass dtype='float32', or a list with one type for each output",
            )
        return [kinds[0]] * count
    if isinstance(dtype, str):
        return [DType(dtype)] * count
    if len(dtype) != count:
        raise _error(f"extern {name!r} has {count} outputs, but {len(dtype)} types", "GC230")
    return [DType(str(d)) for d in dtype]


def _buffers(given: Any, like: Sequence[tuple[tuple[Expr, ...], DType, str]], what: str, name: str) -> list[Buffer]:
    if given is None:
        return [decl_buffer(shape, dtype, title) for shape, dtype, title in like]
    buffers: list[Any] = [given] if isinstance(given, Buffer) else list(given)
    if len(buffers) != len(like) or not all([isinstance(b, Buffer) for b in buffers]):
        raise _error(
            f"extern {name!r}: {what} needs {len(like)} buffers, got {len(buffers)} values", "GC230",
            "tir.decl_buffer(A.shape, A.dtype)",
        )  # fmt: skip
    return buffers


def extern(
    shape: Any,
    inputs: Sequence[Tensor] | Tensor,
    fcompute: Callable[..., Any],
    name: str = "extern",
    dtype: Any = None,
    in_buffers: Any = None,
    out_buffers: Any = None,
    tag: str = "",
    attrs: Mapping[str, Any] | None = None,
) -> Any:  # Any: one tensor, or a list of several
    """Tensors that a hand-written body computes from whole tensors.

    Args:
        shape: of the result; a list of shapes for several results.
        inputs: the tensors that the body reads.
        fcompute: ``fcompute(ins, outs)`` is called once with a list of buffers for the inputs and one for the
            outputs; returns a statement (``tir.ir_builder``) or a call such as
            ``tir.call_packed("name", ins[0], outs[0])``.
        name: preferred name.
        dtype: element type of the results, or a list with one for each; None: that of the inputs, if it is one.
        in_buffers, out_buffers: buffers to pass instead of fresh compact ones.
        tag: class of operation.
        attrs: free annotations.

    Returns:
        The tensor, or a list of tensors.

    Raises:
        TensorError: GC230 arguments that do not go together; GC231 a buffer that cannot stand for its tensor;
            GC232 the function returns no statement, or its body reads a tensor instead of a buffer.
    """
    span = caller_span()
    sources: tuple[Any, ...] = tuple(listed(inputs, Tensor))
    problem = unfit(fcompute, 2)
    if problem:
        raise _error(f"extern {name!r}: fcompute {problem}", "GC230", "lambda ins, outs: ..., both lists of buffers")
    for position, item in enumerate(sources):
        if not isinstance(item, Tensor):
            raise _error(f"extern {name!r}: input {position} is a {type(item).__name__}, not a tensor", "GC230")
    shapes = _shapes(shape, name) if out_buffers is None or shape is not None else []
    if not shapes:
        raise _error(f"extern {name!r} has no outputs", "GC230", "pass the shape of the result")
    kinds = [b.dtype for b in _as_list(out_buffers)] if out_buffers is not None and dtype is None else None
    kinds = _dtypes(dtype, sources, len(shapes), name) if kinds is None else kinds
    titles = [name if len(shapes) == 1 else f"{name}_v{i}" for i in range(len(shapes))]
    ins = _buffers(in_buffers, [(t.shape, t.dtype, t.name) for t in sources], "in_buffers", name)
    outs = _buffers(out_buffers, list(zip(shapes, kinds, titles, strict=False)), "out_buffers", name)
    for placeholder, tensor in zip(ins, sources, strict=True):
        _check_stands(placeholder, tensor.shape, tensor.dtype, tensor.name, name)
    for placeholder, wanted, kind in zip(outs, shapes, kinds, strict=True):
        _check_stands(placeholder, wanted, kind, "the result", name)
    body = _body(trace_body(fcompute, [list(ins), list(outs)]), name, span)
    _check_writes(body, ins, outs, name, span)
    op = ExternOp(name, tag or current_tag(), attrs, sources, tuple(ins), tuple(outs), tuple(shapes), body, span)
    return op.output(0) if len(outs) == 1 else list(op.outputs)


def _as_list(buffers: Any) -> list[Any]:
    return [buffers] if isinstance(buffers, Buffer) else list(buffers)


def _check_stands(buffer: Buffer, shape: tuple[Expr, ...], dtype: DType, what: str, name: str) -> None:
    wrong = len(buffer.shape) != len(shape) or buffer.dtype is not dtype
    for mine, extent in zip(buffer.shape, shape, strict=False):
        if isinstance(mine, e.IntImm) and isinstance(extent, e.IntImm):
            wrong = wrong or mine.value != extent.value
    if wrong:
        extents = [
            f"{kind}[{', '.join([str(x) for x in dims])}]"
            for kind, dims in ((buffer.dtype, buffer.shape), (dtype, shape))
        ]
        raise _error(
            f"extern {name!r}: buffer {buffer.name} is {extents[0]}, but stands for {what}, which is {extents[1]}",
            "GC231",
            "tir.decl_buffer(A.shape, A.dtype)",
        )


def _body(result: Any, name: str, span: Span | None) -> Stmt:
    if isinstance(result, ExprOp):
        result = s.Evaluate(result.as_expr() if not isinstance(result, Expr) else result, span)
    if not isinstance(result, Stmt):
        what = "None" if result is None else f"a {type(result).__name__}"
        raise _error(
            f"the function of extern {name!r} returns {what}, not a statement", "GC232",
            "return ib.get(), or a call such as tir.call_packed(...)", span,
        )  # fmt: skip
    for node in post_order(result):
        if isinstance(node, e.ProducerLoad):
            raise _error(
                f"the body of extern {name!r} reads tensor {node.producer.name!r}",
                "GC232",
                "read the buffers that the function is called with: fcompute(ins, outs)",
                span,
            )
    return result


def _check_writes(body: Stmt, ins: list[Buffer], outs: list[Buffer], name: str, span: Span | None) -> None:
    """Inputs stay as they are: other stages read them too."""
    kept = [b for b in ins if not any([b.data is o.data for o in outs])]
    for node in post_order(body):
        if not isinstance(node, s.BufferStore):
            continue
        for buffer in kept:
            if node.buffer.data is buffer.data:
                raise _error(
                    f"the body of extern {name!r} writes its input {buffer.name!r}", "GC232",
                    "write an output, or memory of its own: ib.allocate(...)", node.span or span,
                )  # fmt: skip


def extern_primfunc(input_tensors: Sequence[Tensor] | Tensor, primfunc: PrimFunc, **kwargs: Any) -> Any:
    """Tensors that a function in buffer form computes; its buffers that it writes are the results.

    Args:
        input_tensors: one for each buffer that the function only reads, in the order of its parameters.
        primfunc: the function; extents that are variables get those of the tensors.
        kwargs: as for :func:`extern`: name, tag, attrs.

    Returns:
        The tensor, or a list of tensors.

    Raises:
        TensorError: GC230 another number of inputs, scalar parameters, or nothing written; GC231 shapes or types.
    """
    sources = tuple(listed(input_tensors, Tensor))
    if not is_a(primfunc, PrimFunc):
        raise _error(f"extern_primfunc: the function is a {type(primfunc).__name__}, no PrimFunc", "GC230")
    name = str(kwargs.setdefault("name", primfunc.name))
    buffers = [primfunc.buffer_map.get(p) for p in primfunc.params]
    written = {n.buffer.data: None for n in post_order(primfunc.body) if isinstance(n, s.BufferStore)}
    known = [b for b in buffers if b is not None]
    if len(known) != len(buffers):
        raise _error(f"extern_primfunc: {name!r} has parameters that are no buffers", "GC230")
    ins, outs = [b for b in known if b.data not in written], [b for b in known if b.data in written]
    if len(ins) != len(sources) or not outs:
        raise _error(
            f"extern_primfunc: {name!r} reads {len(ins)} buffers ({', '.join([b.name for b in ins])}) and writes "
            f"{len(outs)}, but got {len(sources)} tensors",
            "GC230",
        )
    extents: dict[Var, Expr] = {}
    for buffer, tensor in zip(ins, sources, strict=True):
        for mine, given in zip(buffer.shape, tensor.shape, strict=False):
            if isinstance(mine, Var):
                extents.setdefault(mine, given)
    shapes = [tuple([substitute(x, extents) for x in b.shape]) for b in outs]
    return extern(shapes, sources, lambda i, o: open_blocks(primfunc.body), in_buffers=ins, out_buffers=outs, **kwargs)
