"""Copies to shared memory that the copy engine of a multiprocessor does, and hints for those of later blocks.

A nest under the pragma ``bulk_copy`` in which the threads of a block copy neighbouring elements to shared memory
becomes one copy that one thread starts.  No registers hold what is on its way, so that all of it may be::

    for c in unroll(8):                                        if threadIdx_x == 0:
        S[(c * 256 + threadIdx_x) * 8 + 0..7]        -->           bulk_begin(32768)
            = A[block * 16384 + ...]                               bulk_copy(&S[0], &A[block * 16384], 16384)
                                                               barrier; bulk_wait

With ``bulk_ahead``, the thread also asks the second-level cache for what the block so many further on will copy, so
that memory has work while the blocks of now compute; ``bulk_ahead_late`` does so when this block's own copy has come.

The pragma allows, and does not ask: a nest with gaps, of unaligned or narrow elements, in a loop, or for a target
without the engine (feature ``tma``) stays as it is, which is right anywhere.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from gpucomp.arith.int_set import IntervalSet
from gpucomp.target.target import Target
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, IntImm, IterVar, Ramp, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import free_vars, substitute
from gpucomp.tir.stmt import Stmt
from gpucomp.transform.async_copy import is_zero
from gpucomp.transform.walk import ScopedMutator, is_call

PRAGMA: Final = "pragma_bulk_copy"
AHEAD: Final = "pragma_bulk_ahead"
LATE: Final = "pragma_bulk_ahead_late"
KEYS: Final = (PRAGMA, AHEAD, LATE)
GRANULE: Final = 16  # bytes that addresses and sizes are multiples of


@dataclass(frozen=True, slots=True)
class _Copy:
    """``count`` elements from ``source[begin]`` on go to ``target[to]``; ``rest`` stores zeros behind them.

    ``ahead`` blocks later others are copied, which the cache is asked for at once or ``late``, when these have come; it
    is an ``engine`` that copies, or the threads.
    """

    target: Buffer
    to: Expr
    source: Buffer
    begin: Expr
    count: Expr
    lanes: int
    ahead: int
    late: bool
    engine: bool
    rest: Stmt | None


def bulk_copies(func: PrimFunc) -> PrimFunc:
    """Replace nests under the pragma by copies of the engine, once a kernel; on vectors, before ``thread_sync``."""
    target = func.attrs.get("target")
    if not isinstance(target, Target) or "tma" not in target.features:
        return func
    return func.with_body(_Bulk(func).stmt(func.body))


class _Bulk(ScopedMutator):
    def __init__(self, func: PrimFunc) -> None:
        super().__init__(func)
        self.threads: dict[Var, int] = {}
        self.blocks: tuple[Var, Expr] | None = None
        self.nested = 0
        self.done = False

    def visit_attr_stmt(self, node: s.AttrStmt) -> Stmt:
        if node.attr_key in KEYS:
            return self._together([node])
        axis = node.node
        if node.attr_key != "thread_extent" or not isinstance(axis, IterVar):
            return super().visit_attr_stmt(node)
        outermost = self.blocks is None and not self.threads
        if axis.thread_tag == "blockIdx.x":
            self.blocks = (axis.var, node.value)
        elif axis.thread_tag.startswith("threadIdx") and isinstance(node.value, IntImm):
            self.threads[axis.var] = node.value.value
        out = super().visit_attr_stmt(node)
        if outermost:
            self.blocks, self.threads, self.done = None, {}, False
        return out

    def visit_for(self, node: s.For) -> Stmt:
        self.nested += 1
        out = super().visit_for(node)
        self.nested -= 1
        return out

    def visit_while(self, node: s.While) -> Stmt:
        self.nested += 1
        out = super().visit_stmt(node)
        self.nested -= 1
        return out

    def visit_if_then_else(self, node: s.IfThenElse) -> Stmt:
        self.nested += 1
        out = super().visit_if_then_else(node)
        self.nested -= 1
        return out

    def visit_seq_stmt(self, node: s.SeqStmt) -> Stmt:
        out: list[Stmt] = []
        run: list[s.AttrStmt] = []
        for item in node.seq:
            if isinstance(item, s.AttrStmt) and item.attr_key in KEYS:
                run.append(item)
                continue
            if run:
                out.append(self._together(run))
                run = []
            out.append(self.stmt(item))
        if run:
            out.append(self._together(run))
        same = len(out) == len(node.seq) and all([a is b for a, b in zip(out, node.seq, strict=True)])
        return node if same else s.seq(*out)

    def _together(self, nests: list[s.AttrStmt]) -> Stmt:
        """Neighbouring nests become copies that are waited for together, or stay as they are, all of them."""
        copies = [] if self.nested or self.done else [self._match(nest) for nest in nests]
        found = [copy for copy in copies if copy is not None]
        if not found or len(found) < len(nests):
            return s.seq(*nests)
        if not all([copy.engine for copy in found]):
            return s.seq(self._alone([hint for copy in found for hint in self._hint(copy)]), *nests)
        self.done = True
        total = operators.const(0)
        for copy in found:
            total = operators.add(total, operators.multiply(copy.count, copy.source.dtype.nbytes))
        steps: list[Stmt] = [_call("bulk_begin", self.analyzer.simplify(total))]
        for copy in found:
            start = _call(
                "bulk_copy", _vector(copy.target, copy.to, copy), _vector(copy.source, copy.begin, copy), copy.count
            )
            steps.append(self._unless_empty(copy, start))
        steps += [hint for copy in found if not copy.late for hint in self._hint(copy)]
        body = self._alone(steps)
        late = self._alone([hint for copy in found if copy.late for hint in self._hint(copy)])
        rests = [copy.rest for copy in found if copy.rest is not None]
        return s.seq(body, *rests, s.Evaluate(intrin.barrier("shared")), _call("bulk_wait"), late)

    def _alone(self, steps: list[Stmt]) -> Stmt | None:
        """Steps of one thread of the block."""
        first = [operators.compare(e.EQ, var, 0) for var, extent in self.threads.items() if extent > 1]
        if not first or not steps:
            return s.seq(*steps) if steps else None
        return s.IfThenElse(functools.reduce(lambda a, b: operators.logical(e.And, a, b), first), s.seq(*steps))

    def _unless_empty(self, copy: _Copy, stmt: Stmt) -> Stmt:
        some = operators.compare(e.GT, copy.count, 0)
        return stmt if self.analyzer.can_prove(some) else s.IfThenElse(some, stmt)

    def _hint(self, copy: _Copy) -> list[Stmt]:
        if copy.ahead < 1 or self.blocks is None:
            return []
        block, blocks = self.blocks
        later = operators.add(block, copy.ahead)
        begin = self.analyzer.simplify(substitute(copy.begin, {block: later}))
        ask = _call("bulk_prefetch", _vector(copy.source, begin, copy), copy.count)
        return [self._unless_empty(copy, s.IfThenElse(operators.compare(e.LT, later, blocks), ask))]

    def _match(self, nest: s.AttrStmt) -> _Copy | None:
        """What a nest copies; None unless that is neighbours, up to an end behind which zeros are stored."""
        inner = {var: _range(extent) for var, extent in self.threads.items()}
        steps, notes = 1, dict[str, int]()
        end: Expr | None = None
        loops: list[s.For] = []
        body: Stmt = nest
        while not isinstance(body, s.BufferStore):
            if isinstance(body, s.AttrStmt) and body.attr_key.startswith("pragma_"):
                notes[body.attr_key] = body.value.value if isinstance(body.value, IntImm) else 1
            elif isinstance(body, s.For) and isinstance(body.extent, IntImm) and _is_zero(body.min):
                inner[body.loop_var] = _range(body.extent.value)
                steps *= body.extent.value
                loops.append(body)
            elif isinstance(body, s.IfThenElse) and body.else_case is None and end is None:
                end, body = body.condition, body.then_case
                continue
            else:
                return None
            body = body.body
        value, zeros = body.value, False
        if is_call(value, "if_then_else") and isinstance(value, e.Call) and end is None:
            zeros = True
            end, value, nothing = value.args
            if not is_zero(nothing):
                return None
        to = body.indices[0]
        if not isinstance(value, e.BufferLoad) or value.predicate is not None or body.predicate is not None:
            return None
        begin = value.indices[0]
        if not (isinstance(to, Ramp) and isinstance(begin, Ramp) and _one(to) and _one(begin)):
            return None
        scopes = body.buffer.scope().startswith("shared") and value.buffer.scope() == "global"
        if not scopes or body.buffer.dtype is not value.buffer.dtype or to.lanes != begin.lanes:
            return None
        if to.lanes * value.buffer.dtype.nbytes % GRANULE:
            return None
        moved = self._apart(begin.base, to.base, inner)
        if moved is None:
            return None
        for var, extent in self.threads.items():
            steps *= extent if var in free_vars(to.base) else 1
        low = self._lowest(to.base, inner, (steps - 1) * to.lanes)
        count = None if low is None else self._count(end, to, low, steps, inner)
        if low is None or count is None:
            return None
        rest: Stmt | None = None
        if end is not None and zeros:
            rest = s.IfThenElse(operators.logical_not(end), body.replace(value=nothing_of(body.value)))
            for loop in reversed(loops):
                rest = loop.replace(body=rest)
        source = self.analyzer.simplify(operators.add(moved, low))
        engine, late = PRAGMA in notes, AHEAD not in notes
        ahead = notes.get(LATE if late else AHEAD, 0)
        return _Copy(body.buffer, low, value.buffer, source, count, to.lanes, ahead, late, engine, rest)

    def _apart(self, a: Expr, b: Expr, inner: dict[Var, IntervalSet]) -> Expr | None:
        """How much further on ``a`` is than ``b``, where that is the same for all threads and iterations."""
        apart = self.analyzer.simplify(operators.subtract(a, b))
        return None if any([var in inner for var in free_vars(apart)]) else apart

    def _lowest(self, place: Expr, inner: dict[Var, IntervalSet], span: int) -> Expr | None:
        """The least value of an index, where its largest is ``span`` more."""
        whole = self.analyzer.int_set(place, inner)
        if not (whole.min_value.dtype.is_int and whole.max_value.dtype.is_int):
            return None
        low = self.analyzer.simplify(whole.min_value)
        found = self.analyzer.simplify(operators.subtract(whole.max_value, low))
        return low if isinstance(found, IntImm) and found.value == span else None

    def _count(self, end: Expr | None, to: Ramp, low: Expr, steps: int, inner: dict[Var, IntervalSet]) -> Expr | None:
        """Elements that are copied: all of them, or those before an end, which counts elements or vectors."""
        if end is None:
            return operators.const(steps * to.lanes)
        end = end.args[0] if is_call(end, "likely") and isinstance(end, e.Call) else end
        if not isinstance(end, e.LT):
            return None
        for unit in (to.lanes, 1):
            moved = self._apart(operators.multiply(end.a, unit), to.base, inner)
            if moved is None:
                continue
            bound = operators.multiply(end.b, unit)
            left = operators.subtract(bound, operators.add(moved, low))
            if not self.analyzer.can_prove_equal(operators.floormod(left, to.lanes), 0):
                return None
            return self.analyzer.simplify(operators.maximum(operators.minimum(left, steps * to.lanes), 0))
        return None


def nothing_of(value: Expr) -> Expr:
    """What is stored where nothing is copied."""
    assert isinstance(value, e.Call)
    return value.args[2]


def _is_zero(value: Expr) -> bool:
    return isinstance(value, IntImm) and value.value == 0


def _range(extent: int) -> IntervalSet:
    return IntervalSet(operators.const(0), operators.const(extent - 1))


def _one(ramp: Ramp) -> bool:
    return isinstance(ramp.stride, IntImm) and ramp.stride.value == 1


def _vector(buffer: Buffer, at: Expr, copy: _Copy) -> Expr:
    """The address of the first vector: how it is aligned is known from that."""
    place = e.BufferLoad(buffer, (Ramp(at, operators.const(1, at.dtype), copy.lanes),))
    return intrin.call_intrin("handle", "address_of", place)


def _call(name: str, *args: Expr | int) -> Stmt:
    return s.Evaluate(intrin.call_intrin("int32", name, *args))
