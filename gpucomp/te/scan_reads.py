"""Steps that a part of a scan may read: those before the one that runs.

What is computed for the threads past the end of an uneven split may stand for any element, and for any step where the
region of a part is not known exactly.  Memory of other stages is complete by then; the rows of a state from the
present step on are being written by other threads, and before the first row there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpucomp.te.message_passing import pass_up_index
from gpucomp.te.operation import ComputeOp, Operation
from gpucomp.te.scan import ScanOp
from gpucomp.te.stage import Stage
from gpucomp.te.tensor import Tensor
from gpucomp.tir import operators
from gpucomp.tir.expr import GE, LT, Expr, IterVar, Var
from gpucomp.tir.functor import substitute

if TYPE_CHECKING:
    from gpucomp.te.bound import Bounds
    from gpucomp.te.nest import Loops
    from gpucomp.te.state import Schedule


class ScanReads:
    """The states of the scans of a schedule, and the step that runs.

    Args:
        schedule: a normalised schedule.
        bounds: result of ``infer_bound``.
        loops: what loops are in the code.
    """

    def __init__(self, schedule: Schedule, bounds: Bounds, loops: Loops) -> None:
        self.bounds, self.loops = bounds, loops
        # With each tensor, the rows from the present step on that are complete: its update has written the present one.
        self.scans: dict[Tensor, tuple[Stage, int]] = {}
        for stage in schedule.stages:
            if isinstance(stage.op, ScanOp):
                self.scans.update(dict.fromkeys(stage.op.state_placeholder, (stage, 0)))
                self.scans.update(dict.fromkeys(stage.op.update, (stage, 1)))

    def guards(self, stage: Stage, op: Operation, mapping: dict[Var, Expr]) -> list[Expr]:
        """Conditions for what a stage reads of states, where earlier steps are not proven.

        None for an update: where it runs past its end it does nothing.
        """
        if not self.scans or not isinstance(op, ComputeOp) or stage in self.bounds.shares:
            return []
        out: list[Expr] = []
        for tensor, accesses in op.reads:
            if tensor not in self.scans:
                continue
            scan, complete = self.scans[tensor]
            end = operators.add(self._step(scan), complete)
            rows: list[Expr] = [substitute(indices[0], mapping) for indices in accesses]
            for row in dict.fromkeys(rows):
                out += (
                    [] if self.bounds.forms.at_least(self.bounds.forms.of(row), 0) else [operators.compare(GE, row, 0)]
                )
                out += [] if self._is_before(row, end) else [operators.compare(LT, row, end)]
        return out

    def _step(self, scan: Stage) -> Expr:
        assert isinstance(scan.op, ScanOp)
        values: dict[IterVar, Expr] = {leaf: self.loops.value(scan, leaf) for leaf in scan.leaf_iter_vars}
        return pass_up_index(scan, self.bounds.doms, values)[scan.op.scan_axis]

    def _is_before(self, row: Expr, end: Expr) -> bool:
        forms = self.bounds.forms
        return forms.at_least(forms.of(end).plus(forms.of(row), -1), 1)
