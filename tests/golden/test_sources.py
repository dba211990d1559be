"""Generated sources: the text of every golden kernel, its meaning, and that each target's compiler takes it.

``pytest tests/golden --update-golden`` rewrites the files; the diff is what a change does to users' kernels.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import gpucomp
from gpucomp.driver.build import compile_function, lower_primfunc
from gpucomp.runtime.cuda_compile import compile_cuda
from gpucomp.target import Target
from gpucomp.te import lower_schedule
from gpucomp.tir.function import PrimFunc
from tests.golden.cases import CASES, Case
from tests.golden.support import assert_same, make_arrays, reference, run_interpreted
from tests.tiers import slow

SOURCES = Path(__file__).parent / "sources"
# Math functions may differ in the last bits between backends; everything else is exact on small whole numbers.
INEXACT = {
    "math_functions": 2e-6,
    "softmax_5x50_float32": 2e-6,
    "layer_norm_5x96_float32": 2e-6,
    "gelu_chain_1000_float16": 1e-3,
    "shared_stencil": 2e-7,
    "casts": 0.0,
}
TARGETS = {"cu": Target("cuda -arch=sm_90"), "cl": Target("opencl")}


def _check_text(path: Path, text: str, update: bool) -> None:
    if update:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path.name} is missing: run pytest tests/golden --update-golden"
    assert path.read_text(encoding="utf-8") == text


def _lowered(case: Case, target: Target) -> tuple[PrimFunc, PrimFunc]:
    schedule, args = case.make(target)
    func = lower_schedule(schedule, args, case.name)
    return func, lower_primfunc(func, target)


@pytest.mark.parametrize("name", CASES)
def test_the_script_of_the_loop_nest_is_as_recorded(name: str, update_golden: bool) -> None:
    func, _ = _lowered(CASES[name], TARGETS["cu"])
    _check_text(SOURCES / f"{name}.tir", func.script() + "\n", update_golden)


@pytest.mark.parametrize("suffix", ["cu", "cl"])
@pytest.mark.parametrize("name", CASES)
def test_generated_source_is_as_recorded(name: str, suffix: str, update_golden: bool) -> None:
    schedule, args = CASES[name].make(TARGETS[suffix])
    text = gpucomp.source(schedule, args, TARGETS[suffix], name)
    _check_text(SOURCES / f"{name}.{suffix}", text, update_golden)


# For the other targets tests/driver/test_verify.py compares the interpreter's results after each pass, and
# test_devices.py those of the devices with the reference.
@pytest.mark.parametrize("name", CASES)
def test_the_lowered_kernel_means_what_the_operators_mean(name: str) -> None:
    case = CASES[name]
    schedule, args = case.make(TARGETS["cu"])
    arrays = make_arrays(schedule, args, case.shapes, seed=1)
    want = reference(schedule, args, arrays)
    _, lowered = _lowered(case, TARGETS["cu"])
    assert_same(run_interpreted(lowered, arrays), want, args, INEXACT.get(name, 0.0))


@pytest.mark.parametrize("arch", [*slow("sm_80"), "sm_90a"])
@pytest.mark.parametrize("name", CASES)
def test_cuda_source_compiles_without_spills(name: str, arch: str, require_nvrtc: object) -> None:
    target = Target(f"cuda -arch={arch}")
    schedule, args = CASES[name].make(target)
    data = compile_function(schedule, args, target, name)
    for variant in data.variants:
        cubin, log = compile_cuda(variant.image.source, arch, (*variant.image.options, "--ptxas-options=-v"))
        assert cubin
        assert "0 bytes spill stores, 0 bytes spill loads" in log
        assert log.count("spill stores") == log.count(" 0 bytes spill stores")


def test_emitting_twice_gives_the_same_text() -> None:
    for name in ("matmul_33x37x21_float32", "softmax_5x50_float32"):
        texts: list[str] = []
        for _ in range(2):
            schedule, args = CASES[name].make(TARGETS["cu"])
            with gpucomp.config.override(cache=False):
                texts.append(gpucomp.source(schedule, args, TARGETS["cu"], name))
        assert texts[0] == texts[1]
