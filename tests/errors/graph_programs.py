"""Programs with one mistake each: gradients, scans, functions of blocks."""

from __future__ import annotations

from gpucomp import te
from tests.errors.programs import mistake


@mistake("A", "create_prim_func")
def an_input_missing_from_a_function_of_blocks() -> object:
    a = te.placeholder((32,), name="A")
    b = te.compute((32,), lambda i: a[i] * 2.0, name="B")
    return te.create_prim_func([b])  # cause
