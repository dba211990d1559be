"""Which loops are written out in full.

A small buffer leaves memory for registers only when every access has a constant place, so loops that index such a
buffer are unrolled here, where it is certain, rather than left to LLVM's cost model.  A buffer that some loop indexes
which is too long for that stays in memory, and the other loops over it stay loops.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final, TypeAlias

from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.functor import expr_post_order, free_vars, stmt_children, stmt_post_order
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import ForKind, Stmt
from gpucomp.transform.serialize_threads import THREAD_LOOP

MAX_STATEMENTS: Final = 1024  # leaves and branches after unrolling; compile time grows faster than code improves
MOST_IN_MEMORY: Final = 512  # likewise of all loops over a buffer that is larger than the registers
MAX_TRIPS: Final = 128
REGISTERS: Final = 2048  # bytes: 32 registers of 64
Lengths: TypeAlias = dict[Stmt, int]


def unroll_fully(node: s.For, indexing: Container[Var], known: Lengths) -> bool:
    """True for a loop of constant extent marked UNROLLED or that indexes a buffer in registers, unless too long.

    Args:
        node: the loop.
        indexing: variables of the places at which buffers are accessed that are to live in registers.
        known: see :func:`statements`.
    """
    if not (isinstance(node.extent, e.IntImm) and isinstance(node.min, e.IntImm)):
        return False
    if node.kind not in (ForKind.SERIAL, ForKind.UNROLLED) or node.extent.value > MAX_TRIPS:
        return False
    if (node.annotations or {}).get(THREAD_LOOP):  # long bodies; and what is small here belongs to all threads
        return False
    if node.kind is ForKind.SERIAL and node.loop_var not in indexing:
        return False
    return statements(node, known) <= MAX_STATEMENTS


def index_variables(body: Stmt, data: Var) -> frozenset[Var]:
    """The variables of the indices at which a buffer is accessed.  Do not iterate where order matters."""
    found: frozenset[Var] = frozenset()
    values: list[Expr] = []
    for node in stmt_post_order(body):
        values += [child for child in stmt_children(node) if isinstance(child, Expr)]
        if isinstance(node, s.BufferStore) and node.buffer.data is data:
            found |= free_vars(node.indices[-1])
    for value in expr_post_order(*values):
        if isinstance(value, e.BufferLoad) and value.buffer.data is data:
            found |= free_vars(value.indices[-1])
    return found


def fits_registers(body: Stmt, indexing: Container[Var], nbytes: int, known: Lengths) -> bool:
    """True when all loops that index a buffer are written out, so that it is accessed at constant places only.

    Args:
        body: all that uses the buffer.
        indexing: the variables of its indices.
        nbytes: its size.  One of more bytes than there are registers gains little: its loops have one limit together.
        known: see :func:`statements`.
    """
    lengths: list[int] = []
    return _lengths(body, indexing, known, lengths) and (nbytes <= REGISTERS or sum(lengths) <= MOST_IN_MEMORY)


def _lengths(node: Stmt, indexing: Container[Var], known: Lengths, lengths: list[int]) -> bool:
    """Enter how long each loop is that indexes a buffer; False when one of them stays a loop."""
    if isinstance(node, s.For) and node.loop_var in indexing:
        lengths.append(statements(node, known))
        return unroll_fully(node, indexing, known) and _lengths(node.body, indexing, known, [])
    inner = [child for child in stmt_children(node) if isinstance(child, Stmt)]
    return all([_lengths(child, indexing, known, lengths) for child in inner])


def statements(node: Stmt, known: Lengths) -> int:
    """How many leaf statements, branches in values and parts of vectors there are when constant loops are written out.

    Args:
        node: a statement.
        known: what was found of others, to which this is added.
    """
    found = known.get(node)
    if found is None:
        found = known[node] = _statements(node, known)
    return found


def _statements(node: Stmt, known: Lengths) -> int:
    if isinstance(node, s.For):
        trips = node.extent.value if isinstance(node.extent, e.IntImm) else MAX_STATEMENTS
        return max(0, trips) * statements(node.body, known)
    children = stmt_children(node)
    inner = [child for child in children if isinstance(child, Stmt)]
    own = 1 if not inner else 0
    values = [child for child in children if isinstance(child, Expr)]
    return own + _pieces(values) + sum([statements(child, known) for child in inner])


_CHOICE: Final = Op.get("tir.if_then_else")


def _pieces(values: list[Expr]) -> int:
    """One for each ``if_then_else`` among values, and one for each part of a vector that is put together."""
    nodes = expr_post_order(*values)
    parts = [len(node.vectors) for node in nodes if isinstance(node, e.Shuffle) and len(node.vectors) > 1]
    return sum(parts) + sum([isinstance(node, e.Call) and node.op is _CHOICE for node in nodes])
