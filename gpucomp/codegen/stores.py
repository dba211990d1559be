"""Text of stores: elements, whole vectors, their parts, and asynchronous copies into shared memory."""

from __future__ import annotations

from typing import Final

from gpucomp.codegen.dialect import Dialect, extension
from gpucomp.codegen.expression import PLUS
from gpucomp.codegen.fragments import FragmentText
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, IntImm, Var
from gpucomp.tir.functor import free_vars
from gpucomp.tir.stmt import Stmt
from gpucomp.transform.async_copy import ASYNC_BYTES, async_source

LONG_LINE: Final = 80
LINE_BYTES: Final = 64


class StoreText(FragmentText):
    """Adds stores to what is written of expressions and addresses."""

    def __init__(self, dialect: Dialect, features: frozenset[str]) -> None:
        super().__init__(dialect, features)
        self.asynchronous = False
        self.unrolled: dict[Var, None] = {}
        self.wanted = ""  # the condition of asynchronous copies that are written without a branch

    def stmt(self, node: Stmt) -> None:
        """Write a statement."""
        raise NotImplementedError

    def inner(self, node: Stmt) -> None:
        """Write a statement one level deeper."""
        raise NotImplementedError

    def visit_buffer_store(self, node: s.BufferStore) -> None:
        value = node.value
        if self.asynchronous and self._store_async(node):
            return
        if self.wanted:
            wanted, self.wanted = self.wanted, ""
            self.line(f"if ({wanted}) {{")
            self.inner(node)
            self.line("}")
            self.wanted = wanted
            return
        if value.dtype.lanes > 1:
            if not self._store_fragment(node):
                self._store_vector(node)
            return
        if node.predicate is not None:
            self.stmt(s.IfThenElse(node.predicate, s.BufferStore(node.buffer, value, node.indices)))
            return
        self.begin(*node.indices, value)
        self.line(self._assign(node.buffer, self.element(node.buffer, node.indices), self.stored(value)))

    def _predicated(self, node: s.IfThenElse) -> None:
        self.begin(node.condition)
        self.wanted = self.constant(node.condition.dtype, self.text(node.condition), "wanted")
        self.stmt(node.then_case)
        self.wanted = ""

    def _store_async(self, node: s.BufferStore) -> bool:
        """Start a copy, if the target can copy such elements; what it cannot is stored at once, which is right too."""
        found = async_source(node)
        if found is None:
            return False
        condition, load = found
        dtype, lanes = load.dtype, load.dtype.lanes
        target, source = node.indices[0], load.indices[0]
        if lanes > 1:
            to = (target, True)  # a word of several bytes
            if node.value.dtype.lanes > 1:
                to = self.contiguous(node.buffer, (target,), node.value.dtype)
            come = self.contiguous(load.buffer, (source,), dtype)
            varying = condition is not None and condition.dtype.lanes > 1
            if to is None or come is None or not (to[1] and come[1]) or varying or dtype.nbytes not in ASYNC_BYTES:
                if dtype.element.nbytes not in ASYNC_BYTES:
                    return False
                for i in range(lanes):
                    place, value = self.parts.lane(target, i), self.parts.lane(node.value, i)
                    self.visit_buffer_store(s.BufferStore(node.buffer, value, (place,)))
                return True
            target, source = to[0], come[0]
        near, distance = self._apart(target)
        self.begin(near, distance, source, *(() if condition is None else (condition,)))
        copies = extension(self.dialect, "cp_async", self.features)
        place = self.address_at(node.buffer, near)
        if not (isinstance(distance, IntImm) and distance.value == 0):
            place = f"({place}) + {self.text(distance, PLUS + 1)}"
        pointers = place, self.address_at(load.buffer, source)
        mask = "" if condition is None else self.text(condition)
        self.line(copies.cp_async(dtype.nbytes, *pointers, mask, self.wanted) + ";")
        return True

    def _apart(self, index: Expr) -> tuple[Expr, Expr]:
        """An index as a place, and a distance from it that is known once loops are unrolled.

        Instructions of several copies then share the address of the place, and hold the distances themselves.
        """
        place, distance = operators.const(0, index.dtype), operators.const(0, index.dtype)
        terms = [index]
        while terms:
            term = terms.pop()
            if isinstance(term, e.Add):
                terms += [term.b, term.a]
            elif all([var in self.unrolled for var in free_vars(term)]):
                distance = operators.add(distance, term)
            else:
                place = operators.add(place, term)
        return place, distance

    def _store_vector(self, node: s.BufferStore) -> None:
        buffer, value, dtype = node.buffer, node.value, node.value.dtype
        if node.predicate is not None:
            self._store_lanes(node)
            return
        place = self.contiguous(buffer, node.indices, dtype)
        if place is not None:
            base, aligned = place
            whole = self.is_whole(value)
            items = () if whole else tuple([self.parts.lane(value, i) for i in range(dtype.lanes)])
            self.begin(base, *((value,) if whole else items))
            pointer = self.address_at(buffer, base)
            if whole:
                text = self.vector(value)[0]
            else:
                text = self.dialect.make_vector(dtype.element, dtype.lanes, self._lane_texts(items, dtype.element))
            self.line(self._put(buffer, dtype, pointer, text, aligned))
            return
        width = self.width_below(dtype, dtype.lanes - 1)
        in_registers = self.storage(buffer).space == "local" and not self._arithmetic
        if self.native(dtype) and buffer.dtype.lanes == 1 and self._store_pieces(node):
            return
        if self.native(dtype) or buffer.dtype.lanes > 1 or width == 1 or in_registers:
            self._store_lanes(node)
            return
        for begin in range(0, dtype.lanes, width):
            count = min(width, dtype.lanes - begin)
            part = self.parts.part(node.indices[0], begin, count)
            self.stmt(s.BufferStore(buffer, self.parts.part(value, begin, count), (part,)))

    def _store_pieces(self, node: s.BufferStore) -> bool:
        """Store a vector that is aligned to a part of its width only, in parts; false where there are none."""
        buffer, dtype = node.buffer, node.value.dtype
        width = self.width_below(dtype, dtype.lanes // 2)
        while width > 1:
            part = dtype.with_lanes(width)
            starts = range(0, dtype.lanes, width)
            places = [self.contiguous(buffer, (self.parts.part(node.indices[0], i, width),), part) for i in starts]
            found = [place for place in places if place is not None]
            if len(found) == len(places):
                break
            width = self.width_below(dtype, width // 2)
        else:
            return False
        items = tuple([self.parts.lane(node.value, i) for i in range(dtype.lanes)])
        self.begin(*[base for base, _ in found], *items)
        texts = [self.stored(item) for item in items]
        for start, (base, aligned) in zip(starts, found, strict=True):
            vector = self.dialect.make_vector(dtype.element, width, texts[start : start + width])
            pointer = self.address_at(buffer, base)
            self.line(self._put(buffer, part, pointer, vector, aligned))
        return True

    def _put(self, buffer: Buffer, dtype: DType, pointer: str, value: str, aligned: bool) -> str:
        """The statement that stores a vector."""
        space = self.storage(buffer).space
        line = dtype.nbytes >= LINE_BYTES  # whose helper looks at the address itself
        if self.cache_hint and (aligned or line) and space == "global":
            hinted = self.dialect.store_hinted(self.cache_hint, dtype.element, dtype.lanes, pointer, value)
            if hinted:
                return hinted + ";"
        return self.dialect.store_vector(space, dtype.element, dtype.lanes, pointer, value, aligned) + ";"

    def _assign(self, buffer: Buffer, place: str, value: str) -> str:
        """The statement that stores one element."""
        if self.cache_hint and self.storage(buffer).space == "global":
            hinted = self.dialect.store_hinted(self.cache_hint, buffer.dtype.element, 1, "&" + place, value)
            if hinted:
                return hinted + ";"
        return f"{place} = {value};"

    def _lane_texts(self, items: tuple[Expr, ...], element: DType) -> list[str]:
        """Lanes in storage form; long ones on lines of their own."""
        texts = [self.stored(item) for item in items]
        if sum([len(text) for text in texts]) <= LONG_LINE:
            return texts
        kind = self.dialect.storage_type(element)
        out: list[str] = []
        for text in texts:
            out.append(self.names.fresh("lane"))
            self.line(f"const {kind} {out[-1]} = {text};")
        return out

    def _store_lanes(self, node: s.BufferStore) -> None:
        """One store for each lane; all lanes are computed before the first is stored."""
        buffer, value = node.buffer, node.value
        lanes = value.dtype.lanes
        indices = [self.parts.lane(node.indices[0], i) for i in range(lanes)]
        values = [self.parts.lane(value, i) for i in range(lanes)]
        masks = [] if node.predicate is None else [self.parts.lane(node.predicate, i) for i in range(lanes)]
        self.begin(*indices, *values, *masks)
        texts = [self.stored(item) for item in values]
        places = [self.element(buffer, (index,)) for index in indices]
        conditions = [self.text(mask) for mask in masks]
        for i in range(lanes):
            line = self._assign(buffer, places[i], texts[i])
            self.line(f"if ({conditions[i]}) {line}" if masks else line)
