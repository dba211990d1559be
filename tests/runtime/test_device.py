from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from gpucomp.runtime import device as devices
from gpucomp.runtime.base import KINDS, DeviceAttributes, Missing, get_api, kind_name
from gpucomp.runtime.device import Device, choose_device, cpu, cuda, current_stream, default_device, device, opencl
from gpucomp.runtime.null import NullAPI
from gpucomp.runtime.probe import ProbeResult
from gpucomp.support.diagnostics import DeviceError


def test_equal_devices_are_the_same_object() -> None:
    assert opencl(1) is Device("opencl", 1)
    assert opencl(1) is not opencl(0)
    assert str(cuda(2)) == repr(cuda(2)) == "cuda(2)"
    assert (cpu().device_type, cuda(3).device_type, cuda(3).device_id) == (1, 2, 3)


@pytest.mark.parametrize(
    ("args", "expected"),
    [(("cuda",), "cuda(0)"), (("opencl", 1), "opencl(1)"), (("opencl:1",), "opencl(1)"), (("llvm",), "cpu(0)"),
     (("cuda(3)",), "cuda(3)"), (("cuda:3", 3), "cuda(3)")],
)  # fmt: skip
def test_devices_are_found_by_name(args: tuple[str, int], expected: str) -> None:
    assert str(device(*args)) == expected
    assert device(device(*args)) is device(*args)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("opncl",), "there is no device kind 'opncl'"),
        (("opencl:x",), "'opencl:x' names no device"),
        (("opencl:1", 2), "two different indices"),
        (("cpu", -1), "indices start at 0"),
    ],
)
def test_a_bad_device_name_is_refused(args: tuple[str, int], message: str) -> None:
    with pytest.raises(DeviceError, match=message):
        device(*args)


def test_an_unknown_kind_gets_a_suggestion() -> None:
    with pytest.raises(DeviceError, match="did you mean 'opencl'"):
        kind_name("opncl")


def test_the_properties_of_a_device_come_from_its_attributes() -> None:
    null = Device("null")
    assert null.exist
    assert not Device("null", 9).exist
    assert (null.max_threads_per_block, null.warp_size, null.max_shared_memory_per_block) == (1024, 32, 49152)
    assert (null.device_name, null.api_version, null.compute_version) == ("null device", "1", "")
    with pytest.raises(DeviceError, match="2 null devices found") as caught:
        _ = Device("null", 9).warp_size
    assert caught.value.hint == "use null(0) null device, null(1) null device"


def test_a_missing_driver_is_explained_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    api = NullAPI()
    monkeypatch.setattr(NullAPI, "count", lambda self: 0)
    monkeypatch.setattr(NullAPI, "why_missing", lambda self: Missing("no driver", "install one"))
    monkeypatch.setitem(devices_apis(), "null", api)
    with pytest.raises(DeviceError, match=r"device null\(0\) is not there: no driver") as caught:
        Device("null").require()
    assert caught.value.hint == "install one"


def devices_apis() -> dict[str, object]:
    from gpucomp.runtime import base

    return base._apis  # pyright: ignore[reportReturnType]  # a dict of DeviceAPI, used as a dict of objects


def test_a_stream_belongs_to_the_thread_that_set_it() -> None:
    null = Device("null")
    stream = null.create_raw_stream()
    null.set_raw_stream(stream)
    seen: list[object] = []
    thread = threading.Thread(target=lambda: seen.append(current_stream(null)))
    thread.start()
    thread.join()
    assert current_stream(null) is stream
    assert seen == [None]
    null.free_raw_stream(stream)
    assert current_stream(null) is None


# -- the default device


class Fake(NullAPI):
    """A device kind with made-up devices."""

    def __init__(self, attributes: list[DeviceAttributes], missing: Missing | None = None) -> None:
        super().__init__()
        self.all = attributes
        self.missing = missing

    def count(self) -> int:
        return len(self.all)

    def why_missing(self) -> Missing | None:
        return self.missing

    def attributes(self, index: int) -> DeviceAttributes:
        return self.all[index]


GPU = DeviceAttributes("Fast GPU", platform="Vendor")
POCL = DeviceAttributes("pthread", platform="PoCL", is_cpu=True)
SIMULATOR = DeviceAttributes("Oclgrind Simulator", platform="Oclgrind", is_simulator=True)
HOST = DeviceAttributes("host CPU", is_cpu=True)
NO_CUDA = Missing("no NVIDIA driver", "install it")


@pytest.fixture(name="machine")
def _machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Fake]]:
    """A made-up machine; tests change its lists of devices and which devices fail the probe."""
    machine = {"cuda": Fake([], NO_CUDA), "opencl": Fake([]), "cpu": Fake([HOST])}
    for kind, api in machine.items():
        monkeypatch.setitem(devices_apis(), kind, api)
    monkeypatch.setattr(devices, "probe", lambda api, index: ProbeResult(None))
    monkeypatch.delenv("GPUCOMP_DEVICE", raising=False)
    devices._fallback.cache_clear()
    devices._announced.clear()
    yield machine
    devices._fallback.cache_clear()
    devices._announced.clear()


def test_an_opencl_gpu_comes_before_the_cpu(machine: dict[str, Fake]) -> None:
    machine["opencl"].all = [GPU, POCL]
    assert choose_device().device is opencl(0)


def test_the_cpu_comes_before_opencl_on_the_cpu(machine: dict[str, Fake]) -> None:
    machine["opencl"].all = [POCL]
    choice = choose_device()
    assert choice.device is cpu(0)
    assert choice.skipped == (
        "cuda: no NVIDIA driver",
        "opencl(0): PoCL runs on the CPU, where cpu(0) is faster",
    )


def test_cuda_comes_first(machine: dict[str, Fake]) -> None:
    machine["cuda"].all, machine["cuda"].missing = [GPU], None
    machine["opencl"].all = [GPU]
    assert choose_device().device is cuda(0)


def test_a_simulator_is_never_chosen_by_itself(machine: dict[str, Fake]) -> None:
    machine["opencl"].all = [SIMULATOR]
    assert choose_device().device is cpu(0)
    assert choose_device("opencl").device is opencl(0)


def test_a_device_that_fails_the_probe_is_passed_over(
    machine: dict[str, Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine["opencl"].all = [GPU, POCL]

    def broken(api: NullAPI, index: int) -> ProbeResult:
        return ProbeResult("build failed: unknown target CPU" if api is not machine["opencl"] or index == 0 else None)

    monkeypatch.setattr(devices, "probe", broken)
    choice = choose_device()
    assert choice.device is opencl(1)
    assert "opencl(0): build failed: unknown target CPU" in choice.skipped
    assert "cpu(0): build failed: unknown target CPU" in choice.skipped


def test_no_working_device_at_all_lists_the_reasons(machine: dict[str, Fake], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "probe", lambda api, index: ProbeResult("run failed"))
    with pytest.raises(DeviceError, match=r"no device works: cuda: no NVIDIA driver; cpu\(0\): run failed"):
        choose_device()


def test_an_error_about_a_device_of_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUCOMP_DEVICE", "gpu0")
    with pytest.raises(DeviceError, match="GPUCOMP_DEVICE=gpu0: there is no device kind 'gpu0'"):
        choose_device()
    monkeypatch.setenv("GPUCOMP_DEVICE", "cpu:99")
    with pytest.raises(DeviceError, match=r"GPUCOMP_DEVICE=cpu:99: device cpu\(99\) is not there"):
        choose_device()


def test_a_device_asked_for_by_name_never_falls_back(machine: dict[str, Fake], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError, match="no NVIDIA driver"):
        default_device("cuda")
    monkeypatch.setenv("GPUCOMP_DEVICE", "cuda:0")
    with pytest.raises(DeviceError, match="no NVIDIA driver"):
        default_device()
    monkeypatch.setenv("GPUCOMP_DEVICE", "cpu")
    assert choose_device().origin == "GPUCOMP_DEVICE"
    assert default_device() is cpu(0)


def test_the_choice_is_said_once(machine: dict[str, Fake], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="gpucomp"):
        default_device()
        default_device()
    assert [record.getMessage() for record in caplog.records] == ["using cpu(0) host CPU (cuda: no NVIDIA driver)"]


def test_every_kind_answers_without_raising() -> None:
    for kind in KINDS:
        api = get_api(kind)
        assert api.kind == kind
        assert (api.count() == 0) is (api.why_missing() is not None)
        for index in range(api.count()):
            attributes = api.attributes(index)
            assert attributes.name
            assert attributes.max_threads_per_block >= 1
            assert attributes.global_memory_bytes > 0
