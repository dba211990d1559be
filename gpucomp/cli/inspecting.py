"""``gpucomp inspect``."""

from __future__ import annotations

from typing import Final

from gpucomp.cli.console import announce_defaults, code, json_line
from gpucomp.cli.workload import make_workload, parse_shape
from gpucomp.driver import source, stages
from gpucomp.support.diagnostics import ArgumentError, LowerError
from gpucomp.target.target import Target

_LANGUAGES: Final = {"cuda": "cuda", "opencl": "c", "llvm": "llvm"}


def run(op: str, target: str, shape: str | None, dtype: str | None, form: str, as_json: bool) -> None:
    """The command."""
    chosen = _target(target)
    workload = make_workload(op, parse_shape(shape) if shape else None, dtype, chosen)
    missing: dict[str, object] = {}
    if chosen.arch not in ("", "host") and chosen.arch not in target:
        missing["target"] = f"{chosen.kind}:{chosen.arch}"
    if shape is None:
        missing["shape"] = ",".join(str(extent) for extent in workload.shape)
    if dtype is None:
        missing["dtype"] = workload.dtype
    announce_defaults(**missing)
    name = workload.label.rpartition(":")[2]
    if form == "tir":
        text, language = stages(workload.schedule, workload.args, chosen, name)[-1][1], "python"
    else:
        text, language = source(workload.schedule, workload.args, chosen, name), _LANGUAGES[chosen.kind]
    if not as_json:
        code(text, language)
        return
    json_line(
        {
            "op": workload.label,
            "shape": list(workload.shape),
            "dtype": workload.dtype,
            "target": str(chosen),
            "form": form,
            "text": text,
        }
    )


def _target(text: str) -> Target:
    try:
        return Target(text)
    except LowerError as error:
        raise ArgumentError(f"--target {text}: {error.message}", code="GC644", hint=error.hint) from error
