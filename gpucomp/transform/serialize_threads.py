"""Kernels whose threads wait for each other, as loops that a processor without such threads can run.

Blocks become a parallel loop.  What all threads do between two barriers becomes a loop over the threads, so a
barrier is nothing but the end of a loop and the begin of the next (loop fission, as in P. Jääskeläinen et al., "pocl:
A Performance-Portable OpenCL Implementation", Int. J. of Parallel Programming 43, 2015).  What belongs to one thread
and outlives a barrier becomes an array with an entry for each thread; loops around a barrier, which take equally many
steps in all threads, stay outside of the loops over threads.  A reduction over threads combines their values in order.
The blocks of a cluster run like threads of one larger block, in which each has shared memory of its own.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, Final

from gpucomp.support.diagnostics import LowerError
from gpucomp.support.dtype import INT32
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import Expr, IntImm, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, expr_post_order, free_vars, stmt_children
from gpucomp.tir.intrin import Op, call_intrin
from gpucomp.tir.stmt import ForKind, Stmt
from gpucomp.transform.accesses import bodies
from gpucomp.transform.walk import TRUE, has_load, is_call, is_pure

THREAD_LOOP: Final = "thread_loop"  # annotation of a loop over the threads of a block
_CLUSTER: Final = "clusterIdx.x"
_TAGS: Final = (
    "blockIdx.z", "blockIdx.y", "blockIdx.x", _CLUSTER, "threadIdx.z", "threadIdx.y", "threadIdx.x",
)  # fmt: skip
_SHARED: Final = frozenset({"shared", "shared.dyn"})
_COMMON: Final = _SHARED | {"global"}


def serialize_threads(func: PrimFunc) -> PrimFunc:
    """Turn every kernel with barriers or reductions over threads into loops over its blocks and threads.

    Args:
        func: in flat form, with barriers in place and reductions over threads still whole.

    Returns:
        The function, without thread axes in those kernels.  Kernels whose threads never wait for each other stay as
        they are: their threads may run one after the other.

    Raises:
        LowerError: a number of threads that is no constant, or a ``while`` loop around a barrier whose condition
            differs between threads.
    """
    return func.with_body(_kernels(func.body))


def _kernels(node: Stmt) -> Stmt:
    """Replace the kernels in a statement."""
    if thread_axis(node) is not None:
        cooperative = any([is_meeting(x) for x in _statements(node)])
        return _Block(node).run() if cooperative else node
    if isinstance(node, s.SeqStmt):
        new = [_kernels(x) for x in node.seq]
        return node if all([x is y for x, y in zip(new, node.seq, strict=True)]) else s.seq(*new)
    changes: dict[str, Any] = {}  # Any: fields of different classes
    for field in node._fields:
        old = getattr(node, field)
        if isinstance(old, Stmt):
            new_stmt = _kernels(old)
            if new_stmt is not old:
                changes[field] = new_stmt
    return node.replace(**changes) if changes else node


def thread_axis(node: Stmt) -> tuple[str, Var, Expr] | None:
    """Tag, variable and extent of a statement that binds a thread axis."""
    if isinstance(node, s.AttrStmt) and node.attr_key == "thread_extent":
        return node.node.thread_tag, node.node.var, node.value
    if isinstance(node, s.For) and node.thread_binding is not None:
        return node.thread_binding.thread_tag, node.loop_var, node.extent
    return None


def is_meeting(node: Stmt) -> bool:
    """True for what threads do together: barriers, of a warp too, and reductions."""
    return isinstance(node, s.AllReduce) or (isinstance(node, s.Evaluate) and is_call(node.value, "barrier"))


def _statements(root: Stmt) -> Generator[Stmt]:
    """A statement and all inside of it, outermost first."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack += reversed(bodies(node))


class _Private(Mutator):
    """What one thread does, inside of a loop over the threads.

    Attributes:
        values: thread and block variables that are known or stand for others.
        places: for each buffer pointer that is replaced, the new one, and where this thread's part begins.
        sizes: of the shared memory of one block in a cluster, by its new pointer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[Var, Expr] = {}
        self.places: dict[Var, tuple[Var, Expr]] = {}
        self.sizes: dict[Var, Expr] = {}
        self._buffers: dict[Buffer, Buffer] = {}

    def at(self, buffer: Buffer, indices: tuple[Expr, ...]) -> tuple[Buffer, tuple[Expr, ...]]:
        """Where an access goes."""
        found = self.places.get(buffer.data)
        if found is None:
            return buffer, indices
        data, begin = found
        new = self._buffers.get(buffer)
        if new is None:
            new = self._buffers[buffer] = buffer.replace(data=data)
        return new, (operators.add(begin, indices[0]),)

    def visit_var(self, node: Var) -> Expr:
        return self.values.get(node, node)

    def visit_buffer_load(self, node: e.BufferLoad) -> Expr:
        buffer, indices = self.at(node.buffer, self.exprs(node.indices))
        predicate = None if node.predicate is None else self.visit(node.predicate)
        if buffer is node.buffer and indices is node.indices and predicate is node.predicate:
            return node
        return e.BufferLoad(buffer, indices, predicate)

    def peer(self, node: e.Call) -> Expr:
        """An element of the shared memory of another block of the cluster."""
        place = node.args[0]
        load = place.args[0] if isinstance(place, e.Call) and place.args else place
        if not isinstance(load, e.BufferLoad) or load.buffer.data not in self.places:
            raise LowerError(f"{node} reads no element of shared memory", code="GC346")
        data, _ = self.places[load.buffer.data]
        begin = operators.multiply(self.visit(node.args[1]), self.sizes.get(data, operators.const(0)))
        return e.BufferLoad(load.buffer.replace(data=data), (operators.add(begin, self.visit(load.indices[0])),))

    def visit_call(self, node: e.Call) -> Expr:
        if is_call(node, "cluster_load"):
            return self.peer(node)
        args: list[Expr] = []
        for arg in node.args:
            if isinstance(arg, Var) and arg in self.places:
                data, begin = self.places[arg]
                pointee: Any = data.type_annotation  # Any: a pointer's type is one of several
                view = decl_buffer([1], pointee.element_type.dtype, arg.name, data=data)
                args.append(call_intrin("handle", "address_of", e.BufferLoad(view, (begin,))))
            else:
                args.append(self.visit(arg))
        same = all([x is y for x, y in zip(args, node.args, strict=True)])
        return node if same else e.Call(node.dtype, node.op, tuple(args))

    def visit_buffer_store(self, node: s.BufferStore) -> Stmt:
        value = self.expr(node.value)
        buffer, indices = self.at(node.buffer, self.exprs(node.indices))
        predicate = None if node.predicate is None else self.expr(node.predicate)
        if buffer is node.buffer and indices is node.indices and value is node.value and predicate is node.predicate:
            return node
        return s.BufferStore(buffer, value, indices, predicate, node.span)

    def visit_attr_stmt(self, node: s.AttrStmt) -> Stmt:
        return self.stmt(node.body) if thread_axis(node) is not None else super().visit_attr_stmt(node)

    def visit_for(self, node: s.For) -> Stmt:
        if node.thread_binding is not None:
            return self.stmt(node.body)
        if node.kind is ForKind.PARALLEL:
            node = node.replace(kind=ForKind.SERIAL)
        return super().visit_for(node)


class _Block:
    """One kernel."""

    def __init__(self, root: Stmt) -> None:
        self.root = root
        self.private = _Private()
        self.meeting: dict[Stmt, bool] = {}
        self.varying: dict[Var, None] = {}  # variables whose value differs between the threads of a block
        # What holds for a thread inside of the present statement, outermost first: variables with their values, and
        # conditions (without a variable).
        self.context: list[tuple[Var | None, Expr]] = []
        self.pending: list[Stmt] = []
        self.rank: Expr | None = None  # number of a block in its cluster, where there are several
        blocks, threads = self._axes()
        self.blocks = blocks
        self.threads = threads
        self.varying.update(dict.fromkeys([var for var, _ in threads]))
        self.count = 1
        self.index: Expr = operators.const(0, threads[0][0].dtype if threads else INT32)
        for var, extent in threads:
            self.count *= extent
            self.index = operators.add(operators.multiply(self.index, extent), var)

    def _axes(self) -> tuple[list[tuple[Var, Expr]], list[tuple[Var, int]]]:
        """Axes of blocks and of threads that have an extent, outermost first."""
        found: dict[str, tuple[Var, Expr]] = {}
        for node in _statements(self.root):
            axis = thread_axis(node)
            if axis is None:
                continue
            tag, var, extent = axis
            if tag not in _TAGS:
                raise LowerError(f"thread axis {tag} has no meaning on a processor", code="GC346")
            first = found.setdefault(tag, (var, extent))[0]
            if first is not var:
                self.private.values[var] = first
        blocks: list[tuple[Var, Expr]] = []
        threads: list[tuple[Var, int]] = []
        for tag in _TAGS:
            if tag not in found:
                continue
            var, extent = found[tag]
            if isinstance(extent, IntImm) and extent.value == 1:
                self._is_zero(var)
            elif tag.startswith("blockIdx"):
                blocks.append((var, extent))
            elif isinstance(extent, IntImm):
                threads.append((var, extent.value))
                self.rank = var if tag == _CLUSTER else self.rank
            else:
                raise LowerError(
                    f"on a processor the threads of a block become loops, for which {tag} needs a constant extent; it "
                    f"is {extent}",
                    code="GC346",
                )
        return blocks, threads

    def _is_zero(self, var: Var) -> None:
        zero = operators.const(0, var.dtype)
        for other in [v for v, first in self.private.values.items() if first is var]:
            self.private.values[other] = zero
        self.private.values[var] = zero

    def run(self) -> Stmt:
        """The kernel as loops."""
        body = self.block(self.root)
        for i, (var, extent) in reversed(list(enumerate(self.blocks))):
            kind = ForKind.SERIAL if i else ForKind.PARALLEL
            body = s.For(var, operators.const(0, var.dtype), extent, kind, body)
        return body

    # -- statements with barriers inside ------------------------------------------------------------------------

    def meets(self, node: Stmt) -> bool:
        """True when threads meet somewhere in the statement."""
        known = self.meeting.get(node)
        if known is None:
            known = self.meeting[node] = is_meeting(node) or any([self.meets(x) for x in bodies(node)])
        return known

    def block(self, node: Stmt | None) -> Stmt:
        """What the whole block does for a statement of its threads."""
        if node is None:
            return s.NOOP
        outer, self.pending = self.pending, []
        out: list[Stmt] = []
        self.walk(node, out)
        self.close(out)
        self.pending = outer
        return s.seq(*out)

    def walk(self, node: Stmt, out: list[Stmt]) -> None:
        """Append what the block does; statements without barriers wait in ``pending``."""
        if not self.meets(node):
            self.pending.append(node)
        elif isinstance(node, s.SeqStmt):
            for item in node.seq:
                self.walk(item, out)
        elif thread_axis(node) is not None:
            self.walk(bodies(node)[0], out)
        else:
            self.close(out)
            if isinstance(node, s.AllReduce):
                out.append(self.reduction(node))
            elif not isinstance(node, s.Evaluate):
                out.append(self.around(node))

    def close(self, out: list[Stmt]) -> None:
        """End of a region: all threads do what is pending."""
        if self.pending:
            body = self.private.stmt(s.seq(*self.pending))
            out.append(self.loops(self.threads, self.in_context(body)))
            self.pending = []

    def around(self, node: Any) -> Stmt:  # Any: any of the statement classes with bodies
        """A statement around a barrier."""
        if isinstance(node, s.Allocate):
            return self.allocate(node)
        if isinstance(node, s.LetStmt):
            return self.let(node)
        if isinstance(node, s.IfThenElse):
            return self.branch(node)
        if isinstance(node, s.For):
            return self.loop(node)
        if isinstance(node, s.While):
            if self.differs(node.condition):
                raise LowerError(
                    f"threads meet inside of a loop that runs while {node.condition}, which differs between them",
                    where=node.span,
                    code="GC346",
                )
            return s.While(self.private.expr(node.condition), self.block(node.body), node.span)
        if isinstance(node, s.AssertStmt):
            check = self.loops(self.threads, self.in_context(self.private.stmt(node.replace(body=s.NOOP))))
            return s.seq(check, self.block(node.body))
        return node.replace(body=self.block(node.body))

    def allocate(self, node: s.Allocate) -> Stmt:
        """Memory of a block stays one; each thread's own becomes a part of an array of all threads."""
        extents = self.private.exprs(node.extents)
        index = self.index
        begin: Expr = operators.const(0, index.dtype)
        if node.buffer_var.storage_scope not in _COMMON:
            size: Expr = operators.const(1, index.dtype)
            for extent in extents:
                size = operators.multiply(size, extent)
            begin = operators.multiply(index, size)
            extents = (operators.multiply(size, self.count),)
        of_block: Expr | None = None
        if self.rank is not None and node.buffer_var.storage_scope in _SHARED:
            of_block = operators.const(1, index.dtype)
            for extent in extents:
                of_block = operators.multiply(of_block, extent)
            begin = operators.multiply(self.rank, of_block)
            extents = (operators.multiply(of_block, self.threads[0][1]),)
        data = decl_buffer([1], node.dtype, node.buffer_var.name, scope="global").data
        self.private.places[node.buffer_var] = data, begin
        if of_block is not None:
            self.private.sizes[data] = of_block
        return s.Allocate(data, node.dtype, extents, self.private.expr(node.condition), self.block(node.body))

    def let(self, node: s.LetStmt) -> Stmt:
        if not self.differs(node.value):
            return s.LetStmt(node.var, self.private.expr(node.value), self.block(node.body), node.span)
        self.varying[node.var] = None
        if self.is_stable(node.value):
            return self.within(node.var, self.private.expr(node.value), node.body)
        return self.kept(node.value, node.var.name, lambda value: self.within(node.var, value, node.body))

    def branch(self, node: s.IfThenElse) -> Stmt:
        if not self.differs(node.condition):
            other = None if node.else_case is None else self.block(node.else_case)
            return s.IfThenElse(self.private.expr(node.condition), self.block(node.then_case), other, node.span)

        def both(condition: Expr) -> Stmt:
            then = self.within(None, condition, node.then_case)
            if node.else_case is None:
                return then
            return s.seq(then, self.within(None, operators.logical_not(condition), node.else_case))

        if self.is_stable(node.condition):
            return both(self.private.expr(node.condition))
        return self.kept(node.condition, "taken", both)

    def loop(self, node: s.For) -> Stmt:
        kind = ForKind.SERIAL if node.kind is ForKind.PARALLEL else node.kind
        if not (self.differs(node.min) or self.differs(node.extent)):
            low, extent = self.private.expr(node.min), self.private.expr(node.extent)
            return s.For(node.loop_var, low, extent, kind, self.block(node.body), None, node.annotations, node.span)
        # Each thread takes its own number of steps: as many as the longest one needs, some of them idle.
        self.varying[node.loop_var] = None
        step = Var(node.loop_var.name + "_step", node.loop_var.dtype)
        most = decl_buffer([1], node.loop_var.dtype, "steps", scope="global")
        zero = operators.const(0, step.dtype)

        def steps(low: Expr, extent: Expr) -> Stmt:
            longest = s.BufferStore(most, operators.maximum(most[0], extent), (zero,))
            self.context += [(None, operators.compare(e.LT, step, extent)), (node.loop_var, operators.add(low, step))]
            body = self.block(node.body)
            del self.context[-2:]
            count = self.loops(self.threads, self.in_context(longest))
            return s.seq(
                s.BufferStore(most, zero, (zero,)),
                count,
                s.For(step, zero, most[0], ForKind.SERIAL, body, None, node.annotations, node.span),
            )

        whole = self.kept(
            node.min, "low", lambda low: self.kept(node.extent, "extent", lambda extent: steps(low, extent))
        )
        return s.Allocate(most.data, most.dtype, (operators.const(1),), TRUE, whole)

    # -- what belongs to a thread -------------------------------------------------------------------------------

    def within(self, var: Var | None, value: Expr, body: Stmt) -> Stmt:
        """A statement where a variable has a value, or without a variable a condition holds."""
        self.context.append((var, value))
        out = self.block(body)
        self.context.pop()
        return out

    def kept(self, value: Expr, name: str, use: Any) -> Stmt:  # Any: a function from Expr to Stmt
        """Evaluate once in each thread, and keep the results for all of what ``use`` makes."""
        dtype = value.dtype
        lanes = dtype.lanes
        array = decl_buffer([self.count * lanes], dtype.element, name, scope="global")
        place: Expr = operators.multiply(self.index, lanes)
        if lanes > 1:
            place = e.Ramp(place, operators.const(1, place.dtype), lanes)
        store = s.BufferStore(array, self.private.expr(value), (place,))
        first = self.loops(self.threads, self.in_context(store))
        return s.Allocate(array.data, array.dtype, array.shape, TRUE, s.seq(first, use(e.BufferLoad(array, (place,)))))

    def in_context(self, body: Stmt) -> Stmt:
        """A thread's statement under its conditions, with its variables."""
        if not self.context:
            return body
        used = _variables(body)
        for var, value in reversed(self.context):
            if var is None:
                body = s.IfThenElse(value, body)
            elif var in used:
                body = s.LetStmt(var, value, body)
            else:
                continue
            used |= free_vars(value)
        return body

    def loops(self, axes: Iterable[tuple[Var, int]], body: Stmt) -> Stmt:
        """A statement for all threads of some axes, in order."""
        for var, extent in reversed(list(axes)):
            body = s.For(var, operators.const(0, var.dtype), extent, ForKind.SERIAL, body, None, {THREAD_LOOP: True})
        return body

    def differs(self, value: Expr) -> bool:
        """True if threads of a block may disagree on a value."""
        for item in expr_post_order(value):
            if isinstance(item, Var) and self.private.values.get(item, item) in self.varying:
                return True
            if isinstance(item, e.BufferLoad) and item.buffer.scope() not in _COMMON:
                return True
            if isinstance(item, e.BufferLoad) and self.rank is not None and item.buffer.scope() in _SHARED:
                return True
            if isinstance(item, e.Call) and isinstance(item.op, Op) and not item.op.is_pure:
                return True
        return False

    def is_stable(self, value: Expr) -> bool:
        """True for what may be evaluated anew after each barrier."""
        return is_pure(value) and not has_load(value)

    # -- reductions ---------------------------------------------------------------------------------------------

    def reduction(self, node: s.AllReduce) -> Stmt:
        """Each group of threads combines its values in order; threads that do not get here add nothing."""
        over = dict.fromkeys([self.private.values.get(var, var) for var in node.threads])
        inner = [axis for axis in self.threads if axis[0] in over]
        outer = [axis for axis in self.threads if axis[0] not in over]
        totals = [decl_buffer([1], v.dtype, f"{b.name}_total") for v, b in zip(node.values, node.results, strict=True)]
        zero = operators.const(0)
        start = [s.BufferStore(t, x, (zero,)) for t, x in zip(totals, node.combiner.identity_element, strict=True)]
        so_far: tuple[Expr, ...] = tuple([t[0] for t in totals])
        add = _assign(totals, node.combiner(so_far, self.private.exprs(node.values)))
        condition = self.private.expr(node.condition)
        if not (isinstance(condition, IntImm) and condition.value):
            add = s.IfThenElse(condition, add)
        give: list[Stmt] = []
        for buffer, total in zip(node.results, totals, strict=True):
            place, indices = self.private.at(buffer, (zero,))
            give.append(s.BufferStore(place, total[0], indices))
        body = s.seq(
            start,
            self.loops(inner, self.in_context(add)),
            self.loops(inner, self.in_context(s.seq(give))),
        )
        for total in totals:
            body = s.Allocate(total.data, total.dtype, total.shape, TRUE, body)
        return self.loops(outer, body)


def _assign(buffers: list[Buffer], values: tuple[Expr, ...]) -> Stmt:
    """Store into the first element of each buffer; all values are computed before the first store."""
    zero = operators.const(0)
    if len(buffers) == 1:
        return s.BufferStore(buffers[0], values[0], (zero,))
    names = [Var(b.name + "_new", b.dtype) for b in buffers]
    body: Stmt = s.seq([s.BufferStore(b, n, (zero,)) for b, n in zip(buffers, names, strict=True)])
    for name, value in reversed(list(zip(names, values, strict=True))):
        body = s.LetStmt(name, value, body)
    return body


def _variables(node: Stmt) -> frozenset[Var]:
    """All variables that occur in a statement."""
    out: frozenset[Var] = frozenset()
    stack = [node]
    while stack:
        for child in stmt_children(stack.pop()):
            if isinstance(child, Stmt):
                stack.append(child)
            else:
                out |= free_vars(child)
    return out
