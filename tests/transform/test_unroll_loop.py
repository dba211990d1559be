"""unroll_loop: marked loops, loops under the step pragma, loops written out."""

from __future__ import annotations

import pytest

import gpucomp
from gpucomp import te
from gpucomp.ir.transform import PassContext
from gpucomp.target import Target
from gpucomp.tir import operators
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import IterVar, SizeVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.stmt import AttrStmt, BufferStore, For, ForKind, IfThenElse, Stmt, While, is_noop, seq
from gpucomp.transform.unroll_loop import MOST_STATEMENTS, unroll_loop
from tests.transform.build import PARALLEL, UNROLLED, VECTORIZED, assert_same_meaning, func, loop, nodes, numbers, store

i, j, k = Var("i"), Var("j"), Var("k")
A, C = decl_buffer((64,), name="A"), decl_buffer((64,), name="C")


def pragma(key: str, value: int, body: Stmt) -> AttrStmt:
    return AttrStmt(IterVar(None, i, IterVar.DataPar), f"pragma_{key}", operators.const(value), body)


def unrolled(body: Stmt, target: str | None = None) -> PrimFunc:
    f = func([A, C], body, (), **({} if target is None else {"target": Target(target)}))
    done = unroll_loop(f)
    assert_same_meaning(f, done, [numbers(64), numbers(64, seed=1)])
    return done


def kinds(f: PrimFunc) -> dict[str, ForKind]:
    return {x.loop_var.name: x.kind for x in nodes(f, For)}


def copy(index: operators.Expr) -> BufferStore:
    return store(C, index, A[index])


def test_a_marked_loop_stays_for_the_device_compiler() -> None:
    f = func([A, C], loop(i, 8, copy(i), UNROLLED))
    assert unroll_loop(f) is f


def test_a_target_whose_compiler_does_not_unroll_gets_the_statements() -> None:
    f = unrolled(loop(i, 2, loop(j, 4, copy(i * 4 + j), UNROLLED), UNROLLED), "llvm")
    assert [str(x.indices[0]) for x in nodes(f, BufferStore)] == [str(x) for x in range(8)]
    assert not nodes(f, For)


def test_a_loop_can_ask_to_be_written_out() -> None:
    f = unrolled(loop(i, 4, copy(i), UNROLLED, unroll_explicit=True))
    assert len(nodes(f, BufferStore)) == 4


def test_a_loop_that_does_not_start_at_zero_is_written_out_from_its_start() -> None:
    f = unrolled(loop(i, 2, copy(i + 1), UNROLLED, low=j * 0 + 5, unroll_explicit=True))
    assert [str(x.indices[0]) for x in nodes(f, BufferStore)] == ["6", "7"]


@pytest.mark.parametrize(("steps", "expected"), [(15, ForKind.SERIAL), (16, ForKind.UNROLLED)])
def test_the_step_pragma_counts_statements_of_the_nest(steps: int, expected: ForKind) -> None:
    body = loop(i, 4, loop(j, 2, seq(copy(i * 2 + j), store(A, j, 0.0))))
    f = unrolled(pragma("auto_unroll_max_step", steps, body))
    assert kinds(f)["i"] is expected
    assert kinds(f)["j"] is ForKind.UNROLLED
    assert not nodes(f, AttrStmt)


def test_a_loop_around_a_loop_that_stays_is_not_unrolled() -> None:
    f = unrolled(pragma("auto_unroll_max_step", 8, loop(i, 2, loop(j, 32, copy(i * 32 + j)))))
    assert set(kinds(f).values()) == {ForKind.SERIAL}


def test_the_pragma_ends_with_its_statement() -> None:
    f = unrolled(seq(pragma("auto_unroll_max_step", 16, loop(i, 4, copy(i))), loop(j, 4, copy(j))))
    assert kinds(f) == {"i": ForKind.UNROLLED, "j": ForKind.SERIAL}


def test_both_pragmas_together_write_the_statements_out() -> None:
    f = unrolled(pragma("auto_unroll_max_step", 16, pragma("unroll_explicit", 1, loop(i, 4, copy(i)))))
    assert not nodes(f, For)
    assert len(nodes(f, BufferStore)) == 4


def test_the_explicit_pragma_can_forbid_what_the_target_asks_for() -> None:
    f = unrolled(pragma("unroll_explicit", 0, loop(i, 4, copy(i), UNROLLED)), "llvm")
    assert kinds(f) == {"i": ForKind.UNROLLED}


def test_parallel_and_vectorised_loops_are_left_alone() -> None:
    f = unrolled(pragma("auto_unroll_max_step", 99, loop(i, 4, loop(j, 4, copy(i * 4 + j), VECTORIZED), PARALLEL)))
    assert kinds(f) == {"i": ForKind.PARALLEL, "j": ForKind.VECTORIZED}


def test_a_loop_around_a_while_is_not_unrolled() -> None:
    count = decl_buffer((8,), "int32", "N")
    body = While(count[i] > 0, store(count, i, count[i] - 1))
    f = unroll_loop(func([count], pragma("auto_unroll_max_step", 99, loop(i, 4, body))))
    assert kinds(f) == {"i": ForKind.SERIAL}


def test_a_marked_loop_of_symbolic_extent_becomes_serial() -> None:
    n = SizeVar("n")
    f = unroll_loop(func([C], loop(i, n, store(C, i, 1.0), UNROLLED), [n]))
    assert kinds(f) == {"i": ForKind.SERIAL}


def test_a_nest_too_large_to_write_out_stays_a_loop() -> None:
    body = loop(i, MOST_STATEMENTS, loop(j, 2, copy(j), UNROLLED), UNROLLED)
    f = unroll_loop(func([A, C], body, (), target=Target("llvm")))
    assert kinds(f) == {"i": ForKind.UNROLLED}


def test_a_loop_of_no_iterations_is_written_out_as_nothing() -> None:
    assert is_noop(unrolled(loop(i, 0, copy(i), UNROLLED, unroll_explicit=True)).body)


def test_conditions_fold_in_the_copies() -> None:
    f = unrolled(loop(i, 4, IfThenElse(i < 2, copy(i)), UNROLLED, unroll_explicit=True))
    assert len(nodes(f, BufferStore)) == 2
    assert not nodes(f, IfThenElse)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"auto_max_step": 8}, ForKind.UNROLLED),
        ({"auto_max_step": 7}, ForKind.SERIAL),
        ({"auto_max_extent": 4}, ForKind.UNROLLED),
        ({"auto_max_step": 8, "auto_max_depth": 1}, ForKind.SERIAL),
    ],
)
def test_options_give_the_limits_where_no_pragma_stands(options: dict[str, int], kind: ForKind) -> None:
    with PassContext(config={"tir.UnrollLoop": options}):
        f = unrolled(loop(i, 4, loop(j, 2, copy(i * 2 + j))))
    assert kinds(f)["i"] is kind


def test_an_option_asks_for_statements() -> None:
    with PassContext(config={"tir.UnrollLoop": {"explicit_unroll": True}}):
        assert not nodes(unrolled(loop(i, 4, copy(i), UNROLLED)), For)


def test_an_unroll_factor_becomes_a_note_on_the_loop() -> None:
    i, out = Var("i"), decl_buffer((8,), name="O")
    loop = For(i, 0, 8, ForKind.SERIAL, BufferStore(out, 1.0, (i,)))
    body = AttrStmt(IterVar(None, i, IterVar.DataPar), "pragma_unroll_factor", 1, loop)
    done = unroll_loop(PrimFunc((out.data,), body, {out.data: out}, {})).body
    assert isinstance(done, For)
    assert done.kind is ForKind.SERIAL
    assert dict(done.annotations or {}) == {"unroll_factor": 1}


@pytest.mark.parametrize("mark", ["double_buffer", "software_pipeline"])
def test_an_unroll_factor_stays_on_a_loop_whose_copies_run_ahead(mark: str) -> None:
    a = te.placeholder((32, 64), name="A")
    k = te.reduce_axis((0, 64), "k")
    c = te.compute((32,), lambda i: te.sum(a[i, k], axis=k), name="C")
    s = te.create_schedule(c.op)
    tile = s.cache_read(a, "shared", [c])
    s[c].bind(c.op.axis[0], te.thread_axis("threadIdx.x"))
    outer, _ = s[c].split(k, factor=8)
    s[tile].compute_at(s[c], outer)
    s[tile].bind(tile.op.axis[0], te.thread_axis("threadIdx.x"))
    s[c].pragma(outer, "unroll_factor", 3)
    if mark == "double_buffer":
        s[tile].double_buffer()
    else:
        s[c].pragma(outer, mark, 2)
    text = gpucomp.source(s, [a, c], "cuda -arch=sm_80")
    assert text.count("#pragma unroll 3\n  for (int k_outer = 0;") == 1
