"""Tags of operations, by which schedules group them."""

from __future__ import annotations

from typing import Final

ELEMWISE: Final = "elemwise"
BROADCAST: Final = "broadcast"
INJECTIVE: Final = "injective"
COMM_REDUCE: Final = "comm_reduce"
COMM_REDUCE_IDX: Final = "comm_reduce_idx"


def is_broadcast(tag: str) -> bool:
    """Is this the tag of an operation that broadcasts its inputs, or computes element by element?"""
    return tag in (ELEMWISE, BROADCAST) or tag.startswith((ELEMWISE + ",", BROADCAST + ","))


def is_injective(tag: str) -> bool:
    """Is this the tag of an operation whose elements each read a place that follows from their index?"""
    return is_broadcast(tag) or tag == INJECTIVE or tag.startswith(INJECTIVE + ",")
