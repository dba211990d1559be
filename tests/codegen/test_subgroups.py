"""Subgroups of OpenCL in place of warps: where a target says that they are there, never elsewhere."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast  # cast: what stands in for a device

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.kernels import registry
from gpucomp.runtime import opencl_attributes
from gpucomp.support.diagnostics import GpucompError
from gpucomp.target import Target
from gpucomp.tir import intrin
from gpucomp.tir.expr import Expr, Var
from tests.kernels.running import run_into, wide
from tests.requirements import require_tool

if TYPE_CHECKING:
    import pyopencl as cl

SUBGROUPS = Target({"kind": "opencl", "features": ["fp64", "subgroups"]})
NEEDED = {"subgroups", "subgroup_shuffle", "subgroup_size"}


def a_device() -> gpucomp.Device:
    """The first device that has all that such kernels need."""
    for index in range(gpucomp.opencl(0).api.count()):
        device = gpucomp.opencl(index)
        if device.attributes.features >= NEEDED:
            return device
    pytest.skip("no OpenCL device here has cl_khr_subgroup_shuffle and cl_intel_required_subgroup_size")


def reduction(kind: str, threads: int, dtype: str = "float32", rows: int = 1) -> tuple[te.Schedule, list[te.Tensor]]:
    """Rows of 100 elements, each reduced by ``threads`` threads, ``rows`` of them in a block."""
    a = te.placeholder((8, 100), dtype, "A")
    k = te.reduce_axis((0, 100), "k")
    reduce = {"sum": te.sum, "max": te.max}[kind]
    b = te.compute((8,), lambda i: reduce(a[i, k.var], axis=k), name="B")
    s = te.create_schedule(b.op)
    outer, inner = s[b].split(b.op.axis[0], factor=rows)
    s[b].bind(outer, te.thread_axis("blockIdx.x"))
    s[b].bind(inner, te.thread_axis("threadIdx.y"))
    s[b].bind(s[b].split(b.op.reduce_axis[0], factor=threads)[1], te.thread_axis("threadIdx.x"))
    return s, [a, b]


def check_builtins(source: str, folder: Path) -> None:
    """A compiler that knows the extensions' functions takes the text: names, types and numbers of arguments."""
    path = folder / "unit.cl"
    path.write_text(source, encoding="utf-8")
    command = [require_tool("clang-19"), "-x", "cl", "-cl-std=CL3.0", "-target", "spir64", "-Werror"]
    command += ["-Xclang", "-cl-ext=+all", "-Dcl_khr_subgroup_shuffle", "-fsyntax-only", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "uint32", "int64", "float64"])
def test_values_of_every_type_are_exchanged_in_subgroups(dtype: str, tmp_path: Path) -> None:
    source = gpucomp.source(*reduction("sum", 32, dtype), SUBGROUPS)
    assert source.count("sub_group_shuffle_xor(") == 5
    assert "intel_reqd_sub_group_size(32)" in source
    assert "__local" not in source
    assert "barrier" not in source
    check_builtins(source, tmp_path)


def test_an_argmax_reads_lanes_of_its_segment(tmp_path: Path) -> None:
    operator = registry.get("row_argmax")
    definition = operator.define((8, 512))
    source = gpucomp.source(operator.schedule(definition, SUBGROUPS), definition.args, SUBGROUPS)
    assert "sub_group_shuffle(" in source
    check_builtins(source, tmp_path)


def test_plain_opencl_has_no_subgroups() -> None:
    assert "sub_group" not in gpucomp.source(*reduction("sum", 32), Target("opencl"))
    odd = Target({"kind": "opencl", "features": ["shuffle"], "thread_warp_size": 32})
    with pytest.raises(GpucompError, match="subgroups"):
        gpucomp.source(*reduction("sum", 32), odd)


def test_subgroups_have_32_threads() -> None:
    assert SUBGROUPS.thread_warp_size == 32
    assert "shuffle" in SUBGROUPS.features
    assert Target(SUBGROUPS.export()) == SUBGROUPS
    with pytest.raises(GpucompError, match="32 threads"):
        Target({"kind": "opencl", "features": ["subgroups"], "thread_warp_size": 16})


@pytest.mark.opencl
@pytest.mark.parametrize("kind", ["sum", "max"])
@pytest.mark.parametrize(("threads", "rows"), [(32, 1), (64, 2), (8, 4), (16, 1), (128, 1), (2, 8)])
def test_subgroups_reduce_rows(kind: str, threads: int, rows: int) -> None:
    device = a_device()
    s, args = reduction(kind, threads, rows=rows)
    x = np.random.default_rng(threads).integers(-9, 10, (8, 100)).astype("float32")
    out = gpucomp.nd.array(np.full(8, np.nan, "float32"), device)
    gpucomp.build(s, args, SUBGROUPS)(gpucomp.nd.array(x, device), out)
    np.testing.assert_array_equal(out.numpy(), x.sum(1) if kind == "sum" else x.max(1))


@pytest.mark.opencl
@pytest.mark.parametrize("name", ["softmax", "row_argmax", "layer_norm", "row_sum"])
@pytest.mark.parametrize("shape", [(5, 300), (3, 2048)])
def test_operators_with_subgroups_are_right(name: str, shape: tuple[int, int]) -> None:
    device = a_device()
    operator = registry.get(name)
    definition = operator.define(shape)
    schedule = operator.schedule(definition, SUBGROUPS)
    inputs = operator.make_inputs(shape, "float32", np.random.default_rng(1))
    outputs = operator.make_outputs(shape, "float32")
    assert "sub_group" in gpucomp.source(schedule, definition.args, SUBGROUPS)
    got = run_into(schedule, definition, inputs, outputs, device, SUBGROUPS)
    for mine, want in zip(got, operator.reference(inputs, shape), strict=True):
        np.testing.assert_allclose(wide(mine), wide(want), rtol=1e-4, atol=1e-5)


@pytest.mark.opencl
@pytest.mark.parametrize("width", [4, 32])
def test_lanes_are_those_of_warps(width: int) -> None:
    device = a_device()
    a = te.placeholder((64,), "float32", "A")
    names = ("shuffle", "shuffle_up", "shuffle_down", "shuffle_xor")
    rest = te.const(3), te.const(width)

    def exchanged(i: Var) -> tuple[Expr, ...]:
        return tuple([intrin.call_intrin("float32", x, te.const(0xFFFFFFFF, "uint32"), a[i], *rest) for x in names])

    outs = te.compute((64,), exchanged)
    s = te.create_schedule(outs[0].op)
    s[outs[0]].bind(outs[0].op.axis[0], te.thread_axis("threadIdx.x"))
    x = np.random.default_rng(0).permutation(64).astype("float32")
    got = [gpucomp.nd.array(np.full(64, np.nan, "float32"), device) for _ in names]
    gpucomp.build(s, [a, *outs], SUBGROUPS)(gpucomp.nd.array(x, device), *got)
    lane, at = np.arange(64) % width, np.arange(64)
    want = [at - lane + 3, np.where(lane >= 3, at - 3, at), np.where(lane + 3 < width, at + 3, at), at ^ 3]
    for mine, lanes in zip(got, want, strict=True):
        np.testing.assert_array_equal(mine.numpy(), x[lanes])


@pytest.mark.opencl
def test_a_device_without_subgroups_is_told_apart_before_it_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    device = gpucomp.opencl(0)
    lacking = dataclasses.replace(device.attributes, features=device.attributes.features - {"subgroup_shuffle"})
    monkeypatch.setattr(device.api, "attributes", lambda _: lacking)
    s, args = reduction("sum", 32, rows=8)  # a kernel that no other test has had compiled
    a, b = gpucomp.nd.array(np.ones((8, 100), "float32"), device), gpucomp.nd.array(np.zeros(8, "float32"), device)
    with pytest.raises(GpucompError, match=r"lacks .*cl_khr_subgroup_shuffle"):
        gpucomp.build(s, args, SUBGROUPS)(a, b)


@pytest.mark.parametrize(("version", "kept"), [("PoCL 5.0", False), ("PoCL 6.0", True)])
def test_continuations_of_pocl_have_no_exchanges(version: str, kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCL_WORK_GROUP_METHOD", "")  # so that it is put back
    monkeypatch.delenv("POCL_WORK_GROUP_METHOD")
    platform = SimpleNamespace(name="Portable Computing Language", version=f"OpenCL 3.0 {version}+debian  Linux")
    everything = frozenset({"cl_khr_subgroups", "cl_khr_subgroup_shuffle", "cl_intel_required_subgroup_size"})
    found = opencl_attributes.features_of(cast("cl.Device", SimpleNamespace(platform=platform)), everything)
    assert ("subgroup_shuffle" in found) == kept
