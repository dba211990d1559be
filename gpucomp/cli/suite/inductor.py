"""torch.compile as a peer, whose compiler (Inductor) takes seconds for a row: other processes compile ahead.

They leave graphs and Triton's kernels, in all the forms that Inductor wants to choose from, in caches on disk that all
processes of a run share and no other run sees.  None of them runs or times a kernel.  The process that times finds
everything compiled, and there Inductor chooses among the forms by timing them, while nothing else uses the GPU.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Final

from gpucomp.cli.suite.formulas import Formula, Library, torch_call
from gpucomp.cli.suite.row import Row
from gpucomp.kernels import registry

# By peer.  The second tries many more forms, and compiles new ones next to the fastest: seconds for a row, which cannot
# be done ahead.
MODES: Final = {"torch.compile": "default", "torch.compile.max": "max-autotune-no-cudagraphs"}


def shared_caches(folder: Path) -> dict[str, str]:
    """Variables of the environment by which all processes of a run keep what Inductor compiles in ``folder``."""
    return {
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        "TRITON_CACHE_DIR": str(folder / "triton"),
        # Each process is one of many already: Inductor would start as many of its own as there are processors.
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
    }


def compiled(torch: Library, formula: Formula, mode: str) -> Formula:
    """The formula by torch.compile, for arrays of the shapes that it is first called with."""
    return torch.compile(formula, mode=mode, dynamic=False)


def import_compiler() -> None:
    """What the first compilation of a process would take seconds to import."""
    for name in ("torch._dynamo", "torch._inductor.compile_fx", "torch._inductor.runtime.triton_heuristics"):
        importlib.import_module(name)


class _Compiled(BaseException):
    """A graph is compiled, and would be run now; no Exception, which Dynamo might take for one of the formula."""


def compile_graph(row: Row, mode: str, place: str = "cuda") -> bool:
    """Have torch.compile compile the row's formula for arrays of its shapes, without running anything.

    Returns False where torch has no such operator.
    """
    torch: Library = importlib.import_module("torch")
    torch.backends.cuda.matmul.allow_tf32 = False  # part of the key under which a graph is kept
    shapes = registry.get(row.op).input_shapes(row.shape)
    found = torch_call(
        torch, row, [torch.empty(shape, dtype=getattr(torch, row.dtype), device=place) for shape in shapes]
    )
    if found is None:
        return False
    formula, inputs, _ = found
    code: Library = importlib.import_module("torch._inductor.output_code").CompiledFxGraph
    run = code.__call__
    code.__call__ = _stop
    try:
        with torch.no_grad():
            compiled(torch, formula, mode)(*inputs)
    except _Compiled:
        return True
    finally:
        code.__call__ = run
        torch._dynamo.reset()
        del inputs, found
        if place == "cuda":
            torch.cuda.empty_cache()
    raise RuntimeError(f"torch.compile has run {row.op} where it was to be compiled only")


def _stop(graph: object, inputs: object) -> None:
    raise _Compiled


def graphs_found() -> tuple[int, int]:
    """How many graphs this process found compiled, and how many it compiled itself."""
    utils: Library = importlib.import_module("torch._dynamo.utils")
    counts = utils.counters["inductor"]
    return counts["fxgraph_cache_hit"], counts["fxgraph_cache_miss"]
