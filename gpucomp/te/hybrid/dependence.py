"""Which loops of a script have iterations that depend on each other."""

from __future__ import annotations

from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.functor import free_vars, post_order


def carries_dependence(loop: s.For) -> bool:
    """False when no two iterations of a loop can touch one element, of which one writes it.

    Shown by a dimension in which every access inside of the loop has the same index, and this index is the loop's
    variable plus what no loop changes.  Memory that is allocated inside of the loop belongs to one iteration.
    """
    private: dict[Buffer, None] = {}
    written: dict[Buffer, None] = {}
    accesses: dict[Buffer, list[tuple[Expr, ...]]] = {}
    for node in post_order(loop):
        if isinstance(node, s.BufferRealize):
            private[node.buffer] = None
        elif isinstance(node, s.BufferStore):
            written[node.buffer] = None
            accesses.setdefault(node.buffer, []).append(node.indices)
        elif isinstance(node, e.BufferLoad):
            accesses.setdefault(node.buffer, []).append(node.indices)
        elif isinstance(node, e.Call) and not getattr(node.op, "is_pure", False):
            return True
    return any([not _apart(accesses[b], loop.loop_var) for b in written if b not in private])


def _apart(accesses: list[tuple[Expr, ...]], var: Var) -> bool:
    """Whether different values of ``var`` mean different elements."""
    first = accesses[0]
    for position, index in enumerate(first):
        if all([other[position] is index for other in accesses]) and _moves_with(index, var):
            return True
    return False


def _moves_with(index: Expr, var: Var) -> bool:
    """True for ``var``, and ``var`` plus or minus constants."""
    while isinstance(index, (e.Add, e.Sub)):
        if not free_vars(index.b):
            index = index.a
        elif isinstance(index, e.Add) and not free_vars(index.a):
            index = index.b
        else:
            return False
    return index is var
