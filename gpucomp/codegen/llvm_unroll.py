"""Which loops are written out in full.

A small buffer leaves memory for registers only when every access has a constant place, so loops that index such a
buffer are unrolled here, where it is certain, rather than left to LLVM's cost model.  A buffer that some loop indexes
which is too long for that stays in memory, and the other loops over it stay loops.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.functor import expr_children, expr_post_order, free_vars, stmt_children
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import ForKind, Stmt
from gpucomp.transform.serialize_threads import THREAD_LOOP

MAX_STATEMENTS: Final = 1024  # leaves and branches after unrolling; compile time grows faster than code improves
MAX_TRIPS: Final = 128
REGISTERS: Final = 2048  # bytes: 32 registers of 64


def unroll_fully(node: s.For, registers: Container[Var]) -> bool:
    """True for a loop of constant extent marked UNROLLED or that indexes a buffer in registers, unless too long.

    Args:
        node: the loop.
        registers: data pointers of the buffers that are to live in registers.
    """
    if not (isinstance(node.extent, e.IntImm) and isinstance(node.min, e.IntImm)):
        return False
    if node.kind not in (ForKind.SERIAL, ForKind.UNROLLED) or node.extent.value > MAX_TRIPS:
        return False
    if (node.annotations or {}).get(THREAD_LOOP):  # long bodies; and what is small here belongs to all threads
        return False
    if node.kind is ForKind.SERIAL and not indexes_any(node.body, node.loop_var, registers):
        return False
    return statements(node) <= MAX_STATEMENTS


def fits_registers(body: Stmt, data: Var, nbytes: int) -> bool:
    """True when all loops that index a buffer are written out, so that it is accessed at constant places only.

    Args:
        body: all that uses the buffer.
        data: its data pointer.
        nbytes: its size.  One of more bytes than there are registers gains little: its loops have one limit together.
    """
    lengths: list[int] = []
    return _lengths(body, data, lengths) and (nbytes <= REGISTERS or sum(lengths) <= MAX_STATEMENTS)


def _lengths(node: Stmt, data: Var, lengths: list[int]) -> bool:
    """Enter how long each loop is that indexes a buffer; False when one of them stays a loop."""
    if isinstance(node, s.For) and indexes_any(node.body, node.loop_var, (data,)):
        lengths.append(statements(node))
        return unroll_fully(node, (data,)) and _lengths(node.body, data, [])
    return all([_lengths(child, data, lengths) for child in stmt_children(node) if isinstance(child, Stmt)])


def statements(node: Stmt) -> int:
    """How many leaf statements, and branches in their values, there are when constant loops are written out."""
    if isinstance(node, s.For):
        trips = node.extent.value if isinstance(node.extent, e.IntImm) else MAX_STATEMENTS
        return max(0, trips) * statements(node.body)
    inner = [child for child in stmt_children(node) if isinstance(child, Stmt)]
    own = 1 if not inner else 0
    values = [child for child in stmt_children(node) if isinstance(child, Expr)]
    return own + _branches(values) + sum([statements(child) for child in inner])


_CHOICE: Final = Op.get("tir.if_then_else")


def _branches(values: list[Expr]) -> int:
    """The branches that values take: one for each ``if_then_else`` among them."""
    return sum([isinstance(node, e.Call) and node.op is _CHOICE for node in expr_post_order(*values)])


def indexes_any(node: Stmt, var: Var, buffers: Container[Var]) -> bool:
    """True when some index of one of the buffers in ``node`` contains ``var``."""
    for child in stmt_children(node):
        if isinstance(child, Stmt):
            if indexes_any(child, var, buffers):
                return True
        elif _loads_any(child, var, buffers, {}):
            return True
    return isinstance(node, s.BufferStore) and node.buffer.data in buffers and var in free_vars(node.indices[-1])


def _loads_any(node: Expr, var: Var, buffers: Container[Var], seen: dict[Expr, None]) -> bool:
    if node in seen or var not in free_vars(node):
        return False
    seen[node] = None
    if isinstance(node, e.BufferLoad) and node.buffer.data in buffers:
        return True
    return any([_loads_any(child, var, buffers, seen) for child in expr_children(node)])
