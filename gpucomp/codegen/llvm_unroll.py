"""Which loops are written out in full.

A small buffer leaves memory for registers only when every access has a constant place, so loops that index such a
buffer are unrolled here, where it is certain, rather than left to LLVM's cost model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.functor import expr_children, free_vars, stmt_children
from gpucomp.tir.stmt import ForKind, Stmt
from gpucomp.transform.serialize_threads import THREAD_LOOP

MAX_STATEMENTS: Final = 1024  # leaves after unrolling; beyond, compile time grows faster than code improves
MAX_TRIPS: Final = 128


def unroll_fully(node: s.For, small: Mapping[Var, int]) -> bool:
    """True for a loop of constant extent that is marked UNROLLED or that indexes a small buffer, unless too long.

    Args:
        node: the loop.
        small: data pointers of buffers that may live in registers.
    """
    if not (isinstance(node.extent, e.IntImm) and isinstance(node.min, e.IntImm)):
        return False
    if node.kind not in (ForKind.SERIAL, ForKind.UNROLLED) or node.extent.value > MAX_TRIPS:
        return False
    if (node.annotations or {}).get(THREAD_LOOP):  # long bodies; and what is small here belongs to all threads
        return False
    if node.kind is ForKind.SERIAL and not (small and indexes_small(node.body, node.loop_var, small)):
        return False
    return statements(node) <= MAX_STATEMENTS


def statements(node: Stmt) -> int:
    """How many leaf statements there are when all loops of constant extent are written out."""
    if isinstance(node, s.For):
        trips = node.extent.value if isinstance(node.extent, e.IntImm) else MAX_STATEMENTS
        return max(0, trips) * statements(node.body)
    return max(1, sum([statements(child) for child in stmt_children(node) if isinstance(child, Stmt)]))


def indexes_small(node: Stmt, var: Var, small: Mapping[Var, int]) -> bool:
    """True when some index of a small buffer in ``node`` contains ``var``."""
    for child in stmt_children(node):
        if isinstance(child, Stmt):
            if indexes_small(child, var, small):
                return True
        elif _loads_small(child, var, small, {}):
            return True
    return isinstance(node, s.BufferStore) and node.buffer.data in small and var in free_vars(node.indices[-1])


def _loads_small(node: Expr, var: Var, small: Mapping[Var, int], seen: dict[Expr, None]) -> bool:
    if node in seen or var not in free_vars(node):
        return False
    seen[node] = None
    if isinstance(node, e.BufferLoad) and node.buffer.data in small:
        return True
    return any([_loads_small(child, var, small, seen) for child in expr_children(node)])
