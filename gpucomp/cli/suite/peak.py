"""How fast a device multiplies and adds, measured by kernels that do nothing else.

Products of 16-bit floats are measured by ``mma.sync``, the instruction of tensor cores that our kernels use.  Libraries
that use Hopper's ``wgmma`` exceed it: cuBLAS by a fifth at 4096 x 4096 x 11008 in the run of docs/benchmarks/suite.
"""

from __future__ import annotations

from typing import Final

from gpucomp.cli.suite.clock import Clock
from gpucomp.support.launch import KernelImage, KernelSpec
from gpucomp.support.resources import template_text

ROUNDS: Final = 1024
# Chains of a thread, and operations of one instruction: a fused multiplication and addition, four of each, or a
# thread's share of 16 x 8 x 16 of each.
_IN_A_ROUND: Final = 64
_OPERATIONS: Final = {"float": 2, "int8": 8, "half": 128}
_FIRST_WITH_MMA: Final = 8  # compute capability: products of 16 x 8 x 16 in one instruction
_THREADS: Final = 256
_BLOCKS: Final = 8  # of each multiprocessor: as many threads as one holds


class Peak:
    """Operations a second by element type, on tensor cores for 16-bit floats alone; measured once each."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._known: dict[str, float] = {}

    def rate(self, dtype: str) -> float | None:
        """Operations a second on ``dtype``, 16-bit floats being summed in float32; None where not measured."""
        if self.clock.device.kind != "cuda" or dtype == "float64":
            return None
        kind = "int8" if dtype == "int8" else "half" if self._on_tensor_cores(dtype) else "float"
        if kind not in self._known:
            self._known[kind] = self._measured(kind)
        return self._known[kind]

    def _on_tensor_cores(self, dtype: str) -> bool:
        major = int(self.clock.device.compute_version.partition(".")[0])
        return dtype in ("float16", "bfloat16") and major >= _FIRST_WITH_MMA

    def _measured(self, kind: str) -> float:
        device, stream = self.clock.device, self.clock.stream
        api, name = device.api, f"gpucomp_peak_{kind}"
        spec = KernelSpec(name, ("float32*", "int32"))
        loaded = api.load(device.index, KernelImage("cuda", template_text("cuda/peak.cu"), (spec,)))
        result = api.alloc(device.index, 4)
        blocks = _BLOCKS * device.multi_processor_count
        args = (result.handle, ROUNDS)
        try:
            times = self.clock.time(
                lambda: api.launch(loaded, name, (blocks, 1, 1), (_THREADS, 1, 1), args, stream=stream)
            )
        finally:
            api.free(device.index, result)
        return blocks * _THREADS * ROUNDS * _IN_A_ROUND * _OPERATIONS[kind] / times.low
