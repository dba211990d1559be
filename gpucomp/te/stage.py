"""A stage: the loop nest of one operation, and the primitives that change it, one file for each family."""

from __future__ import annotations

from gpucomp.te.stage_layout import LayoutPrimitives
from gpucomp.te.stage_loops import LoopPrimitives
from gpucomp.te.stage_marks import MarkPrimitives
from gpucomp.te.stage_placement import PlacePrimitives
from gpucomp.te.stage_rolling import RollingPrimitives
from gpucomp.te.stage_storage import StorePrimitives
from gpucomp.te.stage_tensorize import TensorizePrimitives


class Stage(
    LoopPrimitives,
    MarkPrimitives,
    PlacePrimitives,
    StorePrimitives,
    LayoutPrimitives,
    RollingPrimitives,
    TensorizePrimitives,
):
    """The schedule of one operation.  Get it by ``s[tensor]``."""
