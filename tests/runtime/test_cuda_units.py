"""Kernels of one source that are compiled side by side: needs no GPU."""

from __future__ import annotations

import os

import pytest

import gpucomp
from gpucomp.kernels import registry
from gpucomp.runtime import cuda_units
from gpucomp.runtime.cuda_compile import compile_cuda, resources
from gpucomp.runtime.cuda_units import compiled_units, parts_of
from gpucomp.support.config import config
from gpucomp.support.diagnostics import BuildError
from gpucomp.support.launch import KernelImage, KernelSpec
from tests.requirements import require_nvrtc

HELPER = "static __device__ __forceinline__ float twice(float x) {\n  return x + x;\n}\n"
NAMES = ("first", "second")


def kernel(name: str, length: int = 3000) -> str:
    lines = "".join([f"  a[{i}] = twice(a[{i}]);\n" for i in range(length // 24)])
    return (
        f"// {name}: grid (1, 1, 1), block (1, 1, 1)\n"
        f'extern "C" __global__ void {name}(float* __restrict__ a) {{\n{lines}}}\n\n'
    )


def image(source: str, *names: str) -> KernelImage:
    return KernelImage("cuda", source, tuple([KernelSpec(name, ("float32*",)) for name in names]))


def test_long_kernels_are_programs_of_their_own_with_the_helpers() -> None:
    first, second = kernel("first"), kernel("second")
    assert parts_of(HELPER + first + second, NAMES) == [HELPER + first, HELPER + second]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(HELPER + kernel("first") + kernel("second", 100), id="all but one are short"),
        pytest.param("__device__ int counter;\n" + HELPER + kernel("first") + kernel("second"), id="a shared variable"),
        pytest.param("__constant__ int a[4];\n" + HELPER + kernel("first") + kernel("second"), id="shared constants"),
        pytest.param(HELPER + kernel("second") + kernel("first"), id="another order"),
        pytest.param(HELPER + kernel("first") + kernel("second") + kernel("third"), id="a kernel too many"),
        pytest.param(HELPER + (kernel("first") + kernel("second")).replace("// ", "/// "), id="somebody else's text"),
    ],
)
def test_other_sources_stay_whole(source: str) -> None:
    assert parts_of(source, NAMES) == [source]


def test_code_and_log_of_the_kernels_are_those_of_the_whole_source(monkeypatch: pytest.MonkeyPatch) -> None:
    require_nvrtc()
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    source = HELPER + kernel("first") + kernel("second")
    units = compiled_units(image(source, *NAMES), "sm_80")
    assert [unit.kernels for unit in units] == [("first",), ("second",)]
    apart = resources("\n".join([unit.log for unit in units]))
    assert apart == resources(compile_cuda(source, "sm_80")[1])
    assert all(["warning" not in unit.log for unit in units])


def test_one_core_compiles_the_whole_source(monkeypatch: pytest.MonkeyPatch) -> None:
    require_nvrtc()
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)
    source = HELPER + kernel("first") + kernel("second")
    assert [unit.kernels for unit in compiled_units(image(source, *NAMES), "sm_80")] == [NAMES]


def test_an_error_in_one_of_them_is_told_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    require_nvrtc()
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    source = HELPER + kernel("first") + kernel("second").replace("twice(a[7])", "thrice(a[7])")
    with config.override(cache=False), pytest.raises(BuildError, match='"thrice" is undefined'):
        compiled_units(image(source, *NAMES), "sm_80")


def test_a_product_in_two_kernels_is_taken_apart() -> None:
    target = gpucomp.target.Target("cuda -arch=sm_90a")
    operator = registry.get("matmul")
    definition = operator.define((4096, 11008, 4096), "float32", target)
    source = gpucomp.source(operator.schedule(definition, target), definition.args, target)
    names = [line.split(":")[0][3:] for line in source.splitlines() if line.startswith("// ") and ": grid (" in line]
    assert len(cuda_units.parts_of(source, names)) == len(names) >= 2
