"""Where intermediate tensors may be computed past their ends.

A tile at the edge of a tensor reaches beyond it.  The classical answer is a bound check around every access of every
stage of the tile, down to the innermost multiply-add.  But the memory of an intermediate stage covers the whole tile,
so that only accesses to memory of the caller need checks:

* a stage that reads the caller's memory stores zero where it would read outside of it;
* a stage that reads only intermediate stages which are written in full needs no checks at all: what it computes
  outside of the tensor is defined, and nothing reads it;
* a sum of products whose factors are zero past the end of a reduction axis may run past it.

This leaves checks at the edges of the graph, and the inner loops free of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gpucomp.te.bound import Bounds
from gpucomp.te.operation import ComputeOp, Operation
from gpucomp.te.stage import Stage
from gpucomp.te.tensor import Tensor
from gpucomp.tir.expr import (
    LT,
    Add,
    And,
    Cast,
    CommReducer,
    Expr,
    FloatImm,
    IterVar,
    Mul,
    ProducerLoad,
    Reduce,
    is_const_int,
)
from gpucomp.tir.functor import free_vars

if TYPE_CHECKING:
    from gpucomp.te.state import Schedule


def _conjuncts(condition: Expr) -> list[Expr]:
    if isinstance(condition, And):
        return [*_conjuncts(condition.a), *_conjuncts(condition.b)]
    return [condition]


def _is_sum(combiner: CommReducer) -> bool:
    result, identity = combiner.result[0], combiner.identity_element[0]
    zero = is_const_int(identity, 0) or (isinstance(identity, FloatImm) and identity.value == 0)
    return zero and isinstance(result, Add) and {result.a, result.b} == {combiner.lhs[0], combiner.rhs[0]}


@dataclass(slots=True)
class Plan:
    """What becomes of the conditions of one stage.

    Attributes:
        checks: conditions that guard the whole statement.
        choices: conditions outside of which zero is stored.
    """

    checks: list[Expr] = field(default_factory=list)
    choices: list[Expr] = field(default_factory=list)


class Overrun:
    """Decides stage by stage, producers first."""

    def __init__(self, schedule: Schedule, bounds: Bounds, external: Collection[Tensor] | None) -> None:
        self.bounds = bounds
        self.external = external
        self.owner = {t: stage for stage in schedule.stages for t in stage.op.outputs}
        self.total: dict[Stage, None] = {}
        self.zero: dict[Stage, None] = {}  # stages whose elements outside of the tensor are zero

    def plan(
        self, stage: Stage, op: Operation, ends: Mapping[IterVar, list[Expr]], always: Sequence[Expr] = ()
    ) -> Plan:
        """Sort the conditions of a stage, by axis, into checks, choices and those that are not needed.

        ``always``: conditions that are needed whatever is read.
        """
        plan = Plan()
        if not isinstance(op, ComputeOp) or stage.is_output or stage in self.bounds.shares or self._is_external(op):
            plan.checks = [*[c for conditions in ends.values() for c in conditions], *always]
            return plan
        kept = [axis for axis in ends if not self._harmless(op, axis)]
        needed = [*[c for axis in kept for c in ends[axis]], *always]
        # An intrinsic computes whole tiles: it cannot store zero for some of their elements.
        if op.reduce_axis or stage.is_tensorized:
            plan.checks = needed
        else:
            plan.choices = needed
        if not plan.checks and stage.store_predicate is None:
            self.total[stage] = None
            if len(kept) == len(ends) or self._copies_zeros(op):
                self.zero[stage] = None
        return plan

    def _is_external(self, op: ComputeOp) -> bool:
        return self.external is None or any([t in self.external for t in op.outputs])

    def adds_nothing(self, op: Operation, axis: IterVar) -> bool:
        """True when a reduction may run past the end of ``axis`` because it adds zeros there."""
        reduce = op.body[0] if isinstance(op, ComputeOp) else None
        if not isinstance(reduce, Reduce) or len(reduce.source) != 1 or not is_const_int(reduce.condition, 1):
            return False
        if not any([axis is root for root in reduce.axis]) or not _is_sum(reduce.combiner):
            return False
        return self._vanishes(reduce.source[0], axis)

    def is_idle(self, op: Operation, reduce: Reduce) -> bool:
        """True when the condition of a reduction, which a split of its axis left, only leaves out zeros.

        ``sum over ko, ki of A[ko * 8 + ki] * B[ko * 8 + ki] where ko * 8 + ki < 20`` needs no check if A and B are zero
        from 20 on. Sums of anything but products are bound by their loads, and gain nothing.
        """
        if not isinstance(op, ComputeOp) or len(reduce.source) != 1 or not _is_sum(reduce.combiner):
            return False
        if not isinstance(reduce.source[0], Mul):
            return False
        axes = [*op.axis, *reduce.axis]
        return all(
            [
                isinstance(c, LT) and self._ends_at(reduce.source[0], c.a, c.b, axes)
                for c in _conjuncts(reduce.condition)
            ]
        )

    def _ends_at(self, x: Expr, index: Expr, end: Expr, axes: Sequence[IterVar]) -> bool:
        """True for products of loads at ``index`` that are zero from ``end`` on."""
        if isinstance(x, Mul):
            return self._ends_at(x.a, index, end, axes) and self._ends_at(x.b, index, end, axes)
        if isinstance(x, Cast):
            return self._ends_at(x.value, index, end, axes)
        if not isinstance(x, ProducerLoad):
            return False
        producer = self.owner[x.producer]
        if producer not in self.zero or not self.bounds.exact[producer]:
            return False
        if any([axis in self.bounds.cut[producer] for axis in axes]):
            return False
        forms = self.bounds.forms
        at = forms.of(index)
        return any([s is end and forms.of(i).same(at) for i, s in zip(x.indices, x.producer.shape, strict=True)])

    def _vanishes(self, x: Expr, axis: IterVar) -> bool:
        """True for products of loads at index ``axis`` that are zero past its end (0 * NaN would not be)."""
        if isinstance(x, Mul):
            return self._vanishes(x.a, axis) and self._vanishes(x.b, axis)
        if isinstance(x, Cast):
            return self._vanishes(x.value, axis)
        if not isinstance(x, ProducerLoad) or axis.dom is None:
            return False
        producer = self.owner[x.producer]
        if producer not in self.zero or not self.bounds.exact[producer] or axis in self.bounds.cut[producer]:
            return False
        places = [s for i, s in zip(x.indices, x.producer.shape, strict=True) if i is axis.var]
        return is_const_int(axis.dom.min, 0) and any([s is axis.dom.extent for s in places])

    def _copies_zeros(self, op: ComputeOp) -> bool:
        load = op.body[0]
        if len(op.body) > 1 or not isinstance(load, ProducerLoad) or self.owner[load.producer] not in self.zero:
            return False
        same = len(load.indices) == len(op.axis)  # a copy out of a packed tensor has fewer
        return same and all([i is a.var for i, a in zip(load.indices, op.axis, strict=True)])

    def _harmless(self, op: ComputeOp, axis: IterVar) -> bool:
        """True when whatever ``op`` reads past the end of ``axis`` is defined memory."""
        for tensor, accesses in op.reads:
            if not any([axis.var in free_vars(index) for indices in accesses for index in indices]):
                continue
            producer = self.owner[tensor]
            if producer not in self.total or not self.bounds.exact[producer]:
                return False
        return True
