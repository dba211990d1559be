"""Which shared memory of a block the other blocks of its cluster read, or wrote, since they last met.

A barrier of one block orders nothing for the others: what a block writes and what the others read of it is kept from
one barrier of the cluster to the next, beside the history within the block (``shadow``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpucomp.tir.interp.faults import RACE

if TYPE_CHECKING:
    from gpucomp.tir.interp.lanes import Batch
    from gpucomp.tir.interp.memory import Memory

Index = NDArray[np.int64]


class PeerShadow:
    """History of one shared memory of the blocks of a batch.

    Args:
        units: its size, in units of its finest element type.
    """

    def __init__(self, units: int) -> None:
        self.written = np.zeros(units, bool)
        self.reader = np.full(units, -1, np.int64)  # a lane of another block
        self.pusher = np.full(units, -1, np.int64)  # a lane that wrote it for the block, which may be its own
        self.own = np.zeros(units, bool)  # by its own block, of memory that any block writes to
        self.pushes = False

    def forget(self, select: NDArray[np.bool_]) -> None:
        """The blocks of some clusters have met."""
        self.written[select] = False
        self.reader[select] = -1
        self.pusher[select] = -1
        self.own[select] = False

    def push(
        self, batch: Batch, memory: Memory, units: Index, lanes: Index, foreign: NDArray[np.bool_], site: int
    ) -> None:
        """Lanes write for some block, a foreign one or their own; raise where others used it since the blocks met."""
        order = np.argsort(units, kind="stable")
        again = np.zeros(len(units), bool)
        again[order[1:]] = units[order[1:]] == units[order[:-1]]
        hit = self.written[units] | (self.reader[units] >= 0) | (self.pusher[units] >= 0) | again
        hit |= self.own[units] & foreign
        if hit.any():
            at = int(np.argmax(hit))
            raise self._race(
                batch, memory, int(units[at]), int(lanes[at]), site, "written by", "another thread uses it"
            )
        self.pusher[units] = lanes
        self.pushes = True

    def own_read(self, batch: Batch, memory: Memory, units: Index, site: int) -> None:
        """A block reads its own; raise where a value was pushed there since the blocks met."""
        hit = self.pusher[units] >= 0
        if hit.any():
            unit = int(units[int(np.argmax(hit))])
            raise self._race(batch, memory, unit, int(self.pusher[unit]), site, "written by", "its own block reads it")
        self.own[units] = True

    def read(self, batch: Batch, memory: Memory, units: Index, lanes: Index, site: int) -> None:
        """Lanes read of other blocks; raise where those wrote since the blocks met."""
        hit = self.written[units] | (self.pusher[units] >= 0)
        if hit.any():
            at = int(np.argmax(hit))
            raise self._race(batch, memory, int(units[at]), int(lanes[at]), site)
        self.reader[units] = lanes

    def write(self, batch: Batch, memory: Memory, units: Index, site: int) -> None:
        """A block writes its own; raise where another read since the blocks met."""
        foreign = np.maximum(self.reader[units], self.pusher[units])
        if (foreign >= 0).any():
            at = int(np.argmax(foreign >= 0))
            how = "read by" if self.reader[units[at]] >= 0 else "written by"
            raise self._race(batch, memory, int(units[at]), int(foreign[at]), site, how)
        self.written[units] = True

    def _race(
        self,
        batch: Batch,
        memory: Memory,
        unit: int,
        lane: int,
        site: int,
        how: str = "read by",
        other: str = "its own block writes it",
    ) -> Exception:
        return batch.faults.error(
            RACE,
            f"data race on {memory.element(unit, batch)}: {how} {batch.launch.describe(int(batch.gl[lane]))} while "
            f"{other}, with no barrier of the cluster between",
            site,
            kernel=batch.launch.kernel,
            hint='a barrier of scope "cluster" makes all blocks of the cluster wait for each other',
        )
