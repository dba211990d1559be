"""Insert the barriers that shared memory needs.

The body of a kernel is walked in order with the accesses that happened since the last barrier.  A barrier goes
before a statement whose accesses may conflict, between different threads, with those; inside a loop also where an
iteration conflicts with an earlier one.  Of all places that separate two accesses the outermost is taken, so a
loop that reads what was written before it gets one barrier, in front.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final  # Any: nodes of several classes with the fields at hand

from gpucomp.analysis.affine import INFINITE, Interval, is_xor
from gpucomp.analysis.conflicts import WRITES_ONCE, Access, Carried, Conflicts
from gpucomp.support.diagnostics import LowerError
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, IterVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import expr_post_order, free_vars, stmt_children, substitute
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import ForKind, Stmt

_SCOPES: Final = frozenset({"shared", "shared.dyn"})
_NO_LIMITS: Final[tuple[tuple[Var, Interval], ...]] = ()


def thread_sync(func: PrimFunc) -> PrimFunc:
    """Insert barriers between conflicting accesses of shared memory by different threads of a block.

    Args:
        func: in flat form, after everything that moves or merges shared memory; barriers that are there count.

    Returns:
        The function with barriers; the same object when none was needed.

    Raises:
        LowerError: two accesses inside of one condition (or loop) that differs between threads need a barrier
            between them, which not all threads would reach.
    """
    return func.with_body(_Kernels(func).stmt(func.body))


def barrier() -> Stmt:
    """A barrier of all threads of a block, over shared memory."""
    return s.Evaluate(intrin.barrier("shared"))


def is_barrier(node: Stmt) -> bool:
    """True for a barrier that orders shared memory for the whole block."""
    if not (isinstance(node, s.Evaluate) and isinstance(node.value, e.Call)):
        return False
    call = node.value
    if not (isinstance(call.op, Op) and call.op.name == "tir.barrier"):
        return False
    scope = call.args[0].value if call.args and isinstance(call.args[0], e.StringImm) else "shared"
    return scope != "warp"


class _Kernels:
    """Finds the kernels of a function and treats each by itself."""

    def __init__(self, func: PrimFunc) -> None:
        self.launched = "launch" in func.attrs

    def stmt(self, node: Stmt) -> Stmt:
        if self.launched or _thread_axis(node) is not None:
            return _Sync(node).run(node)
        if isinstance(node, s.SeqStmt):
            new = [self.stmt(x) for x in node.seq]
            return node if all([x is y for x, y in zip(new, node.seq, strict=True)]) else s.seq(*new)
        changes: dict[str, Any] = {}
        for field in node._fields:
            old = getattr(node, field)
            if isinstance(old, Stmt):
                new_stmt = self.stmt(old)
                if new_stmt is not old:
                    changes[field] = new_stmt
        return node.replace(**changes) if changes else node


def _thread_axis(node: Stmt) -> tuple[str, Var, Expr] | None:
    """Tag, variable and extent of a statement that binds a thread axis."""
    if isinstance(node, s.AttrStmt) and node.attr_key == "thread_extent":
        axis: IterVar = node.node
        return axis.thread_tag, axis.var, node.value
    if isinstance(node, s.For) and node.thread_binding is not None:
        return node.thread_binding.thread_tag, node.loop_var, node.extent
    return None


@dataclass(slots=True)
class _Part:
    """A statement with its own barriers in place.

    Attributes:
        stmt: the statement.
        head: accesses that may happen before its first barrier.
        tail: accesses that may happen after its last barrier.
        meets: every way through it passes a barrier.
    """

    stmt: Stmt
    head: list[Access]
    tail: list[Access]
    meets: bool = False


class _Sync:
    """Places barriers in one kernel."""

    def __init__(self, root: Stmt) -> None:
        threads: dict[Var, int] = {}
        self.varying: dict[Var, None] = {}
        self.values: dict[Var, Expr] = {}
        self.limits = _NO_LIMITS
        self.once: object = None
        self.divergent: list[Stmt] = []
        stack: list[Stmt] = [root]
        self.shared = False
        while stack:
            node = stack.pop()
            axis = _thread_axis(node)
            if axis is not None and axis[0].startswith("threadIdx"):
                extent = axis[2].value if isinstance(axis[2], e.IntImm) else INFINITE
                threads[axis[1]] = max(threads.get(axis[1], 1), extent)
            if isinstance(node, (s.BufferStore, s.Allocate)):
                self.shared |= _scope(node) in _SCOPES
            stack += [x for x in stmt_children(node) if isinstance(x, Stmt)]
        self.varying.update(dict.fromkeys(threads))
        self.conflicts = Conflicts(threads)
        self.leaves: dict[tuple[Stmt, tuple[tuple[Var, Interval], ...]], list[Access]] = {}
        self.over: dict[tuple[Access, Var], Access] = {}
        self.several = any([x > 1 for x in threads.values()])

    def run(self, root: Stmt) -> Stmt:
        """The kernel with its barriers."""
        return self.part(root).stmt if self.shared and self.several else root

    # -- statements ---------------------------------------------------------------------------------------------

    def part(self, node: Stmt, before: list[Access] | None = None, carried: Carried | None = None) -> _Part:
        """Place barriers in a statement.

        Args:
            node: the statement.
            before: accesses of an earlier iteration of the loop around, which are still pending.
            carried: that loop.
        """
        pending = before or []
        if is_barrier(node):
            self.refuse_unreached(node)
            return _Part(node, [], [], meets=True)
        if isinstance(node, s.SeqStmt):
            return self.sequence(node, pending, carried)
        if isinstance(node, s.For) and node.thread_binding is None:
            done = self.loop(node)
        elif isinstance(node, s.While):
            done = self.while_loop(node)
        elif isinstance(node, s.IfThenElse):
            done = self.branch(node)
        elif isinstance(node, (s.AttrStmt, s.Allocate, s.LetStmt, s.AssertStmt, s.For)):
            return self.wrapper(node, pending, carried)
        else:
            accesses = self.leaf(node)
            done = _Part(node, accesses, accesses)
        return self.ahead(done, pending, carried)

    def ahead(self, done: _Part, pending: list[Access], carried: Carried | None) -> _Part:
        """A barrier before a statement that conflicts with what is pending."""
        if not self.conflicts.any(pending, done.head, carried):
            return done
        self.refuse_divergent(pending, done, carried)
        return _Part(s.seq(barrier(), done.stmt), [], done.tail, meets=True)

    def refuse_divergent(self, pending: list[Access], done: _Part, carried: Carried | None) -> None:
        """Raise where not all threads would reach a barrier."""
        if not self.divergent:
            return
        pairs = [(a, b) for a in pending for b in done.head if self.conflicts.between(a, b, carried)]
        a, b = pairs[0]
        condition = self.divergent[-1]
        kind = "loop" if isinstance(condition, (s.For, s.While)) else "condition"
        raise LowerError(
            f"shared buffer {a.data.name} needs a barrier between a {a.kind} and a {b.kind} by different threads, but "
            f"both are inside of a {kind} that differs between threads",
            code="GC321",
            where=getattr(b.stmt, "span", None) or getattr(condition, "span", None),
            context=f"{_text(a.stmt)}  then  {_text(b.stmt)}",
            hint=f"move them out of the {kind}, or give each thread its own elements",
        )

    def refuse_unreached(self, node: Stmt) -> None:
        """Raise for a barrier that is there already and that not all threads reach."""
        if not self.divergent:
            return
        condition = self.divergent[-1]
        kind = "loop" if isinstance(condition, (s.For, s.While)) else "condition"
        raise LowerError(
            f"a barrier is inside of a {kind} that differs between threads",
            code="GC321",
            where=getattr(node, "span", None) or getattr(condition, "span", None),
            context=_text(condition),
            hint=f"all threads of a block have to reach it: pipelined loops and barriers go outside of the {kind}",
        )

    def sequence(self, node: s.SeqStmt, pending: list[Access], carried: Carried | None) -> _Part:
        """Statements in order; ``pending`` comes from an earlier iteration."""
        out: list[Stmt] = []
        head: list[Access] = []
        tail: list[Access] = []
        meets = False
        for item in node.seq:
            done = self.part(item, None if meets else pending, carried)
            if self.conflicts.any(tail, done.head):
                self.refuse_divergent(tail, done, None)
                done = _Part(s.seq(barrier(), done.stmt), [], done.tail, meets=True)
            if not meets:
                head += done.head
            tail = done.tail if done.meets else tail + done.tail
            meets |= done.meets
            out.append(done.stmt)
        same = len(out) == len(node.seq) and all([x is y for x, y in zip(out, node.seq, strict=True)])
        return _Part(node if same else s.seq(*out), head, tail, meets)

    def wrapper(self, node: Any, pending: list[Access], carried: Carried | None) -> _Part:
        """A statement around one body that runs once."""
        own = self.reads_of(stmt_children(node), node)
        if isinstance(node, s.LetStmt):
            if self.plain(node.value):
                self.values[node.var] = self.inline(node.value)
            if self.differs(node.value):
                self.varying[node.var] = None
        outer = self.once
        if isinstance(node, s.AttrStmt) and node.attr_key == WRITES_ONCE:
            self.once = node.node
        done = self.part(node.body, pending, carried)
        self.once = outer
        stmt = node if done.stmt is node.body else node.replace(body=done.stmt)
        if own and self.conflicts.any(pending, own, carried):
            return self.ahead(_Part(stmt, own + done.head, done.tail, done.meets), pending, carried)
        return _Part(stmt, own + done.head, done.tail if done.meets else own + done.tail, done.meets)

    def branch(self, node: s.IfThenElse) -> _Part:
        own = self.reads_of([node.condition], node)
        differs = self.differs(node.condition)
        if differs:
            self.divergent.append(node)
        outer = self.limits
        self.limits = outer + tuple(self.implied(node.condition))
        then = self.part(node.then_case)
        self.limits = outer
        other = self.part(node.else_case) if node.else_case is not None else _Part(s.NOOP, [], [])
        if differs:
            self.divergent.pop()
        stmt: Stmt = node
        if then.stmt is not node.then_case or (node.else_case is not None and other.stmt is not node.else_case):
            else_case = None if node.else_case is None else other.stmt
            stmt = s.IfThenElse(node.condition, then.stmt, else_case, node.span)
        meets = then.meets and other.meets
        head = own + then.head + other.head
        tails = then.tail + other.tail
        if not meets:  # some way through has no barrier: what was pending at its head is pending at its end
            tails = _join(own, then.head if not then.meets else [], other.head if not other.meets else [], tails)
        return _Part(stmt, head, tails, meets)

    def while_loop(self, node: s.While) -> _Part:
        differs = self.differs(node.condition)
        if differs:
            self.divergent.append(node)
        own = self.reads_of([node.condition], node)
        body = self.part(node.body)
        again = self.part(body.stmt, own + body.tail)
        if self.conflicts.any(again.tail, own):  # the condition reads what the body of other threads wrote
            self.refuse_divergent(again.tail, _Part(node, own, own), None)
            again = _Part(s.seq(again.stmt, barrier()), again.head, [], meets=True)
        if differs:
            self.divergent.pop()
        stmt = node if again.stmt is node.body else s.While(node.condition, again.stmt, node.span)
        return _Part(stmt, own + again.head, _join(own, again.head, again.tail))

    def loop(self, node: s.For) -> _Part:
        low, extent = self.interval(node.min), self.interval(node.extent)
        var = node.loop_var
        most = max(extent[1] - 1, 0)
        self.conflicts.bind(var, low[0], min(low[1] + most, INFINITE))
        own = self.reads_of([node.min, node.extent], node)
        differs = self.differs(node.min) or self.differs(node.extent)
        if differs:
            self.divergent.append(node)
            self.varying[var] = None
        body = self.part(node.body)
        if most > 0:
            body = self.carry(body, Carried(var, 1 if body.meets else min(most, INFINITE)))
        if differs:
            self.divergent.pop()
        stmt = node if body.stmt is node.body else node.replace(body=body.stmt)
        head, tail = self.relaxed(body.head, var), self.relaxed(body.tail, var)
        runs = body.meets and extent[0] >= 1
        if node.kind is ForKind.VECTORIZED:
            runs = False
        return _Part(stmt, own + head, tail if runs else _join(own, head, tail), runs)

    def relaxed(self, accesses: list[Access], var: Var) -> list[Access]:
        """Accesses over all iterations of a loop."""
        out: list[Access] = []
        for a in accesses:
            done = self.over.get((a, var))
            if done is None:
                done = self.over[a, var] = _relax(a, var)
            out.append(done)
        return out

    def carry(self, body: _Part, carried: Carried) -> _Part:
        """Barriers between an iteration and the later ones."""
        if not self.conflicts.any(body.tail, body.head, carried):
            return body
        again = self.part(body.stmt, body.tail, carried)
        if again.stmt is body.stmt:  # the conflict is with a barrier already between: nothing was placed
            return body
        return again

    # -- accesses -----------------------------------------------------------------------------------------------

    def leaf(self, node: Stmt) -> list[Access]:
        """Accesses of a statement without a body."""
        found = self.leaves.get((node, self.limits))
        if found is not None:
            return found
        out = self.leaves[node, self.limits] = self.reads_of(stmt_children(node), node)
        if isinstance(node, s.BufferStore):
            self.add(out, "write", node.buffer, node.indices, node)
        elif isinstance(node, s.AllReduce):
            for buffer in node.results:
                self.add(out, "write", buffer, tuple([operators.const(0)] * buffer.ndim), node)
        return out

    def reads_of(self, roots: Iterable[Expr | Stmt], node: Stmt) -> list[Access]:
        """Accesses of shared memory in the expressions among ``roots``."""
        out: list[Access] = []
        exprs = [x for x in roots if isinstance(x, Expr)]
        if not exprs:
            return out
        updated: dict[Expr, str] = {}
        for item in reversed(expr_post_order(*exprs)):
            if isinstance(item, e.Call) and isinstance(item.op, Op):
                self.note_address(item, updated)
            elif isinstance(item, e.BufferLoad):
                for kind in updated.get(item, "read").split("+"):
                    self.add(out, kind.lstrip("*"), item.buffer, item.indices, node, anywhere=kind.startswith("*"))
        return out

    def note_address(self, call: e.Call, updated: dict[Expr, str]) -> None:
        """Loads under ``address_of`` are what the call around makes of them."""
        assert isinstance(call.op, Op)
        kind = "atomic" if call.op.name.startswith("tir.atomic") else "read+write"
        kind = "read" if call.op.name == "tir.cluster_load" else kind
        if call.op.name == "tir.tvm_access_ptr":
            self.note_pointer(call, updated)
            return
        for arg in call.args:
            if isinstance(arg, e.Call) and isinstance(arg.op, Op) and arg.op.name == "tir.address_of":
                updated[arg.args[0]] = kind

    def note_pointer(self, call: e.Call, updated: dict[Expr, str]) -> None:
        """A function that gets a pointer may reach any element, and does what the mask says."""
        place, mask = call.args[1], call.args[4]
        if isinstance(place, e.Call):
            does = mask.value if isinstance(mask, e.IntImm) else 3
            kinds = [kind for bit, kind in ((1, "*read"), (2, "*write")) if does & bit]
            known = updated.get(place.args[0])
            updated[place.args[0]] = "+".join(kinds if known is None else [known, *kinds])

    def add(
        self, out: list[Access], kind: str, buffer: Buffer, indices: tuple[Expr, ...], node: Stmt, *,
        anywhere: bool = False,
    ) -> None:  # fmt: skip
        """Enter an access, if it is to shared memory."""
        if buffer.scope() not in _SCOPES:
            return
        element = buffer.dtype.nbytes
        inner: list[Var] = []
        index = None if anywhere else self.index_of(buffer, indices, inner)
        out.append(Access(buffer.data, kind, index, element, frozenset(inner), self.limits, node, self.once))

    def index_of(self, buffer: Buffer, indices: tuple[Expr, ...], inner: list[Var]) -> Expr | None:
        """Offset of an access, with a variable for the lanes of a vector; None when it cannot be analysed."""
        items: list[Expr] = []
        for index in indices:
            plain = self.inline(index)
            if isinstance(plain, e.Broadcast):
                plain = plain.value
            if isinstance(plain, e.Ramp):
                lane = Var("lane", plain.base.dtype)
                self.conflicts.bind(lane, 0, plain.lanes - 1)
                inner.append(lane)
                plain = operators.add(plain.base, operators.multiply(plain.stride, lane))
            if plain.dtype.lanes > 1 or not self.plain(plain) or not self.known(plain):
                return None
            items.append(plain)
        return buffer.offset_of(items)

    def plain(self, node: Expr) -> bool:
        """True for an expression without loads and calls; swizzles may be in it."""
        parts = expr_post_order(node)
        return not any([isinstance(x, (e.BufferLoad, e.Call)) and not is_xor(x) for x in parts])

    def known(self, node: Expr) -> bool:
        """True when every variable that differs between threads is a thread index, or follows from one."""
        threads = self.conflicts.threads
        return not any([v in self.varying and v not in threads for v in free_vars(node)])

    def inline(self, node: Expr) -> Expr:
        """The expression with let variables replaced."""
        values = self.values
        return substitute(node, values) if values else node

    def differs(self, node: Expr) -> bool:
        """True if threads of a block may disagree on the value."""
        for item in expr_post_order(node):
            if isinstance(item, Var) and item in self.varying:
                return True
            if isinstance(item, e.BufferLoad) and item.buffer.scope() not in ("global", "shared", "shared.dyn"):
                return True
            if isinstance(item, e.Call) and isinstance(item.op, Op) and not item.op.is_pure:
                return True
        return False

    def interval(self, node: Expr) -> Interval:
        """Interval of a loop bound."""
        forms = self.conflicts.forms
        return forms.interval(forms.form(self.inline(node)))

    def implied(self, condition: Expr) -> list[tuple[Var, Interval]]:
        """Intervals of thread and loop variables that a condition implies."""
        out: list[tuple[Var, Interval]] = []
        stack = [condition]
        while stack:
            item = stack.pop()
            if isinstance(item, e.And):
                stack += [item.b, item.a]
            elif isinstance(item, e.Call) and isinstance(item.op, Op) and item.op.name == "tir.likely":
                stack.append(item.args[0])
            elif isinstance(item, e.CmpOp) and isinstance(item.a, Var) and item.a in self.conflicts.ranges:
                limit = _limit(item)
                if limit is not None:
                    out.append((item.a, limit))
        return out


def _limit(node: e.CmpOp) -> Interval | None:
    """Interval of ``a`` where ``a <op> literal`` holds."""
    if not isinstance(node.b, e.IntImm):
        return None
    c = node.b.value
    ends: dict[type, Interval] = {
        e.EQ: (c, c),
        e.LT: (-INFINITE, c - 1),
        e.LE: (-INFINITE, c),
        e.GT: (c + 1, INFINITE),
        e.GE: (c, INFINITE),
    }
    return ends.get(type(node))


def _scope(node: s.BufferStore | s.Allocate) -> str:
    return node.buffer.scope() if isinstance(node, s.BufferStore) else node.buffer_var.storage_scope


def _relax(access: Access, var: Var) -> Access:
    """The access over all iterations of a loop."""
    if access.index is None or var in access.inner or var not in free_vars(access.index):
        return access
    return dataclasses.replace(access, inner=access.inner | {var})


def _join(*parts: list[Access]) -> list[Access]:
    """All accesses, each once, in order."""
    return list(dict.fromkeys([a for part in parts for a in part]))


def _text(node: Stmt | None) -> str:
    return str(node).strip().splitlines()[-1].strip() if node is not None else ""
