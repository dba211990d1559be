"""Views: the buffers that an intrinsic's statements access, resolved to the buffers that hold the data.

A view lies over a box of a tensor: its loads, stores and pointers become those of the tensor's buffer, its symbolic
strides and offset become numbers or expressions of that buffer's layout, and what it requires (fixed strides, the
factor of its offset, alignment, scope) is checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gpucomp import arith
from gpucomp.support.diagnostics import Span
from gpucomp.te.errors import schedule_error
from gpucomp.te.tensor import Tensor
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Broadcast, BufferLoad, Call, Expr, IntImm, Ramp, Range, Var, is_const_int
from gpucomp.tir.functor import Mutator, free_vars, substitute
from gpucomp.tir.intrin import Op, call_intrin
from gpucomp.tir.stmt import AttrStmt, BufferStore, Stmt

_RUN_TIME_SIZED = frozenset({"", "global"})


@dataclass(frozen=True, slots=True, eq=False)
class BufferBind:
    """The node of the attribute ``buffer_bind_scope``: ``view`` lies over a box of ``tensor``.

    The value of the attribute is ``tvm_tuple(min, extent, ...)``, one pair for each dimension of the tensor.

    Attributes:
        dims: for each dimension of the view the dimension of the tensor; None for one of extent 1 that has none.
        intrin: name of the intrinsic, for messages.
        stage: name of the stage, for messages.
        any_scope: the view stands for memory of any scope and layout of its offset.
    """

    view: Buffer
    tensor: Tensor
    dims: tuple[int | None, ...]
    intrin: str
    stage: str
    any_scope: bool

    def __repr__(self) -> str:
        return f"[{self.view.name}, {self.tensor.name}]"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where element ``indices`` of a buffer lies: ``start + sum((indices - mins) * strides)``.

    ``strides`` is None where the device compiler's layout decides: the extents have no constant yet.
    """

    mins: tuple[Expr, ...]
    strides: tuple[Expr, ...] | None
    start: Expr


def declared_layout(buffer: Buffer) -> Layout:
    """The layout of an argument."""
    zero = operators.const(0, buffer.shape[0].dtype if buffer.shape else "int32")
    return Layout((zero,) * buffer.ndim, buffer.stride_exprs(), buffer.elem_offset)


def realized_layout(buffer: Buffer, bounds: tuple[Range, ...], aligned: Mapping[int, tuple[int, int]]) -> Layout:
    """The layout of a box in memory: compact and row-major but for ``buffer_dim_align``, as flattening makes it."""
    dtype = bounds[0].extent.dtype if bounds else "int32"
    zero = operators.const(0, dtype)
    mins = tuple([r.min for r in bounds])
    fixed = all([isinstance(r.extent, IntImm) for r in bounds])
    if not fixed and buffer.scope() not in _RUN_TIME_SIZED:
        return Layout(mins, None, zero)
    analyzer = arith.Analyzer()
    step: Expr = operators.const(1, dtype)
    strides: list[Expr] = []
    for axis in reversed(range(len(bounds))):
        if axis in aligned:
            factor, offset = aligned[axis]
            step = analyzer.simplify(operators.add(step, operators.floormod(operators.subtract(offset, step), factor)))
        strides.append(step)
        step = analyzer.simplify(operators.multiply(step, bounds[axis].extent))
    return Layout(mins, tuple(reversed(strides)), zero)


def resolve_bind(node: AttrStmt, body: Stmt, real: Buffer, layout: Layout) -> Stmt:
    """The body of a binding, over the buffer that holds the data.

    Raises:
        ScheduleError: GC156 the buffer does not fulfil what the view requires.
    """
    bind, value = node.node, node.value
    assert isinstance(bind, BufferBind)
    assert isinstance(value, Call)
    return _Bound(bind, value.args[0::2], value.args[1::2], real, layout, node.span).resolve(body)


class _Bound:
    """One view over one box."""

    def __init__(
        self,
        bind: BufferBind,
        mins: tuple[Expr, ...],
        extents: tuple[Expr, ...],
        real: Buffer,
        layout: Layout,
        span: Span | None,
    ) -> None:
        self.bind, self.view, self.real, self.layout, self.span = bind, bind.view, real, layout, span
        self.mins, self.extents = mins, extents
        self.analyzer = arith.Analyzer()
        self.values: dict[Var, Expr] = {}

    def resolve(self, body: Stmt) -> Stmt:
        """Bind what is symbolic, check what is fixed, rewrite the accesses."""
        self._scope()
        self._strides()
        self._offset()
        if self.real.data_alignment % self.view.data_alignment:
            raise self._unmet(
                f"wants memory aligned to {self.view.data_alignment} bytes, but {self.real.name} is aligned to "
                f"{self.real.data_alignment}",
                f"data_alignment={self.real.data_alignment}, or less, in tir.decl_buffer",
            )
        # Pointers first: their offsets are told from elem_offset while that is a variable.
        body = _Accesses(self).stmt(body)
        return substitute(body, self.values)

    def _unmet(self, problem: str, hint: str) -> Exception:
        message = (
            f"buffer {self.view.name!r} of {self.bind.intrin} {problem} "
            f"(bound to a part of {self.bind.tensor.name} in stage {self.bind.stage})"
        )
        return schedule_error("GC156", message, where=self.span, hint=hint)

    def _scope(self) -> None:
        mine, other = self.view.scope(), self.real.scope()
        if self.bind.any_scope or mine == other:
            return
        raise self._unmet(
            f"is declared in {mine} memory, but {self.real.name} lives in {other} memory",
            f"tir.decl_buffer(..., scope={other!r}), or set_scope({mine!r}) for the stage",
        )

    def _same(self, a: Expr, b: Expr) -> bool:
        return a is b or self.analyzer.can_prove_equal(a, b)

    def _strides(self) -> None:
        view, real = self.view, self.layout.strides
        steps = view.strides or (None,) * view.ndim
        if real is None and any([self._extent(p) is not None for p in range(view.ndim)]):
            raise self._unmet(
                f"needs the strides of {self.real.name}, whose extents are no constants",
                "split by constant factors, so that the tile in this memory has a constant size",
            )
        compact: Expr = operators.const(1)
        for position in reversed(range(view.ndim)):
            extent = self._extent(position)
            dim, wanted = self.bind.dims[position], steps[position]
            if isinstance(view.shape[position], Var):
                self._value(view.shape[position], operators.const(1) if extent is None else extent)
            stride = compact if dim is None or real is None else real[dim]
            fixed = wanted is not None and free_vars(wanted) <= self.values.keys()
            if isinstance(wanted, Var) and not fixed:
                self._value(wanted, stride)
            elif extent is not None:
                self._check_stride(position, compact if wanted is None else wanted, stride, implied=wanted is None)
            if extent is not None:
                compact = self.analyzer.simplify(operators.multiply(stride, extent))

    def _extent(self, position: int) -> Expr | None:
        """Extent of a dimension of the view; None for 1, whose stride does not matter."""
        dim = self.bind.dims[position]
        return None if dim is None or is_const_int(self.extents[dim], 1) else self.extents[dim]

    def _value(self, var: Expr, value: Expr) -> None:
        assert isinstance(var, Var)
        self.values.setdefault(var, operators.cast(var.dtype, value))

    def _check_stride(self, position: int, wanted: Expr, stride: Expr, *, implied: bool) -> None:
        needed: Expr = substitute(wanted, self.values)
        if self._same(stride, needed):
            return
        how = "being compact, " if implied else ""
        dims = ", ".join(
            [f"te.var('s{p}')" if p == position else str(s) for p, s in enumerate(self.view.stride_exprs())]
        )
        raise self._unmet(
            f"{how}wants stride {needed} along dimension {position}, but there it is {stride}",
            f"tir.decl_buffer(..., strides=[{dims}]), and use the stride in the statements",
        )

    def _offset(self) -> None:
        offset = self.layout.start
        strides = self.layout.strides
        for position, low in enumerate(self.mins):
            if strides is not None:
                inner = operators.subtract(low, self.layout.mins[position])
                offset = operators.add(offset, operators.multiply(inner, strides[position]))
        offset = self.analyzer.simplify(offset)
        declared, factor = self.view.elem_offset, self.view.offset_factor
        if factor > 1 and not self._same(operators.floormod(offset, factor), operators.const(0, offset.dtype)):
            raise self._unmet(
                f"wants an offset that is a multiple of {factor} elements, but it starts at {offset}",
                "offset_factor=1 in tir.decl_buffer, or tiles and extents that are multiples of the factor",
            )
        if isinstance(declared, Var):
            self._value(declared, offset)
        elif not self._same(offset, operators.cast(offset.dtype, substitute(declared, self.values))):
            raise self._unmet(
                f"is declared with offset {declared}, but the region starts at element {offset}",
                "tir.decl_buffer(..., offset_factor=1)",
            )

    def indices(self, given: tuple[Expr, ...]) -> tuple[Expr, ...]:
        """The indices of the buffer for those of the view."""
        lanes = given[-1].dtype.lanes if given else 1
        out: list[Expr] = list(self.mins)
        for position, dim in enumerate(self.bind.dims):
            if dim is not None:
                out[dim] = _plus(given[position], out[dim])
        if lanes > 1:
            out = [x if x.dtype.lanes > 1 else Broadcast(x, lanes) for x in out]
            if isinstance(out[-1], Ramp):
                out = [x.value if isinstance(x, Broadcast) else x for x in out]
        return tuple(out)

    def address(self) -> Call:
        """The address of the first element."""
        return call_intrin("handle", "address_of", BufferLoad(self.real, self.mins))


def _plus(index: Expr, low: Expr) -> Expr:
    if isinstance(index, Ramp):
        base = operators.add(low, index.base)
        return Ramp(base, operators.cast(base.dtype, index.stride), index.lanes)
    if isinstance(index, Broadcast):
        return Broadcast(operators.add(low, index.value), index.lanes)
    return operators.add(low, index)


class _Accesses(Mutator):
    """Rewrites what accesses one view."""

    def __init__(self, bound: _Bound) -> None:
        super().__init__()
        self.bound, self.view = bound, bound.view

    def visit_buffer_load(self, node: BufferLoad) -> Expr:
        done = self.visit_expr(node)
        assert isinstance(done, BufferLoad)
        if node.buffer.data is not self.view.data:
            return done
        return BufferLoad(self.bound.real, self.bound.indices(done.indices), done.predicate)

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        done = self.visit_stmt(node)
        assert isinstance(done, BufferStore)
        if node.buffer.data is not self.view.data:
            return done
        return BufferStore(self.bound.real, done.value, self.bound.indices(done.indices), done.predicate, done.span)

    def visit_call(self, node: Call) -> Expr:
        if isinstance(node.op, Op) and node.op.name == "tir.tvm_access_ptr" and node.args[1] is self.view.data:
            kind, _, offset, extent, mask = node.args
            inner = self.bound.analyzer.simplify(operators.subtract(self.visit(offset), self.view.elem_offset))
            return Call(node.dtype, node.op, (kind, self.bound.address(), inner, self.visit(extent), mask))
        return self.visit_expr(node)

    def visit_var(self, node: Var) -> Expr:
        return self.bound.address() if node is self.view.data else node
