"""Numbers as bytes: how the scalar arguments of kernels are laid out (C's alignment, little or big as the host)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from gpucomp.support.dtype import DType

_NAMED: Final = {"bool": "?", "float16": "e", "float32": "f", "float64": "d", "handle": "P"}
_LETTERS: Final = {8: "b", 16: "h", 32: "i", 64: "q"}


def struct_code(arg_type: str) -> str:
    """The code of Python's struct module for a kernel argument: ``"float32*"`` (an address) or ``"int32"``.

    Raises:
        ValueError: an element type that cannot be a scalar argument.
    """
    if arg_type.endswith("*"):
        return "P"
    dtype = DType(arg_type)
    if dtype.code == "bfloat":
        return "H"
    letter = _NAMED.get(str(dtype)) or (_LETTERS.get(dtype.bits) if dtype.is_int and dtype.lanes == 1 else None)
    if letter is None:
        raise ValueError(f"{arg_type} cannot be a scalar argument of a kernel")
    return letter.upper() if dtype.code == "uint" else letter


def bfloat16_bits(value: float) -> int:
    """The bits of a number that is rounded to bfloat16."""
    number = DType("bfloat16").numpy.type(value)
    return int(np.asarray(number).view(np.uint16))


def packer(arg_types: Sequence[str]) -> Callable[..., bytes]:
    """What turns arguments (int addresses and Python numbers) into one block of memory, as C would lay it out."""
    pack = struct.Struct("".join(struct_code(arg_type) for arg_type in arg_types)).pack
    halves = tuple(position for position, arg_type in enumerate(arg_types) if arg_type == "bfloat16")
    if not halves:
        return pack

    def convert(*args: float) -> bytes:
        values = list(args)
        for position in halves:
            values[position] = bfloat16_bits(values[position])
        return pack(*values)

    return convert
