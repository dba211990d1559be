"""From tensors to buffers: the last step of lowering a schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any  # Any: arguments are tensors, variables and buffers

from gpucomp.ir.types import PointerType, PrimType
from gpucomp.support.diagnostics import caller_span, did_you_mean
from gpucomp.support.expect import expect
from gpucomp.te.bind_buffers import BindBuffers, placeholder_values
from gpucomp.te.binds import addressed, bind_conditions
from gpucomp.te.buffer_bind import BufferBind, Layout, declared_layout, realized_layout, resolve_bind
from gpucomp.te.errors import schedule_error
from gpucomp.te.extern import BIND_KEY, ExternOp
from gpucomp.te.tensor import Tensor
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import BufferLoad, Expr, ProducerLoad, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, free_vars, stmt_children
from gpucomp.tir.stmt import (
    AssertStmt,
    AttrStmt,
    BufferRealize,
    BufferStore,
    For,
    LetStmt,
    ProducerRealize,
    ProducerStore,
    Stmt,
)

Arg = Tensor | Buffer | Expr  # of expressions variables: extents of tensors are some


class _ToBuffers(Mutator):
    def __init__(self, bound: Mapping[Tensor, Buffer], names: list[str]) -> None:
        super().__init__()
        self.bound = bound
        self.buffers = dict(bound)
        self.names = names
        self.touched: dict[Tensor, None] = {}
        self.layouts: dict[Buffer, Layout] = {}
        self.aligned: dict[Tensor, dict[int, tuple[int, int]]] = {}

    def _buffer(self, tensor: Tensor, role: str) -> Buffer:
        self.touched[tensor] = None
        found = self.buffers.get(tensor)
        if found is not None:
            return found
        raise schedule_error(
            "GC130",
            f"tensor {tensor.name!r} is {role} by the kernel but missing from the arguments ({', '.join(self.names)})",
            where=caller_span(),
            hint=did_you_mean(tensor.name, self.names) or f"add {tensor.name} to the list of arguments",
        )

    def visit_producer_load(self, node: ProducerLoad) -> Expr:
        return BufferLoad(self._buffer(node.producer, "read"), tuple([self.visit(i) for i in node.indices]))

    def visit_producer_store(self, node: ProducerStore) -> Stmt:
        buffer = self._buffer(node.producer, "written")
        return BufferStore(buffer, self.expr(node.value), self.exprs(node.indices), None, node.span)

    def visit_producer_realize(self, node: ProducerRealize) -> Stmt:
        tensor: Tensor = node.producer
        if tensor in self.bound:
            return self.stmt(node.body)
        buffer = decl_buffer(tensor.shape, tensor.dtype, tensor.name, scope=node.storage_scope)
        self.buffers[tensor] = buffer
        bounds = self.ranges(node.bounds)  # a region may begin where an input says
        self.layouts[buffer] = realized_layout(buffer, bounds, self.aligned.get(tensor, {}))
        body = self.stmt(node.body)
        return BufferRealize(buffer, bounds, node.condition, body, node.span)

    def _bind_placeholders(self, op: ExternOp, body: Stmt) -> Stmt:
        body = self.stmt(body)  # stages that are attached to loops of the body stand in it
        pairs = [(b, self._buffer(t, "read")) for b, t in zip(op.input_placeholders, op.inputs, strict=True)]
        pairs += [(b, self._buffer(t, "written")) for b, t in zip(op.output_placeholders, op.outputs, strict=True)]
        values: dict[Var, Expr] = {}
        for placeholder, buffer in pairs:
            values |= placeholder_values(placeholder, buffer, op.name, op.span)
        layouts = {old: self.layouts.get(new) or declared_layout(new) for old, new in pairs}
        return BindBuffers(dict(pairs), values, layouts).stmt(body)

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        target = node.node
        if node.attr_key == "buffer_dim_align":
            self.aligned.setdefault(target[0], {})[int(target[1])] = (int(target[2]), int(target[3]))
        if node.attr_key == BIND_KEY:
            return self._bind_placeholders(target, node.body)
        body = self.stmt(node.body)
        if isinstance(target, BufferBind):
            buffer = self._buffer(target.tensor, "accessed")
            node = node.replace(value=self.expr(node.value))  # the box may begin where an input says
            return resolve_bind(node, body, buffer, self.layouts.get(buffer) or declared_layout(buffer))
        if isinstance(target, Tensor):
            if target not in self.buffers:
                return body  # a hint about a tensor that was inlined
            if target in self.bound and node.attr_key != "prefetch_scope":
                return body  # the caller's memory has no second copy
            return AttrStmt(self.buffers[target], node.attr_key, node.value, body, node.span)
        if isinstance(target, tuple) and isinstance(target[0], Tensor):
            if target[0] in self.bound:
                return body  # the caller's memory has the layout that it has
            return AttrStmt((self.buffers[target[0]], *target[1:]), node.attr_key, node.value, body, node.span)
        return node if body is node.body else AttrStmt(target, node.attr_key, node.value, body, node.span)


def to_prim_func(
    args: Sequence[Any], stmt: Stmt, binds: Mapping[Tensor, Buffer] | None = None, name: str = "main"
) -> PrimFunc:
    """Replace tensors by buffers and wrap the statement as a function.

    Args:
        args: tensors, buffers and scalar variables, in the order of the parameters.
        stmt: result of ``schedule_ops``.
        binds: buffers to use for some of the tensors.
        name: name of the function.

    Raises:
        ScheduleError: GC130 a tensor is missing from ``args``; GC131 a variable is; GC132 a wrong argument.
    """
    expect(args, (list, tuple), "SchedulePostProcToPrimFunc", "pass [A, B, C]: tensors, buffers and variables")
    expect(stmt, Stmt, "SchedulePostProcToPrimFunc", "pass what te.schedule.ScheduleOps returns")
    binds, args = addressed(binds or {}, args)
    conditions = bind_conditions(binds)
    params: list[Var] = []
    buffer_map: dict[Var, Buffer] = {}
    buffers: dict[Tensor, Buffer] = {}
    for arg in args:
        _check_arg(arg, args)
        if isinstance(arg, Var):
            params.append(arg)
            continue
        buffer = arg if isinstance(arg, Buffer) else _buffer_of(arg, binds)
        handle = Var(f"{buffer.name}_handle", PointerType(PrimType(buffer.dtype), "global"))
        params.append(handle)
        buffer_map[handle] = buffer
        if isinstance(arg, Tensor):
            buffers[arg] = buffer
    for tensor, buffer in binds.items():
        buffers.setdefault(tensor, buffer)
    walker = _ToBuffers(buffers, [a.name for a in args])
    body = walker.stmt(stmt)
    _check_touched(args, walker.touched)
    for condition, message in conditions:
        body = AssertStmt(condition, message, body)
    func = PrimFunc(tuple(params), body, buffer_map, {"global_symbol": name, "tir.noalias": True})
    _check_free(func)
    return func


def _buffer_of(tensor: Tensor, binds: Mapping[Tensor, Buffer] | None) -> Buffer:
    found = (binds or {}).get(tensor)
    return decl_buffer(tensor.shape, tensor.dtype, tensor.name) if found is None else found


def _check_arg(arg: object, args: Sequence[Any]) -> None:
    if not isinstance(arg, (Tensor, Buffer, Var)):
        raise schedule_error(
            "GC132",
            f"argument {_position(arg, args)} is a {type(arg).__name__}; arguments are tensors, buffers and "
            "te.var scalars",
            where=caller_span(),
            hint="pass the tensors themselves: [A, B, C], not their ops or arrays",
        )
    if len([a for a in args if a is arg]) > 1:
        raise schedule_error(
            "GC132",
            f"argument {arg.name!r} appears twice",
            where=caller_span(),
            hint=f"name {arg.name} once",
        )


def _position(arg: object, args: Sequence[Any]) -> int:
    return next(i for i, a in enumerate(args) if a is arg)


def _check_touched(args: Sequence[Any], touched: Mapping[Tensor, None]) -> None:
    for arg in args:
        if not isinstance(arg, Tensor) or arg in touched:
            continue
        raise schedule_error(
            "GC132",
            f"argument {arg.name!r} is neither read nor written: it is no part of the schedule, or was inlined",
            where=caller_span(),
            hint=f"leave {arg.name} out, or do not inline it",
        )


def _check_free(func: PrimFunc) -> None:
    known: set[Var] = set(func.params)
    used: dict[Var, None] = {}

    def use(x: Expr) -> None:
        # Sets of variables come in the order of addresses; names make the choice of what to report stable.
        used.update(dict.fromkeys(sorted([v for v in free_vars(x) if v not in used], key=_name)))

    for buffer in func.buffer_map.values():
        for x in (*buffer.shape, *buffer.strides, buffer.elem_offset):
            use(x)
            if isinstance(x, Var):
                known.add(x)
    stack: list[Stmt] = [func.body]
    while stack:
        node = stack.pop()
        if isinstance(node, For):
            known.add(node.loop_var)
        elif isinstance(node, LetStmt):
            known.add(node.var)
        elif isinstance(node, AttrStmt) and node.attr_key in ("thread_extent", "virtual_thread"):
            known.add(node.node.var)
        for child in stmt_children(node):
            if isinstance(child, Stmt):
                stack.append(child)
            else:
                use(child)
    missing = [v.name for v in used if v not in known and not v.dtype.is_handle]
    if missing:
        name = missing[0]
        raise schedule_error(
            "GC131",
            f"variable {name!r} is used by the kernel, but is neither an argument nor the whole extent of one",
            where=caller_span(),
            hint=f"add {name} to the arguments (a kernel finds an extent n in a shape (n, ...), not in (n * 2, ...)); "
            f"if it is a reduction axis: te.sum(..., axis={name})",
        )


def _name(v: Var) -> str:
    return v.name
