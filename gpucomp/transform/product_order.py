"""The order of an outer product in registers.

A thread that multiplies m elements of one operand by n of the other may take the m * n products in any order.  Device
compilers keep about the order that is written, and an operand that two products in a row share is read from the
register file once.  Two orders are known, and which one a compiler makes more of is a matter of measuring:

    back and forth  along the shorter operand for each element of the longer one, backwards every second time: each
                    product shares an operand with the one before, at the turns too
    rows            along the second operand for each element of the first one
"""

from __future__ import annotations

from typing import Any, Final  # Any: attributes of functions are untyped

from gpucomp.arith import Analyzer
from gpucomp.arith.solve import detect_linear_equation
from gpucomp.tir import operators
from gpucomp.tir.expr import EQ, Add, BufferLoad, Call, Expr, IntImm, Select, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, expr_post_order, stmt_post_order, substitute
from gpucomp.tir.stmt import AttrStmt, BufferStore, For, ForKind, Stmt
from gpucomp.transform.walk import int_value, is_call

KEY: Final = "pragma_product_order"
BACK_AND_FORTH: Final = 1
ROWS: Final = 2
MOST_PRODUCTS: Final = 1024


def product_order(func: PrimFunc) -> PrimFunc:
    """Order the unrolled loops under ``pragma_product_order``, 1 for back and forth, 2 for rows; remove the pragmas.

    The nest has to be one statement ``sum[i] = sum[i] + product`` (or a dot product of four bytes) of memory of the
    thread, in loops of constant extents that lead to different elements of ``sum``, each of which picks an element of
    one of two operands. Anything else, and all on processors, stays as it is.
    """
    if not any([isinstance(n, AttrStmt) and n.attr_key == KEY for n in stmt_post_order(func.body)]):
        return func
    target: Any = func.attrs.get("target")
    return func.with_body(_Order(target is not None and target.is_gpu).stmt(func.body))


class _Order(Mutator):
    def __init__(self, wanted: bool) -> None:
        super().__init__()
        self.wanted = wanted
        self.analyzer = Analyzer()

    def expr(self, node: Expr) -> Expr:
        return node

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        if node.attr_key != KEY:
            return super().visit_attr_stmt(node)
        return (self._ordered(node.body, int_value(node.value)) if self.wanted else None) or self.stmt(node.body)

    def _ordered(self, node: Stmt, order: int | None) -> Stmt | None:
        loops: list[For] = []
        body = node
        while isinstance(body, For):
            if body.kind is not ForKind.UNROLLED or int_value(body.min) != 0 or int_value(body.extent) is None:
                return None
            loops.append(body)
            body = body.body
        if len(loops) < 2 or not isinstance(body, BufferStore):
            return None
        variables = [loop.loop_var for loop in loops]
        extents = {loop.loop_var: int_value(loop.extent) or 0 for loop in loops}
        operands = self._operands(body, variables)
        if operands is None or not self._differ(body, extents):
            return None
        if order == ROWS:
            return _nest(body, loops, *operands)
        inner, outer = sorted(operands, key=lambda group: _count(group, extents))
        return _nest(_turning(body, outer, inner, extents), loops, outer, inner)

    def _operands(self, store: BufferStore, variables: list[Var]) -> list[list[Var]] | None:
        """The loops that pick an element of each of the two operands, the farthest apart first; None for other sums."""
        target = store.buffer
        parts = _sum_and_factors(store)
        if parts is None or target.scope() != "local" or len(store.indices) != 1:
            return None
        old, factors = parts
        loads = [x for factor in factors for x in expr_post_order(factor) if isinstance(x, BufferLoad)]
        if not _is_old(old, store) or len(loads) != 2 or any([x.buffer.data is target.data for x in loads]):
            return None
        groups: list[list[Var]] = []
        for load in loads:
            steps = self._steps(load.indices[0], variables)
            if steps is None:
                return None
            far = sorted([(-abs(step), number, v) for number, (v, step) in enumerate(steps.items()) if step])
            groups.append([v for _, _, v in far])
        if not groups[0] or not groups[1] or len(groups[0]) + len(groups[1]) != len(variables):
            return None
        return groups if not set(groups[0]) & set(groups[1]) else None

    def _steps(self, index: Expr, variables: list[Var]) -> dict[Var, int] | None:
        """By how much each loop moves an index; None where that is not constant."""
        parts = detect_linear_equation(index, variables, self.analyzer)
        steps = [part.value if isinstance(part, IntImm) else None for part in parts[:-1]]
        if not parts or any([step is None for step in steps]):
            return None
        return {v: step or 0 for v, step in zip(variables, steps, strict=True)}

    def _differ(self, store: BufferStore, extents: dict[Var, int]) -> bool:
        """Whether no two rounds of the nest store to the same element."""
        total = _count(list(extents), extents)
        steps = self._steps(store.indices[0], list(extents))
        if steps is None or total > MOST_PRODUCTS:
            return False
        places = [0]
        for var, extent in extents.items():
            places = [place + steps[var] * k for place in places for k in range(extent)]
        return len(dict.fromkeys(places)) == total


def _sum_and_factors(store: BufferStore) -> tuple[Expr, list[Expr]] | None:
    """What a store adds to, and what it adds; None for a store of anything but a sum."""
    value = store.value
    if isinstance(value, Call) and is_call(value, "dp4a"):
        return value.args[2], list(value.args[:2])
    if not isinstance(value, Add):
        return None
    old, product = (value.a, value.b) if _is_old(value.a, store) else (value.b, value.a)
    return old, [product]


def _is_old(value: Expr, store: BufferStore) -> bool:
    return isinstance(value, BufferLoad) and value.buffer is store.buffer and value.indices[0] is store.indices[0]


def _count(variables: list[Var], extents: dict[Var, int]) -> int:
    total = 1
    for var in variables:
        total *= extents[var]
    return total


def _turning(store: BufferStore, outer: list[Var], inner: list[Var], extents: dict[Var, int]) -> Stmt:
    """The statement, with the inner loops running backwards in every second round of the outer ones."""
    number: Expr = operators.const(0)
    for var in outer:
        number = operators.add(operators.multiply(number, extents[var]), var)
    forwards = operators.compare(EQ, operators.floormod(number, 2), 0)
    turned: dict[Var, Expr] = {}
    for var in inner:
        turned[var] = Select(forwards, var, operators.subtract(extents[var] - 1, var))
    return substitute(store, turned)


def _nest(body: Stmt, loops: list[For], outer: list[Var], inner: list[Var]) -> Stmt:
    by_var = {loop.loop_var: loop for loop in loops}
    for var in reversed([*outer, *inner]):
        body = by_var[var].replace(body=body)
    return body
