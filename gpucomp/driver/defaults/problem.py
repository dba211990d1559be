"""A reduction that is to be scheduled, and what all ways to do so need."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gpucomp.driver.defaults.access import Read, extent, known, lanes_of, product, reads_of
from gpucomp.target import Target
from gpucomp.te.operation import ComputeOp
from gpucomp.te.stage import Stage
from gpucomp.te.state import Schedule
from gpucomp.te.tensor import Tensor
from gpucomp.tir.expr import IterVar, Reduce

THREADS: Final = 256
TURNS: Final = 4  # vectors that a thread loads before it uses the first
BLOCKS: Final = 528  # four on each of the 132 multiprocessors of the largest GPU that this was measured on
MOST_PARTS: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A reduction.

    Attributes:
        sch: the schedule.
        total: what reduces, in registers.
        finish: the stage that stores what it gives.
        op: the reduction with what is inlined into it.
        main: what it reads most of, if anything.
        target: what for.
    """

    sch: Schedule
    total: Tensor
    finish: Stage
    op: ComputeOp
    main: Read | None
    target: Target

    @property
    def stage(self) -> Stage:
        """Of ``total``, which other primitives may have rebuilt."""
        return self.sch[self.total]

    @property
    def threads(self) -> int:
        """Of a block that nothing else decides about."""
        return min(THREADS, self.target.max_num_threads)

    @property
    def has_init(self) -> bool:
        """Whether it starts at values that parts would count several times."""
        return any([isinstance(body, Reduce) and len(body.init) > 0 for body in self.op.body])

    def own(self, axes: Sequence[IterVar]) -> list[IterVar]:
        """The axes of the stage that stand for some of ``op``."""
        roots = self.stage.op.root_iter_vars
        return [roots[self.op.root_iter_vars.index(axis)] for axis in axes]

    def place(self, axis: IterVar) -> int:
        """Which axis of the finishing stage stands for one of ``op``: dimensions of 1 may come and go."""
        long = [a for a in self.op.axis if extent(a) != 1]
        mine = [i for i, a in enumerate(self.finish.op.axis) if extent(a) != 1]
        return mine[long.index(axis)]

    def lanes(self, fast: IterVar) -> int:
        """Elements of a vector along an axis: 16 bytes of the widest element that is read along it."""
        return lanes_of(extent(fast), self.nbytes(fast))

    def nbytes(self, fast: IterVar) -> int:
        """Of the widest element that is read along an axis."""
        return max([read.tensor.dtype.nbytes for read in reads_of(self.op) if read.uses(fast)])

    def length(self) -> int:
        """Elements that are reduced to one."""
        return product(self.op.reduce_axis) or 1

    def count(self) -> int | None:
        """Elements of the result."""
        return product(self.op.axis)

    def fused(self, axes: Sequence[IterVar]) -> IterVar:
        """One loop over the reduction axes, in the order of ``axes`` of ``op``."""
        stage, own = self.stage, self.own(axes)
        stage.reorder(*own)
        return stage.fuse(*own) if len(own) > 1 else own[0]


def main_read(op: ComputeOp) -> Read | None:
    """What is read at most places; of several, what has the widest elements."""
    found: Read | None = None
    best = (0, 0)
    for read in reads_of(op):
        places = math.prod([extent(axis) or 1 << 20 for axis in op.root_iter_vars if read.uses(axis)])
        if (places, read.tensor.dtype.nbytes) > best:
            found, best = read, (places, read.tensor.dtype.nbytes)
    return found


def in_registers(sch: Schedule, tensor: Tensor, lanes: int, wanted: Callable[[Read], bool]) -> list[Stage]:
    """Copies of what a stage reads, in vectors where rows are made of them; to be placed.

    Args:
        sch: the schedule.
        tensor: what the stage computes.
        lanes: of a vector.
        wanted: for which reads.  A tensor that is read at several places is left where it is.
    """
    made: list[Stage] = []
    op = sch[tensor].op
    assert isinstance(op, ComputeOp)
    reads = reads_of(op)
    for source in op.input_tensors:
        places = [read for read in reads if read.tensor is source]
        if len(places) != 1 or not source.shape or not wanted(places[0]):
            continue
        copy = sch[sch.cache_read(source, "local", [tensor])]
        if lanes > 1 and (known(source.shape[-1]) or 1) % lanes == 0:
            copy.vectorize(copy.op.axis[-1])
        made.append(copy)
    return made


def first_of(tensors: Tensor | list[Tensor]) -> Tensor:
    """What ``rfactor`` returns, one or several, by its first."""
    return tensors[0] if isinstance(tensors, list) else tensors
