"""Computes in the form of an intrinsic: ``te.compute(shape, lambda i: intrin(A[i, 0:16], B[i, 0:16]))``.

The intrinsic's declaration, laid over the given regions, is the expression of the operation: it is inferred, scheduled
and inlined like any other.  Its inner axes, those of the intrinsic, are tensorized from the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any  # Any: attributes are the user's

from gpucomp import arith
from gpucomp.support.diagnostics import Span, TensorError
from gpucomp.te.operation import ComputeOp
from gpucomp.te.tensor import Tensor
from gpucomp.te.tensor_intrin import TensorIntrin, TensorIntrinCall, value_of_extent
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IterVar, ProducerLoad, Range, Reduce, Var
from gpucomp.tir.functor import Mutator, substitute


class TensorComputeOp(ComputeOp):
    """An operation whose inner axes are computed by a tensor intrinsic.

    Attributes:
        schedulable_ndim: number of its data axes that lie outside of the intrinsic.
        intrin: the intrinsic.
        outer_reduce_axis: reduction axes outside of the intrinsic.
    """

    __slots__ = ("intrin", "outer_reduce_axis", "schedulable_ndim")

    def __init__(
        self,
        name: str,
        tag: str,
        attrs: Mapping[str, Any] | None,
        axis: tuple[IterVar, ...],
        body: tuple[Expr, ...],
        span: Span | None,
        call: tuple[TensorIntrin, int, tuple[IterVar, ...]],
    ) -> None:
        super().__init__(name, tag, attrs, axis, body, span)
        self.intrin, self.schedulable_ndim, self.outer_reduce_axis = call

    @property
    def inner_axis(self) -> tuple[IterVar, ...]:
        """The axes of the intrinsic."""
        return self.axis[self.schedulable_ndim :] + self.reduce_axis[len(self.outer_reduce_axis) :]

    @property
    def root_iter_vars(self) -> tuple[IterVar, ...]:
        return self.axis[: self.schedulable_ndim] + self.outer_reduce_axis + self.inner_axis

    @property
    def structure(self) -> tuple[object, ...] | None:
        return (*self.body, self.intrin)

    def with_body(self, body: tuple[Expr, ...]) -> ComputeOp:
        if all([x is y for x, y in zip(body, self.body, strict=True)]):
            return self
        call = (self.intrin, self.schedulable_ndim, self.outer_reduce_axis)
        return TensorComputeOp(self.name, self.tag, self.attrs, self.axis, body, self.span, call)


def tensor_compute(
    name: str,
    tag: str,
    attrs: Mapping[str, Any] | None,
    outer: tuple[IterVar, ...],
    rest: tuple[Expr, ...],
    call: TensorIntrinCall,
    span: Span | None,
) -> TensorComputeOp:
    """The operation of a call of an intrinsic.

    Args:
        outer: the axes that the user's function got.
        rest: the other extents of the result, which the intrinsic computes.

    Raises:
        TensorError: GC157 the regions do not have the declared shapes, or a reduction is over what is declared as none.
    """
    return _Call(name, call, span).operation(tag, attrs, outer, rest)


class _Call:
    def __init__(self, name: str, call: TensorIntrinCall, span: Span | None) -> None:
        self.name, self.call, self.span = name, call, span
        self.intrin, self.declared = call.intrin, call.intrin.op
        self.analyzer = arith.Analyzer()
        self.values: dict[Var, Expr] = dict(zip(call.intrin.scalar_params, call.scalar_inputs, strict=True))

    def _error(self, problem: str, hint: str) -> TensorError:
        message = f"compute {self.name!r} calls {self.intrin.name} {problem}"
        return TensorError(message, code="GC157", where=self.span, hint=hint)

    def _fits(self, given: Expr, declared: Expr) -> bool:
        if isinstance(declared, Var) and declared not in self.values:
            value = value_of_extent(declared, given)
            if value is None:
                hint = f"declare the extent as te.var({declared.name!r}, {str(given.dtype)!r})"
                raise self._error(f"with extent {given} of type {given.dtype} for one of type {declared.dtype}", hint)
            self.values[declared] = value
        wanted: Expr = substitute(declared, self.values)
        return given is wanted or self.analyzer.can_prove_equal(given, wanted)

    def operation(
        self, tag: str, attrs: Mapping[str, Any] | None, outer: tuple[IterVar, ...], rest: tuple[Expr, ...]
    ) -> TensorComputeOp:
        declared, reduces = self.declared, isinstance(self.declared.body[0], Reduce)
        places = {
            tensor: self._dims(tensor, region)
            for tensor, region in zip(self.intrin.inputs, self.call.regions, strict=True)
        }
        shape = [self._dom(a).extent for a in declared.axis]
        if len(shape) != len(rest) or not all([self._fits(x, y) for x, y in zip(rest, shape, strict=True)]):
            shown = f"({', '.join([str(x) for x in rest])})"
            want = f"({', '.join([str(x) for x in shape])})"
            hint = "the last extents of the result are those of the intrinsic; its function takes the indices before"
            raise self._error(f"for a part of shape {shown}, but it computes {want}", hint)
        if self.call.reduce_axis and not reduces:
            hint = "declare the intrinsic with te.sum(..., axis=...), over an axis of extent 1 if need be"
            raise self._error("with reduce_axis, but declares no reduction", hint)
        inner = [
            IterVar(Range.from_min_extent(0, x), Var(f"ax{i}", x.dtype), IterVar.DataPar) for i, x in enumerate(rest)
        ]
        sums = [self._again(a) for a in declared.reduce_axis]
        if not inner and not sums:
            raise self._error("for a scalar", "let it compute one axis at least")
        mapping: dict[Var, Expr] = dict(self.values)
        for old, new in zip((*declared.axis, *declared.reduce_axis), (*inner, *sums), strict=True):
            low = operators.subtract(self._dom(old).min, self._dom(new).min)
            mapping[old.var] = operators.add(new.var, substitute(low, self.values))
        laid = _Lay(dict(zip(self.intrin.inputs, self.call.tensors, strict=True)), places)
        axes = (*self.call.reduce_axis, *sums)
        body = tuple([self._body(b, mapping, laid, axes) for b in declared.body])
        how = (self.intrin, len(outer), self.call.reduce_axis)
        return TensorComputeOp(self.name, tag, attrs, (*outer, *inner), body, self.span, how)

    def _body(self, body: Expr, mapping: dict[Var, Expr], laid: _Lay, axes: tuple[IterVar, ...]) -> Expr:
        def over(x: Expr) -> Expr:
            return laid.expr(substitute(x, mapping))

        if not isinstance(body, Reduce):
            return over(body)
        source, init = tuple([over(x) for x in body.source]), tuple([over(x) for x in body.init])
        return Reduce(body.combiner, source, axes, over(body.condition), body.value_index, init)

    def _dom(self, axis: IterVar) -> Range:
        assert axis.dom is not None
        return axis.dom

    def _again(self, axis: IterVar) -> IterVar:
        dom = self._dom(axis)
        low, extent = substitute(dom.min, self.values), substitute(dom.extent, self.values)
        return IterVar(Range.from_min_extent(low, extent), Var(axis.name, axis.var.dtype), IterVar.CommReduce)

    def _dims(self, tensor: Tensor, region: tuple[Range, ...]) -> _Place:
        """Lay a region over a declared input, innermost dimension first; extents of 1 may be left over."""
        dims: list[int | None] = [None] * tensor.ndim
        d, q = len(region) - 1, tensor.ndim - 1
        while d >= 0 or q >= 0:
            if d >= 0 and q >= 0 and self._fits(region[d].extent, tensor.shape[q]):
                dims[q] = d
                d, q = d - 1, q - 1
            elif d >= 0 and self.analyzer.can_prove_equal(region[d].extent, 1):
                d -= 1
            elif q >= 0 and self.analyzer.can_prove_equal(tensor.shape[q], 1):
                q -= 1
            else:
                shown = f"({', '.join([str(r.extent) for r in region])})"
                want = f"({', '.join([str(x) for x in tensor.shape])})"
                hint = "write the region as slices: A[i, 0:16]"
                raise self._error(f"with a region of shape {shown} for {tensor.name}, which is declared {want}", hint)
        return _Place(tuple([r.min for r in region]), tuple(dims))


class _Place:
    __slots__ = ("dims", "mins")

    def __init__(self, mins: tuple[Expr, ...], dims: tuple[int | None, ...]) -> None:
        self.mins, self.dims = mins, dims


class _Lay(Mutator):
    """Loads of declared inputs become loads of the regions."""

    def __init__(self, tensors: Mapping[Tensor, Tensor], places: Mapping[Tensor, _Place]) -> None:
        super().__init__()
        self.tensors, self.places = tensors, places

    def visit_producer_load(self, node: ProducerLoad) -> Expr:
        place = self.places[node.producer]
        indices: list[Expr] = list(place.mins)
        for index, dim in zip(node.indices, place.dims, strict=True):
            if dim is not None:
                indices[dim] = operators.add(indices[dim], self.visit(index))
        return ProducerLoad(self.tensors[node.producer], tuple(indices))
