"""A mark where a loop with barriers ends, for OpenCL drivers that run work-items as loops.

PoCL cuts a kernel into the regions between barriers and runs each of them for all work-items.  Where the last iteration
of a loop ends with a branch, and what follows the loop starts with one, LLVM threads the jump, and work-items leave the
loop along two edges.  PoCL 3.1 then gives up, or runs what follows for no work-item at all, so that results are not
stored; PoCL 5 gets such kernels wrong too.  A barrier between the two keeps the edges together.  Here it is a mark, the
barrier "loop", of which OpenCL text makes a barrier on PoCL and nothing elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

from gpucomp.target import Target
from gpucomp.tir import intrin
from gpucomp.tir.expr import Expr
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, post_order
from gpucomp.tir.stmt import AttrStmt, Evaluate, For, IfThenElse, LetStmt, SeqStmt, Stmt, seq
from gpucomp.transform.thread_sync import is_barrier
from gpucomp.transform.walk import is_call


def loop_ends(func: PrimFunc) -> PrimFunc:
    """Put the barrier "loop" behind loops with barriers that end with a branch, where one follows before a barrier.

    Only in OpenCL kernels.  The threads of a block run such a loop together, because it has a barrier, and so they do
    what stands behind it.
    """
    target: Target | None = func.attrs.get("target")
    if target is None or target.kind != "opencl":
        return func
    return func.with_body(_Marks().stmt(func.body))


class _Shape(NamedTuple):
    """Whether a statement has barriers, and whether it branches before the first and after the last of them."""

    barriers: bool
    head: bool
    tail: bool


class _Marks(Mutator):
    def __init__(self) -> None:
        super().__init__()
        self.follows = False  # whether there is a branch before the next barrier

    def visit_seq_stmt(self, node: SeqStmt) -> Stmt:
        after, out = self.follows, list[Stmt]()
        for part in reversed(node.seq):
            shape = _shape(part)
            out.append(self.stmt(part) if shape.barriers else part)
            self.follows = shape.head or (self.follows and not shape.barriers)
        self.follows = after
        return node if all([a is b for a, b in zip(out, reversed(node.seq), strict=True)]) else seq(out[::-1])

    def visit_for(self, node: For) -> Stmt:
        shape = _shape(node.body)
        if not shape.barriers:
            return node
        after = self.follows
        self.follows = after or shape.head
        new = super().visit_for(node)
        self.follows = after
        return seq(new, Evaluate(intrin.barrier("loop"))) if after and shape.tail else new


def _shape(node: Stmt) -> _Shape:
    if is_barrier(node):
        return _Shape(True, False, False)
    if isinstance(node, SeqStmt):
        parts = [_shape(part) for part in node.seq]
        return _Shape(
            any([p.barriers for p in parts]), _start(parts), _start([_Shape(b, t, h) for b, h, t in parts[::-1]])
        )
    if isinstance(node, (For, AttrStmt, LetStmt)):
        return _shape(node.body)
    nodes = list(post_order(node))
    branches = any([_is_branch(item) for item in nodes])
    return _Shape(any([isinstance(item, Stmt) and is_barrier(item) for item in nodes]), branches, branches)


def _start(parts: list[_Shape]) -> bool:
    """Whether there is a branch before the first barrier."""
    for part in parts:
        if part.head or part.barriers:
            return part.head
    return False


def _is_branch(node: Stmt | Expr) -> bool:
    return isinstance(node, IfThenElse) or (isinstance(node, Expr) and is_call(node, "if_then_else"))
