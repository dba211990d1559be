"""The CPU's thread pool: parked native threads that run the parallel loops of compiled kernels.

The pool is machine code (the LLVM IR in templates/llvm), so that a fork and join costs a few microseconds and no GIL:

* A kernel opens a job by making the upper half of ``state`` odd, and wakes threads that sleep on it (a futex).
* A thread joins an open job by raising the lower half with a compare-and-swap, takes chunks of iterations until none
  is left, and leaves.  The caller works too, then closes the job, after which nobody can join, and waits only for
  those who did.  So a thread that the system has not scheduled delays nobody.
* The caller takes chunks from the first one on, the others from the last one on, until they meet: ``next`` counts both
  ways in its halves.  So a core finds in its cache what it had in the call before.
* Idle threads spin for some 20 us before they sleep.
* A parallel loop inside another one, or in a second Python thread while the pool is busy, runs serially.

Threads start when the first parallel loop runs, and again in a child after a fork.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys
import threading
from pathlib import Path
from string import Template
from typing import Final

from gpucomp.runtime import cpu_jit
from gpucomp.support.config import config
from gpucomp.support.resources import template_text

# Offsets into the pool's memory: one cache line for each of the words that are written often.
STATE, NEXT, LOCK, SLEEPERS, JOB, SETUP, SIZE = 0, 64, 128, 192, 256, 320, 384
_FUTEX: Final = {"x86_64": 202, "AMD64": 202, "aarch64": 98}
_PAUSE: Final = {"x86_64": "pause", "AMD64": "pause", "aarch64": "yield"}
_SERIAL: Final = "llvm/serial_pool.ll"
_SPINS: Final = 1000  # pauses of some 20 ns


def pool_source() -> str:
    """The pool as LLVM IR for this machine; without futexes, one that runs everything serially."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _FUTEX or ctypes.sizeof(ctypes.c_void_p) != 8:
        return template_text(_SERIAL)
    return Template(template_text("llvm/thread_pool.ll")).substitute(
        size=SIZE, next=NEXT, lock=LOCK, sleepers=SLEEPERS, spins=_SPINS,
        job=JOB, context=JOB + 8, count=JOB + 16, chunk=JOB + 24, error=JOB + 32, helpers=JOB + 36,
        limit=SETUP, workers=SETUP + 4, start=SETUP + 8, futex=_FUTEX[machine],
        word="getelementptr (i8, ptr @gpucomp_pool, i64 4)", pause=_PAUSE[machine],
    )  # fmt: skip


def available_threads() -> int:
    """GPUCOMP_NUM_THREADS, else the cores that this process may use."""
    return config.num_threads or _cores()


@functools.cache
def _cores() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_quota()
    return max(1, min(cores, quota) if quota else cores)


def _cgroup_quota() -> int:
    """Whole cores that a container may use; 0 when it is not limited."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return 0 if quota == "max" else -(-int(quota) // int(period))
    except (OSError, ValueError):
        return 0


class ThreadPool:
    """The pool of this process.

    Attributes:
        entry: address of ``gpucomp_parallel_for(fn, context, n)``, which kernels call.
    """

    def __init__(self) -> None:
        source = pool_source()
        self.threaded = source != template_text(_SERIAL)
        exports = (
            ("gpucomp_parallel_for", "gpucomp_pool", "gpucomp_worker") if self.threaded else ("gpucomp_parallel_for",)
        )
        self._library = cpu_jit.link(cpu_jit.compile_object(source), exports, {}, lambda: source)
        self.entry = self._library.address("gpucomp_parallel_for")
        if not self.threaded:
            return
        self._base = self._library.address("gpucomp_pool")
        self._limit = ctypes.c_int32.from_address(self._base + SETUP)
        self._workers = ctypes.c_int32.from_address(self._base + SETUP + 4)
        self._start = ctypes.CFUNCTYPE(None)(self._hire)
        ctypes.c_void_p.from_address(self._base + SETUP + 8).value = ctypes.cast(self._start, ctypes.c_void_p).value
        os.register_at_fork(after_in_child=self._forked)

    @property
    def running(self) -> int:
        """Worker threads that exist."""
        return self._workers.value if self.threaded else 0

    def prepare(self) -> None:
        """Set how many threads the next parallel loops may use."""
        if self.threaded:
            self._limit.value = config.num_threads or _cores()

    def _hire(self) -> None:
        """Start missing threads; called by the pool, with its lock held."""
        create = ctypes.CDLL(None).pthread_create
        thread = ctypes.c_ulong()
        worker = ctypes.c_void_p(self._library.address("gpucomp_worker"))
        while self._workers.value < self._limit.value - 1:
            if create(ctypes.byref(thread), None, worker, None) != 0:
                return  # the system gives no more threads: fewer do the work
            self._workers.value += 1

    def _forked(self) -> None:
        """In a child process only the calling thread exists."""
        ctypes.memset(self._base, 0, SETUP)
        self._workers.value = 0


_pool: ThreadPool | None = None
_lock = threading.Lock()


def thread_pool() -> ThreadPool:
    """The pool of this process, made at the first call; its threads start with the first parallel loop."""
    global _pool
    if _pool is None:
        with _lock:
            if _pool is None:
                _pool = ThreadPool()
    return _pool
