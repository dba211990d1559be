"""Other libraries as peers: each gets the same arrays on the same stream, and is timed by the same clock.

A peer that is not installed, or has no such operator, gives None; one that fails is reported with its error and does
not end the run.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gpucomp.cli.measure import relative_error
from gpucomp.cli.suite.checked import worst_error
from gpucomp.cli.suite.clock import Clock, Side
from gpucomp.cli.suite.formulas import Library, Tensor, cupy_call, torch_call
from gpucomp.cli.suite.inductor import MODES, compiled
from gpucomp.cli.suite.row import Row
from gpucomp.cli.suite.torch_products import PRODUCTS
from gpucomp.kernels import registry
from gpucomp.kernels.arrays import Array
from gpucomp.runtime.ndarray import NDArray
from gpucomp.support.diagnostics import ArgumentError, DeviceError, did_you_mean

PEERS_ERROR: Final = 0.02  # more is another formula; products in halves stay far below
COMPARED: Final = 1 << 16  # elements of a peer's result
LONGEST_CALL: Final = 3.0  # seconds of a first call, in which CuPy compiles


@dataclass(frozen=True, slots=True)
class Arrays:
    """What a row's sides share.

    Attributes:
        host: the inputs.
        given: the same on the device, which all libraries read where ours does.
        results: ours, on the device.
    """

    host: Sequence[Array] = ()
    given: Sequence[NDArray] = ()
    results: Sequence[NDArray] = ()


class Peer(Protocol):
    """A library to compare with."""

    def load(self, arrays: Arrays) -> None:
        """Take the arrays of the rows that follow."""
        ...

    def side(self, row: Row, clock: Clock) -> Side | None:
        """One call, ready to be timed; None when the library has no such operator."""
        ...

    def version(self) -> str:
        """For the record."""
        ...

    @property
    def difference(self) -> float | None:
        """How far the last side's results were from ours; None where they were not compared."""
        ...


class TorchPeer:
    """PyTorch, eager or compiled.

    Args:
        clock: of the run.
        mode: of torch.compile; None: eager.
    """

    def __init__(self, clock: Clock, mode: str | None = None) -> None:
        self.torch: Library = importlib.import_module("torch")
        self.torch.backends.cuda.matmul.allow_tf32 = False
        self.torch.backends.cudnn.allow_tf32 = False
        self.torch.backends.cudnn.benchmark = True  # it takes the fastest of its convolutions
        self.mode = mode
        self.stream: Library = self.torch.cuda.ExternalStream(clock.stream.handle)
        self.inputs: list[Tensor] = []
        self.arrays = Arrays()
        self.difference: float | None = None

    def version(self) -> str:
        return str(self.torch.__version__)

    def load(self, arrays: Arrays) -> None:
        self.arrays = arrays
        self.inputs = [self.torch.from_dlpack(x) for x in arrays.given]

    def side(self, row: Row, clock: Clock) -> Side | None:
        torch, self.difference = self.torch, None
        found = torch_call(torch, row, self.inputs)
        if found is None:
            return None
        plain, inputs, shaped = found
        run = compiled(torch, plain, self.mode) if self.mode else plain
        with torch.no_grad(), torch.cuda.stream(self.stream):
            kept = run(*inputs)
            for _ in range(2):
                run(*inputs)
            self.stream.synchronize()
            if shaped is not None or row.op in PRODUCTS:
                self._check(row, kept if shaped is None else shaped.result(torch, kept))
            else:
                self.compare(kept)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=self.stream):
                kept = run(*inputs)
        alive = [run, kept]  # kernels, and memory that the graph writes to

        def series(repeats: int) -> list[float]:
            with torch.cuda.stream(self.stream):
                return clock.series(graph.replay, repeats)

        def close() -> None:
            alive.clear()
            if self.mode:
                torch._dynamo.reset()

        return Side(series, graph=True, close=close)

    def compare(self, result: Tensor) -> None:
        """Note how far the first elements are from ours."""
        ours = self.torch.from_dlpack(self.arrays.results[0])
        first = [x.reshape(-1)[:COMPARED].double().cpu().numpy() for x in (result, ours)]
        self.difference = relative_error(*first)

    def _check(self, row: Row, result: Tensor) -> None:
        """That the formula computes what ours does, or times would say nothing."""
        output = result.float() if result.is_floating_point() else result
        error = worst_error(registry.get(row.op), row, self.arrays.host, [output.contiguous().cpu().numpy()], seed=0)
        if error > PEERS_ERROR:
            raise ArgumentError(f"{row.op}: the formula for {self.version()} is not ours ({error:.3g})", code="GC644")


class CupyPeer:
    """CuPy; what it cannot record as a graph is timed with its launches, and marked so."""

    def __init__(self, clock: Clock) -> None:
        self.cupy: Library = importlib.import_module("cupy")
        self.stream: Library = self.cupy.cuda.ExternalStream(clock.stream.handle)
        self.arrays = Arrays()
        self.difference: float | None = None

    def version(self) -> str:
        return str(self.cupy.__version__)

    def load(self, arrays: Arrays) -> None:
        self.arrays = arrays

    def side(self, row: Row, clock: Clock) -> Side | None:
        formula, self.difference = cupy_call(self.cupy, row), None
        if formula is None:
            return None
        with self.stream:
            inputs = [self.cupy.asarray(x) for x in self.arrays.given]
            start = time.perf_counter()
            result = formula(*inputs)
            self.stream.synchronize()
            took = time.perf_counter() - start
            if took > LONGEST_CALL:
                raise ArgumentError(f"not timed: its first call took {took:.1f} s", code="GC644")
            first = [x.reshape(-1)[:COMPARED].get() for x in (result, self.cupy.asarray(self.arrays.results[0]))]
            self.difference = relative_error(*first)
            try:
                return clock.side(lambda: formula(*inputs))
            except Exception:  # a graph takes no call of cuBLAS, and no waiting for the device
                return Side(lambda repeats: self._series(clock, lambda: formula(*inputs), repeats), graph=False)

    def _series(self, clock: Clock, call: Callable[[], object], repeats: int) -> list[float]:
        with self.stream:
            return clock.series(call, repeats)


def _torch(clock: Clock) -> Peer:
    return TorchPeer(clock)


def _torch_compile(clock: Clock) -> Peer:
    return TorchPeer(clock, MODES["torch.compile"])


def _torch_compile_max(clock: Clock) -> Peer:
    return TorchPeer(clock, MODES["torch.compile.max"])


def _triton(clock: Clock) -> Peer:
    from gpucomp.cli.suite.triton_peer import TritonPeer

    return TritonPeer(clock)


def _opencl(clock: Clock) -> Peer:
    from gpucomp.cli.suite.own_forms import OpenCLForms

    return OpenCLForms(plain=False)


def _opencl_plain(clock: Clock) -> Peer:
    from gpucomp.cli.suite.own_forms import OpenCLForms

    return OpenCLForms(plain=True)


PEERS: Final[Mapping[str, tuple[str, Callable[[Clock], Peer]]]] = {
    "torch": ("torch", _torch),
    "torch.compile": ("torch", _torch_compile),
    "torch.compile.max": ("torch", _torch_compile_max),
    "cupy": ("cupy", CupyPeer),
    "triton": ("triton", _triton),
    "opencl": ("pyopencl", _opencl),
    "opencl-plain": ("pyopencl", _opencl_plain),
}


def check_names(names: Sequence[str]) -> None:
    """Raise for a peer that is not known (ArgumentError)."""
    for name in names:
        if name not in PEERS and name != "numpy":
            known = [*PEERS, "numpy"]
            hint = did_you_mean(name, known) or f"one of {', '.join(known)}"
            raise ArgumentError(f"--against {name!r} is no library to compare with", code="GC644", hint=hint)


def open_peers(names: Sequence[str], clock: Clock) -> dict[str, Peer | str]:
    """The peers by name; for one that cannot be had, the reason."""
    out: dict[str, Peer | str] = {}
    for name in names:
        if name == "numpy":
            continue
        module, make = PEERS[name]
        if clock.device.kind != "cuda":
            out[name] = f"{name} is compared with on CUDA devices"
        elif importlib.util.find_spec(module) is None:
            out[name] = f"{module} is not installed"
        else:
            try:
                out[name] = make(clock)
            except DeviceError as error:
                out[name] = error.message
    return out
