"""Shadow memory: which lanes read and wrote each unit of a memory since the last barrier.

Stamps are ``phase * lanes + lane``: beginning a phase costs nothing, since older stamps are smaller than its
base.  For each unit the last reader and writer are kept, and one more that is different from it, which is
enough to decide whether another lane took part.  Reads are only logged; the log is spent when a write comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final  # Any: an array of booleans or one of numpy's scalars

import numpy as np
from numpy.typing import NDArray

from gpucomp.tir.interp.faults import RACE

if TYPE_CHECKING:
    from gpucomp.tir.interp.lanes import Batch
    from gpucomp.tir.interp.memory import Memory

Index = NDArray[np.int64]
_LOG_CAP: Final = 1 << 22  # lane accesses that are kept for naming the other side of a race

Event = tuple[Index, Index, int]  # units, lanes, site


class Shadow:
    """Access history of one memory in one launch.

    Args:
        units: size of the memory, in units of its finest element type.
        lanes: lanes of the whole launch.
    """

    def __init__(self, units: int, lanes: int) -> None:
        self.units = units
        self.lanes = lanes
        self.base = 0
        self._writer = self._writer2 = self._reader = self._reader2 = self._atomic = self._atomic2 = _NONE
        self.reads: list[Event] = []
        self.writes: list[Event] = []
        self.spent = 0  # reads already entered into the arrays
        self.logged = 0
        self.has_reads = self.has_writes = self.has_atomics = False

    def next_phase(self) -> None:
        """All lanes have met: nothing before conflicts with anything after."""
        self.base += self.lanes
        self.reads, self.writes = [], []
        self.spent = self.logged = 0
        self.has_reads = self.has_writes = self.has_atomics = False

    def forget(self, select: NDArray[np.bool_]) -> None:
        """Drop the history of some units: the lanes that use them have met."""
        self._spend()
        for array in (self._writer, self._writer2, self._reader, self._reader2, self._atomic, self._atomic2):
            if len(array):
                array[select] = -1

    def owners(self) -> NDArray[np.int64]:
        """For each unit, all lanes that touched it last, one row for each array (-1: none)."""
        self._spend()
        arrays = (self._writer, self._writer2, self._reader, self._reader2, self._atomic, self._atomic2)
        kept = [a for a in arrays if len(a)]
        return np.stack(kept) if kept else np.full((1, self.units), -1, np.int64)

    # -- events -----------------------------------------------------------------------------------------------

    def read(self, batch: Batch, memory: Memory, idx: Index, lanes: Index, site: int) -> None:
        """Enter a read; raise if another lane wrote a unit in this phase."""
        stamp = lanes + self.base
        if self.has_writes:
            hit = self._others(self._writer, self._writer2, idx, stamp)
            if hit.any():
                self._read_of_written(batch, memory, idx[hit], lanes[hit], site)
        if self.has_atomics:
            self._refuse(batch, memory, self._atomic, self._atomic2, idx, stamp, site, ("read", "updated"))
        self.reads.append((idx, lanes, site))
        self._count(idx)

    def write(
        self, batch: Batch, memory: Memory, idx: Index, lanes: Index, changed: NDArray[np.bool_], site: int
    ) -> None:
        """Enter a write before it happens; ``changed`` tells where it alters the memory."""
        stamp = lanes + self.base
        if len(self.reads) > self.spent:
            self._spend()
        if self.has_reads:
            self._refuse(batch, memory, self._reader, self._reader2, idx, stamp, site, ("written", "read"), changed)
        if self.has_atomics:
            self._refuse(batch, memory, self._atomic, self._atomic2, idx, stamp, site, ("written", "updated"))
        if self.has_writes:
            self._refuse(batch, memory, self._writer, self._writer2, idx, stamp, site, ("written", "written"), changed)
        if not len(self._writer):
            self._writer, self._writer2 = self._empty(), self._empty()
        self._enter(self._writer, self._writer2, idx, stamp)
        self.has_writes = True
        self.writes.append((idx, lanes, site))
        self._count(idx)

    def clash(self, batch: Batch, memory: Memory, idx: Index, lanes: Index, differs: Any, site: int) -> None:
        """After a write: raise if two lanes gave one unit different values (``differs``: memory is not mine)."""
        if not differs.any():
            return
        at = int(np.argmax(differs))
        other = int(self._writer[idx[at]]) - self.base
        raise self._race(batch, memory, int(idx[at]), int(lanes[at]), other, ("written", "written"), site)

    def atomic(self, batch: Batch, memory: Memory, idx: Index, lanes: Index, site: int) -> None:
        """Enter an atomic update: it conflicts with plain reads and writes by other lanes."""
        stamp = lanes + self.base
        self._spend()
        if self.has_reads:
            self._refuse(batch, memory, self._reader, self._reader2, idx, stamp, site, ("updated", "read"))
        if self.has_writes:
            self._refuse(batch, memory, self._writer, self._writer2, idx, stamp, site, ("updated", "written"))
        if not len(self._atomic):
            self._atomic, self._atomic2 = self._empty(), self._empty()
        self._enter(self._atomic, self._atomic2, idx, stamp)
        self.has_atomics = True

    # -- bookkeeping ------------------------------------------------------------------------------------------

    def _empty(self) -> Index:
        return np.full(self.units, -1, np.int64)

    def _count(self, idx: Index) -> None:
        self.logged += len(idx)
        if self.logged > _LOG_CAP:
            self._spend()
            self.reads, self.writes, self.spent, self.logged = [], [], 0, 0

    def _spend(self) -> None:
        for idx, lanes, _ in self.reads[self.spent :]:
            if not len(self._reader):
                self._reader, self._reader2 = self._empty(), self._empty()
            self._enter(self._reader, self._reader2, idx, lanes + self.base)
            self.has_reads = True
        self.spent = len(self.reads)

    def _enter(self, last: Index, second: Index, idx: Index, stamp: Index) -> None:
        old = last[idx]
        other = (old >= self.base) & (old != stamp)
        if other.any():
            second[idx[other]] = old[other]
        last[idx] = stamp
        lost = last[idx] != stamp
        if lost.any():
            second[idx[lost]] = stamp[lost]

    def _others(self, last: Index, second: Index, idx: Index, stamp: Index) -> NDArray[np.bool_]:
        found = last[idx]
        return (found >= self.base) & ((found != stamp) | (second[idx] >= self.base))

    def _refuse(
        self,
        batch: Batch,
        memory: Memory,
        last: Index,
        second: Index,
        idx: Index,
        stamp: Index,
        site: int,
        verbs: tuple[str, str],
        where: NDArray[np.bool_] | None = None,
    ) -> None:
        hit = self._others(last, second, idx, stamp)
        if where is not None:
            hit &= where
        if not hit.any():
            return
        at = int(np.argmax(hit))
        unit, mine = int(idx[at]), int(stamp[at])
        other = int(last[unit]) if int(last[unit]) != mine else int(second[unit])
        raise self._race(batch, memory, unit, mine - self.base, other - self.base, verbs, site)

    def _read_of_written(self, batch: Batch, memory: Memory, idx: Index, lanes: Index, site: int) -> None:
        """Several lanes may write one value that each of them reads back; anyone else's read is a race."""
        wanted = idx * self.lanes + lanes
        own = np.zeros(len(idx), bool)
        for units, writers, _ in self.writes:
            own |= np.isin(wanted, units * self.lanes + writers)
        if own.all():
            return
        at = int(np.argmin(own))
        unit, lane = int(idx[at]), int(lanes[at])
        other = int(self._writer[unit]) - self.base
        raise self._race(batch, memory, unit, lane, other, ("read", "written"), site)

    def _race(
        self, batch: Batch, memory: Memory, unit: int, lane: int, other: int, verbs: tuple[str, str], site: int
    ) -> Exception:
        name = batch.launch.describe
        what = "writes" if verbs[1] == "written" else "reads" if verbs[1] == "read" else "updates"
        log = self.writes if verbs[1] == "written" else self.reads
        place = next((s for u, w, s in reversed(log) if ((u == unit) & (w == other)).any()), None)
        there = "" if place is None else f" in: {batch.faults.sites[place].text}"
        values = " with another value" if verbs == ("written", "written") else ""
        return batch.faults.error(
            RACE,
            f"data race on {memory.element(unit, batch)}: {verbs[0]} by {name(lane)} while {name(other)} "
            f"{what} it{values}, with no barrier between",
            site,
            kernel=batch.launch.kernel,
            hint=f"the other access is{there or ' earlier in the kernel'}",
        )


_NONE: Final = np.empty(0, np.int64)
