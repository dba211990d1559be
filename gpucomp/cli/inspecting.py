"""``gpucomp inspect``."""

from __future__ import annotations

from typing import Final

from gpucomp.analysis import bank_conflicts
from gpucomp.cli.console import announce_defaults, code, json_line
from gpucomp.cli.workload import Definition, make_definition, parse_shape
from gpucomp.driver import source, stages
from gpucomp.driver.build import lower_primfunc
from gpucomp.driver.default_schedule import explained, with_default_schedule
from gpucomp.kernels import registry
from gpucomp.support.diagnostics import ArgumentError, LowerError
from gpucomp.target.target import Target
from gpucomp.te import lower_schedule

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
        drawn, reasons = explained(definition.schedule, chosen)
        if not as_json:
            drawn.show()
            if reasons:
                code("\n" + _default_reasons(reasons), "text")
            return
        text, language = "\n\n".join([drawn.to_text(), *([_default_reasons(reasons)] if reasons else [])]), "text"
    elif form == "conflicts":
        text, language = _conflicts(definition, chosen), "text"
    elif form == "why":
        text, language = _why(definition, op, chosen), "text"
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


def _conflicts(definition: Definition, target: Target) -> str:
    """A line for each access of shared memory."""
    if not target.is_gpu:
        raise ArgumentError(f"--conflicts: {target} has no banks of shared memory", code="GC644", hint="--target cuda")
    schedule = with_default_schedule(definition.schedule, target)
    found = bank_conflicts(lower_primfunc(lower_schedule(schedule, definition.args), target))
    if not found:
        return "no shared memory"
    lines = ["wavefronts  ideal  bytes  access"]
    for access in found:
        needed = "?" if access.wavefronts is None else str(access.wavefronts)
        mark = "  <- conflict" if access.has_conflicts else ""
        what = f"{access.kind} {access.buffer}[{access.index}]"
        lines.append(f"{needed:>10}  {access.ideal:>5}  {access.nbytes:>5}  {what}{mark}")
    return "\n".join(lines)


def _why(definition: Definition, op: str, target: Target) -> str:
    """The reason that the library's schedule gives for its tiles, or what a default schedule chose."""
    if not definition.is_library:
        _, reasons = explained(definition.schedule, target)
        if not reasons:
            raise ArgumentError(f"--why: {op} has a schedule of its own, which gives no reasons", code="GC644")
        return _default_reasons(reasons)
    operator = registry.get(op)
    extents = tuple([n for n in definition.shape if isinstance(n, int)])
    reason = operator.why(operator.define(extents, definition.dtype, target), target)
    return reason or f"the schedule of {operator.name} for {target.kind} gives no reason for its tiles"


def _default_reasons(lines: list[str]) -> str:
    """What the default schedule chose."""
    return "\n".join(["by default, for nobody scheduled it:", *[f"  {line}" for line in lines]])


def _target(text: str) -> Target:
    try:
        return Target(text)
    except LowerError as error:
        raise ArgumentError(f"--target {text}: {error.message}", code="GC644", hint=error.hint) from error
