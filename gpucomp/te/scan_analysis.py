"""Questions about scans under their public names."""

from __future__ import annotations

from gpucomp.support.diagnostics import caller_span
from gpucomp.te.errors import schedule_error
from gpucomp.te.operation import Operation
from gpucomp.te.scan import ScanOp
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IterVar


def scan_get_body(scan_op: Operation) -> list[Operation]:
    """The operations of one step of a scan, producers first: from the states to the updates.

    Raises:
        ScheduleError: GC104 it is no scan.
    """
    return list(_scan(scan_op, "ScanGetBody").body)


def scan_fix_point(scan_op: Operation) -> dict[IterVar, Expr]:
    """For each spatial axis of a scan: 1 if elements depend on earlier ones at the same index only, else 0.

    Along such an axis any part of the result can be computed by itself.

    Raises:
        ScheduleError: GC104 it is no scan.
    """
    op = _scan(scan_op, "ScanFixPointAnalysis")
    return {axis: operators.const(int(fixed)) for axis, fixed in op.fixed_axis.items()}


def _scan(op: object, name: str) -> ScanOp:
    if isinstance(op, ScanOp):
        return op
    raise schedule_error(
        "GC104",
        f"{name} needs the operation of a te.scan, got {type(op).__name__}",
        where=caller_span(),
        hint="pass scan.op, where scan = te.scan(...)",
    )
