"""round_conditions: rows that start anywhere are compared with their ends in the first and last rounds only."""

from __future__ import annotations

import pytest

from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.target import Target
from gpucomp.tir import operators
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import And, Expr, Or, Var
from gpucomp.tir.stmt import IfThenElse, Stmt
from gpucomp.transform.round_conditions import round_conditions
from tests.transform.build import UNROLLED, assert_same_meaning, func, loop, nodes, numbers, store, thread

r, tx, bx, k = (Var(x) for x in ("r", "tx", "bx", "k"))
C = decl_buffer((320,), name="C")
PLACE = r * 16 + tx
CUDA = Target("cuda -arch=sm_90a")


def kernel(condition: Expr, body: Stmt | None = None, rounds: int = 5) -> Stmt:
    inside = IfThenElse(condition, store(C, bx * 80 + PLACE, 1.0) if body is None else body)
    return thread("blockIdx.x", bx, 4, thread("threadIdx.x", tx, 16, loop(r, rounds, inside, UNROLLED)))


def left(condition: Expr) -> Expr:
    """The condition after the pass, which means the same."""
    before = func([C], kernel(condition))
    after = round_conditions(before)
    assert_same_meaning(before, after, [numbers(320)])
    (check,) = nodes(after, IfThenElse)
    return check.condition


@pytest.mark.parametrize(
    ("condition", "rounds"),
    [
        ((bx * 3) % 4 <= PLACE, r >= 1),
        (PLACE >= (bx * 3) % 4, r >= 1),
        (PLACE + 2 > (bx * 3) % 4 + 14, r >= 1),
        (PLACE + 1 > (bx * 3) % 4 + 14, r >= 2),
        (PLACE < (bx * 3) % 4 + 64, r < 4),
        ((bx * 3) % 4 + 63 > PLACE, r < 3),
        (PLACE < 66 - (bx * 3) % 4, r < 3),
    ],
)
def test_rounds_in_which_a_comparison_holds_are_let_through(condition: Expr, rounds: Expr) -> None:
    assert left(condition) is operators.logical(Or, rounds, condition)


def test_each_side_of_a_conjunction_is_looked_at_by_itself() -> None:
    after, before = (bx * 3) % 4 <= PLACE, PLACE < (bx * 3) % 4 + 64
    assert left(operators.logical(And, after, before)) is operators.logical(
        And, operators.logical(Or, r >= 1, after), operators.logical(Or, r < 4, before)
    )


@pytest.mark.parametrize(
    "condition",
    [
        PLACE < 70,  # starts nowhere but at zero
        (tx * 3) % 4 <= PLACE,  # of the thread itself
        (bx * 3) % 4 * 40 <= PLACE,  # no remainder by itself
        (bx * 3) % 4 <= bx * 16 + r,  # of no thread
        (bx * 3) % 4 + 1000 <= PLACE,  # never
    ],
)
def test_other_conditions_stay_as_they_are(condition: Expr) -> None:
    assert left(condition) is condition


def test_loops_that_are_not_unrolled_keep_their_conditions() -> None:
    check = IfThenElse((bx * 3) % 4 <= k * 16 + tx, store(C, bx * 80 + k * 16 + tx, 1.0))
    body = thread("blockIdx.x", bx, 4, thread("threadIdx.x", tx, 16, loop(k, 5, check)))
    assert round_conditions(func([C], body)).body is body


@pytest.mark.parametrize("op", ["row_argmax", "softmax"])
def test_rows_that_end_on_either_side_of_a_power_of_two_are_tested_at_their_ends(op: str) -> None:
    operator = registry.get(op)
    definition = operator.define((8192, 8191), "float16", CUDA)
    data = compile_function(operator.schedule(definition, CUDA), definition.args, CUDA, op)
    text = data.variants[0].get().image.source
    assert "i1 >= 1 || A_at <= at" in text
    assert "i1 < 7 || at + 3 < A_at + 8191" in text
