"""Blocks as loops know them: what one instance of a block does, in plain statements.

The interpreter and ``transform.lower_blocks`` both read blocks through :func:`open_blocks`, so that a block means the
same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any  # Any: an attribute's node is of any kind

from gpucomp.support.diagnostics import TypeMismatchError
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer, BufferRegion
from gpucomp.tir.expr import EQ, And, BufferLoad, Expr, IntImm, IterVar, Range, Var, is_const_int
from gpucomp.tir.functor import Mutator, stmt_children, substitute
from gpucomp.tir.stmt import (
    AttrStmt,
    Block,
    BlockRealize,
    BufferRealize,
    BufferStore,
    IfThenElse,
    MatchBufferRegion,
    Stmt,
    seq,
)

_TRUE = IntImm("bool", 1)


def has_blocks(root: Stmt) -> bool:
    """Whether a statement holds blocks."""
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, BlockRealize):
            return True
        stack += [c for c in stmt_children(node) if isinstance(c, Stmt)]
    return False


def open_blocks(root: Stmt) -> Stmt:
    """The statement with every block replaced by what its instances do; itself where there are none."""
    return _Open().stmt(root) if has_blocks(root) else root


class _Open(Mutator):
    def visit_block_realize(self, node: BlockRealize) -> Stmt:
        return self.stmt(open_block(node))


def open_block(node: BlockRealize) -> Stmt:
    """The statement that an instance of a block stands for; blocks inside of it stay.

    Block variables are replaced by their values; ``init`` runs where all reduction variables are at their start; the
    predicate guards both; buffers of the block are realised whole; views become accesses of what they view.

    Raises:
        TypeMismatchError: a view does not fit the box that it names.
    """
    block = node.block
    body = seq(_guarded_init(block), block.body)
    for match in reversed(block.match_buffers):
        body = _through_view(match, body)
    values: dict[Var, Expr] = {a.var: v for a, v in zip(block.iter_vars, node.iter_values, strict=True)}
    body = substitute(body, values)
    if not is_const_int(node.predicate, 1):
        body = IfThenElse(node.predicate, body, None, node.span)
    for buffer in reversed(block.alloc_buffers):
        box = tuple([Range.from_min_extent(0, substitute(x, values)) for x in buffer.shape])
        body = BufferRealize(buffer, box, _TRUE, body, block.span)
    return body


def _guarded_init(block: Block) -> Stmt | None:
    if block.init is None:
        return None
    condition: Expr = _TRUE
    for axis in block.iter_vars:
        if axis.iter_type == IterVar.CommReduce and axis.dom is not None:
            condition = operators.logical(And, condition, operators.equality(EQ, axis.var, axis.dom.min))
    return block.init if is_const_int(condition, 1) else IfThenElse(condition, block.init, None, block.span)


class _Views(Mutator):
    """Accesses of a view as accesses of its source, and variables of its layout by their values."""

    def __init__(self, match: MatchBufferRegion, values: Mapping[Var, Expr]) -> None:
        super().__init__()
        self.view, self.source, self.values = match.buffer, match.source, values

    def visit_var(self, node: Var) -> Expr:
        return self.values.get(node, node)

    def _indices(self, indices: tuple[Expr, ...]) -> tuple[Expr, ...]:
        box = self.source.region
        lead = len(box) - len(indices)
        inner = [operators.add(r.min, self.visit(i)) for r, i in zip(box[lead:], indices, strict=True)]
        return (*[r.min for r in box[:lead]], *inner)

    def visit_buffer_load(self, node: BufferLoad) -> Expr:
        if node.buffer is not self.view:
            return super().visit_expr(node)
        predicate = None if node.predicate is None else self.visit(node.predicate)
        return BufferLoad(self.source.buffer, self._indices(node.indices), predicate)

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        if node.buffer is not self.view:
            return super().visit_stmt(node)
        predicate = None if node.predicate is None else self.expr(node.predicate)
        return BufferStore(self.source.buffer, self.expr(node.value), self._indices(node.indices), predicate, node.span)

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        target: Any = self.source.buffer if node.node is self.view else node.node
        body, value = self.stmt(node.body), self.expr(node.value)
        if target is node.node and body is node.body and value is node.value:
            return node
        return AttrStmt(target, node.attr_key, value, body, node.span)

    def region(self, node: BufferRegion) -> BufferRegion:
        if node.buffer is not self.view:
            return super().region(node)
        moved = self._indices(tuple([r.min for r in node.region]))
        lead = len(moved) - len(node.region)
        ones = [Range.from_min_extent(m, 1) for m in moved[:lead]]
        rest = [Range.from_min_extent(m, self.expr(r.extent)) for m, r in zip(moved[lead:], node.region, strict=True)]
        return BufferRegion(self.source.buffer, (*ones, *rest))


def _through_view(match: MatchBufferRegion, body: Stmt) -> Stmt:
    view, source = match.buffer, match.source
    lead = len(source.region) - len(view.shape)
    if lead < 0 or any([not is_const_int(r.extent, 1) for r in source.region[:lead]]):
        raise TypeMismatchError(
            f"view {view.name!r} of {len(view.shape)} dimensions does not fit a box of {source.buffer.name!r} with "
            f"{len(source.region)}",
            hint="a view has the dimensions of its box; leading ones of extent 1 may be left out",
        )
    values: dict[Var, Expr] = {view.data: source.buffer.data}
    strides = source.buffer.stride_exprs()
    for mine, theirs in zip(view.strides, strides[lead:], strict=False):
        _bind(values, view, mine, theirs)
    for mine, box in zip(view.shape, source.region[lead:], strict=True):
        _bind(values, view, mine, box.extent)
    _bind_offset(values, view, source.buffer.offset_of([r.min for r in source.region]))
    return _Views(match, values).stmt(body)


def _bind(values: dict[Var, Expr], view: Buffer, mine: Expr, theirs: Expr) -> None:
    if isinstance(mine, Var):
        values.setdefault(mine, theirs)
    elif isinstance(mine, IntImm) and isinstance(theirs, IntImm) and mine.value != theirs.value:
        raise TypeMismatchError(f"view {view.name!r} says {mine} where the box that it names has {theirs}")


def _bind_offset(values: dict[Var, Expr], view: Buffer, offset: Expr) -> None:
    if isinstance(view.elem_offset, Var):
        values[view.elem_offset] = offset
