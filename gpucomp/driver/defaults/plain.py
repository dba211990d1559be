"""The simplest rules, for stages of which little is known: each output element is a thread's, or a block's."""

from __future__ import annotations

from typing import Final

from gpucomp.driver.defaults.access import product
from gpucomp.target import Target
from gpucomp.te.api import thread_axis
from gpucomp.te.operation import ComputeOp
from gpucomp.te.state import Schedule

THREADS: Final = 256
ROW_THREADS: Final = 128
MOST_ROWS: Final = 1 << 16


def schedule(sch: Schedule, op: ComputeOp, target: Target) -> str:
    """Reduce long rows by blocks, everything else by threads."""
    stage = sch[op]
    rows = min(ROW_THREADS, target.max_num_threads)
    reduced = product(op.reduce_axis)
    long = reduced is None or reduced >= 2 * rows
    if op.reduce_axis and len(op.body) == 1 and long and (product(op.axis) or 1 << 30) <= MOST_ROWS:
        outer = stage.fuse(*op.axis)
        reduction = op.reduce_axis[0] if len(op.reduce_axis) == 1 else stage.fuse(*op.reduce_axis)
        _, inner = stage.split(reduction, factor=rows)
        why = f"a block of {rows} threads for each element"
    else:
        threads = min(THREADS, target.max_num_threads)
        outer, inner = stage.split(stage.fuse(*op.axis), factor=threads)
        why = f"one element a thread, {threads} of a block"
    stage.bind(outer, thread_axis("blockIdx.x"))
    stage.bind(inner, thread_axis("threadIdx.x"))
    return why
