"""One line of a suite."""

from __future__ import annotations

from dataclasses import dataclass

from gpucomp.kernels.arrays import Shape


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a suite.

    Attributes:
        op: of the library.
        shape: as ``gpucomp list`` names its extents.
        dtype: of the inputs.
        drawn: the shape was drawn at random, so that nobody tuned for it.
        group: lines that a page gives a geometric mean of.
        label: the name that the line has in a published table.
    """

    op: str
    shape: Shape
    dtype: str
    drawn: bool = False
    group: str = ""
    label: str = ""
