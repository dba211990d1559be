"""``gpucomp bench``."""

from __future__ import annotations

from typing import Final

from gpucomp.cli.console import announce_defaults, json_line, log, rate_text, seconds_text, table
from gpucomp.cli.measure import Measurement, measure_workload
from gpucomp.cli.numpy_side import NumpySide, removed_variables
from gpucomp.cli.workload import make_workload, parse_shape
from gpucomp.runtime.device import default_device
from gpucomp.target.target import Target


def run(
    op: str, shape: str | None, dtype: str | None, device: str | None, seed: int, repeat: int | None, as_json: bool
) -> int:
    """The command; returns the exit status: 1 when a result is wrong."""
    extents = parse_shape(shape) if shape else None
    place = default_device(device)
    workload = make_workload(op, extents, dtype, Target.from_device(place))
    missing: dict[str, object] = {}
    if device is None:
        missing["device"] = f"{place.kind}:{place.index}"
    if shape is None:
        missing["shape"] = ",".join(str(extent) for extent in workload.shape)
    if dtype is None:
        missing["dtype"] = workload.dtype
    announce_defaults(**missing)
    log(numpy_note())
    with NumpySide() as numpy:
        result = measure_workload(workload, place, numpy, seed=seed, repeat=repeat)
    if as_json:
        json_line(result.record())
    else:
        table(COLUMNS, [row(result)], numbers=range(3, len(COLUMNS) - 1))
    if result.correct is False:
        log(f"WRONG RESULT: error {result.max_rel_err:.3g}, accepted {workload.tolerance:.3g} (--seed {seed})")
    return 1 if result.correct is False else 0


def numpy_note() -> str:
    """How numpy is run, in one line."""
    removed = removed_variables()
    said = " and ".join(f"{name}={value}" for name, value in removed.items()) or "neither was set"
    return f"numpy runs in a process of its own without OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE ({said})"


COLUMNS = ("op", "shape", "dtype", "time", "rate", "GB/s", "numpy", "vs numpy", "max rel err", "result")


_VERDICTS: Final = {True: "ok", False: "WRONG", None: "not checked"}


def row(result: Measurement) -> list[str]:
    """One line of the table."""
    workload = result.workload
    return [
        workload.label,
        ",".join(str(extent) for extent in workload.shape),
        workload.dtype,
        seconds_text(result.seconds),
        rate_text(result.gflops * 1e9, "FLOP/s") if result.gflops is not None else "",
        f"{result.gbps:.1f}",
        seconds_text(result.numpy_seconds) if result.numpy_seconds is not None else "",
        f"{result.vs_numpy:.2f}x" if result.vs_numpy is not None else "",
        f"{result.max_rel_err:.1e}" if result.max_rel_err is not None else "",
        _VERDICTS[result.correct],
    ]
