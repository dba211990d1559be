"""Asynchronous copies: a store under the attribute ``async_copy`` that copies an element, or zero, to shared memory.

The attribute allows, and does not ask: a store that the target cannot do asynchronously is done at once, which is
right wherever the asynchronous one is.

Under the attribute ``predicated`` stands a condition around such copies, which the target may make a predicate of each
of them instead of a branch.

Under the attribute ``read_anyway`` stands a condition under which memory is read into registers. Where it does not hold
the memory exists as well, with anything in it, and nobody uses the registers: the target may leave the condition out.
"""

from __future__ import annotations

import math
from typing import Final

from gpucomp.tir import operators
from gpucomp.tir.expr import And, Broadcast, BufferLoad, Call, Expr, FloatImm, IntImm
from gpucomp.tir.stmt import BufferStore
from gpucomp.transform.walk import is_call

ASYNC_COPY: Final = "async_copy"
PREDICATED: Final = "predicated"
READ_ANYWAY: Final = "read_anyway"
ASYNC_BYTES: Final = (4, 8, 16)


def async_source(node: BufferStore) -> tuple[Expr | None, BufferLoad] | None:
    """What a store copies: a condition (None: always) and the load; zero is stored where it does not hold.

    The elements stored may be words of the bytes that are loaded.

    None for a store of anything else, or to other than shared memory.
    """
    if node.predicate is not None or not node.buffer.scope().startswith("shared"):
        return None
    value, condition = node.value, None
    while is_call(value, "if_then_else"):
        assert isinstance(value, Call)
        wanted, yes, no = value.args
        if not is_zero(no):
            return None
        condition = wanted if condition is None else _both(condition, wanted)
        if condition is None:
            return None
        value = yes
    if is_call(value, "reinterpret"):
        assert isinstance(value, Call)
        value = value.args[0]
    elif value.dtype is not node.value.dtype:
        return None
    if not isinstance(value, BufferLoad) or value.predicate is not None or value.buffer.scope() != "global":
        return None
    return condition, value


def _both(a: Expr, b: Expr) -> Expr | None:
    return operators.logical(And, a, b) if a.dtype is b.dtype else None


def is_zero(value: Expr) -> bool:
    """True for zero, of each lane."""
    if isinstance(value, Broadcast):
        value = value.value
    if isinstance(value, FloatImm):
        return value.value == 0.0 and math.copysign(1.0, value.value) > 0.0
    return isinstance(value, IntImm) and value.value == 0
