"""Transposes as stages of larger programs, whose rows are longer than what they hold."""

from __future__ import annotations

import numpy as np
import pytest

from gpucomp import te
from gpucomp.kernels.layouts.compute import turn_in_vectors
from gpucomp.kernels.layouts.schedule_gpu import turn_elements, turn_vectors
from gpucomp.kernels.layouts.tiles import Tile
from gpucomp.kernels.registry import Definition
from tests.kernels.running import run, whole_inputs


@pytest.mark.opencl
@pytest.mark.parametrize("how", ["interp", "llvm", "opencl"])
@pytest.mark.parametrize(("rows", "padded"), [(37, 40), (32, 32), (33, 48)])
def test_rows_of_vectors_are_filled_up_with_zeros(rows: int, padded: int, how: str) -> None:
    a = te.placeholder((rows, 40), "float32", "A")
    vectors, out = turn_in_vectors(a, (rows, 40), 4, 4, ("A_vectors", "A_rows"), padded)
    s = te.create_schedule(out.op)
    turn_vectors(s, vectors, out, Tile(16, 32, 64, 4, 4, panel=4, gap=2))
    defn = Definition((a,), (out,), (vectors,))
    inputs = whole_inputs(defn)
    wanted = np.zeros((40, padded), np.float32)
    wanted[:, :rows] = inputs[0].T
    assert np.array_equal(run(s, defn, inputs, how), wanted)


@pytest.mark.opencl
@pytest.mark.parametrize("how", ["interp", "llvm", "opencl"])
def test_rows_of_elements_are_filled_up_with_zeros(how: str) -> None:
    a = te.placeholder((37, 41), "float32", "A")
    out = te.compute((48, 40), lambda k, i: te.if_then_else(te.all(k < 41, i < 37), a[i, k], 0.0), name="A_rows")
    s = te.create_schedule(out.op)
    turn_elements(s, out, Tile(16, 32, 64, 1, 4))
    defn = Definition((a,), (out,))
    inputs = whole_inputs(defn)
    wanted = np.zeros((48, 40), np.float32)
    wanted[:41, :37] = inputs[0].T
    assert np.array_equal(run(s, defn, inputs, how), wanted)
