"""``gpucomp list`` and ``gpucomp devices``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpucomp.cli.console import json_line, log, table

if TYPE_CHECKING:
    from gpucomp.runtime.base import DeviceAttributes


def operators(as_json: bool) -> None:
    """The operators of the library."""
    from gpucomp.kernels.registry import all_operators

    if as_json:
        for operator in all_operators():
            json_line(
                {
                    "op": operator.name,
                    "shape": list(operator.shape_names),
                    "default_shapes": {name: list(shape) for name, shape in operator.default_shapes.items()},
                    "dtypes": list(operator.dtypes),
                    "description": operator.description,
                }
            )
        return
    rows = [
        [
            operator.name,
            ",".join(operator.shape_names),
            ",".join(str(extent) for extent in operator.default_shapes["gpu"]),
            " ".join(operator.dtypes),
            operator.description,
        ]
        for operator in all_operators()
    ]
    table(["op", "--shape", "default on a GPU", "--dtype", "what"], rows)


def devices(as_json: bool) -> int:
    """One line for each device; returns the exit status: 1 when there is none."""
    from gpucomp.runtime.base import KINDS, get_api
    from gpucomp.runtime.device import Device, choose_device
    from gpucomp.support.diagnostics import DeviceError

    try:
        chosen = choose_device().device
    except DeviceError as error:
        log(error.message)
        chosen = None
    rows: list[list[str]] = []
    for kind in KINDS:
        api = get_api(kind)
        missing = api.why_missing()
        if missing is not None:
            log(f"no {kind}: {missing.reason}")
        for index in range(api.count()):
            facts = api.attributes(index)
            star = Device(kind, index) is chosen
            if as_json:
                json_line(_device_record(f"{kind}:{index}", star, facts))
            rows.append(["*" if star else "", f"{kind}:{index}", facts.name, facts.platform, facts.version[:40]])
    if rows and not as_json:
        table(["", "device", "name", "platform", "version"], rows)
    return 0 if rows else 1


def _device_record(title: str, is_default: bool, facts: DeviceAttributes) -> dict[str, object]:
    return {
        "device": title,
        "default": is_default,
        "name": facts.name,
        "platform": facts.platform,
        "version": facts.version,
        "arch": facts.arch,
        "multi_processor_count": facts.multi_processor_count,
        "global_memory_bytes": facts.global_memory_bytes,
        "features": sorted(facts.features),
        "is_simulator": facts.is_simulator,
    }
