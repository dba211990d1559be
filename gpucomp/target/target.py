"""Target: a kind, an architecture, limits and features; hashable, printable, usable as a context manager."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self  # Any: options are strings, numbers and lists by kind

from gpucomp.runtime.device import Device
from gpucomp.runtime.device import device as parse_device
from gpucomp.support.config import config
from gpucomp.support.diagnostics import LowerError, caller_span, did_you_mean
from gpucomp.target.host import host_features
from gpucomp.target.kinds import CUDA_LARGEST_CLUSTER, CUDA_OPT_IN_SHARED, KINDS, TAGS, Kind

_LOCAL = threading.local()
_CUDA_ARCH: Final = re.compile(r"sm_[1-9][0-9]{1,2}[af]?")
_SUBGROUP: Final = 32
_DEFAULT_ARCH: Final = {"cuda": "sm_90", "opencl": "", "llvm": "host"}


class KindName(str):
    """The name of a kind of target; programs that ask for ``target.kind.name`` get it too."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The plain text."""
        return str(self)


class Target:
    """What to compile for.

    Args:
        target: ``"cuda"``, ``"cuda -arch=sm_90"``, ``"cuda:sm_90"``, ``"opencl"``, ``"llvm"``, a tag such as
            ``"nvidia/nvidia-h100"``, a mapping (``{"kind": "cuda", "arch": "sm_80"}``), JSON of one, or a Target.
        host: target of the host code; accepted for compatibility, the host is always this process.

    Raises:
        LowerError: unknown kind, option or malformed text.
    """

    __slots__ = ("_key", "arch", "features", "host", "kind_info", "libs", "limits", "model", "options")

    kind_info: Kind
    arch: str
    limits: Mapping[str, int]
    features: frozenset[str]

    def __init__(self, target: str | Mapping[str, Any] | Target, host: str | Target | None = None) -> None:
        if isinstance(target, Target):
            options: dict[str, Any] = dict(target.export())
        elif isinstance(target, Mapping):
            options = dict(target)
        else:
            options = _parse(target)
        kind = str(options.pop("kind", ""))
        if kind not in KINDS:
            hint = did_you_mean(kind, (*KINDS, *TAGS)) or f"known: {', '.join(KINDS)}, or a tag"
            raise _refusal(f"unknown target kind {kind!r}", hint)
        self.kind_info = KINDS[kind]
        self.arch = str(options.pop("arch", "") or options.pop("mcpu", "") or _DEFAULT_ARCH[kind])
        if kind == "cuda" and not _CUDA_ARCH.fullmatch(self.arch):
            raise _refusal(f"{self.arch!r} is no architecture of CUDA", '"cuda -arch=sm_90"')
        self.model = str(options.pop("model", "unknown"))
        libs = options.pop("libs", ())
        self.libs = tuple(str(libs).split(",")) if isinstance(libs, str) else tuple(libs)
        extra = _words(options.pop("features", ()))
        removed = _words(options.pop("without", ()))
        self.features = (self.kind_info.features | _arch_features(kind, self.arch) | extra) - removed
        limits = dict(self.kind_info.limits)
        if kind == "cuda":
            limits["max_dynamic_shared_memory_per_block"] = CUDA_OPT_IN_SHARED.get(self.arch, 49152)
            limits["max_cluster_size"] = CUDA_LARGEST_CLUSTER.get(self.arch, limits["max_cluster_size"])
        if kind == "opencl" and "subgroups" in self.features:
            self.features |= {"shuffle"}
            limits["thread_warp_size"] = _SUBGROUP
        unknown = [k for k in options if k not in limits]
        if unknown:
            known = [*limits, "arch", "features", "libs", "model", "without"]
            hint = did_you_mean(unknown[0], known) or f"known: {', '.join(known)}"
            raise _refusal(f"unknown option {unknown[0]!r} of target {kind}", hint)
        self.options = {k: _number(k, v) for k, v in options.items()}
        if "subgroups" in self.features and self.options.get("thread_warp_size", _SUBGROUP) != _SUBGROUP:
            raise _refusal(f"kernels with subgroups have {_SUBGROUP} threads in each", "leave out thread_warp_size")
        if kind == "opencl" and "max_num_threads" in self.options:  # a larger block may be long in any direction
            limits |= {f"max_block_{axis}": self.options["max_num_threads"] for axis in "xyz"}
        self.limits = limits | self.options
        self.host = Target(host) if host is not None and not isinstance(host, Target) else host
        self._key = json.dumps(self.export(), sort_keys=True)

    @property
    def kind(self) -> KindName:
        """ "cuda", "opencl" or "llvm": text, with itself as ``kind.name``."""
        return KindName(self.kind_info.name)

    @property
    def is_gpu(self) -> bool:
        """Kernels are grids of threads."""
        return self.kind_info.is_gpu

    @property
    def keys(self) -> tuple[str, ...]:
        """Names under which schedules for this target are looked up, most special first."""
        if self.is_gpu and "cpu" in self.features:  # a kernel language on a processor: no barriers, few big groups
            return (f"{self.kind}-cpu",)
        return self.kind_info.keys

    @property
    def max_num_threads(self) -> int:
        """Largest number of threads of a block."""
        return self.limits["max_num_threads"]

    @property
    def thread_warp_size(self) -> int:
        """Threads that run in lockstep; 1 where nothing is promised."""
        return self.limits["thread_warp_size"]

    @property
    def max_shared_memory_per_block(self) -> int:
        """Bytes of shared memory that a block may declare statically."""
        return self.limits["max_shared_memory_per_block"]

    @property
    def max_function_args(self) -> int:
        """Largest number of kernel arguments."""
        return self.limits["max_function_args"]

    @property
    def l2_cache_size_bytes(self) -> int:
        """Size of the last-level cache, 0 when unknown."""
        return self.limits.get("l2_cache_size_bytes", 0)

    def with_host(self, host: str | Target) -> Target:
        """The same target with a host."""
        return Target(self, host)

    def with_options(self, **changes: object) -> Target:
        """The same target with some options changed."""
        return Target({**self.export(), **changes})

    def export(self) -> dict[str, Any]:
        """The target as plain data, from which :class:`Target` rebuilds it."""
        out: dict[str, Any] = {"kind": self.kind, "arch": self.arch, **self.options}
        added = self.features - self.kind_info.features - _arch_features(self.kind, self.arch)
        removed = (self.kind_info.features | _arch_features(self.kind, self.arch)) - self.features
        if added:
            out["features"] = sorted(added)
        if removed:
            out["without"] = sorted(removed)
        if self.model != "unknown":
            out["model"] = self.model
        return out

    @staticmethod
    def current(allow_none: bool = True) -> Target | None:
        """The innermost target of a ``with`` statement of this thread.

        Raises:
            LowerError: there is none and ``allow_none`` is False.
        """
        stack: list[Target] = getattr(_LOCAL, "stack", [])
        if stack:
            return stack[-1]
        if allow_none:
            return None
        raise LowerError(
            "no current target",
            code="GC305",
            where=caller_span(),
            hint='wrap the call: with gpucomp.target.Target("cuda"): ...',
        )

    @staticmethod
    def from_device(device: Device | str) -> Target:
        """The target of a device that exists here, with its real limits and features."""
        device = parse_device(device)
        attributes = device.attributes
        if device.kind == "cpu":
            return Target("llvm")
        options: dict[str, Any] = {
            "kind": device.kind,
            "model": attributes.name,
            "max_num_threads": attributes.max_threads_per_block,
            "max_shared_memory_per_block": attributes.max_shared_memory_per_block,
            "multi_processor_count": attributes.multi_processor_count,
        }
        if device.kind == "cuda":
            major, minor = attributes.compute_version.split(".")
            suffix = "a" if int(major) >= 9 else ""
            return Target({**options, "arch": f"sm_{major}{minor}{suffix}", "max_shared_memory_per_block": 49152})
        features = attributes.features & {"fp16", "fp64"} | ({"cpu"} if attributes.is_cpu else set())
        if "nv_ptx" in attributes.features and config.opencl_ptx:
            features |= {"nv_ptx", "shuffle"}
            options["thread_warp_size"] = attributes.warp_size
        options["features"] = sorted(features)
        dims = attributes.max_block_dims
        options |= {"max_block_x": dims[0], "max_block_y": dims[1], "max_block_z": dims[2]}
        return Target(options)

    def __enter__(self) -> Self:
        if not hasattr(_LOCAL, "stack"):
            _LOCAL.stack = []
        _LOCAL.stack.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        _LOCAL.stack.pop()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Target) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __str__(self) -> str:
        parts = [self.kind.name]
        if self.arch and self.arch != "host":
            parts.append(f"-arch={self.arch}")
        parts += [f"-{k}={v}" for k, v in self.options.items()]
        return " ".join(parts)

    def __repr__(self) -> str:
        return f"Target({str(self)!r})"

    def __reduce__(self) -> tuple[type[Target], tuple[dict[str, Any]]]:
        return (Target, (self.export(),))


def _words(given: str | Iterable[str]) -> frozenset[str]:
    """Features as a list, or as text with commas: ``-without=avx512vnni,avx512bf16``."""
    return frozenset([word for word in given.split(",") if word] if isinstance(given, str) else given)


def _arch_features(kind: str, arch: str) -> frozenset[str]:
    if kind == "llvm" and arch == "host":
        return host_features()
    if kind != "cuda":
        return frozenset()
    version = int("".join([c for c in arch if c.isdigit()]) or 0)
    out: set[str] = {"exp2_flushed"}
    if version >= 61:
        out.add("dp4a")
    if version >= 80:
        out |= {"cp_async", "mma", "bf16_math"}
    if version >= 90:
        out |= {"cluster", "tma"}
    if arch == "sm_90a":
        out.add("wgmma")
    return frozenset(out)


def _refusal(message: str, hint: str) -> LowerError:
    return LowerError(message, code="GC301", where=caller_span(), hint=hint)


def _number(key: str, value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise _refusal(f"option {key} of a target is {value!r}, which is no whole number", f"-{key}=1024") from None


def _from_json(text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except ValueError as error:
        raise _refusal(f"cannot read target {text!r}: {error}", '{"kind": "cuda", "arch": "sm_90"}') from None


def _parse(given: object) -> dict[str, Any]:
    if not isinstance(given, str):
        raise _refusal(f"a target is text, got {type(given).__name__}", 'write "cuda", "opencl" or "llvm"')
    text = given.strip()
    if text.startswith("{"):
        return _from_json(text)
    text = TAGS.get(text, text)
    words = text.split()
    if not words:
        raise _refusal("empty target", 'write "cuda", "opencl" or "llvm"')
    kind, _, arch = words[0].partition(":")
    kind = TAGS.get(kind, kind)
    options: dict[str, Any] = {"kind": kind}
    if arch:
        options["arch"] = arch
    for word in words[1:]:
        key, sign, value = word.lstrip("-").partition("=")
        if not word.startswith("-") or not sign:
            raise _refusal(f"cannot read {word!r} in target {text!r}", 'options look like "-arch=sm_90"')
        options[key] = value
    return options


def cuda(model: str = "unknown", arch: str | None = None, options: str | None = None) -> Target:
    """A CUDA target, ``sm_90`` when no architecture is named."""
    return Target(f"cuda -arch={arch or _DEFAULT_ARCH['cuda']} -model={model} {options or ''}")


def opencl(model: str = "unknown", options: str | None = None) -> Target:
    """An OpenCL C 1.2 target with the smallest limits that are safe everywhere."""
    return Target(f"opencl -model={model} {options or ''}")


def llvm(options: str | None = None) -> Target:
    """This machine's processor."""
    return Target(f"llvm {options or ''}")
