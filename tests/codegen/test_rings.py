"""Counters instead of remainders: where they come, where they do not, and that the results stay."""

from __future__ import annotations

import numpy as np
import pytest

from gpucomp.codegen.rings import ring_counters
from gpucomp.tir import expr as e
from gpucomp.tir import intrin
from gpucomp.tir import operators as op
from gpucomp.tir import stmt as s
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.stmt import ForKind
from tests.codegen.build import axis, bind, device, flat, images
from tests.codegen.devices import check_everywhere, run_opencl

ROUNDS = 11


def remainders(count: int, low: int, barrier: bool = True) -> tuple[s.For, Expr, PrimFunc]:
    """A loop that adds up ``weight * ((k + d) % count)`` for d in 0..count-1, the loop, and its kernel."""
    out, total = flat("out", size=4), flat("total", size=1, scope="local")
    tx, k, zero = axis("threadIdx.x", 4), Var("k", "int32"), op.const(0)
    value: Expr = total[zero]
    for d in range(count):
        value = value * 3.0 + e.FloorMod(k + d, op.const(count)).astype("float32")
    steps = [s.BufferStore(total, value * 0.5, (zero,))]
    steps += [s.Evaluate(intrin.barrier())] if barrier else []
    loop = s.For(k, low, ROUNDS, ForKind.SERIAL, s.seq(*steps))
    body = s.seq(
        s.BufferStore(total, op.const(0.0, "float32"), (zero,)), loop, s.BufferStore(out, total[zero], (tx.var,))
    )
    body = s.Allocate(total.data, total.dtype, total.shape, op.const(1, "bool"), body)
    return loop, value, device([out], bind(body, tx), {"threadIdx.x": 4}, [out])


def expected(count: int, low: int) -> float:
    total = np.float32(0)
    for k in range(low, low + ROUNDS):
        for d in range(count):
            total = np.float32(total * np.float32(3) + np.float32((k + d) % count))
        total = np.float32(total * np.float32(0.5))
    return float(total)


@pytest.mark.opencl
@pytest.mark.parametrize("low", [0, 2, 7])
@pytest.mark.parametrize("count", [3, 5])
def test_a_loop_with_a_barrier_counts_round(count: int, low: int) -> None:
    forms = images(remainders(count, low)[2])
    check_everywhere(forms)
    text = forms["cuda"].source
    assert f"int k_ring = {low % count};" in text
    assert f"k_ring = k_ring == {count - 1} ? 0 : k_ring + 1;\n  }}" in text
    assert "%" not in text
    out = run_opencl(forms["opencl"], "f_kernel", (1,), (4,), [np.full(4, -1, np.float32)])[0]
    np.testing.assert_allclose(out, np.full(4, expected(count, low), np.float32), rtol=1e-6)


@pytest.mark.parametrize(("count", "barrier"), [(4, True), (3, False), (100, True)])
def test_powers_of_two_and_loops_without_barriers_keep_their_remainders(count: int, barrier: bool) -> None:
    loop = remainders(count, 0, barrier)[0]
    assert ring_counters(loop) == (loop, [])


def test_the_remainder_of_something_else_stays() -> None:
    k, total, zero = Var("k", "int32"), flat("total", size=1, scope="local"), op.const(0)
    for index in (k * 2, k + Var("n", "int32")):
        store = s.BufferStore(total, e.FloorMod(index, op.const(3)).astype("float32"), (zero,))
        loop = s.For(k, 0, ROUNDS, ForKind.SERIAL, s.seq(store, s.Evaluate(intrin.barrier())))
        assert ring_counters(loop) == (loop, [])
