"""Kernels in Triton, as its users write them: one program a row, the row held in registers."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Final  # Any: triton and torch objects

from gpucomp.cli.suite.clock import Clock, Side
from gpucomp.cli.suite.peers import Arrays, TorchPeer
from gpucomp.cli.suite.row import Row

LONGEST_ROW: Final = 65536
OPERATORS: Final = ("softmax", "layer_norm", "rms_norm", "row_sum")


def meta_of(row: Row) -> dict[str, int] | None:
    """The constants and the launch width of the kernel for a row; None where there is no such kernel."""
    if row.op not in OPERATORS or row.shape[-1] > LONGEST_ROW:
        return None
    block = 1 << (row.shape[-1] - 1).bit_length()
    return {"BLOCK": block, "num_warps": min(16, max(1, block // 256))}


class TritonPeer:
    """Triton's row kernels; other operators are left to torch.compile, which writes Triton."""

    def __init__(self, clock: Clock) -> None:
        self.torch_side = TorchPeer(clock)
        self.triton: Any = importlib.import_module("triton")
        self.kernels: Any = importlib.import_module("gpucomp.cli.suite.triton_kernels")

    def version(self) -> str:
        return str(self.triton.__version__)

    @property
    def difference(self) -> float | None:
        return self.torch_side.difference

    def load(self, arrays: Arrays) -> None:
        self.torch_side.load(arrays)

    def side(self, row: Row, clock: Clock) -> Side | None:
        meta, self.torch_side.difference = meta_of(row), None
        if meta is None:
            return None
        kernels: Mapping[str, Any] = self.kernels.KERNELS
        kernel = kernels[row.op]
        torch_side = self.torch_side
        inputs, torch = torch_side.inputs, torch_side.torch
        rows, columns = inputs[0].shape
        reduces = row.op.startswith("row_")
        out = torch.empty(rows if reduces else (rows, columns), device="cuda", dtype=inputs[0].dtype)

        def launch() -> None:
            kernel[(rows,)](*inputs, out, columns, **meta)

        with torch.cuda.stream(torch_side.stream):
            launch()
            torch_side.stream.synchronize()
            torch_side.compare(out)
            return clock.side(launch)
