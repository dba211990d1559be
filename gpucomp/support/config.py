"""All settings of gpucomp, in one typed place.

A setting comes from the innermost ``with config.override(...)``, else from its environment variable, else
from its default.  Overrides belong to the context that made them: other threads and tasks do not see them.

>>> from gpucomp.support.config import config
>>> with config.override(verify=2):
...     config.verify
2
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Generic, TypeAlias, TypeVar, overload  # Any: the type depends on the setting

from gpucomp.support.diagnostics import ArgumentError, Span, caller_span, did_you_mean

T = TypeVar("T", str, int, bool)
Setting: TypeAlias = "str | int | bool | os.PathLike[str]"

_overrides: ContextVar[Mapping[str, Setting]] = ContextVar("gpucomp_config", default=MappingProxyType({}))


class Knob(Generic[T]):
    """One setting: a descriptor that reads as its present value.

    Args:
        default: value when nothing sets it; its type is the type of the setting.
        doc: one line.
        check: returns what is wrong with a value, or the empty string.
    """

    def __init__(self, default: T, doc: str, *, check: Callable[[T], str] | None = None) -> None:
        self.default: T = default
        self.doc = doc
        self.check = check
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @property
    def env(self) -> str:
        """The environment variable."""
        return f"GPUCOMP_{self.name.upper()}"

    @overload
    def __get__(self, instance: None, owner: type) -> Knob[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Knob[T] | T:
        return self if instance is None else self.resolve()[0]

    def resolve(self) -> tuple[T, str]:
        """The present value and where it comes from: "override", "environment" or "default"."""
        overrides = _overrides.get()
        if self.name in overrides:
            return self.parse(overrides[self.name], f"config.override({self.name}=...)"), "override"
        text = os.environ.get(self.env)
        if text is None or (text == "" and not isinstance(self.default, str)):
            return self.default, "default"
        return self.parse(text, self.env), "environment"

    def parse(self, value: Setting, source: str) -> T:
        """Convert and check a value.

        Raises:
            ArgumentError: it does not fit; names ``source``.
        """
        kind = type(self.default).__name__
        try:
            converted: T = _CONVERT[kind](value)
        except (ValueError, TypeError):
            expected = {"bool": "1, 0, true, false, on or off", "int": "an integer", "str": "a string"}[kind]
            raise ArgumentError(
                f"{source}: {value!r} is not {expected}", code="GC690", where=_place(source), hint=self.doc
            ) from None
        problem = self.check(converted) if self.check is not None else ""
        if problem:
            raise ArgumentError(f"{source}: {value!r} {problem}", code="GC690", where=_place(source), hint=self.doc)
        return converted


def _place(source: str) -> Span | None:
    return caller_span() if source.startswith("config") else None  # the environment has no line


_WORDS: Final = dict.fromkeys(("1", "true", "on", "yes"), True) | dict.fromkeys(("0", "false", "off", "no"), False)


def _to_bool(value: Setting) -> bool:
    word = str(value).strip().lower()
    if word not in _WORDS:
        raise ValueError(value)
    return _WORDS[word]


def _to_int(value: Setting) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError(value)
    return int(value)


def _to_str(value: Setting) -> str:
    if isinstance(value, int):
        raise ValueError(value)
    return os.fspath(value)


_CONVERT: Final[dict[str, Callable[[Setting], Any]]] = {
    "bool": _to_bool,
    "int": _to_int,
    "str": _to_str,
}


def _between(low: int, high: int) -> Callable[[int], str]:
    return lambda value: "" if low <= value <= high else f"is not between {low} and {high}"


def _one_of(*words: str) -> Callable[[str], str]:
    return lambda value: "" if value in words else f"is not one of {', '.join(words)}"


@dataclass(frozen=True, slots=True)
class KnobValue:
    """A setting as it stands, for listings."""

    name: str
    env: str
    type: str
    default: str | int | bool
    value: str | int | bool
    source: str
    doc: str


class Config:
    """The settings.  Read them as attributes of :data:`config`."""

    device = Knob("", "device used when none is given: cuda, opencl or cpu, or one with an index: opencl:1")
    cache = Knob(True, "keep compiled kernels on disk")
    cache_dir = Knob("", "folder for compiled kernels and saved sources; empty: the user's cache folder")
    verify = Knob(0, "1: check the final IR, 2: after each pass, 3: also run the interpreter after each pass",
                  check=_between(0, 3))  # fmt: skip
    opencl_ptx = Knob(True, "NVIDIA's assembly in kernels for its OpenCL devices; 0: plain OpenCL C there too")
    num_threads = Knob(0, "threads for parallel loops on the CPU; 0: one for each core", check=_between(0, 4096))
    cuda_compiler = Knob("auto", "what compiles CUDA C: nvrtc, nvcc, or auto (nvrtc when importable)",
                         check=_one_of("auto", "nvrtc", "nvcc"))  # fmt: skip
    winograd = Knob(True, "3x3 float32 convolutions by Winograd's filtering where a model finds it faster; 0: never")
    pool_mb = Knob(-1, "MiB of freed memory kept for reuse; -1: 256 on the CPU, a quarter of a GPU",
                   check=_between(-1, 1 << 24))  # fmt: skip

    def knobs(self) -> dict[str, Knob[str] | Knob[int] | Knob[bool]]:
        """All settings by name, in order."""
        return {name: knob for name, knob in vars(Config).items() if isinstance(knob, Knob)}

    def describe(self) -> list[KnobValue]:
        """Name, variable, type, default, value, source and meaning of each setting."""
        rows: list[KnobValue] = []
        for name, knob in self.knobs().items():
            value, source = knob.resolve()
            kind = type(knob.default).__name__
            rows.append(KnobValue(name, knob.env, kind, knob.default, value, source, knob.doc))
        return rows

    @contextlib.contextmanager
    def override(self, **values: Setting) -> Generator[None]:
        """Use other values within a ``with`` block, in this thread or task only.

        Raises:
            ArgumentError: an unknown setting, or a value that does not fit.
        """
        knobs = self.knobs()
        for name, value in values.items():
            if name not in knobs:
                hint = did_you_mean(name, knobs) or f"known: {', '.join(knobs)}"
                raise ArgumentError(f"there is no setting {name!r}", code="GC691", where=caller_span(), hint=hint)
            knobs[name].parse(value, f"config.override({name}=...)")
        token = _overrides.set(MappingProxyType({**_overrides.get(), **values}))
        try:
            yield
        finally:
            _overrides.reset(token)


config: Final = Config()
