"""The rules by which stages that nobody scheduled are given to the threads of a GPU."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp import te, topi
from gpucomp.driver.build import lower_primfunc
from gpucomp.driver.default_schedule import explained
from gpucomp.driver.defaults import columns, elementwise, rows, turned
from gpucomp.target import Target
from gpucomp.te import Tensor, lower_schedule
from tests.driver.default_programs import PROGRAMS, matrix
from tests.golden.support import assert_same, make_arrays, reference, run_interpreted
from tests.tiers import tiered

CUDA = Target("cuda -arch=sm_90")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small arrays go the way of large ones."""
    monkeypatch.setattr(elementwise, "LARGE", 64)
    monkeypatch.setattr(turned, "LARGE", 64)
    monkeypatch.setattr(columns, "LEAST_BYTES", 0)
    monkeypatch.setattr(rows, "PART_BYTES", 512)


def scheduled(args: list[Tensor]) -> te.Schedule:
    return te.create_schedule(args[-1].op)


def lines_of(*args: Tensor) -> list[str]:
    return explained(scheduled(list(args)), CUDA)[1]


def source(*args: Tensor) -> str:
    return gpucomp.source(scheduled(list(args)), list(args), CUDA, "f")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_kernels_mean_what_the_program_does(name: str) -> None:
    args = PROGRAMS[name]()
    schedule = scheduled(args)
    arrays = make_arrays(schedule, args, {}, seed=5)
    func = lower_primfunc(lower_schedule(explained(schedule, CUDA)[0], args, name), CUDA)
    assert_same(run_interpreted(func, arrays), reference(schedule, args, arrays), args, 3e-6)


ON_DEVICES = tiered(
    (
        "channels_last",
        "columns_of_2x4099",
        "middle",
        "norm_of_images",
        "place_of_all",
        "rows_of_2x4099",
        "side_by_side",
    ),
    ("channels_last", "columns_of_2x4099", "norm_of_images"),
)


@pytest.mark.opencl
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ON_DEVICES)
def test_opencl_runs_them(name: str) -> None:
    runs(name, Target("opencl"), gpucomp.opencl(0))


@pytest.mark.cuda
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", PROGRAMS)
def test_cuda_runs_them(name: str) -> None:
    runs(name, Target.from_device(gpucomp.cuda(0)), gpucomp.cuda(0))


def runs(name: str, target: Target, device: gpucomp.Device) -> None:
    args = PROGRAMS[name]()
    schedule = scheduled(args)
    arrays = make_arrays(schedule, args, {}, seed=6)
    with gpucomp.config.override(cache=False):
        module = gpucomp.build(schedule, args, target, name=name)
    there = [gpucomp.nd.array(a, device) for a in arrays]
    module(*there)
    assert_same([a.numpy() for a in there], reference(schedule, args, arrays), args, 3e-6)


def test_rows_that_share_a_bias_are_read_in_vectors() -> None:
    a, v = matrix(512, 1024), matrix(1024, name="V")
    text = source(a, v, te.compute(a.shape, lambda i, j: a[i, j] + v[j], name="C"))
    assert text.count("*(const float4*)") == 2
    assert "*(float4*)" in text


def test_odd_rows_are_stored_in_vectors_all_the_same() -> None:
    a, v = matrix(512, 1023), matrix(1023, name="V")
    text = source(a, v, te.compute(a.shape, lambda i, j: a[i, j] + v[j], name="C"))
    assert text.count("*(const float4*)(A") == 1
    assert "*(float4*)(C" in text


def test_few_elements_are_a_threads_each() -> None:
    a = matrix(1000)
    [line] = lines_of(a, te.compute(a.shape, lambda i: a[i] + 1.0, name="C"))
    assert line == "C: each thread an element, for there are few; blocks of 256 threads"


def test_vectors_go_along_known_rows_of_an_unknown_number() -> None:
    n = te.var("n")
    a, v = te.placeholder((n, 64), name="A"), matrix(64, name="V")
    text = source(a, v, te.compute(a.shape, lambda i, j: a[i, j] * v[j], name="C"))
    assert text.count("*(const float4*)") == 2


def test_a_transpose_goes_through_shared_memory() -> None:
    for height, side in ((1024, 32), (16384, 64)):
        a = matrix(height, 512)
        [line] = lines_of(a, te.compute((512, height), lambda i, j, a=a: a[j, i], name="C"))
        assert line.startswith(f"C: tiles of {side} by {side} through shared memory")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("shape", "words"), [((131, 133), "reads and writes"), ((136, 133), "reads"), ((133, 136), "writes")]
)
def test_transposes_of_odd_rows_are_counted_from_aligned_memory(shape: tuple[int, int], words: str) -> None:
    a = matrix(*shape, dtype="float16")
    c = te.compute(shape[::-1], lambda i, j: a[j, i], name="C")
    schedule, [line] = explained(te.create_schedule(c.op), CUDA)
    assert line.endswith(f"; {words} are counted from aligned memory")
    given = np.arange(shape[0] * shape[1]).reshape(shape).astype("float16")
    np.testing.assert_array_equal(gpucomp.build(schedule, [a, c], "llvm")(given), given.T)


def test_rows_are_read_once_by_what_normalises_them() -> None:
    a = matrix(64, 1024)
    lines = lines_of(a, topi.nn.softmax(a, axis=1))
    assert lines[0].startswith("T_softmax_maxelem, T_softmax_expsum, T_softmax_norm: rows of 1024, each read once")
    assert lines[1] == "inlined, for they only map elements: T_softmax_exp"
    assert source(a, topi.nn.softmax(a, axis=1)).count("__global__") == 1


def test_rows_of_any_number_are_read_once_too() -> None:
    n = te.var("n")
    a = te.placeholder((n, 1024), name="A")
    assert source(a, topi.nn.softmax(a, axis=1)).count("__global__") == 1


def test_a_row_that_no_block_can_hold_is_read_again() -> None:
    a = matrix(8, 1 << 20)
    assert not any(["each read once" in line for line in lines_of(a, topi.nn.softmax(a, axis=1))])


def test_a_result_that_others_need_too_is_stored() -> None:
    a, k = matrix(64, 1024), te.reduce_axis((0, 1024), "k")
    total = te.compute((64,), lambda i: te.sum(a[i, k], axis=k), name="T")
    c = te.compute(a.shape, lambda i, j: a[i, j] - total[i], name="C")
    _, lines = explained(te.create_schedule([total.op, c.op]), CUDA)
    assert [line.partition(":")[0] for line in lines] == ["T", "C"]


@pytest.mark.parametrize("shape", [(3, 5), (0, 4), (5, 0), (1, 1), (70, 33)])
@pytest.mark.parametrize("axis", [0, 1])
def test_sums_of_any_shape_are_right(shape: tuple[int, int], axis: int) -> None:
    n, m = te.var("n"), te.var("m")
    a = te.placeholder((n, m), name="A")
    k = te.reduce_axis((0, (n, m)[axis]), "k")
    c = te.compute(((n, m)[1 - axis],), lambda i: te.sum(a[k, i] if axis == 0 else a[i, k], axis=k), name="C")
    given = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    out = np.full(shape[1 - axis], np.nan, np.float32)
    func = lower_primfunc(lower_schedule(explained(te.create_schedule(c.op), CUDA)[0], [a, c], "f"), CUDA)
    np.testing.assert_array_equal(run_interpreted(func, [given, out])[1], given.sum(axis))


def test_columns_of_any_shape_are_read_side_by_side() -> None:
    n, m = te.var("n"), te.var("m")
    a, k = te.placeholder((n, m), name="A"), te.reduce_axis((0, n), "k")
    [line] = lines_of(a, te.compute((m,), lambda j: te.sum(a[k, j], axis=k), name="C"))
    assert line.startswith("C: columns of any number and length: 32 threads side by side, 16 rows of them")


@pytest.mark.parametrize("size", [0, 1, 5000])
def test_a_sum_of_unknown_length_goes_in_parts(size: int) -> None:
    n = te.var("n")
    a, k = te.placeholder((n,), name="A"), te.reduce_axis((0, n), "k")
    c = te.compute((1,), lambda _: te.sum(a[k], axis=k), name="C")
    schedule, [line] = explained(te.create_schedule(c.op), CUDA)
    assert line == "C: one row of any length: 528 blocks reduce parts of each, a second kernel those"
    given, out = np.arange(size, dtype=np.float32) % 7, np.full(1, np.nan, np.float32)
    func = lower_primfunc(lower_schedule(schedule, [a, c], "f"), CUDA)
    assert run_interpreted(func, [given, out])[1] == given.sum()


def test_windows_are_summed_in_registers() -> None:
    a = matrix(1, 8, 64, 64)
    text = source(a, topi.nn.pool2d(a, [3, 3], [1, 1], [1, 1], [1, 1, 1, 1], "max"))
    assert text.count("tensor[") <= 1, text


def test_a_processor_has_reasons_too() -> None:
    a = matrix(64, 64)
    _, lines = explained(
        te.create_schedule(te.compute(a.shape, lambda i, j: a[i, j] + 1.0, name="C").op), Target("llvm")
    )
    assert lines == ["C: the outer loops in parallel, the inner one in vectors of 16"]
