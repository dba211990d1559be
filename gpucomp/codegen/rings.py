"""Counters that go round: strength reduction of remainders, for targets that are written as C.

A pipeline of three stages uses ``k % 3``, ``(k + 1) % 3`` and ``(k + 2) % 3`` in each round of its loop.  Divisions by
what is no power of two take the device compilers some ten instructions each.  One counter goes along with the loop
instead, and the other remainders are a comparison and an addition away from it::

    for (k = 0; k < n; ++k) {                 k_ring = 0;
      ... k % 3 ... (k + 1) % 3         -->   for (k = 0; k < n; ++k) {
    }                                           k_ring_1 = k_ring == 2 ? 0 : k_ring + 1;
                                                ... k_ring ... k_ring_1
                                                k_ring = k_ring == 2 ? 0 : k_ring + 1;
                                              }

Short loops are left alone: the device compilers unroll them, and the remainders become constants.  Loops that pass a
barrier in each round are not short.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm, Var
from gpucomp.tir.functor import Mutator, post_order
from gpucomp.tir.stmt import For, ForKind, LetStmt
from gpucomp.transform.walk import is_call

_SERIAL: Final = frozenset({ForKind.SERIAL, ForKind.PARALLEL})
MOST_STAGES: Final = 64


@dataclass(slots=True, eq=False)
class Ring:
    """A counter that goes round.

    Attributes:
        var: the remainder of the loop's variable.
        start: its value in the first round.
        later: the remainders of the variable plus a number, by the number.
    """

    var: Var
    count: int
    start: int
    later: dict[int, Var] = field(default_factory=dict[int, Var])

    def ahead(self, distance: int) -> Expr:
        """The remainder some rounds later, by what the counter is now."""
        over = operators.compare(e.GE, self.var, self.count - distance)
        return e.Select(over, operators.subtract(self.var, self.count - distance), operators.add(self.var, distance))

    def next(self) -> Expr:
        """The counter of the next round."""
        zero = operators.const(0, self.var.dtype)
        return e.Select(operators.compare(e.EQ, self.var, self.count - 1), zero, operators.add(self.var, 1))


def ring_counters(loop: For) -> tuple[For, list[Ring]]:
    """Choose the counters of a loop.

    Args:
        loop: in flat form; only from a constant that is not negative, and with a barrier in each round.

    Returns:
        The loop with the remainders of its variable replaced, and the counters; without any, the same loop.
    """
    low = loop.min.value if isinstance(loop.min, IntImm) else -1
    if loop.kind not in _SERIAL or low < 0:
        return loop, []
    rings: dict[int, Ring] = {}
    places: dict[Expr, Var] = {}
    nodes = list(post_order(loop.body))
    if not any([isinstance(node, e.Call) and is_call(node, "barrier") for node in nodes]):
        return loop, []
    for node in nodes:
        if not isinstance(node, (e.Mod, e.FloorMod)):
            continue
        distance, count = _distance(node.a, loop.loop_var), node.b
        if distance is None or not isinstance(count, IntImm) or not _is_worth(count.value):
            continue
        ring = rings.get(count.value)
        if ring is None:
            name = loop.loop_var.with_name(f"{loop.loop_var.name}_ring")
            ring = rings[count.value] = Ring(name, count.value, low % count.value)
        places[node] = ring.var if distance % count.value == 0 else _later(ring, distance % count.value)
    if not rings:
        return loop, []
    body = _Rewriter(places).stmt(loop.body)
    for ring in reversed(rings.values()):
        for distance, var in reversed(ring.later.items()):
            body = LetStmt(var, ring.next() if distance == 1 else ring.ahead(distance), body)
    return loop.replace(body=body), list(rings.values())


def _is_worth(count: int) -> bool:
    return 2 < count <= MOST_STAGES and count & (count - 1) != 0


def _later(ring: Ring, distance: int) -> Var:
    found = ring.later.get(distance)
    if found is None:
        found = ring.later[distance] = ring.var.with_name(f"{ring.var.name}_{distance}")
    return found


def _distance(node: Expr, var: Var) -> int | None:
    """The number that is added to the variable; None for anything else."""
    if node is var:
        return 0
    if isinstance(node, e.Add) and node.a is var and isinstance(node.b, IntImm) and node.b.value >= 0:
        return node.b.value
    return None


class _Rewriter(Mutator):
    """Replaces remainders by counters."""

    def __init__(self, places: dict[Expr, Var]) -> None:
        super().__init__()
        self.places = places

    def visit_mod(self, node: e.Mod) -> Expr:
        return self._counter(node)

    def visit_floor_mod(self, node: e.FloorMod) -> Expr:
        return self._counter(node)

    def _counter(self, node: Expr) -> Expr:
        found = self.places.get(node)
        return super().visit_expr(node) if found is None else found
