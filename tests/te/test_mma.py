"""Products on tensor cores: the threads of a warp multiply tiles that they hold in registers together."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.analysis import bank_conflicts
from gpucomp.driver.build import compile_function, lower_primfunc
from gpucomp.support.diagnostics import LowerError, ScheduleError, TensorError, TypeMismatchError, VerifyError
from gpucomp.target import Target
from gpucomp.te import mma
from gpucomp.tir import PrimFunc
from gpucomp.tir import fragments as f
from gpucomp.tir.expr import Range
from gpucomp.tir.interp import interpret
from gpucomp.tir.stmt import BufferRealize
from gpucomp.transform.flatten_storage import flatten_storage
from tests.codegen.devices import compile_cuda
from tests.te.mma import Product

SM_80 = Target("cuda -arch=sm_80")
LAYOUTS = [(False, False), (False, True), (True, False), (True, True)]


def lowered(product: Product) -> PrimFunc:
    return te.lower_schedule(*product.schedule())


def run(func: PrimFunc, product: Product, *, races: bool = True) -> None:
    a, b, want = product.arrays()
    out = np.full(want.shape, np.nan, product.total)
    interpret(func, [a, b, out], races=races)
    np.testing.assert_array_equal(out, want)


# -- fragments ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", "abc")
def test_each_element_of_a_tile_is_held_once_and_the_table_says_by_whom(name: str) -> None:
    fragment = f.FRAGMENTS[name]
    row, column = fragment.places()
    assert len({*zip(row.ravel().tolist(), column.ravel().tolist(), strict=True)}) == 256
    i, j = te.var("i"), te.var("j")
    lane, element = fragment.holder(i, j)
    for t, e in ((0, 0), (5, 3), (17, 6), (31, 7)):
        values = {i: tir.const(int(row[t, e])), j: tir.const(int(column[t, e]))}
        simplify = gpucomp.arith.Analyzer().simplify
        found = [simplify(tir.stmt_functor.substitute(x, values)) for x in (lane, element)]
        assert [x.value for x in found if isinstance(x, tir.IntImm)] == [t, e]


def test_the_product_of_fragments_is_the_product_of_tiles() -> None:
    rng = np.random.default_rng(0)
    a, b, c = [rng.integers(-3, 4, (2, 16, 16)).astype(kind) for kind in ("float16", "float16", "float32")]
    held = [f.FRAGMENTS[name].gather(x).reshape(64, 8) for name, x in zip("abc", (a, b, c), strict=True)]
    found = f.FRAGMENTS["c"].scatter(f.mma_meaning(*held).reshape(2, 32, 8))
    np.testing.assert_array_equal(found, c + a.astype(np.float32) @ b.astype(np.float32))


def test_rows_of_other_types_are_refused() -> None:
    with pytest.raises(TypeMismatchError, match="ldmatrix of float32x8"):
        f.warp_ldmatrix(tir.const(0.0, "float32x8"))
    halves, floats = tir.const(0.0, "float16x8"), tir.const(0.0, "float32x8")
    with pytest.raises(TypeMismatchError, match="mma of float16x8, float32x8 and float32x8"):
        f.warp_mma(halves, floats, floats)


# -- products in the interpreter ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("turn_a", "turn_b"), LAYOUTS)
def test_a_tensorized_product_is_right_before_and_after_the_passes_of_a_gpu(turn_a: bool, turn_b: bool) -> None:
    product = Product(m=32, turn_a=turn_a, turn_b=turn_b)
    func = lowered(product)
    run(func, product, races=False)
    run(lower_primfunc(func, SM_80), product)


@pytest.mark.parametrize(
    "product", [Product(dtype="bfloat16"), Product(total="float16"), Product(stored=False), Product(swizzled=False)]
)
def test_other_types_layouts_and_what_follows_a_product(product: Product) -> None:
    run(lower_primfunc(lowered(product), SM_80), product)


def test_slabs_that_no_barrier_protects_are_a_race() -> None:
    with pytest.raises(VerifyError, match="data race on"):
        run(lowered(Product()), Product())


def test_a_part_of_a_warp_cannot_multiply() -> None:
    ib = tir.ir_builder.create()
    tx = te.thread_axis("threadIdx.x")
    ib.scope_attr(tx, "thread_extent", 32)
    out = tir.decl_buffer((256,), "float16", "out")
    with ib.if_scope(tx.var < 20):
        ib.emit(out.vstore((tx.var * 8,), f.warp_ldmatrix(tir.const(1.0, "float16x8"))))
    func = PrimFunc([out.data], ib.get(), {out.data: out}, {"global_symbol": "f"})
    with pytest.raises(VerifyError, match=r"ldmatrix is reached by .*thread .* but not by"):
        interpret(func, [np.zeros(256, np.float16)])


# -- text -----------------------------------------------------------------------------------------------------------


def test_the_cuda_text_has_one_instruction_for_each_tile_and_compiles_without_spills() -> None:
    s, args = Product(turn_b=True).schedule()
    data = compile_function(s, args, SM_80, "product", None)
    image = data.general.image
    text = image.source
    assert "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32" in text
    assert "ldmatrix.sync.aligned.m8n8.x4.shared.b16" in text
    assert "cp.async.cg.shared.global" in text
    loop = text[text.index("for (int k_outer") :]
    assert loop[: loop.index("\n  }")].count("__syncthreads") == 1  # a slab is told from the others, permuted or not
    (used,) = compile_cuda(image, "sm_80").values()
    assert used.spill_bytes == 0


@pytest.mark.parametrize("target", ["cuda -arch=sm_75", "opencl", "llvm"])
def test_targets_without_tensor_cores_are_refused_before_any_text(target: str) -> None:
    with pytest.raises(LowerError, match=r"mma|threads that run together"):
        gpucomp.source(*Product().schedule(), target)


@pytest.mark.parametrize(("turn_a", "turn_b"), LAYOUTS)
def test_swizzled_slabs_are_read_and_written_without_bank_conflicts(turn_a: bool, turn_b: bool) -> None:
    for swizzled in (True, False):
        s, args = Product(turn_a=turn_a, turn_b=turn_b, swizzled=swizzled, m=64, n=64).schedule(rows=64, columns=64)
        found = bank_conflicts(lower_primfunc(te.lower_schedule(s, args), SM_80))
        loads = [access for access in found if access.kind == "load"]
        assert loads
        assert any([access.has_conflicts for access in loads]) is not swizzled
        assert not swizzled or not any([access.has_conflicts for access in found])


# -- what is refused ------------------------------------------------------------------------------------------------


def test_wrong_types_of_intrinsics_are_named() -> None:
    with pytest.raises(TensorError, match="mma_m16n8k16 of bfloat16 and float16"):
        mma.mma_m16n8k16("bfloat16", "float16")
    with pytest.raises(TensorError, match="ldmatrix_a of float32"):
        mma.ldmatrix_a("float32")


def test_a_warp_has_32_threads_along_x() -> None:
    with pytest.raises(ScheduleError, match=r"work of 32 threads along threadIdx.x together, but here it has 16"):
        te.lower_schedule(*Product().schedule(lanes=16))


def test_tiles_of_a_warp_are_whole() -> None:
    with pytest.raises(ScheduleError, match=r"the last tile is cut off .* but mma_store computes whole tiles only"):
        te.lower_schedule(*Product(m=48).schedule(rows=48))


def test_a_stage_in_registers_is_computed_by_an_intrinsic() -> None:
    a = te.placeholder((64, 16), "float16", "A")
    b = te.compute(a.shape, lambda i, j: a[i, j], name="B")
    k = te.reduce_axis((0, 16), "k")
    c = te.compute((64,), lambda i: te.sum(b[i, k], axis=k), name="C")
    s = te.create_schedule(c.op)
    outer, _ = s[c].split(c.op.axis[0], factor=16)
    s[c].bind(outer, te.thread_axis("blockIdx.x"))
    s[b].compute_at(s[c], outer)
    s[b].set_scope("mma.frag.a")
    with pytest.raises(ScheduleError, match="computes element by element with B, which the threads of a warp hold"):
        te.lower_schedule(s, [a, c])


def test_a_thread_reads_what_it_holds_itself() -> None:
    with pytest.raises(ScheduleError, match=r"stage D reads element .* of C, which thread .* of a warp holds"):
        te.lower_schedule(*Product(stored=False, crossed=True).schedule())


def test_memory_in_registers_is_made_of_tiles() -> None:
    tile = tir.decl_buffer((8, 16), "float16", "tile", scope="mma.frag.a")
    box = [Range.from_min_extent(0, extent) for extent in tile.shape]
    body = BufferRealize(tile, tuple(box), tir.const(1, "bool"), tile.vstore((0, 0), tir.const(0.0, "float16x8")))
    with pytest.raises(LowerError, match="holds 8 x 16 elements, which are no tiles of 16x16"):
        flatten_storage(PrimFunc([], body, {}, {"global_symbol": "f"}))
