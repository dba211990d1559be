from __future__ import annotations

import pickle
from typing import cast  # results have no static type

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpucomp.runtime import dlpack
from gpucomp.runtime import ndarray as nd
from gpucomp.runtime.device import Device, cpu
from gpucomp.support.diagnostics import ArgumentError, DeviceError
from gpucomp.support.dtype import DType

NULL = Device("null")
DTYPES = ["bool", "int8", "uint8", "int16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64",
          "bfloat16", "float8_e4m3fn", "float8_e5m2"]  # fmt: skip


def _values(dtype: str, shape: tuple[int, ...] = (2, 3)) -> npt.NDArray[np.generic]:
    return np.arange(np.prod(shape)).reshape(shape).astype(DType(dtype).numpy)


@pytest.mark.parametrize("device", [cpu(), NULL])
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_array_holds_what_was_put_in(device: Device, dtype: str) -> None:
    values = _values(dtype)
    array = nd.array(values, device)
    assert (array.shape, array.dtype, array.device, array.ndim) == ((2, 3), dtype, device, 2)
    assert array.nbytes == values.nbytes
    assert array.strides == (3, 1)
    np.testing.assert_array_equal(array.numpy(), values)
    np.testing.assert_array_equal(array.asnumpy(), values)
    np.testing.assert_array_equal(np.asarray(array), values)


def test_array_copies_and_from_numpy_shares() -> None:
    values = _values("float32")
    copy, shared = nd.array(values), nd.from_numpy(values)
    values[0, 0] = 9
    assert copy.numpy()[0, 0] == 0
    assert shared.numpy()[0, 0] == 9
    assert shared.address == values.ctypes.data


def test_numpy_on_the_cpu_is_a_view_and_elsewhere_a_copy() -> None:
    here, there = nd.array(_values("int32")), nd.array(_values("int32"), NULL)
    for array, shares in ((here, True), (there, False)):
        cast("npt.NDArray[np.int32]", array.numpy())[0, 0] = 77
        assert bool(array.numpy()[0, 0] == 77) is shares


@given(st.lists(st.integers(0, 4), max_size=4).map(tuple))
def test_every_shape_round_trips(shape: tuple[int, ...]) -> None:
    values = _values("int32", shape)
    for device in (cpu(), NULL):
        np.testing.assert_array_equal(nd.array(values, device).numpy(), values)


def test_strided_arrays_keep_their_strides() -> None:
    values = _values("float32", (4, 6))
    for view in (values[:, ::2], values.T, values[1:, 1:], values[::-1]):
        shared = nd.from_numpy(view)
        assert not shared.is_contiguous
        np.testing.assert_array_equal(shared.numpy(), view)
        np.testing.assert_array_equal(nd.array(view, NULL).numpy(), view)


@pytest.mark.parametrize(
    ("shape", "strides", "compact"),
    [((2, 3), (3, 1), True), ((2, 3), (1, 2), False), ((1, 3), (99, 1), True), ((2, 1), (1, 7), True),
     ((0, 3), (5, 5), True), ((), (), True), ((2, 3), (4, 1), False)],
)  # fmt: skip
def test_extents_of_one_and_empty_arrays_do_not_break_compactness(
    shape: tuple[int, ...], strides: tuple[int, ...], compact: bool
) -> None:
    assert nd.is_compact(shape, strides) is compact


def test_copyfrom_converts_numbers_within_their_kind_only() -> None:
    array = nd.empty((2,), "float16")
    array.copyfrom(np.array([1.5, 2.5], np.float32))
    array[:] = nd.array(np.array([3, 4], ml_dtypes.bfloat16))
    np.testing.assert_array_equal(array.numpy(), [3, 4])
    array.copyfrom([5, 6])
    np.testing.assert_array_equal(array.numpy(), [5, 6])
    with pytest.raises(ArgumentError, match="the source has dtype float32, this array int32"):
        nd.empty((2,), "int32").copyfrom(np.array([1.5, 2.5], np.float32))
    with pytest.raises(ArgumentError, match=r"the source has shape \(3,\), this array \(2,\)"):
        array.copyfrom(np.zeros(3, np.float16))
    with pytest.raises(ArgumentError, match="only a\\[:\\] = values"):
        array[0:1] = [1]


def test_copyto_reaches_arrays_and_devices() -> None:
    source = nd.array(_values("int32"), NULL)
    for device in (cpu(), NULL, Device("null", 1)):
        moved = source.copyto(device)
        assert moved.device is device
        np.testing.assert_array_equal(moved.numpy(), source.numpy())
    target = nd.empty((2, 3), "int32", NULL)
    assert source.copyto(target) is target
    np.testing.assert_array_equal(target.numpy(), source.numpy())
    with pytest.raises(ArgumentError, match=r"the target is int8\[2, 3\], this array int32\[2, 3\]"):
        source.copyto(nd.empty((2, 3), "int8"))


def test_read_only_numpy_arrays_stay_read_only() -> None:
    values = _values("int32")
    values.flags.writeable = False
    shared = nd.from_numpy(values)
    assert shared.read_only
    with pytest.raises(ArgumentError, match="read-only"):
        shared.copyfrom(values)


@pytest.mark.parametrize("bad", [np.zeros(2, "c8"), np.zeros(2, ">f4"), np.array(["a"]), np.zeros(2, "M8[s]")])
def test_element_types_that_devices_do_not_have_are_refused(bad: npt.NDArray[np.generic]) -> None:
    with pytest.raises(ArgumentError, match="has no counterpart on a device"):
        nd.array(bad)
    with pytest.raises(ArgumentError, match="has no counterpart on a device"):
        nd.from_numpy(bad)


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(DeviceError, match=r"device null\(5\) is not there: 2 null devices found"):
        nd.empty((2,), device=Device("null", 5))
    with pytest.raises(ArgumentError, match="negative extent"):
        nd.empty((2, -1))
    with pytest.raises(ArgumentError, match="memory scope 'texture'"):
        nd.empty((2,), mem_scope="texture")


def test_numpy_does_not_mix_with_device_arrays_silently() -> None:
    array = nd.array(_values("float32"))
    with pytest.raises(TypeError):
        _ = np.ones((2, 3), np.float32) + array
    with pytest.raises(ValueError, match="without a copy"):
        nd.array(_values("float32"), NULL).__array__(copy=False)


def test_the_repr_shows_shape_type_and_device() -> None:
    assert repr(nd.array(np.array([1, 2], np.int32), NULL)).startswith(
        "<gpucomp.NDArray shape=(2,) dtype=int32 device=null(0)>\narray([1, 2]"
    )
    assert len(nd.empty((3, 2))) == 3


# -- exchange


@pytest.mark.parametrize("dtype", [name for name in DTYPES if not name.startswith(("bfloat", "float8"))])
def test_numpy_reads_our_dlpack_capsules(dtype: str) -> None:
    values = _values(dtype)
    array = nd.array(values)
    view = np.from_dlpack(array)  # pyright: ignore[reportArgumentType]  # its stub asks for one more overload
    np.testing.assert_array_equal(view, values)
    assert view.ctypes.data == array.address


@pytest.mark.parametrize("dtype", [name for name in DTYPES if not name.startswith(("bfloat", "float8"))])
def test_we_read_the_dlpack_capsules_of_numpy(dtype: str) -> None:
    values = _values(dtype, (3, 4))
    shared = nd.from_dlpack(cast("dlpack.SupportsDLPack", values[:, ::2]))
    assert (shared.shape, shared.dtype, shared.strides) == ((3, 2), dtype, (4, 2))
    assert shared.address == values.ctypes.data
    np.testing.assert_array_equal(shared.numpy(), values[:, ::2])


class Foreign:
    """An array of another library that holds one of ours."""

    def __init__(self, array: nd.NDArray) -> None:
        self.array = array

    def __dlpack__(self, *, stream: int | None = None) -> object:
        return self.array.__dlpack__(stream=stream)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_element_type_passes_through_a_capsule(dtype: str) -> None:
    array = nd.array(_values(dtype))
    shared = nd.from_dlpack(Foreign(array))
    assert shared.dtype == dtype
    assert shared.address == array.address
    np.testing.assert_array_equal(shared.numpy(), array.numpy())


def test_a_capsule_keeps_the_memory_alive_and_lets_it_go() -> None:
    before = len(dlpack._exported)
    foreign = Foreign(nd.array(_values("int32")))
    shared = nd.from_dlpack(foreign)
    del foreign
    assert len(dlpack._exported) == before + 1
    np.testing.assert_array_equal(shared.numpy(), _values("int32"))
    del shared
    assert len(dlpack._exported) == before


def test_a_capsule_that_nobody_takes_is_released() -> None:
    before = len(dlpack._exported)
    capsule = nd.array(_values("int32")).__dlpack__()
    assert len(dlpack._exported) == before + 1
    del capsule
    assert len(dlpack._exported) == before


def test_a_consumer_may_ask_for_a_copy_but_not_for_another_device() -> None:
    array = nd.array(_values("int32"))
    before = len(dlpack._exported)
    copied = array.__dlpack__(copy=True)
    (owner,) = [item[-1] for item in list(dlpack._exported.values())[before:]]
    assert isinstance(owner, nd.NDArray)
    assert owner is not array
    np.testing.assert_array_equal(owner.numpy(), array.numpy())
    del copied
    assert array.__dlpack__(dl_device=(1, 0), max_version=(1, 0)) is not None
    with pytest.raises(BufferError, match="not exported to another device"):
        array.__dlpack__(dl_device=(2, 0))


def test_memory_of_other_devices_is_not_exchanged() -> None:
    array = nd.array(_values("int32"), NULL)
    with pytest.raises(BufferError, match="cannot be exchanged through DLPack"):
        array.__dlpack__()
    with pytest.raises(AttributeError, match="not on a CUDA device"):
        _ = array.__cuda_array_interface__
    assert not hasattr(array, "__cuda_array_interface__")


def test_a_cuda_array_interface_is_taken_over_without_a_copy() -> None:
    class CudaArray:
        __cuda_array_interface__ = {  # noqa: RUF012  # the form that the interface has
            "shape": (4, 3), "typestr": "<f2", "data": (4096, True), "strides": (16, 2), "version": 3,
        }  # fmt: skip

    shared = nd.from_cuda_array_interface(CudaArray())
    assert shared is not None
    assert (shared.shape, shared.dtype, shared.strides) == ((4, 3), "float16", (8, 1))
    assert (shared.address, shared.read_only, str(shared.device)) == (4096, True, "cuda(0)")
    assert nd.from_cuda_array_interface(object()) is None

    class Refusing:
        @property
        def __cuda_array_interface__(self) -> object:
            raise RuntimeError("requires grad")

    assert nd.from_cuda_array_interface(Refusing()) is None


def test_devices_survive_pickling_as_the_same_object() -> None:
    assert pickle.loads(pickle.dumps(NULL)) is NULL  # noqa: S301  # our own bytes
