"""What an OpenCL device is and can do, from the questions that its driver answers."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from gpucomp.runtime import pocl
from gpucomp.runtime.base import DeviceAttributes
from gpucomp.support.diagnostics import BuildError

if TYPE_CHECKING:
    import pyopencl as cl

_LARGEST_GRID: Final = (2**31 - 1, 2**31 - 1, 2**31 - 1)
_WARP_GUESS: Final = 32
_FOR_SUBGROUPS: Final = {
    "cl_khr_subgroups": "subgroups",
    "cl_khr_subgroup_shuffle": "subgroup_shuffle",
    "cl_intel_required_subgroup_size": "subgroup_size",
}


def is_simulator(device: cl.Device) -> bool:
    """Whether a device runs kernels to check them."""
    return "oclgrind" in f"{device.platform.name} {device.name}".lower()


def compiler_name(platform: cl.Platform) -> str:
    """ "PoCL 3.1+debian" from the version "OpenCL 3.0 PoCL 3.1+debian  Linux, ..."; else name and version."""
    words = platform.version.split(",")[0].split()
    return " ".join(words[2:4]) if "PoCL" in words else f"{platform.name} ({platform.version.strip()})"


def describe(device: cl.Device) -> DeviceAttributes:
    """The attributes of a device, as all kinds of devices have them."""
    import pyopencl as cl

    platform = device.platform
    extensions = frozenset(device.extensions.split())
    is_cpu = bool(device.type & cl.device_type.CPU)
    dims = (*device.max_work_item_sizes, 1, 1)[:3]
    return DeviceAttributes(
        name=device.name.strip(),
        vendor=device.vendor.strip(),
        platform=platform.name,
        version=platform.version.strip(),
        max_threads_per_block=device.max_work_group_size,
        max_block_dims=(dims[0], dims[1], dims[2]),
        max_grid_dims=_LARGEST_GRID,
        warp_size=1 if is_cpu else _warp_size(device),
        max_shared_memory_per_block=device.local_mem_size,
        multi_processor_count=device.max_compute_units,
        l2_cache_size_bytes=device.global_mem_cache_size,
        compute_version=_c_version(device),
        global_memory_bytes=device.global_mem_size,
        features=features_of(device, extensions),
        is_simulator=is_simulator(device),
        is_cpu=is_cpu,
        location=_location(device),
    )


def _warp_size(device: cl.Device) -> int:
    for name in ("warp_size_nv", "wavefront_width_amd"):
        try:
            return int(getattr(device, name))
        except Exception:  # drivers throw various things at unknown queries
            continue
    return _WARP_GUESS


def _c_version(device: cl.Device) -> str:
    words = device.opencl_c_version.split()
    return words[2] if len(words) > 2 else "1.2"


def features_of(device: cl.Device, extensions: frozenset[str]) -> frozenset[str]:
    """What ``DeviceAttributes.features`` holds."""
    found = {"int64"}
    for extension, feature in (
        ("cl_khr_fp16", "fp16"),
        ("cl_khr_fp64", "fp64"),
        *_FOR_SUBGROUPS.items(),
        ("cl_khr_int64_base_atomics", "int64_atomics"),
    ):
        if extension in extensions:
            found.add(feature)
    if "nvidia" in device.platform.name.lower():
        found.add("nv_ptx")
    if pocl.choose_method(device.platform.version) == "cbs":
        found.discard("subgroup_shuffle")  # its continuations call a function that is not there: the process ends
    return frozenset(found)


def check_subgroups(source: str, name: str, features: frozenset[str]) -> None:
    """Refuse kernels with subgroups on a device that lacks them.

    Raises:
        BuildError: names what is missing.
    """
    lacking = [extension for extension, feature in _FOR_SUBGROUPS.items() if feature not in features]
    if "intel_reqd_sub_group_size" in source and lacking:
        message = f"the kernels have subgroups, for which {name} lacks {', '.join(lacking)}"
        raise BuildError(message, code="GC506", hint="build for a target without the feature subgroups")


def _location(device: cl.Device) -> str:
    """Platforms can share a name, and devices of one platform too: add what tells them apart."""
    import pyopencl as cl

    twins = [other for other in device.platform.get_devices() if other.name == device.name]
    number = next(itertools.compress(itertools.count(), [other == device for other in twins]), 0)
    suffix_query = getattr(cl.platform_info, "ICD_SUFFIX_KHR", None)
    suffix = ""
    if suffix_query is not None:
        try:
            suffix = str(device.platform.get_info(suffix_query))
        except cl.Error:
            suffix = ""
    return f"{suffix}#{number}" if len(twins) > 1 else suffix
