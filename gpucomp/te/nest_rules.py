"""How each kind of operation becomes statements: a table from the class of an operation to the builders of its nest.

A rule is registered by the module that defines the operation (or its nest) and looked up by the class of the
operation and its bases.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from gpucomp.te.operation import Operation
from gpucomp.tir.stmt import Stmt

if TYPE_CHECKING:
    from gpucomp.te.schedule_ops import Builder, Work

NestBuilder = Callable[["Builder", "Work"], Stmt]
RealizeBuilder = Callable[["Builder", "Work", Stmt], Stmt]


class NestRule(NamedTuple):
    """The builders of one kind of operation.

    Attributes:
        provide: the nest that computes the outputs; ``Builder.serial`` makes the loops of a stage around a statement,
            with the stages attached to them, and may be called with a part of the loops.
        realize: the memory of the outputs around a statement; None: what ``Operation.realize_region`` says of each.
    """

    provide: NestBuilder
    realize: RealizeBuilder | None


_RULES: dict[type[Operation], NestRule] = {}


def nest_rule(kind: type[Operation], realize: RealizeBuilder | None = None) -> Callable[[NestBuilder], NestBuilder]:
    """Decorator of the function that builds the nest of operations of class ``kind``."""

    def register(provide: NestBuilder) -> NestBuilder:
        assert kind not in _RULES, f"{kind.__name__} has a nest rule already"
        _RULES[kind] = NestRule(provide, realize)
        return provide

    return register


def rule_of(op: Operation) -> NestRule:
    """The rule for an operation."""
    return next(_RULES[kind] for kind in type(op).__mro__ if kind in _RULES)
