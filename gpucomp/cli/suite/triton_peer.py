"""Kernels in Triton, as its users write them: one program a row, the row held in registers."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final  # Any: triton and torch objects

from gpucomp.cli.suite.clock import Clock, Times
from gpucomp.cli.suite.peers import TorchPeer
from gpucomp.cli.suite.row import Row
from gpucomp.kernels.arrays import Array

LONGEST_ROW: Final = 65536


class TritonPeer:
    """Triton's row kernels; other operators are left to torch.compile, which writes Triton."""

    def __init__(self, clock: Clock) -> None:
        self.torch_side = TorchPeer(clock)
        self.triton: Any = importlib.import_module("triton")
        self.kernels: Any = importlib.import_module("gpucomp.cli.suite.triton_kernels")

    def version(self) -> str:
        return str(self.triton.__version__)

    def load(self, inputs: Sequence[Array]) -> None:
        self.torch_side.load(inputs)

    def time(self, row: Row, clock: Clock) -> Times | None:
        kernels: Mapping[str, Callable[..., Any]] = self.kernels.KERNELS
        kernel: Any = kernels.get(row.op)
        if kernel is None or row.shape[-1] > LONGEST_ROW:
            return None
        side = self.torch_side
        inputs, torch = side.inputs, side.torch
        rows, columns = inputs[0].shape
        reduces = row.op.startswith("row_")
        out = torch.empty(rows if reduces else (rows, columns), device="cuda", dtype=inputs[0].dtype)
        block = self.triton.next_power_of_2(columns)
        warps = min(16, max(1, block // 256))

        def launch() -> None:
            kernel[(rows,)](*inputs, out, columns, BLOCK=block, num_warps=warps)

        with torch.cuda.stream(side.stream):
            launch()
            side.stream.synchronize()
            return clock.time(launch)
