"""Which shared memory of a block the other blocks of its cluster read, since they last met.

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

    def forget(self, select: NDArray[np.bool_]) -> None:
        """The blocks of some clusters have met."""
        self.written[select] = False
        self.reader[select] = -1

    def read(self, batch: Batch, memory: Memory, units: Index, lanes: Index, site: int) -> None:
        """Lanes read of other blocks; raise where those wrote since the blocks met."""
        hit = self.written[units]
        if hit.any():
            at = int(np.argmax(hit))
            raise self._race(batch, memory, int(units[at]), int(lanes[at]), site)
        self.reader[units] = lanes

    def write(self, batch: Batch, memory: Memory, units: Index, site: int) -> None:
        """A block writes its own; raise where another read since the blocks met."""
        hit = self.reader[units] >= 0
        if hit.any():
            unit = int(units[int(np.argmax(hit))])
            raise self._race(batch, memory, unit, int(self.reader[unit]), site)
        self.written[units] = True

    def _race(self, batch: Batch, memory: Memory, unit: int, lane: int, site: int) -> Exception:
        return batch.faults.error(
            RACE,
            f"data race on {memory.element(unit, batch)}: read by {batch.launch.describe(int(batch.gl[lane]))} while "
            "its own block writes it, with no barrier of the cluster between",
            site,
            kernel=batch.launch.kernel,
            hint='a barrier of scope "cluster" makes all blocks of the cluster wait for each other',
        )
