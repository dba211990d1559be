from __future__ import annotations

import gc
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpucomp.runtime import ndarray as nd
from gpucomp.runtime.base import Memory
from gpucomp.runtime.device import Device
from gpucomp.runtime.memory import ALIGNMENT, Allocation, Pool, size_class
from gpucomp.runtime.null import NullAPI
from gpucomp.support.config import config
from gpucomp.support.diagnostics import DeviceError


@pytest.fixture(name="api")
def _api() -> NullAPI:
    return NullAPI()


def _count(api: NullAPI, what: str) -> int:
    return sum(event.what == what for event in api.events)


@given(st.integers(0, 1 << 40))
def test_a_size_class_holds_the_size_and_wastes_little(nbytes: int) -> None:
    capacity = size_class(nbytes)
    assert capacity >= max(nbytes, 512)
    assert capacity <= max(512 * 2, nbytes * 9 // 8 + 512)
    assert size_class(capacity) == capacity


def test_freed_memory_is_used_again_for_the_same_size_class(api: NullAPI) -> None:
    pool = Pool(api, 0)
    first = pool.alloc(5000)
    pool.free(first)
    assert pool.alloc(4990) is first
    assert pool.alloc(4990) is not first
    assert _count(api, "alloc") == 2


def test_memory_is_aligned(api: NullAPI) -> None:
    pool = Pool(api, 0)
    assert all(pool.alloc(size).address % ALIGNMENT == 0 for size in (0, 1, 700, 5000))


def test_memory_freed_on_a_stream_is_only_used_again_on_that_stream(api: NullAPI) -> None:
    pool = Pool(api, 0)
    memory = pool.alloc(100, "s")
    pool.free(memory, "s")
    assert pool.alloc(100) is not memory
    assert pool.alloc(100, "t") is not memory
    assert pool.alloc(100, "s") is memory


def test_no_more_than_the_limit_is_kept(api: NullAPI) -> None:
    pool = Pool(api, 0)
    pieces = [pool.alloc(1 << 20) for _ in range(4)]
    with config.override(pool_mb=2):
        pool.release(pieces)
    assert pool.cached_bytes == 2 << 20
    assert _count(api, "free") == 2


def test_trim_gives_everything_back_after_a_wait(api: NullAPI) -> None:
    pool = Pool(api, 0)
    pool.free(pool.alloc(100))
    pool.free(pool.alloc(1 << 20))
    pool.trim()
    assert pool.cached_bytes == 0
    assert _count(api, "free") == 2
    assert [event.what for event in api.events].index("sync") < [event.what for event in api.events].index("free")


def test_out_of_memory_frees_what_is_cached_and_tries_again() -> None:
    class Small(NullAPI):
        def alloc(self, index: int, nbytes: int, alignment: int = 64) -> Memory:
            signs = {"alloc": 1, "free": -1}
            held = sum(signs[event.what] * int(str(event.detail[0])) for event in self.events if event.what in signs)
            if held + nbytes > 1 << 20:
                raise DeviceError("full")
            return super().alloc(index, nbytes, alignment)

    api = Small()
    pool = Pool(api, 0)
    pool.free(pool.alloc(1 << 19))
    pool.free(pool.alloc(1 << 18))
    assert pool.alloc(1 << 20).nbytes == 1 << 20
    with pytest.raises(DeviceError, match="full"):
        pool.alloc(1 << 20)
    assert pool.live_bytes == 1 << 20


def test_an_array_gives_its_memory_back_when_its_last_view_goes() -> None:
    pool_device = Device("cpu")
    made = nd.empty((1000,), device=pool_device)
    memory = made.memory
    view = made.numpy()
    del made
    gc.collect()
    assert nd.empty((1000,), device=pool_device).memory is not memory
    del view
    gc.collect()
    assert nd.empty((1000,), device=pool_device).memory is memory


def test_finalizers_that_run_while_the_pool_is_locked_do_not_deadlock(api: NullAPI) -> None:
    pool = Pool(api, 0)
    kept = pool.alloc(100)
    allocation = Allocation(pool, kept)
    finished = threading.Event()

    def finalize_inside() -> None:
        nonlocal allocation
        with pool._lock:
            del allocation  # what the garbage collector does at a bad moment
        finished.set()

    thread = threading.Thread(target=finalize_inside, daemon=True)
    thread.start()
    assert finished.wait(5)
    assert pool.alloc(100) is kept


def test_memory_used_on_several_streams_waits_before_it_is_used_again(api: NullAPI) -> None:
    pool = Pool(api, 0)
    allocation = Allocation(pool, pool.alloc(100))
    allocation.used_on("s")
    allocation.used_on("s")
    memory = allocation.memory
    del allocation
    assert _count(api, "sync") == 0
    assert pool.alloc(100, "s") is memory
    allocation = Allocation(pool, memory)
    allocation.used_on("s")
    allocation.used_on("t")
    del allocation
    assert _count(api, "sync") == 1
    assert pool.alloc(100) is memory


def test_what_a_new_piece_has_beyond_its_bytes_is_cleared_once() -> None:
    class Clearing(NullAPI):
        def clear_rest(self, index: int, memory: Memory, nbytes: int) -> None:
            cleared.append((memory.nbytes, nbytes))

    cleared: list[tuple[int, int]] = []
    pool = Pool(Clearing(), 0)
    pool.free(pool.alloc(5001))
    pool.alloc(5003)  # the same piece
    pool.alloc(4096)  # nothing is left over
    assert cleared == [(size_class(5001), 5001)]
