"""How element-wise kernels are cut for GPUs."""

from __future__ import annotations

import re

import pytest

import gpucomp
from gpucomp.kernels import registry


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "target", "threads"),
    [("add", (1 << 26,), "float16", "cuda", 1024), ("copy", (1 << 26,), "float32", "cuda", 1024),
     ("add", (1 << 20,), "float16", "cuda", 256), ("gelu", (1 << 26,), "float16", "cuda", 256),
     ("gelu_chain", (1 << 26,), "float16", "cuda", 256), ("add_bias", (8192, 8192), "float16", "cuda", 256),
     ("add", (1 << 26,), "float32", "opencl", 256)],
)  # fmt: skip
def test_blocks_are_large_where_much_is_moved_and_little_computed(
    name: str, shape: tuple[int, ...], dtype: str, target: str, threads: int
) -> None:
    operator = registry.get(name)
    definition = operator.define(shape, dtype, target)
    text = gpucomp.source(operator.schedule(definition, target), definition.args, target, name)
    found = re.search(r"block \((\d+), 1, 1\)|reqd_work_group_size\((\d+), 1, 1\)", text)
    assert found is not None
    assert int(found.group(1) or found.group(2)) == threads
