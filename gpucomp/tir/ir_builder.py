"""Statements written as a program: loops and branches are ``with`` blocks, stores are assignments.

>>> from gpucomp import tir
>>> A, B = tir.decl_buffer((8,), "float32", "A"), tir.decl_buffer((8,), "float32", "B")
>>> ib = tir.ir_builder.create()
>>> a, b = ib.buffer_ptr(A), ib.buffer_ptr(B)
>>> with ib.for_range(0, 8, "i") as i:
...     with ib.if_scope(i < 4):
...         b[i] = a[i] * 2.0
...     with ib.else_scope():
...         b[i] = 0.0
>>> print(ib.get())
for i in T.serial(8):
    if i < 4:
        B[i] = A[i] * 2.0
    else:
        B[i] = 0.0

While a ``with`` block is open, the truth value of a condition over variables is an error: ``if i < 4:`` would decide
once, while the program is written down.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, TypeVar  # Any: indices and values are whatever converts to an expression

from gpucomp.ir.types import PointerType, PrimType
from gpucomp.support.diagnostics import TypeMismatchError, caller_span, did_you_mean
from gpucomp.support.dtype import HANDLE, DType
from gpucomp.support.expect import expect
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import BufferLoad, Expr, ExprLike, ExprOp, IterVar, Range, Var
from gpucomp.tir.stmt import ForKind, Stmt

_KINDS: Final[dict[str, ForKind]] = {
    "serial": ForKind.SERIAL,
    "parallel": ForKind.PARALLEL,
    "vectorized": ForKind.VECTORIZED,
    "vectorize": ForKind.VECTORIZED,
    "unroll": ForKind.UNROLLED,
    "unrolled": ForKind.UNROLLED,
}

_T = TypeVar("_T")
_Wrap = Callable[[Stmt], Stmt]
_Item = Stmt | _Wrap


def create() -> IRBuilder:
    """A new builder."""
    return IRBuilder()


class BufferVar(ExprOp):
    """A buffer whose elements are read and assigned: ``A[i, j] = A[i, j] + 1``.

    One index on a buffer of several dimensions counts its elements in row-major order.
    """

    __slots__ = ("_builder", "buffer")

    __iter__ = None  # __getitem__ alone would make Python iterate for ever

    def __init__(self, builder: IRBuilder, buffer: Buffer) -> None:
        self._builder = builder
        self.buffer = buffer

    @property
    def dtype(self) -> DType:
        """Element type."""
        return self.buffer.dtype

    @property
    def shape(self) -> tuple[Expr, ...]:
        """Extents."""
        return self.buffer.shape

    def asobject(self) -> Var:
        """The pointer."""
        return self.buffer.data

    def as_expr(self) -> Expr:
        return self.buffer.data

    def __getitem__(self, index: object) -> BufferLoad:
        return BufferLoad(self.buffer, self._indices(index))

    def __setitem__(self, index: object, value: object) -> None:
        span = caller_span()
        try:
            store = s.BufferStore(self.buffer, value, self._indices(index), None, span)
        except TypeMismatchError as error:
            error.where = error.where or span
            raise
        self._builder.emit(store)

    def _indices(self, index: object) -> tuple[Expr, ...]:
        items = [operators.convert(i) for i in (index if isinstance(index, (tuple, list)) else (index,))]
        shape = self.buffer.shape
        for item in items:
            if not item.dtype.is_int:
                raise TypeMismatchError(
                    f"buffer {self.buffer.name} is indexed with a value of type {item.dtype}",
                    where=caller_span(),
                    hint="indices are integers: index.astype('int32')",
                )
        if len(items) == 1 and len(shape) > 1 and items[0].dtype.lanes == 1:
            return tuple(_unflattened(items[0], shape))
        if len(items) != len(shape):
            raise TypeMismatchError(
                f"buffer {self.buffer.name} has {len(shape)} dimensions, but is indexed with {len(items)}",
                where=caller_span(),
                hint=f"its shape is ({', '.join([str(x) for x in shape])})",
            )
        return tuple(items)


def _unflattened(index: Expr, shape: tuple[Expr, ...]) -> list[Expr]:
    out: list[Expr] = []
    for extent in reversed(shape[1:]):
        out.append(operators.floormod(index, extent))
        index = operators.floordiv(index, extent)
    return [index, *reversed(out)]


class _Scope:
    """Statements of one block, in order; a function stands for a statement that holds all those that follow."""

    def __init__(self) -> None:
        self.items: list[_Item] = []
        self.after_if = False

    def body(self) -> Stmt:
        done: Stmt = s.NOOP
        for item in reversed(self.items):
            done = s.seq(item, done) if isinstance(item, Stmt) else item(done)
        return done


class IRBuilder:
    """Collects statements; :meth:`get` gives them as one."""

    def __init__(self) -> None:
        self._scopes: list[_Scope] = [_Scope()]
        self._in_kernel = 0

    # -- statements -----------------------------------------------------------------------------------------------

    def emit(self, stmt: Stmt | ExprLike | _Wrap) -> None:
        """Append a statement; an expression is evaluated for its effect; a function is called with what follows."""
        if not callable(stmt):
            expect(stmt, (Stmt, ExprOp, int, float, str), "emit", "a statement, or an expression such as a call")
        scope = self._scopes[-1]
        scope.after_if = False
        value = isinstance(stmt, (ExprOp, int, float, str))  # an expression may be callable: A(i)
        scope.items.append(s.Evaluate(operators.convert(stmt), caller_span()) if value else stmt)

    def get(self) -> Stmt:
        """All statements so far.

        Raises:
            TypeMismatchError: a ``with`` block is still open.
        """
        if len(self._scopes) != 1:
            raise TypeMismatchError("get() inside of an open scope", where=caller_span(), hint="call it after the with")
        done = self._scopes[0].body()
        self._scopes = [_Scope()]
        return done

    def let(self, var_name: str | Var, value: ExprLike) -> Var:
        """A name for a value, valid in the rest of the block.

        Raises:
            TypeMismatchError: ``var_name`` is a variable of another type.
        """
        bound = operators.convert(value)
        var = var_name if isinstance(var_name, Var) else Var(var_name, bound.dtype)
        if var.dtype is not bound.dtype:
            raise TypeMismatchError(
                f"let: variable {var.name!r} has type {var.dtype}, its value {bound.dtype}", where=caller_span()
            )
        span = caller_span()
        self.emit(lambda body: s.LetStmt(var, bound, body, span))
        return var

    def likely(self, expr: ExprLike) -> Expr:
        """Mark a condition as almost always true."""
        return intrin.likely(expr)

    # -- blocks ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _block(self, finish: _Wrap, value: _T, *, is_if: bool = False) -> Generator[_T]:
        self._scopes.append(_Scope())
        kernels = self._in_kernel
        try:
            with operators.tracing():
                yield value
        except BaseException:
            self._scopes.pop()
            raise
        self._in_kernel = kernels
        body = self._scopes.pop().body()
        self.emit(finish(body))
        self._scopes[-1].after_if = is_if

    # Arguments are looked at when a method is called, so that errors and spans name the user's line.

    def new_scope(self) -> AbstractContextManager[None]:
        """A block: allocations, lets and attributes made inside end with it."""
        return self._block(lambda body: body, None)

    def for_range(
        self, begin: ExprLike, end: ExprLike, name: str = "i", dtype: str | None = None, kind: str = "serial"
    ) -> AbstractContextManager[Var]:
        """A loop over ``begin <= i < end``; gives its variable.

        Args:
            begin, end: first value, and one past the last.
            name: of the variable.
            dtype: of the variable; None: that of the bounds.
            kind: "serial", "parallel", "vectorized" or "unroll".

        Raises:
            TypeMismatchError: unknown kind, or a bound that is no integer.
        """
        span = caller_span()
        if kind not in _KINDS:
            names = ", ".join(["serial", "parallel", "vectorized", "unroll"])
            raise TypeMismatchError(
                f"for_range: unknown kind {kind!r}",
                where=span,
                hint=did_you_mean(str(kind), _KINDS) or f"one of {names}",
            )
        low, high = operators.match_types(begin, end)
        if not low.dtype.is_int or low.dtype.lanes != 1:
            raise TypeMismatchError(f"for_range: the bounds have type {low.dtype}; loops run over integers", where=span)
        if dtype is not None:
            low, high = operators.cast(dtype, low), operators.cast(dtype, high)
        var = Var(name, low.dtype)
        extent = high if e.is_const_int(low, 0) else operators.subtract(high, low)
        return self._block(lambda body: s.For(var, low, extent, _KINDS[kind], body, span=span), var)

    def while_loop(self, condition: ExprLike) -> AbstractContextManager[None]:
        """Repeat the block as long as the condition holds; it is evaluated before each turn."""
        span = caller_span()
        test = self._condition(condition, "while_loop")
        return self._block(lambda body: s.While(test, body, span), None)

    def if_scope(self, cond: ExprLike) -> AbstractContextManager[None]:
        """Run the block where the condition holds."""
        span = caller_span()
        test = self._condition(cond, "if_scope")
        return self._block(lambda body: s.IfThenElse(test, body, None, span), None, is_if=True)

    def else_scope(self) -> AbstractContextManager[None]:
        """Run the block where the condition of the ``if_scope`` just before does not hold.

        Raises:
            TypeMismatchError: there is none.
        """
        scope = self._scopes[-1]
        before = scope.items[-1] if scope.after_if else None
        if not isinstance(before, s.IfThenElse):
            raise TypeMismatchError(
                "else_scope does not follow an if_scope", where=caller_span(), hint="with ib.if_scope(c): ... first"
            )
        del scope.items[-1]
        return self._block(lambda body: before.replace(else_case=body), None)

    def _condition(self, condition: ExprLike, what: str) -> Expr:
        test = operators.convert(condition)
        if not test.dtype.is_bool or test.dtype.lanes != 1:
            raise TypeMismatchError(
                f"{what}: the condition has type {test.dtype}, not bool",
                where=caller_span(),
                hint=f"compare it: {what}({test} != 0)",
            )
        return test

    def scope_attr(self, node: object, attr_key: str, value: object) -> None:
        """Put the rest of the block under an attribute.

        ``ib.scope_attr(tx, "thread_extent", n)`` binds a thread axis (``te.thread_axis("threadIdx.x")``): the rest
        of the block is run by ``n`` threads, and ``tx`` is the number of each.
        """
        span = caller_span()
        what: Any = node.buffer if isinstance(node, BufferVar) else node
        number = operators.convert(value)
        if attr_key == "thread_extent":
            if not isinstance(node, IterVar):
                raise TypeMismatchError(
                    f"scope_attr: thread_extent of a {type(node).__name__}",
                    where=span,
                    hint='tx = te.thread_axis("threadIdx.x")',
                )
            self._in_kernel += 1
            number = operators.cast(node.var.dtype, number)
            what = IterVar(Range.from_min_extent(0, number), node.var, IterVar.ThreadIndex, node.thread_tag)
        self.emit(lambda body: s.AttrStmt(what, attr_key, number, body, span))

    # -- memory ---------------------------------------------------------------------------------------------------

    def allocate(
        self,
        dtype: str,
        shape: Sequence[ExprLike] | ExprLike,
        name: str = "buf",
        axis_separators: Sequence[int] | None = None,
        scope: str = "",
    ) -> BufferVar:
        """Memory for the rest of the block.

        Args:
            dtype: element type.
            shape: extents.
            name: preferred name.
            axis_separators: dimensions before which physical dimensions split.
            scope: "global", "shared", "warp" or "local"; "" means "local" inside of a kernel, else "global".
        """
        span = caller_span()
        place = scope or ("local" if self._in_kernel else "global")
        buffer = decl_buffer(shape, dtype, name, scope=place, axis_separators=axis_separators)
        box = tuple([Range.from_min_extent(0, x) for x in buffer.shape])
        true = operators.const(1, "bool")
        self.emit(lambda body: s.BufferRealize(buffer, box, true, body, span))
        return BufferVar(self, buffer)

    def buffer_ptr(self, buf: object, shape: Sequence[ExprLike] | None = None) -> BufferVar:
        """The elements of a buffer; ``shape`` views a compact buffer under another shape."""
        if not isinstance(buf, Buffer):
            raise TypeMismatchError(
                f"buffer_ptr of a {type(buf).__name__}",
                where=caller_span(),
                hint="pass one of the buffers that the function gets, or tir.decl_buffer(...)",
            )
        if shape is None:
            return BufferVar(self, buf)
        return BufferVar(self, decl_buffer(shape, buf.dtype, buf.name, buf.data, None, buf.elem_offset))

    def pointer(self, content_type: str, name: str = "ptr", scope: str = "") -> BufferVar:
        """A pointer variable, to be a parameter: ``p[i]`` are its elements, ``p.asobject()`` the variable."""
        kind = DType(content_type)
        data = Var(name, HANDLE, PointerType(PrimType(kind), scope or "global"))
        return BufferVar(self, decl_buffer((1,), kind, name, data))
