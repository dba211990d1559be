"""One kernel for any extents: variants for aligned rows, unaligned addresses and given sizes, made when needed."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any  # Any: numpy arrays of any shape and dtype; extents are numbers or variables

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.driver.build import compile_function, lower_primfunc
from gpucomp.driver.variants import make_variants
from gpucomp.runtime.arguments import Argument, choose_variant
from gpucomp.runtime.cuda_compile import compile_cuda
from gpucomp.runtime.module import Module, load_module
from gpucomp.runtime.ndarray import NDArray
from gpucomp.support.diagnostics import ArgumentError, LowerError
from gpucomp.support.dtype import DType
from gpucomp.support.launch import FunctionData
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor
from tests.golden.cases import CASES

CUDA = Target("cuda -arch=sm_90")
Array = np.ndarray[Any, Any]
EVERY_DEVICE = [
    "llvm",
    pytest.param("opencl", marks=pytest.mark.opencl),
    pytest.param("cuda", marks=pytest.mark.cuda),
]


def rows(width: int = 4, dtype: str = "float32", constant: int | None = None) -> tuple[Schedule, list[Tensor]]:
    """B = A + 1 over rows, in vectors."""
    m: Any = te.var("m")
    n: Any = te.var("n") if constant is None else constant
    a = te.placeholder((m, n), dtype, name="A")
    b = te.compute((m, n), lambda i, j: a[i, j] + a[i, j], name="B")
    s = te.create_schedule(b.op)
    i, j = b.op.axis
    jo, ji = s[b].split(j, factor=width)
    s[b].vectorize(ji)
    _, jt = s[b].split(jo, factor=8)
    s[b].bind(i, te.thread_axis("blockIdx.x"))
    s[b].bind(jt, te.thread_axis("threadIdx.x"))
    return s, [a, b]


def notes(data: FunctionData) -> list[str]:
    return [v.note for v in data.variants]


def numbers(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).random(shape, np.float32)


def used(module: Module) -> list[str]:
    """The variants that calls took."""
    return [v.note for v in module.stats.variants if v.combinations]


# -- aligned rows ----------------------------------------------------------------------------------------------------


def test_a_symbolic_row_is_read_in_vectors_where_it_is_a_multiple_of_them(require_nvrtc: object) -> None:
    s, args = rows()
    data = compile_function(s, args, CUDA, "f")
    assert notes(data) == ["aligned, 32-bit indices", "32-bit indices", "64-bit indices"]
    aligned, general = data.variants[0].image, data.variants[1].image
    assert "float4" in aligned.source
    assert "float4" not in general.source
    assert "if (" in aligned.source, "the last threads of a row have nothing to do"
    assert gpucomp.source(s, args, CUDA, "f") == general.source
    for variant in data.variants:
        assert compile_cuda(variant.image.source, CUDA.arch, variant.image.options)[0]


@pytest.mark.parametrize("width", [2, 8])
def test_the_guard_is_the_width_of_the_vectors(width: int) -> None:
    s, args = rows(width, "float16")
    data = compile_function(s, args, CUDA, "f")
    assert str(data.variants[0].guard).startswith(f"('and', ('eq', ('floormod', 'n', {width}), 0)")


def test_kernels_without_vectors_or_with_constant_rows_have_no_aligned_variant() -> None:
    s, args = rows(constant=64)
    assert notes(compile_function(s, args, CUDA, "f"))[0] == "32-bit indices"
    schedule, tensors = CASES["vector_add_symbolic"].make(CUDA)
    assert len(compile_function(schedule, tensors, CUDA, "f").variants) == 2


@pytest.mark.parametrize("target", EVERY_DEVICE)
def test_every_size_is_computed_by_the_variant_for_it(target: str) -> None:
    s, args = rows()
    module = gpucomp.build(s, args, target)
    device = gpucomp.device("cpu" if target == "llvm" else target)
    for m, n in ((3, 8), (3, 7), (1, 1), (1, 4), (5, 100), (2, 3), (0, 4), (4, 0), (0, 0)):
        x = numbers(m, n)
        out = gpucomp.nd.array(np.full((m, n), np.nan, np.float32), device)
        module(gpucomp.nd.array(x, device), out)
        np.testing.assert_array_equal(out.numpy(), x + x)
    assert used(module) == ["aligned, 32-bit indices", "32-bit indices"]
    assert module.stats.recompiles == 1


@pytest.mark.parametrize("target", EVERY_DEVICE)
def test_the_aligned_matrix_product_is_right(target: str) -> None:
    schedule, args = CASES["matmul_symbolic"].make(Target(target))
    module = gpucomp.build(schedule, args, target)
    for m, k, n in ((19, 32, 48), (19, 17, 23))[: 2 if target == "llvm" else 1]:
        a, b = numbers(m, k), numbers(k, n)
        np.testing.assert_allclose(np.asarray(module(a, b)), a @ b, rtol=1e-5)
    assert used(module)[0] == "aligned, 32-bit indices"


def test_variables_that_are_arguments_too_stay_arguments() -> None:
    s, (a, b) = rows()
    n = a.shape[1]
    module = gpucomp.build(s, [n, a, b], "llvm")
    for size in (8, 7):
        x = numbers(3, size)
        np.testing.assert_array_equal(module(size, x), x + x)
    assert len(used(module)) == 2


# -- unaligned addresses ---------------------------------------------------------------------------------------------


def at_address(shape: tuple[int, ...], offset: int) -> NDArray:
    """An array on the device that computes nothing, ``offset`` bytes after an aligned address."""
    null = gpucomp.device("null")
    memory = gpucomp.nd.empty(shape, device=null).memory
    return NDArray(dataclasses.replace(memory, address=memory.address + offset), shape, DType("float32"), null)


@pytest.mark.parametrize("constant", [None, 8])
def test_the_address_decides_between_vectors_and_elements(constant: int | None) -> None:
    s, args = rows(constant=constant)
    data = compile_function(s, args, CUDA, "f")

    def chosen(offset: int) -> str:
        arrays = [at_address((3, 8), offset), at_address((3, 8), 0)]
        arguments = [Argument(p, i, x) for i, (p, x) in enumerate(zip(data.params, arrays, strict=True), 1)]
        return choose_variant(data, arguments).variant.note

    if constant is None:
        assert [chosen(o) for o in (0, 16, 4)] == ["aligned, 32-bit indices"] * 2 + ["32-bit indices"]
    else:
        assert [chosen(o) for o in (0, 16, 4)] == ["32-bit indices"] * 2 + ["unaligned, 32-bit indices"]


@pytest.mark.parametrize("target", EVERY_DEVICE)
def test_the_form_for_unaligned_arrays_computes_the_same(target: str) -> None:
    s, args = rows(constant=8)
    func = te.lower_schedule(s, args, "f")
    found = [v for v in make_variants(func, Target(target), lower_primfunc) if v.note.startswith("unaligned")]
    assert bool(found) == (target != "llvm"), "processors read vectors anywhere"
    for variant in found:
        x = numbers(3, 8)
        np.testing.assert_array_equal(np.asarray(Module({"f": FunctionData("f", (variant,))})(x)), x + x)


@pytest.mark.cuda
@pytest.mark.parametrize("constant", [None, 8])
def test_a_gpu_reads_arrays_at_odd_addresses(constant: int | None) -> None:
    s, args = rows(constant=constant)
    module = gpucomp.build(s, args, "cuda")
    x = numbers(3, 8)
    whole = gpucomp.nd.array(np.concatenate([np.zeros(1, np.float32), x.ravel()]), gpucomp.cuda(0))
    start = whole.memory.address + 4
    memory = dataclasses.replace(whole.memory, address=start, handle=start)
    shifted = NDArray(memory, (3, 8), DType("float32"), gpucomp.cuda(0), allocation=whole.allocation)
    out = module(shifted)
    assert isinstance(out, NDArray)
    np.testing.assert_array_equal(out.numpy(), x + x)
    assert not any("aligned" in note.split(",")[0].split() for note in used(module))


def test_constant_vector_kernels_have_a_form_for_unaligned_arrays(require_nvrtc: object) -> None:
    a = te.placeholder((64,), name="A")
    b = te.compute((64,), lambda i: a[i] + a[i], name="B")
    s = te.create_schedule(b.op)
    o, v = s[b].split(b.op.axis[0], factor=4)
    s[b].bind(o, te.thread_axis("threadIdx.x"))
    s[b].vectorize(v)
    data = compile_function(s, [a, b], CUDA, "f")
    assert notes(data) == ["32-bit indices", "unaligned, 32-bit indices"]
    assert [p.alignment for p in data.variants[0].program.buffers] == [16, 16]
    assert [p.alignment for p in data.variants[1].program.buffers] == [4, 4]
    assert not data.variants[1].image.source.count("float4")
    assert compile_cuda(data.variants[1].image.source, CUDA.arch, data.variants[1].image.options)[0]


# -- made when needed ------------------------------------------------------------------------------------------------


def test_only_the_general_variant_is_made_by_build(caplog: pytest.LogCaptureFixture) -> None:
    s, args = rows()
    with gpucomp.config.override(cache=False):
        module = gpucomp.build(s, args, "llvm", name="twice")
    assert [v.compiled for v in module.stats.variants] == [False, True, False]
    with caplog.at_level(logging.INFO, "gpucomp"):
        module(numbers(3, 7))
        assert caplog.messages == []
        module(numbers(3, 8))
        module(numbers(3, 12))
    assert caplog.messages == ["twice: compiling its variant for aligned, 32-bit indices (m = 3, n = 8)"]
    assert module.stats.recompiles == 1
    assert str(module.stats).splitlines() == [
        "twice: aligned, 32-bit indices: compiled, combinations 2",
        "twice: 32-bit indices: compiled, combinations 1",
        "twice: 64-bit indices: not needed yet, combinations 0",
        "compiled since the build: 1",
    ]


def test_a_saved_module_has_all_variants(tmp_path: Any) -> None:
    s, args = rows()
    module = gpucomp.build(s, args, "llvm")
    module.save(tmp_path / "rows.json")
    read = load_module(tmp_path / "rows.json")
    x = numbers(3, 8)
    np.testing.assert_array_equal(read(x), x + x)
    assert [v.compiled for v in read.stats.variants] == [True, True, True]
    with pytest.raises(ArgumentError, match="GC633"):
        read.specialize(n=8)


def test_a_wrong_argument_compiles_nothing() -> None:
    s, args = rows()
    with gpucomp.config.override(cache=False):
        module = gpucomp.build(s, args, "llvm")
    with pytest.raises(ArgumentError, match="GC605"):
        module(numbers(3, 8), numbers(3, 4))
    assert module.stats.recompiles == 0


# -- given sizes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", EVERY_DEVICE)
def test_a_module_is_specialised_for_sizes_and_still_takes_others(target: str) -> None:
    s, args = rows()
    n = args[0].shape[1]
    with gpucomp.config.override(cache=False):
        module = gpucomp.build(s, args, target, specialize={n: 7})
    assert module.specialize(m=2, n=8) is module
    for m, size in ((2, 7), (3, 7), (2, 8), (3, 8), (3, 5)):
        x = numbers(m, size)
        np.testing.assert_array_equal(np.asarray(module(x)), x + x)
    assert used(module)[:2] == ["m = 2, n = 8", "n = 7"]
    assert module.stats.recompiles == 3
    assert "n7" in module.get_source()


def test_specialised_code_has_the_numbers_in_it() -> None:
    s, args = rows()
    module = gpucomp.build(s, args, CUDA, name="f")
    variant = module.specialize(n=64).entry_func.data.variants[0]
    assert "* 64" in variant.image.source
    assert "const int n" not in variant.image.source
    assert "float4" in variant.image.source


def test_a_specialised_scalar_argument_is_guarded_by_its_value() -> None:
    k, n = te.var("k"), te.var("n")
    a = te.placeholder((n,), name="A")
    b = te.compute((n,), lambda i: a[i] * k.astype("float32"), name="B")
    module = gpucomp.build(te.create_schedule(b.op), [k, a, b], "llvm", specialize=[{k: 3}, {"k": 4, "n": 5}])
    for value in (2, 3, 4):
        x = numbers(5)
        np.testing.assert_allclose(np.asarray(module(value, x)), x * value)
    assert len(used(module)) == 3


def test_a_module_without_a_target_is_specialised_on_every_device() -> None:
    s, args = rows()
    module = gpucomp.build(s, args).specialize(n=6)
    x = gpucomp.nd.array(numbers(2, 6), gpucomp.cpu(0))
    np.testing.assert_array_equal(np.asarray(module(x)), x.numpy() * 2)
    assert used(module) == ["n = 6"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"q": 4}, "its variables are m, n"),
        ({"n": -1}, "an integer >= 0"),
        ({"n": 1.5}, "an integer >= 0"),
    ],
)
def test_a_wrong_request_says_what_can_be_asked_for(values: dict[str, Any], words: str) -> None:
    s, args = rows()
    with pytest.raises(LowerError) as caught:
        gpucomp.build(s, args, "llvm").specialize(values)
    assert words in str(caught.value)
    assert caught.value.code == "GC303"
    assert caught.value.where is not None
    assert caught.value.where.file == __file__


def test_an_output_of_negative_extent_is_refused() -> None:
    n = te.var("n")
    a = te.placeholder((n,), name="A")
    b = te.compute((n - 3,), lambda i: a[i + 3], name="B")
    module = gpucomp.build(te.create_schedule(b.op), [a, b], "llvm")
    assert np.asarray(module(numbers(3))).shape == (0,)
    with pytest.raises(ArgumentError, match=r"GC616.*-1 elements"):
        module(numbers(2))
