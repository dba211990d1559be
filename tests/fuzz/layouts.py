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


def in_new_order(problem: Problem, schedule: Schedule, arrays: list[Array]) -> list[Array]:
    """The arrays as a caller of the schedule passes them; places without an element are zero."""
    out, shapes = list(arrays), [tuple(a.shape) for a in problem.args]
    for step in schedule.trace.steps:
        for position, arg in enumerate(problem.args):
            if step.primitive == "transform_layout" and step.op is arg.op:
                shapes[position] = step.args[0].map_shape(shapes[position])
                out[position] = _moved(out[position], step.args[0], shapes[position], problem)
    return out


def _moved(array: Array, order: IndexMap, extents: tuple[Expr, ...], problem: Problem) -> Array:
    known = {d: problem.extents[d.name] for a in problem.args for d in a.shape if isinstance(d, Var)}
    places = np.indices(array.shape).reshape(array.ndim, -1)
    at: dict[Var, Any] = {**known, **dict(zip(order.initial_indices, places, strict=True))}
    new = [np.broadcast_to(_value(x, at), places.shape[1:]) for x in order.final_indices]
    made = np.zeros([int(_value(x, known)) for x in extents], array.dtype)
    made[tuple(new)] = array.reshape(-1)
    return made


def _value(x: Expr, at: Mapping[Var, Any]) -> Any:
    if isinstance(x, IntImm):
        return x.value
    if isinstance(x, Var):
        return at[x]
    if isinstance(x, e.Cast):
        return _value(x.value, at)
    assert isinstance(x, e.BinaryOp), x
    return _INFIX[type(x)](_value(x.a, at), _value(x.b, at))
