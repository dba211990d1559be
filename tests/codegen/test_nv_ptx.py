"""NVIDIA's assembly in OpenCL C: exchanges between the threads of a warp where the device has them, never elsewhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

import gpucomp
from gpucomp import te
from gpucomp.kernels import registry
from gpucomp.support.config import config
from gpucomp.support.diagnostics import GpucompError
from gpucomp.target import Target, target
from gpucomp.te import Schedule, Tensor
from tests.requirements import require_tool

PLAIN = Target({"kind": "opencl", "features": ["fp64"]})
WITH_PTX = Target({"kind": "opencl", "features": ["fp64", "nv_ptx", "shuffle"], "thread_warp_size": 32})


def row_reduction(dtype: str, kind: str = "sum", threads: int = 32, target: Target = WITH_PTX) -> str:
    """The source of a kernel that reduces the rows of a matrix with ``threads`` threads."""
    a = te.placeholder((4, 100), dtype, "A")
    k = te.reduce_axis((0, 100), "k")
    reduce = {"sum": te.sum, "max": te.max}[kind]
    b = te.compute((4,), lambda i: reduce(a[i, k.var], axis=k), name="B")
    s = te.create_schedule(b.op)
    return gpucomp.source(_bind(s, b, threads), [a, b], target)


def _bind(s: Schedule, b: Tensor, threads: int) -> Schedule:
    s[b].bind(b.op.axis[0], te.thread_axis("blockIdx.x"))
    _, inner = s[b].split(b.op.reduce_axis[0], factor=threads)
    s[b].bind(inner, te.thread_axis("threadIdx.x"))
    return s


def ptx_of(source: str, folder: Path) -> str:
    """The unit as PTX."""
    path = folder / "unit.cl"
    path.write_text(source, encoding="utf-8")
    command = [require_tool("clang-19"), "-x", "cl", "-cl-std=CL1.2", "-O3", "-target", "nvptx64-nvidia-cuda"]
    command += ["-march=sm_80", "-Xclang", "-target-feature", "-Xclang", "+ptx70", "-S", str(path), "-o", "-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint32", "float64", "int64", "float16", "int8"])
def test_warps_reduce_by_exchanges_of_every_type(dtype: str, tmp_path: Path) -> None:
    text = ptx_of(row_reduction(dtype), tmp_path)
    steps = 5 * (2 if dtype in ("float64", "int64") else 1)
    assert len(re.findall(r"shfl\.sync\.bfly\.b32", text)) == steps
    assert "bar.sync" not in text


def test_lanes_and_segments_are_those_of_cuda() -> None:
    """The distances, widths and masks are the same; only the word for the exchange differs."""
    for threads in (8, 32, 256):
        ours = row_reduction("float32", threads=threads)
        cuda = row_reduction("float32", threads=threads, target=Target("cuda -arch=sm_90"))
        mine = re.findall(r"= gc_shuffle_xor_float32(\(.*\));", ours)
        assert mine
        assert mine == re.findall(r"= __shfl_xor_sync(\(.*\));", cuda)


def test_the_third_operand_holds_segment_and_reach() -> None:
    source = row_reduction("float32", threads=8)
    assert '"r"(((32 - width) << 8) | 31)' in source


@pytest.mark.parametrize("name", ["softmax", "row_argmax", "layer_norm"])
def test_plain_opencl_has_no_assembly(name: str) -> None:
    operator = registry.get(name)
    definition = operator.define((8, 512))
    text = gpucomp.source(operator.schedule(definition, PLAIN), definition.args, PLAIN)
    assert "asm" not in text
    assert "shfl" not in text
    fast = gpucomp.source(operator.schedule(definition, WITH_PTX), definition.args, WITH_PTX)
    assert "shfl.sync" in fast


def test_exchanges_without_a_form_for_them_are_refused() -> None:
    odd = Target({"kind": "opencl", "features": ["shuffle"], "thread_warp_size": 32})
    with pytest.raises(GpucompError, match="nv_ptx"):
        row_reduction("float32", target=odd)


def test_only_nvidias_devices_get_it_and_a_setting_takes_it_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(features: set[str]) -> None:
        attributes = SimpleNamespace(
            name="GPU", features=frozenset(features), is_cpu=False, warp_size=32, max_threads_per_block=1024,
                multi_processor_count=132,
            max_shared_memory_per_block=49152, max_block_dims=(1024, 1024, 64), compute_version="1.2",
        )  # fmt: skip
        device = SimpleNamespace(kind="opencl", attributes=attributes)
        monkeypatch.setattr(target, "parse_device", lambda _: device)

    found({"int64", "fp64", "nv_ptx"})
    made = Target.from_device("opencl:0")
    assert {"nv_ptx", "shuffle"} <= made.features
    assert made.thread_warp_size == 32
    with config.override(opencl_ptx=False):
        assert not {"nv_ptx", "shuffle"} & Target.from_device("opencl:0").features
    found({"int64", "fp64", "subgroups"})
    assert not {"nv_ptx", "shuffle"} & Target.from_device("opencl:0").features
