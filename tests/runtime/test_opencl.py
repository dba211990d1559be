from __future__ import annotations

import subprocess
import sys
import threading
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest

from gpucomp.runtime import ndarray as nd
from gpucomp.runtime import opencl as backend
from gpucomp.runtime.base import Memory, get_api
from gpucomp.runtime.device import Device, opencl
from gpucomp.runtime.memory import get_pool
from gpucomp.runtime.module import Module
from gpucomp.runtime.opencl import OpenCLAPI
from gpucomp.runtime.probe import probe
from gpucomp.support.diagnostics import BuildError, DeviceError
from gpucomp.support.dtype import DType
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
    Variant,
)
from tests.requirements import require_pocl
from tests.runtime.programs import OPENCL_ADD, add_function

pytestmark = pytest.mark.opencl


@pytest.fixture(name="pocl")
def _pocl() -> Device:
    """PoCL's device among ours."""
    wanted = require_pocl()
    api = get_api("opencl")
    assert isinstance(api, OpenCLAPI)
    return next(opencl(index) for index in range(api.count()) if api.device(index) == wanted)


def _add(device: Device) -> Module:
    return Module({"add": add_function("opencl", OPENCL_ADD)}, device)


@pytest.mark.parametrize("count", [1, 255, 256, 1000])
def test_a_kernel_adds_vectors_of_any_length(pocl: Device, count: int) -> None:
    x = np.arange(count, dtype=np.float32)
    a, b, c = nd.array(x, pocl), nd.array(2 * x, pocl), nd.empty((count,), device=pocl)
    add = _add(pocl)
    assert add(a, b, c) is None
    np.testing.assert_array_equal(c.numpy(), 3 * x)
    np.testing.assert_array_equal(add(x, x), 2 * x)


def test_empty_arrays_are_fine(pocl: Device) -> None:
    x = np.zeros(0, np.float32)
    result = _add(pocl)(x, x)
    assert isinstance(result, np.ndarray)
    assert result.shape == (0,)


def test_attributes_tell_platform_and_limits(pocl: Device) -> None:
    attributes = pocl.attributes
    assert attributes.platform == "Portable Computing Language"
    assert attributes.is_cpu
    assert not attributes.is_simulator
    assert "fp64" in attributes.features
    assert attributes.max_threads_per_block >= 256
    assert attributes.max_shared_memory_per_block >= 32768
    assert pocl.compute_version.split(".")[0] in "123"


def test_gpus_come_before_cpus_and_simulators_last() -> None:
    def fake(kind: str, platform: str) -> object:
        import pyopencl as cl

        return SimpleNamespace(
            type=getattr(cl.device_type, kind), name=platform, platform=SimpleNamespace(name=platform)
        )

    import pyopencl as cl

    platforms = [
        SimpleNamespace(name="Oclgrind", version="OpenCL 3.0", get_devices=lambda: [fake("GPU", "Oclgrind")]),
        SimpleNamespace(name="PoCL", version="OpenCL 3.0", get_devices=lambda: [fake("CPU", "PoCL")]),
        SimpleNamespace(
            name="Vendor",
            version="OpenCL 3.0",
            get_devices=lambda: [fake("GPU", "Vendor"), fake("ACCELERATOR", "Card")],
        ),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cl, "get_platforms", lambda: platforms)
        names = [device.name for device in OpenCLAPI()._all()]
    assert names == ["Vendor", "Card", "PoCL", "Oclgrind"]


def test_no_platform_is_explained() -> None:
    import pyopencl as cl

    def none() -> list[object]:
        raise cl.LogicError("clGetPlatformIDs failed: PLATFORM_NOT_FOUND_KHR")

    api = OpenCLAPI()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cl, "get_platforms", none)
        assert api.count() == 0
    missing = api.why_missing()
    assert missing is not None
    assert "PLATFORM_NOT_FOUND_KHR" in missing.reason
    assert "apt-get install" in missing.remedy
    with pytest.raises(DeviceError, match=r"device opencl\(0\) is not there"):
        api.attributes(0)


def test_importing_the_runtime_imports_no_driver_package() -> None:
    code = (
        "import sys, gpucomp.runtime.function, gpucomp.runtime.module\n"
        "print(sorted({'pyopencl', 'pycuda', 'llvmlite', 'cuda'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


SCALARS = {"int8": -5, "uint8": 250, "int16": -300, "uint16": 60000, "int32": -70000, "uint32": 4000000000,
           "int64": -(1 << 40), "uint64": 1 << 63, "float32": 0.5, "float64": 0.1, "bool": True}  # fmt: skip
C_TYPES = {"int8": "char", "uint8": "uchar", "int16": "short", "uint16": "ushort", "int32": "int", "uint32": "uint",
           "int64": "long", "uint64": "ulong", "float32": "float", "float64": "double", "bool": "uchar",
           "bfloat16": "ushort"}  # fmt: skip


def _store_scalar(dtype: str) -> FunctionData:
    """A[0] = x."""
    c_type = C_TYPES[dtype]
    source = f"__kernel void store(__global {c_type}* A, {c_type} x) {{ A[0] = x; }}"
    params = (BufferParam("A", dtype, (1,), access="write"), ScalarParam("x", dtype))
    launch = LaunchStep("store", (1, 1, 1), (1, 1, 1), 0, (BufferArg("A"), ScalarArg(dtype, "x")))
    spec = KernelSpec("store", (f"{dtype}*", dtype))
    image = KernelImage("opencl", source, (spec,))
    return FunctionData("store", (Variant(True, HostProgram("store", params, (launch,)), image),))


@pytest.mark.parametrize("dtype", SCALARS)
def test_scalars_of_every_type_arrive(pocl: Device, dtype: str) -> None:
    target = np.zeros(1, DType(dtype).numpy)
    Module({"store": _store_scalar(dtype)}, pocl)(target, SCALARS[dtype])
    assert target[0] == np.array(SCALARS[dtype]).astype(DType(dtype).numpy)


def test_bfloat16_arrays_and_scalars_arrive_as_their_bits(pocl: Device) -> None:
    target = np.zeros(1, ml_dtypes.bfloat16)
    Module({"store": _store_scalar("bfloat16")}, pocl)(target, 257.0)
    assert float(target[0]) == 256.0


def test_workspace_and_memset_run_on_the_device(pocl: Device) -> None:
    source = "__kernel void take(__global const uchar* W, __global uchar* A) { A[get_global_id(0)] = W[0]; }"
    params = (BufferParam("A", "uint8", ("n",), access="write"),)
    steps = (
        AllocStep("W", "uint8", 64),
        MemsetStep("W", 7, 64),
        LaunchStep("take", ("n", 1, 1), (1, 1, 1), 0, (BufferArg("W"), BufferArg("A"))),
    )
    image = KernelImage("opencl", source, (KernelSpec("take", ("uint8*", "uint8*")),))
    module = Module({"take": FunctionData("take", (Variant(True, HostProgram("take", params, steps), image),))}, pocl)
    values = np.zeros(5, np.uint8)
    module(values)
    np.testing.assert_array_equal(values, 7)


def test_a_source_error_shows_the_line_and_the_saved_file(pocl: Device) -> None:
    bad = Module({"add": add_function("opencl", OPENCL_ADD.replace("C[i] =", "Q[i] ="))}, pocl)
    x = np.zeros(3, np.float32)
    with pytest.raises(BuildError) as caught:
        bad(x, x)
    assert "cannot compile for" in caught.value.message
    assert "undeclared identifier 'Q'" in caught.value.message
    shown = str(caught.value.context).splitlines()
    assert shown[0].endswith(".cl:3")
    marked = next(number for number, line in enumerate(shown) if line.strip().startswith(">"))
    assert "if (i < n) Q[i] = A[i] + B[i];" in shown[marked]
    assert shown[marked].index("Q") == shown[marked + 1].index("^")


def test_a_kernel_that_the_source_does_not_define_is_named(pocl: Device) -> None:
    api = get_api("opencl")
    image = KernelImage("opencl", OPENCL_ADD, (KernelSpec("subtract", ()),))
    with pytest.raises(BuildError, match="the OpenCL source defines no kernel subtract"):
        api.load(pocl.index, image)


def test_too_many_threads_name_the_limit(pocl: Device) -> None:
    api = get_api("opencl")
    source = "__kernel __attribute__((reqd_work_group_size(4, 1, 1))) void k(__global int* A) { A[0] = 1; }"
    loaded = api.load(pocl.index, KernelImage("opencl", source, (KernelSpec("k", ("int32*",)),)))
    memory = api.alloc(pocl.index, 64)
    with pytest.raises(DeviceError, match=r"kernel k (has \d+ threads per block|could not be launched)"):
        api.launch(loaded, "k", (1, 1, 1), (1 << 14, 1, 1), (memory.handle,))
    with pytest.raises(DeviceError, match="dynamic local memory"):
        api.launch(loaded, "k", (1, 1, 1), (4, 1, 1), (memory.handle,), shared_bytes=64)
    api.launch(loaded, "k", (1, 1, 1), (4, 1, 1), (memory.handle,))
    result = np.zeros(1, np.int32)
    api.copy_to_host(pocl.index, result, memory)
    assert result[0] == 1


def test_an_allocation_over_the_limit_names_both_numbers(pocl: Device) -> None:
    with pytest.raises(DeviceError, match=r"cannot allocate 1,099,511,627,776 bytes: its largest allocation is [\d,]+"):
        nd.empty((1 << 40,), "int8", pocl)


def test_streams_order_their_own_work_and_copies_wait_for_them(pocl: Device) -> None:
    x = np.arange(1000, dtype=np.float32)
    a, b, c = nd.array(x, pocl), nd.array(x, pocl), nd.array(x, pocl)
    stream = pocl.create_raw_stream()
    add = _add(pocl)
    add(a, b, c, stream=stream)
    add(c, b, a, stream=stream)
    np.testing.assert_array_equal(a.numpy(), 3 * x)
    pocl.set_raw_stream(stream)
    try:
        add(a, c, b)
    finally:
        pocl.free_raw_stream(stream)
    np.testing.assert_array_equal(b.numpy(), 5 * x)
    with pytest.raises(DeviceError, match=r"an OpenCL stream is a pyopencl\.CommandQueue, got a str"):
        add(a, b, c, stream="stream")


def test_one_kernel_may_be_called_from_many_threads(pocl: Device) -> None:
    add = _add(pocl)
    wrong: list[int] = []

    def work(number: int) -> None:
        x = np.full(300, number, np.float32)
        for _ in range(20):
            if not np.array_equal(np.asarray(add(x, x)), 2 * x):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_timing_and_cache_eviction_work(pocl: Device) -> None:
    x = np.zeros(1000, np.float32)
    result = _add(pocl).time_evaluator("add", pocl, number=3, repeat=2, cache_flush_bytes=1 << 16)(x, x)
    assert all(0 < seconds < 10 for seconds in result.results)


def test_memory_that_empties_the_caches_stays_and_is_read_before_it_is_used(
    pocl: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = get_api("opencl")
    monkeypatch.setattr(api, "_evicting", {})
    reads: list[int] = []
    read_all = api.read_all

    def noted(index: int, data: Memory, result: Memory, nbytes: int, stream: object | None) -> None:
        reads.append(nbytes)
        read_all(index, data, result, nbytes, stream)

    monkeypatch.setattr(api, "read_all", noted)
    first = api.eviction_memory(pocl.index, 1 << 16)
    assert reads == [1 << 16]
    assert api.eviction_memory(pocl.index, 1 << 12) is first
    api.evict_caches(pocl.index, 1 << 16)
    assert reads == [1 << 16] * 2
    larger = api.eviction_memory(pocl.index, 1 << 17)
    assert larger[0].nbytes == 1 << 17
    assert api.eviction_memory(pocl.index, 1 << 16) is larger
    for memory in larger:
        api.free(pocl.index, memory)


def test_copies_between_arrays_and_devices(pocl: Device) -> None:
    x = np.arange(10, dtype=np.int64)
    first = nd.array(x, pocl)
    second = first.copyto(nd.empty((10,), "int64", pocl))
    np.testing.assert_array_equal(second.numpy(), x)
    np.testing.assert_array_equal(second.copyto(Device("cpu")).numpy(), x)


def test_memory_is_reused_after_the_array_is_gone(pocl: Device) -> None:
    pool = get_pool("opencl", pocl.index)
    first = nd.empty((1 << 18,), device=pocl)
    memory = first.memory
    del first
    assert nd.empty((1 << 18,), device=pocl).memory is memory
    pool.trim()
    assert pool.cached_bytes == 0


def test_the_probe_runs(pocl: Device) -> None:
    result = probe(get_api("opencl"), pocl.index, again=True)
    assert result.problem is None
    assert result.build_seconds > 0
    assert result.run_seconds > 0


def test_the_probe_reports_a_device_that_refuses_to_build(pocl: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    head = "__kernel void gpucomp_probe(__global float* x, int n)"
    monkeypatch.setattr(backend, "template_text", lambda _: head + "{ oops; }")
    result = probe(get_api("opencl"), pocl.index, again=True)
    assert result.problem is not None
    assert result.problem.startswith("build failed: ")
    assert "oops" in result.detail
    monkeypatch.setattr(backend, "template_text", lambda _: head + "{}")
    assert probe(get_api("opencl"), pocl.index, again=True).problem == "the probe kernel computed a wrong result"
    monkeypatch.undo()
    assert probe(get_api("opencl"), pocl.index, again=True).problem is None
