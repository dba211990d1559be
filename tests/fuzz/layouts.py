"""Arguments in the order that ``transform_layout`` gave them, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any  # Any: arrays of any type

import numpy as np

from gpucomp.layout import IndexMap
from gpucomp.te import Schedule
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, IntImm, Var
from tests.fuzz.problem import Array, Problem

_INFIX: dict[type, Any] = {
    e.Add: np.add,
    e.Sub: np.subtract,
    e.Mul: np.multiply,
    e.FloorDiv: np.floor_divide,
    e.FloorMod: np.mod,
}


class Layouts:
    """What ``transform_layout`` did to the arguments of a problem."""

    def __init__(self, problem: Problem, schedule: Schedule) -> None:
        self.places: list[list[tuple[list[int], tuple[Array, ...]]]] = [[] for _ in problem.args]
        self.shapes: list[list[tuple[int, ...]]] = [[] for _ in problem.args]
        known = {d: problem.extents[d.name] for a in problem.args for d in a.shape if isinstance(d, Var)}
        shapes = [tuple(a.shape) for a in problem.args]
        for step in schedule.trace.steps:
            for position, arg in enumerate(problem.args):
                if step.primitive != "transform_layout" or step.op is not arg.op:
                    continue
                order: IndexMap = step.args[0]
                before = tuple([int(_value(x, known)) for x in shapes[position]])
                shapes[position] = order.map_shape(shapes[position])
                after = [int(_value(x, known)) for x in shapes[position]]
                index = np.indices(before).reshape(len(before), -1)
                at: dict[Var, Any] = {**known, **dict(zip(order.initial_indices, index, strict=True))}
                new = tuple([np.broadcast_to(_value(x, at), index.shape[1:]) for x in order.final_indices])
                self.places[position].append((after, new))
                self.shapes[position].append(before)

    def moved(self, arrays: list[Array]) -> list[Array]:
        """The arrays as a caller of the schedule passes them; places without an element are zero."""
        out: list[Array] = []
        for array, places in zip(arrays, self.places, strict=True):
            for shape, new in places:
                made = np.zeros(shape, array.dtype)
                made[new] = array.reshape(-1)
                array = made
            out.append(array)
        return out

    def back(self, arrays: list[Array]) -> list[Array]:
        """The elements in the order of the problem, without places in between."""
        out: list[Array] = []
        for array, places, shapes in zip(arrays, self.places, self.shapes, strict=True):
            for (_, new), shape in zip(reversed(places), reversed(shapes), strict=True):
                array = array[new].reshape(shape)
            out.append(array)
        return out


def _value(x: Expr, at: Mapping[Var, Any]) -> Any:
    if isinstance(x, IntImm):
        return x.value
    if isinstance(x, Var):
        return at[x]
    if isinstance(x, e.Cast):
        return _value(x.value, at)
    assert isinstance(x, e.BinaryOp), x
    return _INFIX[type(x)](_value(x.a, at), _value(x.b, at))
