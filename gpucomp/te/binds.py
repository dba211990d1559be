"""Buffers that stand for arguments: strided, with an offset, repeated where an extent is 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any  # Any: arguments are tensors, variables and buffers

from gpucomp.support.diagnostics import caller_span
from gpucomp.support.expect import expect
from gpucomp.te.buffer_bind import BufferBind
from gpucomp.te.errors import schedule_error
from gpucomp.te.extern import BIND_KEY
from gpucomp.te.tensor import Tensor
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.functor import post_order
from gpucomp.tir.stmt import AttrStmt, Stmt

AUTO_BROADCAST = "auto_broadcast"


def verify_compact_buffer(stmt: Stmt) -> bool:
    """True when a statement hands memory to a body that was written for compact buffers.

    Args:
        stmt: result of ``schedule_ops``.
    """
    expect(stmt, Stmt, "VerifyCompactBuffer", "pass what te.schedule.ScheduleOps returns")
    for node in post_order(stmt):
        if not isinstance(node, AttrStmt):
            continue
        views: list[Buffer] = []
        if node.attr_key == BIND_KEY:
            views += [*node.node.input_placeholders, *node.node.output_placeholders]
        elif isinstance(node.node, BufferBind):
            views.append(node.node.view)
        if any([view.buffer_type == "" for view in views]):
            return True
    return False


def get_binds(
    args: Sequence[Any], compact: bool = False, binds: Mapping[Tensor, Buffer] | None = None
) -> tuple[dict[Tensor, Buffer], list[Any]]:
    """Buffers for arguments that have none yet.

    Args:
        args: tensors, buffers and variables.
        compact: the program needs compact memory (see :func:`verify_compact_buffer`); otherwise buffers of tensors
            with symbolic extents repeat what has extent 1 (``"auto_broadcast"``).
        binds: buffers to use for some tensors.

    Returns:
        All buffers by tensor, and the arguments with buffers in place of tensors.

    Raises:
        ScheduleError: GC132 an argument is something else.
    """
    expect(args, (list, tuple), "get_binds", "pass [A, B, C]: tensors, buffers and variables")
    found = dict(binds or {})
    listed: list[Any] = []
    for position, arg in enumerate(args):
        if isinstance(arg, Tensor):
            if arg not in found:
                symbolic = any([isinstance(x, Var) for x in arg.shape])
                kind = AUTO_BROADCAST if symbolic and not compact else ""
                found[arg] = decl_buffer(arg.shape, arg.dtype, arg.name, buffer_type=kind)
            listed.append(found[arg])
        elif isinstance(arg, (Buffer, Var)):
            listed.append(arg)
        else:
            raise schedule_error(
                "GC132",
                f"argument {position} is a {type(arg).__name__}; arguments are tensors, buffers and te.var scalars",
                where=caller_span(),
            )
    return found, listed


def addressed(binds: Mapping[Tensor, Buffer], args: Sequence[Any]) -> tuple[dict[Tensor, Buffer], list[Any]]:
    """Binds and arguments with an offset of 0 where it is a variable: the address of an argument is its first element.

    A variable that is an argument itself keeps its value.
    """
    zeroed: dict[Buffer, Buffer] = {}

    def zero(buffer: Buffer) -> Buffer:
        offset = buffer.elem_offset
        if not isinstance(offset, Var) or any([a is offset for a in args]):
            return buffer
        if buffer not in zeroed:
            zeroed[buffer] = buffer.replace(elem_offset=operators.const(0, offset.dtype))
        return zeroed[buffer]

    return {t: zero(b) for t, b in binds.items()}, [zero(a) if isinstance(a, Buffer) else a for a in args]


def bind_conditions(binds: Mapping[Tensor, Buffer]) -> list[tuple[Expr, str]]:
    """What the extents of bound buffers must fulfil at a call, with messages.

    Raises:
        ScheduleError: GC132 a buffer has another type or number of dimensions, or other extents, than its tensor.
    """
    return [condition for tensor, buffer in binds.items() for condition in _fits(tensor, buffer)]


def _fits(tensor: Tensor, buffer: Buffer) -> list[tuple[Expr, str]]:
    if tensor.dtype is not buffer.dtype or len(tensor.shape) != len(buffer.shape):
        raise _misfit(tensor, buffer, f"{buffer.dtype} with {len(buffer.shape)} dimensions")
    checks: list[tuple[Expr, str]] = []
    repeats = buffer.buffer_type == AUTO_BROADCAST
    for position, (extent, given) in enumerate(zip(tensor.shape, buffer.shape, strict=True)):
        if extent is given or (repeats and e.is_const_int(given, 1)):
            continue
        same = operators.compare(e.EQ, given, extent)
        if isinstance(same, e.IntImm):
            if not same.value:
                raise _misfit(tensor, buffer, f"{given} along dimension {position}")
            continue
        message = f"{buffer.name} must have extent {extent} along dimension {position}"
        if repeats:
            same = operators.logical(e.Or, operators.compare(e.EQ, given, 1), same)
            message += ", or 1"
        checks.append((same, message))
    return checks


def _misfit(tensor: Tensor, buffer: Buffer, what: str) -> Exception:
    shape = ", ".join([str(x) for x in tensor.shape])
    return schedule_error(
        "GC132",
        f"buffer {buffer.name!r} is {what}, but stands for {tensor.name!r}, which is {tensor.dtype}[{shape}]",
        where=caller_span(),
        hint=f"tir.decl_buffer({tensor.name}.shape, {tensor.name}.dtype)",
    )
