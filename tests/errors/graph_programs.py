"""Programs with one mistake each: gradients, scans, functions of blocks."""

from __future__ import annotations

from gpucomp import te, tir
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
