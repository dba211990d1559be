"""Primitives about the memory of a stage: scope, padding, swizzles, a second buffer, which threads store."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpucomp.support.diagnostics import caller_span
from gpucomp.te.errors import schedule_error
from gpucomp.te.stage_base import StageBase
from gpucomp.te.stage_state import check_scope
from gpucomp.tir import operators
from gpucomp.tir.expr import ExprLike, IterVar


class StorePrimitives(StageBase):
    """Storage."""

    def set_scope(self, scope: str) -> None:
        """Say where the tensor lives: "global", "shared", "shared.dyn", "warp" or "local".

        >>> s = te.create_schedule(D.op)
        >>> s[B].compute_at(s[D], D.op.axis[0])
        >>> show(s)
        for i in T.serial(8):
            with T.realize(B[i:i + 1], "float32", "global"):
                B[i] = V[i] * 2.0
                D[i] = B[i] + 1.0
        >>> s[B].set_scope("local")
        >>> show(s)
        for i in T.serial(8):
            with T.realize(B[i:i + 1], "float32", "local"):
                B[i] = V[i] * 2.0
                D[i] = B[i] + 1.0

        Raises:
            ScheduleError: GC114 unknown scope.
        """
        check_scope(scope, "set_scope")
        self.scope = scope
        self.scope_span = self._record("set_scope", (scope,), {}, ())

    def storage_align(self, axis: IterVar, factor: int, offset: int) -> None:
        """Pad the storage so that the stride of dimension ``axis`` is ``offset`` modulo ``factor`` elements.

        >>> AA = s.cache_read(A, "shared", [C])
        >>> s[AA].compute_at(s[C], i)
        >>> show(s)
        for i in T.serial(6):
            with T.realize(A_shared[i:i + 1, 0:8], "float32", "shared"):
                for ax1 in T.serial(8):
                    A_shared[i, ax1] = A[i, ax1]
                for j in T.serial(8):
                    C[i, j] = A_shared[i, j] + 1.0
        >>> s[AA].storage_align(AA.op.axis[0], 32, 1)
        >>> show(s)
        for i in T.serial(6):
            with T.attr((A_shared, 0, 32, 1), "buffer_dim_align", 1):
                with T.realize(A_shared[i:i + 1, 0:8], "float32", "shared"):
                    for ax1 in T.serial(8):
                        A_shared[i, ax1] = A[i, ax1]
                    for j in T.serial(8):
                        C[i, j] = A_shared[i, j] + 1.0

        Raises:
            ScheduleError: GC115 the axis is no dimension of the tensor; GC104 ``factor`` or ``offset`` is no whole
                number, or negative.
        """
        place = self._dimension(axis, "storage_align", self.op.region_axis)
        given: list[object] = [factor, offset]
        if not all([isinstance(x, (int, np.integer)) for x in given]) or factor < 0 or offset < 0:
            raise schedule_error(
                "GC104",
                f"storage_align: factor is {factor!r} and offset {offset!r}; they must be numbers of elements",
                stage=self,
                where=caller_span(),
                hint=f"s[{self.name}].storage_align({axis.name}, 32, 1): a stride of 1 more than a multiple of 32",
            )
        self.dim_align[place] = (int(factor), int(offset))
        self._record("storage_align", (axis, int(factor), int(offset)), {}, ())

    def _dimension(self, axis: IterVar, primitive: str, axes: Sequence[IterVar]) -> int:
        """Which of the dimensions that a primitive is about an axis is."""
        for place, known in enumerate(axes):
            if known is axis:
                return place
        among = "" if len(axes) == len(self.op.region_axis) else "the last or "
        raise schedule_error(
            "GC115",
            f"{primitive}: {getattr(axis, 'name', axis)!r} is {among}no dimension of tensor {self.name}",
            stage=self,
            where=caller_span(),
            hint=f"{'rows are along ' if among else ''}one of s[{self.name}].op.axis{'[:-1]' if among else ''}: "
            f"{', '.join([a.name for a in axes])}",
        )

    def storage_swizzle(self, axis: IterVar, vector: int = 1, period: int = 0) -> None:
        """Permute each row of the storage by its number, so that threads that read a column use different banks.

        Chunk ``c`` (of ``vector`` elements) of row ``r`` along ``axis`` lies at place ``c ^ (r // period % n)``; ``n``
        chunks are 128 bytes, or all that a row has.  Where no period is given, it is as many rows as 128 bytes hold,
        one at least.  No memory is lost, and vectors of ``vector`` elements stay whole and aligned.  The last dimension
        in memory has to be a power of two of chunks.  ``analysis.bank_conflicts`` tells what it brings.

        >>> AA = s.cache_read(A, "shared", [C])
        >>> s[AA].compute_at(s[C], i)
        >>> show(s)
        for i in T.serial(6):
            with T.realize(A_shared[i:i + 1, 0:8], "float32", "shared"):
                for ax1 in T.serial(8):
                    A_shared[i, ax1] = A[i, ax1]
                for j in T.serial(8):
                    C[i, j] = A_shared[i, j] + 1.0
        >>> s[AA].storage_swizzle(AA.op.axis[0], vector=2)
        >>> show(s)
        for i in T.serial(6):
            with T.attr((A_shared, 0, 2, 0), "buffer_swizzle", 1):
                with T.realize(A_shared[i:i + 1, 0:8], "float32", "shared"):
                    for ax1 in T.serial(8):
                        A_shared[i, ax1] = A[i, ax1]
                    for j in T.serial(8):
                        C[i, j] = A_shared[i, j] + 1.0

        Raises:
            ScheduleError: GC115 the axis is no dimension of the tensor, or the last one; GC104 ``vector`` is no power
                of two, or the period negative; when lowered: LowerError GC363 the last dimension is not made of 2, 4,
                8... chunks.
        """
        place = self._dimension(axis, "storage_swizzle", self.op.region_axis[:-1])
        given: list[object] = [vector, period]
        if not all([isinstance(x, int) for x in given]) or vector < 1 or vector & (vector - 1) or period < 0:
            raise schedule_error(
                "GC104",
                f"storage_swizzle: vector is {vector!r} and period {period!r}; they must be 1, 2, 4, 8 or 16 elements, "
                "and a number of rows",
                stage=self,
                where=caller_span(),
                hint="vector: as many elements as a thread loads at once; period: rows between those that a warp reads",
            )
        self.swizzle = (place, vector, period)
        self.swizzle_span = self._record("storage_swizzle", (axis, vector, period), {}, ())

    def double_buffer(self) -> None:
        """Keep two copies of the tensor, so that the next one is filled while this one is read.

        >>> s = te.create_schedule(D.op)
        >>> io, ii = s[D].split(D.op.axis[0], factor=4)
        >>> s[B].compute_at(s[D], io)
        >>> show(s)
        for i_outer in T.serial(2):
            with T.realize(B[i_outer * 4:i_outer * 4 + 4], "float32", "global"):
                for i in T.serial(4):
                    B[i + i_outer * 4] = V[i + i_outer * 4] * 2.0
                for i_inner in T.serial(4):
                    D[i_outer * 4 + i_inner] = B[i_outer * 4 + i_inner] + 1.0
        >>> s[B].double_buffer()
        >>> show(s)
        for i_outer in T.serial(2):
            with T.realize(B[i_outer * 4:i_outer * 4 + 4], "float32", "global"):
                with T.attr(B, "double_buffer_scope", 1):
                    for i in T.serial(4):
                        B[i + i_outer * 4] = V[i + i_outer * 4] * 2.0
                    for i_inner in T.serial(4):
                        D[i_outer * 4 + i_inner] = B[i_outer * 4 + i_inner] + 1.0
        """
        self.require_compute("double_buffer")
        self.double_buffered = True
        self._record("double_buffer", (), {}, ())

    def set_store_predicate(self, predicate: ExprLike) -> None:
        """Store only where ``predicate`` holds, an expression of thread axes and of axes of this stage.

        A fresh ``te.thread_axis`` stands for the thread of its tag, if it has no other name.  Of several threads
        that it leaves for one element of a reduction, the first adds to it.

        >>> s[C].bind(i, te.thread_axis("threadIdx.x"))
        >>> show(s)
        with T.launch_thread("threadIdx.x", 6) as threadIdx_x:
            for j in T.serial(8):
                C[threadIdx_x, j] = A[threadIdx_x, j] + 1.0
        >>> s[C].set_store_predicate(te.thread_axis("threadIdx.x").equal(0))
        >>> show(s)
        with T.launch_thread("threadIdx.x", 6) as threadIdx_x:
            for j in T.serial(8):
                if threadIdx_x == 0:
                    C[threadIdx_x, j] = A[threadIdx_x, j] + 1.0

        Raises:
            ScheduleError: GC104 it is no condition; when lowered: it uses a reduction axis, or no axis of the kernel,
                or lets several threads add to one element, of which the first thread need not be one.
        """
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
        self.store_predicate_span = self._record("set_store_predicate", (self.store_predicate,), {}, ())
