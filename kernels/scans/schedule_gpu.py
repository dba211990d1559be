"""Scans on GPUs: a block for each row, or chunk of a long one; a thread for each run of elements."""

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
FEW_OF_A_CHUNK: Final = 32  # with the chunks before to be added, NVIDIA's compiler spills sooner
CHUNK_THREADS: Final = 1024  # of a multiprocessor at least: told nothing, NVIDIA's compiler aims at more, and spills
LANES: Final = 32  # threads that add up the sums of the chunks before one


def schedule_scan(defn: Definition, target: Target) -> Schedule:
    """The threads of a group are neighbouring lanes, which add up its runs; the sums of groups meet in shared memory.

    A row that the registers of a block hold is read once; elements of longer ones are read twice.  Sums of chunks are
    added up by kernels before.
    """
    scan = _Scan(defn, target)
    if scan.chunked:
        _schedule_chunks(scan)
    return scan.schedule()


def why(defn: Definition, target: Target) -> str:
    """What led to the blocks of a scan, in one line."""
    scan = _Scan(defn, target)
    what = "a block for each row"
    if scan.chunked:
        what = f"a block for each chunk of {scan.chunked[0].shape[-1]} elements, whose sums two kernels before add up"
    kept = "registers hold what it scans" if scan.held else "what it scans is read twice, for registers do not hold it"
    sums = "each thread adds up the groups before its own" if scan.few else "threads share the groups before each"
    return f"{what}; runs of {scan.run} elements in vectors of {scan.lanes}; {kept}; {sums}"


def _schedule_chunks(scan: _Scan) -> None:
    """A block for each chunk adds up its elements, some threads for each the sums of those before."""
    s, (y, parts, before) = scan.s, scan.chunked
    stage = s[parts]
    place = stage.fuse(*parts.op.axis)
    turn, mine = stage.split(parts.op.reduce_axis[0], factor=scan.threads * scan.lanes)
    thread, lane = stage.split(mine, factor=scan.lanes)
    stage.reorder(place, thread, turn, lane)
    stage.bind(place, te.thread_axis("blockIdx.x"))
    stage.bind(thread, te.thread_axis("threadIdx.x"))
    stage.unroll(lane)
    s[y].compute_at(stage, turn)
    s[y].set_scope("local")
    scan.vectorize(s[y], y.op.axis[-1])
    stage = s[before]
    place = stage.fuse(*before.op.axis)
    block, place = stage.split(place, factor=scan.threads // LANES)
    _, lane = stage.split(before.op.reduce_axis[0], factor=LANES)
    stage.bind(block, te.thread_axis("blockIdx.x"))
    stage.bind(place, te.thread_axis("threadIdx.y"))
    stage.bind(lane, te.thread_axis("threadIdx.x"))


class _Scan:
    """One schedule while it is made."""

    def __init__(self, defn: Definition, target: Target) -> None:
        (self.out,) = defn.outputs
        *self.chunked, self.x, self.runs, self.groups, self.earlier, self.inside, self.within = defn.intermediates
        self.s = te.create_schedule(self.out.op)
        self.run = run = int(str(self.x.shape[-1]))
        n = extent(self.out.shape[1])
        groups = extent(self.x.shape[-3])
        self.threads = threads = min(THREADS, target.max_num_threads)
        self.many = threads // RUNS if groups is None else max(1, min(threads // RUNS, groups))
        self.held = groups is not None and -(-groups // self.many) * run <= HELD_VALUES
        few = FEW_GROUPS if "shuffle" in target.features else FEW_WITHOUT_SHUFFLES
        self.few = groups is not None and groups <= (min(few, FEW_OF_A_CHUNK) if self.chunked else few)
        self.lanes = min(run, row_lanes(n, defn.inputs[0].dtype.nbytes))
        self.tx, self.ty = te.thread_axis("threadIdx.x"), te.thread_axis("threadIdx.y")

    def schedule(self) -> Schedule:
        s, stage = self.s, self.s[self.out]
        first, second = self.x, self.x
        if not self.held:
            first, second = [s.cache_read(self.x, "local", [reader]) for reader in (self.runs, self.within)]
            s[self.x].compute_inline()
        row, j = self._blocks(stage)
        mine, lane = stage.split(j, factor=self.run)
        group, mine = stage.split(mine, factor=RUNS)
        turn, group = stage.split(group, factor=self.many)
        outer, lane = stage.split(lane, factor=self.lanes)
        stage.reorder(row, group, mine, turn, outer, lane)
        stage.bind(group, self.ty)
        stage.bind(mine, self.tx)
        stage.unroll(outer)
        self.vectorize(stage, lane)
        if self.chunked:
            stage.pragma(row, "min_blocks", CHUNK_THREADS // self.threads)
        if self.held:
            stage.unroll(turn)
            self._hold(stage, row)
        else:
            self._load(second, stage, turn)
        for tensor in (self.inside, self.within, *([self.earlier] if self.few else [])):
            s[tensor].compute_at(stage, turn)
            s[tensor].set_scope("local")
            s[tensor].unroll(s[tensor].op.reduce_axis[0])
        s[self.within].unroll(self.within.op.axis[-1])
        self._sums(stage, row, first)
        return s

    def _blocks(self, stage: Stage) -> tuple[IterVar, IterVar]:
        """The loop over what a block computes, and the one over its elements."""
        row, j = self.out.op.axis
        if self.chunked:
            chunk, j = stage.split(j, factor=int(str(self.chunked[0].shape[-1])))
            if extent(self.out.shape[1]) is None:  # the number of a block of both would not tell what it reads
                stage.bind(row, te.thread_axis("blockIdx.x"))
                stage.bind(chunk, te.thread_axis("blockIdx.y"))
                return chunk, j
            row = stage.fuse(row, chunk)
        stage.bind(row, te.thread_axis("blockIdx.x"))
        return row, j

    def _sums(self, stage: Stage, row: IterVar, elements: Tensor) -> None:
        """Sums of runs and of groups, and where there are many of the groups before each."""
        runs, groups = self.s[self.runs], self.s[self.groups]
        for own in (runs, groups, *([] if self.few else [self.s[self.earlier]])):
            own.compute_at(stage, row)
            own.set_scope("shared")
        turn, group = runs.split(self.runs.op.axis[-2], factor=self.many)
        lane = self.runs.op.axis[-1]
        runs.reorder(group, lane, turn)
        runs.bind(group, self.ty)
        runs.bind(lane, self.tx)
        runs.unroll(runs.op.reduce_axis[0])
        if self.held:
            runs.unroll(turn)
        else:
            self._load(elements, runs, turn)
        turn, group = groups.split(self.groups.op.axis[-1], factor=self.many)
        groups.bind(group, self.ty)
        groups.bind(groups.op.reduce_axis[0], self.tx)
        if not self.few:
            own = self.s[self.earlier]
            turn, group = own.split(self.earlier.op.axis[-1], factor=self.many)
            lane, _ = own.split(turn, nparts=RUNS)
            own.bind(group, self.ty)
            own.bind(lane, self.tx)

    def _hold(self, stage: Stage, row: IterVar) -> None:
        """Keep what a thread scans in registers, turn by turn."""
        own, many = self.s[self.x], self.many
        own.compute_at(stage, row)
        own.set_scope("local")
        *_, turn, _, _, lane = own.transform_layout(lambda *at: [*at[:-3], at[-3] // many, at[-3] % many, *at[-2:]])
        own.unroll(turn)
        self._vectors(own, lane)

    def _load(self, tensor: Tensor, stage: Stage, at: IterVar) -> None:
        own = self.s[tensor]
        own.compute_at(stage, at)
        own.set_scope("local")
        self._vectors(own, tensor.op.axis[-1])

    def _vectors(self, own: Stage, lane: IterVar) -> None:
        outer, lane = own.split(lane, factor=self.lanes)
        own.unroll(outer)
        self.vectorize(own, lane)

    def vectorize(self, own: Stage, lane: IterVar) -> None:
        if self.lanes > 1:
            own.vectorize(lane)
