"""Matrices in registers and copies ahead under the public names: what they do, before and after lowering."""

from __future__ import annotations

from typing import Any  # Any: arrays of any element type

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.driver.build import lower_primfunc
from gpucomp.support.diagnostics import LowerError, TypeMismatchError, VerifyError
from gpucomp.target import Target
from gpucomp.tir import PrimFunc
from gpucomp.tir.interp import interpret

SM_80 = Target("cuda -arch=sm_80")


def product(*, waits: bool = True) -> PrimFunc:
    """C = A @ B of 16x16, by one warp: copies ahead, ldmatrix, two mma, a store."""
    ib = tir.ir_builder.create()
    tx = te.thread_axis("threadIdx.x")
    lane = tx.var
    a, b = [tir.decl_buffer((16, 16), "float16", name) for name in "AB"]
    c = tir.decl_buffer((16, 16), "float32", "C")
    ib.scope_attr(tx, "thread_extent", 32)
    slab = ib.allocate("float16", (512,), "slab", scope="shared").asobject()
    x, y = [ib.allocate("float16", (8,), name, scope="local").asobject() for name in "xy"]
    sums = ib.allocate("float32", (8,), "sums", scope="local").asobject()
    for start, source in ((0, a), (256, b)):
        ib.emit(tir.ptx_cp_async("float16", slab, start + lane * 8, source.data, lane * 8, 16))
    ib.emit(tir.ptx_commit_group())
    if waits:
        ib.emit(tir.ptx_wait_group(0))
        ib.emit(tir.Evaluate(tir.call_intrin("int32", "tir.barrier", tir.StringImm("shared"))))
    row = lane % 16 * 16 + lane // 16 * 8
    ib.emit(tir.mma_fill("float32", 8, sums, 0))
    ib.emit(tir.ptx_ldmatrix("float16", False, 4, ".b16", x, 0, slab, row))
    ib.emit(tir.ptx_ldmatrix("float16", True, 4, ".b16", y, 0, slab, row + 256))
    for half in (0, 4):
        kinds = ("fp16", "fp16", "fp32")
        ib.emit(tir.ptx_mma("float32", "m16n8k16", "row", "col", *kinds, x, 0, y, half, sums, half, False))
    ib.emit(tir.mma_store("float32", 16, 16, c.access_ptr("w"), sums, 0, 16))
    return PrimFunc([a.data, b.data, c.data], ib.get(), {v.data: v for v in (a, b, c)}, {"global_symbol": "f"})


def run(func: PrimFunc) -> None:
    rng = np.random.default_rng(0)
    a, b = [rng.integers(-3, 4, (16, 16)).astype(np.float16) for _ in range(2)]
    c: Any = np.full((16, 16), np.nan, np.float32)
    interpret(func, [a, b, c])
    np.testing.assert_array_equal(c, a.astype(np.float64) @ b.astype(np.float64))


def test_a_product_by_instructions_is_right_before_and_after_lowering() -> None:
    run(product())
    run(lower_primfunc(product(), SM_80))


def test_reading_a_copy_that_nobody_waited_for_is_found() -> None:
    with pytest.raises(VerifyError, match=r"before anything was written|data race"):
        run(product(waits=False))


def test_the_text_has_the_instructions() -> None:
    text = gpucomp.source(product(), target=SM_80)
    assert text.count("gc_mma_float16_float32_8(sums") == 2
    assert text.count("  gc_cp_async_16(") == 2
    for name in ("gc_ldmatrix_plain(x, ", "gc_ldmatrix_trans(y, "):
        assert name in text
    with pytest.raises(LowerError, match=r"feature mma|feature cp_async"):
        gpucomp.source(product(), target="cuda -arch=sm_75")


def test_instructions_that_are_not_there_are_named() -> None:
    with pytest.raises(TypeMismatchError, match="ptx_mma of m8n8k4"):
        tir.ptx_mma("float32", "m8n8k4", "row", "col", "fp16", "fp16", "fp32", 0, 0, 0, 0, 0, 0)
    with pytest.raises(TypeMismatchError, match="ptx_ldmatrix of 2 matrices"):
        tir.ptx_ldmatrix("float16", False, 2, ".b16", 0, 0, 0, 0)
    with pytest.raises(TypeMismatchError, match="mma_store of a tile of 8x8"):
        tir.mma_store("float32", 8, 8, 0, 0, 0, 0)
    with pytest.raises(TypeMismatchError, match="ptx_cp_async of 2 bytes"):
        tir.ptx_cp_async("float16", 0, 0, 0, 0, 2)


def test_a_store_of_a_tile_needs_the_lanes_of_a_warp() -> None:
    ib = tir.ir_builder.create()
    sums = ib.allocate("float32", (8,), "sums", scope="local").asobject()
    c = tir.decl_buffer((16, 16), "float32", "C")
    ib.emit(tir.mma_store("float32", 16, 16, c.data, sums, 0, 16))
    func = PrimFunc([c.data], ib.get(), {c.data: c}, {"global_symbol": "f"})
    with pytest.raises(LowerError, match=r"no loop around it is bound to threadIdx\.x"):
        interpret(func, [np.zeros((16, 16), np.float32)])
