"""Lanes: the threads that run in lockstep, in batches of whole blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from gpucomp.tir.fragments import LANE_ELEMENTS, WARP, ldmatrix_meaning, mma_meaning
from gpucomp.tir.interp.broadcast import broadcast
from gpucomp.tir.interp.faults import BOUNDS, DIVERGENCE, DIVISION, EXCHANGE, UNSUPPORTED, Faults
from gpucomp.tir.interp.memory import Memory, SharedMemory

Lanes1 = NDArray[np.int64]
Mask = NDArray[np.bool_]
Values = NDArray[Any]  # of any element type

BLOCK_TAGS: Final = ("blockIdx.x", "blockIdx.y", "blockIdx.z")
THREAD_TAGS: Final = ("threadIdx.x", "threadIdx.y", "threadIdx.z")
CLUSTER_TAG: Final = "clusterIdx.x"
COPIED: Final = 64  # elements of a bulk copy at a time
Blocks = Literal["all"] | int | Sequence[int]


@dataclass(slots=True)
class KernelReport:
    """What one run of one kernel (or of one parallel loop) did.

    Attributes:
        name: of the kernel or loop.
        grid: blocks along x, y, z; those of a cluster are neighbours along x.
        block: threads along x, y, z.
        blocks_run: numbers of the blocks that ran (x fastest).
        barriers: barriers that a batch of blocks passed, in total.
    """

    name: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    blocks_run: list[int] = field(default_factory=list[int])
    barriers: int = 0


@dataclass(slots=True)
class Settings:
    """What to check and how much to run."""

    races: bool = True
    bounds: bool = True
    poison: bool = True
    blocks: Blocks = "all"
    max_lanes: int = 1 << 14
    warp: int = 32
    granule: int = 0  # bytes in which memory may be read whole, also where only a part belongs to an array


def sample_blocks(total: int, blocks: Blocks) -> list[int]:
    """The blocks to run: all, the given ones, or a fixed sample with the first and the last."""
    if blocks == "all":
        return list(range(total))
    if not isinstance(blocks, int):
        return [b for b in dict.fromkeys(blocks) if 0 <= b < total]
    if blocks >= total:
        return list(range(total))
    ends = [0, total - 1][: max(blocks, 1)]
    drawn = np.random.default_rng(total).permutation(max(total - 2, 0))[: max(blocks - 2, 0)] + 1
    return sorted({*ends, *drawn.tolist()})


class Launch:
    """One run of a kernel: its extents, and the batches in which its blocks run."""

    def __init__(
        self, name: str, extents: dict[str, int], settings: Settings, faults: Faults, site: int, loop: str = ""
    ) -> None:
        self.kernel = name
        self.loop = loop
        self.extents = extents
        self.settings = settings
        self.faults = faults
        unknown = [t for t in extents if t not in (*BLOCK_TAGS, CLUSTER_TAG, *THREAD_TAGS)]
        if unknown:
            raise faults.error(UNSUPPORTED, f"thread axis {unknown[0]} has no meaning here", site)
        gx, gy, gz = (extents.get(t, 1) for t in BLOCK_TAGS)
        bx, by, bz = (extents.get(t, 1) for t in THREAD_TAGS)
        self.cluster = extents.get(CLUSTER_TAG, 1)
        self.grid, self.block = (gx * self.cluster, gy, gz), (bx, by, bz)
        self.threads = bx * by * bz
        self.total_blocks = gx * gy * gz * self.cluster
        self.report = KernelReport(name, self.grid, self.block)
        self.tracked: list[Memory] = []

    def batches(self) -> Iterator[Batch]:
        """Lanes of some blocks at a time."""
        if self.threads <= 0 or self.total_blocks <= 0:
            return
        chosen = sample_blocks(self.total_blocks, "all" if self.loop else self.settings.blocks)
        step = max(1, self.settings.max_lanes // self.threads)
        if self.cluster > 1:  # the blocks of a cluster run together
            clusters = dict.fromkeys([block // self.cluster for block in chosen])
            chosen = [c * self.cluster + rank for c in clusters for rank in range(self.cluster)]
            step = max(1, step // self.cluster) * self.cluster
        for first in range(0, len(chosen), step):
            part = chosen[first : first + step]
            yield Batch(self, np.array(part, np.int64))
            self.report.blocks_run += part

    def describe(self, lane: int) -> str:
        """Name of a lane by its global number."""
        block, thread = divmod(lane, self.threads)
        if self.loop:
            return f"iteration {block} of {self.loop}"
        gx, gy, _ = self.grid
        bx, by, _ = self.block
        b = (block % gx, block // gx % gy, block // (gx * gy))
        t = (thread % bx, thread // bx % by, thread // (bx * by))
        return f"block {b} thread {t}"


class Batch:
    """Some blocks of a kernel, in lockstep.  Lane number = block in batch * threads per block + thread.

    Attributes:
        L: lanes. B: blocks. T: threads per block.
        lane: 0 .. L-1. block: block in batch of each lane. gl: global number of each lane.
    """

    def __init__(self, launch: Launch, ids: Lanes1) -> None:
        self.launch = launch
        self.faults = launch.faults
        self.warp = launch.settings.warp
        self.ids = ids
        self.T = launch.threads
        self.B = len(ids)
        self.L = self.B * self.T
        self.lane = np.arange(self.L)
        self.block = self.lane // self.T
        self.thread = self.lane % self.T
        self.gl = ids[self.block] * self.T + self.thread
        self.memories: dict[int, Any] = {}  # slot -> memory of this batch, of either class
        self.phases: dict[str, list[SharedMemory]] = {"shared": [], "warp": []}
        self.started: list[Callable[[], None]] = []  # asynchronous stores of no group yet
        self.groups: list[list[Callable[[], None]]] = []

    def index(self, tag: str) -> Lanes1:
        """blockIdx, clusterIdx or threadIdx of each lane along one axis."""
        cluster = self.launch.cluster
        if tag == CLUSTER_TAG:
            return np.ascontiguousarray(self.ids[self.block] % cluster)
        axis = "xyz".index(tag[-1])
        launch = self.launch
        number, extents = (
            (self.ids[self.block], launch.grid) if tag.startswith("block") else (self.thread, launch.block)
        )
        for extent in extents[:axis]:
            number = number // extent
        number = number % extents[axis]
        return np.ascontiguousarray(number // cluster if tag == "blockIdx.x" else number)

    # -- faults -----------------------------------------------------------------------------------------------

    def fault(self, code: str, message: str, site: int, lane: int | None = None, hint: str | None = None) -> Exception:
        """An error at ``site``, met by a lane of this batch."""
        who = "" if lane is None else f" by {self.launch.describe(int(self.gl[lane]))}"
        return self.faults.error(code, message + who, site, kernel=self.launch.kernel, hint=hint)

    def first(self, bad: Values) -> tuple[int, int]:
        """Lane and vector lane of the first true entry."""
        where = np.argwhere(bad)
        head = where[0]
        return int(head[0]) if bad.shape[0] > 1 or self.L == 1 else 0, int(head[-1]) if bad.ndim > 1 else 0

    def check_index(self, index: object, extent: Any, mask: Mask | None, site: int, what: str) -> None:
        """Raise if an active lane is outside [0, extent)."""
        rel = np.asarray(index)
        bad = (rel < 0) | (rel >= extent)
        if mask is not None:
            bad = bad & (mask[:, None] if bad.ndim == 2 and mask.ndim == 1 else mask)
        if not bad.any():
            return
        lane, part = self.first(bad)
        value = broadcast(rel, bad.shape)[(lane, part) if bad.ndim == 2 else (lane,) if bad.ndim else ()]
        size = broadcast(extent, bad.shape)[(lane, part) if bad.ndim == 2 else (lane,) if bad.ndim else ()]
        who = lane if bad.ndim and bad.shape[0] == self.L else (0 if mask is None else int(np.flatnonzero(mask)[0]))
        raise self.fault(BOUNDS, f"{what} is at {int(value)}, outside of [0, {int(size)}): out of bounds", site, who)

    def check_divisor(self, divisor: Any, mask: Mask | None, site: int) -> Any:
        """Raise if an active lane divides by zero; inactive lanes then divide by one."""
        zero = np.asarray(divisor) == 0
        if not zero.any():
            return divisor
        bad = broadcast(zero, (self.L, *zero.shape[1:]))
        if mask is not None:
            bad = bad & (mask[:, None] if bad.ndim == 2 else mask)
        if bad.any():
            raise self.fault(DIVISION, "division by zero", site, self.first(bad)[0])
        return np.where(zero, 1, divisor) if zero.ndim else 1

    def check_true(self, condition: object, mask: Mask | None, site: int, code: str, message: str) -> None:
        """Raise if the condition is false in an active lane."""
        bad = broadcast(~np.asarray(condition, bool), (self.L,))
        if mask is not None:
            bad = bad & mask
        if bad.any():
            raise self.fault(code, message, site, self.first(bad)[0])

    # -- meeting of lanes -------------------------------------------------------------------------------------

    def whole_groups(self, mask: Mask, size: int, site: int, what: str) -> Mask:
        """For each group of ``size`` lanes of a block, whether all are active; raise if only some are."""
        rows = mask.reshape(self.B, -1)
        pad = -rows.shape[1] % size
        some = np.pad(rows, ((0, 0), (0, pad))).reshape(self.B, -1, size).any(axis=2)
        every = np.pad(rows, ((0, 0), (0, pad)), constant_values=True).reshape(self.B, -1, size).all(axis=2)
        split = np.argwhere(some & ~every)
        if len(split) == 0:
            return np.asarray(every, bool)
        block, group = (int(v) for v in split[0])
        begin = block * self.T + group * size
        part = mask[begin : min(begin + size, (block + 1) * self.T)]
        at, away = begin + int(np.argmax(part)), begin + int(np.argmin(part))
        raise self._apart(at, away, site, what)

    def same_group(self, mask: Values, lanes: Values, site: int, what: str = "the cross-thread reduction") -> None:
        """Raise if some, but not all, lanes of the last axis are active."""
        split = np.argwhere(mask.any(axis=-1) & ~mask.all(axis=-1))
        if len(split) == 0:
            return
        on, who = mask[tuple(split[0])], lanes[tuple(split[0])]
        raise self._apart(int(who[np.argmax(on)]), int(who[np.argmin(on)]), site, what)

    def _apart(self, at: int, away: int, site: int, what: str) -> Exception:
        name = self.launch.describe
        return self.faults.error(
            DIVERGENCE,
            f"{what} is reached by {name(int(self.gl[at]))} but not by {name(int(self.gl[away]))}",
            site,
            kernel=self.launch.kernel,
            hint="move it out of the condition or loop that only some threads of the block take",
        )

    def barrier(self, scope: str, mask: Mask | None, site: int) -> None:
        """All threads of a block (or warp, or cluster) meet; a new phase begins."""
        if scope in ("cluster_arrive", "cluster_wait"):  # blocks that have started: they all have, here
            return
        self.launch.report.barriers += 1
        blocks: Mask | None = None
        cluster = self.launch.cluster if scope == "cluster" else 1
        if mask is not None and cluster > 1:
            rows, lanes = (x.reshape(-1, cluster * self.T) for x in (mask, self.lane))
            self.same_group(rows, lanes, site, "the cluster barrier")
            blocks = None if mask.all() else np.repeat(rows.any(axis=1), cluster)
        elif mask is not None:
            size = self.warp if scope == "warp" else self.T
            whole = self.whole_groups(mask, size, site, f"the {scope} barrier")
            blocks = None if mask.all() else np.asarray(whole.any(axis=1), bool)
        for memory in self.phases["warp"] + (self.phases["shared"] if scope != "warp" else []):
            memory.next_phase(self, blocks, cluster=cluster > 1)
        if scope in ("global", "device"):
            for memory in self.launch.tracked:
                memory.end_block_phase(self, blocks)

    # -- asynchronous stores: nothing is there until the group has been waited for -------------------------------

    def commit_group(self) -> None:
        """What was started since the last call is a group."""
        self.groups.append(self.started)
        self.started = []

    def wait_group(self, count: int) -> None:
        """Finish all groups but the newest ``count``."""
        while len(self.groups) > count:
            for finish in self.groups.pop(0):
                finish()

    def bulk_copy(
        self,
        to: SharedMemory,
        place: object,
        source: Memory,
        begin: object,
        count: object,
        mask: Mask | None,
        dtype: np.dtype[Any],
        site: int,
    ) -> None:
        """Copy ``count`` neighbouring elements to the shared memory of each active lane's block."""
        here, there, number = (broadcast(np.asarray(x, np.int64), (self.L,)) for x in (place, begin, count))
        for memory, first in ((to, here), (source, there)):
            self.check_index(first + (number - 1), memory.size, mask, site, f"the last element of {memory.name}")
        here = here + to.base(dtype.itemsize)
        number = number if mask is None else np.where(mask, number, 0)
        for k in range(0, int(number.max()), COPIED):
            more = np.arange(k, k + COPIED)
            on = more < number[:, None]
            value = source.load(self, there[:, None] + more, on, dtype, site)
            to.store(self, here[:, None] + more, value, on, dtype, site)

    def shuffle(
        self, how: str, active: object, value: Any, operand: object, width: object, mask: Mask | None, site: int
    ) -> Values:
        """Exchange a value within each warp: by lane number, up, down or xor, inside segments of ``width``."""
        data = broadcast(value, (self.L,))
        step = broadcast(np.asarray(operand, np.int64), (self.L,))
        size = broadcast(np.asarray(width, np.int64), (self.L,))
        own = self.thread % self.warp
        start = own - own % size
        if how == "shuffle":
            source = start + step % size
        elif how == "shuffle_xor":
            source = own ^ step
            source = np.where(source < start + size, source, own)
        else:
            source = own + (step if how == "shuffle_down" else -step)
            source = np.where((source >= start) & (source < start + size), source, own)
        thread = self.thread - own + source
        beyond = thread >= self.T
        lane = np.where(beyond, self.lane, self.block * self.T + thread)
        if mask is not None:
            absent = mask & ~mask[lane]
            if absent.any():
                me = int(np.argmax(absent))
                other = self.launch.describe(int(self.gl[lane[me]]))
                raise self.fault(EXCHANGE, f"{how} reads {other}, which does not take part; asked", site, me)
        return data[lane]

    def whole_warps(self, what: str, mask: Mask | None, site: int) -> None:
        """Raise unless all threads of each warp make a call together."""
        if self.T % self.warp or self.warp != WARP:
            raise self.fault(
                EXCHANGE, f"{what} of a block of {self.T} threads, which are no whole warps, asked", site, 0
            )
        if mask is not None:
            self.whole_groups(mask, self.warp, site, what)

    def ldmatrix(self, rows: Any, trans: bool, mask: Mask | None, site: int) -> Values:
        """Rows of matrices, exchanged within each warp."""
        self.whole_warps("ldmatrix", mask, site)
        return ldmatrix_meaning(broadcast(rows, (self.L, LANE_ELEMENTS)), trans)

    def mma(self, a: Any, b: Any, c: Any, mask: Mask | None, site: int) -> Values:
        """Products of the fragments of each warp."""
        self.whole_warps("mma", mask, site)
        return mma_meaning(a, b, c)

    def activemask(self, mask: Mask | None) -> Values:
        """Bit set of the active lanes of each lane's warp."""
        on = np.ones(self.L, bool) if mask is None else mask
        own = self.thread % self.warp
        out = np.zeros(self.L, np.uint64)
        warp_of = self.block * (-(-self.T // self.warp)) + self.thread // self.warp
        bits = np.zeros(int(warp_of.max()) + 1, np.uint64)
        np.bitwise_or.at(bits, warp_of[on], np.left_shift(np.uint64(1), own[on].astype(np.uint64)))
        out[:] = bits[warp_of]
        return out.astype(np.uint32) if self.warp <= 32 else out

    def all_reduce(
        self,
        combine: Callable[..., tuple[Any, ...]],
        values: list[Any],
        tags: Sequence[str],
        mask: Mask | None,
        site: int,
    ) -> list[Values]:
        """Combine over the threads along ``tags``, pairwise; every lane gets the result.

        Threads that are reduced over must take part together; those of other groups need not.
        """
        bx, by, bz = self.launch.block
        cluster = self.launch.cluster
        axes = [1 if t == CLUSTER_TAG else 2 + "zyx".index(t[-1]) for t in tags]
        shape = (self.B // cluster, cluster, bz, by, bx)

        def grouped(value: Any) -> Values:
            full = broadcast(value, (self.L,)).reshape(shape)
            moved = np.moveaxis(full, axes, range(5 - len(axes), 5))
            return moved.reshape(*moved.shape[: 5 - len(axes)], -1)

        if mask is not None:
            self.same_group(grouped(mask), grouped(self.lane), site)
        grids = [grouped(value) for value in values]
        count = grids[0].shape[-1]
        while count > 1:
            half = (count + 1) // 2
            low = [g[..., : count - half] for g in grids]
            high = [g[..., half:count] for g in grids]
            joined = combine(*low, *high)
            grids = [
                np.concatenate([broadcast(j, a.shape).astype(a.dtype), g[..., count - half : half]], axis=-1)
                for j, a, g in zip(joined, low, grids, strict=True)
            ]
            count = half
        out: list[Values] = []
        for grid in grids:
            kept = [1 if a in axes else shape[a] for a in range(5)]
            out.append(np.ascontiguousarray(broadcast(grid.reshape(kept), shape)).reshape(-1))
        return out

    # -- memory -----------------------------------------------------------------------------------------------

    def memory(self, slot: int, make: Callable[[], Any], size: int) -> Any:  # Any: any class of memory
        """The memory of an allocation: one per batch, reused (and poisoned again) when entered again."""
        old = self.memories.get(slot)
        if old is not None and old.size == size:
            old.poison()
            return old
        fresh = self.memories[slot] = make()
        if isinstance(fresh, SharedMemory):
            self.phases[fresh.phase_scope].append(fresh)
        return fresh
