"""Device memory with reuse: freed pieces are kept in size classes, because drivers allocate slowly.

Memory that was used on the default stream may be handed out again at once: later work on that stream runs
after the earlier work.  Memory that was used on another stream is handed out again for that stream only, or
after a wait.
"""

from __future__ import annotations

import threading
from typing import Final

from gpucomp.runtime.base import DeviceAPI, Memory, get_api
from gpucomp.support.config import config
from gpucomp.support.diagnostics import DeviceError

ALIGNMENT: Final = 256
_SMALLEST: Final = 512


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
        self._lock = threading.Lock()
        self._free: dict[tuple[int, object | None], list[Memory]] = {}
        self.cached_bytes = 0
        self.live_bytes = 0

    def alloc(self, nbytes: int, stream: object | None = None) -> Memory:
        """Memory of at least ``nbytes`` bytes, aligned to 256, for use on ``stream``.

        Raises:
            DeviceError: the device is out of memory even after all cached memory was freed.
        """
        capacity = size_class(nbytes)
        with self._lock:
            cached = self._free.get((capacity, stream))
            memory = cached.pop() if cached else None
            if memory is not None:
                self.cached_bytes -= capacity
                self.live_bytes += capacity
                return memory
        try:
            memory = self._api.alloc(self._index, capacity, ALIGNMENT)
        except DeviceError:
            if not self.cached_bytes:
                raise
            self.trim()
            memory = self._api.alloc(self._index, capacity, ALIGNMENT)
        with self._lock:
            self.live_bytes += capacity
        return memory

    def free(self, memory: Memory, stream: object | None = None) -> None:
        """Take memory back; queued work on ``stream`` may still use it."""
        capacity = memory.nbytes
        with self._lock:
            self.live_bytes -= capacity
            if self.cached_bytes + capacity <= self._limit():
                self.cached_bytes += capacity
                self._free.setdefault((capacity, stream), []).append(memory)
                return
        self._api.free(self._index, memory)

    def release(self, held: list[Memory], stream: object | None = None) -> None:
        """Take several pieces back."""
        for memory in held:
            self.free(memory, stream)

    def wait(self) -> None:
        """Wait until all queued work of the device is done."""
        self._api.sync(self._index)

    def trim(self) -> None:
        """Give all cached memory back to the driver."""
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
        attributes = self._api.attributes(self._index)
        return 256 << 20 if attributes.is_cpu else attributes.global_memory_bytes // 4


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
