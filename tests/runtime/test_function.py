from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator
from typing import cast  # results have no static type

import ml_dtypes
import numpy as np
import pytest

from gpucomp.runtime import ndarray as nd
from gpucomp.runtime.base import Dim3
from gpucomp.runtime.device import Device
from gpucomp.runtime.function import Function
from gpucomp.runtime.null import NullAPI
from gpucomp.support.diagnostics import ArgumentError, LowerError
from gpucomp.support.launch import (
    AllocStep,
    BufferArg,
    BufferParam,
    FunctionData,
    HostProgram,
    KernelImage,
    KernelSpec,
    LaunchStep,
    MemsetStep,
    ScalarArg,
    ScalarParam,
    Step,
    Variant,
)
from tests.runtime.programs import add_function, add_program, matmul_function, null_api, teach_add

NULL = Device("null")


@pytest.fixture(name="api")
def _api() -> Iterator[NullAPI]:
    api = null_api()
    teach_add(api)
    yield api
    api.clear()


def _floats(count: int, start: float = 0.0) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.arange(start, start + count, dtype=np.float32)


def _numpy(value: object) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    assert isinstance(value, nd.NDArray)
    return value.numpy()


def test_all_arrays_given_are_written_in_place(api: NullAPI) -> None:
    a, b, c = (nd.array(_floats(300, start), NULL) for start in (0, 5, 9))
    assert Function(add_function())(a, b, c) is None
    np.testing.assert_array_equal(c.numpy(), 2 * _floats(300) + 5)
    assert api.launches()[0][:3] == ("add", (2, 1, 1), (256, 1, 1))


def test_inputs_alone_return_a_new_array_of_the_right_shape(api: NullAPI) -> None:
    a, b = nd.array(_floats(7), NULL), nd.array(_floats(7), NULL)
    add = Function(add_function())
    first, second = add(a, b), add(a, b)
    np.testing.assert_array_equal(_numpy(first), 2 * _floats(7))
    assert first is not second
    assert _numpy(second).shape == (7,)


def test_numpy_in_gives_numpy_out_and_outputs_are_copied_back(api: NullAPI) -> None:
    add = Function(add_function())
    result = add(_floats(5), _floats(5))
    assert isinstance(result, np.ndarray)
    np.testing.assert_array_equal(result, 2 * _floats(5))
    out = np.zeros(5, np.float32)
    assert add(_floats(5), _floats(5), out) is None
    np.testing.assert_array_equal(out, 2 * _floats(5))


def test_each_shape_is_bound_anew_and_a_known_one_is_not_checked_again(api: NullAPI) -> None:
    add = Function(add_function())
    for count in (3, 1000, 3, 1000):
        np.testing.assert_array_equal(add(_floats(count), _floats(count)), 2 * _floats(count))
    assert len(add._bound) == 2
    assert len([event for event in api.events if event.what == "load"]) <= 1


def test_empty_arrays_launch_nothing(api: NullAPI) -> None:
    result = Function(add_function())(_floats(0), _floats(0))
    assert isinstance(result, np.ndarray)
    assert result.shape == (0,)
    assert api.launches() == []


def test_prepare_loads_and_binds_without_a_launch(api: NullAPI) -> None:
    add = Function(dataclasses.replace(add_function(), name="prepared"))
    add.prepare(_floats(4), _floats(4), _floats(4))
    assert api.launches() == []
    assert len(add._bound) == 1


def test_a_call_on_another_device_of_the_kind_runs_there(api: NullAPI) -> None:
    other = Device("null", 1)
    result = Function(add_function())(nd.array(_floats(4), other), nd.array(_floats(4), other))
    assert isinstance(result, nd.NDArray)
    assert result.device is other
    assert {event.index for event in api.events if event.what == "launch"} == {1}


def test_results_on_a_stream_take_no_memory_that_another_stream_may_still_write(api: NullAPI) -> None:
    add, a = Function(add_function()), nd.array(_floats(5), NULL)
    first = add(a, a)
    kept = first.memory
    del first
    on_stream = add(a, a, stream="mine")
    assert on_stream.memory is not kept
    own = on_stream.memory
    del on_stream
    NULL.set_raw_stream("mine")
    try:
        assert add(a, a).memory is own
    finally:
        NULL.set_raw_stream(None)
    assert add(a, a).memory is kept


def test_a_stream_reaches_the_launch_from_the_call_or_from_the_thread(api: NullAPI) -> None:
    a, b, c = (nd.array(_floats(4), NULL) for _ in range(3))
    add = Function(add_function())
    add(a, b, c, stream="mine")
    NULL.set_raw_stream("thread's")
    try:
        add(a, b, c)
    finally:
        NULL.set_raw_stream(None)
    add(a, b, c)
    assert [launch[4] for launch in api.launches()] == ["mine", "thread's", None]


def _python_calls(work: Callable[[], object]) -> int:
    """Python functions entered by ``work``: unlike microseconds, the same on a busy machine."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count - 1  # `work` itself


def test_a_launch_with_known_shapes_is_cheap(api: NullAPI) -> None:
    """About 3 us in place and 8 us with a new output on an idle core; the budget is 15."""
    a, b, c = (nd.array(_floats(64), NULL) for _ in range(3))
    add = Function(add_function())
    api.behaviours.clear()
    api.recording = False
    add(a, b, c)
    add(a, b)
    # The call, its key, the run, the stream, the handles, the launcher, the device's launch and its note.
    assert _python_calls(lambda: add(a, b, c)) <= 8
    assert _python_calls(lambda: add(a, b)) <= 30


# -- variants


def _variants(*guards: tuple[object, int]) -> FunctionData:
    """Variants that launch kernels v0, v1, ...: (guard, alignment) each."""
    made: list[Variant] = []
    for number, (guard, alignment) in enumerate(guards):
        program = add_program(alignment)
        step = program.steps[0]
        assert isinstance(step, LaunchStep)
        program = dataclasses.replace(program, steps=(dataclasses.replace(step, kernel=f"v{number}"),))
        spec = KernelSpec(f"v{number}", ("float32*", "float32*", "float32*", "int32"))
        made.append(Variant(cast("bool", guard), program, KernelImage("null", f"v{number}", (spec,))))
    return FunctionData("choice", tuple(made))


def _chosen(api: NullAPI, function: Function, *args: object) -> object:
    before = len(api.launches())
    function(*args)
    return api.launches()[before][0]


def test_the_first_variant_whose_guard_holds_is_used(api: NullAPI) -> None:
    data = _variants((("le", "n", 4), 1), (("eq", ("floormod", "n", 2), 0), 1), (True, 1))
    choice = Function(data)
    chosen = [_chosen(api, choice, _floats(count), _floats(count), _floats(count)) for count in (3, 8, 9)]
    assert chosen == ["v0", "v1", "v2"]


def test_a_variant_that_needs_alignment_is_passed_over_for_misaligned_arrays(api: NullAPI) -> None:
    memory = nd.empty((64,), device=NULL)
    shifted = nd.NDArray(
        dataclasses.replace(memory.memory, handle=memory.address + 4, address=memory.address + 4),
        (32,), memory.dtype, NULL,
    )  # fmt: skip
    aligned = nd.empty((32,), device=NULL)
    by_alignment = Function(_variants((True, 16), (True, 4)))
    by_fact = Function(_variants((("eq", ("ptr_mod", "B", 16), 0), 4), (True, 4)))
    for choice in (by_alignment, by_fact):
        assert _chosen(api, choice, aligned, nd.empty((32,), device=NULL), nd.empty((32,), device=NULL)) == "v0"
        assert _chosen(api, choice, aligned, shifted, nd.empty((32,), device=NULL)) == "v1"


def test_no_variant_that_fits_is_an_error_that_names_the_conditions(api: NullAPI) -> None:
    choice = Function(_variants((("le", "n", 4), 1), (("gt", "n", 8), 1)))
    with pytest.raises(ArgumentError, match="they do not meet n <= 4 nor n > 8"):
        choice(_floats(6), _floats(6))


def test_an_address_modulus_that_cannot_be_answered_is_refused_when_built() -> None:
    with pytest.raises(LowerError, match="address modulus 512 does not divide 256"):
        Function(_variants((("eq", ("ptr_mod", "A", 512), 0), 1)))


# -- strides, scalars, several outputs, workspace


def _single(params: tuple[BufferParam | ScalarParam, ...], steps: tuple[Step, ...], *arg_types: str) -> Function:
    program = HostProgram("f", params, steps)
    image = KernelImage("null", "", (KernelSpec("k", arg_types),))
    return Function(FunctionData("f", (Variant(True, program, image),)))


def test_declared_strides_bind_and_reach_the_kernel(api: NullAPI) -> None:
    param = BufferParam("A", "float32", ("n", "m"), strides=("s", 1))
    launch = LaunchStep("k", (1, 1, 1), (1, 1, 1), 0, (BufferArg("A"), ScalarArg("int32", "s")))
    function = _single((param,), (launch,), "float32*", "int32")
    base = nd.empty((8, 6), device=NULL)
    view = nd.NDArray(base.memory, (8, 4), base.dtype, NULL, (6, 1))
    function(view)
    assert api.launches()[0][5] == (base.handle, 6)
    with pytest.raises(ArgumentError, match="stride of axis 1 is 2 elements, expected 1"):
        function(nd.NDArray(base.memory, (8, 3), base.dtype, NULL, (6, 2)))


def test_scalars_are_converted_and_may_decide_on_shapes(api: NullAPI) -> None:
    params = (ScalarParam("n", "int32"), BufferParam("A", "float32", ("n",)), ScalarParam("x", "float32"))
    launch = LaunchStep("k", ("n", 1, 1), (1, 1, 1), 0, (BufferArg("A"), ScalarArg("float32", "x")))
    function = _single(params, (launch,), "float32*", "float32")
    a = nd.empty((4,), device=NULL)
    function(4, a, 2)
    function(np.int64(4), a, np.float32(0.5))
    assert [launch[1] for launch in api.launches()] == [(4, 1, 1), (4, 1, 1)]
    assert [launch[5][1] for launch in cast("list[tuple[tuple[object, ...], ...]]", api.launches())] == [2.0, 0.5]
    with pytest.raises(ArgumentError, match=r"axis 0 is 4, not 5 \(n = 5 from the scalar argument\)"):
        function(5, a, 2)


def test_several_outputs_are_returned_as_a_tuple_in_order(api: NullAPI) -> None:
    def output(name: str, *shape: object) -> BufferParam:
        return BufferParam(name, "int32", cast("tuple[str, ...]", shape), access="write", output=True)

    params = (output("P", ("mul", "n", 2)), BufferParam("A", "int32", ("n",)), output("Q", 3))
    launch = LaunchStep("k", (1, 1, 1), (1, 1, 1), 0, tuple(BufferArg(name) for name in "PAQ"))
    result = _single(params, (launch,), "int32*", "int32*", "int32*")(nd.empty((5,), "int32", NULL))
    assert isinstance(result, tuple)
    assert [array.shape for array in cast("tuple[nd.NDArray, ...]", result)] == [(10,), (3,)]


def test_workspace_is_allocated_zeroed_and_used_again(api: NullAPI) -> None:
    steps = (
        AllocStep("W", "float16", ("mul", "n", 8)),
        MemsetStep("W", 0, ("mul", "n", 16)),
        LaunchStep("k", (1, 1, 1), (1, 1, 1), 0, (BufferArg("A"), BufferArg("W"))),
    )
    seen: list[bool] = []

    def check(grid: Dim3, block: Dim3, args: tuple[object, ...]) -> None:
        work = api.view(args[1], "uint8", 16 * 1024)
        seen.append(not work.any())
        cast("np.ndarray[tuple[int], np.dtype[np.uint8]]", work)[:] = 7

    api.behaviours["k"] = check
    function = _single((BufferParam("A", "float32", ("n",)),), steps, "float32*", "float16*")
    a = nd.empty((1024,), device=NULL)
    function(a)
    before = len([event for event in api.events if event.what == "alloc"])
    function(a)
    assert seen == [True, True]
    assert len([event for event in api.events if event.what == "alloc"]) == before


def test_bfloat16_arrays_pass_through(api: NullAPI) -> None:
    params = (
        BufferParam("A", "bfloat16", ("n",)),
        BufferParam("C", "bfloat16", ("n",), access="write", output=True),
    )
    launch = LaunchStep("k", (1, 1, 1), (1, 1, 1), 0, (BufferArg("A"), BufferArg("C")))

    def copy(grid: Dim3, block: Dim3, args: tuple[object, ...]) -> None:
        np.copyto(api.view(args[1], "uint16", 4), api.view(args[0], "uint16", 4))

    api.behaviours["k"] = copy
    values = np.arange(4).astype(ml_dtypes.bfloat16)
    result = _single(params, (launch,), "bfloat16*", "bfloat16*")(values)
    assert isinstance(result, np.ndarray)
    assert result.dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(result.astype(np.float32), [0, 1, 2, 3])


def test_an_output_whose_shape_the_inputs_do_not_tell_has_to_be_passed(api: NullAPI) -> None:
    params = (BufferParam("A", "int32", ("n",)), BufferParam("C", "int32", ("m",), access="write", output=True))
    launch = LaunchStep("k", (1, 1, 1), (1, 1, 1), 0, (BufferArg("A"), BufferArg("C")))
    function = _single(params, (launch,), "int32*", "int32*")
    with pytest.raises(ArgumentError, match="does not follow from the inputs: nothing tells 'm'"):
        function(nd.empty((4,), "int32", NULL))
    assert function(nd.empty((4,), "int32", NULL), nd.empty((9,), "int32", NULL)) is None


def test_in_place_updates_of_one_buffer_are_no_overlap(api: NullAPI) -> None:
    params = (BufferParam("A", "int32", ("n",), access="readwrite"),)
    launch = LaunchStep("k", (1, 1, 1), (1, 1, 1), 0, (BufferArg("A"),))
    values = np.arange(4, dtype=np.int32)

    def double(grid: Dim3, block: Dim3, args: tuple[object, ...]) -> None:
        view = api.view(args[0], "int32", 4)
        np.copyto(view, np.left_shift(view, 1))

    api.behaviours["k"] = double
    _single(params, (launch,), "int32*")(values)
    np.testing.assert_array_equal(values, [0, 2, 4, 6])


def test_the_repr_shows_the_signature() -> None:
    assert repr(Function(matmul_function())) == (
        "<gpucomp.Function matmul(A: float32[m, k], B: float32[k, n], alpha: float32, C: float32[m, n] output)>"
    )
