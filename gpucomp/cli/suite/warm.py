"""What is compiled for a row before anything is timed, in processes of its own, and found on disk when its turn comes.

Ours: device code, in the library's cache.  Triton's kernels: in Triton's.  torch.compile chooses among forms by timing
them, which has to wait until nothing else runs: fourteen processes took 35 s for the graphs of eleven rows.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final  # Any: other libraries' modules and arrays

from gpucomp.cli.suite.row import Row
from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.runtime.cuda_units import compiled_units
from gpucomp.target.target import Target


def compile_ours(row: Row, target: Target) -> None:
    """Compile the row's kernels for a CUDA target."""
    operator = registry.get(row.op)
    definition = operator.define(row.shape, row.dtype, target)
    data = compile_function(operator.schedule(definition, target), definition.args, target, row.op)
    image = data.variants[0].get().image  # the one for aligned arrays
    compiled_units(image, image.arch or target.arch)


def compile_triton(row: Row) -> None:
    """Compile Triton's kernel for the row, if it has one."""
    from gpucomp.cli.suite.triton_peer import meta_of

    meta = meta_of(row)
    if meta is None:
        return
    torch: Any = importlib.import_module("torch")
    kernels: Any = importlib.import_module("gpucomp.cli.suite.triton_kernels")
    kind: Any = getattr(torch, row.dtype)
    arrays = [kind] * (len(registry.get(row.op).input_shapes(row.shape)) + 1)
    kernels.KERNELS[row.op].warmup(*arrays, row.shape[-1], grid=(row.shape[0],), **meta)


# By peer; what is not here compiles nothing, or nothing that could be kept.
COMPILERS: Final[Mapping[str, Callable[[Row], None]]] = {"triton": compile_triton}


def compile_all(row: Row, target: Target, against: Sequence[str]) -> None:
    """Compile what a row needs of each side."""
    if target.kind != "cuda":
        return
    compile_ours(row, target)
    for name in against:
        if name in COMPILERS:
            COMPILERS[name](row)
