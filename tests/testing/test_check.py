"""``check`` accepts right kernels and catches planted faults; the kernels are Python functions on the null device."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest

import gpucomp
from gpucomp import te
from gpucomp.runtime.base import get_api
from gpucomp.runtime.function import Function
from gpucomp.runtime.module import Module
from gpucomp.runtime.null import NullAPI
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.support.dtype import DType
from gpucomp.support.launch import (
    BufferArg,
    BufferParam,
    FunctionData,
    HostProgram,
    KernelImage,
    KernelSpec,
    LaunchStep,
    ScalarArg,
    Variant,
)
from gpucomp.testing import check

Array = npt.NDArray[np.generic]
Meaning = Callable[[Array, Array, Array], object]


def kernel(meaning: Meaning, dtype: str = "float32", extent: int | str = "n") -> Function:
    """``f(A, B, C)`` on the null device: ``meaning`` gets the three vectors and writes into the last one."""
    params = (
        BufferParam("A", dtype, (extent,)),
        BufferParam("B", dtype, (extent,)),
        BufferParam("C", dtype, (extent,), access="write", output=True),
    )
    args = (*(BufferArg(param.name) for param in params), ScalarArg("int32", extent))
    pointer = f"{dtype}*"
    spec = KernelSpec("f", (pointer, pointer, pointer, "int32"), 1)
    program = HostProgram("f", params, (LaunchStep("f", (1, 1, 1), (1, 1, 1), 0, args),))
    api = get_api("null")
    assert isinstance(api, NullAPI)
    api.clear()

    def behave(grid: Sequence[int], block: Sequence[int], values: tuple[object, ...]) -> None:
        *handles, count = values
        assert isinstance(count, int)
        a, b, c = (api.view(handle, str(DType(dtype).numpy), count) for handle in handles)
        meaning(a, b, c)

    api.behaviours["f"] = behave
    image = KernelImage("null", "", (spec,))
    return Function(FunctionData("f", (Variant(True, program, image),)))


def add(a: Array, b: Array, c: Array) -> None:
    np.add(a, b, out=c)


def reference(a: Array, b: Array) -> Array:
    return np.add(a, b)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "uint8"])
def test_a_right_kernel_passes(dtype: str) -> None:
    def wrapping(a: Array, b: Array) -> Array:
        return np.add(a, b)

    result = check(kernel(add, dtype), None, wrapping, sizes={"n": 100})
    assert len(result.worst) == 1
    assert 0 <= result.worst[0] <= 1
    assert str(result.device) == "null(0)"


def test_a_module_is_checked_through_its_entry() -> None:
    module = Module({"f": kernel(add).data})
    check(module, [(7,), (7,), (7,)], reference)


def failure(meaning: Meaning, rtol: float | None = None, atol: float | None = None) -> str:
    with pytest.raises(AssertionError) as caught:
        check(kernel(meaning), [(10,), (10,), (10,)], reference, seed=5, rtol=rtol, atol=atol)
    return str(caught.value)


def test_one_wrong_element_is_named_with_both_values_and_the_tolerance() -> None:
    def off(a: Array, b: Array, c: Array) -> None:
        add(a, b, c)
        c[7] = 64.0

    message = failure(off)
    assert message.startswith("f on null(0), run 1 of 2 (seed=5): output C: 1 of 10 values is wrong\n")
    assert "worst at C[7]: got 64.0, expected " in message
    assert "accepted error" in message


def test_elements_that_are_never_written_are_counted() -> None:
    def short(a: Array, b: Array, c: Array) -> None:
        add(a[:-3], b[:-3], c[:-3])

    assert "3 of 10 values are wrong" in failure(short)
    assert "3 of them were never written" in failure(short)


def test_a_result_kept_from_the_first_run_is_caught_in_the_second() -> None:
    kept: list[Array] = []

    def lazy(a: Array, b: Array, c: Array) -> None:
        if not kept:
            kept.append(np.add(a, b))
        c[:] = kept[0]

    assert "run 2 of 2" in failure(lazy)


def test_a_sum_into_what_was_in_the_output_is_caught() -> None:
    def accumulate(a: Array, b: Array, c: Array) -> None:
        np.add(c, np.add(a, b), out=c)

    assert "10 of 10 values are wrong" in failure(accumulate)


def test_a_kernel_that_changes_an_input_is_caught() -> None:
    def spoil(a: Array, b: Array, c: Array) -> None:
        add(a, b, c)
        b[0] = 0

    assert "the kernel changed its input B" in failure(spoil)


def test_an_error_within_the_tolerance_passes_and_above_it_fails() -> None:
    def rough(a: Array, b: Array, c: Array) -> None:
        np.multiply(np.add(a, b), np.float32(1.001), out=c)

    shapes = [(10,)] * 3
    assert check(kernel(rough), shapes, reference, rtol=2e-3).worst[0] <= 1
    assert "values are wrong" in failure(rough)
    assert "values are wrong" in failure(rough, rtol=1e-4, atol=0.0)
    check(kernel(rough), shapes, reference, rtol=0, atol=0.01)


def test_whole_numbers_are_compared_exactly() -> None:
    def rough(a: Array, b: Array, c: Array) -> None:
        np.multiply(np.add(a, b), np.float32(1.00001), out=c)

    shapes = [(50,)] * 3
    check(kernel(add), shapes, reference, whole=True)
    check(kernel(rough), shapes, reference)
    with pytest.raises(AssertionError, match=r"accepted error 0\)"):
        check(kernel(rough), shapes, reference, whole=True)


def test_nan_and_infinity_agree_with_themselves_only() -> None:
    def special(a: Array, b: Array) -> Array:
        out = np.add(a, b)
        out[:3] = [np.nan, np.inf, -np.inf]
        return out

    def right(a: Array, b: Array, c: Array) -> None:
        c[:] = special(a, b).astype(c.dtype)

    def wrong(a: Array, b: Array, c: Array) -> None:
        right(a, b, c)
        c[1] = -np.inf

    shapes = [(10,)] * 3
    check(kernel(right), shapes, special)
    with pytest.raises(AssertionError, match=r"worst at C\[1\]: got -inf, expected inf"):
        check(kernel(wrong), shapes, special)


def test_integers_are_compared_exactly() -> None:
    def off(a: Array, b: Array, c: Array) -> None:
        add(a, b, c)
        c[3] = np.add(c[3], 1)

    with pytest.raises(AssertionError, match=r"1 of 10 values is wrong"):
        check(kernel(off, "int32"), [(10,)] * 3, reference)


def test_a_seed_gives_the_same_inputs_again() -> None:
    seen: list[bytes] = []

    def watch(a: Array, b: Array, c: Array) -> None:
        seen.append(a.tobytes())
        add(a, b, c)

    for seed in (1, 1, 2):
        check(kernel(watch), [(10,)] * 3, reference, seed=seed)
    assert seen[:2] == seen[2:4] != seen[4:]
    assert seen[0] != seen[1], "each run draws anew"
    first = check(kernel(add), [(10,)] * 3, reference).seed
    assert first != check(kernel(add), [(10,)] * 3, reference).seed


def test_inputs_may_come_from_a_function() -> None:
    def ones(rng: np.random.Generator) -> Array:
        return np.ones(6)

    def one_only(a: Array, b: Array, c: Array) -> None:
        assert (a == 1).all()
        add(a, b, c)

    check(kernel(one_only), [ones, (6,), (6,)], reference)


def test_symbolic_extents_need_a_size() -> None:
    with pytest.raises(ArgumentError, match="depend on 'n'"):
        check(kernel(add), None, reference)


def test_a_wrong_number_of_args_or_results_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"3 parameters \(A, B, C\), got 2 args"):
        check(kernel(add), [(4,), (4,)], reference)

    def two(a: Array, b: Array) -> tuple[Array, Array]:
        return a, b

    with pytest.raises(ArgumentError, match="has 1 outputs, the reference returns 2"):
        check(kernel(add), [(4,)] * 3, two)


def test_a_reference_of_another_shape_is_a_failure() -> None:
    def summed(a: Array, b: Array) -> Array:
        return np.asarray(np.add(a, b).astype(np.float64).sum())

    with pytest.raises(AssertionError, match=r"output C has shape \(4,\), the reference \(\)"):
        check(kernel(add), [(4,)] * 3, summed)


DEVICES = ["cpu", pytest.param("opencl", marks=pytest.mark.opencl), pytest.param("cuda", marks=pytest.mark.cuda)]


@pytest.mark.parametrize("device", DEVICES)
def test_a_schedule_is_built_for_the_device_and_checked_there(device: str) -> None:
    n = te.var("n")
    a = te.placeholder((n, 8), name="A")
    b = te.compute((n,), lambda i: a[i, 0] * a[i, 7], name="B")
    schedule = te.create_schedule(b.op)
    args = [a, b]

    def right(x: Array) -> Array:
        return np.multiply(x[:, 0], x[:, 7])

    def wrong(x: Array) -> Array:
        return np.multiply(x[:, 0], x[:, 6])

    assert check(schedule, args, right, device=device, sizes={"n": 37}).device.kind == device
    check(gpucomp.build(schedule, args), [(5, 8), (5,)], right, device=device)
    with pytest.raises(AssertionError, match="37 of 37 values are wrong"):
        check(schedule, args, wrong, device=device, sizes={"n": 37}, whole=False, seed=0)


@pytest.mark.parametrize(
    ("extent", "words"),
    [
        ("m1", "f has no symbolic extent 'm': it has m1\n  --> .*\n.*did you mean 'm1'"),
        (5, "'m': its extents are all numbers"),
    ],
)
def test_a_size_that_the_kernel_does_not_have_is_one_clear_error(extent: int | str, words: str) -> None:
    function = kernel(lambda a, b, c: np.add(a, b, out=c), extent=extent)
    with pytest.raises(ArgumentError, match=words):
        check(function, None, lambda a, b: a + b, sizes={"m1": 5, "m": 77} if extent == "m1" else {"m": 77})
