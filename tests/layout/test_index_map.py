"""Index maps: what is mapped comes back."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any  # Any: indices of mapping functions

import pytest

from gpucomp.layout import IndexMap, NotInvertible
from gpucomp.tir import operators
from gpucomp.tir.expr import IntImm
from gpucomp.tir.functor import substitute

MAPS: list[tuple[Callable[..., Any], tuple[int, ...]]] = [
    (lambda i, j: [j, i], (3, 5)),
    (lambda i, j: [i // 4, j, i % 4], (8, 3)),
    (lambda i, j: [i, j // 12, j // 4 % 3, j % 4], (2, 24)),
    (lambda i, j: [i, j // 12, j // 4 % 3, j % 4], (2, 17)),
    (lambda i, j: [i * 5 + j], (3, 5)),
    (lambda i, j: [i, j, j % 1], (3, 5)),
    (lambda i, j, k: [k % 2, i + j * 3, k // 2], (3, 4, 7)),
    (lambda i, j: [i, (j + i * 5 % 4) // 4, (j + i * 5 % 4) % 4], (3, 5)),
    (lambda i, j: [(j + i * 19 % 8) // 8 // 2, i, (j + i * 19 % 8) // 8 % 2, (j + i * 19 % 8) % 8], (4, 19)),
]


def value(x: Any, mapping: dict[Any, int]) -> int:
    found = substitute(x, {v: operators.const(n, v.dtype) for v, n in mapping.items()})
    assert isinstance(found, IntImm)
    return found.value


@pytest.mark.parametrize("number", range(len(MAPS)))
def test_every_element_has_one_place_and_comes_back_from_it(number: int) -> None:
    function, shape = MAPS[number]
    index_map = IndexMap.from_func(function, len(shape))
    extents = [operators.const(n) for n in shape]
    back, inside = index_map.inverse(extents)
    box = [value(n, {}) for n in index_map.map_shape(extents)]
    seen: dict[tuple[int, ...], tuple[int, ...]] = {}
    for element in itertools.product(*[range(n) for n in shape]):
        at = dict(zip(index_map.initial_indices, element, strict=True))
        place = tuple([value(x, at) for x in index_map.final_indices])
        assert all(0 <= p < n for p, n in zip(place, box, strict=True))
        assert place not in seen
        seen[place] = element
        there = dict(zip(back.initial_indices, place, strict=True))
        assert tuple([value(x, there) for x in back.final_indices]) == element
        assert value(inside, there) == 1
    for place in itertools.product(*[range(n) for n in box]):
        there = dict(zip(back.initial_indices, place, strict=True))
        assert bool(value(inside, there)) == (place in seen)


@pytest.mark.parametrize(
    "function",
    [
        lambda i, j: [i],
        lambda i, j: [i, j % 4],
        lambda i, j: [i, i],
        lambda i, j: [i + j],
        lambda i, j: [i * j],
        lambda i, j: [i, (j - i) // 4, (j - i) % 4],
    ],
)
def test_a_map_that_loses_an_index_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(NotInvertible):
        IndexMap.from_func(function, 2).inverse([operators.const(3), operators.const(7)])
