"""Which tier a case of a parametrized test belongs to."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet


def slow(*values: object) -> list[ParameterSet]:
    """Cases that only the full tier runs; a cheaper sibling of them stays in the quick one."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


def tiered(values: Iterable[object], quick: Container[object]) -> list[ParameterSet]:
    """All values as cases, in order; those that are not among the quick ones run in the full tier only."""
    return [pytest.param(value, marks=[] if value in quick else [pytest.mark.slow]) for value in values]
