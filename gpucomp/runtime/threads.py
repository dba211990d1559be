"""The CPU's thread pool: parked native threads that run the parallel loops of compiled kernels.

The pool is machine code (the LLVM IR below), so that a fork and join costs a few microseconds and no GIL:

* A kernel opens a job by making the upper half of ``state`` odd, and wakes threads that sleep on it (a futex).
* A thread joins an open job by raising the lower half with a compare-and-swap, takes chunks of iterations from a
  shared counter until none is left, and leaves.  The caller works too, then closes the job, after which nobody can
  join, and waits only for those who did.  So a thread that the system has not scheduled delays nobody.
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
from typing import Final

from gpucomp.runtime import cpu_jit
from gpucomp.support.config import config

# Offsets into the pool's memory: one cache line for each of the words that are written often.
STATE, NEXT, LOCK, SLEEPERS, JOB, SETUP, SIZE = 0, 64, 128, 192, 256, 320, 384
_FUTEX: Final = {"x86_64": 202, "AMD64": 202, "aarch64": 98}
_PAUSE: Final = {"x86_64": "pause", "AMD64": "pause", "aarch64": "yield"}
_SPINS: Final = 1000  # pauses of some 20 ns

_POOL: Final = """
declare i64 @syscall(i64, ...)
declare i32 @sched_yield()

@gpucomp_pool = global [{size} x i8] zeroinitializer, align 64

define internal void @run(ptr %fn, ptr %context, i64 %n, i64 %chunk) {{
entry:
  br label %take
take:
  %begin = atomicrmw add ptr getelementptr (i8, ptr @gpucomp_pool, i64 {next}), i64 %chunk monotonic
  %more = icmp slt i64 %begin, %n
  br i1 %more, label %work, label %done
work:
  %reach = add i64 %begin, %chunk
  %over = icmp sgt i64 %reach, %n
  %end = select i1 %over, i64 %n, i64 %reach
  %code = call i32 %fn(ptr %context, i64 %begin, i64 %end)
  %fine = icmp eq i32 %code, 0
  br i1 %fine, label %take, label %failed
failed:
  %old = atomicrmw max ptr getelementptr (i8, ptr @gpucomp_pool, i64 {error}), i32 %code monotonic
  br label %take
done:
  ret void
}}

define ptr @gpucomp_worker(ptr %unused) {{
entry:
  br label %look
look:
  %seen = phi i32 [ 0, %entry ], [ %high, %left ], [ %seen, %look.again ], [ %seen, %pause ], [ %seen, %awake ]
  %spins = phi i32 [ 0, %entry ], [ 0, %left ], [ 0, %look.again ], [ %spun, %pause ], [ 0, %awake ]
  %state = load atomic i64, ptr @gpucomp_pool acquire, align 8
  %shifted = lshr i64 %state, 32
  %high = trunc i64 %shifted to i32
  %joined = trunc i64 %state to i32
  %bit = and i32 %high, 1
  %open = icmp ne i32 %bit, 0
  %fresh = icmp ne i32 %high, %seen
  %wanted = load atomic i32, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {helpers}) monotonic, align 4
  %room = icmp slt i32 %joined, %wanted
  %may = and i1 %open, %fresh
  %join = and i1 %may, %room
  br i1 %join, label %try, label %idle
try:
  %raised = add i64 %state, 1
  %swap = cmpxchg ptr @gpucomp_pool, i64 %state, i64 %raised acq_rel monotonic
  %won = extractvalue {{ i64, i1 }} %swap, 1
  br i1 %won, label %in, label %look.again
look.again:
  br label %look
in:
  %fn = load ptr, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {job})
  %context = load ptr, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {context})
  %n = load i64, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {count})
  %chunk = load i64, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {chunk})
  call void @run(ptr %fn, ptr %context, i64 %n, i64 %chunk)
  br label %left
left:
  %before = atomicrmw sub ptr @gpucomp_pool, i64 1 release
  br label %look
idle:
  %spun = add i32 %spins, 1
  %tired = icmp sgt i32 %spun, {spins}
  br i1 %tired, label %park, label %pause
pause:
  call void asm sideeffect "{pause}", ""()
  br label %look
park:
  %s0 = atomicrmw add ptr getelementptr (i8, ptr @gpucomp_pool, i64 {sleepers}), i32 1 seq_cst
  %now = load atomic i64, ptr @gpucomp_pool seq_cst, align 8
  %now.shifted = lshr i64 %now, 32
  %now.high = trunc i64 %now.shifted to i32
  %same = icmp eq i32 %now.high, %high
  br i1 %same, label %sleep, label %awake
sleep:
  %slept = call i64 (i64, ...) @syscall(i64 {futex}, ptr {word}, i32 128, i32 %high, ptr null, ptr null, i32 0)
  br label %awake
awake:
  %s1 = atomicrmw sub ptr getelementptr (i8, ptr @gpucomp_pool, i64 {sleepers}), i32 1 seq_cst
  br label %look
}}

define i32 @gpucomp_parallel_for(ptr %fn, ptr %context, i64 %n) {{
entry:
  %none = icmp slt i64 %n, 1
  br i1 %none, label %nothing, label %some
nothing:
  ret i32 0
some:
  %limit = load atomic i32, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {limit}) monotonic, align 4
  %alone = icmp slt i32 %limit, 2
  %single = icmp eq i64 %n, 1
  %small = or i1 %alone, %single
  br i1 %small, label %serial, label %lock
serial:
  %whole = call i32 %fn(ptr %context, i64 0, i64 %n)
  ret i32 %whole
lock:
  %got = cmpxchg ptr getelementptr (i8, ptr @gpucomp_pool, i64 {lock}), i32 0, i32 1 acquire monotonic
  %mine = extractvalue {{ i32, i1 }} %got, 1
  br i1 %mine, label %staff, label %serial
staff:
  %extra = sub i32 %limit, 1
  %workers.0 = load atomic i32, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {workers}) monotonic, align 4
  %enough = icmp sge i32 %workers.0, %extra
  br i1 %enough, label %prepare, label %hire
hire:
  %starter = load ptr, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {start})
  call void %starter()
  %workers.1 = load atomic i32, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {workers}) monotonic, align 4
  br label %prepare
prepare:
  %workers = phi i32 [ %workers.0, %staff ], [ %workers.1, %hire ]
  %fewer = icmp slt i32 %workers, %extra
  %useful = select i1 %fewer, i32 %workers, i32 %extra
  %useful.wide = sext i32 %useful to i64
  %others = sub i64 %n, 1
  %few = icmp slt i64 %others, %useful.wide
  %helpers.wide = select i1 %few, i64 %others, i64 %useful.wide
  %helpers = trunc i64 %helpers.wide to i32
  %threads = add i64 %helpers.wide, 1
  %parts = mul i64 %threads, 8
  %padded = add i64 %n, %parts
  %ceiled = sub i64 %padded, 1
  %chunk = sdiv i64 %ceiled, %parts
  store ptr %fn, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {job})
  store ptr %context, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {context})
  store i64 %n, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {count})
  store i64 %chunk, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {chunk})
  store i32 0, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {error})
  store atomic i32 %helpers, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {helpers}) monotonic, align 4
  store atomic i64 0, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {next}) monotonic, align 8
  %opened = atomicrmw add ptr @gpucomp_pool, i64 4294967296 seq_cst
  %asleep = load atomic i32, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {sleepers}) seq_cst, align 4
  %wake = icmp sgt i32 %asleep, 0
  br i1 %wake, label %call, label %go
call:
  %woken = call i64 (i64, ...) @syscall(i64 {futex}, ptr {word}, i32 129, i32 %helpers, ptr null, ptr null, i32 0)
  br label %go
go:
  call void @run(ptr %fn, ptr %context, i64 %n, i64 %chunk)
  %closed = atomicrmw add ptr @gpucomp_pool, i64 4294967296 acq_rel
  br label %wait
wait:
  %turns = phi i32 [ 0, %go ], [ %turn, %rest ], [ 0, %yield ]
  %state = load atomic i64, ptr @gpucomp_pool acquire, align 8
  %inside = trunc i64 %state to i32
  %all = icmp eq i32 %inside, 0
  br i1 %all, label %finish, label %again
again:
  %turn = add i32 %turns, 1
  %long = icmp sgt i32 %turn, {spins}
  br i1 %long, label %yield, label %rest
rest:
  call void asm sideeffect "{pause}", ""()
  br label %wait
yield:
  %ignored = call i32 @sched_yield()
  br label %wait
finish:
  %code = load i32, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {error})
  store atomic i32 0, ptr getelementptr (i8, ptr @gpucomp_pool, i64 {lock}) release, align 4
  ret i32 %code
}}
"""

_SERIAL: Final = """
define i32 @gpucomp_parallel_for(ptr %fn, ptr %context, i64 %n) {
  %none = icmp slt i64 %n, 1
  br i1 %none, label %nothing, label %some
nothing:
  ret i32 0
some:
  %code = call i32 %fn(ptr %context, i64 0, i64 %n)
  ret i32 %code
}
"""


def pool_source() -> str:
    """The pool as LLVM IR for this machine; without futexes, one that runs everything serially."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _FUTEX or ctypes.sizeof(ctypes.c_void_p) != 8:
        return _SERIAL
    return _POOL.format(
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
        self.threaded = source is not _SERIAL
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
