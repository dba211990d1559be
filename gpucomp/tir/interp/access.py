"""Loads and stores: where an access lands, what is proven about it, and which memory serves it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpucomp.support.dtype import INT64, DType
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.interp.affine import AffineCompiler, Linear, add_linear, scale_linear
from gpucomp.tir.interp.faults import Faults
from gpucomp.tir.interp.values import Val


@dataclass(slots=True)
class Place:
    """How generated code reaches a memory.

    Attributes:
        name: variable that holds the memory object.
        kind: "host" (an argument or a host allocation), "block" (one copy per block, warp or lane), "row" (one
            column per lane).
        dtype: element type of the allocation.
        buffer: the buffer for which it was made, if one is known.
        size: elements, where known.
        low: smallest index of each dimension, as linear forms.
        extents: extents of each dimension.
        strides: elements between neighbours along each dimension; None for compact row-major.
        depth: scope in which ``name`` is defined.
        tracked: loads by lanes must go through the memory object, for races or poison.
        stored: lanes of the current launch write it.
    """

    name: str
    kind: str
    dtype: DType
    buffer: Buffer | None
    size: Val
    low: list[Linear]
    extents: list[Val]
    strides: list[Val] | None = None
    depth: int = 0
    tracked: bool = True
    stored: bool = True


@dataclass(slots=True)
class Spot:
    """Where one access lands: element offset (without the copy's base), proven to be inside or not.

    ``start`` is the first of neighbouring elements, where all lanes access the same ones.
    """

    place: Place
    flat: Val
    proven: bool
    dtype: DType
    start: Val | None = None


class AccessCompiler(AffineCompiler):
    """Adds memory to expressions."""

    def __init__(self, faults: Faults, *, bounds: bool, granule: int = 0) -> None:
        super().__init__(faults)
        self.bounds = bounds
        self.granule = granule
        self.places: dict[Var, Place] = {}
        self.asynchronous = False  # stores are copies that wait_group waits for
        self.predicate: Val | None = None  # vector lanes that make the access whose indices are being compiled

    def place_of(self, buffer: Buffer) -> Place:
        """The memory behind a buffer."""
        place = self.places.get(buffer.data)
        if place is None:
            raise self.unsupported(f"buffer {buffer.name} is used where no memory is allocated for it")
        return place

    # -- indices ----------------------------------------------------------------------------------------------

    def spot(self, buffer: Buffer, indices: tuple[Expr, ...]) -> Spot:
        """Compile the indices of an access, with the checks that are not proven."""
        place = self.place_of(buffer)
        site = self.faults.site(self.stmt, buffer)
        last = indices[-1] if indices else None
        vector: Val | None = None
        heads = list(indices)
        if last is not None and last.dtype.lanes > 1:
            if isinstance(last, e.Ramp) and isinstance(last.stride, e.IntImm):
                vector = self._ramp_steps(last.lanes, last.stride.value)
                heads[-1] = last.base
            else:
                return self._general(place, buffer, indices, site)
        own = place.buffer is buffer
        lows = place.low if own else [({}, 0)] * len(heads)
        strides = self._strides(place, buffer, own=own)
        extents = place.extents if own else [self.expr(s) for s in buffer.shape]
        offset = ({}, 0) if own else self.linear(buffer.elem_offset)
        flat: Linear = offset
        proven = True
        for k, (index, low, stride) in enumerate(zip(heads, lows, strides, strict=True)):
            rel = add_linear(self.linear(index), low, -1)
            extra = vector if vector is not None and k == len(heads) - 1 else None
            if len(heads) > 1 or own:
                proven &= self._check(rel, extra, extents[k], site, buffer, k if len(heads) > 1 else -1)
            flat = add_linear(flat, scale_linear(rel, stride))
        total = self.sum_of(flat)
        start: Val | None = None
        if vector is not None:
            step = strides[-1]
            if step == 1 and vector.hi == vector.dtype.lanes - 1 and not total.arr:
                start = total
            total = self._plus_steps(total, vector, step)
        if not own:
            proven = self._check_flat(place, buffer, total, site)
        return self._finish(Spot(place, total, proven, buffer.dtype.element, start), buffer)

    def _ramp_steps(self, lanes: int, stride: int) -> Val:
        name = self.constant("R", f"{lanes}_{stride}".replace("-", "m"), np.arange(lanes)[None, :] * stride)
        ends = (0, stride * (lanes - 1))
        return Val(name, 0, INT64.with_lanes(lanes), True, False, min(ends), max(ends), True)

    def _plus_steps(self, base: Val, steps: Val, factor: int = 1) -> Val:
        first = f"{base.text}[:, None]" if base.arr else base.text
        text = f"{first} + {steps.text}" + (f" * {factor}" if factor != 1 else "")
        ends = (steps.lo * factor, steps.hi * factor)
        return self.pure(text, (base, steps), steps.dtype, lo=base.lo + min(ends), hi=base.hi + max(ends), wide=True)

    def _strides(self, place: Place, buffer: Buffer, *, own: bool) -> list[int]:
        if own and place.strides is None:
            extents = [x.known for x in place.extents]
        elif own and place.strides is not None:
            return [self._known(s, buffer) for s in place.strides]
        elif buffer.strides:
            return [self._known(self.expr(s), buffer) for s in buffer.strides]
        else:
            extents = [self.expr(s).known for s in buffer.shape]
        out: list[int] = []
        step = 1
        for k, extent in enumerate(reversed(extents)):
            out.append(step)
            if k + 1 < len(extents):
                step *= self._known_int(extent, buffer)
        return out[::-1]

    def _known(self, val: Val, buffer: Buffer) -> int:
        return self._known_int(val.known, buffer)

    def _known_int(self, value: int | None, buffer: Buffer) -> int:
        if value is None:
            raise self.unsupported(f"an extent of {buffer.name} varies while the function runs")
        return value

    def _general(self, place: Place, buffer: Buffer, indices: tuple[Expr, ...], site: int) -> Spot:
        """A last index that is any vector."""
        own = place.buffer is buffer
        strides = self._strides(place, buffer, own=own)
        flat: Linear = ({}, 0) if own else self.linear(buffer.elem_offset)
        for index, low, stride in zip(indices, place.low if own else [({}, 0)] * len(indices), strides, strict=True):
            if index.dtype.lanes == 1:
                flat = add_linear(flat, scale_linear(add_linear(self.linear(index), low, -1), stride))
            else:
                flat = add_linear(flat, scale_linear(low, -stride))
        base, vector = self.sum_of(flat), self.expr(indices[-1])
        if not (vector.arr and vector.wide):
            text = f"np.broadcast_to({vector.text}, np.broadcast_shapes((1, 1), np.shape({vector.text})))"
            text += ".astype(np.int64)"
            vector = self.pure(text, (vector,), vector.dtype, arr=True, lo=vector.lo, hi=vector.hi, wide=True)
        total = self._plus_steps(base, vector, strides[-1])
        proven = self._check_flat(place, buffer, total, site)
        return self._finish(Spot(place, total, proven, buffer.dtype.element), buffer)

    def _finish(self, spot: Spot, buffer: Buffer) -> Spot:
        """Keep unchecked accesses inside; elements that are vectors themselves occupy neighbouring scalars."""
        lanes = buffer.dtype.lanes
        if not self.bounds and not spot.proven:
            text = f"inside({spot.flat.text}, {spot.place.name}.size)"
            spot.flat = self.pure(text, (spot.flat,), spot.flat.dtype, lo=0, wide=True)
            spot.proven = True
            spot.start = None
        if lanes == 1:
            return spot
        flat, spot.start = spot.flat, None
        scaled = self.pure(
            f"{flat.text} * {lanes}", (flat,), flat.dtype, lo=flat.lo * lanes, hi=flat.hi * lanes, wide=True
        )
        spot.flat = self._plus_steps(scaled, self._ramp_steps(lanes, 1))
        return spot

    # -- checks -----------------------------------------------------------------------------------------------

    def _check(self, rel: Linear, steps: Val | None, extent: Val, site: int, buffer: Buffer, axis: int) -> bool:
        """Check one index against its extent; True when it is proven to be inside."""
        val = self.sum_of(rel)
        lo, hi = val.lo, val.hi
        if steps is not None:
            lo, hi = lo + steps.lo, hi + steps.hi
        if (lo >= 0 and hi < extent.lo) or (extent.known == 1 and buffer.buffer_type == "auto_broadcast"):
            return True
        if steps is not None:
            val = self._plus_steps(val, steps)
        what = f"the index of {buffer.name}" if axis < 0 else f"index {axis} of {buffer.name}"
        self._emit_check(val, extent.text, site, what)
        return False

    def _check_flat(self, place: Place, buffer: Buffer, flat: Val, site: int) -> bool:
        parts = buffer.dtype.nbytes
        limit = place.size.lo * place.dtype.nbytes // parts
        if 0 <= flat.lo and flat.hi < limit:
            return True
        same = parts == place.dtype.nbytes
        text = place.size.text if same else f"({place.size.text} * {place.dtype.nbytes} // {parts})"
        self._emit_check(flat, text, site, f"the index of {buffer.name}")
        return False

    def _emit_check(self, val: Val, extent: str, site: int, what: str) -> None:
        if not self.bounds:
            return
        masked = self.predicate
        if val.arr and self.in_lanes:
            mask = self.mask_text() if masked is None else self._joined(masked)
            self.w.line(f"K.check_index({val.text}, {extent}, {mask}, {site}, {what!r})")
        elif val.arr and masked is not None:
            self.w.line(f"host_check(np.where({masked.text}, {val.text}, 0), {extent}, {site}, {what!r})")
        elif val.arr:
            self.w.line(f"host_check({val.text}, {extent}, {site}, {what!r})")
        elif self.mask is not None and self.mask.maybe_empty:
            self.w.line(f"if not 0 <= {val.text} < {extent} and {self.mask.text}.any():")
            self.w.line(f" raise out_of_bounds({site}, {val.text}, {extent}, {what!r})")
        else:
            self.w.line(
                f"if not 0 <= {val.text} < {extent}: raise out_of_bounds({site}, {val.text}, {extent}, {what!r})"
            )

    def _safe(self, spot: Spot) -> str:
        """Offset text that is inside for every lane; inactive lanes may be moved."""
        if spot.proven:
            return spot.flat.text
        if self.mask is None or (not spot.flat.arr and not self.mask.maybe_empty):
            return spot.flat.text
        limit = f"{spot.place.name}.size"
        return f"inside({spot.flat.text}, {limit})"

    # -- loads and stores -------------------------------------------------------------------------------------

    def load(self, node: e.BufferLoad) -> Val:
        """Compile a load."""
        masked = self._own_lanes(node) if node.predicate is None else self.expr(node.predicate)
        spot = self._spot(node.buffer, node.indices, masked)
        site = self.faults.site(self.stmt, node.buffer)
        if masked is None:
            return self._load(spot, node.dtype, self.mask_text(), site)
        if spot.place.kind == "host" and not self.in_lanes:
            kind = self.np_dtype(node.dtype)
            text = f"{spot.place.name}.host_read({spot.flat.text}, {kind}, faults, {site}, {masked.text})"
            return self._scalar(text, node.dtype, arr=True)
        return self._load(spot, node.dtype, self._joined(masked), site)

    def _own_lanes(self, node: e.BufferLoad) -> Val | None:
        """The lanes of an aligned vector that belong to an argument, where the target may read the others too.

        At least one lane has to belong to it.  None: it is a load as any other.
        """
        place, index = self.places.get(node.buffer.data), node.indices[-1] if node.indices else None
        if node.dtype.nbytes > self.granule or place is None or place.kind != "host":
            return None
        whole = isinstance(index, e.Ramp) and isinstance(index.stride, e.IntImm) and index.stride.value == 1
        if not (self.bounds and whole and isinstance(index, e.Ramp) and len(node.indices) == 1 and index.lanes > 1):
            return None
        last = operators.add(index.base, index.lanes - 1)
        first, extent = self.expr(index.base), self.expr(node.buffer.shape[0])
        if first.lo >= 0 and self.expr(last).hi < extent.lo:
            return None
        size = node.buffer.shape[0]
        aligned = operators.compare(e.EQ, operators.floormod(index.base, index.lanes), 0)
        starts = operators.logical(e.And, aligned, operators.compare(e.GE, index.base, 0))
        owned = e.Select(starts, index.base, last)
        self._emit_check(
            self.expr(owned), extent.text, self.faults.site(self.stmt, node.buffer), f"the index of {node.buffer.name}"
        )
        ends = operators.compare(e.GE, index, 0), operators.compare(e.LT, index, e.Broadcast(size, index.lanes))
        return self.expr(operators.logical(e.And, *ends))

    def _spot(self, buffer: Buffer, indices: tuple[Expr, ...], masked: Val | None) -> Spot:
        """Compile the indices of an access that only some vector lanes may make."""
        saved, self.predicate = self.predicate, masked
        spot = self.spot(buffer, indices)
        self.predicate = saved
        return spot

    def _load(self, spot: Spot, dtype: DType, mask: str, site: int) -> Val:
        place, flat = spot.place, spot.flat
        kind = self.np_dtype(dtype)
        vector = dtype.lanes > 1
        if place.kind == "row":
            if spot.start is not None and mask == self.mask_text() and (spot.proven or self.mask is None):
                return self._load_rows(spot, spot.start, dtype, mask, site)
            if flat.arr or vector:
                return self._array(f"{place.name}.load(K, {flat.text}, {mask}, {kind}, {site})", dtype)
            row = self._safe(spot)
            self.w.line(f"if not {place.name}.full[{row}]: {place.name}.check_row(K, {row}, {mask}, {site})")
            return self._array(f"{place.name}.data[{row}]", dtype)
        if place.kind == "block":
            offset = self._copy_offset(spot)
            return self._array(f"{place.name}.load(K, {offset}, {mask}, {kind}, {site})", dtype)
        if not self.in_lanes:
            text = f"{place.name}.host_read({self._safe(spot)}, {kind}, faults, {site})"
            return self._scalar(text, dtype, arr=vector)
        if place.tracked or mask != self.mask_text():
            return self._array(f"{place.name}.load(K, {flat.text}, {mask}, {kind}, {site})", dtype)
        safe = self._safe(spot)
        view = self._view(place, dtype)
        if flat.arr:
            val = self.here(f"{view}.take({safe})", dtype, arr=True, varying=flat.varying)
            return val if not dtype.is_int or dtype.bits != 64 or not dtype.is_signed else _wide(val)
        return self._scalar(f"{view}[{safe}]", dtype, arr=False)

    def _load_rows(self, spot: Spot, start: Val, dtype: DType, mask: str, site: int) -> Val:
        """Neighbouring elements of local memory, the same in all lanes: a view."""
        name, lanes = spot.place.name, dtype.lanes
        end = self._end(start, lanes)
        self.w.line(f"if {name}.full.count(1, {start.text}, {end}) != {lanes}:")
        self.w.line(f" {name}.check_rows(K, {start.text}, {end}, {mask}, {site})")
        return self._array(f"{name}.data[{start.text}:{end}].T", dtype)

    def _end(self, start: Val, lanes: int) -> str:
        if start.known is not None:
            return str(start.known + lanes)
        return self.pure(f"{start.text} + {lanes}", (start,), INT64, arr=False).text

    def _view(self, place: Place, dtype: DType) -> str:
        if dtype.element is place.dtype.element:
            return self.w.define(f"{place.name}.data", place.depth, "d")
        return self.w.define(f"{place.name}.view({self.np_dtype(dtype)})", place.depth, "d")

    def _array(self, text: str, dtype: DType) -> Val:
        val = self.here(text, dtype, arr=True, varying=True)
        return _wide(val) if dtype.is_int and dtype.bits == 64 and dtype.is_signed else val

    def _scalar(self, text: str, dtype: DType, *, arr: bool) -> Val:
        if not arr and dtype.is_integral:
            text = f"{'bool' if dtype.is_bool else 'int'}({text})"
        return self.here(text, dtype, arr=arr, varying=False)

    def _copy_offset(self, spot: Spot) -> str:
        """Offset with the base of each lane's copy."""
        place, flat = spot.place, spot.flat
        base = self.w.define(f"{place.name}.base({spot.dtype.nbytes})", place.depth, "b")
        offset = self._safe(spot) if self.mask is None or spot.proven else flat.text
        if spot.flat.dtype.lanes > 1 or (flat.arr and not flat.varying):
            base = f"{base}[:, None]"
        return self.w.define(f"{base} + {offset}", max(place.depth, flat.depth))

    def _joined(self, predicate: Val) -> str:
        """The mask, narrowed by a predicate over vector lanes."""
        if self.mask is None:
            return (
                f"np.asarray({predicate.text})" if predicate.dtype.lanes > 1 else f"np.full((K.L,), {predicate.text})"
            )
        if predicate.dtype.lanes > 1:
            return f"({self.mask.text}[:, None] & {predicate.text})"
        return f"({self.mask.text} & {predicate.text})"

    def store(self, buffer: Buffer, indices: tuple[Expr, ...], value: Val, predicate: Expr | None) -> None:
        """Compile a store of a value that is there already."""
        masked = None if predicate is None else self.expr(predicate)
        spot = self._spot(buffer, indices, masked)
        place, flat = spot.place, spot.flat
        site = self.faults.site(self.stmt, buffer)
        kind = self.np_dtype(spot.dtype)
        mask = self.mask_text()
        if place.kind == "host" and not self.in_lanes:
            keep = "None" if masked is None else masked.text
            self.w.line(f"{place.name}.host_write({self._safe(spot)}, {value.text}, {kind}, {keep})")
            return
        if masked is not None:
            mask = self._joined(masked)
        if place.kind == "row" and not flat.arr and masked is None and value.dtype.lanes == 1:
            self._store_row(spot, value)
            return
        if place.kind == "row" and spot.start is not None and mask == "None":
            end = self._end(spot.start, value.dtype.lanes)
            rows = f"{spot.start.text}:{end}"
            ones = self.constant("ONES", str(value.dtype.lanes), bytes([1] * value.dtype.lanes))
            text = f"{value.text}.T" if value.arr else value.text
            self.w.line(f"{place.name}.data[{rows}] = {text}; {place.name}.full[{rows}] = {ones}")
            return
        if place.kind == "block":
            offset = self._copy_offset(spot)
        elif place.kind == "host" and not place.tracked and mask == "None" and flat.varying:
            self.w.line(f"{self._view(place, spot.dtype)}[{self._safe(spot)}] = {value.text}")
            return
        else:
            offset = flat.text
        how = "start_store" if self.asynchronous and place.kind == "block" else "store"
        self.w.line(f"{place.name}.{how}(K, {offset}, {value.text}, {mask}, {kind}, {site})")

    def _store_row(self, spot: Spot, value: Val) -> None:
        place, row = spot.place, self._safe(spot)
        if self.mask is None:
            self.w.line(f"{place.name}.data[{row}] = {value.text}; {place.name}.full[{row}] = 1")
        else:
            self.w.line(f"{place.name}.put_row({row}, {value.text}, {self.mask.text})")


def _wide(val: Val) -> Val:
    """An int64 array is its own wide form."""
    return Val(val.text, val.depth, val.dtype, val.arr, val.varying, val.lo, val.hi, True, val.volatile)
