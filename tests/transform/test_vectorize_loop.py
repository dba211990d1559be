"""vectorize_loop: vectors where accesses are contiguous, gathers, loops over lanes where nothing else is right."""

from __future__ import annotations

import numpy as np
import pytest

from gpucomp.support.diagnostics import LowerError
from gpucomp.target import Target
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import And, Broadcast, BufferLoad, IntImm, Ramp, Select, Shuffle, SizeVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.interp import interpret
from gpucomp.tir.intrin import call_pure_extern, exp, if_then_else, likely
from gpucomp.tir.stmt import Allocate, BufferStore, For, ForKind, IfThenElse, LetStmt, Stmt, While, seq
from gpucomp.transform.vectorize_loop import serialize_vectorized, vectorize_loop
from tests.transform.build import (
    VECTORIZED,
    allocate,
    assert_same_meaning,
    func,
    internal,
    loop,
    nodes,
    numbers,
    store,
)

i, j, k = Var("i"), Var("j"), Var("k")
n = SizeVar("n")
A, B, C = (decl_buffer((64,), name=x) for x in "ABC")
D, E = (decl_buffer((64,), "int32", x) for x in "DE")
ONE = IntImm("int32", 1)


def vector(body: Stmt, lanes: int = 4, outer: int = 16) -> Stmt:
    """``for i in outer: for j in lanes (vectorised)``."""
    return loop(i, outer, loop(j, lanes, body, VECTORIZED))


def checked(body: Stmt, *buffers: Buffer, arrays: list[np.ndarray] | None = None, **attrs: object) -> PrimFunc:
    """The vectorised function, after its meaning was compared."""
    used = buffers or (A, B, C)
    f = func(used, body, (), **attrs)
    done = vectorize_loop(f)
    values = arrays or [numbers(64, dtype=b.dtype, seed=s) for s, b in enumerate(used)]
    assert_same_meaning(f, done, values)
    return done


def loops(f: PrimFunc) -> list[tuple[str, ForKind]]:
    return [(x.loop_var.name, x.kind) for x in nodes(f, For)]


def test_a_contiguous_copy_loads_and_stores_vectors() -> None:
    f = checked(vector(store(C, i * 4 + j, A[i * 4 + j] + 1.0)))
    (done,) = nodes(f, BufferStore)
    assert done.indices[0] is Ramp(i * 4, ONE, 4)
    assert done.value is operators.e.Add(A[Ramp(i * 4, ONE, 4)], Broadcast(operators.const(1.0, "float32"), 4))
    assert loops(f) == [("i", ForKind.SERIAL)]


def test_what_all_lanes_share_is_broadcast() -> None:
    f = checked(vector(store(C, i * 4 + j, A[i])))
    assert nodes(f, BufferStore)[0].value is Broadcast(A[i], 4)


def test_a_loop_that_does_not_start_at_zero_starts_the_ramp() -> None:
    f = checked(loop(j, 4, store(C, j, A[j]), VECTORIZED, low=8))
    assert nodes(f, BufferStore)[0].indices[0] is Ramp(IntImm("int32", 8), ONE, 4)


def test_a_strided_load_is_gathered() -> None:
    f = checked(vector(store(C, i * 4 + j, A[j * 8 + i]), 4, 8))
    (done,) = nodes(f, BufferStore)
    assert isinstance(done.value, Shuffle)
    assert [v.indices[0] for v in done.value.vectors if isinstance(v, BufferLoad)][1] is (operators.const(8) + i)


def test_a_strided_store_runs_lane_by_lane() -> None:
    f = checked(vector(store(C, j * 8 + i, A[i * 4 + j]), 4, 8))
    assert loops(f) == [("j", ForKind.UNROLLED), ("i", ForKind.SERIAL)]


def test_an_indirect_load_is_gathered() -> None:
    x = decl_buffer((64,), "int32", "X")
    values = [np.arange(64, dtype="int32")[::-1].copy(), numbers(64), numbers(64, seed=1)]
    f = checked(vector(store(C, i * 4 + j, A[x[i * 4 + j]])), x, A, C, arrays=values)
    assert nodes(f, Shuffle)


def test_a_split_index_that_crosses_no_tile_stays_contiguous() -> None:
    flat = i * 4 + j
    f = checked(vector(store(C, operators.floordiv(flat, 8) * 8 + operators.floormod(flat, 8), A[flat])))
    (done,) = nodes(f, BufferStore)
    assert isinstance(done.indices[0], Ramp)
    assert done.indices[0].stride is ONE


def test_a_split_index_that_crosses_tiles_is_not_taken_for_contiguous() -> None:
    flat = i * 4 + j
    checked(vector(store(C, operators.floordiv(flat, 6) * 6 + operators.floormod(flat, 6), A[flat])))
    checked(vector(store(C, flat, A[operators.floormod(flat + 1, 8)])))


@pytest.mark.parametrize("offset", [-3, 0, 2, 5])
@pytest.mark.parametrize("by", [2, 3, 4, 8])
def test_quotients_and_remainders_of_lanes_are_right_for_every_offset(offset: int, by: int) -> None:
    x = decl_buffer((64,), "int32", "X")
    flat = i * 4 + j + offset
    for cls in (operators.floordiv, operators.floormod, operators.truncdiv, operators.truncmod):
        checked(vector(store(x, i * 4 + j, cls(flat, by))), x)


def test_a_bound_check_takes_vectors_where_all_lanes_pass_and_a_loop_elsewhere() -> None:
    f = checked(vector(IfThenElse(likely(i * 4 + j < 61), store(C, i * 4 + j, A[i * 4 + j]))))
    check = next(x for x in nodes(f, IfThenElse) if x.else_case is not None)
    assert check.condition is (i * 4 + 3 < 61)
    assert isinstance(check.then_case, BufferStore)
    assert isinstance(check.else_case, For)


@pytest.mark.parametrize("limit", [0, 1, 3, 4, 5, 61, 63, 64])
def test_every_kind_of_bound_check_means_the_same(limit: int) -> None:
    flat = i * 4 + j
    mirrored = operators.const(63) - flat
    for condition in (flat < limit, flat <= limit, mirrored > limit, mirrored >= limit, operators.const(limit) > flat):
        checked(vector(IfThenElse(condition, store(C, flat, A[flat]))))


def test_a_branch_with_an_alternative_that_depends_on_the_lane_is_a_loop() -> None:
    f = checked(vector(IfThenElse(j < 2, store(C, i * 4 + j, 1.0), store(C, i * 4 + j, 2.0))))
    assert ("j", ForKind.UNROLLED) in loops(f)


def test_a_branch_that_all_lanes_take_alike_stays_a_branch_around_vectors() -> None:
    f = checked(vector(IfThenElse(i < 9, store(C, i * 4 + j, 1.0), store(C, i * 4 + j, 2.0))))
    assert all(x.value.dtype == "float32x4" for x in nodes(f, BufferStore))


def test_a_guarded_load_never_loads_outside() -> None:
    value = if_then_else(operators.logical(And, i * 4 + j >= 2, i * 4 + j < 60), A[i * 4 + j + 4], 0.0)
    f = checked(vector(store(C, i * 4 + j, value)))
    assert nodes(f, BufferStore)[0].value.dtype == "float32x4"


def test_a_guarded_load_is_a_vector_load_where_all_lanes_pass() -> None:
    f = checked(vector(store(C, i * 4 + j, if_then_else(i * 4 + j < 61, A[i * 4 + j], 0.0))))
    value = nodes(f, BufferStore)[0].value
    assert isinstance(value, operators.e.Call)
    assert value.args[0] is (i * 4 + 3 < 61)
    assert isinstance(value.args[1], BufferLoad)


def test_a_choice_without_loads_becomes_a_select() -> None:
    f = checked(vector(store(C, i * 4 + j, if_then_else(j < 2, operators.cast("float32", j), 7.0))))
    assert isinstance(nodes(f, BufferStore)[0].value, Select)


def test_select_compare_cast_and_math_are_lanewise() -> None:
    a = A[i * 4 + j]
    value = Select(a > 0.0, exp(a * 0.0), operators.cast("float32", operators.cast("int32", a) + j))
    f = checked(vector(store(C, i * 4 + j, value)))
    assert loops(f) == [("i", ForKind.SERIAL)]


def test_a_condition_that_guards_a_load_is_not_evaluated_in_lanes_that_fail_it() -> None:
    inside = operators.logical(And, i * 4 + j < 60, A[i * 4 + j + 4] > 0.0)
    checked(vector(store(C, i * 4 + j, Select(inside, operators.const(1.0, "float32"), A[i * 4 + j]))))


def test_an_external_call_is_made_for_each_lane() -> None:
    value = call_pure_extern("float32", "f", A[i * 4 + j])
    f = vectorize_loop(func([A, C], vector(store(C, i * 4 + j, value))))
    shuffle = nodes(f, BufferStore)[0].value
    assert isinstance(shuffle, Shuffle)
    assert len(shuffle.vectors) == 4


def test_a_sum_over_the_vectorised_axis_stays_a_loop() -> None:
    f = checked(loop(i, 16, loop(j, 4, store(C, i, C[i] + A[i * 4 + j]), VECTORIZED)))
    assert ("j", ForKind.UNROLLED) in loops(f)


def test_memory_that_lanes_share_one_after_the_other_stays_a_loop() -> None:
    t = internal("T", (1,))
    body = seq(store(t, 0, A[i * 4 + j]), store(C, i * 4 + j, t[0] * 2.0))
    f = checked(loop(i, 16, allocate(t, loop(j, 4, body, VECTORIZED))))
    assert ("j", ForKind.UNROLLED) in loops(f)


def test_memory_allocated_inside_gets_a_copy_for_each_lane() -> None:
    t = internal("T", (2,))
    body = seq(loop(k, 2, store(t, k, A[i * 4 + j] + operators.cast("float32", k))), store(C, i * 4 + j, t[0] * t[1]))
    f = checked(vector(allocate(t, body)))
    assert nodes(f, Allocate)[0].extents[0] is IntImm("int32", 8)
    assert loops(f) == [("k", ForKind.SERIAL), ("i", ForKind.SERIAL)]


def test_a_reduction_inside_keeps_its_loop_around_vectors() -> None:
    acc = store(C, i * 4 + j, C[i * 4 + j] + A[k] * B[k * 4 + j])
    f = checked(loop(i, 16, loop(j, 4, seq(store(C, i * 4 + j, 0.0), loop(k, 8, acc)), VECTORIZED)))
    assert all(x.value.dtype == "float32x4" for x in nodes(f, BufferStore))


def test_an_inner_loop_whose_length_depends_on_the_lane_runs_lane_by_lane() -> None:
    acc = store(C, i * 4 + j, C[i * 4 + j] + A[k])
    checked(loop(i, 16, loop(j, 4, seq(store(C, i * 4 + j, 0.0), loop(k, j + 1, acc)), VECTORIZED)))


def test_a_bound_variable_becomes_a_vector_variable() -> None:
    x = Var("x", "float32")
    f = checked(vector(LetStmt(x, A[i * 4 + j] * 2.0, store(C, i * 4 + j, x * x))))
    assert nodes(f, LetStmt)[0].var.dtype == "float32x4"
    y = Var("y")
    checked(vector(LetStmt(y, j * 8 + i, store(C, i * 4 + j, A[operators.floormod(y, 64)]))))


def test_a_bound_variable_in_a_strided_store_is_handled_by_a_loop() -> None:
    x = Var("x", "float32")
    checked(vector(LetStmt(x, A[i * 4 + j], seq(store(C, j * 8 + i, x), store(B, i * 4 + j, x))), 4, 8))


def test_nested_vectorised_loops_vectorise_the_inner_one() -> None:
    body = loop(i, 4, loop(j, 4, store(C, i * 4 + j, A[i * 4 + j]), VECTORIZED), VECTORIZED)
    f = checked(body)
    assert nodes(f, BufferStore)[0].value.dtype == "float32x4"
    assert loops(f) == [("i", ForKind.UNROLLED)]


def test_a_while_loop_runs_lane_by_lane() -> None:
    counter = decl_buffer((64,), "int32", "N")
    step = While(counter[i * 4 + j] > 0, store(counter, i * 4 + j, counter[i * 4 + j] - 1))
    checked(vector(step), counter, arrays=[np.arange(64, dtype="int32")])


def test_a_vector_longer_than_the_targets_is_cut() -> None:
    f = checked(vector(store(C, i * 16 + j, A[i * 16 + j]), 16, 4), target=Target("cuda"))
    (done,) = nodes(f, BufferStore)
    assert done.value.dtype == "float32x4"
    assert ("j_v", ForKind.UNROLLED) in loops(f)


def test_the_widest_element_decides_how_long_a_vector_may_be() -> None:
    h = decl_buffer((64,), "float16", "H")
    copy = vector(store(h, i * 8 + j, h[i * 8 + j]), 8, 8)
    f = vectorize_loop(func([h], copy, (), target=Target("cuda")))
    assert nodes(f, BufferStore)[0].value.dtype == "float16x8"
    widened = vector(store(C, i * 8 + j, operators.cast("float32", h[i * 8 + j])), 8, 8)
    g = vectorize_loop(func([h, C], widened, (), target=Target("cuda")))
    assert nodes(g, BufferStore)[0].value.dtype == "float32x4"


def test_a_length_that_is_no_power_of_two_is_cut_for_a_target_with_vector_types() -> None:
    f = checked(vector(store(C, i * 6 + j, A[i * 6 + j]), 6, 8), target=Target("cuda"))
    assert nodes(f, BufferStore)[0].value.dtype == "float32x2"
    g = checked(vector(store(C, i * 3 + j, A[i * 3 + j]), 3, 8), target=Target("cuda"))
    assert nodes(g, BufferStore)[0].value.dtype == "float32"


def test_a_vectorised_loop_of_symbolic_extent_is_an_error_that_names_it() -> None:
    with pytest.raises(LowerError) as caught:
        vectorize_loop(func([C], loop(j, n, store(C, j, 1.0), VECTORIZED)))
    text = caught.value.render()
    assert "loop 'j' is vectorised, but its extent n is no constant" in text
    assert "help: split it by a constant factor" in text


def test_a_function_without_vectorised_loops_comes_back_as_the_same_object() -> None:
    f = func([C], loop(j, 8, store(C, j, 1.0)))
    assert vectorize_loop(f) is f


def test_without_vectors_the_loop_is_serial() -> None:
    f = func([A, C], vector(store(C, i * 4 + j, A[i * 4 + j])))
    done = serialize_vectorized(f)
    assert loops(done) == [("j", ForKind.SERIAL), ("i", ForKind.SERIAL)]
    assert_same_meaning(f, done, [numbers(64), numbers(64, seed=1)])
    assert serialize_vectorized(done) is done


CPU = Target("llvm")


def test_a_branch_on_a_bound_check_becomes_a_predicate_on_processors() -> None:
    body = IfThenElse(likely(i * 4 + j < n), store(C, i * 4 + j, A[i * 4 + j] + B[i * 4 + j]))
    f = func((A, B, C), loop(i, operators.floordiv(n + 3, 4), loop(j, 4, body, VECTORIZED)), (n,), target=CPU)
    done = vectorize_loop(f)
    fast, slow = nodes(done, BufferStore)
    assert (fast.predicate, slow.predicate is None) == (None, False)
    assert [x.predicate for x in nodes(slow, BufferLoad)] == [slow.predicate] * 2
    assert loops(done) == [("i", ForKind.SERIAL)]
    for size in (1, 4, 63, 64):
        a, b, c = (numbers(64, seed=s) for s in range(3))
        want = np.where(np.arange(64) < size, a + b, c)
        interpret(done, [a, b, c, size])
        np.testing.assert_array_equal(c, want)


def test_memory_of_a_thread_is_masked_without_a_branch() -> None:
    acc = internal("acc", 16)
    body = IfThenElse(j < n, store(acc, j, acc[j] + A[i * 16 + j]))
    start, end = loop(j, 16, store(acc, j, 0.0), VECTORIZED), loop(j, 16, store(C, j, acc[j]), VECTORIZED)
    f = func((A, C), allocate(acc, seq(start, vector(body, 16, 4), end)), (n,), target=CPU)
    done = vectorize_loop(f)
    assert not nodes(done, IfThenElse)
    assert [x.predicate is not None for x in nodes(done, BufferStore)] == [False, True, False]
    a, c = numbers(64), np.zeros(64, "float32")
    interpret(done, [a, c, 5])
    np.testing.assert_array_equal(c[:16], np.where(np.arange(16) < 5, a.reshape(4, 16).sum(axis=0), 0))


def test_a_load_for_all_lanes_is_held_back_where_no_lane_passes() -> None:
    body = IfThenElse(i * 8 + j < 40, store(C, i * 8 + j, A[i * 15 + 3]))
    done = checked(vector(body, 8, 8), target=CPU)  # A has no element 5 * 15 + 3
    assert [x.predicate is None for x in nodes(done, BufferStore)] == [True, False]


def test_padding_becomes_a_choice_between_masked_vectors() -> None:
    body = store(C, i * 8 + j, if_then_else(And(j >= 1, j < 7), A[i * 8 + j - 1], 7.0))
    done = checked(vector(body, 8, 8), target=CPU)
    (choice,) = nodes(done, Select)
    assert isinstance(choice.true_value, BufferLoad)
    assert choice.true_value.predicate is choice.condition


def test_what_a_mask_cannot_hold_back_stays_in_branches() -> None:
    divided = IfThenElse(j < k, store(D, i * 4 + j, E[i * 4 + j] // E[j]))
    gathered = IfThenElse(j < k, store(D, i * 4 + j, E[j * 8 + i]))
    integers = [numbers(64, dtype="int32", seed=s) for s in range(2)]
    integers[1][integers[1] == 0] = 1
    for body in (divided, gathered):
        done = checked(loop(k, 5, vector(body, 4, 8)), D, E, arrays=integers, target=CPU)
        assert [x.predicate for x in nodes(done, BufferStore)] == [None] * len(nodes(done, BufferStore))


def test_other_targets_get_no_predicates() -> None:
    body = IfThenElse(i * 4 + j < 50, store(C, i * 4 + j, A[i * 4 + j]))
    for target in (Target("cuda"), Target("opencl")):
        done = checked(vector(body), target=target)
        assert all([x.predicate is None for x in nodes(done, BufferStore)])


@pytest.mark.parametrize("extent", [3, 7, 20])
def test_an_odd_number_of_lanes_fills_wide_vectors_on_processors(extent: int) -> None:
    done = checked(loop(j, extent, store(C, j, A[j] * 2.0), VECTORIZED), target=CPU)
    wide = {3: 4, 7: 8, 20: 16}[extent]
    assert {x.value.dtype.lanes for x in nodes(done, BufferStore)} == {wide}


def test_small_strides_stay_vectors_on_processors() -> None:
    done = checked(vector(store(C, i * 4 + j, A[j * 4 + i] + B[j * 3 + i])), target=CPU)
    assert [x.indices[0] for x in nodes(done, BufferLoad)] == [Ramp(i, IntImm("int32", x), 4) for x in (4, 3)]
    far = checked(vector(store(C, i * 4 + j, A[j * 5 + i])), target=CPU)
    assert all([x.dtype.lanes == 1 for x in nodes(far, BufferLoad)])
