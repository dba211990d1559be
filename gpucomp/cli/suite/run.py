"""``gpucomp bench suite``: correctness first, then every side's time, line by line."""

from __future__ import annotations

import datetime
import json
import platform
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import gpucomp
from gpucomp.cli.console import json_line, log, seconds_text, table
from gpucomp.cli.environment import package_versions
from gpucomp.cli.measure import BACKENDS
from gpucomp.cli.numpy_side import NumpySide
from gpucomp.cli.suite.ahead import Ahead, Alone, Helper, usual_jobs
from gpucomp.cli.suite.clock import EVICTED_BYTES, REPEATS, TURNS, Clock, Side, Times, in_turns
from gpucomp.cli.suite.inductor import MODES, graphs_found
from gpucomp.cli.suite.peers import Arrays, Peer, check_names, open_peers
from gpucomp.cli.suite.roofline import draw, needs_matplotlib
from gpucomp.cli.suite.roofs import Roofs
from gpucomp.cli.suite.row import Row
from gpucomp.cli.suite.rows import COMPUTE, rows_of
from gpucomp.driver import build
from gpucomp.kernels import registry
from gpucomp.kernels.arrays import Array
from gpucomp.kernels.registry import Operator
from gpucomp.runtime import ndarray
from gpucomp.runtime.device import Device, default_device
from gpucomp.runtime.ndarray import NDArray
from gpucomp.support.diagnostics import ArgumentError, GpucompError, did_you_mean
from gpucomp.support.dtype import DType
from gpucomp.target.target import Target

Record = dict[str, object]
MOST_DIFFERENCE: Final = 4.0  # times our tolerance: what sums in halves are off by is noted
MOST_FLOPS: Final = 5e10  # of a row on a processor: about a second


def run(
    family: str,
    against: Sequence[str],
    device: str | None,
    seed: int,
    only: str | None,
    dtype: str | None,
    part: str | None,
    out: str | None,
    plot: str | None,
    as_json: bool,
    jobs: int | None = None,
    limit: float | None = None,
) -> int:
    """The command; returns the exit status: 1 when a result is wrong or a kernel cannot be built."""
    check_names(against)
    rows = _asked_for(family, rows_of(family, seed), only, dtype)
    if plot is not None:
        needs_matplotlib()
    path, picture = [None if name is None else _writable(Path(name)) for name in (out, plot)]
    place = default_device(device)
    rows = _part_of(_within_reach(rows, place), part)
    jobs = usual_jobs(place, against) if jobs is None else jobs
    records = Suite(place, against, seed, family, jobs, limit).run(rows, as_json, path)
    if path is not None:
        log(f"written: {path}")
    if picture is not None:
        draw(records, picture)
        log(f"drawn: {picture}")
    return 0 if all(record.get("ok") for record in records) else 1


def _asked_for(family: str, rows: list[Row], only: str | None, dtype: str | None) -> list[Row]:
    operators = list(dict.fromkeys([row.op for row in rows]))
    wanted = operators if only is None else only.split(",")
    for name in wanted:
        if name not in operators:
            hint = did_you_mean(name, operators) or f"it has {', '.join(operators)}"
            raise ArgumentError(f"family {family!r} has no operator {name!r}", code="GC644", hint=hint)
    rows = [row for row in rows if row.op in wanted]
    types = list(dict.fromkeys([row.dtype for row in rows]))
    if dtype is not None and dtype not in types:
        raise ArgumentError(
            f"family {family!r} has no rows of type {dtype!r}", code="GC644", hint=f"they are of {', '.join(types)}"
        )
    return [row for row in rows if dtype in (None, row.dtype)]


def _writable(path: Path) -> Path:
    """The file, seen to be one that can be written: hours of measuring would be lost."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise ArgumentError(f"{path} cannot be written: {error.strerror}", code="GC644", hint="another file") from error
    return path


def _within_reach(rows: list[Row], device: Device) -> list[Row]:
    """Without what takes a processor minutes."""
    if device.kind == "cuda" or not device.attributes.is_cpu:
        return rows
    kept = [row for row in rows if registry.get(row.op).flops(row.shape) <= MOST_FLOPS]
    if len(kept) < len(rows):
        log(f"{len(rows) - len(kept)} rows of more than {MOST_FLOPS:.0e} operations are for GPUs")
    return kept


def _part_of(rows: list[Row], part: str | None) -> list[Row]:
    """Every n-th row, from the i-th on, for "i/n"."""
    if part is None:
        return rows
    first, _, count = part.partition("/")
    if not (first.isdigit() and count.isdigit() and 1 <= int(first) <= int(count)):
        raise ArgumentError(f"--part {part!r} is not like 2/5", code="GC644")
    return rows[int(first) - 1 :: int(count)]


@dataclass(frozen=True, slots=True)
class Measured:
    """A row that was measured; its results may still be being compared with the reference.

    Attributes:
        record: what is known of it.
        error: the largest error; None where there are no results.
        tolerance: the largest that is accepted.
    """

    record: Record
    error: Future[float] | None = None
    tolerance: float = 0.0

    def is_done(self) -> bool:
        """True when nothing has to be waited for."""
        return self.error is None or self.error.done()

    def verdict(self) -> Record:
        """Whether the results are right; waits for the comparison."""
        if self.error is None:
            return {}
        try:
            error = self.error.result()
        except Exception as problem:  # such as too little memory for the reference
            log(f"{self.record['op']} {self.record['shape']}: the results could not be compared: {problem!r:.200}")
            return {"ok": False, "max_rel_err": None, "error": f"{problem!r:.200}"}
        return {"ok": error <= self.tolerance, "max_rel_err": float(f"{min(error, 1e30):.4g}")}


class Suite:
    """One run: a device, its clock, the peers, the roofs."""

    def __init__(
        self,
        device: Device,
        against: Sequence[str],
        seed: int,
        family: str,
        jobs: int,
        limit: float | None = None,
    ) -> None:
        self.device, self.seed, self.family, self.compute = device, seed, family, family in COMPUTE
        self.against, self.jobs = against, jobs
        self.end = None if limit is None else time.monotonic() + limit
        self.spent: dict[str, float] = {}
        self.clock = Clock(device)
        self.peers = open_peers(against, self.clock)
        for name, peer in self.peers.items():
            if isinstance(peer, str):
                log(f"not compared with {name}: {peer}")
        self.numpy = NumpySide() if "numpy" in against else None
        self.roofs = Roofs(self.clock)

    def run(self, rows: Sequence[Row], as_json: bool, out: Path | None = None) -> list[Record]:
        """Measure all rows; a row that fails is reported, and the others go on.

        ``out`` gets each line as soon as it is there.
        """
        if out is not None:
            out.write_text("", encoding="utf-8")
        empty = self.roofs.empty()
        if empty is not None:
            log(f"{self.device.device_name}: an empty launch takes {seconds_text(empty)}")
        turns = f"{TURNS} turns of " if any(not isinstance(peer, str) for peer in self.peers.values()) else ""
        log(f"medians of {turns}{REPEATS} after reading {EVICTED_BYTES >> 20} MiB; --seed {self.seed}")
        records: list[Record] = []
        lines: list[list[str]] = []

        def report(measured: Measured) -> None:
            record = {**measured.record, **measured.verdict()}
            records.append({**self._facts(empty), **record})
            lines.append(_line(record, list(self.peers), "tflops" if self.compute else "gbps"))
            if out is not None:
                with out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"family": self.family, **records[-1]}) + "\n")
            if as_json:
                json_line(records[-1])

        waiting: deque[Measured] = deque()
        try:
            with ExitStack() as around:
                around.enter_context(self._stopping())
                helper = around.enter_context(self._helper(rows))
                if self.numpy is not None:
                    around.enter_context(self.numpy)
                for number in range(len(rows)):
                    if self.end is not None and time.monotonic() >= self.end:
                        log(f"stopped: {len(rows) - number} of {len(rows)} rows were not begun")
                        break
                    waiting.append(self._row(rows, number, helper))
                    while waiting and waiting[0].is_done():
                        report(waiting.popleft())
                for measured in waiting:
                    report(measured)
        finally:
            self.clock.close()
        self._tell_where_time_went()
        if not as_json:
            table(
                _headers(list(self.peers), "TF/s" if self.compute else "GB/s"),
                lines,
                numbers=range(3, 7 + len(self.peers)),
            )
        return records

    def _tell_where_time_went(self) -> None:
        if self.spent:
            log("measuring took " + ", ".join(f"{name} {seconds_text(s)}" for name, s in self.spent.items()))
        if any(name in MODES and not isinstance(peer, str) for name, peer in self.peers.items()):
            found, missed = graphs_found()
            log(f"torch.compile found {found} graphs compiled ahead, and compiled {missed}")

    @contextmanager
    def _stopping(self) -> Generator[None]:
        """SIGTERM ends the run after the row that is being measured, and what was measured is told."""

        def stop(number: int, frame: object) -> None:
            self.end = time.monotonic()

        before = signal.signal(signal.SIGTERM, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    @contextmanager
    def _spending(self, name: str) -> Generator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.spent[name] = self.spent.get(name, 0.0) + time.perf_counter() - start

    def _helper(self, rows: Sequence[Row]) -> Helper:
        if not self.jobs:
            return Alone(rows, self.seed)
        log(f"{self.jobs} processes compile, make inputs and compare results")
        return Ahead(rows, Target.from_device(self.device), self.against, self.seed, self.jobs)

    def _facts(self, empty: float | None) -> Record:
        versions = {name: peer.version() for name, peer in self.peers.items() if not isinstance(peer, str)}
        return {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "backend": BACKENDS[self.device.kind],
            "device": f"{self.device.kind}:{self.device.index}",
            "device_name": self.device.device_name,
            "driver": self.device.api_version,
            "seed": self.seed,
            "jobs": self.jobs,
            "empty_seconds": empty,
            "versions": {
                "gpucomp": gpucomp.__version__, "python": platform.python_version(), **package_versions(), **versions,
            },
        }  # fmt: skip

    def _row(self, rows: Sequence[Row], number: int, helper: Helper) -> Measured:
        row = rows[number]
        record: Record = {"op": row.op, "shape": list(row.shape), "dtype": row.dtype, "drawn": row.drawn}
        record |= {"group": row.group} if row.group else {}
        record |= {"label": row.label} if row.label else {}
        try:
            operator = registry.get(row.op)
            with self._spending("inputs"):
                inputs = helper.inputs(number)
            with self._spending("ours"):
                ours, error, arrays = self._ours(
                    operator, row, inputs, lambda outputs: helper.error(number, inputs, outputs)
                )
            record |= self._compared(operator, row, ours, arrays)
        except GpucompError as problem:
            log(f"{row.op} {row.shape} {row.dtype}: {problem.message}")
            return Measured({**record, "ok": False, "error": problem.message})
        return Measured(record | _verdict(record), error, operator.tolerance(row.dtype))

    def _ours(
        self,
        operator: Operator,
        row: Row,
        inputs: Sequence[Array],
        compare: Callable[[Sequence[NDArray]], Future[float]],
    ) -> tuple[Side, Future[float], Arrays]:
        target = Target.from_device(self.device)
        definition = operator.define(row.shape, row.dtype, target)
        module = build(operator.schedule(definition, target), definition.args, target, name=row.op)
        given = [ndarray.array(x, self.device) for x in inputs]
        outputs = self._poisoned(operator, row)
        arrays = [*given, *outputs]
        module(*arrays)
        self.device.sync()
        error = compare(outputs)
        return self.clock.side(lambda: module(*arrays)), error, Arrays(inputs, given, outputs)

    def _compared(self, operator: Operator, row: Row, ours: Side, arrays: Arrays) -> Record:
        """Our time and the peers', which take turns."""
        theirs: dict[str, Record | None] = {}
        sides: dict[str, Side] = {}
        try:
            for name, peer in self.peers.items():
                if not isinstance(peer, str):
                    with self._spending(name):
                        self._make_ready(name, peer, row, arrays, sides, theirs)
            with self._spending("turns"):
                times, *others = in_turns([ours, *sides.values()])
        finally:
            for side in (ours, *sides.values()):
                side.close()
        if isinstance(times, Exception):
            raise times
        for name, found in zip(sides, others, strict=True):
            known = theirs[name] or {}
            theirs[name] = _failed(name, row, found) if isinstance(found, Exception) else found.record() | known
        if self.numpy is not None:
            theirs["numpy"] = self._numpy(row, arrays.host)
        return self._rates(operator, row, times, arrays.host) | {"peers": theirs}

    def _rates(self, operator: Operator, row: Row, times: Times, inputs: Sequence[Array]) -> Record:
        moved = operator.bytes_moved(row.shape, row.dtype)
        read = sum(x.nbytes for x in inputs)
        flops = operator.flops(row.shape)
        roof = self.roofs.work(moved, read, flops, row.dtype) if self.compute else self.roofs.moved(moved, read)
        return {
            "bytes": moved,
            "flops": flops,
            **times.record(),
            "gbps": float(f"{moved / times.median / 1e9:.5g}"),
            "tflops": float(f"{flops / times.median / 1e12:.4g}"),
            "roof": {"kind": roof.kind, "seconds": float(f"{roof.seconds:.5g}")},
            "of_roof": float(f"{roof.seconds / times.median:.4g}"),
        }

    def _poisoned(self, operator: Operator, row: Row) -> list[NDArray]:
        """Results full of values that no kernel computes: NaN, whose bits may all be set."""
        api, index = self.device.api, self.device.index
        kinds = operator.output_dtypes(row.dtype)
        if self.device.kind != "cuda" or not all(DType(kind).is_float for kind in kinds):
            return [ndarray.array(x, self.device) for x in operator.make_outputs(row.shape, row.dtype)]
        made = [ndarray.empty(*one, self.device) for one in zip(operator.output_shapes(row.shape), kinds, strict=True)]
        for array in made:
            api.memset(index, array.memory.handle, 0xFF, array.nbytes)
        return made

    def _make_ready(
        self, name: str, peer: Peer, row: Row, arrays: Arrays, sides: dict[str, Side], theirs: dict[str, Record | None]
    ) -> None:
        """Add a peer to the sides if it has the operator; what is known before it is timed goes to its cell."""
        try:
            peer.load(arrays)
            side = peer.side(row, self.clock)
        except Exception as error:  # another library's failure is that row's result
            theirs[name] = _failed(name, row, error)
            return
        theirs[name] = None
        if side is not None:
            sides[name] = side
            theirs[name] = _difference(name, row, peer.difference)

    def _numpy(self, row: Row, inputs: Sequence[Array]) -> Record:
        assert self.numpy is not None
        shapes = [[list(x.shape), x.dtype.name] for x in inputs]
        self.numpy.load({"op": row.op, "file": "", "shape": row.shape, "inputs": shapes, "seed": self.seed})
        return {"seconds": float(f"{self.numpy.seconds():.5g}")}


def _failed(name: str, row: Row, error: Exception) -> Record:
    log(f"{name} fails on {row.op} {row.shape} {row.dtype}: {error!r:.200}")
    return {"error": f"{error!r:.200}"}


def _difference(name: str, row: Row, difference: float | None) -> Record:
    if difference is None or difference <= MOST_DIFFERENCE * registry.get(row.op).tolerance(row.dtype):
        return {}
    log(f"{name} on {row.op} {row.shape} {row.dtype}: differs from ours by {difference:.3g}")
    return {"differs": float(f"{min(difference, 1e30):.3g}")}


def _verdict(record: Mapping[str, object]) -> Record:
    peers = record["peers"]
    assert isinstance(peers, dict)
    times = {name: p["seconds"] for name, p in peers.items() if isinstance(p, dict) and "seconds" in p}
    if not times:
        return {"best_peer": None, "vs_best_peer": None}
    best = min(times, key=lambda name: times[name])
    ours = record["seconds"]
    assert isinstance(ours, float)
    return {"best_peer": best, "vs_best_peer": float(f"{times[best] / ours:.4g}")}


def _headers(peers: Sequence[str], rate: str) -> list[str]:
    return ["op", "shape", "dtype", "time", rate, "of roof", *peers, "vs best", "result"]


def _line(record: Mapping[str, object], peers: Sequence[str], rate: str) -> list[str]:
    shape = record["shape"]
    assert isinstance(shape, list)
    cells = [str(record["op"]), ",".join(str(n) for n in shape), str(record["dtype"])]
    if "seconds" not in record:
        return [*cells, *[""] * (4 + len(peers)), "FAILED"]
    seconds, of_roof, theirs = record["seconds"], record["of_roof"], record["peers"]
    assert isinstance(seconds, float)
    assert isinstance(theirs, dict)
    versus = record["vs_best_peer"]
    return [
        *cells,
        seconds_text(seconds),
        str(record[rate]),
        f"{of_roof:.3f}" if isinstance(of_roof, float) else "",
        *[_peer_cell(theirs.get(name)) for name in peers],
        f"{versus:.2f}x" if isinstance(versus, float) else "",
        "ok" if record["ok"] else "WRONG",
    ]


def _peer_cell(found: object) -> str:
    if isinstance(found, dict) and "seconds" in found:
        return seconds_text(found["seconds"])
    return "failed" if isinstance(found, dict) else ""
