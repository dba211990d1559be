"""Errors as users meet them."""

from __future__ import annotations

import gpucomp
from gpucomp.support import diagnostics


def test_an_error_can_be_caught_under_the_name_that_it_prints() -> None:
    kinds = [diagnostics.GpucompError, *diagnostics.GpucompError.__subclasses__()]
    kinds = [k for k in kinds if k.__module__ == diagnostics.__name__]  # the command's own never reaches a program
    assert len(kinds) > 5
    for kind in kinds:
        printed = str(kind("what is wrong", code="GC999")).split("[")[0]
        package, name = printed.split(".")
        assert package == "gpucomp"
        assert getattr(gpucomp, name) is kind
        assert name in gpucomp.__all__
