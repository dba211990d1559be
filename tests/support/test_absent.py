"""Names that are not here: each answer says what takes their place."""

from __future__ import annotations

import importlib

import pytest

import gpucomp
from gpucomp.support.absent import no_attribute


@pytest.mark.parametrize(
    ("module", "name", "words"),
    [
        ("gpucomp", "auto_scheduler", "gpucomp list"),
        ("gpucomp", "rocm", "targets are cuda, opencl and llvm"),
        ("gpucomp", "devise", "did you mean 'device'?"),
        ("gpucomp", "xyzzy", "module 'gpucomp' has no attribute 'xyzzy'"),
        ("gpucomp.tir", "Schedule", "te.create_schedule"),
        ("gpucomp.tir", "IntImmm", "did you mean 'IntImm'?"),
        ("gpucomp.topi", "broadcast_add", "did you mean 'add'?"),
        ("gpucomp.topi", "broadcast_mul", "did you mean 'multiply'?"),
        ("gpucomp.topi", "sofmax", "did you mean 'nn.softmax'?"),
    ],
)
def test_a_name_that_is_missing_has_a_counterpart(module: str, name: str, words: str) -> None:
    with pytest.raises(AttributeError, match=f"module {module!r} has no attribute {name!r}") as caught:
        getattr(importlib.import_module(module), name)
    assert words in str(caught.value)


def test_an_import_of_a_missing_part_says_why() -> None:
    with pytest.raises(ImportError, match=r"TVMScript is no input.*docs/coming-from-tvm\.md"):
        exec("from gpucomp import script")  # noqa: S102  # an import that a linter would refuse
    assert not hasattr(gpucomp, "script")


@pytest.mark.parametrize("name", ["auto_scheduler", "relay", "contrib", "rpc", "script", "gpu", "rocm"])
def test_what_is_said_to_be_missing_is_missing(name: str) -> None:
    assert isinstance(no_attribute("gpucomp", name, ()), AttributeError)
    assert not hasattr(gpucomp, name)
    assert not hasattr(gpucomp.tir, "Schedule")
