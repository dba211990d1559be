"""Our own kernels for the same device in another language, as peers: OpenCL C beside CUDA C."""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp.cli.suite.checked import worst_error
from gpucomp.cli.suite.clock import Clock, Side
from gpucomp.cli.suite.peers import Arrays
from gpucomp.cli.suite.row import Row
from gpucomp.driver import build
from gpucomp.kernels import registry
from gpucomp.kernels.arrays import Array
from gpucomp.runtime import ndarray
from gpucomp.runtime.base import get_api
from gpucomp.runtime.device import Device
from gpucomp.support.config import config
from gpucomp.support.diagnostics import ArgumentError, DeviceError
from gpucomp.target.target import Target


class OpenCLForms:
    """What we compile for an OpenCL device that is no processor: NVIDIA's, where CUDA is what it is compared with.

    Timed from the end of the kernel that empties the caches to the end of the last kernel, by the device's events.

    Args:
        plain: OpenCL C 1.2 only, without inline PTX.

    Raises:
        DeviceError: there is no such device.
    """

    def __init__(self, plain: bool) -> None:
        self.plain = plain
        api = get_api("opencl")
        indices = range(0 if api.why_missing() else api.count())
        found = [Device("opencl", i) for i in indices if not api.attributes(i).is_cpu]
        if not found:
            raise DeviceError("no OpenCL device beside the processors", code="GC701")
        self.device = found[0]
        self.clock = Clock(self.device)
        self.inputs: Sequence[Array] = ()
        self.difference: float | None = None  # a wrong result is an error

    def version(self) -> str:
        return str(self.device.api_version)

    def load(self, arrays: Arrays) -> None:
        self.inputs = arrays.host

    def side(self, row: Row, clock: Clock) -> Side:
        """The call, whose results are compared with the reference first."""
        operator, device = registry.get(row.op), self.device
        device.set_raw_stream(self.clock.stream)  # another clock of this device may have set its own
        with config.override(opencl_ptx=not self.plain):
            target = Target.from_device(device)
            definition = operator.define(row.shape, row.dtype)
            module = build(operator.schedule(definition, target), definition.args, target, name=row.op)
            outputs = operator.make_outputs(row.shape, row.dtype)
            arrays = [ndarray.array(x, device) for x in (*self.inputs, *outputs)]
            module(*arrays)
            device.sync()
            results = [x.numpy() for x in arrays[len(self.inputs) :]]
            if worst_error(operator, row, self.inputs, results, 0) > operator.tolerance(row.dtype):
                raise ArgumentError(f"{row.op}: wrong on {device}", code="GC644")
            side = self.clock.side(lambda: module(*arrays))

        def series(repeats: int) -> list[float]:
            device.set_raw_stream(self.clock.stream)
            return side.series(repeats)

        return Side(series, side.graph, side.close)
