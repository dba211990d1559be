"""Primitives that change the loops of a stage: split, fuse, reorder, tile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any  # Any: the trace records arguments of all primitives

from gpucomp.support.diagnostics import caller_span
from gpucomp.support.dtype import INT64
from gpucomp.te.errors import schedule_error
from gpucomp.te.relation import Align, Fuse, Singleton, Split
from gpucomp.te.stage_base import StageBase
from gpucomp.te.user_input import number
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, IntImm, IterVar, Range, Var


class LoopPrimitives(StageBase):
    """Loop structure."""

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
            disable_predication: leave out the check that the last part is full.  Only for extents that divide; where
                readers need part of the axis, of an extent that does not divide, the check stays.

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
                hint=f"s[{self.name}].split({parent.name}, factor=32)",
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

    def align(self, axis: IterVar, lanes: int) -> IterVar:
        """Count from where memory is aligned, so that vectors of ``lanes`` elements are aligned in every row.

        Tensors are stored row by row: where the length of a row is no multiple of ``lanes``, rows start anywhere in a
        vector.  The new loop starts at the last multiple of ``lanes`` elements at or before the start of its row, and
        skips what does not belong to the row.  Split it by ``lanes`` and vectorise the inner loop: whole vectors are
        one access, those at the ends of a row go element by element.  A reduction axis counts as the last dimension
        of a matrix whose rows are the elements of the result.

        Args:
            axis: the innermost dimension, or the last reduction axis of a reduction; not split yet.
            lanes: elements of a vector: a power of two.

        Returns:
            The new axis.  Its extent is that of ``axis`` and of what may lie before it, in whole vectors.

        >>> show(s)
        for i in T.serial(6):
            for j in T.serial(8):
                C[i, j] = A[i, j] + 1.0
        >>> aligned = s[C].align(j, 16)
        >>> show(s)
        for i in T.serial(6):
            for j_aligned in T.serial(16):
                if T.likely(j_aligned + (0 - i * 8 % 16) >= 0 and j_aligned + (0 - i * 8 % 16) < 8):
                    C[i, j_aligned + (0 - i * 8 % 16)] = A[i, j_aligned + (0 - i * 8 % 16)] + 1.0

        Raises:
            ScheduleError: GC102, GC103 not a leaf; GC104 not the innermost dimension, or no power of two.
        """
        self.require_compute("align")
        position = self.leaf_index(axis, "align")
        self._require_unbound(axis, "align")
        roots = self.op.root_iter_vars
        if not roots or axis is not roots[-1]:
            last = repr(roots[-1].name) if roots else "none"
            raise schedule_error(
                "GC104",
                f"align: axis {axis.name!r} of stage {self.name} is not its innermost dimension, which is {last}",
                stage=self,
                where=caller_span(),
                hint="align the innermost dimension before it is split: its neighbours are neighbours in memory",
            )
        if not isinstance(lanes, int) or lanes < 2 or lanes & (lanes - 1):  # pyright: ignore[reportUnnecessaryIsInstance]  # what users write
            raise schedule_error(
                "GC104",
                f"align: vectors have a power of two of elements, got {lanes}",
                stage=self,
                where=caller_span(),
                hint=f"s[{self.name}].align({axis.name}, 4)",
            )
        aligned = self._derived(f"{axis.name}.aligned", axis)
        self._add(Align(axis, aligned, lanes, tuple(roots[:-1])), aligned)
        self.leaf_iter_vars[position] = aligned
        self._record("align", (axis, lanes), {}, (aligned,))
        return aligned

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
            self.leaf_iter_vars.insert(len(self.env_thread_axes), single)
            self._record("fuse", (), {}, (single,))
            return single
        self._check_fusable(axes)
        fused, extents = axes[0], self.nominal_extents()
        for other in axes[1:]:
            position = self.leaf_index(fused, "fuse")
            new = self._fused(fused, other, extents)
            self._add(Fuse(fused, other, new), new)
            self.leaf_iter_vars[position : position + 2] = [new]
            fused = new
        self._record("fuse", tuple(axes), {}, (fused,))
        return fused

    def _fused(self, outer: IterVar, inner: IterVar, extents: dict[IterVar, Expr]) -> IterVar:
        """One axis for two, entered in ``extents``; of 64 bits where the product of constant extents needs them."""
        new = self._derived(f"{outer.name}.{inner.name}.fused".replace(".fused.", "."), outer)
        a, b = extents.get(outer), extents.get(inner)
        if isinstance(a, IntImm) and isinstance(b, IntImm) and a.value * b.value >= 2**31:
            new = IterVar(None, Var(new.name, INT64), outer.iter_type)
        if a is not None and b is not None:
            extents[new] = operators.multiply(operators.cast(new.var.dtype, a), b)
        return new

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

    def _positive(self, value: ExprLike | None, what: str) -> Expr | None:
        if value is None:
            return None
        size = operators.convert(number(value))
        if not size.dtype.is_int or (isinstance(size, IntImm) and size.value < 1):
            raise schedule_error(
                "GC104",
                f"split: {what} is {size}; it must be an integer >= 1",
                stage=self,
                where=caller_span(),
                hint=f"{what}=32, or an integer expression of te.var(...)",
            )
        return size


def _flatten(args: Sequence[IterVar | Sequence[IterVar]]) -> list[IterVar]:
    axes: list[IterVar] = []
    for a in args:
        if isinstance(a, (list, tuple)):
            axes.extend(a)
        else:
            axes.append(a)  # pyright: ignore[reportArgumentType]  # an axis; leaf_index explains anything else
    return axes
