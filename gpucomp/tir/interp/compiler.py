"""Statements to Python code that runs all lanes of a batch in lockstep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from gpucomp.support.dtype import BOOL, INT64, DType
from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, IterVar, Var
from gpucomp.tir.functor import post_order
from gpucomp.tir.interp.access import Place
from gpucomp.tir.interp.affine import Linear
from gpucomp.tir.interp.calls import CallCompiler
from gpucomp.tir.interp.faults import ASSERTION, Faults
from gpucomp.tir.interp.independence import LOCKSTEP_FROM, independent
from gpucomp.tir.interp.lanes import BLOCK_TAGS, CLUSTER_TAG, THREAD_TAGS, Settings
from gpucomp.tir.interp.values import Lane, Val, deepest
from gpucomp.tir.stmt import ForKind, Stmt

_BLOCK_SCOPES: Final = frozenset({"shared", "shared.dyn", "warp"})
_TAGS: Final = (*BLOCK_TAGS, CLUSTER_TAG, *THREAD_TAGS)


class Usage:
    """What a statement does to memory: element types by pointer, and which pointers are written."""

    def __init__(self, root: Stmt) -> None:
        self.kinds: dict[Var, dict[DType, None]] = {}
        self.stored: dict[Var, None] = {}
        for node in post_order(root):
            if isinstance(node, (e.BufferLoad, s.BufferStore)):
                self.kinds.setdefault(node.buffer.data, {})[node.buffer.dtype.element] = None
            if isinstance(node, s.BufferStore):
                self.stored[node.buffer.data] = None
            elif isinstance(node, s.AllReduce):
                for buffer in node.results:
                    self.stored[buffer.data] = None
            elif isinstance(node, e.Call) and getattr(node.op, "name", "") == "tir.address_of":
                inner = node.args[0]
                if isinstance(inner, e.BufferLoad):
                    self.stored[inner.buffer.data] = None


class FuncCompiler(CallCompiler):
    """Compiles the body of one function, whose scalar parameters and shapes are known numbers."""

    stmt_table: ClassVar[dict[type, Callable[[Any, Any], None]]] = {}

    def __init__(self, name: str, body: Stmt, faults: Faults, settings: Settings, launch: Mapping[str, Expr]) -> None:
        super().__init__(faults, bounds=settings.bounds, granule=settings.granule)
        self.func_name = name
        self.settings = settings
        self.launch = launch
        self.usage = Usage(body)
        self.tags: dict[str, Val] = {}
        self.parallel = False
        self.tracking = False
        self.slots = 0

    # -- set-up -----------------------------------------------------------------------------------------------

    def unit_of(self, data: Var, dtype: DType) -> int:
        """Bytes of the finest element type under which a pointer is used."""
        kinds = self.usage.kinds.get(data, {})
        return min([k.nbytes for k in kinds] + [dtype.element.nbytes])

    def add_argument(
        self, data: Var, buffer: Buffer | None, name: str, dtype: DType, size: int,
        extents: Sequence[int], strides: Sequence[int] | None,
    ) -> None:  # fmt: skip
        """Declare an argument, whose memory object is the global ``name``."""
        self.places[data] = Place(
            name,
            "host",
            dtype.element,
            buffer,
            self.literal(size, INT64),
            [({}, 0)] * len(extents),
            [self.literal(x, INT64) for x in extents],
            None if strides is None else [self.literal(x, INT64) for x in strides],
        )

    def run_body(self, body: Stmt) -> str:
        """Compile the body; gives the source of ``main``."""
        self.open("def main():")
        if self.launch:
            self.kernel(body, body, self.func_name, dict(self.launch))
        else:
            self.visit(body)
        self.close()
        return self.w.source()

    def visit(self, node: Stmt) -> None:
        """Compile a statement."""
        method = self.stmt_table.get(type(node))
        if method is None:
            raise self.unsupported(
                f"{type(node).__name__} has no meaning here", hint="interpret a function in buffer form or later"
            )
        method(self, node)

    # -- leaves -----------------------------------------------------------------------------------------------

    def store_stmt(self, node: s.BufferStore) -> None:
        self.begin(node)
        self.store(node.buffer, node.indices, self.root(node.value), node.predicate)

    def evaluate(self, node: s.Evaluate) -> None:
        if s.is_noop(node):
            return
        self.begin(node)
        self.root(node.value)

    def let_stmt(self, node: s.LetStmt) -> None:
        self.begin(node)
        if node.var.dtype.is_handle and isinstance(node.value, Var) and node.value in self.places:
            self.places[node.var] = self.places[node.value]
            self.visit(node.body)
            return
        val = self.root(node.value)
        if val.volatile and val.arr:  # a row of local memory is a view: later stores must not show through
            name = self.w.name("x")
            self.w.line(f"{name} = np.array({val.text})")
            val = Val(name, self.w.depth, val.dtype, True, val.varying, val.lo, val.hi, val.wide)
        elif val.volatile:
            val = Val(val.text, val.depth, val.dtype, False, False, val.lo, val.hi, val.wide)
        self.bind_var(node.var, val)
        self.visit(node.body)

    def assert_stmt(self, node: s.AssertStmt) -> None:
        self.begin(node)
        c = self.root(node.condition)
        if not c.known:
            if self.in_lanes:
                self.w.line(f"K.check_true({c.text}, {self.mask_text()}, {self.site}, {ASSERTION!r}, {node.message!r})")
            else:
                self.w.line(f"host_true({c.text}, {self.site}, {node.message!r})")
        self.visit(node.body)

    def sequence(self, node: s.SeqStmt) -> None:
        for item in node.seq:
            self.visit(item)

    def skip(self, node: Stmt) -> None:
        """A hint."""

    # -- control ----------------------------------------------------------------------------------------------

    def if_stmt(self, node: s.IfThenElse) -> None:
        self.begin(node)
        c = self.root(node.condition)
        if c.known is not None:
            side = node.then_case if c.known else node.else_case
            if side is not None:
                self.visit(side)
            return
        sides = [(node.then_case, True)] + ([(node.else_case, False)] if node.else_case is not None else [])
        outer = self.mask
        for side, expected in sides:
            if c.arr:
                mask = self.narrow(outer, c, expected=expected, nonempty=True)
                some = self.w.define(f"{mask.text}.any()", mask.depth)
                self.open(f"if {some}:")
                self.mask = mask
            else:
                self.open(f"if {c.text}:" if expected else f"if not {c.text}:")
            self.visit(side)
            self.close()
            self.mask = outer

    def for_stmt(self, node: s.For) -> None:
        self.begin(node)
        if node.kind is ForKind.THREAD_BINDING and node.thread_binding is not None:
            self.threads(node, node.thread_binding.thread_tag, node.loop_var, node.extent)
            return
        if node.kind is ForKind.PARALLEL and not self.in_lanes:
            self.parallel_loop(node, checked=True)
            return
        low, extent = self.root(node.min), self.root(node.extent)
        if not self.in_lanes and extent.lo >= LOCKSTEP_FROM and independent(node, self.linear):
            self.parallel_loop(node, checked=False)
            return
        self.loop(node.loop_var, low, extent, node.body)

    def loop(self, var: Var, low: Val, extent: Val, body: Stmt) -> None:
        """Run ``body`` for each value of ``var``, in order."""
        if extent.hi <= 0:
            return
        if extent.known == 1:
            self.bind_var(var, Val(low.text, low.depth, var.dtype, low.arr, low.varying, low.lo, low.hi, low.wide,
                                   known=low.known))  # fmt: skip
            self.visit(body)
            return
        outer = self.mask
        name = self.w.name("i")
        top = extent.text
        if extent.arr:
            top = f"trip_count({extent.text}, {self.mask_text()})"
        start = "0" if low.arr or extent.arr else low.text
        self.open(f"for {name} in range({top}):" if start == "0" else f"for {name} in range({start}, {start} + {top}):")
        depth = self.w.depth
        first = 0 if start == "0" else low.lo
        last = (0 if start == "0" else low.hi) + extent.hi - 1
        index = Val(name, depth, var.dtype, lo=first, hi=last)
        if extent.arr:
            test = self.pure(f"{name} < {extent.text}", (index, extent), BOOL)
            self.mask = self.narrow(outer, test, expected=True, nonempty=True)
            self.w.line(f"if not {self.mask.text}.any(): break")
        if start == "0" and low.known != 0:
            ends = (low.lo + first, low.hi + last)
            index = self.integer(f"{low.text} + {name}", (low, index), var.dtype, *ends)
        self.bind_var(var, index)
        self.visit(body)
        self.close()
        self.mask = outer

    def while_stmt(self, node: s.While) -> None:
        self.begin(node)
        outer = self.mask
        cell = self.w.name("w")
        if self.in_lanes:
            self.w.line(f"{cell} = [{'np.ones(K.L, bool)' if outer is None else outer.text}]")
        self.open("while True:")
        depth = self.w.depth
        if self.in_lanes:
            before = self.w.name("m")
            self.w.line(f"{before} = {cell}[0]")
            self.mask = Lane(before, depth, int(before[1:]))
        c = self.root(node.condition)
        if self.in_lanes:
            now = self.w.name("m")
            self.w.line(f"{now} = {cell}[0] = {cell}[0] & {c.text}")
            self.w.line(f"if not {now}.any(): break")
            self.mask = Lane(now, depth, int(now[1:]))
        else:
            self.w.line(f"if not {c.text}: break")
        self.visit(node.body)
        self.close()
        self.mask = outer

    # -- threads ----------------------------------------------------------------------------------------------

    def attr(self, node: s.AttrStmt) -> None:
        if node.attr_key == "thread_extent":
            axis: IterVar = node.node
            self.threads(node, axis.thread_tag, axis.var, node.value)
        elif node.attr_key == "virtual_thread":
            self.begin(node)
            axis = node.node
            self.loop(axis.var, self.literal(0, axis.var.dtype), self.root(node.value), node.body)
        elif node.attr_key == "async_copy":
            self.asynchronous = True
            self.visit(node.body)
            self.asynchronous = False
        else:
            self.visit(node.body)

    def threads(self, node: s.AttrStmt | s.For, tag: str, var: Var, extent: Expr) -> None:
        """A thread axis: the outermost one of a kernel starts the lanes."""
        if not self.in_lanes:
            self.kernel(node, node, self.func_name, {})
            return
        val = self.tags.get(tag)
        if val is None:
            raise self.unsupported(f"thread axis {tag} inside of a loop that runs in parallel")
        self.begin(node)
        size = self.root(extent)
        if size.known is None or size.known != val.hi + 1:
            self.w.line(
                f"if {size.text} != K.launch.extents[{tag!r}]: "
                f"raise K.fault('GC408', 'thread axis {tag} has two extents', {self.site})"
            )
        self.bind_var(var, val)
        self.visit(node.body)

    def kernel(self, node: Stmt, body: Stmt, name: str, extents: dict[str, Expr]) -> None:
        """Run ``body`` as a kernel: lanes are its threads, batched by blocks."""
        self.begin(node)
        for part in post_order(body):
            tag, size = "", None
            if isinstance(part, s.AttrStmt) and part.attr_key == "thread_extent":
                tag, size = part.node.thread_tag, part.value
            elif isinstance(part, s.For) and part.thread_binding is not None:
                tag, size = part.thread_binding.thread_tag, part.extent
            if tag and size is not None:
                extents.setdefault(tag, size)
        vals = {tag: self.root(size) for tag, size in extents.items()}
        pairs = ", ".join([f"{tag!r}: {val.text}" for tag, val in vals.items()])
        kernels = self.slots
        self.slots += 1
        label = name if self.launch or kernels == 0 else f"{name}_{kernels}"
        self.enter(f"launch({label!r}, {{{pairs}}}, {self.site})", body, self.settings.races)
        for tag, val in vals.items():
            if tag not in _TAGS:
                raise self.unsupported(f"thread axis {tag} has no meaning here")
            if val.known == 1:
                self.tags[tag] = self.literal(0, val.dtype)
                continue
            text = self.w.define(f"K.index({tag!r})", self.w.depth)
            self.tags[tag] = Val(text, self.w.depth, val.dtype, True, True, 0, max(val.hi - 1, 0), True)
        self.visit(body)
        self.leave()

    def parallel_loop(self, node: s.For, *, checked: bool) -> None:
        """A loop of the host whose iterations are lanes, with allocations of their own.

        Args:
            node: the loop.
            checked: look for races; otherwise it is known that there are none.
        """
        low, extent = self.root(node.min), self.root(node.extent)
        if extent.known == 1:
            self.loop(node.loop_var, low, extent, node.body)
            return
        loop = f"{'parallel ' if checked else ''}loop {node.loop_var.name}"
        self.parallel = True
        launch = f"launch({loop!r}, {{'blockIdx.x': {extent.text}}}, {self.site}, {loop!r})"
        self.enter(launch, node.body, self.settings.races and checked)
        text = self.w.define("K.index('blockIdx.x')", self.w.depth)
        index = Val(text, self.w.depth, node.loop_var.dtype, True, True, 0, max(extent.hi - 1, 0), True)
        if low.known != 0:
            ends = (low.lo + index.lo, low.hi + index.hi)
            index = self.integer(f"{low.text} + {index.text}", (low, index), node.loop_var.dtype, *ends)
        self.bind_var(node.loop_var, index)
        self.visit(node.body)
        self.leave()
        self.parallel = False

    def enter(self, launch: str, body: Stmt, races: bool) -> None:
        """Begin the code of lanes: track what they may write."""
        self.tracking = races
        name = self.w.name("G")
        self.w.line(f"{name} = {launch}")
        stored = Usage(body).stored
        for data, place in self.places.items():
            place.stored = data in stored
            fresh = place.name.startswith("h")
            place.tracked = (fresh and self.settings.poison) or (place.stored and races)
            if place.stored and races:
                self.w.line(f"{place.name}.track({name})")
        self.open(f"for K in {name}.batches():")
        self.in_lanes, self.mask = True, None

    def leave(self) -> None:
        """End it."""
        self.close()
        self.in_lanes, self.mask, self.tags = False, None, {}
        for place in self.places.values():
            if place.stored and self.tracking:
                self.w.line(f"{place.name}.shadow = None")

    # -- memory -----------------------------------------------------------------------------------------------

    def allocate(self, node: s.Allocate) -> None:
        self.begin(node)
        extents = [self.root(x) for x in node.extents]
        lanes = node.dtype.lanes
        sizes = extents if lanes == 1 else [*extents, self.literal(lanes, INT64)]
        place = self.new_place(node.buffer_var, None, node.dtype.element, sizes, [({}, 0)] * len(sizes))
        self.with_place(node.buffer_var, place, node.body)

    def realize(self, node: s.BufferRealize) -> None:
        self.begin(node)
        data = node.buffer.data
        if data in self.places and self.places[data].buffer is node.buffer and data in self.arguments:
            self.visit(node.body)
            return
        low: list[Linear] = [self.linear(r.min) for r in node.bounds]
        extents = [self.root(r.extent) for r in node.bounds]
        place = self.new_place(data, node.buffer, node.buffer.dtype.element, extents, low)
        self.with_place(data, place, node.body)

    arguments: frozenset[Var] = frozenset()

    def with_place(self, data: Var, place: Place, body: Stmt) -> None:
        """Compile ``body`` with a memory behind a pointer."""
        saved = self.places.get(data)
        self.places[data] = place
        self.visit(body)
        if saved is None:
            del self.places[data]
        else:
            self.places[data] = saved

    def new_place(self, data: Var, buffer: Buffer | None, dtype: DType, extents: list[Val], low: list[Linear]) -> Place:
        """Emit the allocation of a memory."""
        if any([x.arr for x in extents]):
            raise self.unsupported(f"the extents of {data.name} differ between threads")
        lanes = 1 if buffer is None else buffer.dtype.lanes
        size = self.product(extents + ([self.literal(lanes, INT64)] if lanes > 1 else []))
        shape = tuple([x.known or 0 for x in extents])
        lows = tuple([form[1] if not form[0] else 0 for form in low])
        unit = self.unit_of(data, dtype)
        kind, maker = self._maker(data, dtype, unit)
        common = f"{data.name!r}, {size.text}, {self.np_dtype(dtype)}"
        text = {
            "host": f"host_memory({common}, {unit}, {shape}, {lows})",
            "row": f"local_memory(K, {common}, {shape}, {lows})",
            "block": f"shared_memory(K, {common}, {unit}, {shape}, {lows}, {maker!r})",
        }[kind]
        if kind != "host":
            self.slots += 1
            text = f"K.memory({self.slots}, lambda: {text}, {size.text})"
        name = self.w.name("h" if kind == "host" else "s")
        self.w.line(f"{name} = {text}")
        return Place(name, kind, dtype, buffer, size, low, extents, None, self.w.depth)

    def _maker(self, data: Var, dtype: DType, unit: int) -> tuple[str, str]:
        """Kind of place for an allocation here, and the scope of its copies."""
        scope = data.storage_scope or "global"
        if not self.in_lanes:
            return "host", ""
        if not self.parallel and scope in _BLOCK_SCOPES:
            return "block", scope
        if not self.parallel and scope == "global":
            raise self.unsupported(
                f"{data.name} is allocated in global memory inside of a kernel",
                hint="allocate it on the host, or give it shared or local scope",
            )
        kinds = self.usage.kinds.get(data, {})
        plain = all([k is dtype for k in kinds])
        return ("row", "") if plain else ("block", "local")

    def product(self, extents: list[Val]) -> Val:
        """Product of scalar extents."""
        total = 1
        parts: list[Val] = []
        for x in extents:
            if x.known is not None:
                total *= x.known
            else:
                parts.append(x)
        if not parts:
            return self.literal(total, INT64)
        text = " * ".join([str(total), *[p.text for p in parts]])
        low, high = total, total
        for p in parts:
            low, high = low * max(p.lo, 0), high * max(p.hi, 0)
        return Val(self.w.define(text, deepest(parts)), deepest(parts), INT64, lo=low, hi=high)

    # -- cross-thread reduction -------------------------------------------------------------------------------

    def all_reduce_stmt(self, node: s.AllReduce) -> None:
        self.begin(node)
        if not self.in_lanes:
            raise self.unsupported("a cross-thread reduction outside of any kernel")
        combine = self._combiner(node.combiner)
        outer = self.mask
        c = self.root(node.condition)
        identity = [self.root(x) for x in node.combiner.identity_element]
        values = [
            self.guarded(c, lambda v=value: self.root(v), lambda z=zero: z, value.dtype)
            for value, zero in zip(node.values, identity, strict=True)
        ]
        self.mask = outer
        known = {v: t for t, val in self.tags.items() for v, bound in self.memo.items() if bound is val}
        tags = [known[var] for var in node.threads if var in known]
        texts = ", ".join([self.typed(v) for v in values])
        out = self.w.name("v")
        self.w.line(f"{out} = K.all_reduce({combine}, [{texts}], {tags!r}, {self.mask_text()}, {self.site})")
        for k, (buffer, value) in enumerate(zip(node.results, node.values, strict=True)):
            val = Val(f"{out}[{k}]", self.w.depth, value.dtype, True, True, volatile=True)
            self.store(buffer, (e.IntImm("int32", 0),) * len(buffer.shape), val, None)

    def _combiner(self, combiner: e.CommReducer) -> str:
        name = self.w.name("f")
        pairs = list(combiner.lhs) + list(combiner.rhs)
        names = [self.w.name("x") for _ in pairs]
        self.open(f"def {name}({', '.join(names)}):")
        outer, self.mask = self.mask, None
        for var, text in zip(pairs, names, strict=True):
            lo, hi = (-(1 << 63), (1 << 63) - 1) if var.dtype.is_int else (0, 1)
            self.bind_var(var, Val(text, self.w.depth, var.dtype, True, True, lo, hi))
        results = [self.root(r) for r in combiner.result]
        self.w.line(f"return ({''.join([self.typed(r) + ', ' for r in results])})")
        self.close()
        self.mask = outer
        return name


FuncCompiler.stmt_table = {
    s.BufferStore: FuncCompiler.store_stmt,
    s.Evaluate: FuncCompiler.evaluate,
    s.LetStmt: FuncCompiler.let_stmt,
    s.AssertStmt: FuncCompiler.assert_stmt,
    s.SeqStmt: FuncCompiler.sequence,
    s.Prefetch: FuncCompiler.skip,
    s.IfThenElse: FuncCompiler.if_stmt,
    s.For: FuncCompiler.for_stmt,
    s.While: FuncCompiler.while_stmt,
    s.AttrStmt: FuncCompiler.attr,
    s.Allocate: FuncCompiler.allocate,
    s.BufferRealize: FuncCompiler.realize,
    s.AllReduce: FuncCompiler.all_reduce_stmt,
}


def trip_count(extent: Any, mask: Any) -> int:  # Any: arrays of any integer type, or None
    """Iterations of a loop whose extent differs between lanes."""
    counts = np.asarray(extent) if mask is None else np.asarray(extent)[mask]
    return int(counts.max(initial=0))


__all__ = ["FuncCompiler", "Usage", "trip_count"]
