"""Floor division becomes C's division where both agree."""

from __future__ import annotations

from typing import Any  # functions that build expressions

import pytest

from gpucomp.tir import expr as e
from gpucomp.tir import operators as op
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import Expr, IterVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import post_order
from gpucomp.tir.stmt import ForKind
from gpucomp.transform.lower_intrin import lower_intrin

N = e.SizeVar("n")
FREE = Var("free")


def lowered(build: Any) -> list[type]:
    """Classes of the divisions that are left of ``build(loop, thread, let)``."""
    i, x = Var("i"), Var("x")
    tx = IterVar((0, 64), "tx", IterVar.ThreadIndex, "threadIdx.x")
    out = decl_buffer([N], "int32", "out")
    store = s.BufferStore(out, build(i, tx.var, x), (i,))
    body = s.AttrStmt(tx, "thread_extent", 64, s.For(i, 0, N, ForKind.SERIAL, s.LetStmt(x, i * 3 + tx, store)))
    func = PrimFunc((Var("out", out.data.type_annotation), FREE), body, {}, {})
    func = func.replace(buffer_map={func.params[0]: out})
    kinds = (e.Div, e.Mod, e.FloorDiv, e.FloorMod)
    return [type(node) for node in post_order(lower_intrin(func).body) if isinstance(node, kinds)]


@pytest.mark.parametrize(
    ("build", "kinds"),
    [
        (lambda i, t, x: (i + t) // 12, [e.Div]),
        (lambda i, t, x: (i * 64 + t) % 12, [e.Mod]),
        (lambda i, t, x: x // 7, [e.Div]),
        (lambda i, t, x: (i + t) // 12 % 5, [e.Div, e.Mod]),
        (lambda i, t, x: op.cast("uint32", FREE) // op.const(12, "uint32"), [e.Div]),
        (lambda i, t, x: i % (N + 1), [e.Mod]),
        (lambda i, t, x: (i - 1) // 12, [e.FloorDiv]),
        (lambda i, t, x: FREE // 12, [e.FloorDiv]),
        (lambda i, t, x: i // FREE, [e.FloorDiv]),
        (lambda i, t, x: i // N, [e.Div]),  # inside the loop over N, which is not 0 there
        (lambda i, t, x: (i + t) // 16 + t % 8, [e.FloorDiv, e.FloorMod]),
        (lambda i, t, x: (i // 3 - 4) % 12, [e.Div, e.FloorMod]),
    ],
)
def test_only_divisions_of_what_is_not_negative_change(build: Any, kinds: list[type]) -> None:
    def as_int(i: Var, t: Var, x: Var) -> Expr:
        return op.cast("int32", build(i, t, x))

    assert lowered(as_int) == kinds


def test_copies_of_a_let_are_judged_by_their_own_value() -> None:
    i, x = Var("i"), Var("x")
    out = decl_buffer([N], "int32", "out")
    store = s.BufferStore(out, x // 12, (i,))
    copies = s.seq(*[s.LetStmt(x, i + k, store) for k in (0, -1, 1)])
    func = PrimFunc((), s.For(i, 0, N, ForKind.SERIAL, copies), {}, {})
    found = [type(node) for node in post_order(lower_intrin(func).body) if isinstance(node, (e.Div, e.FloorDiv))]
    assert found == [e.Div, e.FloorDiv, e.Div]


def test_an_extent_may_be_zero_outside_of_its_loop() -> None:
    i = Var("i")
    out = decl_buffer([N], "int32", "out")
    inside = s.For(i, 0, N, ForKind.SERIAL, s.BufferStore(out, i % N, (i,)))
    outside = s.BufferStore(out, op.const(7) % N, (op.const(0),))
    params = (Var("out", out.data.type_annotation),)
    func = PrimFunc(params, s.seq(outside, inside, outside), {params[0]: out}, {})
    found = [type(node) for node in post_order(lower_intrin(func).body) if isinstance(node, (e.Mod, e.FloorMod))]
    assert found == [e.FloorMod, e.Mod, e.FloorMod]


def test_a_function_without_divisions_is_returned_as_it_is() -> None:
    out = decl_buffer([4], "int32", "out")
    func = PrimFunc((), s.BufferStore(out, op.const(1), (0,)), {}, {})
    assert lower_intrin(func) is func
