"""Scans on GPUs: a block for each row, a thread for each run of elements."""

from __future__ import annotations

from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition, extent, row_lanes
from gpucomp.kernels.scans.compute import RUNS
from gpucomp.target import Target
from gpucomp.te import Schedule, Stage, Tensor
from gpucomp.tir.expr import IterVar

THREADS: Final = 256
HELD_VALUES: Final = 64  # of a row that a thread keeps
# Groups whose sums each thread adds up itself, rather than wait for those that do it for all; of more of them, AMD's
# compilers run out of scalar registers, one pair for each condition.
FEW_GROUPS: Final = 64
FEW_WITHOUT_SHUFFLES: Final = 16


def schedule_scan(defn: Definition, target: Target) -> Schedule:
    """The threads of a group are neighbouring lanes, which add up its runs; the sums of groups meet in shared memory.

    A row that the registers of a block hold is read once; elements of longer ones are read twice.
    """
    return _Scan(defn, target).schedule()


class _Scan:
    """One schedule while it is made."""

    def __init__(self, defn: Definition, target: Target) -> None:
        (self.out,) = defn.outputs
        self.x, self.runs, self.groups, self.earlier, self.inside, self.within = defn.intermediates
        self.s = te.create_schedule(self.out.op)
        self.run = run = int(str(self.x.shape[3]))
        n = extent(self.out.shape[1])
        groups = None if n is None else -(-n // (RUNS * run))
        threads = min(THREADS, target.max_num_threads)
        self.many = threads // RUNS if groups is None else max(1, min(threads // RUNS, groups))
        self.held = groups is not None and -(-groups // self.many) * run <= HELD_VALUES
        few = FEW_GROUPS if "shuffle" in target.features else FEW_WITHOUT_SHUFFLES
        self.few = groups is not None and groups <= few
        self.lanes = min(run, row_lanes(n, defn.inputs[0].dtype.nbytes))
        self.tx, self.ty = te.thread_axis("threadIdx.x"), te.thread_axis("threadIdx.y")

    def schedule(self) -> Schedule:
        s, stage = self.s, self.s[self.out]
        first, second = self.x, self.x
        if not self.held:
            first, second = [s.cache_read(self.x, "local", [reader]) for reader in (self.runs, self.within)]
            s[self.x].compute_inline()
        row, j = self.out.op.axis
        mine, lane = stage.split(j, factor=self.run)
        group, mine = stage.split(mine, factor=RUNS)
        turn, group = stage.split(group, factor=self.many)
        outer, lane = stage.split(lane, factor=self.lanes)
        stage.reorder(row, group, mine, turn, outer, lane)
        stage.bind(row, te.thread_axis("blockIdx.x"))
        stage.bind(group, self.ty)
        stage.bind(mine, self.tx)
        stage.unroll(outer)
        self._vectorize(stage, lane)
        if self.held:
            stage.unroll(turn)
            self._hold(stage, row)
        else:
            self._load(second, stage, turn)
        for tensor in (self.inside, self.within, *([self.earlier] if self.few else [])):
            s[tensor].compute_at(stage, turn)
            s[tensor].set_scope("local")
            s[tensor].unroll(s[tensor].op.reduce_axis[0])
        s[self.within].unroll(self.within.op.axis[3])
        self._sums(stage, row, first)
        return s

    def _sums(self, stage: Stage, row: IterVar, elements: Tensor) -> None:
        """Sums of runs and of groups, and where there are many of the groups before each."""
        runs, groups = self.s[self.runs], self.s[self.groups]
        for own in (runs, groups, *([] if self.few else [self.s[self.earlier]])):
            own.compute_at(stage, row)
            own.set_scope("shared")
        turn, group = runs.split(self.runs.op.axis[1], factor=self.many)
        lane = self.runs.op.axis[2]
        runs.reorder(group, lane, turn)
        runs.bind(group, self.ty)
        runs.bind(lane, self.tx)
        runs.unroll(runs.op.reduce_axis[0])
        if self.held:
            runs.unroll(turn)
        else:
            self._load(elements, runs, turn)
        turn, group = groups.split(self.groups.op.axis[1], factor=self.many)
        groups.bind(group, self.ty)
        groups.bind(groups.op.reduce_axis[0], self.tx)
        if not self.few:
            own = self.s[self.earlier]
            turn, group = own.split(self.earlier.op.axis[1], factor=self.many)
            lane, _ = own.split(turn, nparts=RUNS)
            own.bind(group, self.ty)
            own.bind(lane, self.tx)

    def _hold(self, stage: Stage, row: IterVar) -> None:
        """Keep what a thread scans in registers, turn by turn."""
        own, many = self.s[self.x], self.many
        own.compute_at(stage, row)
        own.set_scope("local")
        _, turn, _, _, lane = own.transform_layout(lambda i, g, q, v: [i, g // many, g % many, q, v])
        own.unroll(turn)
        self._vectors(own, lane)

    def _load(self, tensor: Tensor, stage: Stage, at: IterVar) -> None:
        own = self.s[tensor]
        own.compute_at(stage, at)
        own.set_scope("local")
        self._vectors(own, tensor.op.axis[3])

    def _vectors(self, own: Stage, lane: IterVar) -> None:
        outer, lane = own.split(lane, factor=self.lanes)
        own.unroll(outer)
        self._vectorize(own, lane)

    def _vectorize(self, own: Stage, lane: IterVar) -> None:
        if self.lanes > 1:
            own.vectorize(lane)
