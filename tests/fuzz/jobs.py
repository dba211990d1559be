"""Workers that run cases, each in a process of its own: one that dies or hangs costs its case, not the run."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

from tests.fuzz.runner import FuzzCase, Outcome, draw_case, opencl_cpu, run_case

RENEW_AFTER = 250  # cases of one process, whose tables of expressions only grow
LONGEST = 240.0  # seconds of one case


def start() -> str:
    """Set a process up: processes that share one PoCL cache see spurious build failures.  Gives the cache's folder."""
    folder = tempfile.mkdtemp(prefix="gpucomp-fuzz-")
    os.environ["POCL_CACHE_DIR"] = folder
    # The processes share the machine already.
    for name, count in (("POCL_MAX_PTHREAD_COUNT", 1), ("POCL_CPU_MAX_CU_COUNT", 1), ("GPUCOMP_NUM_THREADS", 2)):
        os.environ.setdefault(name, str(count))
    return folder


def one(seed: int, index: int) -> tuple[int, FuzzCase, Outcome]:
    """Draw and run the case of a seed and an index."""
    case = draw_case(seed, index)
    return index, case, run_case(case, opencl_cpu())


def serve(seed: int, pipe: Connection) -> None:
    """What a worker's process does: cases as their indices come, until None."""
    folder = start()
    for index in iter(pipe.recv, None):
        pipe.send(one(seed, index))
    shutil.rmtree(folder, ignore_errors=True)


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    index: int
    since: float
    done: int = 0


Result = TypeVar("Result")


class Pool(ABC, Generic[Result]):
    """Runs the cases of one seed on several processes."""

    @staticmethod
    @abstractmethod
    def serve(seed: int, pipe: Connection) -> None:
        """What a worker's process does: sends the result of each index that comes, until None."""

    @abstractmethod
    def lost(self, index: int, why: str) -> Result:
        """The result of a case whose process died or hung."""

    def __init__(self, seed: int, indices: list[int], jobs: int) -> None:
        self.seed = seed
        self.waiting = list(reversed(indices))
        self.jobs = jobs
        self.context = multiprocessing.get_context("spawn")
        self.workers: list[_Worker] = []

    def run(self) -> Generator[Result]:
        """Outcomes as they come."""
        while len(self.workers) < self.jobs and self.waiting:
            self.workers.append(self._start())
        while self.workers:
            ready = wait([w.pipe for w in self.workers], timeout=5)
            for worker in list(self.workers):
                if worker.pipe in ready:
                    yield self._received(worker)
                elif time.monotonic() - worker.since > LONGEST:
                    worker.process.kill()
                    yield self._lost(worker, f"timeout: no answer within {LONGEST:.0f} s")

    def _start(self) -> _Worker:
        here, there = self.context.Pipe()
        process = self.context.Process(target=self.serve, args=(self.seed, there), daemon=True)
        process.start()
        there.close()
        index = self.waiting.pop()
        here.send(index)
        return _Worker(process, here, index, time.monotonic())

    def _received(self, worker: _Worker) -> Result:
        try:
            result: Result = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join(10)
            return self._lost(worker, f"crash: the process ended with exit code {worker.process.exitcode}")
        worker.done += 1
        if not self.waiting or worker.done >= RENEW_AFTER:
            worker.pipe.send(None)
            self._replace(worker)
            return result
        worker.index, worker.since = self.waiting.pop(), time.monotonic()
        worker.pipe.send(worker.index)
        return result

    def _lost(self, worker: _Worker, why: str) -> Result:
        self._replace(worker)
        return self.lost(worker.index, why)

    def _replace(self, worker: _Worker) -> None:
        self.workers.remove(worker)
        if self.waiting:
            self.workers.append(self._start())


class Workers(Pool[tuple[int, FuzzCase, Outcome]]):
    """The pool for random schedules."""

    serve = staticmethod(serve)

    def lost(self, index: int, why: str) -> tuple[int, FuzzCase, Outcome]:
        """The case, and that it is wrong."""
        return index, draw_case(self.seed, index), Outcome("wrong", why)
