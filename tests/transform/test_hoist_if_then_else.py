"""hoist_if_then_else: which conditions leave their loop, and which branches become one."""

from __future__ import annotations

from gpucomp.tir import operators
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import LT, And, IterVar, SizeVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.intrin import barrier, likely
from gpucomp.tir.stmt import AttrStmt, Evaluate, For, IfThenElse, Stmt, seq
from gpucomp.transform.hoist_if_then_else import hoist_if_then_else
from tests.transform.build import VECTORIZED, assert_same_meaning, func, loop, nodes, numbers, store, thread

i, j, k, tx = (Var(x) for x in ("i", "j", "k", "tx"))
C, D = decl_buffer((64,), name="C"), decl_buffer((64,), name="D")


def hoisted(body: Stmt) -> PrimFunc:
    f = func([D, C], body)
    done = hoist_if_then_else(f)
    assert_same_meaning(f, done, [numbers(64), numbers(64, seed=1)], 2)
    return done


def both(a: operators.Expr, b: operators.Expr) -> operators.Expr:
    return operators.logical(And, a, b)


def test_a_condition_that_the_loop_does_not_change_goes_outside() -> None:
    f = hoisted(loop(i, 8, loop(j, 8, IfThenElse(likely(i < 5), store(C, i * 8 + j, 1.0)))))
    (check,) = nodes(f, IfThenElse)
    assert isinstance(check.then_case, For)
    assert check.then_case.loop_var is j


def test_it_goes_through_all_loops_that_do_not_change_it() -> None:
    n = SizeVar("n")
    f = hoist_if_then_else(func([C], loop(i, 8, loop(j, 8, IfThenElse(n < 5, store(C, i * 8 + j, 1.0)))), [n]))
    assert isinstance(f.body, IfThenElse)


def test_of_a_conjunction_the_part_that_does_not_change_goes_outside() -> None:
    f = hoisted(loop(i, 8, loop(j, 8, IfThenElse(both(i < 5, j < 3), store(C, i * 8 + j, 1.0)))))
    outer = next(x for x in nodes(f, IfThenElse) if isinstance(x.then_case, For))
    assert outer.condition is (i < 5)
    assert nodes(outer.then_case, IfThenElse)[0].condition is (j < 3)


def test_an_alternative_goes_along_when_the_whole_condition_does() -> None:
    f = hoisted(loop(i, 8, loop(j, 8, IfThenElse(i < 5, store(C, i * 8 + j, 1.0), store(C, i * 8 + j, 2.0)))))
    (check,) = nodes(f, IfThenElse)
    assert isinstance(check.else_case, For)


def test_an_alternative_keeps_a_mixed_condition_in_place() -> None:
    body = loop(i, 8, loop(j, 8, IfThenElse(both(i < 5, j < 3), store(C, i * 8 + j, 1.0), store(C, i * 8 + j, 2.0))))
    f = func([C], body)
    assert hoist_if_then_else(f) is f


def test_a_condition_on_memory_stays_where_it_is() -> None:
    f = func([D, C], loop(j, 8, IfThenElse(D[0] > 0.0, store(D, 0, 0.0))))
    assert hoist_if_then_else(f) is f


def test_a_condition_that_a_load_guards_does_not_overtake_it() -> None:
    f = func([D, C], loop(i, 8, loop(j, 8, IfThenElse(both(D[j] > 0.0, i < 5), store(C, i * 8 + j, 1.0)))))
    assert hoist_if_then_else(f) is f


def test_a_branch_among_other_statements_stays_in_the_loop() -> None:
    f = func([D, C], loop(i, 4, loop(j, 8, seq(store(D, j, 1.0), IfThenElse(i < 5, store(C, j, 1.0))))))
    assert hoist_if_then_else(f) is f


def test_a_vectorised_loop_keeps_its_condition() -> None:
    f = func([C], loop(i, 4, loop(j, 8, IfThenElse(i < 3, store(C, i * 8 + j, 1.0)), VECTORIZED)))
    assert hoist_if_then_else(f) is f


def test_nested_branches_become_one() -> None:
    f = hoisted(loop(i, 64, IfThenElse(i > 3, IfThenElse(i < 9, store(C, i, 1.0)))))
    (check,) = nodes(f, IfThenElse)
    assert check.condition is both(i > 3, i < 9)


def test_neighbours_on_one_condition_are_joined() -> None:
    f = hoisted(loop(i, 64, seq(IfThenElse(i < 9, store(C, i, 1.0)), IfThenElse(i < 9, store(D, i, 2.0)))))
    assert len(nodes(f, IfThenElse)) == 1


def test_neighbours_on_a_condition_that_the_first_changes_are_not_joined() -> None:
    f = hoisted(seq(IfThenElse(D[0] > 0.0, store(D, 0, -1.0)), IfThenElse(D[0] > 0.0, store(C, 0, 5.0))))
    assert len(nodes(f, IfThenElse)) == 2


def test_neighbours_with_a_barrier_between_stay_two() -> None:
    check = IfThenElse(tx < 3, store(C, tx, 1.0))
    f = func([D, C], thread("threadIdx.x", tx, 8, seq(check, Evaluate(barrier("shared")), check)))
    assert hoist_if_then_else(f) is f


def test_a_condition_leaves_a_loop_with_a_pragma() -> None:
    pragma = AttrStmt(
        IterVar(None, j, 0), "pragma_auto_unroll_max_step", operators.const(16),
        loop(j, 8, IfThenElse(i < 3, store(C, i * 8 + j, 1.0))),
    )  # fmt: skip
    f = hoisted(loop(i, 8, pragma))
    (check,) = nodes(f, IfThenElse)
    assert isinstance(check.then_case, AttrStmt)


def test_a_condition_that_depends_on_the_thread_does_not_leave_the_kernel() -> None:
    f = hoisted(thread("threadIdx.x", tx, 8, loop(j, 8, IfThenElse(tx < 3, store(C, tx * 8 + j, 1.0)))))
    assert isinstance(f.body, AttrStmt)
    assert isinstance(f.body.body, IfThenElse)


def test_a_function_without_branches_comes_back_as_the_same_object() -> None:
    f = func([C], loop(i, 64, store(C, i, 1.0)))
    assert hoist_if_then_else(f) is f


def test_branches_between_which_threads_hand_over_memory_stay_apart() -> None:
    shared = decl_buffer((64,), name="S", scope="shared")
    here = operators.compare(LT, tx, 60)
    body = seq(
        IfThenElse(here, store(shared, tx, C[tx])),
        IfThenElse(here, store(D, tx, shared[59 - tx])),
    )
    f = hoist_if_then_else(func([D, C], thread("threadIdx.x", tx, 64, body)))
    assert len(nodes(f, IfThenElse)) == 2
