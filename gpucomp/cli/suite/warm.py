"""What is compiled for a row before anything is timed, in processes of its own, and found on disk when its turn comes.

Ours: device code, in the library's cache.  Triton's kernels: in Triton's.  Graphs of torch.compile: in Inductor's, but
not which of their forms are fastest, which is measured when the row's turn comes and nothing else is running.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final  # Any: other libraries' modules and arrays

from gpucomp.cli.suite.row import Row
from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.runtime.cuda_compile import cached_cuda
from gpucomp.target.target import Target


def compile_ours(row: Row, target: Target) -> None:
    """Compile the row's kernels for a CUDA target."""
    operator = registry.get(row.op)
    definition = operator.define(row.shape, row.dtype, target)
    data = compile_function(operator.schedule(definition, target), definition.args, target, row.op)
    image = data.variants[0].get().image  # the one for aligned arrays
    cached_cuda(image.source, image.arch or target.arch, image.options)


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


def compile_graph(row: Row) -> None:
    """Have torch.compile compile the row's formula, for arrays of the same shapes."""
    from gpucomp.cli.suite.peers import compiled, formula_of, keep_choices_out

    torch: Any = importlib.import_module("torch")
    keep_choices_out()
    operator = registry.get(row.op)
    kind: Any = getattr(torch, row.dtype)
    inputs = [torch.zeros(shape, dtype=kind, device="cuda") for shape in operator.input_shapes(row.shape)]
    found = formula_of(torch, row, inputs)
    if found is None:
        return
    plain, inputs = found
    with torch.no_grad():
        compiled(torch, plain)(*inputs)
        torch.cuda.synchronize()
    torch._dynamo.reset()


# By peer; what is not here compiles nothing, or nothing that could be kept.
COMPILERS: Final[Mapping[str, Callable[[Row], None]]] = {"triton": compile_triton, "torch.compile": compile_graph}


def compile_all(row: Row, target: Target, against: Sequence[str]) -> None:
    """Compile what a row needs of each side."""
    if target.kind != "cuda":
        return
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # this process is one of many already
    compile_ours(row, target)
    for name in against:
        if name in COMPILERS:
            COMPILERS[name](row)
