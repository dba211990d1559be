"""Nests without threads, as kernels of one work-item: so that OpenCL can run schedules that bind nothing."""

from __future__ import annotations

from typing import Any  # Any: an AttrStmt is about a buffer, a tuple that holds one, or something else

from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import Expr, IterVar, Range, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator
from gpucomp.tir.stmt import ForKind, Stmt


def one_thread(func: PrimFunc) -> PrimFunc:
    """Run each nest of a function in buffer form on one work-item.

    Memory between the nests becomes global, memory inside of a nest the work-item's own, and parallel loops run one
    step after the other; everything else is as it was.
    """
    return func.with_body(_OneThread(func).outside(func.body))


class _OneThread(Mutator):
    """Rewrites nests; ``outside`` walks what stands around them."""

    def __init__(self, func: PrimFunc) -> None:
        super().__init__()
        self.scope = "global"
        self.buffers: dict[Buffer, Buffer] = {b: b for b in func.buffer_map.values()}
        self.pointers: dict[Var, Var] = {}

    def outside(self, node: Stmt) -> Stmt:
        """Statements around nests: sequences, memory, and what is said about memory."""
        if isinstance(node, s.SeqStmt):
            return s.seq(*[self.outside(x) for x in node.seq])
        if isinstance(node, s.BufferRealize):
            buffer = self._made(node.buffer)
            return node.replace(buffer=buffer, bounds=self.ranges(node.bounds), body=self.outside(node.body))
        if isinstance(node, s.AttrStmt) and isinstance(node.node, (Buffer, tuple)):
            body = self.outside(node.body)
            return node.replace(node=self._target(node.node), body=body)
        self.scope = "local"
        body = self.stmt(node)
        self.scope = "global"
        for tag in ("threadIdx.x", "blockIdx.x"):
            axis = IterVar(Range(0, 1), Var(tag.replace(".", "_")), IterVar.ThreadIndex, tag)
            body = s.AttrStmt(axis, "thread_extent", operators.const(1), body)
        return body

    def _made(self, buffer: Buffer) -> Buffer:
        """The buffer in the scope that is due, made where it is realized or first named."""
        found = self.buffers.get(buffer)
        if found is None:
            found = decl_buffer(buffer.shape, buffer.dtype, buffer.name, scope=self.scope)
            self.buffers[buffer] = found
            self.pointers[buffer.data] = found.data
        return found

    def _target(self, node: Any) -> Any:
        if isinstance(node, Buffer):
            return self._made(node)
        if isinstance(node, tuple) and node and isinstance(node[0], Buffer):
            return (self._made(node[0]), *node[1:])
        return node

    def visit_for(self, node: s.For) -> Stmt:
        made = super().visit_for(node)
        parallel = isinstance(made, s.For) and made.kind is ForKind.PARALLEL
        return made.replace(kind=ForKind.SERIAL) if parallel else made

    def visit_attr_stmt(self, node: s.AttrStmt) -> Stmt:
        target = self._target(node.node)
        return s.AttrStmt(target, node.attr_key, self.expr(node.value), self.stmt(node.body), node.span)

    def visit_buffer_realize(self, node: s.BufferRealize) -> Stmt:
        buffer = self._made(node.buffer)
        return node.replace(buffer=buffer, bounds=self.ranges(node.bounds), body=self.stmt(node.body))

    def visit_buffer_load(self, node: e.BufferLoad) -> Expr:
        return e.BufferLoad(self.buffers.get(node.buffer, node.buffer), self.exprs(node.indices))

    def visit_buffer_store(self, node: s.BufferStore) -> Stmt:
        made = super().visit_stmt(node)
        assert isinstance(made, s.BufferStore)
        return made.replace(buffer=self.buffers.get(node.buffer, node.buffer))

    def visit_var(self, node: Var) -> Expr:
        return self.pointers.get(node, node)
