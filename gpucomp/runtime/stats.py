"""What a module has compiled so far."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VariantStats:
    """One variant of a function.

    Attributes:
        function: its name.
        note: what the variant is for, such as "aligned, 32-bit indices" or "n = 1024".
        compiled: whether it is there; the others are compiled when a call needs them.
        combinations: of shapes, types and devices that were called with it so far.
    """

    function: str
    note: str
    compiled: bool
    combinations: int


@dataclass(frozen=True, slots=True)
class ModuleStats:
    """All variants of a module's functions, in the order in which they are tried."""

    variants: tuple[VariantStats, ...]
    recompiles: int

    def __str__(self) -> str:
        lines = [
            f"{v.function}: {v.note}: {'compiled' if v.compiled else 'not needed yet'}, combinations {v.combinations}"
            for v in self.variants
        ]
        return "\n".join([*lines, f"compiled since the build: {self.recompiles}"])
