"""Memories: arguments and host allocations, shared memory of blocks, local memory of lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any  # Any: arrays of any element type

import numpy as np
from numpy.typing import NDArray

from gpucomp.tir.interp.broadcast import Values, broadcast
from gpucomp.tir.interp.faults import BOUNDS, UNINITIALISED, Faults
from gpucomp.tir.interp.peers import PeerShadow
from gpucomp.tir.interp.shadow import Index, Shadow

if TYPE_CHECKING:
    from gpucomp.tir.interp.lanes import Batch, Launch

Mask = NDArray[np.bool_]


class Memory:
    """Flat memory that all lanes see: an argument, or an allocation of the host.

    Args:
        name: of the buffer.
        data: its elements, flat.
        unit: bytes of the finest element type under which it is used.
        shape, low: extents and smallest indices under which the user knows it.
        fresh: True when nothing was written yet, so that reads must be preceded by writes.
    """

    def __init__(
        self, name: str, data: Values, unit: int, shape: tuple[int, ...], low: tuple[int, ...], *, fresh: bool
    ) -> None:
        self.name, self.data, self.unit, self.shape, self.low = name, data, unit, shape, low
        self.size = len(data)
        self.init: Mask | None = np.zeros(max(1, data.nbytes // unit), bool) if fresh else None
        self.shadow: Shadow | None = None
        self._views: dict[object, Values] = {data.dtype: data}

    def view(self, dtype: np.dtype[Any]) -> Values:
        """The same memory as elements of another type."""
        found = self._views.get(dtype)
        if found is None:
            found = self._views[dtype] = self.data.view(dtype)
        return found

    def track(self, launch: Launch) -> None:
        """Record accesses of a launch, for races."""
        lanes = launch.total_blocks * launch.threads
        self.shadow = Shadow(max(1, self.data.nbytes // self.unit), max(1, lanes))
        launch.tracked.append(self)

    def poison(self) -> None:
        """Forget that anything was written."""
        if self.init is not None:
            self.init[:] = False
        else:
            garbage(self.data)

    def element(self, unit: int, batch: Batch | None = None) -> str:
        """Name of the element that holds a unit."""
        return _NAMES.element(self.name, unit * self.unit // self.data.itemsize, self.shape, self.low)

    # -- host access ------------------------------------------------------------------------------------------

    def host_read(self, index: Any, dtype: np.dtype[Any], faults: Faults, site: int, keep: Any = None) -> Any:
        """Read where no lanes run: one element, or a vector, whose lanes are zero where ``keep`` does not hold."""
        if keep is not None:
            keep = broadcast(keep, np.shape(index))
            out = np.zeros(np.shape(index), dtype)
            out[keep] = self.host_read(np.asarray(index)[keep], dtype, faults, site)
            return out
        if self.init is not None:
            self._check_init(_units(np.asarray(index).reshape(-1), dtype, self.unit), faults, site, "")
        return self.view(dtype)[index]

    def host_write(self, index: Any, value: Any, dtype: np.dtype[Any], keep: Any = None) -> None:
        """Write where no lanes run; ``keep`` masks vector lanes."""
        if keep is not None:
            keep = broadcast(keep, np.shape(index) or (1, 1))
            index, value = np.asarray(index)[keep], broadcast(value, keep.shape)[keep]
        self.view(dtype)[index] = value
        if self.init is not None:
            self.init[_units(np.asarray(index).reshape(-1), dtype, self.unit)] = True

    def _check_init(self, units: Index, faults: Faults, site: int, who: str, kernel: str | None = None) -> None:
        if self.init is None:
            return
        good = self.init[units]
        if not good.all():
            unit = int(units[int(np.argmin(good))])
            raise faults.error(
                UNINITIALISED,
                f"{self.element(unit)} is read{who} before anything was written to it",
                site,
                kernel=kernel,
            )

    # -- access by lanes --------------------------------------------------------------------------------------

    def load(self, batch: Batch, flat: object, mask: Mask | None, dtype: np.dtype[Any], site: int) -> Values:
        """Elements at ``flat`` (per lane, or per lane and vector lane); zero where ``mask`` is false."""
        view = self.view(dtype)
        index, on = _spread(batch, flat, mask)
        if self.shadow is not None or self.init is not None:
            idx, lanes = _pick(batch, index, on)
            self._note_read(batch, idx, lanes, dtype, site)
        return view.take(index if on is None else np.where(on, index, 0))

    def store(
        self, batch: Batch, flat: object, value: object, mask: Mask | None, dtype: np.dtype[Any], site: int
    ) -> None:
        """Write elements at ``flat`` where ``mask`` holds (per lane, or per lane and vector lane)."""
        view = self.view(dtype)
        index, on = _spread(batch, flat, mask, value)
        data = broadcast(np.asarray(value).astype(dtype, copy=False), index.shape)
        idx, lanes = _pick(batch, index, on)
        data = data.reshape(-1) if on is None else data[on]
        shadow = self.shadow
        if shadow is None:
            view[idx] = data
            if self.init is not None:
                self.init[_units(idx, dtype, self.unit)] = True
            return
        bits = _bits(view)
        new = _bits(np.ascontiguousarray(data))
        parts = dtype.itemsize // self.unit
        units, who = (idx, lanes) if parts == 1 else (_units(idx, dtype, self.unit), np.repeat(lanes, parts))
        changed = bits[idx] != new
        shadow.write(batch, self, units, who, changed if parts == 1 else np.repeat(changed, parts), site)
        view[idx] = data
        lost = bits[idx] != new
        shadow.clash(batch, self, units, who, lost if parts == 1 else np.repeat(lost, parts), site)
        if self.init is not None:
            self.init[units] = True

    def atomic_add(
        self, batch: Batch, flat: object, value: object, mask: Mask | None, dtype: np.dtype[Any], site: int
    ) -> Values:
        """Add in lane order; gives the values before."""
        view = self.view(dtype)
        index, on = _spread(batch, flat, mask)
        idx, lanes = _pick(batch, index, on)
        data = broadcast(np.asarray(value).astype(dtype, copy=False), index.shape)
        data = data.reshape(-1) if on is None else data[on]
        self._check_init(_units(idx, dtype, self.unit), batch.faults, site, " by an atomic update", batch.launch.kernel)
        if self.shadow is not None:
            parts = dtype.itemsize // self.unit
            self.shadow.atomic(batch, self, _units(idx, dtype, self.unit), np.repeat(lanes, parts), site)
        old = np.empty(len(idx), dtype)
        for k in range(len(idx)):
            old[k] = view[idx[k]]
            view[idx[k]] = old[k] + data[k]
        out = np.zeros(index.shape, dtype)
        out[slice(None) if on is None else on] = old.reshape(index.shape) if on is None else old
        return out

    def _note_read(self, batch: Batch, idx: Index, lanes: Index, dtype: np.dtype[Any], site: int) -> None:
        if dtype.itemsize != self.unit:
            idx, lanes = _units(idx, dtype, self.unit), np.repeat(lanes, dtype.itemsize // self.unit)
        if self.init is not None and not self.init[idx].all():
            at = int(np.argmin(self.init[idx]))
            who = f" by {batch.launch.describe(int(lanes[at]))}"
            self._check_init(idx[at : at + 1], batch.faults, site, who, batch.launch.kernel)
        if self.shadow is not None:
            self.shadow.read(batch, self, idx, lanes, site)

    def end_block_phase(self, batch: Batch, blocks: Mask | None) -> None:
        """A barrier over global memory: accesses within each block that met no longer conflict."""
        shadow = self.shadow
        if shadow is None:
            return
        owner = np.where(shadow.owners() < 0, -1, shadow.owners() % shadow.lanes // batch.T)
        met = batch.ids if blocks is None else batch.ids[blocks]
        low = np.where(owner < 0, np.iinfo(np.int64).max, owner).min(axis=0)
        high = owner.max(axis=0)
        shadow.forget((low == high) & np.isin(high, met))


class SharedMemory(Memory):
    """One copy for each block of a batch (or each warp, or lane), behind one another.

    Args:
        batch: the blocks that run.
        size: elements of one copy.
        scope: "shared", "warp", or "local" (for local memory that is used as several element types).
    """

    def __init__(
        self,
        batch: Batch,
        name: str,
        size: int,
        dtype: np.dtype[Any],
        unit: int,
        shape: tuple[int, ...],
        low: tuple[int, ...],
        *,
        scope: str,
        races: bool,
        poison: bool,
    ) -> None:
        self.phase_scope = "warp" if scope == "warp" else "shared"
        self.stride = -(-max(1, size) * dtype.itemsize // 16) * 16
        warps = -(-batch.T // batch.warp)
        self.copies_per_block = {"warp": warps, "local": batch.T}.get(scope, 1)
        data = np.zeros(batch.B * self.copies_per_block * self.stride, np.uint8).view(dtype)
        super().__init__(name, garbage(data), unit, shape, low, fresh=poison)
        self.size = size
        self.copy = batch.block
        if scope == "warp":
            self.copy = batch.block * warps + batch.thread // batch.warp
        elif scope == "local":
            self.copy = batch.lane
        if races and scope != "local":
            lanes = batch.launch.total_blocks * batch.launch.threads
            self.shadow = Shadow(len(data) * dtype.itemsize // unit, max(1, lanes))
        self.peers: PeerShadow | None = None
        if self.shadow is not None and batch.launch.cluster > 1:
            self.peers = PeerShadow(self.shadow.units)

    def peer_load(
        self, batch: Batch, flat: object, rank: object, mask: Mask | None, dtype: np.dtype[Any], site: int
    ) -> Values:
        """An element of the copy of the block with number ``rank`` in the cluster of each lane's block."""
        cluster = batch.launch.cluster
        ranks = broadcast(np.asarray(rank, np.int64), (batch.L,))
        batch.check_index(ranks, cluster, mask, site, "the rank of a block in its cluster")
        block = batch.block // cluster * cluster + np.clip(ranks, 0, cluster - 1)
        index = broadcast(block * (self.stride // dtype.itemsize) + np.asarray(flat), (batch.L,))
        foreign = block != batch.block
        on = np.ones(batch.L, bool) if mask is None else mask
        own = self.load(batch, index, on & ~foreign, dtype, site)
        lanes = np.flatnonzero(on & foreign)
        if self.init is not None or self.peers is not None:
            units = _units(index[lanes], dtype, self.unit)
            who = np.repeat(lanes, len(units) // max(1, len(lanes)))
            if self.init is not None and not self.init[units].all():
                at = int(np.argmin(self.init[units]))
                by = f" by {batch.launch.describe(int(batch.gl[who[at]]))}"
                self._check_init(units[at : at + 1], batch.faults, site, by, batch.launch.kernel)
            if self.peers is not None:
                self.peers.read(batch, self, units, who, site)
        return np.where(foreign, self.view(dtype).take(np.where(on, index, 0)), own)

    def peer_store(
        self,
        batch: Batch,
        flat: object,
        rank: object,
        value: object,
        mask: Mask | None,
        dtype: np.dtype[Any],
        site: int,
    ) -> None:
        """Write to the copy of the block with number ``rank`` in the cluster of each lane's block."""
        cluster = batch.launch.cluster
        ranks = broadcast(np.asarray(rank, np.int64), (batch.L,))
        batch.check_index(ranks, cluster, mask, site, "the rank of a block in its cluster")
        block = batch.block // cluster * cluster + np.clip(ranks, 0, cluster - 1)
        within = broadcast(np.asarray(flat), (batch.L,))
        index = block * (self.stride // dtype.itemsize) + within
        lanes = np.flatnonzero(np.ones(batch.L, bool) if mask is None else mask)
        units = _units(index[lanes], dtype, self.unit)
        if self.peers is not None:
            parts = len(units) // max(1, len(lanes))
            foreign = (block != batch.block)[lanes]
            self.peers.push(batch, self, units, np.repeat(lanes, parts), np.repeat(foreign, parts), site)
        self.view(dtype)[index[lanes]] = broadcast(np.asarray(value).astype(dtype, copy=False), (batch.L,))[lanes]
        if self.init is not None:
            self.init[units] = True

    def load(self, batch: Batch, flat: object, mask: Mask | None, dtype: np.dtype[Any], site: int) -> Values:
        if self.peers is not None and self.peers.pushes:
            index, on = _spread(batch, flat, mask)
            idx, _ = _pick(batch, index, on)
            self.peers.own_read(batch, self, _units(idx, dtype, self.unit), site)
        return super().load(batch, flat, mask, dtype, site)

    def store(
        self, batch: Batch, flat: object, value: object, mask: Mask | None, dtype: np.dtype[Any], site: int
    ) -> None:
        super().store(batch, flat, value, mask, dtype, site)
        if self.peers is not None:
            index, on = _spread(batch, flat, mask, value)
            idx, _ = _pick(batch, index, on)
            self.peers.write(batch, self, _units(idx, dtype, self.unit), site)

    def atomic_add(
        self, batch: Batch, flat: object, value: object, mask: Mask | None, dtype: np.dtype[Any], site: int
    ) -> Values:
        old = super().atomic_add(batch, flat, value, mask, dtype, site)
        if self.peers is not None:
            index, on = _spread(batch, flat, mask)
            idx, _ = _pick(batch, index, on)
            self.peers.write(batch, self, _units(idx, dtype, self.unit), site)
        return old

    def base(self, itemsize: int) -> Index:
        """Offset of each lane's copy, in elements of the given width."""
        return self.copy * (self.stride // itemsize)

    def element(self, unit: int, batch: Batch | None = None) -> str:
        within = unit * self.unit % self.stride
        return _NAMES.element(self.name, within // self.data.itemsize, self.shape, self.low)

    def start_store(
        self, batch: Batch, flat: object, value: object, mask: Mask | None, dtype: np.dtype[Any], site: int
    ) -> None:
        """Begin an asynchronous store: garbage that counts as unwritten, until its group is waited for."""
        index = np.array(flat)
        data, keep = np.array(value), None if mask is None else np.array(mask)
        wide = np.broadcast_shapes(index.shape, data.shape) if index.ndim == data.ndim else index.shape
        self.store(batch, index, broadcast(garbage(np.empty((), dtype)), wide), keep, dtype, site)
        if self.init is not None:
            places, on = _spread(batch, index, keep, data)
            idx, _ = _pick(batch, places, on)
            self.init[_units(idx, dtype, self.unit)] = False
        batch.started.append(lambda: self.store(batch, index, data, keep, dtype, site))

    def next_phase(self, batch: Batch, blocks: Mask | None, *, cluster: bool = False) -> None:
        """A barrier: of all blocks of the batch, or of some; of each alone, or of those of a cluster together."""
        shadow = self.shadow
        if shadow is None:
            return
        if cluster and self.peers is not None:
            met = np.ones(batch.B, bool) if blocks is None else blocks
            self.peers.forget(np.repeat(met, self.stride // self.unit * self.copies_per_block))
        if blocks is None:
            shadow.next_phase()
            return
        units = self.stride // self.unit * self.copies_per_block
        shadow.forget(np.repeat(blocks, units))


class LocalMemory:
    """One column for each lane: ``data[element, lane]``.

    ``full[element]`` is 1 once every lane wrote the element, so that most reads check one byte.
    """

    def __init__(
        self,
        batch: Batch,
        name: str,
        size: int,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        low: tuple[int, ...],
        *,
        poison: bool,
    ) -> None:
        self.name, self.size, self.shape, self.low = name, size, shape, low
        self.data = garbage(np.empty((max(1, size), batch.L), dtype))
        self.flat = self.data.reshape(-1)
        self.lanes = batch.L
        self.full = bytearray(max(1, size)) if poison else bytearray(b"\1" * max(1, size))
        self.checked = poison
        self.init: Mask | None = None

    def poison(self) -> None:
        """Forget that anything was written."""
        if self.checked:
            self.full = bytearray(len(self.full))
            self.init = None
        else:
            garbage(self.data)

    def _partial(self) -> Mask:
        """Per-lane record of writes, made when lanes first differ."""
        if self.init is None:
            self.init = np.zeros(self.data.shape, bool)
        return self.init

    def check_row(self, batch: Batch, row: int, mask: Mask | None, site: int) -> None:
        """Raise if an active lane reads an element that it never wrote."""
        if self.full[row]:
            return
        init = self.init
        good = np.zeros(self.lanes, bool) if init is None else init[row]
        bad = ~good if mask is None else mask & ~good
        if bad.any():
            raise self._unwritten(batch, row, int(np.argmax(bad)), site)

    def check_rows(self, batch: Batch, first: int, end: int, mask: Mask | None, site: int) -> None:
        """:meth:`check_row` for neighbouring elements."""
        for row in range(first, end):
            self.check_row(batch, row, mask, site)

    def _unwritten(self, batch: Batch, row: int, lane: int, site: int) -> Exception:
        name = _NAMES.element(self.name, row, self.shape, self.low)
        return batch.fault(
            UNINITIALISED, f"{name} is read before anything was written to it", site, lane,
            hint="a reduction needs its initial value, a cache its copy, before the first use",
        )  # fmt: skip

    def put_row(self, row: int, value: object, mask: Mask) -> None:
        """Write one element in the active lanes."""
        np.copyto(self.data[row], np.asarray(value).astype(self.data.dtype, copy=False), where=mask)
        if not self.full[row]:
            init = self._partial()
            init[row] |= mask
            if init[row].all():
                self.full[row] = 1

    def load(self, batch: Batch, index: object, mask: Mask | None, dtype: np.dtype[Any], site: int) -> Values:
        """Elements at an index per lane, or vector lanes."""
        flat, on = self._where(batch, index, mask)
        if self.checked:
            rows = flat // self.lanes
            good = np.frombuffer(self.full, np.uint8)[rows] != 0
            if self.init is not None:
                good = good | self.init.reshape(-1)[flat]
            bad = ~good if on is None else on & ~good
            if bad.any():
                at = np.argwhere(bad)[0]
                raise self._unwritten(batch, int(rows[tuple(at)]), int(at[0]), site)
        return self.flat.take(flat)

    def store(
        self, batch: Batch, index: object, value: object, mask: Mask | None, dtype: np.dtype[Any], site: int
    ) -> None:
        """Write elements at an index per lane, or vector lanes."""
        flat, on = self._where(batch, index, mask, value)
        data = broadcast(np.asarray(value).astype(self.data.dtype, copy=False), flat.shape)
        if on is not None:
            flat, data = flat[on], data[on]
        self.flat[flat] = data
        if self.checked:
            self._partial().reshape(-1)[flat] = True

    def _where(self, batch: Batch, index: object, mask: Mask | None, value: object = 0) -> tuple[Index, Mask | None]:
        rows, on = _spread(batch, index, mask, value)
        lane = batch.lane if rows.ndim == 1 else batch.lane[:, None]
        if on is not None:
            rows = np.where(on, rows, 0)
        return rows * self.lanes + lane, on


def garbage(data: Values) -> Values:
    """Fill memory with what nobody should see: NaN, or an odd large number."""
    kind = data.dtype
    if kind.kind == "b":
        data[...] = True
    elif kind.kind in "iu":
        data[...] = np.iinfo(kind).max // 3 * 2
    else:
        data[...] = kind.type(float("nan"))
    return data


def _bits(data: Values) -> Values:
    return data.view(f"u{data.dtype.itemsize}")


def _units(idx: Index, dtype: np.dtype[Any], unit: int) -> Index:
    parts = dtype.itemsize // unit
    return idx if parts == 1 else (idx[:, None] * parts + np.arange(parts)).reshape(-1)


def _spread(batch: Batch, flat: object, mask: object, value: object = 0) -> tuple[Index, Mask | None]:
    """Index per lane (and vector lane), and the mask in the same shape."""
    index = np.asarray(flat)
    if mask is None:
        width = max(_width(index), _width(np.asarray(value)))
        return broadcast(index, (batch.L, width) if width else (batch.L,)), None
    on = np.asarray(mask)
    width = max(_width(index), _width(np.asarray(value)), _width(on))
    shape = (batch.L, width) if width else (batch.L,)
    return broadcast(index, shape), broadcast(on if on.ndim != 1 or not width else on[:, None], shape)


def _width(data: Values) -> int:
    """Vector lanes of a value, 0 for one value per lane."""
    return int(data.shape[-1]) if data.ndim == 2 else 0


def _pick(batch: Batch, index: Index, on: Mask | None) -> tuple[Index, Index]:
    """Indices and lane numbers of the active accesses, flat."""
    lanes = batch.gl if index.ndim == 1 else broadcast(batch.gl[:, None], index.shape)
    if on is None:
        return index.reshape(-1), lanes.reshape(-1)
    return index[on], lanes[on]


def out_of_bounds(faults: Faults, site: int, value: int, size: int, what: str) -> Exception:
    """The error for an index that all lanes share."""
    return faults.error(BOUNDS, f"{what} is at {value}, outside of [0, {size}): out of bounds", site)


_NAMES = Faults("")
