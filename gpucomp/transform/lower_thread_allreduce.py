"""Reductions over the threads of a block, by warp shuffles or through shared memory.

Every thread contributes its values and gets the combined result.  Three forms:

* the threads reduced over are a warp, or an aligned power-of-two part of one (threadIdx.x innermost), and the
  target has shuffles: exchanges within the warp, no memory, no barrier;
* they are several whole warps: exchanges within each warp, one value for each warp through shared memory, then
  every thread combines those in order;
* anything else: two stages in shared memory with a barrier before each; any extent, any subset of the block's axes.

A reduction over the blocks of a cluster too goes on from there: see :mod:`gpucomp.transform.cluster_exchange`.

The order of combination is fixed, so results are the same in every run.  A combiner that is not known to be
symmetric (argmax: whichever operand wins a tie) is combined in the order of the threads; sums, products, minima
and maxima take the shorter butterfly, which gives bitwise the same value in all threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gpucomp.arith import Analyzer
from gpucomp.support.diagnostics import LowerError
from gpucomp.support.dtype import INT32, DType
from gpucomp.target.target import Target
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import CommReducer, Expr, IntImm, IterVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, expr_post_order, stmt_children
from gpucomp.tir.shared_values import let_values
from gpucomp.tir.stmt import Stmt
from gpucomp.transform.cluster_exchange import CLUSTER, ClusterExchange
from gpucomp.transform.walk import is_call

_SYMMETRIC: Final = frozenset({e.Add, e.Mul, e.Min, e.Max, e.And, e.Or})
_FEW_WARPS: Final = 8  # so many partial results are combined one after the other
_FULL_MASK: Final = 0xFFFFFFFF
_FEW_VALUES: Final = 8  # so many values in shared memory are combined by every thread, without another barrier
_SMALL_BYTES: Final = 256
_MOST_COPIES: Final = 8


def lower_thread_allreduce(func: PrimFunc) -> PrimFunc:
    """Replace every :class:`AllReduce` by shuffles or by a tree in shared memory.

    Runs on flat functions, after ``thread_sync``: it places the barriers that it needs itself.

    Raises:
        LowerError: a thread extent that is no constant, or a reduction that only part of a block reaches.
    """
    if not _has_reduction(func.body):
        return func
    target = func.attrs.get("target")
    warp = target.thread_warp_size if isinstance(target, Target) and "shuffle" in target.features else 1
    return func.with_body(_Lower(warp).stmt(func.body))


def _has_reduction(body: Stmt) -> bool:
    stack = [body]
    while stack:
        node = stack.pop()
        if isinstance(node, s.AllReduce):
            return True
        stack += [child for child in stmt_children(node) if isinstance(child, Stmt)]
    return False


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension of the block."""

    tag: str
    var: Var
    extent: int


def _block_axes(kernel: Stmt) -> list[Axis]:
    """The thread axes of a kernel, that of its cluster too: each thread runs all of it, whatever binds them where."""
    found: dict[str, Axis] = {}
    stack = [kernel]
    while stack:
        node = stack.pop()
        if isinstance(node, s.AttrStmt) and node.attr_key == "thread_extent" and isinstance(node.node, IterVar):
            tag = node.node.thread_tag
            if (tag.startswith("threadIdx") or tag == CLUSTER) and tag not in found:
                if not isinstance(node.value, IntImm):
                    raise LowerError(
                        f"a reduction over threads needs constant extents, but that of {tag} is {node.value}",
                        code="GC367",
                        where=node.span,
                        hint="split the reduced axis by a number and bind the inner part of it",
                    )
                found[tag] = Axis(tag, node.node.var, node.value.value)
        stack += [child for child in reversed(stmt_children(node)) if isinstance(child, Stmt)]
    return [found[tag] for tag in sorted(found)]


class _Staging:
    """Shared memory of one kernel's reductions: small pieces one for each, larger ones taken again by later ones."""

    def __init__(self) -> None:
        self.buffers: dict[tuple[DType, int, int, int], Buffer] = {}
        self.copies: dict[int, int] = {}

    def take(self, dtypes: list[DType], size: int, apart: bool) -> tuple[list[Buffer], bool]:
        """One buffer for each value, and whether an earlier reduction used one of them.

        ``apart``: memory of their own saves a barrier, if there is room.
        """
        out: list[Buffer] = []
        again = False
        copy = self.copies.get(size, -1) + 1 if apart and size * 8 <= _SMALL_BYTES else 0
        self.copies[size] = copy = min(copy, _MOST_COPIES - 1)
        for slot, dtype in enumerate(dtypes):
            key = (dtype, size, slot, copy)
            again = again or key in self.buffers
            if key not in self.buffers:
                self.buffers[key] = decl_buffer([size], dtype, "reduce", scope="shared")
            out.append(self.buffers[key])
        return out, again

    def wrap(self, body: Stmt) -> Stmt:
        """Allocate around a kernel."""
        for buffer in reversed(self.buffers.values()):
            body = s.Allocate(buffer.data, buffer.dtype, buffer.shape, operators.const(1, "bool"), body)
        return body


class _Lower(Mutator):
    def __init__(self, warp: int) -> None:
        super().__init__()
        self.warp = warp
        self.axes: list[Axis] = []
        self.tags: dict[Var, str] = {}
        self.in_scope: dict[str, None] = {}
        self.varying: dict[Var, frozenset[str]] = {}  # variable -> thread tags on which it depends
        self.conditions: list[tuple[Expr, frozenset[str]]] = []
        self.loops = 0
        self.staging = _Staging()
        self.cluster = ClusterExchange(None, 1, [])
        self.clean = True  # no thread may still be reading what a reduction left in shared memory

    # -- context ----------------------------------------------------------------------------------------------

    def visit_attr_stmt(self, node: s.AttrStmt) -> Stmt:
        axis = node.node
        if node.attr_key != "thread_extent" or not isinstance(axis, IterVar):
            return super().visit_attr_stmt(node)
        outermost = not self.tags
        if outermost:
            axes = _block_axes(node)
            self.axes = [axis for axis in axes if axis.tag != CLUSTER]
            ranks = [axis for axis in axes if axis.tag == CLUSTER and axis.extent > 1]
            self.cluster = ClusterExchange(ranks[0].var if ranks else None, ranks[0].extent if ranks else 1, [node])
            self.staging = _Staging()
            self.clean = True
        self.tags[axis.var] = axis.thread_tag
        of_grid = axis.thread_tag.startswith("blockIdx")
        self.varying[axis.var] = frozenset(() if of_grid else {axis.thread_tag})
        entered = axis.thread_tag not in self.in_scope
        self.in_scope[axis.thread_tag] = None
        out = super().visit_attr_stmt(node)
        if entered:
            del self.in_scope[axis.thread_tag]
        if outermost:
            self.tags = {}
            assert isinstance(out, s.AttrStmt)
            body = self.cluster.wrap(self.staging.wrap(out.body))
            out = out if body is out.body else out.replace(body=body)
        return out

    def visit_for(self, node: s.For) -> Stmt:
        repeats = not (isinstance(node.extent, IntImm) and node.extent.value <= 1)
        depends = self._depends(node.extent) | self._depends(node.min)
        self.varying[node.loop_var] = depends
        self.conditions.append((node.extent, depends))
        before = self.clean
        self.clean = before and not (repeats and _has_reduction(node.body))  # the last round may have left something
        self.loops += repeats
        out = super().visit_for(node)
        self.loops -= repeats
        self.clean = self.clean and before
        self.conditions.pop()
        return out

    def visit_while(self, node: s.While) -> Stmt:
        self.conditions.append((node.condition, self._depends(node.condition)))
        before = self.clean
        self.clean = before and not _has_reduction(node.body)
        self.loops += 1
        out = self.visit_stmt(node)
        self.loops -= 1
        self.clean = self.clean and before
        self.conditions.pop()
        return out

    def visit_let_stmt(self, node: s.LetStmt) -> Stmt:
        self.varying[node.var] = self._depends(node.value)
        return super().visit_let_stmt(node)

    def visit_if_then_else(self, node: s.IfThenElse) -> Stmt:
        self.conditions.append((node.condition, self._depends(node.condition)))
        before = self.clean
        out = super().visit_if_then_else(node)  # a barrier in one branch only is no barrier for what follows
        self.clean = self.clean and before
        self.conditions.pop()
        return out

    def visit_evaluate(self, node: s.Evaluate) -> Stmt:
        value = node.value
        if isinstance(value, e.Call) and is_call(value, "barrier"):
            scope = value.args[0]
            self.clean = self.clean or not (isinstance(scope, e.StringImm) and scope.value == "warp")
        return super().visit_stmt(node)

    def _depends(self, node: Expr) -> frozenset[str]:
        """Thread tags on which a value depends."""
        out: frozenset[str] = frozenset()
        for item in expr_post_order(node):
            if isinstance(item, Var):
                out |= self.varying.get(item, frozenset())
            elif isinstance(item, e.BufferLoad) and item.buffer.scope() == "local":
                out |= frozenset(self.in_scope)
        return out

    # -- the reduction ----------------------------------------------------------------------------------------

    def visit_all_reduce(self, node: s.AllReduce) -> Stmt:
        reduced = self._reduced(node)
        dims = [axis for axis in self.axes if axis.extent > 1]
        inner = [axis for axis in dims if axis.tag in reduced]
        outer = [axis for axis in dims if axis.tag not in reduced]
        plan = _Reduction(
            node, self.warp, _linear(inner), _product(inner), _linear(outer), _product(outer), _known(dims)
        )
        divergent = self._divergence(node, reduced)
        if CLUSTER in reduced and self.cluster.size > 1 and not divergent and self._pushes(plan, dims, inner):
            self.clean = True
            return self._with_axes(plan.across_cluster(self.cluster), dims)
        body = self._in_block(plan, dims, inner, reduced, divergent)
        if CLUSTER not in reduced or self.cluster.size == 1:
            return self._with_axes(body, dims)
        if divergent:
            raise _waits(node, reduced, divergent[0], "of the cluster")
        first = operators.compare(e.EQ, plan.rank, 0) if plan.count > 1 else None
        body = s.seq(body, self.cluster.exchange(node, first, plan.group, plan.groups))
        self.clean = True  # the barrier of a cluster is one of each of its blocks
        return self._with_axes(body, dims)

    def _pushes(self, plan: _Reduction, dims: list[Axis], inner: list[Axis]) -> bool:
        """All threads of the block are reduced over, in whole warps."""
        whole = dims == inner and self.warp > 1 and plan.count % self.warp == 0
        return whole and self.cluster.pushes(plan.count // self.warp, self.warp)

    def _in_block(
        self, plan: _Reduction, dims: list[Axis], inner: list[Axis], reduced: frozenset[str], divergent: list[Expr]
    ) -> Stmt:
        """The reduction over threads of the own block."""
        node, count = plan.node, plan.count
        leading = dims[: len(inner)] == inner and self.warp > 1
        if count == 1:
            return plan.store_own()
        if leading and count <= self.warp and count & (count - 1) == 0:
            whole = not divergent and _product(dims) % self.warp == 0
            return plan.within_warp(None if whole else _linear(dims))
        if divergent:
            raise _waits(node, reduced, divergent[0], "of the block")
        dtypes = [value.dtype for value in node.values]
        apart = not self.loops and not self.clean
        if leading and count % self.warp == 0:
            warps = count // self.warp
            buffers, again = self.staging.take(dtypes, warps * plan.groups, apart)
            body = plan.across_warps(buffers)
        else:
            buffers, again = self.staging.take(dtypes, count * plan.groups, apart)
            body = plan.through_memory(buffers, side_by_side=plan.groups > 1 and dims[0] not in inner)
        # A thread may still read what an earlier reduction, or the last round of a loop, left there.
        first = _barrier() if (again or self.loops) and not self.clean else None
        self.clean = False
        return s.seq(first, body)

    def _reduced(self, node: s.AllReduce) -> frozenset[str]:
        out: dict[str, None] = {}
        for var in node.threads:
            tag = self.tags.get(var)
            if tag is None or not (tag.startswith("threadIdx") or tag == CLUSTER):
                raise LowerError(
                    f"a reduction runs over {var.name!r}, which is no thread of the block",
                    code="GC368",
                    where=node.span,
                    hint="bind the reduced axis to a thread axis of this kernel: threadIdx, or clusterIdx.x",
                )
            out[tag] = None
        return frozenset(out)

    def _divergence(self, node: s.AllReduce, reduced: frozenset[str]) -> list[Expr]:
        """Conditions around the reduction that differ between the threads that meet in it."""
        alike = frozenset() if CLUSTER in reduced else frozenset({CLUSTER})  # blocks that do not meet
        differing = [(condition, tags - alike) for condition, tags in self.conditions if tags - alike]
        for condition, tags in differing:
            if tags & reduced:
                raise LowerError(
                    f"a reduction over {', '.join(sorted(reduced))} runs only where {condition}: "
                    "some of the threads that it combines do not reach it",
                    code="GC369",
                    where=node.span,
                    hint="move the condition into the reduction (its predicate)",
                )
        return [condition for condition, _ in differing]

    def _with_axes(self, body: Stmt, dims: list[Axis]) -> Stmt:
        """Name the axes of the block that are not bound around this place."""
        for axis in dims:
            if axis.tag not in self.in_scope:
                domain = e.Range.from_min_extent(0, axis.extent)
                body = s.AttrStmt(
                    IterVar(domain, axis.var, IterVar.ThreadIndex, axis.tag),
                    "thread_extent",
                    axis.extent,
                    body,
                )
        return body


def _waits(node: s.AllReduce, reduced: frozenset[str], condition: Expr, whom: str) -> LowerError:
    return LowerError(
        f"the reduction over {', '.join(sorted(reduced))} waits for all threads {whom}, but only those "
        f"with {condition} reach it",
        code="GC369",
        where=node.span,
        hint="move the condition into the reduction (its predicate), or bind the reduced axis to one warp",
    )


def _product(axes: list[Axis]) -> int:
    total = 1
    for axis in axes:
        total *= axis.extent
    return total


def _known(axes: list[Axis]) -> Analyzer:
    """The ranges of thread axes."""
    ana = Analyzer()
    for axis in axes:
        ana.bind(axis.var, e.Range.from_min_extent(0, axis.extent))
    return ana


def _linear(axes: list[Axis]) -> Expr:
    """The number of a thread among those of the axes; the first one is innermost."""
    out: Expr = operators.const(0, axes[0].var.dtype if axes else INT32)
    for axis in reversed(axes):
        out = operators.add(operators.multiply(out, axis.extent), axis.var)
    return out


def _barrier() -> Stmt:
    return s.Evaluate(intrin.barrier("shared"))


class _Reduction:
    """Builds one reduction.

    ``rank`` is the thread's number among the ``count`` threads reduced over, ``group`` the number of its group
    among ``groups``.  ``known`` knows the extents of the thread axes: a lane is no remainder in a block of one warp.
    """

    def __init__(
        self, node: s.AllReduce, warp: int, rank: Expr, count: int, group: Expr, groups: int, known: Analyzer
    ) -> None:
        self.node = node
        self.warp = warp
        self.rank = rank
        self.count = count
        self.group = group
        self.groups = groups
        self.known = known
        self.symmetric = is_symmetric(node.combiner)

    def own(self) -> tuple[Expr, ...]:
        """This thread's contribution."""
        node = self.node
        if isinstance(node.condition, IntImm) and node.condition.value:
            return node.values
        pairs = zip(node.values, node.combiner.identity_element, strict=True)
        return tuple([intrin.if_then_else(node.condition, value, neutral) for value, neutral in pairs])

    def results(self) -> tuple[Expr, ...]:
        return tuple([e.BufferLoad(buffer, _origin(buffer)) for buffer in self.node.results])

    def set_results(self, values: tuple[Expr, ...]) -> Stmt:
        """Store into the results; all values are computed before the first store."""
        return _assign([(buffer, _origin(buffer)) for buffer in self.node.results], values)

    def store_own(self) -> Stmt:
        return self.set_results(self.own())

    def combine(self, left: tuple[Expr, ...], right: tuple[Expr, ...]) -> tuple[Expr, ...]:
        return self.node.combiner(left, right)

    # -- shuffles ---------------------------------------------------------------------------------------------

    def exchange(self, width: int, mask: Expr) -> list[Stmt]:
        """Combine the results of ``width`` neighbouring lanes; each of them gets the outcome."""
        steps: list[Stmt] = []
        distance = 1
        while distance < width:
            name = "shuffle_xor" if self.symmetric else "shuffle_down"
            steps.append(self._step(name, mask, distance, width))
            distance *= 2
        if not self.symmetric:
            steps.append(self.set_results(self._peers("shuffle", mask, 0, width)))
        return steps

    def _peers(self, name: str, mask: Expr, lane: int, width: int) -> tuple[Expr, ...]:
        at, size = operators.const(lane), operators.const(width)
        return tuple([intrin.call_intrin(x.dtype, name, mask, x, at, size) for x in self.results()])

    def _step(self, name: str, mask: Expr, distance: int, width: int) -> Stmt:
        peers = self._peers(name, mask, distance, width)
        names = tuple([Var(f"{b.name}_peer", b.dtype) for b in self.node.results])
        body = self.set_results(self.combine(self.results(), names))
        for var, value in zip(reversed(names), reversed(peers), strict=True):
            body = s.LetStmt(var, value, body)
        return body

    def within_warp(self, thread: Expr | None) -> Stmt:
        """Exchanges only.  ``thread``: this thread's number in the block, where not all lanes of a warp take part."""
        if thread is None or self.count == self.warp:
            return s.seq(self.store_own(), self.exchange(self.count, operators.const(_FULL_MASK, "uint32")))
        lane = self.known.simplify(operators.floormod(thread, self.warp))
        group = self.known.simplify(operators.floordiv(lane, self.count))
        first = operators.multiply(group, self.count)
        members = operators.const((1 << self.count) - 1, "uint32")
        mask = Var("lanes", "uint32")
        value = operators.bitwise("shift_left", members, operators.cast("uint32", first))
        return s.LetStmt(mask, value, s.seq(self.store_own(), self.exchange(self.count, mask)))

    def across_warps(self, buffers: list[Buffer]) -> Stmt:
        """Exchanges within each warp, then one value for each warp through memory."""
        warp, warps = self.warp, self.count // self.warp
        full = operators.const(_FULL_MASK, "uint32")
        row = operators.multiply(self.group, warps)
        lane = self.known.simplify(operators.floormod(self.rank, warp))
        place = operators.add(row, self.known.simplify(operators.floordiv(self.rank, warp)))
        publish = _assign([(b, (place,)) for b in buffers], self.results())
        steps: list[Stmt] = [self.store_own(), *self.exchange(warp, full)]
        steps += [s.IfThenElse(operators.compare(e.EQ, lane, 0), publish), _barrier()]
        if warps > _FEW_WARPS and warps & (warps - 1) == 0:
            mine = operators.add(row, self.known.simplify(operators.floormod(lane, warps)))
            steps.append(self.set_results(_loads(buffers, mine)))
            steps += self.exchange(warps, full)
            return s.seq(*steps)
        steps.append(self.set_results(_loads(buffers, row)))
        for j in range(1, warps):
            steps.append(self.set_results(self.combine(self.results(), _loads(buffers, operators.add(row, j)))))
        return s.seq(*steps)

    def across_cluster(self, cluster: ClusterExchange) -> Stmt:
        """Exchanges within each warp, then the values of all warps of the cluster, which every warp combines."""
        warp = self.warp
        full = operators.const(_FULL_MASK, "uint32")
        lane = self.known.simplify(operators.floormod(self.rank, warp))
        number = self.known.simplify(operators.floordiv(self.rank, warp))

        def combined(slots: list[Buffer], count: int) -> Stmt:
            each = max(1, count // warp)
            first = lane if count >= warp else self.known.simplify(operators.floormod(lane, count))
            begin = operators.multiply(first, each)
            steps = [self.set_results(_loads(slots, begin))]
            for j in range(1, each):
                found = _loads(slots, operators.add(begin, j))
                steps.append(self.set_results(self.combine(self.results(), found)))
            return s.seq(*steps, *self.exchange(min(count, warp), full))

        steps = [self.store_own(), *self.exchange(warp, full)]
        return s.seq(*steps, cluster.push(self.node, number, lane, self.count // warp, combined))

    # -- shared memory ----------------------------------------------------------------------------------------

    def through_memory(self, buffers: list[Buffer], *, side_by_side: bool) -> Stmt:
        """Two stages in memory: some threads combine a share each, then every thread combine what those found.

        Both stages take about as many steps, the square root of the count; there are two barriers whatever the count.
        The shares of a symmetric combiner are interleaved, so that neighbouring threads read neighbouring addresses;
        others are pieces in the order of the threads.  A thread overwrites only what nobody else reads.

        Args:
            buffers: memory for each value of all threads.
            side_by_side: neighbouring threads are of different groups.  Each value of all groups is then a row, in
                which they meet different banks; otherwise the values of a group are.
        """
        rank, count = self.rank, self.count
        column = _Column(buffers, self.group, self.groups) if side_by_side else None
        values = column or _Column(buffers, operators.multiply(self.group, count), 1)
        steps: list[Stmt] = [values.store(rank, self.own()), _barrier()]
        shares, each = _stages(count)
        if each == 1:
            return s.seq(*steps, self._combine_all(values, 1, count))
        stride = shares if self.symmetric else 1
        first = rank if self.symmetric else operators.multiply(rank, each)
        share = [
            self.set_results(values.load(first)),
            self._combine_loop(values, first, stride, each, operators.subtract(count, first)),
            values.store(first, self.results()),
        ]
        steps += [s.IfThenElse(operators.compare(e.LT, rank, shares), s.seq(*share)), _barrier()]
        steps.append(self._combine_all(values, 1 if self.symmetric else each, shares))
        return s.seq(*steps)

    def _combine_all(self, values: _Column, stride: int, count: int) -> Stmt:
        none = operators.const(0)
        loop = self._combine_loop(values, none, stride, count, operators.const(stride * count))
        return s.seq(self.set_results(values.load(none)), loop)

    def _combine_loop(self, values: _Column, begin: Expr, stride: int, count: int, end: Expr) -> Stmt | None:
        """Combine the result with ``count - 1`` further values, as far as they lie before ``end`` (from ``begin``)."""
        if count == 1:
            return None
        j = Var("j", begin.dtype)
        offset = operators.multiply(operators.add(j, 1), stride)
        step = self.set_results(self.combine(self.results(), values.load(begin, offset)))
        whole = isinstance(end, IntImm) or (self.symmetric and self.count % stride == 0)
        if not (whole or (not self.symmetric and self.count % count == 0)):
            step = s.IfThenElse(operators.compare(e.LT, offset, end), step)
        return s.For(j, 0, count - 1, s.ForKind.UNROLLED, step)


@dataclass(frozen=True, slots=True, eq=False)
class _Column:
    """The values of one group of threads in shared memory: ``step`` apart, from ``start`` on."""

    buffers: list[Buffer]
    start: Expr
    step: int

    def _place(self, *number: Expr) -> Expr:
        place = self.start
        for part in number:
            place = operators.add(place, operators.multiply(part, self.step) if self.step > 1 else part)
        return place

    def load(self, *number: Expr) -> tuple[Expr, ...]:
        """A value by its number, which is a sum."""
        return _loads(self.buffers, self._place(*number))

    def store(self, number: Expr, values: tuple[Expr, ...]) -> Stmt:
        """Store a value by its number."""
        place = self._place(number)
        return _assign([(b, (place,)) for b in self.buffers], values)


def _stages(count: int) -> tuple[int, int]:
    """How many threads combine a share in the first stage, and how large a share is."""
    if count <= _FEW_VALUES:
        return count, 1
    shares = 1 << (count.bit_length() // 2)
    each = -(-count // shares)
    return -(-count // each), each


def is_symmetric(combiner: CommReducer) -> bool:
    """True when swapping the operands of a combiner is known to give the same bits, of each value by itself."""
    return all([_swaps(*value) for value in zip(combiner.lhs, combiner.rhs, combiner.result, strict=True)])


def _swaps(lhs: Var, rhs: Var, result: Expr) -> bool:
    if type(result) not in _SYMMETRIC or not isinstance(result, e.BinaryOp):
        return False
    return (result.a is lhs and result.b is rhs) or (result.a is rhs and result.b is lhs)


def _origin(buffer: Buffer) -> tuple[Expr, ...]:
    return tuple([operators.const(0) for _ in buffer.shape])


def _loads(buffers: list[Buffer], index: Expr) -> tuple[Expr, ...]:
    return tuple([e.BufferLoad(buffer, (index,)) for buffer in buffers])


def _assign(places: list[tuple[Buffer, tuple[Expr, ...]]], values: tuple[Expr, ...]) -> Stmt:
    """Store a tuple; values that may read what is overwritten are computed first."""
    if len(places) == 1:
        buffer, indices = places[0]
        return s.BufferStore(buffer, values[0], indices)
    names = [Var(f"{buffer.name}_next", buffer.dtype) for buffer, _ in places]
    pairs = zip(places, names, strict=True)
    body = s.seq([s.BufferStore(buffer, var, indices) for (buffer, indices), var in pairs])
    return let_values(places[0][0].name, names, values, body)
