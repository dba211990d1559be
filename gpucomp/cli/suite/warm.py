"""What is compiled for a row before anything is timed, in processes of its own, and found on disk when its turn comes.

Ours: device code, in the library's cache.  Triton's kernels: in Triton's.  CuPy's: in CuPy's.  Graphs of torch.compile:
in Inductor's, as :mod:`~gpucomp.cli.suite.inductor` says.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gpucomp.cli.suite.formulas import Library, cupy_call
from gpucomp.cli.suite.inductor import MODES, compile_graph
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
    torch: Library = importlib.import_module("torch")
    kernels: Library = importlib.import_module("gpucomp.cli.suite.triton_kernels")
    kind: Library = getattr(torch, row.dtype)
    arrays = [kind] * (len(registry.get(row.op).input_shapes(row.shape)) + 1)
    kernels.KERNELS[row.op].warmup(*arrays, row.shape[-1], grid=(row.shape[0],), **meta)


def compile_cupy(row: Row) -> None:
    """Have CuPy compile its kernels for the row, by calling them."""
    cupy: Library = importlib.import_module("cupy")
    formula = cupy_call(cupy, row)
    if formula is None:
        return
    shapes = registry.get(row.op).input_shapes(row.shape)
    formula(*[cupy.empty(shape, row.dtype) for shape in shapes])
    cupy.cuda.Device().synchronize()
    cupy.get_default_memory_pool().free_all_blocks()


def _graphs(mode: str) -> Callable[[Row], object]:
    return lambda row: compile_graph(row, mode)


# By peer; what is not here compiles nothing, or nothing that could be kept.
COMPILERS: Final[Mapping[str, Callable[[Row], object]]] = {
    "triton": compile_triton,
    "cupy": compile_cupy,
    **{name: _graphs(mode) for name, mode in MODES.items()},
}


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a process compiled for a row and a peer.

    Attributes:
        peer: its name.
        seconds: that it took.
        problem: why it could not be; the peer will fail when the row's turn comes, or compile then.
    """

    peer: str
    seconds: float
    problem: str = ""


def compile_all(row: Row, target: Target, against: Sequence[str]) -> list[Compiled]:
    """Compile what a row needs of each side."""
    if target.kind != "cuda":
        return []
    compile_ours(row, target)
    return [_compiled(name, row) for name in against if name in COMPILERS]


def _compiled(name: str, row: Row) -> Compiled:
    start, problem = time.perf_counter(), ""
    try:
        COMPILERS[name](row)
    except Exception as error:
        problem = f"{row.op} {row.shape} {row.dtype}: {error!r:.200}"
    return Compiled(name, time.perf_counter() - start, problem)
