"""The primitive about the order of a tensor in memory: transform_layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gpucomp import arith
from gpucomp.layout import IndexMap, NotInvertible
from gpucomp.support.diagnostics import caller_span
from gpucomp.te.axis_separator import NoIndices, SeparatedAxes, without_separators
from gpucomp.te.errors import schedule_error
from gpucomp.te.guarded import guarded
from gpucomp.te.operation import ComputeOp, Operation, PlaceholderOp
from gpucomp.te.stage_base import StageBase
from gpucomp.te.tensor import Tensor
from gpucomp.te.tensor_compute import TensorComputeOp
from gpucomp.te.user_input import unfit
from gpucomp.tir.expr import Expr, IntImm, IterVar, ProducerLoad, Range, Var
from gpucomp.tir.functor import Mutator, substitute

if TYPE_CHECKING:
    from gpucomp.te.stage import Stage


class LayoutPrimitives(StageBase):
    """Layouts."""

    def transform_layout(self, mapping_function: Callable[..., Sequence[object]] | IndexMap) -> list[IterVar]:
        """Keep the tensor in another order: the element at (i, j, ...) goes to ``mapping_function(i, j, ...)``.

        The stage gets one loop for each new dimension; readers find the elements where they are now.  Places that
        hold no element (where a factor does not divide an extent) are filled with zero, or the start of a reduction.

        Of an argument of the kernel, an input or a result, the caller passes an array in the new order.

        Args:
            mapping_function: of as many indices as the tensor has; its result has an inverse: digits such as
                ``i // 4`` and ``i % 4``, sums such as ``i * 8 + j``, in any order.

        Returns:
            The new axes, outermost first.

        >>> s = te.create_schedule(D.op)
        >>> show(s)
        with T.realize(B[0:8], "float32", "global"):
            for i in T.serial(8):
                B[i] = V[i] * 2.0
            for i_1 in T.serial(8):
                D[i_1] = B[i_1] + 1.0
        >>> outer, inner = s[B].transform_layout(lambda i: [i % 2, i // 2])
        >>> show(s)
        with T.realize(B[0:2, 0:4], "float32", "global"):
            for i0 in T.serial(2):
                for i1 in T.serial(4):
                    B[i0, i1] = V[i0 + i1 * 2] * 2.0
            for i in T.serial(8):
                D[i] = B[i % 2, i // 2] + 1.0

        Raises:
            ScheduleError: GC117 the map has no inverse, or separates physical dimensions; the axes of the stage are
                scheduled or annotated already, or its storage padded or swizzled; a reader is no compute stage.
        """
        op = self._transformable()
        shape = op.output(0).shape
        index_map = self._index_map(mapping_function, len(shape))
        try:
            back, inside = index_map.inverse(shape)
            extents = index_map.map_shape(shape)
        except NotInvertible as error:
            raise self._refusal(str(error)) from error
        axes = tuple([
            IterVar(Range.from_min_extent(0, n), Var(f"i{k}", n.dtype), IterVar.DataPar) for k, n in enumerate(extents)
        ])  # fmt: skip
        if isinstance(op, PlaceholderOp):
            given = PlaceholderOp(op.name, extents, op.dtype, op.span)
            self._replace(op, given, index_map)
            self._record("transform_layout", (index_map,), {}, ())
            return []
        places = dict(zip(back.initial_indices, [a.var for a in axes], strict=True))
        values = {a.var: substitute(x, places) for a, x in zip(op.axis, back.final_indices, strict=True)}
        body = tuple([_padded(substitute(b, values), substitute(inside, places)) for b in op.body])
        new = ComputeOp(op.name, op.tag, op.attrs, axes, body, op.span)
        self._replace(op, new, index_map)
        self._record("transform_layout", (index_map,), {}, axes)
        return list(axes)

    def _index_map(self, mapping: Callable[..., Sequence[object]] | IndexMap, ndim: int) -> IndexMap:
        if isinstance(mapping, IndexMap):
            if len(mapping.initial_indices) != ndim:
                given = len(mapping.initial_indices)
                raise self._refusal(f"the layout is of {given} indices, but {self.name} has {ndim} dimensions")
            return mapping
        problem = unfit(mapping, ndim)
        if problem:
            raise self._refusal(f"the layout of {self.name}, which has {ndim} dimensions, {problem}")
        try:
            return IndexMap.from_func(without_separators(mapping), ndim)
        except NoIndices as error:
            raise self._refusal(f"the layout gives a {error}, no list of indices") from error
        except SeparatedAxes as error:
            raise self._refusal(
                "the layout has te.AXIS_SEPARATOR, but memory has one physical dimension on all targets"
            ) from error

    def _transformable(self) -> ComputeOp | PlaceholderOp:
        op = self.op
        if not isinstance(op, (ComputeOp, PlaceholderOp)) or isinstance(op, TensorComputeOp):
            raise self._refusal(f"{self.name} is not computed element by element")
        if self.relations or any([self.bound_thread(a) is not None for a in self.all_iter_vars]):
            raise self._refusal(f"the axes of stage {self.name} are scheduled already")
        marked = [a.name for a in op.axis if a in self.iter_var_attrs]
        if marked:
            raise self._refusal(f"axis {marked[0]!r} of stage {self.name} is annotated already, which would be lost")
        if self.dim_align or self.swizzle is not None:
            primitive = "storage_align" if self.dim_align else "storage_swizzle"
            raise self._refusal(f"{primitive} of stage {self.name} counts the dimensions that it has now")
        return op

    def _refusal(self, why: str) -> Exception:
        return schedule_error(
            "GC117",
            f"transform_layout: {why}",
            stage=self,
            where=caller_span(),
            hint=f"call it first on s[{self.name}], with digits such as lambda i, j: [i // 4, j, i % 4]",
        )

    def _replace(self, old: Operation, new: Operation, index_map: IndexMap) -> None:
        schedule = self.schedule
        stage: Stage = schedule[old]
        moved = dict(zip(old.outputs, new.outputs, strict=True))
        redirect: dict[Tensor, Tensor] = {}
        changed: list[tuple[Stage, Operation]] = []
        for reader in schedule.stages[schedule.stages.index(stage) + 1 :]:
            if not any([t in moved or t in redirect for t in reader.op.input_tensors]):
                continue
            op = self._reading(reader.op, moved, redirect, index_map)
            redirect.update(zip(reader.op.outputs, op.outputs, strict=True))
            changed.append((reader, op))
        for reader, op in [(stage, new), *changed]:
            schedule.outputs = tuple([op if o is reader.op else o for o in schedule.outputs])
            reader.op = op
            schedule.stage_map[op] = reader
        gone = dict.fromkeys(old.axis)
        self.leaf_iter_vars = [*new.axis, *[iv for iv in self.leaf_iter_vars if iv not in gone]]
        self.all_iter_vars = [*new.axis, *[iv for iv in self.all_iter_vars if iv not in gone]]
        for axis in old.axis:
            self.moved[axis] = "transform_layout made other dimensions of it"

    def _reading(
        self, op: Operation, moved: dict[Tensor, Tensor], redirect: dict[Tensor, Tensor], index_map: IndexMap
    ) -> Operation:
        """A reader of the tensor, or of what was rebuilt because it reads the tensor."""
        if isinstance(op, ComputeOp):
            walker = _Moved(moved, redirect, index_map, op)
            return op.with_body(tuple([walker.expr(b) for b in op.body]))
        if any([t in moved for t in op.input_tensors]):
            raise self._refusal(f"{op.name}, which reads {self.name}, is not computed element by element")
        return op.replace_inputs(redirect)


class _Moved(Mutator):
    """Reads elements where they are now."""

    def __init__(
        self, moved: dict[Tensor, Tensor], redirect: dict[Tensor, Tensor], index_map: IndexMap, op: ComputeOp
    ) -> None:
        super().__init__()
        self.moved, self.redirect, self.index_map = moved, redirect, index_map
        self.analyzer = arith.Analyzer()
        for axis in op.root_iter_vars:
            if axis.dom is not None:
                self.analyzer.bind(axis.var, axis.dom)

    def visit_producer_load(self, node: ProducerLoad) -> Expr:
        indices = tuple([self.visit(i) for i in node.indices])
        found = self.moved.get(node.producer)
        if found is None:
            return ProducerLoad(self.redirect.get(node.producer, node.producer), indices)
        places = self.index_map.map_indices(indices)
        if not all([isinstance(i, Var) for i in indices]):  # such as i // 8 * 8 + i % 8, where one map undoes another
            places = tuple([self.analyzer.simplify(p) for p in places])
        return ProducerLoad(found, places)


def _padded(body: Expr, inside: Expr) -> Expr:
    """A value where there is an element; zero, without evaluating it, in padding."""
    if isinstance(inside, IntImm):
        return body
    return guarded(body, inside)
