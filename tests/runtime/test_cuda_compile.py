"""Compiling CUDA C needs no GPU: these run wherever NVRTC (or nvcc) is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpucomp.runtime import cuda_compile
from gpucomp.runtime.base import get_api
from gpucomp.runtime.cuda_compile import (
    cached_cuda,
    compile_cuda,
    cuda_compiler,
    find_nvcc,
    ptx_text,
    resources,
    sass_text,
)
from gpucomp.runtime.module import Module
from gpucomp.support.config import config
from gpucomp.support.diagnostics import ArgumentError, BuildError
from tests.requirements import require_nvrtc
from tests.runtime.programs import CUDA_ADD, add_function

SHARED = """\
extern "C" __global__ void __launch_bounds__(128) reverse(float* a) {
  __shared__ float s[128];
  s[threadIdx.x] = a[threadIdx.x];
  __syncthreads();
  a[threadIdx.x] = s[127 - threadIdx.x];
}
"""
SPILLING = """\
extern "C" __global__ void __launch_bounds__(1024) spill(float* a) {
  float v[128];
  #pragma unroll
  for (int i = 0; i < 128; ++i) v[i] = a[i * 1024 + threadIdx.x];
  __syncthreads();
  #pragma unroll
  for (int i = 0; i < 128; ++i) a[i * 1024 + threadIdx.x] = v[127 - i] * v[i];
}
"""


@pytest.fixture(autouse=True)
def _private_cache(tmp_path: Path) -> Iterator[None]:
    with config.override(cache_dir=tmp_path):
        yield


def _compilers() -> list[str]:
    return ["nvrtc", *(["nvcc"] if find_nvcc() else [])]


@pytest.mark.parametrize("arch", ["sm_80", "sm_90a"])
def test_a_cubin_is_made_without_a_gpu(arch: str) -> None:
    require_nvrtc()
    cubin, log = compile_cuda(CUDA_ADD + SHARED, arch)
    assert cubin.startswith(b"\x7fELF")
    found = resources(log)
    assert sorted(found) == ["add", "reverse"]
    assert {item.arch for item in found.values()} == {arch}
    assert found["reverse"].static_shared == 512
    assert found["reverse"].barriers == 1
    assert 4 <= found["add"].registers <= 32
    assert all(item.spill_stores == item.spill_loads == 0 for item in found.values())


def test_spills_show_in_the_resources() -> None:
    require_nvrtc()
    found = resources(compile_cuda(SPILLING, "sm_80")[1])["spill"]
    assert found.spill_stores > 0
    assert found.spill_loads > 0
    assert found.stack > 0
    assert found.registers <= 64


@pytest.mark.parametrize("compiler", _compilers())
def test_both_compilers_agree_and_show_the_line_of_an_error(compiler: str) -> None:
    require_nvrtc()
    with config.override(cuda_compiler=compiler):
        assert compiler in cuda_compiler().name.lower()
        assert set(resources(compile_cuda(SHARED, "sm_90a")[1])) == {"reverse"}
        assert ".target sm_90a" in ptx_text(SHARED, "sm_90a")
        with pytest.raises(BuildError) as caught:
            compile_cuda(SHARED.replace("= s[127", "= t[127"), "sm_80")
    assert caught.value.message.endswith('cannot compile for sm_80: identifier "t" is undefined')
    shown = str(caught.value.context).splitlines()
    assert shown[0].endswith(".cu:5")
    marked = next(number for number, line in enumerate(shown) if line.strip().startswith(">"))
    assert "a[threadIdx.x] = t[127 - threadIdx.x];" in shown[marked]
    assert shown[marked].index("t[127") == shown[marked + 1].index("^")
    assert Path(shown[0].rpartition(":")[0]).read_text() == SHARED.replace("= s[127", "= t[127")


def test_an_unknown_architecture_is_refused() -> None:
    require_nvrtc()
    with pytest.raises(BuildError, match=r"cannot compile for sm_12: .*architecture"):
        compile_cuda(CUDA_ADD, "sm_12")


def test_options_reach_the_compiler() -> None:
    require_nvrtc()
    source = 'extern "C" __global__ void k(float* a) { a[0] = VALUE; }'
    assert compile_cuda(source, "sm_80", ["-DVALUE=3.0f"])[0]
    with pytest.raises(BuildError, match='identifier "VALUE" is undefined'):
        compile_cuda(source, "sm_80")


def test_the_second_compilation_comes_from_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    require_nvrtc()
    first = cached_cuda(CUDA_ADD, "sm_80")

    def refuse(*_: object) -> object:
        raise AssertionError("compiled again")

    monkeypatch.setattr(cuda_compile.NvrtcCompiler, "compile", refuse)
    assert cached_cuda(CUDA_ADD, "sm_80") == first
    for changed in ((CUDA_ADD + "\n", "sm_80", ()), (CUDA_ADD, "sm_90a", ()), (CUDA_ADD, "sm_80", ("-DX",))):
        with pytest.raises(AssertionError, match="compiled again"):
            cached_cuda(*changed)
    with config.override(cache=False), pytest.raises(AssertionError, match="compiled again"):
        cached_cuda(CUDA_ADD, "sm_80")


def test_the_sources_of_a_module_can_be_read_without_a_gpu() -> None:
    require_nvrtc()
    module = Module({"add": add_function("cuda", CUDA_ADD)})
    assert module.get_source() == module.imported_modules[0].get_source() == CUDA_ADD
    assert ".visible .entry add(" in module.get_source("ptx")
    with pytest.raises(ArgumentError, match="cuda code has no form 'asm'") as caught:
        module.get_source("asm")
    assert caught.value.hint == "known: cuda, cu, ptx, sass, host"


def test_no_compiler_at_all_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_compile, "_make_nvrtc", lambda: "No module named 'cuda'")
    monkeypatch.setattr(cuda_compile, "find_nvcc", lambda: None)
    with pytest.raises(BuildError, match=r"there is no CUDA compiler \(NVRTC: No module named 'cuda'\)") as caught:
        compile_cuda(CUDA_ADD)
    assert 'pip install "gpucomp[nvrtc]"' in str(caught.value.hint)
    with pytest.raises(BuildError, match="nvcc is on no path"):
        cuda_compiler("nvcc")


def test_nvcc_is_looked_for_in_cuda_home_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "bin" / "nvcc"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 'Cuda compilation tools, release 12.8, V12.8.1'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    assert find_nvcc() == str(tool)
    monkeypatch.delenv("CUDA_HOME")
    monkeypatch.setenv("CUDA_ROOT", str(tmp_path))
    assert find_nvcc() == str(tool)
    assert cuda_compile.NvccCompiler(str(tool)).name == "nvcc 12.8"


def test_sass_without_a_disassembler_says_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_compile, "find_nvcc", lambda: None)
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(BuildError, match="neither nvdisasm nor cuobjdump"):
        sass_text(b"")


def test_without_a_driver_the_reason_and_the_remedy_are_given() -> None:
    api = get_api("cuda")
    if api.count():
        pytest.skip("there is a CUDA device here")
    missing = api.why_missing()
    assert missing is not None
    assert missing.reason
    assert missing.remedy


def test_compiling_imports_no_launching_package() -> None:
    require_nvrtc()
    code = (
        "import sys; from gpucomp.runtime.cuda_compile import compile_cuda\n"
        "compile_cuda('extern \"C\" __global__ void k() {}', 'sm_80')\n"
        "print('pycuda' in sys.modules, 'pyopencl' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
