"""Transposes by way of whole vectors in shared memory: right everywhere, and written as they are meant to be."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.kernels.layouts import schedule_gpu, tiles
from gpucomp.kernels.layouts.compute import in_vectors
from gpucomp.kernels.layouts.tiles import Tile
from gpucomp.target import Target
from tests.kernels.running import run as run_kernel
from tests.te.backends import everywhere
from tests.te.helpers import run

CUDA = Target("cuda -arch=sm_90a")
HALVES = Tile(24, 16, 32, 8, 8, panel=8, gap=4)
WORDS = Tile(12, 16, 32, 4, 4)
PAIRS = Tile(6, 16, 32, 2, 2)
BYTES = Tile(48, 32, 32, 16, 16, panel=16, gap=4)
BASES = {"float16": HALVES, "float32": WORDS, "float64": PAIRS, "int8": BYTES}


def _program(shape: Sequence[int], dtype: str, tile: Tile) -> tuple[te.Schedule, list[te.Tensor]]:
    definition = in_vectors(shape, dtype, tile.loads, tile.panel)
    return schedule_gpu.schedule_vectors(definition, tile), definition.args


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((33, 41), "float16"), ((40, 41), "float16"), ((41, 40), "float16"), ((48, 40), "float16"), ((24, 17), "float16"),
     ((1, 50), "float16"), ((50, 1), "float16"), ((3, 19, 29), "float16"), ((2, 24, 15), "float16"),
     ((33, 41), "float32"), ((29, 24), "float32"), ((24, 30), "float32"), ((2, 13, 27), "float32"),
     ((19, 13), "float64"), ((40, 51), "int8"), ((64, 70), "int8"), ((39, 64), "int8")],
)  # fmt: skip
def test_nothing_depends_on_what_lies_beside_a_row(shape: tuple[int, ...], dtype: str) -> None:
    lanes = 16 // np.dtype(dtype).itemsize
    base = BASES[dtype]
    loads, stores = shape[-1] % lanes != 0, shape[-2] % (2 * lanes) != 0
    tile = Tile(base.columns, base.rows, base.threads, lanes, lanes, loads, stores, base.panel, base.gap)
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape).astype(dtype)
    everywhere(
        lambda: _program(shape, dtype, tile), [x], np.ascontiguousarray(x.swapaxes(-1, -2)), opencl=dtype != "float64"
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "bfloat16"])
@pytest.mark.parametrize("shape", [(257, 130), (136, 248), (256, 131), (129, 256), (256, 384)])
def test_the_library_s_tiles_are_right_on_a_processor(shape: tuple[int, int], dtype: str) -> None:
    operator = registry.get("transpose")
    definition = operator.define(shape, dtype, CUDA)
    inputs = operator.make_inputs(shape, dtype, np.random.default_rng(0))
    got = run_kernel(operator.schedule(definition, CUDA), definition, inputs, "llvm")
    np.testing.assert_array_equal(got, inputs[0].T)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("permute", (70_000, 9, 8)), ("permute", (70_000, 200, 301)), ("permute", (2, 3, 5_000_000)),
     ("transpose", (2, 1 << 23)),
     ("transpose", (128, 5_000_003)), ("transpose", (1 << 30, 3)), ("transpose", (3, 1 << 30))],
)  # fmt: skip
def test_more_tiles_than_a_grid_has_along_y_and_z_are_counted_along_x(name: str, shape: tuple[int, ...]) -> None:
    for dtype in ("float16", "int8"):
        text = re.sub(r"T\.int64\((\d+)\)", r"\1", _source(shape, dtype, name))
        grids = re.findall(r"grid \((\d+), (\d+), (\d+)\)", text)
        assert [(x, int(y) <= 65_535, int(z) <= 65_535) for x, y, z in grids] == [(grids[0][0], True, True)]


@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize(
    ("name", "shape"), [("permute", (3, 150, 140)), ("permute", (3, 129, 257)), ("transpose", (130, 300))]
)
def test_tiles_that_are_counted_along_x_are_right(
    name: str, shape: tuple[int, ...], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = registry.get(name)
    definition = operator.define(shape, dtype, CUDA)
    inputs = operator.make_inputs(shape, dtype, np.random.default_rng(0))
    for most in (1, 2, 3):
        monkeypatch.setattr(schedule_gpu, "MOST_BLOCKS", most)
        got = run_kernel(operator.schedule(definition, CUDA), definition, inputs, "llvm")
        np.testing.assert_array_equal(got, inputs[0].swapaxes(-1, -2))


def _source(shape: tuple[int, ...], dtype: str, name: str = "transpose") -> str:
    operator = registry.get(name)
    definition = operator.define(shape, dtype, CUDA)
    data = compile_function(operator.schedule(definition, CUDA), definition.args, CUDA, name)
    return data.variants[0].get().image.source


@pytest.mark.parametrize("shape", [(8191, 8193), (8192, 8191)])
def test_vectors_of_rows_that_start_anywhere_are_one_load_each_and_stay_whole(shape: tuple[int, int]) -> None:
    text = _source(shape, "float16")
    assert text.count("*(const uint4*)(A") == 1
    assert not re.findall(r"\bA\[", text)  # no element by itself
    assert text.count("__syncthreads") == 1
    before = text.split("__syncthreads")[0]
    assert len(re.findall(r"\*\(ushort2\*\)\(V|\bV\[V_at", before)) == (4 if shape[0] % 16 == 0 else 8)
    assert "? V_local" not in before  # nothing is picked out


@pytest.mark.parametrize("shape", [(4956, 8221), (8192, 8191), (515, 513)])
def test_words_of_rows_that_start_anywhere_are_moved_by_whole_vectors(shape: tuple[int, int]) -> None:
    text = _source(shape, "float32")
    assert text.count("*(const float4*)(A") == 1
    assert not re.findall(r"\bA\[", text)
    assert "*(float4*)(B" in text
    definition = registry.get("transpose").define(shape, "float32", CUDA)
    assert "rows start anywhere in a vector" in schedule_gpu.why(definition, CUDA)


def test_results_are_shared_out_at_ends_of_sectors() -> None:
    for rows in (8200, 8191):
        definition = registry.get("transpose").define((rows, 8000), "float16", CUDA)
        assert schedule_gpu.tile_of(definition, CUDA).aligned_stores
    definition = registry.get("transpose").define((8208, 8000), "float16", CUDA)
    assert not schedule_gpu.tile_of(definition, CUDA).aligned_stores


def test_bytes_and_words_of_eight_go_in_vectors_where_that_was_faster() -> None:
    def taken(rows: int, columns: int, nbytes: int) -> bool:
        return tiles.vector_tile(rows, columns, nbytes, CUDA, 1) is not None

    assert taken(8191, 8192, 1)
    assert taken(8192, 8191, 1)
    assert not taken(8191, 8193, 1)
    assert not taken(8192, 8192, 1)
    assert taken(4095, 4097, 8)
    assert not taken(4096, 4097, 8)
    assert not taken(777, 1001, 8)


def test_large_tiles_are_taken_where_they_fill_the_device_twice() -> None:
    large, small = tiles.vector_tile(8192, 8192, 2, CUDA, 1), tiles.vector_tile(2048, 2048, 2, CUDA, 1)
    assert large is not None
    assert small is not None
    assert (large.columns, large.rows, small.columns, small.rows) == (128, 128, 64, 64)
    assert tiles.vector_tile(2048, 2048, 2, CUDA, 16) == large


def test_other_targets_types_and_sizes_keep_their_definition() -> None:
    operator = registry.get("transpose")
    for target, shape, dtype in ((Target("opencl"), (512, 512), "float16"), (CUDA, (64, 512), "float16"),
                                 (CUDA, (512, 512), "int8"), (CUDA, (127, 515), "float32")):  # fmt: skip
        assert operator.define(shape, dtype, target).intermediates == ()
    n = te.var("n")
    assert operator.define((n, n), "float16", CUDA).intermediates == ()


def test_an_undefined_value_is_zero_in_code_and_shows_in_the_interpreter() -> None:
    def program(dtype: str) -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((8,), dtype, "A")
        b = te.compute((8,), lambda i: te.if_then_else(i < 5, a[i], tir.undef(dtype)), name="B")
        return te.create_schedule(b.op), [a, b]

    for dtype in ("float32", "int32"):
        x = np.arange(1, 9).astype(dtype)
        s, args = program(dtype)
        out = np.full(8, 7, dtype)
        gpucomp.build(s, args, "llvm")(x, out)
        np.testing.assert_array_equal(out, [1, 2, 3, 4, 5, 0, 0, 0])
        shown = np.zeros(8, dtype)
        run(s, args, [x, shown])
        np.testing.assert_array_equal(shown[:5], x[:5])
        assert np.isnan(shown[5:]).all() if dtype == "float32" else (shown[5:] == 85).all()
