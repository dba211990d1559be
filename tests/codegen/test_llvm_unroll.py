"""Which loops are written out, so that a small buffer may live in registers."""

from __future__ import annotations

from gpucomp import tir
from gpucomp.codegen.llvm_unroll import MAX_TRIPS, MOST_IN_MEMORY, REGISTERS, index_variables, statements, unroll_fully
from gpucomp.codegen.llvm_unroll import fits_registers as fits
from gpucomp.tir.stmt import BufferStore, For, ForKind, Stmt, seq

PART = tir.decl_buffer((512,), "float32", "part")
OUT = tir.decl_buffer((100_000,), "float32", "out")


def fits_registers(body: Stmt, data: tir.Var, nbytes: int) -> bool:
    return fits(body, index_variables(body, data), nbytes, {})


def _loop(extent: int, *stores: Stmt, var: tir.Var, kind: ForKind = ForKind.SERIAL) -> For:
    return For(var, tir.const(0), tir.const(extent), kind, seq(*stores))


def _fill(extent: int, kind: ForKind = ForKind.SERIAL) -> For:
    i = tir.Var("i", "int32")
    return _loop(extent, BufferStore(PART, tir.const(0.0, "float32"), (i,)), var=i, kind=kind)


def _drain(extent: int) -> For:
    i = tir.Var("i", "int32")
    return _loop(extent, BufferStore(OUT, PART.vload((i,)), (i,)), var=i)


def test_loops_over_a_small_buffer_are_written_out() -> None:
    assert fits_registers(seq(_fill(16), _drain(16)), PART.data, 64)
    for data, there in ((PART.data, True), (OUT.data, False)):
        loop = _fill(16)
        assert unroll_fully(loop, index_variables(loop, data), {}) is there
    assert unroll_fully(_fill(16, ForKind.UNROLLED), (), {})


def test_a_buffer_that_one_long_loop_indexes_stays_in_memory() -> None:
    assert not fits_registers(seq(_fill(16), _drain(MAX_TRIPS + 1)), PART.data, 64)


def test_a_long_loop_that_does_not_index_the_buffer_is_no_matter() -> None:
    k = tir.Var("k", "int32")
    assert fits_registers(_loop(10_000, _fill(16), var=k), PART.data, 64)


def test_loops_over_more_than_the_registers_hold_have_one_limit_together() -> None:
    body = seq(*[_fill(MAX_TRIPS) for _ in range(MOST_IN_MEMORY // MAX_TRIPS)])
    longer = seq(body, _fill(1))
    assert fits_registers(body, PART.data, REGISTERS + 4)
    assert not fits_registers(longer, PART.data, REGISTERS + 4)
    assert fits_registers(longer, PART.data, REGISTERS)


def test_a_branch_and_each_part_of_a_vector_counts_as_a_statement() -> None:
    i = tir.Var("i", "int32")
    choice = tir.if_then_else(i < 5, OUT.vload((i,)), tir.const(0.0, "float32"))
    assert statements(_loop(10, BufferStore(PART, choice, (i,)), var=i), {}) == 20
    assert statements(_fill(10), {}) == 10
    four = tir.Shuffle(tuple([OUT.vload((i * 4 + lane,)) for lane in range(4)]), (0, 1, 2, 3))
    assert statements(BufferStore(PART, four, (tir.Ramp(i * 4, 1, 4),)), {}) == 5
