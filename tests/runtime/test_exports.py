from __future__ import annotations

import subprocess
import sys

import pytest

import gpucomp.runtime


@pytest.mark.parametrize("name", gpucomp.runtime.__all__)
def test_every_exported_name_is_there(name: str) -> None:
    assert getattr(gpucomp.runtime, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = gpucomp.runtime.nonsense


def test_threads_are_counted() -> None:
    assert gpucomp.runtime.num_threads() >= 1


def test_importing_the_package_of_the_runtime_loads_nothing_heavy() -> None:
    code = "import sys, gpucomp.runtime; print(sorted({'numpy', 'pyopencl', 'pycuda', 'llvmlite'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
