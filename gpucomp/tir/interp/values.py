"""Values of compiled expressions, and the nested scopes of generated code that they live in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gpucomp.support.dtype import DType

_MAX_LOOPS = 12  # CPython allows 20 nested loops in one function; deeper nests continue in a nested one


@dataclass(frozen=True, slots=True)
class Val:
    """A value in generated code.

    Attributes:
        text: a Python name or literal.
        depth: number of the scope that defines it.
        dtype: its type.
        arr: it is an ndarray, per lane ``(L,)`` or, with vector lanes, broadcastable to ``(L, V)``; otherwise a
            scalar that all lanes share (a Python int or bool, or a numpy float).
        varying: lanes may differ.
        lo, hi: interval of an integer.
        wide: an integer array held as int64 within the range of its type.
        volatile: it depends on memory: valid for the current statement only.
        known: the value of a literal integer or bool.
    """

    text: str
    depth: int
    dtype: DType
    arr: bool = False
    varying: bool = False
    lo: int = 0
    hi: int = 0
    wide: bool = False
    volatile: bool = False
    known: int | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """A mask over lanes in generated code."""

    text: str
    depth: int
    number: int
    maybe_empty: bool = False


def int_range(dtype: DType) -> tuple[int, int]:
    """Smallest and largest value of an integer or bool type."""
    if dtype.is_bool:
        return 0, 1
    if dtype.code == "uint":
        return 0, (1 << dtype.bits) - 1
    return -(1 << (dtype.bits - 1)), (1 << (dtype.bits - 1)) - 1


@dataclass(slots=True)
class Scope:
    """A block of generated code that is being written."""

    header: str
    loops: int
    lines: list[str] = field(default_factory=list[str])
    names: list[str] = field(default_factory=list[str])


class Writer:
    """Writes nested Python code; equal pure texts are computed once, in the outermost scope that can."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = [Scope("", 0)]
        self._known: dict[str, tuple[str, int]] = {}
        self._count = 0

    @property
    def depth(self) -> int:
        """Number of the innermost scope."""
        return len(self.scopes) - 1

    def name(self, prefix: str = "t") -> str:
        """A new name."""
        self._count += 1
        return f"{prefix}{self._count}"

    def line(self, text: str, depth: int | None = None) -> None:
        """Append a line to a scope: before the inner block that is open there, after all that it defined."""
        self.scopes[self.depth if depth is None else depth].lines.append(text)

    def define(self, text: str, depth: int, prefix: str = "t") -> str:
        """A name for a pure text whose operands are defined at ``depth``."""
        found = self._known.get(text)
        if found is not None:
            return found[0]
        name = self.name(prefix)
        self.scopes[depth].lines.append(f"{name} = {text}")
        self.scopes[depth].names.append(text)
        self._known[text] = (name, depth)
        return name

    def open(self, header: str) -> None:
        """Begin a block."""
        loops = self.scopes[-1].loops + header.startswith(("for", "while"))
        if loops > _MAX_LOOPS:
            outer = self.name("f")
            self.scopes.append(Scope(f"def {outer}():", 0))
            loops = 1
            self.scopes[-1].names.append("")
        self.scopes.append(Scope(header, loops))

    def close(self) -> None:
        """End the innermost block."""
        self._pop()
        top = self.scopes[-1]
        if top.header.startswith("def f") and top.names[:1] == [""]:
            name = top.header[4:-3]
            self._pop()
            self.scopes[-1].lines.append(f"{name}()")

    def _pop(self) -> None:
        done = self.scopes.pop()
        for text in done.names:
            self._known.pop(text, None)
        into = self.scopes[-1].lines
        into.append(done.header)
        into += [" " + line for line in done.lines or ["pass"]]

    def source(self) -> str:
        """The finished code."""
        return "\n".join(self.scopes[0].lines)


def deepest(values: Sequence[Val]) -> int:
    """The scope in which all of the values are defined."""
    return max([v.depth for v in values], default=0)
