"""Primitives that say how a loop runs: bind, env_threads, vectorize, unroll, parallel, pragma, prefetch."""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp.support.diagnostics import caller_span
from gpucomp.te.errors import schedule_error
from gpucomp.te.pragmas import check_pragma
from gpucomp.te.pragmas import pragma_value as as_value
from gpucomp.te.stage_base import StageBase
from gpucomp.te.tensor import Tensor
from gpucomp.te.user_input import listed
from gpucomp.tir import operators
from gpucomp.tir.expr import ExprLike, IterVar


class MarkPrimitives(StageBase):
    """Annotations of loops."""

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
        if ivar.iter_type == IterVar.ThreadIndex:
            raise schedule_error(
                "GC104",
                f"bind: {ivar.name!r} of stage {self.name} is a thread axis itself, put there by env_threads",
                stage=self,
                where=caller_span(),
                hint=f"bind a loop of the stage: {', '.join([a.name for a in self.op.axis])}",
            )
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

    def env_threads(self, threads: IterVar | Sequence[IterVar]) -> None:
        """Launch threads around the whole nest of this stage, whatever its loops are bound to.

        Stages that are attached inside share their work among these threads.  What this stage does itself is done by
        the first of the threads where memory is shared, and by each where it is not.

        >>> show(s)
        for i in T.serial(6):
            for j in T.serial(8):
                C[i, j] = A[i, j] + 1.0
        >>> s[C].env_threads([te.thread_axis((0, 4), "threadIdx.x")])
        >>> show(s)
        with T.launch_thread("threadIdx.x", 4) as threadIdx_x:
            for i in T.serial(6):
                for j in T.serial(8):
                    if threadIdx_x == 0:
                        C[i, j] = A[i, j] + 1.0

        The last call wins.

        Args:
            threads: thread axes that have a domain.

        Raises:
            ScheduleError: GC104 no thread axis, one without a domain, or two of one tag.
        """
        self.require_compute("env_threads")
        axes = listed(threads, IterVar)
        seen: list[str] = []
        for axis in axes:
            self._check_env(axis, seen)
            seen.append(axis.thread_tag)
        rest = [iv for iv in self.leaf_iter_vars if iv not in self.env_thread_axes]
        self.all_iter_vars = [iv for iv in self.all_iter_vars if iv not in self.env_thread_axes] + axes
        self.env_thread_axes = tuple(axes)
        self.leaf_iter_vars = [*axes, *rest]
        span = self._record("env_threads", (axes,), {}, ())
        for axis in axes:
            attr = self.attr(axis)
            attr.bind_thread, attr.bind_span = axis, span

    def _check_env(self, axis: IterVar, seen: list[str]) -> None:
        tag = getattr(axis, "thread_tag", "")
        problem = ""
        if getattr(axis, "iter_type", None) != IterVar.ThreadIndex:
            problem = f"{getattr(axis, 'name', axis)!r} is no thread axis"
        elif axis.dom is None:
            problem = f"thread axis {axis.name!r} has no domain, from which its extent would come"
        elif tag in seen:
            problem = f"two of the axes have the tag {tag}"
        if problem:
            raise schedule_error(
                "GC104",
                f"env_threads: {problem}",
                stage=self,
                where=caller_span(),
                hint="te.thread_axis((0, 32), 'threadIdx.x')",
            )

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
        attr.kind, attr.tensor_intrin = kind, None
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

        Kinds that passes know: ``auto_unroll_max_step``, ``unroll_explicit``, ``unroll_factor``, ``unroll``,
        ``software_pipeline``, ``predicate_copies``, ``spread_copies``, ``product_order``, ``loads_first``,
        ``nontemporal``, ``cache_hint``, ``atomic``, ``min_blocks``, ``bulk_copy``, ``bulk_ahead``, ``bulk_ahead_late``,
        ``debug_skip_region``; hints are taken and change nothing: see ``gpucomp.te.pragmas``.
        ``import_c`` and ``import_llvm`` bring source text of functions that the kernel calls, for GPUs and for
        processors.  Of any other kind, a warning is given once.

        Raises:
            ScheduleError: GC102, GC103 not a leaf; GC104 a value that does not go with the kind.
        """
        self.require_compute("pragma")
        self.leaf_index(var, "pragma")
        value = as_value(self, pragma_type, pragma_value)
        check_pragma(self, pragma_type, value)
        span = self._record("pragma", (var, pragma_type, value), {}, ())
        self.attr(var).pragmas += ((pragma_type, value, span),)

    def prefetch(self, tensor: Tensor, var: IterVar, offset: ExprLike) -> None:
        """Ask, in each iteration of loop ``var``, for what the iteration ``offset`` further on reads of ``tensor``.

        A hint to the memory system: results do not depend on it.

        >>> show(s)
        for i in T.serial(6):
            for j in T.serial(8):
                C[i, j] = A[i, j] + 1.0
        >>> s[C].prefetch(A, i, 2)
        >>> show(s)
        for i in T.serial(6):
            with T.attr(A, "prefetch_scope", 2):
                for j in T.serial(8):
                    C[i, j] = A[i, j] + 1.0

        Raises:
            ScheduleError: GC102, GC103 not a leaf; GC101 no tensor of the schedule; GC104 no integer; when lowered,
                GC104 the loop is bound to threads or vectorised.
        """
        self.require_compute("prefetch")
        self.leaf_index(var, "prefetch")
        ahead = operators.convert(offset)
        if not ahead.dtype.is_int:
            raise schedule_error(
                "GC104",
                f"prefetch needs an integer offset, got {ahead}",
                stage=self,
                where=caller_span(),
                hint=f"s[{self.name}].prefetch(A, {var.name}, 1)",
            )
        source = self.schedule[tensor].origin_op.output(tensor.value_index)
        span = self._record("prefetch", (source, var, ahead), {}, ())
        self.attr(var).prefetches += ((source, ahead, span),)
