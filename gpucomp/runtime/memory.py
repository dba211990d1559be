"""Device memory with reuse: freed pieces are kept in size classes, because drivers allocate slowly.

Memory that was used on the default stream may be handed out again at once: later work on that stream runs
after the earlier work.  Memory that was used on another stream is handed out again for that stream only, or
after a wait.

What a new piece has beyond the bytes that were asked for is cleared once: kernels read whole vectors of 16 bytes, also
where only a part of one belongs to the array, and checkers should have nothing to say about it.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from gpucomp.runtime.base import DeviceAPI, Memory, get_api
from gpucomp.support.config import config
from gpucomp.support.diagnostics import DeviceError

ALIGNMENT: Final = 256
_SMALLEST: Final = 512
_CPU_LIMIT: Final = 256 << 20


def size_class(nbytes: int) -> int:
    """The capacity that is allocated for ``nbytes``: at most an eighth more, and at least 512 bytes."""
    if nbytes <= _SMALLEST:
        return _SMALLEST
    step = max(_SMALLEST, 1 << max(0, (nbytes - 1).bit_length() - 4))
    return -(-nbytes // step) * step


class Pool:
    """The memory of one device.  Thread safe."""

    def __init__(self, api: DeviceAPI, index: int) -> None:
        self._api = api
        self._index = index
        # Arrays are freed by the garbage collector, which may run anywhere, also inside this class while it holds
        # the lock.  So freeing only appends here; whoever holds the lock, or the next one, sorts it in.
        self._returned: deque[tuple[Memory, object | None]] = deque()
        self._lock = threading.Lock()
        self._free: dict[tuple[int, object | None], list[Memory]] = {}
        self._own_limit = -1
        self.cached_bytes = 0
        self.live_bytes = 0

    def alloc(self, nbytes: int, stream: object | None = None) -> Memory:
        """Memory of at least ``nbytes`` bytes, aligned to 256, for use on ``stream``.

        Raises:
            DeviceError: the device is out of memory even after all cached memory was freed.
        """
        capacity = size_class(nbytes)
        self._sort_in()
        with self._lock:
            cached = self._free.get((capacity, stream))
            memory = cached.pop() if cached else None
            self.live_bytes += capacity
            if memory is not None:
                self.cached_bytes -= capacity
                return memory
        try:
            return self._alloc_new(capacity, nbytes)
        except BaseException:
            with self._lock:
                self.live_bytes -= capacity
            raise

    def _alloc_new(self, capacity: int, nbytes: int) -> Memory:
        try:
            memory = self._api.alloc(self._index, capacity, ALIGNMENT)
        except DeviceError:
            if not self.cached_bytes:
                raise
            self.trim()
            memory = self._api.alloc(self._index, capacity, ALIGNMENT)
        if capacity > nbytes:
            self._api.clear_rest(self._index, memory, nbytes)
        return memory

    def free(self, memory: Memory, stream: object | None = None) -> None:
        """Take memory back; queued work on ``stream`` may still use it.  May be called by finalizers."""
        self._returned.append((memory, stream))
        self._sort_in()

    def _sort_in(self) -> None:
        while self._returned and self._lock.acquire(blocking=False):
            try:
                surplus = self._keep_returned()
            finally:
                self._lock.release()
            for memory in surplus:
                self._api.free(self._index, memory)

    def _keep_returned(self) -> list[Memory]:
        """Move returned memory to the free lists; what is over the limit is the result."""
        surplus: list[Memory] = []
        limit = self._limit()
        while self._returned:
            memory, stream = self._returned.popleft()
            capacity = memory.nbytes
            self.live_bytes -= capacity
            if self.cached_bytes + capacity > limit:
                surplus.append(memory)
                continue
            self.cached_bytes += capacity
            self._free.setdefault((capacity, stream), []).append(memory)
        return surplus

    def release(self, held: list[Memory], stream: object | None = None) -> None:
        """Take several pieces back."""
        for memory in held:
            self.free(memory, stream)

    def wait(self) -> None:
        """Wait until all queued work of the device is done."""
        self._api.sync(self._index)

    def trim(self) -> None:
        """Give all cached memory back to the driver."""
        self._sort_in()
        with self._lock:
            pieces = [memory for cached in self._free.values() for memory in cached]
            self._free.clear()
            self.cached_bytes = 0
        if pieces:
            self._api.sync(self._index)
        for memory in pieces:
            self._api.free(self._index, memory)

    def _limit(self) -> int:
        setting = config.pool_mb
        if setting >= 0:
            return setting << 20
        if self._own_limit < 0:
            attributes = self._api.attributes(self._index)
            self._own_limit = _CPU_LIMIT if attributes.is_cpu else attributes.global_memory_bytes // 4
        return self._own_limit


_pools: dict[tuple[str, int], Pool] = {}
_pools_lock = threading.Lock()


def get_pool(kind: str, index: int) -> Pool:
    """The pool of one device."""
    found = _pools.get((kind, index))
    if found is not None:
        return found
    with _pools_lock:
        return _pools.setdefault((kind, index), Pool(get_api(kind), index))


class Allocation:
    """Owns one piece of pooled memory and gives it back when the last array that uses it is gone."""

    __slots__ = ("_pool", "_stream", "_streams", "memory")

    def __init__(self, pool: Pool, memory: Memory) -> None:
        self._pool = pool
        self._stream: object | None = None
        self._streams = 0
        self.memory = memory

    def used_on(self, stream: object) -> None:
        """Note that work on ``stream``, not the default stream, uses the memory."""
        if stream is not self._stream:
            self._stream = stream
            self._streams += 1

    def __del__(self) -> None:
        try:
            if self._streams > 1:
                self._pool.wait()
                self._stream = None
            self._pool.free(self.memory, self._stream)
        except Exception:  # drivers may be gone when the interpreter ends
            pass
