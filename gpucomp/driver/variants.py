"""The variants of a function: which there are, under which conditions, and how each is made.

A function compiles to a table, tried in order (see ``runtime.arguments.choose_variant``):

1. for given sizes, where the user asked for them (``specialize``),
2. extents that are multiples of the vector width: accesses of rows stay vectors, and tails need no checks,
3. any extents, 32-bit indices: the general one, which ``source`` shows and ``build`` makes at once,
4. the same for arrays whose addresses are not aligned for its vectors: element by element,
5. 64-bit indices, for arrays of 2**31 elements and more, and
6. the same for unaligned arrays.

All but the general one are made when a call needs them for the first time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from gpucomp.codegen import emit_cpu, emit_unit
from gpucomp.codegen.host import cpu_program
from gpucomp.driver.imports import take_imports
from gpucomp.ir.transform import PassContext
from gpucomp.support.dtype import DType
from gpucomp.support.hostexpr import HostExpr
from gpucomp.support.launch import BufferParam, HostProgram, LazyVariant, Param, ScalarParam, Variant
from gpucomp.target import Target
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir import stmt as s
from gpucomp.tir.expr import Expr, IntImm, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import free_vars, post_order, stmt_post_order
from gpucomp.tir.packed import has_packed
from gpucomp.tir.specialize import replace_vars
from gpucomp.transform.host_expr import HostNames, host_expr, host_params
from gpucomp.transform.index_width import needs_int64, widen_indices
from gpucomp.transform.split_host_device import split_host_device
from gpucomp.transform.split_packed import split_packed

Lower = Callable[[PrimFunc, Target], PrimFunc]
_WIDEST: Final = 16
_NARROW, _WIDE = "32-bit indices", "64-bit indices"


def make_variants(func: PrimFunc, target: Target, lower: Lower) -> tuple[Variant | LazyVariant, ...]:
    """The table for a function in buffer form.

    Args:
        func: with a name.
        target: to compile for.
        lower: runs the passes of a target.

    Raises:
        LowerError: the general variant cannot be lowered.
    """
    return tuple(_Table(func, target, lower).rows())


def specialized(func: PrimFunc, values: Mapping[Var, int], target: Target, lower: Lower) -> Variant:
    """A variant for given values of variables; its guard holds for them only.

    Raises:
        LowerError: it cannot be lowered.
    """
    label = ", ".join([f"{v.name} = {x}" for v, x in values.items()])
    suffix = "_".join([f"{v.name}{x}" for v, x in values.items()])
    fixed = replace_vars(func, {v: operators.const(x, v.dtype) for v, x in values.items()}, keep_params=True)
    fixed = fixed.with_attr("global_symbol", f"{func.name}_{suffix}")
    if needs_int64(fixed) is not False:
        fixed = widen_indices(fixed)
    scalars = [v for v in values if v in func.params]
    names = _names(func)
    guard = _all([("eq", names(v), values[v]) for v in scalars])
    return _variant(fixed, target, lower, guard, label)


class _Table:
    def __init__(self, func: PrimFunc, target: Target, lower: Lower) -> None:
        self.func, self.target, self.lower = func, target, lower
        self.context = PassContext.current()
        self.lazy = not self.context.instruments and "tir.add_lower_pass" not in self.context.config

    def rows(self) -> Iterator[Variant | LazyVariant]:
        func, wide = self.func, needs_int64(self.func)
        if wide is True:
            general = _variant(_widened(func), self.target, self.lower, True, _WIDE)
            yield general
            yield from self._unaligned(_widened(func), general, True, _WIDE)
            return
        fits: HostExpr = True if isinstance(wide, bool) else host_expr(wide, _names(func))
        general = _variant(func, self.target, self.lower, fits, _NARROW)
        yield from self._aligned(general, fits)
        yield general
        yield from self._unaligned(func, general, fits, _NARROW)
        if fits is True:
            return
        head = general.program.params
        yield self._later(True, head, _WIDE, lambda: _widened(func))
        if _demanding(head):
            yield self._later(True, _modest(head), f"unaligned, {_WIDE}", lambda: _unaligned(_widened(func)))

    def _aligned(self, general: Variant, fits: HostExpr) -> Iterator[LazyVariant]:
        found = vector_extents(self.func) if self.lazy else {}
        if not found or has_packed(self.func.body):
            return
        names = _names(self.func)
        guard = _all([*[("eq", ("floormod", names(v), w), 0) for v, w in found.items()], fits])
        note = "aligned, " + _NARROW
        yield self._later(guard, _modest(general.program.params), note, lambda: _Multiples(self.func, found).form())

    def _unaligned(self, func: PrimFunc, general: Variant, fits: HostExpr, note: str) -> Iterator[LazyVariant]:
        params = general.program.params
        if self.lazy and _demanding(params):
            yield self._later(fits, _modest(params), f"unaligned, {note}", lambda: _unaligned(func))

    def _later(
        self, guard: HostExpr, params: Sequence[Param], note: str, form: Callable[[], PrimFunc | _Lets]
    ) -> LazyVariant:
        target, lower, context = self.target, self.lower, self.context

        def make() -> Variant:
            with context:
                return _variant(form(), target, lower, guard, note)

        return LazyVariant(guard, HostProgram(self.func.name, tuple(params), ()), self.target.kind, note, make)


class _Lets:
    """A function over other variables, the buffers as the caller knows them, and what the host has to work out."""

    def __init__(self, func: PrimFunc, given: PrimFunc, lets: tuple[tuple[Var, Expr], ...]) -> None:
        self.func, self.given, self.lets = func, given, lets


class _Multiples:
    """A function for extents that are multiples: ``n`` becomes ``n_by_4 * 4``, and the host divides."""

    def __init__(self, func: PrimFunc, widths: Mapping[Var, int]) -> None:
        self.func, self.widths = func, widths

    def form(self) -> _Lets:
        parts = {v: Var(f"{v.name}_by_{w}", v.dtype) for v, w in self.widths.items()}
        values: dict[Var, Expr] = {v: operators.multiply(parts[v], w) for v, w in self.widths.items()}
        made = replace_vars(self.func, values, keep_params=True)
        made = made.with_attr("global_symbol", f"{self.func.name}_aligned")
        lets = tuple([(parts[v], operators.floordiv(v, w)) for v, w in self.widths.items()])
        return _Lets(made, self.func, lets)


def vector_extents(func: PrimFunc) -> dict[Var, int]:
    """Variables that are the last extent or a stride of an argument and matter to vector loops, with their width.

    Where they are multiples of it, rows start at multiples of vectors, and no vector is cut off.
    """
    used: dict[Var, int] = {}
    for node in stmt_post_order(func.body):
        if not (isinstance(node, s.For) and node.kind is s.ForKind.VECTORIZED and isinstance(node.extent, IntImm)):
            continue
        width = node.extent.value
        if not 2 <= width <= _WIDEST or width & (width - 1):
            continue
        for var in _mentioned(node.body):
            used[var] = max(used.get(var, 1), width)
    rows: dict[Var, None] = {}
    for buffer in func.buffer_map.values():
        for item in (*buffer.shape[-1:], *buffer.strides):
            if isinstance(item, Var) and item.dtype.is_int:
                rows[item] = None
    return {v: used[v] for v in rows if v in used}


def _mentioned(body: s.Stmt) -> dict[Var, None]:
    """Variables of indices, conditions and the strides of what is accessed, in order."""
    out: dict[Var, None] = {}
    for node in post_order(body):
        parts: tuple[Expr, ...] = ()
        if isinstance(node, (s.BufferStore, e.BufferLoad)):
            buffer = node.buffer
            parts = (*node.indices, *buffer.strides, *(() if buffer.strides else buffer.shape[1:]))
        elif isinstance(node, s.IfThenElse):
            parts = (node.condition,)
        elif isinstance(node, e.Var):
            parts = (node,)
        for part in parts:
            out |= dict.fromkeys(sorted(free_vars(part), key=lambda v: v.name))
    return out


def _unaligned(func: PrimFunc) -> PrimFunc:
    """The form that expects no more of addresses than elements do."""
    modest = {p: b.replace(data_alignment=max(8, b.dtype.element.bits) // 8) for p, b in func.buffer_map.items()}
    return func.replace(buffer_map=modest).with_attr("global_symbol", f"{func.name}_unaligned")


def _widened(func: PrimFunc) -> PrimFunc:
    """The form with 64-bit indices, under a name of its own: the texts of all forms may stand in one file."""
    return widen_indices(func).with_attr("global_symbol", f"{func.name}_int64")


def _demanding(params: Sequence[Param]) -> bool:
    return any([isinstance(p, BufferParam) and p.alignment > _element_bytes(p) for p in params])


def _modest(params: Sequence[Param]) -> tuple[Param, ...]:
    return tuple([p if isinstance(p, ScalarParam) else replace(p, alignment=_element_bytes(p)) for p in params])


def _element_bytes(param: BufferParam) -> int:
    return max(8, DType(param.dtype).element.bits) // 8


def _names(func: PrimFunc) -> HostNames:
    """The names that the host program gives to parameters and shape variables."""
    names = HostNames()
    host_params(func, names, {}, {}, {})
    return names


def _all(conditions: Sequence[HostExpr]) -> HostExpr:
    needed = [c for c in conditions if c is not True]
    if not needed:
        return True
    return needed[0] if len(needed) == 1 else ("and", *needed)


def _variant(form: PrimFunc | _Lets, target: Target, lower: Lower, guard: HostExpr, note: str) -> Variant:
    func, imports = take_imports(form.func if isinstance(form, _Lets) else form)
    texts = imports.texts(target)
    func = lower(func.with_attr("target", target), target)
    if isinstance(form, _Lets):
        func = func.replace(buffer_map=form.given.buffer_map).with_attr("host_lets", form.lets)
    if not target.is_gpu and has_packed(func.body):
        kernels, program = split_packed(func)
        return Variant(guard, program, emit_cpu(kernels, target, texts), note)
    if not target.is_gpu:
        return Variant(guard, cpu_program(func), emit_cpu(func, target, texts), note)
    kernels, program = split_host_device(func)
    return Variant(guard, program, emit_unit(kernels, target, texts), note)
