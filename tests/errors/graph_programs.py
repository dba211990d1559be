"""Programs with one mistake each: gradients, scans, functions of blocks."""

from __future__ import annotations

from gpucomp import te, tir
from gpucomp.te import Tensor
from tests.errors.programs import mistake


@mistake("A", "create_prim_func")
def an_input_missing_from_a_function_of_blocks() -> object:
    a = te.placeholder((32,), name="A")
    b = te.compute((32,), lambda i: a[i] * 2.0, name="B")
    return te.create_prim_func([b])  # cause


@mistake("H", "Y", "(3)", "(32)")
def a_head_that_does_not_fit_the_output() -> object:
    a, h = te.placeholder((32,), name="A"), te.placeholder((3,), name="H")
    y = te.compute((32,), lambda i: a[i] * 2.0, name="Y")
    return te.gradient(y, [a], h)  # cause


@mistake("N", "int32")
def a_gradient_with_respect_to_integers() -> object:
    n = te.placeholder((32,), "int32", name="N")
    y = te.compute((32,), lambda i: n[i].astype("float32") * 2.0, name="Y")
    return te.gradient(y, [n])  # cause


@mistake("mystery")
def a_gradient_through_an_unknown_function() -> object:
    a = te.placeholder((32,), name="A")
    y = te.compute((32,), lambda i: tir.call_pure_extern("float32", "mystery", a[i]), name="Y")  # cause
    return te.gradient(y, [a])


def running_sum() -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """X, the first step, a step, its state, and the sum of all rows so far."""
    x, state = te.placeholder((8, 32), name="X"), te.placeholder((8, 32), name="state")
    first = te.compute((1, 32), lambda _, i: x[0, i], name="first")
    step = te.compute((8, 32), lambda t, i: state[t - 1, i] + x[t, i], name="step")
    return x, first, step, state, te.scan(first, step, state, name="total")


@mistake("step", "(7, 32)", "(8, 32)")
def a_scan_whose_state_has_another_shape() -> object:
    _, first, _, state, _ = running_sum()
    step = te.compute((7, 32), lambda t, i: state[t, i] + 1.0, name="step")
    return te.scan(first, step, state)  # cause


@mistake("state[t + 1]")
def a_scan_that_reads_a_later_step() -> object:
    _, first, _, state, _ = running_sum()
    step = te.compute((8, 32), lambda t, i: state[t + 1, i] + 1.0, name="step")
    return te.scan(first, step, state)  # cause


@mistake("state[t - 2]", "1 step")
def a_scan_whose_first_steps_are_too_few() -> object:
    _, first, _, state, _ = running_sum()
    step = te.compute((8, 32), lambda t, i: state[t - 2, i] + 1.0, name="step")
    return te.scan(first, step, state)  # cause


@mistake("state", "outside", "total")
def a_state_that_is_read_outside_of_its_scan() -> object:
    _, _, _, state, total = running_sum()
    outside = te.compute((32,), lambda i: total[7, i] + state[0, i], name="outside")  # cause
    return te.create_schedule(outside.op)


@mistake("total.idx", "parallel")
def steps_of_a_scan_in_parallel() -> object:
    x, _, _, _, total = running_sum()
    s = te.create_schedule(total.op)
    s[total].parallel(total.op.axis[0])  # cause
    return te.lower_schedule(s, [x, total])


@mistake("step", "env_threads")
def a_scan_whose_threads_exchange_elements_in_one_kernel() -> object:
    x, first, _, state, _ = running_sum()
    step = te.compute((8, 32), lambda t, i: state[t - 1, 31 - i] + x[t, i], name="step")
    total = te.scan(first, step, state, name="total")
    s = te.create_schedule(total.op)
    tx = te.thread_axis((0, 32), "threadIdx.x")
    s[first].bind(first.op.axis[1], tx)
    s[step].bind(step.op.axis[1], tx)  # cause
    s[total].env_threads([tx])
    return te.lower_schedule(s, [x, total])


@mistake("'C'", "A[i + 1]", "dimension 0 of A", "8", "te.if_then_else")
def a_compute_that_reads_past_the_end() -> object:
    a = te.placeholder((8,), name="A")
    c = te.compute((8,), lambda i: a[i + 1] - a[i], name="C")  # cause
    return te.create_schedule(c.op)


@mistake("'A'", "'both'")
def a_join_of_an_input() -> object:
    a = te.placeholder((4,), name="A")
    b = te.compute((4,), lambda i: a[i] + 1, name="B")
    return te.join([a, b], name="both")  # cause


@mistake("B", "both", "shared")
def a_part_of_a_join_in_memory_of_its_own() -> object:
    a = te.placeholder((4,), name="A")
    b = te.compute((4,), lambda i: a[i] + 1, name="B")
    both = te.join([b], name="both")
    s = te.create_schedule(both.op)
    s[b].set_scope("shared")  # cause
    return te.lower_schedule(s, [a, both])
