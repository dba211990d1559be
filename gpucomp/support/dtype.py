"""Scalar and vector element types, named as numpy names them ("float16", "int8x4", "bool").

A :class:`DType` *is* the string that names it, so ``expr.dtype == "float32"`` holds and a dtype can be a
dictionary key, a JSON value or a format argument without conversion.  Instances are interned: equal names are
the same object.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from gpucomp.support.diagnostics import TensorError, caller_span, did_you_mean

if TYPE_CHECKING:
    import numpy as np

_PATTERN: Final = re.compile(r"^(int|uint|float|bfloat)(\d+)(_e\d+m\d+(?:fn)?)?(?:x(\d+))?$")
_INT_BITS: Final = frozenset({1, 4, 8, 16, 32, 64})
_FLOAT_BITS: Final = frozenset({16, 32, 64})
_FP8: Final = frozenset({"_e4m3fn", "_e5m2", "_e4m3"})


class DType(str):
    """An element type with a lane count.

    Attributes:
        code: ``"int"``, ``"uint"``, ``"float"``, ``"bfloat"``, ``"float8"``, ``"bool"`` or ``"handle"``.
        bits: width of one lane in bits (1 for bool, 64 for handle).
        lanes: number of vector lanes, 1 for a scalar.

    A numpy dtype, or a scalar type of numpy or ml_dtypes, stands for its name.

    Raises:
        TensorError: the name is no known element type.
    """

    __slots__ = ("bits", "code", "element", "is_float", "is_int", "is_integral", "lanes", "nbytes")

    code: str
    bits: int
    lanes: int
    element: DType
    is_float: bool
    is_int: bool
    is_integral: bool
    nbytes: int

    def __new__(cls, name: str | np.dtype[Any] | type) -> DType:  # Any: of any element type
        try:
            found = _INTERNED.get(name)
        except TypeError:  # no hash: a list, an array
            return _make(f"{name!s:.40}")
        if found is not None:
            return found
        text = name if isinstance(name, str) else name.__name__ if isinstance(name, type) else str(name)
        return _INTERNED.setdefault(text, _make(text))

    def with_lanes(self, lanes: int) -> DType:
        """Return the same element type with ``lanes`` lanes (1 gives the scalar)."""
        return self.element if lanes == 1 else DType(f"{self.element!s}x{lanes}")

    @property
    def is_bool(self) -> bool:
        return self.code == "bool"

    @property
    def is_handle(self) -> bool:
        return self.code == "handle"

    @property
    def is_signed(self) -> bool:
        """True for signed integers only."""
        return self.code == "int"

    @property
    def type_code(self) -> int:
        """DLPack's type code: int 0, uint 1, float 2, handle 3, bfloat 4, bool 6, float8 7 (e4m3fn) or 12 (e5m2)."""
        return _DLPACK[self.code] if self.code != "float8" else (12 if "e5m2" in self else 10)

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The numpy dtype of one lane; bfloat16 and float8 come from ml_dtypes."""
        import numpy as np

        if self.code in ("bfloat", "float8"):
            import ml_dtypes

            return np.dtype(getattr(ml_dtypes, str(self.element)))
        if self.is_handle:
            return np.dtype(np.uint64)
        return np.dtype(str(self.element))

    def __reduce__(self) -> tuple[type[DType], tuple[str]]:
        return (DType, (str(self),))


_DLPACK: Final = {"int": 0, "uint": 1, "float": 2, "handle": 3, "bfloat": 4, "bool": 6}
_INTERNED: dict[object, DType] = {}  # the keys are names; others are asked for and not found


def _unknown(name: str) -> TensorError:
    names = [*[f"{c}{b}" for c in ("int", "uint") for b in sorted(_INT_BITS)], "bool", "bfloat16"]
    names += [f"float{b}" for b in sorted(_FLOAT_BITS)]
    return TensorError(
        f"unknown dtype {name!r}",
        code="GC214",
        where=caller_span(),
        hint=did_you_mean(name, names) or f"one of {', '.join(names)}; vectors are written as int8x4",
    )


def _parse(name: str) -> tuple[str, int, int]:
    if name == "handle":
        return "handle", 64, 1
    if name == "bool" or (name.startswith("boolx") and name[5:].isdigit()):
        return "bool", 1, int(name[5:] or 1)
    match = _PATTERN.match(name)
    if match is None:
        raise _unknown(name)
    code, bits, fp8, lanes = match[1], int(match[2]), match[3], int(match[4] or 1)
    legal = (
        (code == "float" and bits == 8 and fp8 in _FP8)
        or (fp8 is None and code in ("int", "uint") and bits in _INT_BITS)
        or (fp8 is None and code == "float" and bits in _FLOAT_BITS)
        or (fp8 is None and code == "bfloat" and bits == 16)
    )
    if not legal or lanes < 1:
        raise _unknown(name)
    return ("float8" if fp8 else code), bits, lanes


def _make(name: str) -> DType:
    code, bits, lanes = _parse(str(name))
    if lanes == 1 and "x1" in name:
        return DType(name[: name.index("x1")])
    new = str.__new__(DType, name)
    new.code, new.bits, new.lanes = code, bits, lanes
    new.is_float = code in ("float", "bfloat", "float8")
    new.is_int = code in ("int", "uint")
    new.is_integral = new.is_int or code == "bool"
    new.nbytes = max(1, bits * lanes // 8) if code != "bool" else lanes
    new.element = new if lanes == 1 else DType(name[: name.rindex("x")])
    return new


BOOL: Final = DType("bool")
INT32: Final = DType("int32")
INT64: Final = DType("int64")
FLOAT32: Final = DType("float32")
HANDLE: Final = DType("handle")
