"""The full text of the error for every kind of bad argument, as files in golden/ (``--update-golden`` rewrites)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gpucomp.runtime import ndarray as nd
from gpucomp.runtime.device import Device, cpu
from gpucomp.runtime.function import Function
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.support.dtype import DType
from tests.runtime.programs import add_function, matmul_function, null_api

GOLDEN = Path(__file__).parent / "golden"

# name of the golden file -> the user's line
CALLS = {
    "count": "matmul(a, b)",
    "count_too_many": "add(x, x, x, x)",
    "not_an_array": "add(x, [1.0, 2.0])",
    "not_a_number": "matmul(a, b, 'one')",
    "dtype": "matmul(a, b.astype('float64'), 1.0)",
    "dtype_unknown": "add(x.astype('complex64'), x)",
    "rank": "matmul(a, x, 1.0)",
    "shape_inconsistent": "matmul(a, a, 1.0)",
    "shape_of_output": "matmul(a, b, 1.0, np.zeros((3, 3), 'float32'))",
    "strides": "matmul(b.T, b, 1.0)",
    "device": "add(on_null, on_cpu)",
    "device_of_module": "add_on_1(on_null, on_null)",
    "alignment": "matmul(odd, b_null, 1.0)",
    "overlap": "add(on_null, on_null, on_null)",
    "read_only": "add(x, x, frozen)",
    "big_endian": "add(x.astype('>f4'), x)",
    "scalar_range": "count(300, bytes_)",
    "scalar_fraction": "count(2.5, bytes_)",
    "grid_limit": "matmul(tall, thin, 1.0)",
}


def _namespace() -> dict[str, object]:
    null = Device("null")
    x = np.arange(4, dtype=np.float32)
    frozen = x.copy()
    frozen.flags.writeable = False
    base = nd.empty((16,), device=null)
    shifted = dataclasses.replace(base.memory, handle=base.address + 2, address=base.address + 2)
    from gpucomp.support.launch import BufferParam, FunctionData, HostProgram, KernelImage, ScalarParam, Variant

    params = (ScalarParam("n", "uint8"), BufferParam("A", "uint8", ("n",)))
    count = FunctionData("count", (Variant(True, HostProgram("count", params, ()), KernelImage("null", "", ())),))
    return {
        "np": np,
        "matmul": Function(matmul_function()),
        "add": Function(add_function()),
        "add_on_1": Function(add_function(), Device("null", 1)),
        "count": Function(count),
        "x": x,
        "frozen": frozen,
        "a": np.ones((2, 3), np.float32),
        "b": np.ones((3, 4), np.float32),
        "b_null": nd.array(np.ones((3, 4), np.float32), null),
        "odd": nd.NDArray(shifted, (2, 3), DType("float32"), null),
        "on_null": nd.array(x, null),
        "on_cpu": nd.from_numpy(x) if cpu() else None,
        "bytes_": nd.empty((3,), "uint8", null),
        "tall": nd.empty((70000, 1), device=null),
        "thin": nd.empty((1, 1), device=null),
    }


@pytest.fixture(autouse=True)
def _fresh_null_device() -> Iterator[None]:
    yield
    null_api()


def error_text(call: str, folder: Path) -> str:
    """The error that a user sees whose program ``user.py`` is this one line."""
    program = folder / "user.py"
    program.write_text(call + "\n", encoding="utf-8")
    code = compile(call + "\n", str(program), "exec")
    with pytest.raises(ArgumentError) as caught:
        exec(code, _namespace())  # noqa: S102  # one of the lines above
    return f"{caught.value}\n"


@pytest.mark.parametrize("name", CALLS)
def test_a_bad_argument_gives_one_clear_error(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    text = error_text(CALLS[name], tmp_path)
    golden = GOLDEN / f"{name}.txt"
    if request.config.getoption("--update-golden", default=False):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_there_is_no_golden_file_without_a_call() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == sorted(CALLS)
