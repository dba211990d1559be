"""The processors' part of a suite on a GPU, in other processes: compilation, inputs and comparisons with references.

A row takes the GPU a few milliseconds and one processor a second or two: random numbers, compilers, results in
float64.  All rows are compiled before the first one is timed, so that while something is timed other processes use
processors only.  Inputs wait in files, in memory where the system has such a place; results go back the same way, and
are compared while the GPU goes on.  Nothing else changes: inputs come from the same seed, and every result is compared
before its row is reported.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import numpy as np

from gpucomp.cli.console import log, seconds_text
from gpucomp.cli.suite.checked import worst_error
from gpucomp.cli.suite.inductor import MODES, import_compiler, shared_caches
from gpucomp.cli.suite.row import Row
from gpucomp.cli.suite.warm import Compiled, compile_all
from gpucomp.kernels import registry
from gpucomp.kernels.arrays import Array
from gpucomp.runtime.device import Device
from gpucomp.runtime.ndarray import NDArray
from gpucomp.support.dtype import DType
from gpucomp.support.log import logger
from gpucomp.target.target import Target

MOST_JOBS: Final = 14
ROWS_AHEAD: Final = 8  # whose inputs are made, or whose results are compared, at once
_MEMORY_FOLDER: Final = "/dev/shm"
_ROOM: Final = 16 << 30


def usual_jobs(device: Device, against: Sequence[str]) -> int:
    """How many processes help where nobody says: none where processors are timed, as the device or as numpy's."""
    if device.kind != "cuda" or "numpy" in against:
        return 0
    spare = (os.cpu_count() or 1) - 2
    return min(MOST_JOBS, spare) if spare > 1 else 0


class Helper(Protocol):
    """Inputs of rows, and comparisons of results."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def inputs(self, number: int) -> list[Array]:
        """The inputs of a row, which is given by its place."""
        ...

    def error(self, number: int, inputs: Sequence[Array], outputs: Sequence[NDArray]) -> Future[float]:
        """The largest error of the results, as :func:`worst_error` finds it, now or later."""
        ...


class Alone:
    """Everything when it is asked for, in this process."""

    def __init__(self, rows: Sequence[Row], seed: int) -> None:
        self.rows, self.seed = rows, seed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def inputs(self, number: int) -> list[Array]:
        return _make(self.rows[number], self.seed)

    def error(self, number: int, inputs: Sequence[Array], outputs: Sequence[NDArray]) -> Future[float]:
        row, done = self.rows[number], Future[float]()
        results = [x.numpy() for x in outputs]
        done.set_result(worst_error(registry.get(row.op), row, inputs, results, self.seed))
        return done


class Ahead:
    """Other processes do it before it is asked for.

    Args:
        rows: in the order in which they will be asked for.
        target: what ours is compiled for.
        against: the peers' names.
        seed: of the inputs.
        jobs: how many processes.
    """

    def __init__(self, rows: Sequence[Row], target: Target, against: Sequence[str], seed: int, jobs: int) -> None:
        self.rows, self.target, self.against, self.seed, self.jobs = rows, str(target), tuple(against), seed, jobs
        room = os.path.isdir(_MEMORY_FOLDER) and shutil.disk_usage(_MEMORY_FOLDER).free >= _ROOM
        self.folder = Path(tempfile.mkdtemp(prefix="gpucomp-suite-", dir=_MEMORY_FOLDER if room else None))
        # Forked children of a process with a GPU's context are of no use.
        self.context = multiprocessing.get_context("spawn")
        # Who stops the run by a signal to all of its processes still gets the rows that were measured.
        ignored = (signal.SIGTERM, signal.SIG_IGN)
        self.pool = ProcessPoolExecutor(jobs, self.context, initializer=signal.signal, initargs=ignored)
        self.environment: dict[str, str | None] = {}
        self.made: dict[int, Future[list[tuple[tuple[int, ...], str]]]] = {}
        self.compared: list[Future[float]] = []

    def __enter__(self) -> Self:
        # Threads of one process are in the others' way.
        wanted = {**shared_caches(self.folder), "OPENBLAS_NUM_THREADS": "1"}
        self.environment = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        for number in range(min(ROWS_AHEAD, len(self.rows))):
            self._make_later(number)
        start = time.perf_counter()
        with ProcessPoolExecutor(self.jobs, self.context) as compilers:
            waiting = [compilers.submit(compile_all, row, Target(self.target), self.against) for row in self.rows]
            self._meanwhile()
            compiled: list[Compiled] = []
            for row, future in zip(self.rows, waiting, strict=True):
                problem = future.exception()
                if problem is None:
                    compiled += future.result()
                else:  # it will be reported when the row's turn comes
                    logger.debug("not compiled ahead: %s %s %s: %r", row.op, row.shape, row.dtype, problem)
        log(f"compiled {len(self.rows)} rows in {seconds_text(time.perf_counter() - start)}")
        for line in _told(compiled):
            log(line)
        return self

    def _meanwhile(self) -> None:
        """Import what this process will need of torch's compiler."""
        if not any(name in MODES for name in self.against):
            return
        try:
            import_compiler()
        except Exception as error:  # as the rows will say
            logger.debug("torch's compiler: %r", error)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pool.shutdown(wait=True, cancel_futures=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        for name, old in self.environment.items():
            if old is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = old

    def inputs(self, number: int) -> list[Array]:
        for later in range(number, min(number + ROWS_AHEAD, len(self.rows))):
            if later not in self.made:
                self._make_later(later)
        try:
            made = self.made[number].result()
        except BrokenProcessPool:
            return _make(self.rows[number], self.seed)
        return [_mapped(_file(self.folder, number, k), *one, "r+") for k, one in enumerate(made)]

    def error(self, number: int, inputs: Sequence[Array], outputs: Sequence[NDArray]) -> Future[float]:
        if len(self.compared) >= ROWS_AHEAD:
            self.compared[-ROWS_AHEAD].exception()  # wait: files take memory
        kinds: list[tuple[tuple[int, ...], str]] = []
        for k, array in enumerate(outputs):
            kinds.append((array.shape, str(array.dtype)))
            place = _mapped(_file(self.folder, number, k, "result"), *kinds[-1], "w+")
            array.device.api.copy_to_host(array.device.index, place, array.memory)
        future = self.pool.submit(_compare, self.folder, number, self.rows[number], self.seed, kinds)
        self.compared.append(future)
        return future

    def _make_later(self, number: int) -> None:
        self.made[number] = self.pool.submit(_make_files, self.folder, number, self.rows[number], self.seed)


def _told(compiled: Sequence[Compiled]) -> list[str]:
    """A line for each peer: what compiling for it took, and what it could not compile."""
    lines: list[str] = []
    for peer in dict.fromkeys(one.peer for one in compiled):
        mine = [one for one in compiled if one.peer == peer]
        problems = [one.problem for one in mine if one.problem]
        failed = f"; not {len(problems)} of {len(mine)} rows, the first {problems[0]}" if problems else ""
        lines.append(f"compiled for {peer} in {seconds_text(sum(one.seconds for one in mine))} of processes{failed}")
    return lines


def _make(row: Row, seed: int) -> list[Array]:
    return registry.get(row.op).make_inputs(row.shape, row.dtype, np.random.default_rng(seed))


def _file(folder: Path, number: int, k: int, what: str = "input") -> Path:
    return folder / f"{number}-{what}-{k}"


def _mapped(path: Path, shape: tuple[int, ...], dtype: str, mode: str) -> Array:
    kind = DType(dtype).numpy
    bits = np.memmap(path, np.uint8, mode, shape=(int(np.prod(shape, dtype=np.int64)) * kind.itemsize,))  # pyright: ignore[reportArgumentType, reportCallIssue]  # numpy's stub wants a literal mode
    return bits.view(kind).reshape(shape)


def _make_files(folder: Path, number: int, row: Row, seed: int) -> list[tuple[tuple[int, ...], str]]:
    made = _make(row, seed)
    for k, array in enumerate(made):
        array.tofile(_file(folder, number, k))
    return [(array.shape, array.dtype.name) for array in made]


def _compare(folder: Path, number: int, row: Row, seed: int, kinds: Sequence[tuple[tuple[int, ...], str]]) -> float:
    operator = registry.get(row.op)
    shapes = operator.input_shapes(row.shape)
    inputs = [_mapped(_file(folder, number, k), shape, row.dtype, "r") for k, shape in enumerate(shapes)]
    results = [_mapped(_file(folder, number, k, "result"), *one, "r") for k, one in enumerate(kinds)]
    try:
        return worst_error(operator, row, inputs, results, seed)
    finally:
        for path in folder.glob(f"{number}-*"):
            path.unlink()
