"""Errors of the interpreter: what went wrong, in which kernel, at which element, by which threads."""

from __future__ import annotations

from dataclasses import dataclass

from gpucomp.support.diagnostics import Span, VerifyError
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.stmt import AllReduce, BufferStore, Evaluate, Stmt

RACE, BOUNDS, DIVERGENCE, UNINITIALISED = "GC401", "GC402", "GC403", "GC404"
DIVISION, EXCHANGE, ASSERTION, UNSUPPORTED = "GC405", "GC406", "GC407", "GC408"


@dataclass(frozen=True, slots=True)
class Site:
    """A place in the function: the statement, and the buffer that is accessed there."""

    stmt: Stmt | None
    buffer: Buffer | None = None
    what: str = "access"

    @property
    def text(self) -> str:
        """The statement in one line."""
        lines = str(self.stmt).strip().splitlines() if self.stmt is not None else [""]
        if isinstance(self.stmt, (BufferStore, Evaluate, AllReduce)):  # shared parts may be named in lines before
            return lines[-1].strip()
        return lines[0].strip()

    @property
    def span(self) -> Span | None:
        """The user's call that led to the statement."""
        return getattr(self.stmt, "span", None)


class Faults:
    """Builds errors; one per interpreted function.

    Args:
        func_name: global symbol of the function.
    """

    def __init__(self, func_name: str) -> None:
        self.func_name = func_name
        self.sites: list[Site] = []

    def site(self, stmt: Stmt | None, buffer: Buffer | None = None, what: str = "access") -> int:
        """Register a place; its number goes into the compiled code."""
        self.sites.append(Site(stmt, buffer, what))
        return len(self.sites) - 1

    def error(
        self, code: str, message: str, site: int | None, *, kernel: str | None = None, hint: str | None = None
    ) -> VerifyError:
        """The error of one kind at one place."""
        place = self.sites[site] if site is not None else Site(None)
        context = f"kernel {kernel or self.func_name}"
        if place.stmt is not None:
            context += f": {place.text}"
        return VerifyError(message, code=code, where=place.span, context=context, hint=hint)

    def element(self, name: str, flat: int, shape: tuple[int, ...], low: tuple[int, ...]) -> str:
        """``name[i, j]`` for a flat index into a buffer of the given extents and smallest indices."""
        if len(shape) < 2 or not all(shape):
            first = low[0] if low else 0
            return f"{name}[{flat + first}]"
        digits: list[int] = []
        for extent in reversed(shape[1:]):
            flat, digit = divmod(flat, extent)
            digits.append(digit)
        digits.append(flat)
        items = [str(d + m) for d, m in zip(reversed(digits), low, strict=True)]
        return f"{name}[{', '.join(items)}]"
