"""Errors of the schedule language.

Every code has one meaning; ``GC10x`` and ``GC11x`` are raised by the primitive itself, ``GC12x`` to ``GC15x`` when
the schedule is normalised or lowered, at the recorded line of the primitive that caused them.

======  ==============================================================================================
code    meaning
======  ==============================================================================================
GC101   the tensor is not part of this schedule
GC102   the axis is no leaf of the stage: a split, a fuse or another primitive consumed it
GC103   the axis belongs to another stage
GC104   an argument has the wrong kind or value
GC105   an output of the schedule cannot be inlined
GC106   the axis already has an annotation that excludes this one
GC107   reorder names an axis twice
GC108   axes to fuse are not adjacent, or mix data-parallel with reduction axes
GC109   the stage is an input: there is no loop nest to schedule
GC110   compute_at would attach a stage to itself or close a cycle of attachments
GC111   a reader of cache_read does not read the tensor
GC112   cache_write of something that is no compute stage, or of a stage whose axes are scheduled already
GC113   rfactor of something that is no leaf reduction axis, or of a cross-thread reduction
GC114   unknown storage scope
GC115   storage_align of an axis that is no dimension of the tensor
GC116   a group is empty, is inlined, or would be left by a compute_at
GC117   transform_layout by a map without an inverse, or of a tensor whose order is fixed
GC118   rolling_buffer where there is no window that rolls
GC119   reindex_cache_read of more than one element a step, or without all axes that it depends on
GC120   one thread axis is bound with different extents
GC121   compute_at into a stage that does not consume the tensor
GC122   a reduction axis is bound without a cross-thread form
GC123   vectorised axis whose extent is no constant, or that is a reduction axis
GC124   a reduction is inlined
GC125   the attachments form a cycle, or an attachment lost its axis
GC126   two axes of one stage are bound to the same thread axis
GC127   the extent of a thread axis depends on a loop variable
GC128   the storage scope cannot be seen by all threads that read it
GC129   a parallel annotation on a reduction axis
GC130   a tensor is missing from the arguments
GC131   a variable is neither an argument nor the extent of one
GC132   an argument appears twice, is of the wrong kind, or does not fit its buffer
GC140   an operation without expressions is inlined, or reads an inlined stage
GC141   a part of a scan is read, or is an output, outside of the scan
GC142   threads of one kernel over all steps of a scan exchange elements through global memory
GC143   a part of a scan is computed elsewhere, or its steps do not run in order
GC144   a part of a join has memory or a layout of its own, or is accessed in one piece
GC145   loops of a hybrid script are not perfectly nested, as a primitive needs them
GC146   a loop of a hybrid script whose iterations depend on each other is to run in parallel
GC147   an operation with threads of its own is computed inside of a kernel
GC150   the declaration of a tensor intrinsic is no compute over placeholders, or its function returns no statements
GC151   tensorized loops hold attached stages, marks or threads, or do not run over a whole box
GC152   a tile that bounds or conditions cut off cannot be tensorized
GC153   the loops have other extents than the tensor intrinsic
GC154   the stage computes something else than the tensor intrinsic
GC155   a part of a reduction is tensorized by an intrinsic without an update
GC156   memory does not fulfil what a buffer of a tensor intrinsic requires
GC157   a tensor intrinsic is called in a te.compute with regions, scalars or axes that it does not take
GC158   a tensor intrinsic is the work of threads that its kernel does not have
GC159   a stage needs elements of tiles in registers that other threads of the warp hold
======  ==============================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpucomp.support.diagnostics import ScheduleError, Span
from gpucomp.support.expect import expect

if TYPE_CHECKING:
    from gpucomp.te.stage_state import StageState


def schedule_error(
    code: str, message: str, *, stage: StageState | None = None, where: Span | None = None, hint: str | None = None
) -> ScheduleError:
    """Build an error whose context line shows the stage and its loop nest."""
    context = None if stage is None else f"stage {stage.name}, {stage.nest_text()}"
    return ScheduleError(message, code=code, where=where, context=context, hint=hint)


def needs_schedule(value: object, function: str) -> None:
    """Refuse what is no schedule.

    Raises:
        TypeMismatchError: GC252.
    """
    from gpucomp.te.state import Schedule  # which needs this module

    expect(value, Schedule, function, "make one with te.create_schedule(C.op)")
