"""LLVM IR as text: names of types, literals, and the pieces of a module while it is written.

Values in registers differ from values in memory for three element types: ``bool`` is an i8 in memory and an i1
in registers; ``float16`` and ``bfloat16`` are computed in float registers that always hold a representable value,
so that every operation rounds as the element type asks.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import Final

from gpucomp.support.diagnostics import LowerError
from gpucomp.support.dtype import DType

_FLOATS: Final = {64: "double", 32: "float", 16: "float"}


def _register_element(dtype: DType) -> str:
    if dtype.code in ("float", "bfloat"):
        return _FLOATS[dtype.bits]
    if dtype.is_bool:
        return "i1"
    if dtype.is_handle:
        return "ptr"
    if dtype.is_int and dtype.bits >= 8:
        return f"i{dtype.bits}"
    raise unsupported(dtype)


def _memory_element(dtype: DType) -> str:
    if dtype.code == "bfloat":
        return "i16"
    if dtype.is_float and dtype.bits == 16:
        return "half"
    return "i8" if dtype.is_bool else _register_element(dtype)


def unsupported(dtype: DType) -> LowerError:
    """The error for an element type that the CPU cannot compute with."""
    return LowerError(
        f"the CPU backend has no {dtype.element}",
        code="GC340",
        hint="cast to float32 or int8 in the compute, or build for a target that has the type",
    )


class _Names(dict[DType, str]):
    """Type names by dtype, filled on first use."""

    def __init__(self, memory: bool) -> None:
        super().__init__()
        self.memory = memory

    def __missing__(self, dtype: DType) -> str:
        element = _memory_element(dtype.element) if self.memory else _register_element(dtype.element)
        name = element if dtype.lanes == 1 else f"<{dtype.lanes} x {element}>"
        self[dtype] = name
        return name


REGISTER: Final = _Names(memory=False)
MEMORY: Final = _Names(memory=True)


def memory_bytes(dtype: DType) -> int:
    """Bytes of one element in memory."""
    return 1 if dtype.is_bool else dtype.element.bits // 8


def vector(element: str, lanes: int) -> str:
    """The type of ``lanes`` values of type ``element``."""
    return element if lanes == 1 else f"<{lanes} x {element}>"


def float_literal(value: float, bits: int) -> str:
    """A float or double literal; hexadecimal, because decimal text must be exact in LLVM."""
    if bits < 64:
        value = _to_float32(value)
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


def _to_float32(value: float) -> float:
    if value != value:
        return value
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def splat_literal(element: str, literal: str, lanes: int) -> str:
    """A literal in every lane."""
    return literal if lanes == 1 else f"splat ({element} {literal})"


class FunctionText:
    """The body of one function while it is written.

    Attributes:
        block: label of the block that is being written; phi nodes name it.
        live: heap pointers that must be freed before leaving, in order of allocation.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.entry: list[str] = []
        self.block = "entry"
        self.live: list[str] = []
        self.stack_bytes = 0
        self._count = 0

    def name(self) -> str:
        """A fresh value name."""
        self._count += 1
        return f"%v{self._count}"

    def op(self, text: str) -> str:
        """Write an instruction with a result; returns the result's name."""
        self._count += 1
        name = f"%v{self._count}"
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        """Write an instruction without a result."""
        self.lines.append("  " + text)

    def labels(self, *stems: str) -> tuple[str, ...]:
        """Fresh labels that belong together."""
        self._count += 1
        return tuple([f"{stem}{self._count}" for stem in stems])

    def start(self, label: str) -> None:
        """Begin a block; the one before must have ended in a jump."""
        self.lines.append(f"{label}:")
        self.block = label

    def jump(self, label: str) -> None:
        """Leave the block."""
        self.lines.append(f"  br label %{label}")

    def branch(self, condition: str, yes: str, no: str) -> None:
        """Leave the block for one of two others."""
        self.lines.append(f"  br i1 {condition}, label %{yes}, label %{no}")

    def alloca(self, text: str) -> str:
        """Reserve stack memory for the whole call."""
        name = self.name()
        self.entry.append(f"  {name} = alloca {text}")
        return name

    def body(self) -> str:
        """The text between the braces."""
        return "\n".join(["entry:", *self.entry, *self.lines])


class ModuleText:
    """A module while it is written: functions, what they declare, helpers, loop metadata.

    Attributes:
        features: of the processor that runs the code, by LLVM's names.
    """

    def __init__(self, name: str, features: Collection[str] = ()) -> None:
        self.name = name
        self.features = features
        self.functions: list[str] = []
        self.declarations: dict[str, str] = {}
        self.helpers: dict[str, str] = {}
        self.metadata: list[str] = []
        self.messages: list[str] = []
        self.tasks = 0
        self._nontemporal = ""

    def declare(self, name: str, result: str, arguments: str, attributes: str = "") -> str:
        """Declare an external function once; returns ``@name``."""
        if name not in self.declarations:
            self.declarations[name] = f"declare {result} @{name}({arguments}){attributes}"
        return "@" + name

    def loop_metadata(self, *properties: str) -> str:
        """Metadata of one loop, as the suffix of its back edge."""
        first = len(self.metadata)
        lines = [f"!{first + 1 + i} = !{{{text}}}" for i, text in enumerate(properties)]
        items = "".join([f", !{first + 1 + i}" for i in range(len(properties))])
        self.metadata.append(f"!{first} = distinct !{{!{first}{items}}}")
        self.metadata += lines
        return f", !llvm.loop !{first}"

    def nontemporal(self) -> str:
        """The suffix of a store whose bytes nobody reads soon: they go past the caches."""
        if not self._nontemporal:
            self._nontemporal = f", !nontemporal !{len(self.metadata)}"
            self.metadata.append(f"!{len(self.metadata)} = !{{i32 1}}")
        return self._nontemporal

    def message(self, text: str) -> int:
        """Register a failure message; returns the code that the function returns for it."""
        self.messages.append(" ".join(text.split()))
        return FIRST_MESSAGE + len(self.messages) - 1

    def render(self) -> str:
        """The module's text."""
        notes = [f"; failure {FIRST_MESSAGE + i}: {text}" for i, text in enumerate(self.messages)]
        parts = [*notes, *self.declarations.values(), *self.helpers.values(), *self.functions, *self.metadata]
        return "\n".join(parts) + "\n"


# What a generated function returns: 0, or why it stopped early.
OUT_OF_MEMORY: Final = 1
FIRST_MESSAGE: Final = 2
