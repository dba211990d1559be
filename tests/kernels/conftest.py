"""OpenCL kernels of the library are compiled without PoCL's optimizer: that takes half as long, and it is not ours.

Its work is tested with the recorded kernels (``tests/golden``), the fuzzer's, and the drawn sizes below.
"""

from __future__ import annotations

from typing import Final

import pytest

OPTIMIZED: Final = ("test_random_cases.py", "test_random_shapes.py")
FEW: Final = "test_a_streaming_operator"  # those of the second file that are not


@pytest.fixture(autouse=True)
def _plain_opencl(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyopencl adds what this variable says to the options of each program."""
    if request.path.name not in OPTIMIZED or request.node.name.startswith(FEW):
        monkeypatch.setenv("PYOPENCL_BUILD_OPTIONS", "-cl-opt-disable")
