from __future__ import annotations

import ctypes

import ml_dtypes
import numpy as np
import pytest

from gpucomp.runtime.packing import bfloat16_bits, packer, struct_code


class _Arguments(ctypes.Structure):
    _fields_ = (
        ("pointer", ctypes.c_void_p),
        ("flag", ctypes.c_bool),
        ("short", ctypes.c_int16),
        ("byte", ctypes.c_uint8),
        ("double", ctypes.c_double),
        ("word", ctypes.c_uint32),
        ("long", ctypes.c_int64),
    )


def test_arguments_are_laid_out_as_c_does() -> None:
    pack = packer(("float32*", "bool", "int16", "uint8", "float64", "uint32", "int64"))
    made = _Arguments.from_buffer_copy(pack(4096, True, -2, 255, 0.1, 4000000000, -(1 << 40)))
    assert (made.pointer, made.flag, made.short, made.byte) == (4096, True, -2, 255)
    assert (made.double, made.word, made.long) == (0.1, 4000000000, -(1 << 40))


@pytest.mark.parametrize("value", [0.0, 1.0, 257.0, -3.3, float("inf"), 1e-40])
def test_bfloat16_is_rounded_to_its_bits(value: float) -> None:
    expected = int(np.array(value, ml_dtypes.bfloat16).view(np.uint16))
    assert bfloat16_bits(value) == expected
    assert packer(("bfloat16", "int32"))(value, 7) == packer(("uint16", "int32"))(expected, 7)


def test_float16_is_rounded() -> None:
    assert packer(("float16",))(0.1) == np.float16(0.1).tobytes()


@pytest.mark.parametrize("bad", ["int8x4", "float8_e5m2", "int4"])
def test_a_type_that_is_no_scalar_argument_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="cannot be a scalar argument"):
        struct_code(bad)
