"""Statements: immutable, compared by identity (two equal barriers are two places)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from gpucomp.ir.node import Node
from gpucomp.support.diagnostics import Span, TypeMismatchError
from gpucomp.support.dtype import INT32, DType
from gpucomp.support.enums import NumberedEnum
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer, BufferRegion
from gpucomp.tir.expr import CommReducer, Expr, IterVar, Range, Var, check_indices, vector_of


class Stmt(Node):
    """Base of statements; ``span`` is the user's call that led to it."""

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        from gpucomp.tir.script.printer import stmt_text

        return stmt_text(self)

    __str__ = __repr__


class LetStmt(Stmt):
    """``body`` with ``var`` bound to ``value``."""

    _binds: ClassVar[tuple[str, ...]] = ("var",)

    var: Var
    value: Expr
    body: Stmt
    span: Span | None = None


class AttrStmt(Stmt):
    """``body`` under the attribute ``attr_key`` of ``node`` (an axis, a buffer, ...) with ``value``.

    Keys: ``thread_extent`` (node: IterVar of a blockIdx/threadIdx), ``virtual_thread`` (node: IterVar),
    ``double_buffer_scope`` and ``storage_alignment`` (node: Buffer), ``async_copy`` (node: Buffer; see
    ``transform/async_copy.py``), ``pragma_*`` (node: IterVar).
    """

    node: Any  # IterVar, Buffer, Var or None, by key
    attr_key: str
    value: Expr
    body: Stmt
    span: Span | None = None

    @staticmethod
    def _prepare(node: object, attr_key: str, value: object, body: Stmt, span: Span | None) -> Any:
        return node, attr_key, operators.convert(value), body, span


class AssertStmt(Stmt):
    """Check ``condition`` on the host; ``message`` says what is wrong when it fails."""

    condition: Expr
    message: str
    body: Stmt
    span: Span | None = None


class SeqStmt(Stmt):
    """Statements in order (at least two; see :func:`seq`)."""

    seq: tuple[Stmt, ...]
    span: Span | None = None

    def __len__(self) -> int:
        return len(self.seq)

    def __getitem__(self, i: int) -> Stmt:
        return self.seq[i]

    def __bool__(self) -> bool:
        return True


class IfThenElse(Stmt):
    """``then_case`` if ``condition`` holds, else ``else_case`` if there is one."""

    condition: Expr
    then_case: Stmt
    else_case: Stmt | None = None
    span: Span | None = None


class Evaluate(Stmt):
    """Evaluate an expression for its effect."""

    value: Expr
    span: Span | None = None

    @staticmethod
    def _prepare(value: object, span: Span | None) -> Any:
        return operators.convert(value), span


class ForKind(NumberedEnum):
    """How the iterations of a loop run."""

    SERIAL = 0
    PARALLEL = 1
    VECTORIZED = 2
    UNROLLED = 3
    THREAD_BINDING = 4


class For(Stmt):
    """``body`` for ``loop_var`` in [min, min + extent)."""

    _binds: ClassVar[tuple[str, ...]] = ("loop_var",)
    loop_var: Var
    min: Expr
    extent: Expr
    kind: ForKind
    body: Stmt
    thread_binding: IterVar | None = None
    annotations: Mapping[str, Any] | None = None
    span: Span | None = None

    @staticmethod
    def _prepare(
        loop_var: Var,
        low: object,
        extent: object,
        kind: int,
        body: Stmt,
        thread_binding: object,
        annotations: object,
        span: object,
    ) -> Any:
        lo, ext = operators.convert(low), operators.convert(extent)
        return loop_var, lo, ext, ForKind(kind), body, thread_binding, annotations or None, span


class While(Stmt):
    """``body`` as long as ``condition`` holds."""

    condition: Expr
    body: Stmt
    span: Span | None = None


class Allocate(Stmt):
    """Memory of ``extents`` elements of ``dtype`` behind ``buffer_var`` during ``body``, where ``condition`` holds.

    The storage scope is in the type of ``buffer_var``.
    """

    _binds: ClassVar[tuple[str, ...]] = ("buffer_var",)
    buffer_var: Var
    dtype: DType
    extents: tuple[Expr, ...]
    condition: Expr
    body: Stmt
    annotations: Mapping[str, Any] | None = None
    span: Span | None = None


class BufferStore(Stmt):
    """``buffer[indices] = value``; ``predicate`` masks lanes."""

    buffer: Buffer
    value: Expr
    indices: tuple[Expr, ...]
    predicate: Expr | None = None
    span: Span | None = None

    @staticmethod
    def _prepare(buffer: Buffer, value: object, indices: Any, predicate: object, span: object) -> Any:
        items = tuple([operators.convert(i) for i in indices])
        check_indices(buffer.name, len(buffer.shape), items)
        kind = vector_of(buffer.dtype, items)
        expr = operators.convert(value, kind if not isinstance(value, Expr) else None)
        if expr.dtype is not kind:
            raise TypeMismatchError(f"cannot store a value of type {expr.dtype} into {buffer.name}, which holds {kind}")
        return buffer, expr, items, predicate, span


class BufferRealize(Stmt):
    """The box ``bounds`` of ``buffer`` is needed during ``body``; ``scope`` says where it lives."""

    _binds: ClassVar[tuple[str, ...]] = ("buffer",)
    buffer: Buffer
    bounds: tuple[Range, ...]
    condition: Expr
    body: Stmt
    span: Span | None = None


class ProducerStore(Stmt):
    """``producer[indices] = value``, before buffers exist.  ``producer`` is a ``te.Tensor``."""

    producer: Any  # te.Tensor, of a layer above
    value: Expr
    indices: tuple[Expr, ...]
    span: Span | None = None


class ProducerRealize(Stmt):
    """The box ``bounds`` of ``producer`` is needed during ``body``, in ``storage_scope``."""

    producer: Any  # te.Tensor, of a layer above
    bounds: tuple[Range, ...]
    condition: Expr
    body: Stmt
    storage_scope: str = ""
    span: Span | None = None


class Prefetch(Stmt):
    """A hint that ``bounds`` of ``buffer`` will be read soon."""

    buffer: Buffer
    bounds: tuple[Range, ...]
    span: Span | None = None


class AllReduce(Stmt):
    """Combine ``values`` over the threads ``threads`` of a block; every thread gets the result in ``results``.

    Args:
        combiner: how two tuples combine.
        values: this thread's contribution.
        condition: where it does not hold, the identity element contributes.
        results: buffers of one element in "local" scope, one for each value.
        threads: thread variables that are reduced over.
        synchronous: all threads of the block reach this statement together.
    """

    combiner: CommReducer
    values: tuple[Expr, ...]
    condition: Expr
    results: tuple[Buffer, ...]
    threads: tuple[Var, ...]
    span: Span | None = None


class MatchBufferRegion(Node):
    """``buffer`` names the box ``source`` of another buffer; its strides and offset may be variables."""

    buffer: Buffer
    source: BufferRegion

    __hash__ = object.__hash__


class Block(Stmt):
    """A computation at one point of its iteration space.

    ``body`` speaks of ``iter_vars`` only; the :class:`BlockRealize` around it says which values they take.  ``init``
    runs before the body where every reduction variable is at the start of its domain.

    Attributes:
        iter_vars: block variables: data-parallel, reduction, ordered or opaque, by their kind.
        reads: boxes that an instance may read, what it updates left out.
        writes: boxes that an instance writes.
        name_hint: preferred name.
        body: what an instance does.
        init: how what a reduction accumulates into starts.
        alloc_buffers: buffers that are alive during the block.
        match_buffers: views of boxes of other buffers.
        annotations: free.
    """

    _binds: ClassVar[tuple[str, ...]] = ("iter_vars", "alloc_buffers", "match_buffers")
    iter_vars: tuple[IterVar, ...]
    reads: tuple[BufferRegion, ...]
    writes: tuple[BufferRegion, ...]
    name_hint: str
    body: Stmt
    init: Stmt | None = None
    alloc_buffers: tuple[Buffer, ...] = ()
    match_buffers: tuple[MatchBufferRegion, ...] = ()
    annotations: Mapping[str, Any] | None = None
    span: Span | None = None

    @staticmethod
    def _prepare(
        iter_vars: Any, reads: Any, writes: Any, name_hint: str, body: Stmt, init: object,
        alloc_buffers: Any, match_buffers: Any, annotations: object, span: object,
    ) -> Any:  # fmt: skip
        for axis in iter_vars:
            if axis.dom is None:
                raise TypeMismatchError(f"block variable {axis.name!r} of {name_hint!r} has no domain")
        lists = [tuple(x or ()) for x in (iter_vars, reads, writes, alloc_buffers, match_buffers)]
        return lists[0], lists[1], lists[2], name_hint, body, init, lists[3], lists[4], annotations or None, span


class BlockRealize(Stmt):
    """The instance of ``block`` at ``iter_values``, where ``predicate`` holds."""

    iter_values: tuple[Expr, ...]
    predicate: Expr
    block: Block
    span: Span | None = None

    @staticmethod
    def _prepare(iter_values: Any, predicate: object, block: Block, span: object) -> Any:
        values = tuple([operators.convert(v) for v in iter_values])
        if len(values) != len(block.iter_vars):
            raise TypeMismatchError(
                f"block {block.name_hint!r} has {len(block.iter_vars)} variables, but is given {len(values)} values"
            )
        return values, operators.convert(predicate), block, span


def seq(*stmts: Stmt | Sequence[Stmt] | None) -> Stmt:
    """Join statements, flattening nested sequences and dropping no-ops."""
    flat: list[Stmt] = []

    def push(item: Stmt | Sequence[Stmt] | None) -> None:
        if item is None or (isinstance(item, Evaluate) and is_noop(item)):
            return
        if isinstance(item, SeqStmt):
            for s in item.seq:
                push(s)
        elif isinstance(item, Stmt):
            flat.append(item)
        else:
            for s in item:
                push(s)

    for item in stmts:
        push(item)
    if not flat:
        return NOOP
    return flat[0] if len(flat) == 1 else SeqStmt(tuple(flat))


def is_noop(stmt: Stmt) -> bool:
    """True for a statement that evaluates a literal."""
    from gpucomp.tir.expr import IntImm

    return isinstance(stmt, Evaluate) and isinstance(stmt.value, IntImm)


NOOP: Stmt = Evaluate(operators.const(0, INT32))
