"""Symbolic extents, tags, tensors without dimensions, and programs as they are written for TVM's topi."""

from __future__ import annotations

import numpy as np

import gpucomp as tvm
from gpucomp import te, topi
from tests.te.helpers import poisoned, small_ints


def test_symbolic_extents_go_through() -> None:
    n, m = te.var("n"), te.var("m")
    x, w = te.placeholder((n, m), name="x"), te.placeholder((7, m), name="w")
    outs = [topi.nn.dense(x, w), topi.nn.relu(topi.sum(x, 1)), topi.transpose(x), topi.add(x, topi.full_like(x, 1))]
    outs.append(topi.concatenate([x, w]))
    outs.append(topi.nn.layer_norm(x, topi.sum(w, 0), None, 1))
    func = tvm.build(topi.generic.schedule_injective(outs), [x, w, *outs], "llvm")
    a, b = small_ints((5, 3)), small_ints((7, 3), seed=1)
    away = a - a.mean(1, keepdims=True, dtype=np.float64)
    norm = away / np.sqrt((away * away).mean(1, keepdims=True) + 1e-5) * b.sum(0)
    wanted = [a @ b.T, np.maximum(a.sum(1), 0), a.T, a + 1, np.concatenate([a, b]), norm]
    results = [poisoned(y.shape) for y in wanted]
    func(a, b, *results)
    for got, want in zip(results, wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_tensors_without_dimensions_broadcast() -> None:
    x = te.placeholder((4,), name="x")
    total = topi.sum(x)
    outs = [topi.add(total, 1.0), topi.subtract(x, topi.exp(topi.multiply(total, 0.0)))]
    func = tvm.build(topi.generic.schedule_reduce(outs), [x, *outs], "llvm")
    a = small_ints((4,))
    results = [poisoned(()), poisoned((4,))]
    func(a, *results)
    np.testing.assert_array_equal(results[0], a.sum() + 1)
    np.testing.assert_array_equal(results[1], a - 1)


def test_operations_have_the_tags_that_schedules_look_for() -> None:
    x = te.placeholder((4, 5), name="x")
    assert topi.exp(x).op.tag == topi.tag.ELEMWISE
    assert topi.tag.is_broadcast(topi.add(x, te.placeholder((5,))).op.tag)
    assert topi.tag.is_injective(topi.transpose(x).op.tag)
    assert topi.tag.is_injective(topi.nn.pad(x, (1, 1)).op.tag)
    assert topi.sum(x).op.tag == topi.tag.COMM_REDUCE
    assert not topi.tag.is_injective(topi.sum(x).op.tag)


def test_a_schedule_for_gpus_has_primitives_and_gives_source() -> None:
    x = te.placeholder((33, 65), name="x")
    y = topi.nn.softmax(x)
    sch = topi.cuda.schedule_softmax(y)
    assert len(sch.trace) > 0
    assert "blockIdx.x" in tvm.source(sch, [x, y], "cuda")


def test_functions_of_numbers_and_variables_are_expressions() -> None:
    n = te.var("n")
    assert str(topi.add(n, 1)) == "n + 1"
    assert topi.utils.get_const_tuple((n, te.const(3))) == (n, 3)


def test_every_public_name_is_there() -> None:
    for module in (topi, topi.nn):
        assert all([hasattr(module, name) for name in module.__all__])


def test_a_reshape_of_more_elements_than_32_bits_count_keeps_their_number() -> None:
    x = te.placeholder((65536, 65536), name="x")
    assert topi.utils.get_const_tuple(topi.reshape(x, (262144, 16384)).shape) == (262144, 16384)
    assert topi.utils.get_const_tuple(topi.reshape(x, (-1, 16384)).shape) == (262144, 16384)
    assert topi.utils.get_const_tuple(topi.nn.flatten(topi.expand_dims(x, 0)).shape) == (1, 2**32)
