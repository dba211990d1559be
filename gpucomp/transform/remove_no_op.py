"""Remove statements that do nothing."""

from __future__ import annotations

from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import BufferLoad, Expr, IntImm, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator
from gpucomp.tir.stmt import (
    NOOP,
    Allocate,
    AllReduce,
    AttrStmt,
    BufferStore,
    Evaluate,
    For,
    IfThenElse,
    LetStmt,
    Stmt,
    is_noop,
)
from gpucomp.transform.accesses import Sources
from gpucomp.transform.walk import int_value, is_pure


def remove_no_op(func: PrimFunc) -> PrimFunc:
    """Remove loops, branches, bindings and attributes around nothing, unused allocations, stores of what is there.

    Conditions and extents are pure by construction; a binding whose value is not pure stays.
    """
    return func.with_body(_Remover().stmt(func.body))


class _Remover(Mutator):
    """Rebuilds from the leaves up and remembers which variables and pointers are in use."""

    def __init__(self) -> None:
        super().__init__()
        self.sources = Sources()
        self.used: set[Var] = set()

    def expr(self, node: Expr) -> Expr:
        self.used |= self.sources.of(node)
        return node

    def visit_evaluate(self, node: Evaluate) -> Stmt:
        if is_pure(node.value):
            return NOOP
        return super().visit_stmt(node)

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        value = node.value
        if isinstance(value, BufferLoad) and node.predicate is None and value.predicate is None:
            same = all([x is y for x, y in zip(value.indices, node.indices, strict=True)])
            if value.buffer is node.buffer and same:
                return NOOP
        self.used.add(node.buffer.data)
        return super().visit_stmt(node)

    def visit_all_reduce(self, node: AllReduce) -> Stmt:
        self.used.update([b.data for b in node.results])
        self.used.update(node.threads)
        return super().visit_all_reduce(node)

    def visit_for(self, node: For) -> Stmt:
        if int_value(node.extent) == 0:
            return NOOP
        done = super().visit_for(node)
        return NOOP if isinstance(done, For) and is_noop(done.body) else done

    def visit_if_then_else(self, node: IfThenElse) -> Stmt:
        if isinstance(node.condition, IntImm):
            chosen = node.then_case if node.condition.value else node.else_case
            return NOOP if chosen is None else self.stmt(chosen)
        done = super().visit_if_then_else(node)
        if not isinstance(done, IfThenElse):
            return done
        if done.else_case is not None and is_noop(done.else_case):
            done = done.replace(else_case=None)
        return NOOP if done.else_case is None and is_noop(done.then_case) else done

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        if isinstance(node.node, Buffer):
            self.used.add(node.node.data)
        done = super().visit_attr_stmt(node)
        return NOOP if isinstance(done, AttrStmt) and is_noop(done.body) else done

    def visit_let_stmt(self, node: LetStmt) -> Stmt:
        body = self.stmt(node.body)
        if is_noop(body) and is_pure(node.value):
            return NOOP
        if node.var not in self.used and is_pure(node.value):
            return body
        self.expr(node.value)
        return node if body is node.body else LetStmt(node.var, node.value, body, node.span)

    def visit_allocate(self, node: Allocate) -> Stmt:
        body = self.stmt(node.body)
        if node.buffer_var not in self.used or is_noop(body):
            return body
        for extent in node.extents:
            self.expr(extent)
        self.expr(node.condition)
        return node if body is node.body else node.replace(body=body)
