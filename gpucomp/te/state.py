"""The schedule of a graph of operations."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from gpucomp.support.diagnostics import Span, caller_span, did_you_mean
from gpucomp.support.expect import expect_each
from gpucomp.te.errors import schedule_error
from gpucomp.te.graph import post_dfs_order
from gpucomp.te.group import Group
from gpucomp.te.operation import Operation
from gpucomp.te.out_of_range import check_reads
from gpucomp.te.scan_place import enter_scans
from gpucomp.te.stage import Stage
from gpucomp.te.tensor import Tensor
from gpucomp.te.trace import Step, Trace
from gpucomp.te.user_input import is_a
from gpucomp.tir.expr import IterVar


class _Draft:
    """Results of a primitive that is made of others, while it runs."""

    def __init__(self) -> None:
        self.results: tuple[Any, ...] = ()
        self.axes: tuple[IterVar, ...] = ()


class Schedule:
    """How a graph of operations is computed.

    Attributes:
        outputs: operations whose tensors leave the kernel.
        stages: one for each operation, producers first.
        groups: stages that are placed as one, in order of making.
        trace: every primitive so far.
    """

    def __init__(self, outputs: tuple[Operation, ...], ops: tuple[Operation, ...] = ()) -> None:
        made_of = "te.create_schedule(C.op) makes a schedule"
        expect_each(outputs, Operation, "Schedule", made_of)
        expect_each(ops or (None,), Operation, "Schedule: ops, which are producers first,", made_of)
        self.outputs = outputs
        self.trace = Trace(outputs, ops)
        self.stages: list[Stage] = []
        self.groups: list[Group] = []
        self.stage_map: dict[Operation, Stage] = {}
        self.replaying_span: Span | None = None
        self._quiet = 0
        for op in ops:
            stage = Stage(self, op, op in outputs, op.span)
            self.stages.append(stage)
            self.stage_map[op] = stage
        enter_scans(self)

    def __getitem__(self, key: Tensor | Operation) -> Stage:
        """The stage of a tensor or operation.

        Raises:
            ScheduleError: GC101 it is not part of this schedule.
        """
        op = key.op if isinstance(key, Tensor) else key
        stage = self.stage_map.get(op) if is_a(op, Operation) else None
        if stage is not None:
            return stage
        names = [s.name for s in self.stages]
        if isinstance(key, (tuple, list)):
            raise schedule_error(
                "GC101",
                f"{len(key)} tensors are no stage",
                where=caller_span(),
                hint="several results of one compute are one stage: pass one of them, as in s[C[0]]",
            )
        name = str(getattr(op, "name", repr(op)))
        raise schedule_error(
            "GC101",
            f"{name!r} is not part of this schedule",
            where=caller_span(),
            hint=did_you_mean(name, [n for n in names if n != name]) or f"it has the stages {', '.join(names)}",
        )

    def current(self, tensor: Tensor) -> Tensor:
        """The tensor as its stage computes it now (other primitives may have rebuilt the operation)."""
        return self[tensor].op.output(tensor.value_index)

    # -- recording ------------------------------------------------------------------------------------------------

    def current_span(self) -> Span | None:
        """The user's line that is running, or the recorded one while a trace is replayed."""
        return self.replaying_span or caller_span()

    def record(
        self,
        primitive: str,
        op: Operation | Group | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        results: tuple[Any, ...],
        axes: tuple[IterVar, ...] = (),
    ) -> Span | None:
        """Append a step to the trace; returns the user's line."""
        span = self.current_span()
        if not self._quiet:
            self.trace.steps.append(Step(primitive, op, args, kwargs, results, axes, span))
        return span

    @contextmanager
    def recording_as(self, primitive: str, op: Operation | None, args: tuple[Any, ...]) -> Generator[_Draft]:
        """Record one step in place of the primitives that run inside."""
        draft = _Draft()
        self._quiet += 1
        try:
            yield draft
        finally:
            self._quiet -= 1
        self.record(primitive, op, args, {}, draft.results, draft.axes)

    # -- copies -----------------------------------------------------------------------------------------------------

    def copy(self) -> Schedule:
        """An independent schedule of the same tensors in the same state; axes keep their identity.

        >>> other = s.copy()
        >>> io, ii = other[C].split(i, factor=4)
        >>> print(s[C].nest_text())
        loop nest i(6) > j(8)
        >>> print(other[C].nest_text())
        loop nest i.outer(2) > i.inner(4) > j(8)
        """
        other = Schedule.__new__(Schedule)
        other.outputs = self.outputs
        other.trace = Trace(self.trace.outputs, self.trace.ops, list(self.trace.steps))
        other.replaying_span, other._quiet = None, 0
        made = {stage: stage.copy(other) for stage in self.stages}
        for stage in made.values():
            if stage.attach_stage is not None:
                stage.attach_stage = made[stage.attach_stage]
        groups = {group: group.copy(other) for group in self.groups}
        for group in groups.values():
            group.group = None if group.group is None else groups[group.group]
            group.attach_stage = None if group.attach_stage is None else made[group.attach_stage]
        for stage in made.values():
            stage.group = None if stage.group is None else groups[stage.group]
        other.groups = list(groups.values())
        other.stages = list(made.values())
        other.stage_map = {op: made[stage] for op, stage in self.stage_map.items()}
        return other

    def normalize(self) -> Schedule:
        """A copy in the form that lowering works on: inlined stages gone, every loop starting at zero.

        >>> s = te.create_schedule(D.op)
        >>> s[B].compute_inline()
        >>> print(s)
        Schedule(V, B, D)
        >>> print(s.normalize())
        Schedule(V, D)

        Raises:
            ScheduleError: GC124 an inlined stage is a reduction; GC125 an attachment lost its axis.
        """
        from gpucomp.te.normalize import normalize

        return normalize(self)

    def check(self, target: object = None) -> None:
        """Raise the error that lowering would raise for this schedule, if any, at the line of the primitive to blame.

        >>> s[C].bind(i, te.thread_axis("blockIdx.x"))
        >>> s[C].bind(j, te.thread_axis("threadIdx.x"))
        >>> s.check("cuda")

        Args:
            target: a target or its text, whose limits count too (threads, blocks, memory, vectors); None checks what
                concerns every target.

        Raises:
            ScheduleError: GC12x, see ``gpucomp.te.errors``.
            LowerError: GC31x, a limit of the target is passed; GC32x, it lacks something.
        """
        if target is not None:
            # The driver is a layer above, and only this question needs it.
            importlib.import_module("gpucomp.driver.schedule_check").check_for_target(self, target)
            return
        from gpucomp.te.bound import infer_bound
        from gpucomp.te.schedule_ops import schedule_ops

        norm = self.normalize()
        schedule_ops(norm, infer_bound(norm))

    # -- pictures -----------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Print the loop tree: extents, bindings, where stages are computed, and the memory that they take.

        >>> xo, xi = s[C].split(j, factor=4)
        >>> s[C].bind(i, te.thread_axis("blockIdx.x"))
        >>> s[C].vectorize(xi)
        >>> s.show()
        A  float32[6, 8]  input  192 B
        C  float32[6, 8]  output  global 192 B  <- A
           kernel: grid 6, block 1
        └─ i 6  blockIdx.x
           └─ j.outer 2
              └─ j.inner 4  vectorize

        A schedule that does not lower is drawn as far as it is known, with the error beneath. In a notebook, a
        schedule as the value of a cell shows the same tree as a picture.
        """
        from gpucomp.te.show import show

        show(self)

    def to_text(self) -> str:
        """What :meth:`show` prints, without colours."""
        from gpucomp.te.draw_text import tree_text
        from gpucomp.te.tree import loop_tree

        return tree_text(loop_tree(self))

    def to_svg(self) -> str:
        """The loop tree as one self-contained ``<svg>`` element: nested boxes, and arcs for what reads what."""
        from gpucomp.te.draw_svg import tree_svg
        from gpucomp.te.tree import loop_tree

        return tree_svg(loop_tree(self))

    def to_html(self) -> str:
        """The picture of :meth:`to_svg` in a block of HTML; needs nothing from the network."""
        from gpucomp.te.draw_svg import tree_html
        from gpucomp.te.tree import loop_tree

        return tree_html(loop_tree(self))

    def _repr_html_(self) -> str:
        return self.to_html()

    # -- dataflow ---------------------------------------------------------------------------------------------------

    def cache_read(
        self, tensor: Tensor, scope: str, readers: Sequence[Tensor | Operation] | Tensor | Operation
    ) -> Tensor:
        """Let ``readers`` read ``tensor`` through a copy of it in ``scope``; returns the copy.

        >>> show(s)
        for i in T.serial(6):
            for j in T.serial(8):
                C[i, j] = A[i, j] + 1.0
        >>> AA = s.cache_read(A, "local", [C])
        >>> show(s)
        with T.realize(A_local[0:6, 0:8], "float32", "local"):
            for ax0 in T.serial(6):
                for ax1 in T.serial(8):
                    A_local[ax0, ax1] = A[ax0, ax1]
            for i in T.serial(6):
                for j in T.serial(8):
                    C[i, j] = A_local[i, j] + 1.0

        Raises:
            ScheduleError: GC101, GC112 no such tensor; GC111 a reader does not read it; GC114 scope.
        """
        from gpucomp.te.dataflow import cache_read

        return cache_read(self, tensor, scope, readers)

    def reindex_cache_read(
        self, tensor: Tensor, scope: str, reader: Tensor | Operation, axes: Sequence[IterVar]
    ) -> Tensor:
        """Let ``reader`` read ``tensor`` through a copy in the order of the reader's ``axes``; returns the copy.

        The copy has a dimension for each of the axes, and holds what the reader reads there: where windows overlap, an
        element of the tensor is in it several times.  Computed for a tile of the reader's loops, it is a gather of
        just what the tile needs (im2col, for a convolution).

        >>> s = te.create_schedule(R.op)
        >>> show(s)
        for i in T.serial(6):
            R[i] = 0.0
            for k in T.serial(8):
                R[i] = R[i] + A[i, k]
        >>> AA = s.reindex_cache_read(A, "local", R, [k, R.op.axis[0]])
        >>> show(s)
        with T.realize(A_local[0:8, 0:6], "float32", "local"):
            for k in T.serial(8):
                for i in T.serial(6):
                    A_local[k, i] = A[i, k]
            for i_1 in T.serial(6):
                R[i_1] = 0.0
                for k_1 in T.serial(8):
                    R[i_1] = R[i_1] + A_local[k_1, i_1]

        Args:
            tensor: of which the reader reads one element in every step.
            scope: where the copy is.
            reader: a stage.
            axes: axes that its operation starts with, reductions too: all on which the element depends.

        Raises:
            ScheduleError: GC119 more than one element, one under a condition, or not all axes; GC114 scope.
        """
        from gpucomp.te.reindex import reindex_cache_read

        return reindex_cache_read(self, tensor, scope, reader, axes)

    def cache_write(self, tensor: object, scope: str) -> Any:  # Any: a tensor gives a tensor, a list gives a list
        """Compute ``tensor`` into a copy in ``scope`` first; the stage of ``tensor`` then copies it out.

        >>> show(s)
        for i in T.serial(6):
            for j in T.serial(8):
                C[i, j] = A[i, j] + 1.0
        >>> CC = s.cache_write(C, "local")
        >>> show(s)
        with T.realize(C_local[0:6, 0:8], "float32", "local"):
            for i_c in T.serial(6):
                for j_c in T.serial(8):
                    C_local[i_c, j_c] = A[i_c, j_c] + 1.0
            for i in T.serial(6):
                for j in T.serial(8):
                    C[i, j] = C_local[i, j]

        Reduction axes move to the copy, with their splits.  The data-parallel loops of the stage, as they are, become
        the dimensions of the copy: after ``io, ii = s[C].split(i, factor=4)`` and ``s[C].reorder(io, j, ii)``, the copy
        has the shape (io, j, ii).  Copying out starts with the plain loops again.

        Raises:
            ScheduleError: GC112 no compute stage, or loops of it are bound already, or split and marked; GC114 scope.
        """
        from gpucomp.te.cache_write import cache_write

        return cache_write(self, tensor, scope)

    def rfactor(self, tensor: Tensor, axis: IterVar, factor_axis: int = 0) -> Any:  # Any: tensor, or a list of several
        """Turn a leaf reduction axis into a dimension of a new tensor of partial results; returns that tensor.

        >>> s = te.create_schedule(R.op)
        >>> show(s)
        for i in T.serial(6):
            R[i] = 0.0
            for k in T.serial(8):
                R[i] = R[i] + A[i, k]
        >>> ko, ki = s[R].split(k, factor=2)
        >>> RF = s.rfactor(R, ki)
        >>> show(s)
        with T.realize(R_rf[0:2, 0:6], "float32", "global"):
            for k_inner in T.serial(2):
                for i in T.serial(6):
                    R_rf[k_inner, i] = 0.0
                    for k_outer in T.serial(4):
                        R_rf[k_inner, i] = R_rf[k_inner, i] + A[i, k_outer * 2 + k_inner]
            for i_1 in T.serial(6):
                R[i_1] = 0.0
                for k_inner_v in T.serial(2):
                    R[i_1] = R[i_1] + R_rf[k_inner_v, i_1]

        Args:
            axis: a leaf reduction axis of the stage.
            factor_axis: dimension of the new tensor that stands for it; negative counts from the end.

        Raises:
            ScheduleError: GC113.
        """
        from gpucomp.te.dataflow import rfactor

        return rfactor(self, tensor, axis, factor_axis)

    # -- groups -----------------------------------------------------------------------------------------------------

    def create_group(
        self,
        outputs: Sequence[Tensor | Operation] | Tensor | Operation,
        inputs: Sequence[Tensor | Operation] | Tensor | Operation,
        include_inputs: bool = False,
    ) -> Group:
        """Make a group of all stages from ``inputs`` to ``outputs``, to be placed as one by ``group.compute_at``.

        Groups may be members of groups.  A stage that was attached outside of the group goes with the group.

        >>> s = te.create_schedule(D.op)
        >>> g = s.create_group(outputs=B, inputs=V)
        >>> show(s)
        with T.realize(B[0:8], "float32", "global"):
            for i in T.serial(8):
                B[i] = V[i] * 2.0
            for i_1 in T.serial(8):
                D[i_1] = B[i_1] + 1.0
        >>> io, ii = s[D].split(D.op.axis[0], factor=4)
        >>> g.compute_at(s[D], io)
        >>> show(s)
        for i_outer in T.serial(2):
            with T.realize(B[i_outer * 4:i_outer * 4 + 4], "float32", "global"):
                for i in T.serial(4):
                    B[i + i_outer * 4] = V[i + i_outer * 4] * 2.0
                for i_inner in T.serial(4):
                    D[i_outer * 4 + i_inner] = B[i_outer * 4 + i_inner] + 1.0

        Args:
            outputs: the last stages of the group.
            inputs: where it ends; they are no members, unless asked for.
            include_inputs: make members of the inputs too (never of placeholders).

        Raises:
            ScheduleError: GC101 not part of the schedule; GC116 the group would be empty.
        """
        from gpucomp.te.group import create_group

        return create_group(self, outputs, inputs, include_inputs)

    def __repr__(self) -> str:
        return f"Schedule({', '.join([s.name for s in self.stages])})"


def create_schedule(ops: Sequence[Operation | Tensor] | Operation | Tensor) -> Schedule:
    """A schedule in which every stage is computed at root, one loop for each axis.

    Args:
        ops: the output operations (tensors are accepted), one or several.

    Raises:
        ScheduleError: GC104 something else was given.
        TensorError: GC223 a compute reads past the ends of a tensor, whatever its inputs hold.
    """
    items = list(ops) if isinstance(ops, (list, tuple)) else [ops]
    if not items:
        raise schedule_error(
            "GC104", "create_schedule needs operations, got none", where=caller_span(), hint="te.create_schedule(C.op)"
        )
    outputs: dict[Operation, None] = {}
    for item in items:
        op = item.op if isinstance(item, Tensor) else item
        if not isinstance(op, Operation):
            raise schedule_error(
                "GC104",
                f"create_schedule needs operations, got {type(op).__name__}",
                where=caller_span(),
                hint="te.create_schedule(C.op)",
            )
        outputs[op] = None
    made = Schedule(tuple(outputs), post_dfs_order(tuple(outputs)))
    check_reads([stage.op for stage in made.stages], made.outputs)
    return made
