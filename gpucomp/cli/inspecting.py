"""``gpucomp inspect``."""

from __future__ import annotations

from typing import Final

from gpucomp.cli.console import announce_defaults, code, json_line
from gpucomp.cli.workload import make_definition, parse_shape
from gpucomp.driver import source, stages
from gpucomp.driver.default_schedule import with_default_schedule
from gpucomp.support.diagnostics import ArgumentError, LowerError
from gpucomp.target.target import Target

_LANGUAGES: Final = {"cuda": "cuda", "opencl": "c", "llvm": "llvm"}


def run(op: str, target: str, shape: str | None, dtype: str | None, form: str, as_json: bool) -> None:
    """The command."""
    chosen = _target(target)
    definition = make_definition(op, parse_shape(shape) if shape else None, dtype, chosen)
    missing: dict[str, object] = {}
    if chosen.arch not in ("", "host") and chosen.arch not in target:
        missing["target"] = f"{chosen.kind}:{chosen.arch}"
    if shape is None and definition.is_library:
        missing["shape"] = ",".join(str(extent) for extent in definition.shape)
    if dtype is None and definition.is_library:
        missing["dtype"] = definition.dtype
    announce_defaults(**missing)
    name = definition.label.rpartition(":")[2]
    if form == "schedule":
        drawn = with_default_schedule(definition.schedule, chosen)
        if not as_json:
            drawn.show()
            return
        text, language = drawn.to_text(), "text"
    elif form == "tir":
        text, language = stages(definition.schedule, definition.args, chosen, name)[-1][1], "python"
    else:
        text, language = source(definition.schedule, definition.args, chosen, name), _LANGUAGES[chosen.kind]
    if not as_json:
        code(text, language)
        return
    json_line(
        {
            "op": definition.label,
            "shape": list(definition.shape),
            "dtype": definition.dtype,
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
