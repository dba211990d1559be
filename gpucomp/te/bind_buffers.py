"""Bodies over placeholder buffers, put to work on the buffers of tensors.

The body of an opaque operation is written over buffers that stand for its tensors.  When the operation is lowered,
accesses of a placeholder become accesses of the tensor's own buffer, and the variables in the placeholder's shape,
strides and offset get the values of that buffer.  Names that the body binds itself (loops, allocations, lets) are made
afresh, so that one body may be lowered several times.
"""

from __future__ import annotations

from collections.abc import Mapping

from gpucomp.arith import Analyzer
from gpucomp.support.diagnostics import Span, TensorError
from gpucomp.te.buffer_bind import Layout
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import BufferLoad, Expr, IterVar, Var
from gpucomp.tir.functor import Mutator
from gpucomp.tir.intrin import Op, call_intrin
from gpucomp.tir.packed import ARRAY, array_parts, make_array
from gpucomp.tir.stmt import Stmt


class BindBuffers(Mutator):
    """Replaces buffers and variables, and renames what statements bind.

    Args:
        buffers: from placeholder to buffer.
        values: from variable to value.
        layouts: of what the placeholders stand for, by placeholder.
    """

    def __init__(
        self, buffers: Mapping[Buffer, Buffer], values: Mapping[Var, Expr], layouts: Mapping[Buffer, Layout]
    ) -> None:
        super().__init__()
        self.layouts = dict(layouts)
        self.buffers = dict(buffers)
        self.kept = dict.fromkeys(buffers.values())
        self.values: dict[Var, Expr] = dict(values)

    def _fresh(self, var: Var) -> Var:
        new = type(var)(var.name, var.dtype, var.type_annotation)
        self.values[var] = new
        self.memo.clear()
        return new

    def buffer(self, old: Buffer) -> Buffer:
        """The buffer that stands for another one."""
        return self.buffers.get(old, old)

    def visit_var(self, node: Var) -> Expr:
        return self.values.get(node, node)

    def visit_buffer_load(self, node: BufferLoad) -> Expr:
        predicate = None if node.predicate is None else self.visit(node.predicate)
        return BufferLoad(self.buffer(node.buffer), tuple([self.visit(i) for i in node.indices]), predicate)

    def visit_call(self, node: e.Call) -> Expr:
        name = node.op.name if isinstance(node.op, Op) else ""
        if name == ARRAY:
            load, _, _ = array_parts(node)
            if load.buffer in self.layouts:
                return make_array(self.buffer(load.buffer), self._steps(load.buffer))
        elif name == "tir.tvm_access_ptr":
            for old in self.layouts:
                if node.args[1] is old.data:
                    return self._pointer(node, old)
        return self.visit_expr(node)

    def _steps(self, old: Buffer) -> tuple[Expr, ...]:
        steps = self.layouts[old].strides
        if steps is not None:
            return steps
        new = self.buffer(old)
        raise TensorError(
            f"buffer {old.name} stands for {new.name}, whose layout in {new.scope()} memory is not known",
            code="GC231",
            hint=f's[{new.name}].set_scope("global")',
        )

    def _pointer(self, node: e.Call, old: Buffer) -> Expr:
        """The pointer that a function gets; a placeholder without strides promises compact memory."""
        new, steps = self.buffer(old), self._steps(old)
        compact = operators.const(1, "int32")
        for extent, step in zip(reversed(new.shape), reversed(steps), strict=True):
            if not old.strides and not e.is_const_int(extent, 1) and not Analyzer().can_prove_equal(step, compact):
                raise TensorError(
                    f"a pointer to {old.name} is passed on, but {new.name}, for which it stands, is not compact",
                    code="GC231",
                    hint="in_buffers=[tir.decl_buffer(..., strides=[te.var('s0'), ...])], and pass the strides on too",
                )
            compact = operators.multiply(compact, extent)
        zero = [operators.const(0, x.dtype) for x in new.shape]
        first = call_intrin("handle", "address_of", BufferLoad(new, tuple(zero)))
        kind, _, offset, extent, mask = node.args
        inner = Analyzer().simplify(operators.subtract(self.visit(offset), self.visit(old.elem_offset)))
        return e.Call(node.dtype, node.op, (kind, first, inner, self.visit(extent), mask))

    def visit_let(self, node: e.Let) -> Expr:
        value = self.visit(node.value)
        return e.Let(self._fresh(node.var), value, self.visit(node.body))

    def visit_buffer_store(self, node: s.BufferStore) -> Stmt:
        predicate = None if node.predicate is None else self.expr(node.predicate)
        value, indices = self.expr(node.value), self.exprs(node.indices)
        return s.BufferStore(self.buffer(node.buffer), value, indices, predicate, node.span)

    def visit_buffer_realize(self, node: s.BufferRealize) -> Stmt:
        old, bounds = node.buffer, self.ranges(node.bounds)
        if old in self.kept:
            return s.BufferRealize(old, bounds, self.expr(node.condition), self.stmt(node.body), node.span)
        data = self._fresh(old.data)
        shape = self.exprs(old.shape)
        self.buffers[old] = old.replace(data=data, shape=shape)
        return s.BufferRealize(self.buffers[old], bounds, self.expr(node.condition), self.stmt(node.body), node.span)

    def visit_for(self, node: s.For) -> Stmt:
        low, extent = self.expr(node.min), self.expr(node.extent)
        var = self._fresh(node.loop_var)
        return s.For(
            var, low, extent, node.kind, self.stmt(node.body), node.thread_binding, node.annotations, node.span
        )

    def visit_let_stmt(self, node: s.LetStmt) -> Stmt:
        value = self.expr(node.value)
        return s.LetStmt(self._fresh(node.var), value, self.stmt(node.body), node.span)

    def visit_attr_stmt(self, node: s.AttrStmt) -> Stmt:
        value, target = self.expr(node.value), node.node
        if isinstance(target, Buffer):
            target = self.buffer(target)
        elif isinstance(target, IterVar) and node.attr_key in ("thread_extent", "virtual_thread"):
            target = IterVar(
                e.Range.from_min_extent(0, value), self._fresh(target.var), target.iter_type, target.thread_tag
            )
        return s.AttrStmt(target, node.attr_key, value, self.stmt(node.body), node.span)

    def visit_all_reduce(self, node: s.AllReduce) -> Stmt:
        done = super().visit_all_reduce(node)
        results = tuple([self.buffer(b) for b in node.results])
        return done.replace(results=results)


def placeholder_values(old: Buffer, new: Buffer, who: str, span: Span | None) -> dict[Var, Expr]:
    """The values of the variables of a placeholder buffer that stands for ``new``.

    Args:
        old: the placeholder; its extents, strides and offset are variables, or equal those of ``new``.
        new: the buffer of the tensor.
        who: for messages.
        span: where the operation was made.

    Raises:
        TensorError: GC231 they do not go together.
    """
    if old.dtype is not new.dtype or len(old.shape) != len(new.shape):
        raise TensorError(
            f"{who}: buffer {old.name} is {_kind(old)}, but stands for {new.name}, which is {_kind(new)}",
            code="GC231",
            where=span,
            hint=f"tir.decl_buffer({new.name}.shape, {new.name}.dtype)",
        )
    values: dict[Var, Expr] = {old.data: new.data}
    pairs = list(zip(old.shape, new.shape, strict=True))
    if old.strides:
        pairs += zip(old.strides, new.stride_exprs(), strict=True)
    pairs.append((old.elem_offset, new.elem_offset))
    for mine, given in pairs:
        if isinstance(mine, Var) and mine is not given:
            known = values.setdefault(mine, given)
            if known is given:
                continue
        elif mine is given or (e.is_const_int(mine) and e.is_const_int(given) and int(mine) == int(given)):
            continue
        elif not (e.is_const_int(mine) and e.is_const_int(given)):
            continue  # symbolic on both sides: the user vouches for it, as for the shapes of arguments
        raise TensorError(
            f"{who}: buffer {old.name} has {mine} where the buffer of {new.name} has {given}",
            code="GC231",
            where=span,
            hint="leave strides and elem_offset out, or make them variables: te.var('stride')",
        )
    return values


def _kind(buffer: Buffer) -> str:
    return f"{buffer.dtype}[{', '.join([str(x) for x in buffer.shape])}]"
