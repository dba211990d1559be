"""Names that are no C identifiers, or that hide keywords and built-ins, never reach the source as they are."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.driver.build import compile_function
from gpucomp.runtime.cuda_compile import compile_cuda
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor
from tests.tiers import tiered

NAMES = (
    "float", "3rd result", "__global", "kernel", "main", "a.b", "größe", "数据", "if", "restrict", "__restrict__",
    "half", "int8", "float4", "min", "fmaf", "threadIdx", "blockIdx.x", "get_global_id", "barrier", "__shared__",
    "NULL", "true", "CL_VERSION", "__CUDA_ARCH__", "a-b", "x;}", "*/", "\n#error", "", " ", "new", "class",
    "main_kernel", "uint", "size_t", "local", "__local", "gpucomp", "%v0", '"', "\\",
)  # fmt: skip
TRIPLES = [(NAMES[i], NAMES[(i + 1) % len(NAMES)], NAMES[(i + 2) % len(NAMES)]) for i in range(0, len(NAMES), 3)]
CUDA = Target("cuda -arch=sm_90")


def named(first: str, second: str, third: str) -> tuple[Schedule, list[Tensor]]:
    """Scaled row sums with a shared tile, whose tensors, axes and extents have the given names."""
    n = te.var(third)
    a, b = te.placeholder((n, 12), name=first), te.placeholder((12,), name=second)
    k = te.reduce_axis((0, 12), second)
    c = te.compute((n,), lambda i: te.sum(a[i, k] * b[k], axis=k), name=third)
    s = te.create_schedule(c.op)
    shared = s.cache_read(b, "shared", [c])
    local = s.cache_write(c, "local")
    outer, inner = s[c].split(c.op.axis[0], factor=4)
    s[c].bind(outer, te.thread_axis("blockIdx.x", name=first))
    s[c].bind(inner, te.thread_axis("threadIdx.x", name=second))
    s[local].compute_at(s[c], inner)
    s[shared].compute_at(s[c], outer)
    s[shared].bind(s[shared].split(shared.op.axis[0], factor=4)[1], te.thread_axis("threadIdx.x"))
    return s, [a, b, c]


def check(target: Target, device: gpucomp.Device, names: tuple[str, str, str]) -> None:
    """Build under awkward names, run, compare."""
    s, args = named(*names)
    module = gpucomp.build(s, args, target, name=names[0])
    rng = np.random.default_rng(0)
    x, y = (rng.integers(-3, 4, shape).astype("float32") for shape in ((10, 12), (12,)))
    out = gpucomp.nd.array(np.full(10, 77, "float32"), device)
    module(gpucomp.nd.array(x, device), gpucomp.nd.array(y, device), out)
    np.testing.assert_array_equal(out.numpy(), x @ y)


@pytest.mark.parametrize("names", TRIPLES, ids=lambda n: ascii(n))
def test_cuda_takes_awkward_names(names: tuple[str, str, str], require_nvrtc: object) -> None:
    s, args = named(*names)
    for variant in compile_function(s, args, CUDA, names[0]).variants:
        assert variant.image.source.isascii()
        cubin, _ = compile_cuda(variant.image.source, CUDA.arch, variant.image.options)
        assert cubin


@pytest.mark.opencl
@pytest.mark.parametrize("names", tiered(TRIPLES, TRIPLES[::4]), ids=lambda n: ascii(n))
def test_opencl_takes_awkward_names(names: tuple[str, str, str]) -> None:
    check(Target("opencl"), gpucomp.opencl(0), names)


@pytest.mark.parametrize("names", TRIPLES, ids=lambda n: ascii(n))
def test_the_processor_takes_awkward_names(names: tuple[str, str, str]) -> None:
    check(Target("llvm"), gpucomp.cpu(0), names)


def test_tensors_of_one_name_stay_apart() -> None:
    check(Target("llvm"), gpucomp.cpu(0), ("x", "x", "x"))


@pytest.mark.opencl
def test_tensors_of_one_name_stay_apart_on_devices() -> None:
    check(Target("opencl"), gpucomp.opencl(0), ("x", "x", "x"))


@pytest.mark.opencl
def test_kernels_of_long_names_have_shorter_ones_of_their_own() -> None:
    n, m = te.var("n" * 150), te.var("m" * 150)
    a = te.placeholder((n, m), name="A")
    b = te.compute((n, m), lambda i, j: a[i, j] * 2.0, name="B")
    s = te.create_schedule(b.op)
    s[b].bind(b.op.axis[0], te.thread_axis("blockIdx.x"))
    module = gpucomp.build(s, [a, b], "opencl", name="f" * 200, specialize=[{n: rows, m: 5} for rows in (3, 4)])
    for rows in (3, 4, 6):
        x = np.arange(rows * 5, dtype="float32").reshape(rows, 5)
        np.testing.assert_array_equal(module(x), 2 * x)
    names = [kernel.name for variant in module.entry_func.data.variants for kernel in variant.image.kernels]
    assert len({*names}) == len(names) >= 3
    assert max([len(name) for name in names]) <= 120
