"""From tensors to buffers: the last step of lowering a schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gpucomp.ir.types import PointerType, PrimType
from gpucomp.support.diagnostics import caller_span, did_you_mean
from gpucomp.te.errors import schedule_error
from gpucomp.te.tensor import Tensor
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import BufferLoad, Expr, ProducerLoad, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, free_vars, post_order
from gpucomp.tir.stmt import (
    AttrStmt,
    BufferRealize,
    BufferStore,
    For,
    LetStmt,
    ProducerRealize,
    ProducerStore,
    Stmt,
)

Arg = Tensor | Buffer | Var


class _ToBuffers(Mutator):
    def __init__(self, buffers: dict[Tensor, Buffer], bound: Mapping[Tensor, Buffer]) -> None:
        super().__init__()
        self.buffers = buffers
        self.bound = bound

    def visit_producer_load(self, node: ProducerLoad) -> Expr:
        return BufferLoad(self.buffers[node.producer], tuple([self.visit(i) for i in node.indices]))

    def visit_producer_store(self, node: ProducerStore) -> Stmt:
        buffer = self.buffers[node.producer]
        return BufferStore(buffer, self.expr(node.value), self.exprs(node.indices), None, node.span)

    def visit_producer_realize(self, node: ProducerRealize) -> Stmt:
        tensor: Tensor = node.producer
        if tensor in self.bound:
            return self.stmt(node.body)
        self.buffers[tensor] = decl_buffer(tensor.shape, tensor.dtype, tensor.name, scope=node.storage_scope)
        body = self.stmt(node.body)
        return BufferRealize(self.buffers[tensor], node.bounds, node.condition, body, node.span)

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        target = node.node
        body = self.stmt(node.body)
        if isinstance(target, Tensor):
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
    for tensor, buffer in (binds or {}).items():
        buffers.setdefault(tensor, buffer)
    _check_tensors(stmt, buffers, args)
    bound = dict(buffers)
    body = _ToBuffers(buffers, bound).stmt(stmt)
    func = PrimFunc(tuple(params), body, buffer_map, {"global_symbol": name, "tir.noalias": True})
    _check_free(func)
    return func


def _buffer_of(tensor: Tensor, binds: Mapping[Tensor, Buffer] | None) -> Buffer:
    found = (binds or {}).get(tensor)
    return decl_buffer(tensor.shape, tensor.dtype, tensor.name) if found is None else found


def _check_arg(arg: Any, args: Sequence[Any]) -> None:
    if not isinstance(arg, (Tensor, Buffer, Var)):
        raise schedule_error(
            "GC132",
            f"argument {_position(arg, args)} is a {type(arg).__name__}; arguments are tensors, buffers and "
            "te.var scalars",
            where=caller_span(),
        )
    if len([a for a in args if a is arg]) > 1:
        raise schedule_error("GC132", f"argument {arg.name!r} appears twice", where=caller_span())


def _position(arg: Any, args: Sequence[Any]) -> int:
    return next(i for i, a in enumerate(args) if a is arg)


def _check_tensors(stmt: Stmt, buffers: Mapping[Tensor, Buffer], args: Sequence[Any]) -> None:
    realized: set[Tensor] = set()
    touched: dict[Tensor, bool] = {}
    for node in post_order(stmt):
        if isinstance(node, ProducerRealize):
            realized.add(node.producer)
        elif isinstance(node, ProducerStore):
            touched[node.producer] = True
        elif isinstance(node, ProducerLoad):
            touched.setdefault(node.producer, False)
    for tensor, written in touched.items():
        if tensor in realized or tensor in buffers:
            continue
        role = "written" if written else "read"
        names = [a.name for a in args]
        raise schedule_error(
            "GC130",
            f"tensor {tensor.name!r} is {role} by the kernel but missing from the arguments ({', '.join(names)})",
            where=caller_span(),
            hint=did_you_mean(tensor.name, names) or f"add {tensor.name} to the list of arguments",
        )
    for tensor in buffers:
        if tensor not in touched and any([a is tensor for a in args]):
            raise schedule_error(
                "GC132",
                f"argument {tensor.name!r} is neither read nor written: it is no part of the schedule, or was inlined",
                where=caller_span(),
                hint=f"leave {tensor.name} out, or do not inline it",
            )


def _check_free(func: PrimFunc) -> None:
    known: dict[Var, None] = dict.fromkeys(func.params)
    for buffer in func.buffer_map.values():
        known.update(
            dict.fromkeys([x for x in (*buffer.shape, *buffer.strides, buffer.elem_offset) if isinstance(x, Var)])
        )
    used: dict[Var, None] = {}
    for buffer in func.buffer_map.values():
        for x in (*buffer.shape, *buffer.strides):
            used.update(dict.fromkeys(sorted(free_vars(x), key=lambda v: v.name)))
    for node in post_order(func.body):
        if isinstance(node, Var):
            used[node] = None
        elif isinstance(node, For):
            known[node.loop_var] = None
        elif isinstance(node, LetStmt):
            known[node.var] = None
        elif isinstance(node, AttrStmt) and node.attr_key in ("thread_extent", "virtual_thread"):
            known[node.node.var] = None
    reducers = [v for v in used if v not in known and not v.dtype.is_handle]
    if reducers:
        name = reducers[0].name
        raise schedule_error(
            "GC131",
            f"variable {name!r} is used by the kernel, but is neither an argument nor the whole extent of one",
            where=caller_span(),
            hint=f"add {name} to the arguments; a kernel finds an extent n in a shape (n, ...), not in (n * 2, ...)",
        )
