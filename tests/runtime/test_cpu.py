"""The CPU device: memory, code cache, the thread pool under nesting, concurrency and forks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpucomp.runtime import cpu_jit, threads
from gpucomp.runtime.base import LaunchFunction
from gpucomp.runtime.cpu import device_api
from gpucomp.support.config import config
from gpucomp.support.diagnostics import BuildError, DeviceError
from gpucomp.support.launch import KernelImage, KernelSpec

# squares(y, n): y[i] = i * i in a parallel loop; slow(y, n): the same after some hundred microseconds a chunk
SOURCE = """
declare i32 @gpucomp_parallel_for(ptr, ptr, i64)
define internal i32 @task(ptr %y, i64 %begin, i64 %end) {
entry:
  br label %loop
loop:
  %i = phi i64 [ %begin, %entry ], [ %next, %loop ]
  %p = getelementptr i64, ptr %y, i64 %i
  %square = mul i64 %i, %i
  %old = atomicrmw add ptr %p, i64 %square monotonic
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %end
  br i1 %more, label %loop, label %done
done:
  %failed = icmp eq i64 %end, 1013
  %code = select i1 %failed, i32 7, i32 0
  ret i32 %code
}
define i32 @squares(ptr %y, i64 %n) {
  %code = call i32 @gpucomp_parallel_for(ptr @task, ptr %y, i64 %n)
  ret i32 %code
}
"""
IMAGE = KernelImage("llvm", SOURCE, (KernelSpec("squares", ("int64*", "int64")),))
ONE = (1, 1, 1)


def squares() -> LaunchFunction:
    return device_api().load(0, IMAGE).functions["squares"]


def call(launch: LaunchFunction, n: int) -> NDArray[np.int64]:
    out = np.zeros(n, np.int64)
    launch(ONE, ONE, 0, None, (out.ctypes.data, n))
    return out


def right(out: NDArray[np.int64]) -> bool:
    return np.array_equal(out, np.arange(len(out)) ** 2)


def test_the_cpu_is_there_and_describes_itself() -> None:
    api = device_api()
    facts = api.attributes(0)
    assert api.count() == 1
    assert api.exist(0)
    assert not api.exist(1)
    assert facts.is_cpu
    assert facts.arch == cpu_jit.host().cpu
    assert facts.multi_processor_count >= 1
    assert {"fp64", "bf16", "int64"} <= facts.features


@pytest.mark.parametrize("alignment", [1, 64, 4096])
@pytest.mark.parametrize("nbytes", [0, 1, 100])
def test_memory_is_aligned_and_copies_both_ways(nbytes: int, alignment: int) -> None:
    api = device_api()
    memory = api.alloc(0, nbytes, alignment)
    assert memory.address % alignment == 0
    data = np.arange(nbytes, dtype=np.uint8)
    api.copy_from_host(0, memory, data)
    other = api.alloc(0, nbytes)
    api.copy_device_to_device(0, other, memory, nbytes)
    back = np.empty_like(data)
    api.copy_to_host(0, back, other)
    assert np.array_equal(back, data)
    api.memset(0, memory.handle, 7, nbytes)
    api.copy_to_host(0, back, memory)
    assert (back == 7).all()
    api.free(0, memory)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 16])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 17, 1000, 4099])
def test_every_iteration_runs_once_with_any_number_of_threads(n: int, count: int) -> None:
    with config.override(num_threads=count):
        launch = squares()
        for _ in range(20):
            assert right(call(launch, n))
        if threads.thread_pool().threaded and n > 1:
            assert threads.thread_pool().running >= count - 1


def test_many_short_jobs_in_a_row_and_after_a_sleep() -> None:
    launch = squares()
    with config.override(num_threads=3):
        for round_number in range(300):
            assert right(call(launch, 64))
            if round_number % 50 == 0:
                time.sleep(0.002)  # long enough for the threads to park


def test_a_failing_task_fails_the_launch_and_the_pool_works_on() -> None:
    launch = squares()
    with config.override(num_threads=2), pytest.raises(DeviceError, match="code 7"):
        call(launch, 1013)
    assert right(call(launch, 1000))


def test_python_threads_may_launch_at_the_same_time() -> None:
    launch = squares()
    good: list[bool] = []

    def work() -> None:
        good.extend([right(call(launch, 3000)) for _ in range(50)])

    with config.override(num_threads=3):
        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert good == [True] * 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_a_pool_of_its_own() -> None:
    launch = squares()
    with config.override(num_threads=3):
        assert right(call(launch, 5000))
        child = os.fork()
        if child == 0:
            fresh = threads.thread_pool().running == 0
            good = [right(call(launch, 5000)) for _ in range(20)]
            started = threads.thread_pool().running == (2 if threads.thread_pool().threaded else 0)
            os._exit(0 if fresh and started and all(good) else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert right(call(launch, 5000))


def test_the_serial_pool_runs_everything_in_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads.sys, "platform", "somewhere")
    pool = threads.ThreadPool()
    assert not pool.threaded
    assert pool.running == 0
    pool.prepare()
    code = cpu_jit.compile_object(SOURCE)
    library = cpu_jit.link(code, ("squares",), {"gpucomp_parallel_for": pool.entry}, lambda: SOURCE)
    import ctypes

    out = np.zeros(100, np.int64)
    assert (
        ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_int64)(library.address("squares"))(
            out.ctypes.data, 100
        )
        == 0
    )
    assert right(out)


def test_the_number_of_threads_follows_the_setting() -> None:
    with config.override(num_threads=5):
        assert threads.available_threads() == 5
    assert 1 <= threads.available_threads() <= (os.cpu_count() or 1)


def test_machine_code_is_compiled_once_and_then_read_from_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    source = SOURCE + f"; {time.perf_counter_ns()}\n"
    first = cpu_jit.compile_object(source)

    def refuse(*_: object) -> object:
        raise AssertionError("compiled again")

    monkeypatch.setattr(cpu_jit, "_optimised", refuse)
    assert cpu_jit.compile_object(source) == first
    with config.override(cache=False), pytest.raises(AssertionError):
        cpu_jit.compile_object(source)


def test_code_stays_in_memory_while_a_launch_function_lives() -> None:
    import gc

    launch = squares()
    gc.collect()
    assert right(call(launch, 100))


def test_text_that_llvm_refuses_is_an_error_with_the_line() -> None:
    image = KernelImage("llvm", "define i32 @f() {\n  ret i64 0\n}\n", (KernelSpec("f", ()),))
    with pytest.raises(BuildError, match="LLVM") as caught:
        device_api().load(0, image)
    assert "ret i64 0" in str(caught.value)


def test_an_image_for_another_device_is_refused() -> None:
    with pytest.raises(DeviceError, match="'cuda'"):
        device_api().load(0, KernelImage("cuda", "", ()))


def test_sources_and_assembly_can_be_read() -> None:
    texts = device_api().load(0, IMAGE).texts
    assert texts["llvm"]() == SOURCE
    assert "define" in texts["ll"]()
    assert "squares" in texts["asm"]()


def test_masked_copies_of_unrolled_loops_compile() -> None:
    """In a process of its own: LLVM ends the process where its instruction selection meets what it does not expect."""
    code = (
        "import sys; from gpucomp.runtime import cpu_jit; "
        "print(len(cpu_jit.assembly(open(sys.argv[1], encoding='utf-8').read())) > 0)"
    )
    text = Path(__file__).with_name("masked_copies.ll")
    done = subprocess.run([sys.executable, "-c", code, str(text)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr[-500:]


@pytest.mark.parametrize("cpu", ["sapphirerapids", "znver4", "x86-64-v3"])
def test_code_that_the_passes_broke_is_made_again_without_them(cpu: str) -> None:
    """In a process of its own, which instruction selection ends where a value is used before it is made."""
    code = (
        "import sys; from gpucomp.runtime import cpu_jit; llvm = cpu_jit._llvm(); "
        "llvm.initialize_all_targets(); llvm.initialize_all_asmprinters(); "
        "cpu_jit.host = lambda: cpu_jit.Host('x86_64-unknown-linux-gnu', sys.argv[2], '', '22'); "
        "print('misplaced' in cpu_jit.assembly(open(sys.argv[1], encoding='utf-8').read()))"
    )
    text = Path(__file__).with_name("misplaced_shuffles.ll")
    done = subprocess.run([sys.executable, "-c", code, str(text), cpu], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr[-500:]


def test_code_is_optimised_once_where_the_passes_leave_it_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[bool] = []
    passes = cpu_jit._run_passes

    def counted(module: Any, machine: Any, slp: bool, loops: bool) -> None:  # Any: llvmlite has no types
        tries.append(slp)
        passes(module, machine, slp, loops)

    monkeypatch.setattr(cpu_jit, "_run_passes", counted)
    cpu_jit.optimised_text(SOURCE)
    assert tries == [True]


def test_code_that_no_set_of_passes_leaves_whole_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[tuple[bool, bool]] = []

    def broken(module: Any, machine: Any, slp: bool, loops: bool) -> None:  # Any: llvmlite has no types
        tries.append((slp, loops))
        module.get_function("gpucomp_parallel_for").linkage = "internal"  # which no declaration has

    monkeypatch.setattr(cpu_jit, "_run_passes", broken)
    with pytest.raises(BuildError, match="code after optimisation") as caught:
        cpu_jit.optimised_text(SOURCE)
    assert tries == [(True, True), (False, True), (False, False)]
    assert caught.value.code == "GC501"
