"""Functions for given values of their variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any  # Any: what a parameter stands for: a number, an expression or a buffer

from gpucomp.support.diagnostics import LowerError, caller_span, did_you_mean
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer, BufferRegion
from gpucomp.tir.expr import BufferLoad, Expr, IntImm, IterVar, Range, Var
from gpucomp.tir.functor import Mutator, expr_post_order, free_vars
from gpucomp.tir.stmt import (
    AllReduce,
    AttrStmt,
    BufferRealize,
    BufferStore,
    For,
    MatchBufferRegion,
    Prefetch,
    Stmt,
)

if TYPE_CHECKING:
    from gpucomp.tir.function import PrimFunc
    from gpucomp.tir.stmt import Block


def specialize(func: PrimFunc, param_map: Mapping[Any, Any]) -> PrimFunc:
    """See :meth:`PrimFunc.specialize`."""
    values: dict[Var, Expr] = {}
    buffers: dict[Buffer, Buffer] = {}
    for key, value in param_map.items():
        own = func.buffer_map.get(key) if isinstance(key, Var) else key
        if isinstance(own, Buffer):
            _match_buffer(func, own, value, buffers, values)
        else:
            _note(func, values, _variable(func, key), value)
    return _replaced(func, _Specialize(values, buffers), keep_params=False)


def replace_vars(func: PrimFunc, values: Mapping[Var, Expr], *, keep_params: bool = False) -> PrimFunc:
    """The function with expressions for variables, extents of buffers included.

    Args:
        func: any form before the split into kernels.
        values: by variable.
        keep_params: leave parameters that are replaced among the parameters, unused.
    """
    return _replaced(func, _Specialize(values, {}), keep_params=keep_params)


def _replaced(func: PrimFunc, walker: _Specialize, *, keep_params: bool) -> PrimFunc:
    params = tuple([p for p in func.params if keep_params or p not in walker.values])
    known = {p: walker.buffer(b) for p, b in func.buffer_map.items()}
    attrs = dict(func.attrs)
    given = {p.name for p in func.params if p not in params}
    least = {name: x for name, x in attrs.pop("tir.minimum", {}).items() if name not in given}
    if least:
        attrs["tir.minimum"] = least
    return func.replace(params=params, body=walker.stmt(func.body), buffer_map=known, attrs=attrs)


def given_values(func: PrimFunc, values: Mapping[Any, Any]) -> dict[Var, int]:
    """Numbers for variables that are named, checked.

    Raises:
        LowerError: GC303 no such variable, or a value that is no integer >= 0.
    """
    found: dict[Var, Expr] = {}
    for key, value in values.items():
        var = _variable(func, key)
        _note(func, found, var, value)
        if not isinstance(found[var], IntImm):
            raise LowerError(f"specialize: {var.name} has to be a number", code="GC303", where=caller_span())
    return {v: x.value for v, x in found.items() if isinstance(x, IntImm)}


def variables(func: PrimFunc) -> tuple[Var, ...]:
    """Scalar parameters, then the variables of extents, strides and offsets of the buffers."""
    found = {p: None for p in func.params if p not in func.buffer_map and not p.dtype.is_handle}
    for buffer in func.buffer_map.values():
        for item in expr_post_order(*buffer.shape, *buffer.strides, buffer.elem_offset):
            if isinstance(item, Var):
                found[item] = None
    return tuple(found)


def _variable(func: PrimFunc, key: object) -> Var:
    known = variables(func)
    if isinstance(key, Var) and key in known:
        return key
    name = key.name if isinstance(key, Var) else str(key)
    named = [v for v in known if v.name == name]
    if isinstance(key, str) and len(named) == 1:
        return named[0]
    names = [v.name for v in known]
    hint = did_you_mean(name, [n for n in names if n != name])
    raise LowerError(
        f"specialize: {name!r} is no variable of {func.name}",
        code="GC303",
        where=caller_span(),
        hint=hint or (f"its variables are {', '.join(names)}" if names else "it has no variables"),
    )


def _note(func: PrimFunc, values: dict[Var, Expr], var: Var, given: Any) -> None:
    value = operators.convert(given)
    whole = var.dtype.is_int
    least = int(func.attrs.get("tir.minimum", {}).get(var.name, 0))
    if value.dtype.is_int is not whole or (isinstance(value, IntImm) and whole and value.value < least):
        expected = f"an integer >= {least}" if whole else f"a {var.dtype}"
        raise LowerError(
            f"specialize: {var.name} cannot be {value}; it is {expected}",
            code="GC303",
            where=caller_span(),
            hint=f"{{{var.name}: 1024}}",
        )
    value = operators.cast(var.dtype, value)
    if values.setdefault(var, value) is not value:
        raise LowerError(
            f"specialize: {var.name} is given as {values[var]} and as {value}", code="GC303", where=caller_span()
        )


def _match_buffer(
    func: PrimFunc, own: Buffer, given: object, buffers: dict[Buffer, Buffer], values: dict[Var, Expr]
) -> None:
    if not isinstance(given, Buffer) or given.ndim != own.ndim or given.dtype is not own.dtype:
        raise LowerError(
            f"specialize: parameter {own.name} of {func.name} is a buffer {own.dtype} of {own.ndim} dimensions, "
            f"got {given}",
            code="GC303",
            where=caller_span(),
            hint=f"tir.decl_buffer(shape, {str(own.dtype)!r})",
        )
    mine, theirs = (*own.shape, own.elem_offset), (*given.shape, given.elem_offset)
    for a, b in [*zip(mine, theirs, strict=True), *zip(own.strides, given.strides, strict=False)]:
        if isinstance(a, Var):
            _note(func, values, a, b)
    buffers[own] = given
    values[own.data] = given.data


class _Specialize(Mutator):
    """Replaces variables and the buffers that depend on them."""

    def __init__(self, values: Mapping[Var, Expr], buffers: Mapping[Buffer, Buffer]) -> None:
        super().__init__()
        self.values = values
        self.buffers = dict(buffers)

    def buffer(self, node: Buffer) -> Buffer:
        found = self.buffers.get(node)
        if found is None:
            shape, strides, offset = self.exprs(node.shape), self.exprs(node.strides), self.expr(node.elem_offset)
            same = shape is node.shape and strides is node.strides and offset is node.elem_offset
            found = node if same else node.replace(shape=shape, strides=strides, elem_offset=offset)
            self.buffers[node] = found
        return found

    def visit_var(self, node: Var) -> Expr:
        return self.values.get(node, node)

    def visit_buffer_load(self, node: BufferLoad) -> Expr:
        buffer, indices = self.buffer(node.buffer), self.exprs(node.indices)
        predicate = None if node.predicate is None else self.visit(node.predicate)
        if buffer is node.buffer and indices is node.indices and predicate is node.predicate:
            return node
        return BufferLoad(buffer, indices, predicate)

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        done = self.visit_stmt(node)
        assert isinstance(done, BufferStore)
        buffer = self.buffer(node.buffer)
        return done if buffer is node.buffer else done.replace(buffer=buffer)

    def visit_buffer_realize(self, node: BufferRealize) -> Stmt:
        done = self.visit_stmt(node)
        assert isinstance(done, BufferRealize)
        buffer = self.buffer(node.buffer)
        return done if buffer is node.buffer else done.replace(buffer=buffer)

    def visit_prefetch(self, node: Prefetch) -> Stmt:
        return Prefetch(self.buffer(node.buffer), self.ranges(node.bounds), node.span)

    def visit_all_reduce(self, node: AllReduce) -> Stmt:
        done = self.visit_stmt(node)
        assert isinstance(done, AllReduce)
        return done.replace(results=tuple([self.buffer(b) for b in node.results]))

    def visit_for(self, node: For) -> Stmt:
        done = super().visit_for(node)
        if isinstance(done, For) and done.thread_binding is not None:
            done = done.replace(thread_binding=self._axis(done.thread_binding))
        return done

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        done = super().visit_attr_stmt(node)
        if not isinstance(done, AttrStmt):
            return done
        subject = self._subject(done.node)
        return done if subject is done.node else AttrStmt(subject, done.attr_key, done.value, done.body, done.span)

    def _subject(self, subject: Any) -> Any:
        if isinstance(subject, Buffer):
            return self.buffer(subject)
        if isinstance(subject, IterVar):
            return self._axis(subject)
        if isinstance(subject, tuple):
            return tuple([self._subject(x) for x in subject])
        return subject

    def _axis(self, node: IterVar) -> IterVar:
        dom = node.dom
        if dom is None or (free_vars(dom.min) | free_vars(dom.extent)).isdisjoint(self.values):
            return node
        dom = Range.from_min_extent(self.expr(dom.min), self.expr(dom.extent))
        return IterVar(dom, node.var, node.iter_type, node.thread_tag)

    def visit_block(self, node: Block) -> Stmt:
        done: Any = super().visit_block(node)
        matches = [MatchBufferRegion(self.buffer(m.buffer), self.region(m.source)) for m in done.match_buffers]
        allocated = [self.buffer(b) for b in done.alloc_buffers]
        return done.replace(match_buffers=tuple(matches), alloc_buffers=tuple(allocated))

    def region(self, node: BufferRegion) -> BufferRegion:
        return BufferRegion(self.buffer(node.buffer), self.ranges(node.region))
