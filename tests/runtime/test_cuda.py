"""Launching on an NVIDIA GPU.  Where there is none, these are skipped (see test_cuda_compile.py for the rest)."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
import time
from typing import Protocol
from typing import cast as type_cast

import ml_dtypes
import numpy as np
import pytest

from gpucomp.driver import build
from gpucomp.kernels import registry
from gpucomp.runtime import ndarray as nd
from gpucomp.runtime.base import get_api
from gpucomp.runtime.cuda import CudaAPI
from gpucomp.runtime.device import Device, cuda
from gpucomp.runtime.memory import Pool, size_class
from gpucomp.runtime.module import Module
from gpucomp.runtime.probe import probe
from gpucomp.support.diagnostics import ArgumentError, BuildError, DeviceError
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
from gpucomp.target.target import Target
from tests.runtime.programs import CUDA_ADD, add_function

pytestmark = pytest.mark.cuda

SCALARS = {"int8": -5, "uint8": 250, "int16": -300, "uint16": 60000, "int32": -70000, "uint32": 4000000000,
           "int64": -(1 << 40), "uint64": 1 << 63, "float32": 0.5, "float64": 0.1, "bool": True}  # fmt: skip
C_TYPES = {"int8": "signed char", "uint8": "unsigned char", "int16": "short", "uint16": "unsigned short",
           "int32": "int", "uint32": "unsigned", "int64": "long long", "uint64": "unsigned long long",
           "float32": "float", "float64": "double", "bool": "bool", "bfloat16": "unsigned short"}  # fmt: skip


@pytest.fixture(name="gpu")
def _gpu() -> Device:
    api = get_api("cuda")
    if not api.count():
        pytest.fail(f"a GPU is here, but: {api.why_missing()}")
    return cuda(0)


def _api() -> CudaAPI:
    api = get_api("cuda")
    assert isinstance(api, CudaAPI)
    return api


def _add(device: Device | None = None) -> Module:
    return Module({"add": add_function("cuda", CUDA_ADD)}, device)


@pytest.mark.parametrize("count", [1, 255, 256, 100_003])
def test_a_kernel_adds_vectors_of_any_length(gpu: Device, count: int) -> None:
    x = np.arange(count, dtype=np.float32)
    a, b, c = nd.array(x, gpu), nd.array(2 * x, gpu), nd.empty((count,), device=gpu)
    add = _add(gpu)
    assert add(a, b, c) is None
    np.testing.assert_array_equal(c.numpy(), 3 * x)
    np.testing.assert_array_equal(add(x, x), 2 * x)
    out = np.zeros_like(x)
    add(x, x, out)
    np.testing.assert_array_equal(out, 2 * x)


def test_empty_arrays_are_fine(gpu: Device) -> None:
    x = np.zeros(0, np.float32)
    result = _add()(x, x)
    assert isinstance(result, np.ndarray)
    assert result.shape == (0,)


def test_attributes_tell_the_architecture_and_the_limits(gpu: Device) -> None:
    attributes = gpu.attributes
    assert attributes.arch.startswith("sm_")
    assert attributes.compute_version == f"{attributes.arch[3:].rstrip('a')[:-1]}.{attributes.arch.rstrip('a')[-1]}"
    assert attributes.warp_size == 32
    assert attributes.max_threads_per_block == 1024
    assert attributes.max_grid_dims == (2**31 - 1, 65535, 65535)
    assert attributes.max_shared_memory_per_block >= 48 * 1024
    assert attributes.multi_processor_count > 0
    assert attributes.l2_cache_size_bytes > 0
    assert attributes.global_memory_bytes > 1 << 30


def test_memory_is_aligned_and_reused(gpu: Device) -> None:
    first = nd.empty((1000,), device=gpu)
    assert first.address % 256 == 0
    memory = first.memory
    del first
    assert nd.empty((1000,), device=gpu).memory is memory


def test_new_memory_is_zero_beyond_the_bytes_that_were_asked_for(gpu: Device) -> None:
    """In the same spot, after another owner filled all of it and gave it back to the driver."""
    api = gpu.api
    for size in (1001, 300_007):
        filled = api.alloc(gpu.index, size_class(size))
        api.memset(gpu.index, filled.handle, 0xFF, filled.nbytes)
        gpu.sync()
        api.free(gpu.index, filled)
        memory = Pool(api, gpu.index).alloc(size)
        values = np.full(memory.nbytes, 1, np.uint8)
        api.copy_to_host(gpu.index, values, memory)
        api.free(gpu.index, memory)
        assert not values[size:].any()
        assert memory.nbytes > size


def test_a_sum_of_a_part_of_a_foreign_array_leaves_out_the_rest_of_its_last_vector(gpu: Device) -> None:
    torch = pytest.importorskip("torch")
    count = 100_001
    x = torch.ones(count + 7, device="cuda")
    x[count:] = float("nan")
    operator = registry.get("sum_all")
    target = Target.from_device(gpu)
    definition = operator.define((count,), "float32")
    module = build(operator.schedule(definition, target), definition.args, target)
    result = torch.zeros(1, device="cuda")
    module(x[:count], result)
    assert float(result[0]) == count


def test_the_probe_runs(gpu: Device) -> None:
    assert probe(_api(), gpu.index, again=True).problem is None


def _store_scalar(dtype: str) -> FunctionData:
    c_type = C_TYPES[dtype]
    # The byte before the scalar shows whether alignment of the packed arguments is that of C.
    source = f'extern "C" __global__ void store({c_type}* A, char before, {c_type} x) {{ A[0] = x; }}'
    params = (BufferParam("A", dtype, (1,), access="write"), ScalarParam("x", dtype))
    args = (BufferArg("A"), ScalarArg("int8", 1), ScalarArg(dtype, "x"))
    launch = LaunchStep("store", (1, 1, 1), (1, 1, 1), 0, args)
    image = KernelImage("cuda", source, (KernelSpec("store", (f"{dtype}*", "int8", dtype)),))
    return FunctionData("store", (Variant(True, HostProgram("store", params, (launch,)), image),))


@pytest.mark.parametrize("dtype", SCALARS)
def test_scalars_of_every_type_arrive(gpu: Device, dtype: str) -> None:
    target = np.zeros(1, DType(dtype).numpy)
    Module({"store": _store_scalar(dtype)}, gpu)(target, SCALARS[dtype])
    assert target[0] == np.array(SCALARS[dtype]).astype(DType(dtype).numpy)


def test_bfloat16_scalars_arrive_as_their_bits(gpu: Device) -> None:
    target = np.zeros(1, ml_dtypes.bfloat16)
    Module({"store": _store_scalar("bfloat16")}, gpu)(target, 257.0)
    assert float(target[0]) == 256.0


REVERSE = """\
extern "C" __global__ void reverse(const float* A, float* C, int n) {
  extern __shared__ float s[];
  for (int i = threadIdx.x; i < n; i += blockDim.x) s[i] = A[i];
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) C[i] = s[n - 1 - i];
}
"""


def _reverse() -> FunctionData:
    params = (
        BufferParam("A", "float32", ("n",)),
        BufferParam("C", "float32", ("n",), access="write", output=True),
    )
    args = (BufferArg("A"), BufferArg("C"), ScalarArg("int32", "n"))
    launch = LaunchStep("reverse", (1, 1, 1), (256, 1, 1), ("mul", "n", 4), args)
    image = KernelImage("cuda", REVERSE, (KernelSpec("reverse", ("float32*", "float32*", "int32")),))
    return FunctionData("reverse", (Variant(True, HostProgram("reverse", params, (launch,)), image),))


def test_more_than_48_kib_of_shared_memory_can_be_asked_for(gpu: Device) -> None:
    reverse = Module({"reverse": _reverse()}, gpu)
    limit = gpu.max_shared_memory_per_block
    for nbytes in (1024, 48 * 1024 + 4, limit, 4096):
        x = np.arange(nbytes // 4, dtype=np.float32)
        np.testing.assert_array_equal(reverse(x), x[::-1])
    with pytest.raises(DeviceError, match=rf"kernel reverse asks for .* of shared memory, cuda\(0\) has {limit:,}"):
        reverse(np.zeros(limit // 4 + 1, np.float32))


def test_too_many_threads_name_the_limit(gpu: Device) -> None:
    api = _api()
    loaded = api.load(0, KernelImage("cuda", CUDA_ADD, (KernelSpec("add", ("float32*",) * 3 + ("int32",)),)))
    memory = api.alloc(0, 64)
    with pytest.raises(DeviceError, match=r"kernel add has 2048 threads per block; .* allows 1024"):
        api.launch(loaded, "add", (1, 1, 1), (2048, 1, 1), (memory.handle,) * 3 + (0,))
    api.free(0, memory)


def test_workspace_and_memset_run_on_the_device(gpu: Device) -> None:
    source = 'extern "C" __global__ void take(const unsigned char* W, unsigned char* A) { A[blockIdx.x] = W[0]; }'
    params = (BufferParam("A", "uint8", ("n",), access="write"),)
    steps = (
        AllocStep("W", "uint8", 64),
        MemsetStep("W", 7, 64),
        LaunchStep("take", ("n", 1, 1), (1, 1, 1), 0, (BufferArg("W"), BufferArg("A"))),
    )
    image = KernelImage("cuda", source, (KernelSpec("take", ("uint8*", "uint8*")),))
    module = Module({"take": FunctionData("take", (Variant(True, HostProgram("take", params, steps), image),))}, gpu)
    values = np.zeros(5, np.uint8)
    module(values)
    np.testing.assert_array_equal(values, 7)


def test_a_grid_over_the_limit_is_refused_before_the_launch(gpu: Device) -> None:
    params = (BufferParam("A", "uint8", ("n",), access="write"),)
    launch = LaunchStep("take", (1, "n", 1), (1, 1, 1), 0, (BufferArg("A"),))
    image = KernelImage("cuda", 'extern "C" __global__ void take(char* A) {}', (KernelSpec("take", ("uint8*",)),))
    module = Module(
        {"take": FunctionData("take", (Variant(True, HostProgram("take", params, (launch,)), image),))}, gpu
    )
    with pytest.raises(ArgumentError, match=r"needs 65,536 blocks along blockIdx\.y, the device allows 65,535"):
        module(nd.empty((65536,), "uint8", gpu))


def test_code_for_another_architecture_is_refused_with_a_hint(gpu: Device) -> None:
    other = "sm_80" if gpu.compute_version.startswith("7") else "sm_75"
    image = KernelImage("cuda", CUDA_ADD, (KernelSpec("add", ("float32*",) * 3 + ("int32",)),), arch=other)
    with pytest.raises(BuildError, match=f"cannot load code for {other}") as caught:
        _api().load(0, image)
    assert caught.value.hint == f"build for {gpu.attributes.arch}"
    undefined = KernelImage("cuda", CUDA_ADD, (KernelSpec("subtract", ()),))
    with pytest.raises(BuildError, match="the CUDA source defines no kernel subtract"):
        _api().load(0, undefined)


def test_streams_run_work_and_copies_wait_for_it(gpu: Device) -> None:
    x = np.arange(1 << 20, dtype=np.float32)
    a, b, c = nd.array(x, gpu), nd.array(x, gpu), nd.array(x, gpu)
    stream = gpu.create_raw_stream()
    add = _add(gpu)
    for _ in range(3):
        add(a, b, c, stream=stream)
        add(c, b, a, stream=stream)
    np.testing.assert_array_equal(a.numpy(), 7 * x)
    gpu.set_raw_stream(stream)
    try:
        add(a, c, b)
        gpu.sync(stream)
    finally:
        gpu.free_raw_stream(stream)
    np.testing.assert_array_equal(b.numpy(), 13 * x)


def test_launches_work_from_other_threads(gpu: Device) -> None:
    add, wrong = _add(gpu), list[int]()

    def work(number: int) -> None:
        x = np.full(3000, number, np.float32)
        for _ in range(20):
            if not np.array_equal(np.asarray(add(x, x)), 2 * x):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_no_context_stays_current_after_a_call(gpu: Device) -> None:
    x = np.zeros(10, np.float32)
    _add(gpu)(x, x)
    assert _api().driver().Context.get_current() is None


def test_times_are_those_of_the_device(gpu: Device) -> None:
    count = 1 << 26
    arrays = [nd.empty((count,), device=gpu) for _ in range(3)]
    result = _add(gpu).time_evaluator("add", gpu, number=5, repeat=5, cache_flush_bytes=1 << 28)(*arrays)
    bandwidth = 3 * 4 * count / result.median
    assert 5e10 < bandwidth < 2e13  # bytes per second: between a slow laptop's GPU and twice today's fastest


def test_a_launch_with_known_shapes_is_cheap(gpu: Device) -> None:
    arrays = [nd.empty((64,), device=gpu) for _ in range(3)]
    add = _add(gpu)
    add(*arrays)
    gpu.sync()
    best = 1.0
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(200):
            add(*arrays)
        best = min(best, (time.perf_counter() - start) / 200)
        gpu.sync()
    assert best < 40e-6


# -- other libraries


class _TorchTensor(Protocol):
    def data_ptr(self) -> int: ...
    def cpu(self) -> _TorchTensor: ...
    def numpy(self) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]: ...


def test_torch_tensors_go_in_without_copies_and_come_out(gpu: Device) -> None:
    torch = pytest.importorskip("torch")
    x = torch.arange(1000, dtype=torch.float32, device="cuda")
    out = torch.zeros_like(x)
    add = _add()
    assert add(x, x, out) is None
    assert torch.equal(out, 2 * x)
    result = type_cast("_TorchTensor", add(x, x))
    assert isinstance(result, torch.Tensor)
    assert torch.equal(result, 2 * x)
    shared = nd.from_dlpack(type_cast("nd.SupportsDLPack", x))
    assert shared.address == x.data_ptr()
    assert shared.device is gpu
    back = torch.from_dlpack(nd.array(np.arange(5, dtype=np.float32), gpu))
    np.testing.assert_array_equal(back.cpu().numpy(), np.arange(5))
    half = nd.from_dlpack(torch.ones(3, dtype=torch.bfloat16, device="cuda"))
    assert half.dtype == "bfloat16"
    np.testing.assert_array_equal(half.numpy().astype(np.float32), 1)


def test_a_torch_view_that_is_not_contiguous_is_refused(gpu: Device) -> None:
    torch = pytest.importorskip("torch")
    x = torch.zeros(20, dtype=torch.float32, device="cuda")[::2]
    with pytest.raises(ArgumentError, match="is not contiguous"):
        _add()(x, x)
    with pytest.raises(ArgumentError, match=r"is on cpu\(0\), but add runs on cuda\(0\)"):
        _add(gpu)(torch.zeros(3), torch.zeros(3))


def test_cupy_arrays_go_in_and_come_out(gpu: Device) -> None:
    cupy = pytest.importorskip("cupy")
    x = cupy.arange(1000, dtype="float32")
    result = _add()(x, x)
    assert isinstance(result, cupy.ndarray)
    np.testing.assert_array_equal(cupy.asnumpy(result), 2 * np.arange(1000, dtype=np.float32))
    np.testing.assert_array_equal(cupy.asnumpy(cupy.asarray(nd.array(np.ones(3, np.float32), gpu))), 1)


# -- what ends a process is tried in one of its own

CRASH = """\
import numpy as np
from gpucomp.runtime import ndarray as nd
from gpucomp.runtime.base import get_api
from gpucomp.runtime.device import cuda
from gpucomp.support.diagnostics import DeviceError
from gpucomp.support.launch import KernelImage, KernelSpec
api = get_api("cuda")
source = 'extern "C" __global__ void crash(int* a) { *(volatile int*)16 = 1; }'
loaded = api.load(0, KernelImage("cuda", source, (KernelSpec("crash", ("int32*",)),)))
kept = nd.empty((10,), device=cuda(0))
api.launch(loaded, "crash", (1, 1, 1), (1, 1, 1), (0,))
for attempt in (cuda(0).sync, kept.numpy):
    try:
        attempt()
        print("no error")
    except DeviceError as error:
        print(error.code, error.message)
"""

THREAD = """\
import threading
import numpy as np
from gpucomp.runtime.module import Module
from tests.runtime.programs import CUDA_ADD, add_function
add = Module({"add": add_function("cuda", CUDA_ADD)})
x = np.ones(100, np.float32)
results = []
thread = threading.Thread(target=lambda: results.append(add(x, x)))
thread.start()
thread.join()
results.append(add(x, x))
print(all((result == 2).all() for result in results))
"""


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)


def test_an_illegal_access_is_reported_and_remembered(gpu: Device) -> None:
    done = _run(CRASH)
    first, second = done.stdout.splitlines()
    assert first.startswith("GC709 queued work failed on cuda(0): ")
    assert "illegal" in first
    assert second.startswith("GC709 cuda(0) cannot be used any more: queued work failed with ")
    assert done.returncode == 0


def test_a_process_that_used_threads_ends_quietly(gpu: Device) -> None:
    done = _run(THREAD)
    assert done.stdout.split() == ["True"]
    assert done.stderr == ""
    assert done.returncode == 0


def test_the_runtime_works_beside_a_library_that_holds_a_context(gpu: Device) -> None:
    try:
        importlib.import_module("torch")
    except ImportError:
        pytest.skip("torch is not installed")
    code = f"import torch\nt = torch.ones(3, device='cuda')\n{THREAD}print(float((t + 1).sum()))\n"
    done = _run(code)
    assert done.stdout.split() == ["True", "6.0"]
    assert done.returncode == 0
