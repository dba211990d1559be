"""Wavefronts of shared memory accesses: patterns whose numbers are known."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from gpucomp import te
from gpucomp.analysis import SharedAccess, bank_conflicts
from gpucomp.analysis.bank_conflicts import wavefronts
from gpucomp.cli.main import cli
from gpucomp.driver.build import lower_primfunc
from gpucomp.ir.types import PointerType, PrimType
from gpucomp.target import Target
from gpucomp.te import lower_schedule
from gpucomp.tir import expr as e
from gpucomp.tir import operators as op
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import Expr, IterVar, Var
from gpucomp.tir.function import PrimFunc


def accesses(
    index: Callable[[Expr, Var], Expr], dtype: str = "float32", lanes: int = 1, threads: int = 32, loop: int = 4
) -> tuple[SharedAccess, ...]:
    """A kernel that stores to shared memory at ``index(thread, loop variable)``."""
    shared = decl_buffer([65536], dtype, "S", scope="shared")
    out = decl_buffer([65536], dtype, "B")
    tx = IterVar((0, threads), Var("tx"), IterVar.ThreadIndex, "threadIdx.x")
    k = Var("k")
    at = index(tx.var, k)
    at = e.Ramp(at, op.const(1), lanes) if lanes > 1 else at
    value: Expr = op.const(1, dtype)
    value = e.Broadcast(value, lanes) if lanes > 1 else value
    body: s.Stmt = s.For(k, 0, loop, s.ForKind.SERIAL, s.BufferStore(shared, value, (at,)))
    body = s.Allocate(shared.data, shared.dtype, shared.shape, op.const(1, "bool"), body)
    body = s.AttrStmt(tx, "thread_extent", threads, body)
    params = {Var("B", PointerType(PrimType(out.dtype))): out}
    return bank_conflicts(PrimFunc(list(params), body, params, {"global_symbol": "f"}))


@pytest.mark.parametrize(
    ("index", "needed"),
    [
        (lambda t, k: t + 0 * k, 1),
        (lambda t, k: t * 2 + k, 2),
        (lambda t, k: t * 32 + k, 32),
        (lambda t, k: t * 33 + k, 1),
        (lambda t, k: k + 0 * t, 1),  # all read one word
        (lambda t, k: t * 8 + k, 8),
        (lambda t, k: t * 32 + op.bitwise("bitwise_xor", t, k), 1),
        (lambda t, k: e.FloorDiv(t, 4) * 32 + e.FloorMod(t, 4), 8),
    ],
)
def test_words_of_known_patterns(index: Callable[[Expr, Var], Expr], needed: int) -> None:
    (access,) = accesses(index)
    assert (access.kind, access.buffer, access.nbytes) == ("store", "S", 4)
    assert (access.wavefronts, access.ideal) == (needed, 1)
    assert access.has_conflicts == (needed > 1)


@pytest.mark.parametrize(
    ("dtype", "lanes", "stride", "needed", "ideal"),
    [
        ("float32", 4, 4, 4, 4),  # 512 neighbouring bytes
        ("float32", 4, 36, 4, 4),  # rows padded by 16 bytes
        ("float32", 4, 32, 32, 4),
        ("float32", 2, 2, 2, 2),
        ("float64", 1, 1, 2, 2),
        ("float16", 1, 1, 1, 1),  # two threads in a word
        ("float16", 8, 8, 4, 4),
        ("float16", 8, 64, 32, 4),
        ("float32", 4, 5, 4, 4),  # not aligned: four accesses of one word, each without a conflict
        ("int8", 1, 1, 1, 1),
    ],
)
def test_vectors_go_in_passes(dtype: str, lanes: int, stride: int, needed: int, ideal: int) -> None:
    (access,) = accesses(lambda t, k: t * stride + 0 * k, dtype, lanes)
    assert (access.wavefronts, access.ideal) == (needed, ideal)


def test_only_the_threads_that_are_there_count() -> None:
    (access,) = accesses(lambda t, k: t * 32 + k, threads=8)
    assert access.wavefronts == 8
    assert wavefronts(np.array([], np.int64), 4) == (0, 0)


def test_an_iteration_that_is_not_the_first_may_be_the_worst() -> None:
    (access,) = accesses(lambda t, k: t * (1 + k), loop=2)
    assert access.wavefronts == 2


def test_an_index_that_is_data_is_not_known() -> None:
    table = decl_buffer([64], "int32", "T")
    (access,) = accesses(lambda t, k: table[t] + k)
    assert access.wavefronts is None
    assert not access.has_conflicts


def transposed(pad: int) -> tuple[SharedAccess, ...]:
    """A transpose through shared memory, with rows padded to an odd number of words or not."""
    a = te.placeholder((64, 64), name="A")
    b = te.compute((64, 64), lambda i, j: a[j, i], name="B")
    sch = te.create_schedule(b.op)
    staged = sch.cache_read(a, "shared", [b])
    io, jo, ii, ji = sch[b].tile(b.op.axis[0], b.op.axis[1], 32, 32)
    sch[b].bind(io, te.thread_axis("blockIdx.y"))
    sch[b].bind(jo, te.thread_axis("blockIdx.x"))
    sch[b].bind(ji, te.thread_axis("threadIdx.x"))
    sch[b].bind(sch[b].split(ii, nparts=8)[0], te.thread_axis("threadIdx.y"))
    sch[staged].compute_at(sch[b], jo)
    rows, columns = staged.op.axis
    sch[staged].bind(columns, te.thread_axis("threadIdx.x"))
    sch[staged].bind(sch[staged].split(rows, nparts=8)[0], te.thread_axis("threadIdx.y"))
    if pad:
        sch[staged].storage_align(rows, 32, pad)
    return bank_conflicts(lower_primfunc(lower_schedule(sch, [a, b]), Target("cuda -arch=sm_90")))


def test_a_transpose_needs_its_padding() -> None:
    assert {(x.kind, x.wavefronts) for x in transposed(0)} == {("store", 1), ("load", 32)}
    assert {(x.kind, x.wavefronts) for x in transposed(1)} == {("store", 1), ("load", 1)}


def test_the_command_lists_accesses(capsys: pytest.CaptureFixture[str]) -> None:
    from click.testing import CliRunner

    run = CliRunner().invoke
    done = run(cli, ["inspect", "transpose", "--shape", "128,128", "--dtype", "float32", "--conflicts"])
    assert done.exit_code == 0, done.output
    assert "wavefronts  ideal  bytes  access" in done.output
    assert "store A.shared[" in done.output
    done = run(cli, ["inspect", "softmax", "--shape", "8,8192", "--dtype", "float32", "--conflicts", "--json"])
    assert "load reduce[" in json.loads(done.stdout)["text"]
    done = run(cli, ["inspect", "add", "--target", "llvm", "--conflicts"])
    assert done.exit_code != 0
    assert "has no banks" in done.output
