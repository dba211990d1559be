"""A stage: the loop nest of one operation, and the primitives that change it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any  # Any: the trace records arguments of all primitives

from gpucomp.support.diagnostics import Span, caller_span
from gpucomp.te.errors import schedule_error
from gpucomp.te.operation import ComputeOp, Operation
from gpucomp.te.relation import Fuse, IterVarRelation, Singleton, Split
from gpucomp.te.stage_state import AttachType, StageState, check_scope
from gpucomp.te.tensor import Tensor
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, IntImm, IterVar, Range, Var

if TYPE_CHECKING:
    pass


class Stage(StageState):
    """The schedule of one operation.  Get it by ``s[tensor]``."""

    # -- loop structure -----------------------------------------------------------------------------------------

    def split(
        self,
        parent: IterVar,
        factor: ExprLike | None = None,
        nparts: ExprLike | None = None,
        disable_predication: bool = False,
    ) -> tuple[IterVar, IterVar]:
        """Make two loops of one: ``parent = outer * extent(inner) + inner``.

        Args:
            parent: a leaf axis.
            factor: extent of the inner loop; may be symbolic.
            nparts: extent of the outer loop; exactly one of the two is given.
            disable_predication: leave out the check that the last part is full.  Only for extents that divide.

        Returns:
            (outer, inner).

        >>> show(s)
        for i in T.serial(6):
            for j in T.serial(8):
                C[i, j] = A[i, j] + 1.0
        >>> io, ii = s[C].split(i, factor=4)
        >>> show(s)
        for i_outer in T.serial(2):
            for i_inner in T.serial(4):
                if T.likely(i_outer * 4 + i_inner < 6):
                    for j in T.serial(8):
                        C[i_outer * 4 + i_inner, j] = A[i_outer * 4 + i_inner, j] + 1.0

        Raises:
            ScheduleError: GC102, GC103 not a leaf; GC104 factor.
        """
        self.require_compute("split")
        position = self.leaf_index(parent, "split")
        self._require_unbound(parent, "split")
        size = self._positive(factor, "factor"), self._positive(nparts, "nparts")
        if (size[0] is None) == (size[1] is None):
            raise schedule_error(
                "GC104",
                "split takes either factor or nparts",
                stage=self,
                where=caller_span(),
                hint="s[C].split(i, factor=32)",
            )
        outer = self._derived(f"{parent.name}.outer", parent)
        inner = self._derived(f"{parent.name}.inner", parent)
        rel = Split(parent, outer, inner, size[0], size[1], disable_predication)
        self._add(rel, outer, inner)
        self.leaf_iter_vars[position : position + 1] = [outer, inner]
        kwargs: dict[str, Any] = {"factor": size[0]} if size[0] is not None else {"nparts": size[1]}
        if disable_predication:
            kwargs["disable_predication"] = True
        self._record("split", (parent,), kwargs, (outer, inner))
        return outer, inner

    def fuse(self, *args: IterVar | Sequence[IterVar]) -> IterVar:
        """Make one loop of adjacent ones, outermost first; of none, a loop of extent 1.

        >>> show(s)
        for i in T.serial(6):
            for j in T.serial(8):
                C[i, j] = A[i, j] + 1.0
        >>> f = s[C].fuse(i, j)
        >>> show(s)
        for i_j_fused in T.serial(48):
            C[i_j_fused // 8, i_j_fused % 8] = A[i_j_fused // 8, i_j_fused % 8] + 1.0

        Raises:
            ScheduleError: GC102, GC103 not leaves; GC108 not adjacent, or data-parallel with reduction axes.
        """
        self.require_compute("fuse")
        axes = _flatten(args)
        if not axes:
            single = IterVar(Range(0, 1), Var("singleton"), IterVar.DataPar)
            self._add(Singleton(single), single)
            self.leaf_iter_vars.insert(0, single)
            self._record("fuse", (), {}, (single,))
            return single
        self._check_fusable(axes)
        fused = axes[0]
        for other in axes[1:]:
            position = self.leaf_index(fused, "fuse")
            new = self._derived(f"{fused.name}.{other.name}.fused".replace(".fused.", "."), fused)
            self._add(Fuse(fused, other, new), new)
            self.leaf_iter_vars[position : position + 2] = [new]
            fused = new
        self._record("fuse", tuple(axes), {}, (fused,))
        return fused

    def _check_fusable(self, axes: list[IterVar]) -> None:
        positions = [self.leaf_index(a, "fuse") for a in axes]
        for a in axes if len(axes) > 1 else ():
            self._require_unbound(a, "fuse")
        for (a, p), (b, q) in zip(
            zip(axes, positions, strict=True), list(zip(axes, positions, strict=True))[1:], strict=False
        ):
            if q != p + 1:
                raise schedule_error(
                    "GC108",
                    f"fuse: {b.name!r} does not follow {a.name!r} directly in the loop nest of {self.name}",
                    stage=self,
                    where=caller_span(),
                    hint=f"s[{self.name}].reorder({', '.join([x.name for x in axes])}) first",
                )
        if len({a.iter_type == IterVar.CommReduce for a in axes}) > 1:
            kinds = [
                f"{a.name!r} ({'reduction' if a.iter_type == IterVar.CommReduce else 'data-parallel'})" for a in axes
            ]
            raise schedule_error(
                "GC108",
                f"fuse: {' and '.join(kinds)} cannot become one loop: the result would be initialised in its middle",
                stage=self,
                where=caller_span(),
                hint="fuse axes of one kind",
            )

    def reorder(self, *args: IterVar | Sequence[IterVar]) -> None:
        """Put the given leaf axes into the given order, in the places that they hold now.

        >>> show(s)
        for i in T.serial(6):
            for j in T.serial(8):
                C[i, j] = A[i, j] + 1.0
        >>> s[C].reorder(j, i)
        >>> show(s)
        for j in T.serial(8):
            for i in T.serial(6):
                C[i, j] = A[i, j] + 1.0

        Raises:
            ScheduleError: GC102, GC103 not leaves; GC107 named twice.
        """
        self.require_compute("reorder")
        axes = _flatten(args)
        positions = [self.leaf_index(a, "reorder") for a in axes]
        if len(set(positions)) != len(positions):
            twice = next(a for i, a in enumerate(axes) if any(a is b for b in axes[:i]))
            raise schedule_error("GC107", f"reorder names axis {twice.name!r} twice", stage=self, where=caller_span())
        for position, axis in zip(sorted(positions), axes, strict=True):
            self.leaf_iter_vars[position] = axis
        self._record("reorder", tuple(axes), {}, ())

    def tile(
        self, x_parent: IterVar, y_parent: IterVar, x_factor: ExprLike, y_factor: ExprLike
    ) -> tuple[IterVar, IterVar, IterVar, IterVar]:
        """Split two loops and put the inner ones inside: returns (x_outer, y_outer, x_inner, y_inner).

        >>> show(s)
        for i in T.serial(6):
            for j in T.serial(8):
                C[i, j] = A[i, j] + 1.0
        >>> io, jo, ii, ji = s[C].tile(i, j, 2, 8)
        >>> show(s)
        for i_outer in T.serial(3):
            for i_inner in T.serial(2):
                for j_inner in T.serial(8):
                    C[i_outer * 2 + i_inner, j_inner] = A[i_outer * 2 + i_inner, j_inner] + 1.0

        Raises:
            ScheduleError: as :meth:`split`.
        """
        self.leaf_index(y_parent, "tile")
        with self.schedule.recording_as("tile", self.origin_op, (x_parent, y_parent, x_factor, y_factor)) as step:
            xo, xi = self.split(x_parent, factor=x_factor)
            yo, yi = self.split(y_parent, factor=y_factor)
            self.reorder(xo, yo, xi, yi)
            step.results = (xo, yo, xi, yi)
        return xo, yo, xi, yi

    # -- annotations ----------------------------------------------------------------------------------------------

    def bind(self, ivar: IterVar, thread_ivar: IterVar) -> None:
        """Run the iterations of a loop on the threads of ``thread_ivar``.  The last bind of an axis wins.

        >>> show(s)
        for i in T.serial(6):
            for j in T.serial(8):
                C[i, j] = A[i, j] + 1.0
        >>> s[C].bind(i, te.thread_axis("threadIdx.x"))
        >>> show(s)
        with T.launch_thread("threadIdx.x", 6) as threadIdx_x:
            for j in T.serial(8):
                C[threadIdx_x, j] = A[threadIdx_x, j] + 1.0

        Raises:
            ScheduleError: GC102, GC103 not a leaf; GC104 no thread axis; GC106 annotated otherwise.
        """
        self.require_compute("bind")
        self.leaf_index(ivar, "bind")
        if getattr(thread_ivar, "iter_type", None) != IterVar.ThreadIndex:
            raise schedule_error(
                "GC104",
                f"bind: the second argument is no thread axis: {getattr(thread_ivar, 'name', thread_ivar)!r}",
                stage=self,
                where=caller_span(),
                hint="te.thread_axis('threadIdx.x')",
            )
        attr = self.attr(ivar)
        if attr.kind:
            raise schedule_error(
                "GC106",
                f"bind: axis {ivar.name!r} of stage {self.name} is marked {attr.kind} already",
                stage=self,
                where=caller_span(),
                hint="split it, and bind one part",
            )
        attr.bind_thread = thread_ivar
        attr.bind_span = self._record("bind", (ivar, thread_ivar), {}, ())

    def _mark(self, axis: IterVar, kind: str) -> None:
        self.require_compute(kind)
        self.leaf_index(axis, kind)
        attr = self.attr(axis)
        if attr.bind_thread is not None:
            raise schedule_error(
                "GC106",
                f"{kind}: axis {axis.name!r} of stage {self.name} is bound to {attr.bind_thread.thread_tag} already",
                stage=self,
                where=caller_span(),
                hint="split it, and annotate the other part",
            )
        attr.kind = kind
        attr.kind_span = self._record(kind, (axis,), {}, ())

    def vectorize(self, var: IterVar) -> None:
        """Compute all iterations of a loop at once, as lanes of a vector.  Its extent must be a constant.

        >>> show(s)
        for i in T.serial(6):
            for j in T.serial(8):
                C[i, j] = A[i, j] + 1.0
        >>> s[C].vectorize(j)
        >>> show(s)
        for i in T.serial(6):
            for j in T.vectorized(8):
                C[i, j] = A[i, j] + 1.0

        Raises:
            ScheduleError: GC102, GC103 not a leaf; GC106 bound already.
        """
        self._mark(var, "vectorize")

    def unroll(self, var: IterVar) -> None:
        """Write a loop out.

        >>> show(s)
        for i in T.serial(6):
            for j in T.serial(8):
                C[i, j] = A[i, j] + 1.0
        >>> s[C].unroll(i)
        >>> show(s)
        for i in T.unroll(6):
            for j in T.serial(8):
                C[i, j] = A[i, j] + 1.0

        Raises:
            ScheduleError: GC102, GC103 not a leaf; GC106 bound already.
        """
        self._mark(var, "unroll")

    def parallel(self, var: IterVar) -> None:
        """Share the iterations of a loop among CPU threads.

        >>> show(s)
        for i in T.serial(6):
            for j in T.serial(8):
                C[i, j] = A[i, j] + 1.0
        >>> s[C].parallel(i)
        >>> show(s)
        for i in T.parallel(6):
            for j in T.serial(8):
                C[i, j] = A[i, j] + 1.0

        Raises:
            ScheduleError: GC102, GC103 not a leaf; GC106 bound already.
        """
        self._mark(var, "parallel")

    def pragma(self, var: IterVar, pragma_type: str, pragma_value: ExprLike | str | None = None) -> None:
        """Attach ``pragma_<type>`` with a value (1 when not given) to a loop, for passes and code generators.

        >>> show(s)
        for i in T.serial(6):
            for j in T.serial(8):
                C[i, j] = A[i, j] + 1.0
        >>> s[C].pragma(i, "auto_unroll_max_step", 16)
        >>> show(s)
        with T.attr(i, "pragma_auto_unroll_max_step", 16):
            for i in T.serial(6):
                for j in T.serial(8):
                    C[i, j] = A[i, j] + 1.0

        Keys that passes know: ``auto_unroll_max_step``, ``unroll_explicit``, ``unroll``.

        Raises:
            ScheduleError: GC102, GC103 not a leaf.
        """
        self.require_compute("pragma")
        self.leaf_index(var, "pragma")
        value = operators.convert(1 if pragma_value is None else pragma_value)
        self.attr(var).pragmas += ((pragma_type, value),)
        self._record("pragma", (var, pragma_type, value), {}, ())

    # -- placement ------------------------------------------------------------------------------------------------

    def compute_at(self, parent: Stage | Tensor | Operation, scope: IterVar) -> None:
        """Compute this stage inside loop ``scope`` of stage ``parent``, as much as one iteration needs.

        >>> s = te.create_schedule(D.op)
        >>> show(s)
        with T.realize(B[0:8], "float32", "global"):
            for i in T.serial(8):
                B[i] = V[i] * 2.0
            for i_1 in T.serial(8):
                D[i_1] = B[i_1] + 1.0
        >>> s[B].compute_at(s[D], s[D].op.axis[0])
        >>> show(s)
        for i in T.serial(8):
            with T.realize(B[i:i + 1], "float32", "global"):
                B[i] = V[i] * 2.0
                D[i] = B[i] + 1.0

        The last of compute_at, compute_inline and compute_root wins.

        Raises:
            ScheduleError: GC102, GC103 scope is no leaf of parent; GC110 parent is attached inside of this stage.
        """
        self.require_compute("compute_at")
        if isinstance(parent, (Tensor, Operation)):
            parent = self.schedule[parent]
        self._require_stage(parent)
        parent.leaf_index(scope, "compute_at")
        self._check_attach(parent)
        self.attach_type, self.attach_stage, self.attach_ivar = AttachType.SCOPE, parent, scope
        self.attach_span = self._record("compute_at", (parent.origin_op, scope), {}, ())

    def _require_stage(self, parent: object) -> None:
        if not isinstance(parent, Stage):
            raise schedule_error(
                "GC104",
                f"compute_at needs a stage, got {type(parent).__name__}",
                stage=self,
                where=caller_span(),
                hint=f"s[{self.name}].compute_at(s[consumer], axis)",
            )

    def _check_attach(self, parent: Stage) -> None:
        above: Stage | None = parent
        path = [self.name]
        while above is not None:
            path.append(above.name)
            if above is self:
                loop = " inside ".join(path)
                raise schedule_error(
                    "GC110",
                    f"compute_at: stage {self.name} cannot be computed inside of itself ({loop})",
                    stage=self,
                    where=caller_span(),
                    hint="compute_root() one of them first",
                )
            above = above.attach_stage if above.attach_type == AttachType.SCOPE else None

    def compute_inline(self) -> None:
        """Put the expression of this stage where it is read, and keep no tensor.

        >>> s = te.create_schedule(D.op)
        >>> show(s)
        with T.realize(B[0:8], "float32", "global"):
            for i in T.serial(8):
                B[i] = V[i] * 2.0
            for i_1 in T.serial(8):
                D[i_1] = B[i_1] + 1.0
        >>> s[B].compute_inline()
        >>> show(s)
        for i in T.serial(8):
            D[i] = V[i] * 2.0 + 1.0

        Raises:
            ScheduleError: GC105 the stage is an output.
        """
        self.require_compute("compute_inline")
        if self.is_output:
            raise schedule_error(
                "GC105",
                f"compute_inline: {self.name!r} is an output of the schedule and must be stored",
                stage=self,
                where=caller_span(),
                hint="inline the stages that it reads instead",
            )
        self._detach(AttachType.INLINE, "compute_inline")

    def compute_root(self) -> None:
        """Compute the whole tensor before its consumers, outside of their loops.

        >>> s = te.create_schedule(D.op)
        >>> show(s)
        with T.realize(B[0:8], "float32", "global"):
            for i in T.serial(8):
                B[i] = V[i] * 2.0
            for i_1 in T.serial(8):
                D[i_1] = B[i_1] + 1.0
        >>> s[B].compute_inline()
        >>> s[B].compute_root()
        >>> show(s)
        with T.realize(B[0:8], "float32", "global"):
            for i in T.serial(8):
                B[i] = V[i] * 2.0
            for i_1 in T.serial(8):
                D[i_1] = B[i_1] + 1.0
        """
        self.require_compute("compute_root")
        self._detach(AttachType.GROUP_ROOT, "compute_root")

    def _detach(self, kind: AttachType, primitive: str) -> None:
        self.attach_type, self.attach_stage, self.attach_ivar = kind, None, None
        self.attach_span = self._record(primitive, (), {}, ())

    # -- storage --------------------------------------------------------------------------------------------------

    def set_scope(self, scope: str) -> None:
        """Say where the tensor lives: "global", "shared", "shared.dyn", "warp" or "local".

        Raises:
            ScheduleError: GC114 unknown scope.
        """
        check_scope(scope, "set_scope")
        self.scope = scope
        self.scope_span = self._record("set_scope", (scope,), {}, ())

    def storage_align(self, axis: IterVar, factor: int, offset: int) -> None:
        """Pad the storage so that the stride of dimension ``axis`` is ``offset`` modulo ``factor`` elements.

        Raises:
            ScheduleError: GC115 the axis is no dimension of the tensor.
        """
        axes = self.op.axis if isinstance(self.op, ComputeOp) else ()
        found = [i for i, a in enumerate(axes) if a is axis]
        if not found:
            raise schedule_error(
                "GC115",
                f"storage_align: {getattr(axis, 'name', axis)!r} is no dimension of tensor {self.name}",
                stage=self,
                where=caller_span(),
                hint=f"one of s[{self.name}].op.axis: {', '.join([a.name for a in axes])}",
            )
        self.dim_align[found[0]] = (int(factor), int(offset))
        self._record("storage_align", (axis, int(factor), int(offset)), {}, ())

    def double_buffer(self) -> None:
        """Keep two copies of the tensor, so that the next one is filled while this one is read."""
        self.require_compute("double_buffer")
        self.double_buffered = True
        self._record("double_buffer", (), {}, ())

    def set_store_predicate(self, predicate: ExprLike) -> None:
        """Store only where ``predicate``, an expression of thread axes, holds."""
        self.require_compute("set_store_predicate")
        self.store_predicate = operators.convert(predicate)
        if not self.store_predicate.dtype.is_bool:
            raise schedule_error(
                "GC104",
                f"set_store_predicate needs a condition, got a value of type {self.store_predicate.dtype}",
                stage=self,
                where=caller_span(),
                hint="write tx.equal(0) or tx.var == 0 (axes themselves compare by identity)",
            )
        self._record("set_store_predicate", (self.store_predicate,), {}, ())

    # -- helpers --------------------------------------------------------------------------------------------------

    def _positive(self, value: ExprLike | None, what: str) -> Expr | None:
        if value is None:
            return None
        size = operators.convert(value)
        if not size.dtype.is_int or (isinstance(size, IntImm) and size.value < 1):
            raise schedule_error(
                "GC104", f"split: {what} is {size}; it must be an integer >= 1", stage=self, where=caller_span()
            )
        return size

    def _derived(self, name: str, like: IterVar) -> IterVar:
        return IterVar(None, Var(name, like.var.dtype), like.iter_type)

    def _add(self, rel: IterVarRelation, *axes: IterVar) -> None:
        self.relations.append(rel)
        self.relation_spans[rel] = self.schedule.current_span()
        self.all_iter_vars += axes

    def _record(
        self, primitive: str, args: tuple[Any, ...], kwargs: dict[str, Any], results: tuple[Any, ...]
    ) -> Span | None:
        return self.schedule.record(primitive, self.origin_op, args, kwargs, results)


def _flatten(args: Sequence[IterVar | Sequence[IterVar]]) -> list[IterVar]:
    axes: list[IterVar] = []
    for a in args:
        if isinstance(a, (list, tuple)):
            axes.extend(a)
        else:
            axes.append(a)  # pyright: ignore[reportArgumentType]  # an axis; leaf_index explains anything else
    return axes
