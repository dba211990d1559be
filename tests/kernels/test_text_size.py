"""How much text products and convolutions of odd small sizes become on processors: compilers take as long as it is."""

from __future__ import annotations

import pytest

from gpucomp.codegen.llvm import emit_cpu
from gpucomp.driver.build import lower_primfunc
from gpucomp.kernels import registry
from gpucomp.target import Target
from gpucomp.te import lower_schedule

PLAIN = Target("llvm -without=avx512vnni,avx512bf16")
DOTS = Target({"kind": "llvm", "features": ["avx512f", "avx512vnni", "avx512bf16"]})
MOST = 500_000  # characters, which LLVM takes about a second for


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "target"),
    [
        ("matmul_int8", (97, 129, 66), "int8", PLAIN),  # a copy of a panel, with a branch for each byte
        ("matmul_int8", (97, 128, 64), "int8", DOTS),
        ("matmul", (33, 65, 31), "float32", PLAIN),
        ("matmul_tn", (33, 65, 31), "float32", PLAIN),
        ("matmul_nt", (7, 1000, 5), "bfloat16", PLAIN),
        ("matmul_nt", (64, 64, 32), "float32", PLAIN),  # a panel of 8 KB, put together element by element
        ("conv2d", (1, 17, 5, 33, 1, 1), "bfloat16", PLAIN),
        ("conv2d_transpose", (1, 3, 9, 17, 4, 3), "float32", PLAIN),
        ("depthwise_conv2d_nchw", (1, 7, 33, 33, 7, 1, 1, 1), "float32", PLAIN),
        ("depthwise_conv2d_nhwc", (1, 35, 13, 17, 5, 1, 2, 2), "float32", PLAIN),  # two filters for each channel
    ],
    ids=lambda value: "dots" if value is DOTS else "plain" if value is PLAIN else None,
)
def test_the_text_of_odd_small_sizes_is_short(name: str, shape: tuple[int, ...], dtype: str, target: Target) -> None:
    operator = registry.get(name)
    defn = operator.define(shape, dtype)
    lowered = lower_primfunc(lower_schedule(operator.schedule(defn, target), defn.args, name), target)
    assert len(emit_cpu(lowered).source) <= MOST
