"""Other libraries as peers: each gets the same arrays on the same stream, and is timed by the same clock.

A peer that is not installed, or has no such operator, gives None; one that fails is reported with its error and does
not end the run.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol  # Any: other libraries' modules and arrays

from gpucomp.cli.suite.checked import worst_error
from gpucomp.cli.suite.clock import Clock, Times
from gpucomp.cli.suite.row import Row
from gpucomp.cli.suite.torch_products import CONVOLUTIONS, PRODUCTS
from gpucomp.kernels import registry
from gpucomp.kernels.arrays import Array
from gpucomp.support.diagnostics import ArgumentError, DeviceError, did_you_mean

Formula = Callable[..., Any]
PEERS_ERROR: Final = 0.02  # more is another formula; products in halves stay far below


class Peer(Protocol):
    """A library to compare with."""

    def load(self, inputs: Sequence[Array]) -> None:
        """Take the arrays of the rows that follow."""
        ...

    def time(self, row: Row, clock: Clock) -> Times | None:
        """The time of one call; None when the library has no such operator."""
        ...

    def version(self) -> str:
        """For the record."""
        ...


# What a user of the library writes; ``t`` is torch.  Compiled by torch.compile, each becomes one kernel or a few.
TORCH: Final[Mapping[str, Formula]] = {
    "softmax": lambda t, a: t.softmax(a, 1),
    "log_softmax": lambda t, a: t.log_softmax(a, 1),
    "layer_norm": lambda t, a, w, v: t.nn.functional.layer_norm(a, a.shape[1:], w, v),
    "add_layer_norm": lambda t, a, r, w, v: t.nn.functional.layer_norm(a + r, a.shape[1:], w, v),
    "rms_norm": lambda t, a, w: t.nn.functional.rms_norm(a, a.shape[1:], w, 1e-5),
    "add_rms_norm": lambda t, a, r, w: t.nn.functional.rms_norm(a + r, a.shape[1:], w, 1e-5),
    "row_sum": lambda t, a: a.sum(1),
    "row_mean": lambda t, a: a.mean(1),
    "row_max": lambda t, a: a.amax(1),
    "row_min": lambda t, a: a.amin(1),
    "row_argmax": lambda t, a: a.argmax(1),
    "row_variance": lambda t, a: a.var(1, correction=0),
    "row_norm": lambda t, a: t.linalg.vector_norm(a, dim=1),
    "gemv": lambda t, a, v: t.mv(a, v),
    "transpose": lambda t, a: a.t().contiguous(),
    "permute": lambda t, a: a.permute(0, 2, 1).contiguous(),
    "column_sum": lambda t, a: a.sum(0),
    "column_mean": lambda t, a: a.mean(0),
    "cumulative_sum": lambda t, a: a.cumsum(1),
    "copy": lambda t, a: a.clone(),
    "add_bias": lambda t, a, v: t.relu(a + v),
    "add": lambda t, a, b: a + b,
    "gelu": lambda t, a: t.nn.functional.gelu(a, approximate="tanh"),
    "gelu_chain": lambda t, a, b: t.nn.functional.gelu(a + b, approximate="tanh") * a,
    "sum_all": lambda t, a: a.sum(),
    "mean_all": lambda t, a: a.mean(),
    "max_all": lambda t, a: a.max(),
    **PRODUCTS,
}

CUPY: Final[Mapping[str, Formula]] = {
    "softmax": lambda c, a: _cupy_softmax(c, a),
    "row_sum": lambda c, a: a.sum(1),
    "row_max": lambda c, a: a.max(1),
    "row_argmax": lambda c, a: a.argmax(1),
    "row_variance": lambda c, a: a.var(1),
    "gemv": lambda c, a, v: a @ v,
    "transpose": lambda c, a: c.ascontiguousarray(a.T),
    "column_sum": lambda c, a: a.sum(0),
    "cumulative_sum": lambda c, a: a.cumsum(1),
    "add": lambda c, a, b: a + b,
    "sum_all": lambda c, a: a.sum(),
    "max_all": lambda c, a: a.max(),
    "matmul": lambda c, a, b: a @ b,
    "matmul_nt": lambda c, a, b: a @ b.T,
    "matmul_tn": lambda c, a, b: a.T @ b,
    "matmul_tt": lambda c, a, b: a.T @ b.T,
    "batch_matmul": lambda c, a, b: a @ b,
}


def _cupy_softmax(c: Any, a: Any) -> Any:
    powers = c.exp(a - a.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


class TorchPeer:
    """PyTorch, eager or compiled."""

    def __init__(self, clock: Clock, compiled: bool = False) -> None:
        self.torch: Any = importlib.import_module("torch")
        self.torch.backends.cuda.matmul.allow_tf32 = False
        self.torch.backends.cudnn.allow_tf32 = False
        self.torch.backends.cudnn.benchmark = True  # it takes the fastest of its convolutions
        self.compiled = compiled
        self.stream: Any = self.torch.cuda.ExternalStream(clock.stream.handle)
        self.inputs: list[Any] = []
        self.arrays: Sequence[Array] = []

    def version(self) -> str:
        return str(self.torch.__version__)

    def load(self, inputs: Sequence[Array]) -> None:
        self.arrays = inputs
        self.inputs = [self._tensor(x) for x in inputs]

    def _tensor(self, array: Array) -> Any:
        if array.dtype.name == "bfloat16":  # numpy hands torch no bfloat16
            bits = self.torch.from_numpy(array.view("int16"))
            return bits.cuda().view(self.torch.bfloat16)
        return self.torch.from_numpy(array).cuda()

    def time(self, row: Row, clock: Clock) -> Times | None:
        torch, inputs = self.torch, self.inputs
        shaped, formula = CONVOLUTIONS.get(row.op), TORCH.get(row.op)
        if shaped is not None:
            inputs, written = shaped.prepare(torch, row.shape, inputs), shaped.run

            def plain(*arrays: Any) -> Any:
                return written(torch, row.shape, *arrays)
        elif formula is not None:

            def plain(*arrays: Any) -> Any:
                return formula(torch, *arrays)
        else:
            return None

        run = torch.compile(plain, mode="max-autotune-no-cudagraphs", dynamic=False) if self.compiled else plain
        with torch.no_grad(), torch.cuda.stream(self.stream):
            kept = run(*inputs)
            for _ in range(2):
                run(*inputs)
            self.stream.synchronize()
            if shaped is not None or row.op in PRODUCTS:
                self._check(row, kept if shaped is None else shaped.result(torch, kept))
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=self.stream):
                kept = run(*inputs)
            times = clock.time_launch(graph.replay, graph=True)
        del graph, kept
        if self.compiled:
            torch._dynamo.reset()
        return times

    def _check(self, row: Row, result: Any) -> None:
        """That the formula computes what ours does, or times would say nothing."""
        output = result.float() if result.is_floating_point() else result
        error = worst_error(registry.get(row.op), row, self.arrays, [output.contiguous().cpu().numpy()], seed=0)
        if error > PEERS_ERROR:
            raise ArgumentError(f"{row.op}: the formula for {self.version()} is not ours ({error:.3g})", code="GC644")


class CupyPeer:
    """CuPy; what it cannot record as a graph is timed with its launches, and marked so."""

    def __init__(self, clock: Clock) -> None:
        self.cupy: Any = importlib.import_module("cupy")
        self.stream: Any = self.cupy.cuda.ExternalStream(clock.stream.handle)
        self.inputs: list[Any] = []

    def version(self) -> str:
        return str(self.cupy.__version__)

    def load(self, inputs: Sequence[Array]) -> None:
        self.inputs = [] if any(x.dtype.name == "bfloat16" for x in inputs) else [self.cupy.asarray(x) for x in inputs]

    def time(self, row: Row, clock: Clock) -> Times | None:
        formula = CUPY.get(row.op)
        if formula is None or not self.inputs:
            return None
        with self.stream:
            for _ in range(3):
                formula(self.cupy, *self.inputs)
            self.stream.synchronize()
            return clock.time_launch(lambda: formula(self.cupy, *self.inputs), graph=False)


def _torch(clock: Clock) -> Peer:
    return TorchPeer(clock)


def _torch_compile(clock: Clock) -> Peer:
    return TorchPeer(clock, compiled=True)


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
