"""What an operation reads and in which order, as far as default schedules have to know it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gpucomp.arith.solve import detect_linear_equation
from gpucomp.te.operation import ComputeOp
from gpucomp.te.tensor import Tensor
from gpucomp.tir.expr import Expr, IntImm, IterVar, Var
from gpucomp.tir.functor import free_vars

VECTOR: Final = 16  # bytes of the widest access
FAR: Final = 1 << 40  # elements between neighbours, where the distance is symbolic: more than any that is known


def known(size: Expr) -> int | None:
    """The number that an extent is; None for a symbolic one."""
    return size.value if isinstance(size, IntImm) else None


def extent(axis: IterVar) -> int | None:
    """The same of an axis; None too where it does not start at 0."""
    if axis.dom is None or not isinstance(axis.dom.min, IntImm) or axis.dom.min.value != 0:
        return None
    return known(axis.dom.extent)


def product(axes: Sequence[IterVar]) -> int | None:
    """Product of the extents; None when one is symbolic."""
    sizes = [extent(axis) for axis in axes]
    return None if None in sizes else math.prod([size or 0 for size in sizes])


def same_extent(a: IterVar, b: IterVar) -> bool:
    """Whether two axes are known to be equally long."""
    if a.dom is None or b.dom is None:
        return False
    x, y = extent(a), extent(b)
    return a.dom.extent is b.dom.extent if x is None and y is None else x == y


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """An element of a tensor that an operation reads.

    Attributes:
        tensor, indices: as written.
        variables: on which the place of the element depends.
    """

    tensor: Tensor
    indices: tuple[Expr, ...]
    variables: frozenset[Var]

    @property
    def elements(self) -> int | None:
        """Of the tensor; None where that is not known."""
        sizes = [known(size) for size in self.tensor.shape]
        return None if None in sizes else math.prod([size or 0 for size in sizes])

    def uses(self, axis: IterVar) -> bool:
        """Whether it is another element for another value of the axis."""
        return axis.var in self.variables

    def step(self, axis: IterVar) -> int | None:
        """Elements between those for neighbours along an axis: 0 none, FAR many, None where that is not one number."""
        if not self.uses(axis):
            return 0
        total, stride = 0, 1
        for index, size in zip(reversed(self.indices), reversed(self.tensor.shape), strict=True):
            parts = detect_linear_equation(index, [axis.var])
            if not parts or not isinstance(parts[0], IntImm):
                return None
            total += parts[0].value * stride
            length = known(size)
            stride = FAR if length is None else min(FAR, stride * length)
        return total

    def keeps(self, axes: Sequence[IterVar]) -> bool:
        """Whether its last indices are these axes, over whole dimensions but for the first, which may start later."""
        if len(axes) > len(self.indices):
            return False
        (first, *last), shape = self.indices[-len(axes) :], self.tensor.shape[-len(axes) :]
        same = all([index is axis.var for index, axis in zip(last, axes[1:], strict=True)])
        sizes = all([_is_extent(size, axis) for size, axis in zip(shape[1:], axes[1:], strict=True)])
        return same and sizes and _shift(first, axes[0]) is not None

    def offset(self, axes: Sequence[IterVar]) -> int:
        """Elements between the start of what ``keeps`` found and that of the tensor's row."""
        if not any([self.uses(axis) for axis in axes]):
            return 0
        return (_shift(self.indices[-len(axes)], axes[0]) or 0) * (product(axes[1:]) or 1)


def _is_extent(size: Expr, axis: IterVar) -> bool:
    """Whether a dimension is as long as an axis."""
    number = extent(axis)
    return known(size) == number if number is not None else axis.dom is not None and size is axis.dom.extent


def _shift(index: Expr, axis: IterVar) -> int | None:
    """How far an index is from an axis; None where it is not a fixed number."""
    if index is axis.var:
        return 0
    parts = detect_linear_equation(index, [axis.var])
    if len(parts) != 2 or not isinstance(parts[0], IntImm) or not isinstance(parts[1], IntImm):
        return None
    return parts[1].value if parts[0].value == 1 else None


def reads_of(op: ComputeOp) -> list[Read]:
    """All that an operation reads, constants' places included."""
    found: list[Read] = []
    for tensor, places in op.reads:
        for indices in places:
            variables: frozenset[Var] = frozenset().union(*[free_vars(index) for index in indices])
            found.append(Read(tensor, indices, variables))
    return found


def lanes_of(run: int | None, nbytes: int) -> int:
    """Elements of the widest vector that a run of so many elements is made of; 1 where that is not known."""
    return 1 if run is None else math.gcd(run, max(1, VECTOR // nbytes))
