"""Pointers that a loop carries along: strength reduction of addresses, for targets that are written as C.

The device compilers compute the address of an access of shared memory anew in each round, with all that it is made
of.  Where accesses of a serial loop differ by constants only, one pointer is set before the loop, they go by constant
distances from it, and the end of the loop steps it::

    for (k = 0; k < n; ++k) {                         const float* A_ptr = A + at;
      ... A[at + k * 64] ... A[at + k * 64 + 1]  -->  for (k = 0; k < n; ++k) {
    }                                                   ... A_ptr[0] ... A_ptr[1]
                                                        A_ptr += 64;
                                                      }

After the last round a pointer may lie behind its memory; nothing goes through it then.

Addresses in global memory are left alone in innermost loops: the device compilers unroll those, share the addresses
between the rounds themselves, and unroll less where they find a pointer.  A loop round other loops stays one, and so
does one that copies asynchronously for later rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Final

from gpucomp.codegen.sharing import Sharing
from gpucomp.ir.types import PointerType, PrimType
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import BufferLoad, Expr, IntImm, Var
from gpucomp.tir.functor import Mutator, Visitor, expr_post_order, free_vars, ordered_vars, post_order_visit, substitute
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import BufferStore, For, ForKind, LetStmt, Stmt, While
from gpucomp.transform.walk import is_call

# A single access of shared memory gains nothing from a pointer of its own.
LEAST_USES: Final = 2
_SERIAL: Final = frozenset({ForKind.SERIAL, ForKind.PARALLEL})


@dataclass(slots=True, eq=False)
class Pointer:
    """A pointer that a loop steps.

    Attributes:
        view: what the loop's accesses go to instead of ``source``.
        source: the buffer that it points into.
        base: where it points in the first round, in elements from the start of ``source``.
        step: by how many elements it moves after each round.
        readonly: nothing is stored through it.
        uses: accesses in one round.
    """

    view: Buffer
    source: Buffer
    base: Expr
    step: Expr
    readonly: bool = True
    uses: int = 0


@dataclass(slots=True)
class _Sum:
    """An index as base + loop variable * step + rest."""

    base: list[Expr]
    step: list[Expr]
    rest: list[Expr]


# Says whether an access of a type, given its index and its distance from a pointer, loses nothing by the pointer.
Allowed = Callable[[Pointer, Expr, Expr, e.DType], bool]


def step_pointers(loop: For, allowed: Allowed) -> tuple[For, list[Pointer]]:
    """Choose the pointers of a loop.

    An access counts for the innermost serial loop around it, in an unrolled loop once for each round of that.

    Args:
        loop: in flat form.
        allowed: asked for each access; bindings of the loop's body are replaced by their values.

    Returns:
        The loop with its accesses going to the views of the pointers, and the pointers; without any, the same loop.
    """
    once = isinstance(loop.extent, IntImm) and loop.extent.value < 2
    if loop.kind not in _SERIAL or not _is_zero(loop.min) or once:
        return loop, []
    finder = _Finder(loop.loop_var)
    finder.visit(loop.body)
    places: dict[tuple[Buffer, Expr], tuple[Pointer, Expr]] = {}
    pointers: dict[tuple[object, ...], Pointer] = {}
    for (buffer, index), use in finder.uses.items():
        found = finder.split(buffer, index)
        if found is None:
            continue
        key = (buffer.data, buffer.dtype, tuple(found.base), tuple(found.step))
        rest = _total(found.rest, index)
        pointer = pointers.get(key) or _pointer(buffer, _total(found.base, index), _total(found.step, index))
        first = index.base if isinstance(index, e.Ramp) else index
        if not allowed(pointer, finder.opened_out(first), finder.opened_out(rest), use.dtype):
            continue
        pointers[key] = pointer
        pointer.uses += use.count
        pointer.readonly = pointer.readonly and (buffer, index) not in finder.written
        if isinstance(index, e.Ramp):
            rest = e.Ramp(rest, index.stride, index.lanes)
        places[buffer, index] = pointer, rest
    chosen = {key: place for key, place in places.items() if _pays(place[0], finder.nested)}
    if not chosen:
        return loop, []
    body = _Rewriter(chosen, finder.opened).stmt(loop.body)
    return loop.replace(body=body), [p for p in pointers.values() if _pays(p, finder.nested)]


def _pays(pointer: Pointer, nested: bool) -> bool:
    return nested if pointer.source.scope() == "global" else pointer.uses >= LEAST_USES


def _pointer(source: Buffer, base: Expr, step: Expr) -> Pointer:
    kind = PointerType(PrimType(source.dtype), source.scope())
    view = source.replace(data=Var(f"{source.name}_ptr", kind))
    return Pointer(view, source, base, step)


def _total(terms: list[Expr], like: Expr) -> Expr:
    return reduce(operators.add, terms) if terms else operators.const(0, like.dtype.element)


def _is_zero(node: Expr) -> bool:
    return isinstance(node, IntImm) and node.value == 0


@dataclass(slots=True)
class _Use:
    """Accesses of one place: of which type, and how many in a round."""

    dtype: e.DType
    count: int = 0


class _Finder(Visitor):
    """Collects the accesses of a loop's body, and what its variables stand for."""

    def __init__(self, var: Var) -> None:
        super().__init__()
        self.var = var
        self.uses: dict[tuple[Buffer, Expr], _Use] = {}
        self.written: set[tuple[Buffer, Expr]] = set()  # stored to, or their address is taken
        self.inner: set[Var] = {var}
        self.moving: set[Var] = {var}  # these depend on the loop's variable
        self.values: dict[Var, Expr | None] = {}  # None where there is more than one
        self.opened: set[Var] = set()
        self.safety = Sharing()
        self._rounds = 1
        self.nested = False  # there are serial loops in the body, or copies for later rounds

    # -- the body ---------------------------------------------------------------------------------------------

    def visit_for(self, node: For) -> None:
        self.inner.add(node.loop_var)
        if node.kind in _SERIAL:
            self.nested = True
            return
        rounds = self._rounds
        if isinstance(node.extent, IntImm):
            self._rounds *= node.extent.value
        self.visit(node.body)
        self._rounds = rounds

    def visit_while(self, node: While) -> None:
        self.nested = True

    def visit_let_stmt(self, node: LetStmt) -> None:
        self.visit_root(node.value)
        self._bind(node.var, node.value)
        self.visit(node.body)

    def visit_let(self, node: e.Let) -> None:
        self._bind(node.var, None)
        self.visit_children(node)

    def _bind(self, var: Var, value: Expr | None) -> None:
        again = var in self.values
        self.inner.add(var)
        self.values[var] = None if again else value
        if value is None or not self.moving.isdisjoint(free_vars(value)):
            self.moving.add(var)

    def visit_buffer_store(self, node: BufferStore) -> None:
        self._use(node.buffer, node.indices, node.value.dtype)
        self._write(node.buffer, node.indices)
        self.visit_children(node)

    def visit_buffer_load(self, node: BufferLoad) -> None:
        self._use(node.buffer, node.indices, node.dtype)
        self.visit_children(node)

    def visit_call(self, node: e.Call) -> None:
        self.nested = self.nested or is_call(node, "ptx_commit_group")
        if isinstance(node.op, Op) and (node.op.name == "tir.address_of" or not node.op.is_pure):
            for item in expr_post_order(node):
                if isinstance(item, BufferLoad):
                    self._write(item.buffer, item.indices)
        self.visit_children(node)

    def _use(self, buffer: Buffer, indices: tuple[Expr, ...], dtype: e.DType) -> None:
        if len(indices) == 1:
            self.uses.setdefault((buffer, indices[0]), _Use(dtype)).count += self._rounds

    def _write(self, buffer: Buffer, indices: tuple[Expr, ...]) -> None:
        if len(indices) == 1:
            self.written.add((buffer, indices[0]))

    # -- indices ----------------------------------------------------------------------------------------------

    def opened_out(self, node: Expr) -> Expr:
        """An expression of the body in terms of what is known outside of it, and of its loops' variables."""
        known = {var: value for var in ordered_vars(node) if (value := self.values.get(var)) is not None}
        return self.opened_out(substitute(node, known)) if known else node

    def split(self, buffer: Buffer, index: Expr) -> _Sum | None:
        """The parts of an index; None where it does not move evenly with the loop's variable."""
        if isinstance(index, e.Ramp):
            index = index.base
        if index.dtype.lanes > 1 or buffer.dtype.lanes > 1:
            return None
        out = _Sum([], [], [])
        opened: list[Var] = []
        if not self._split(index, None, out, opened) or not out.step:
            return None
        self.opened.update(opened)
        return out

    def _split(self, node: Expr, factor: Expr | None, out: _Sum, opened: list[Var]) -> bool:
        if isinstance(node, e.Add):
            return self._split(node.a, factor, out, opened) and self._split(node.b, factor, out, opened)
        free = free_vars(node)
        scaled = node if factor is None else operators.multiply(node, factor)
        if self.moving.isdisjoint(free):
            steady = not isinstance(node, IntImm) and self.inner.isdisjoint(free) and self.safety.is_safe(node)
            (out.base if steady else out.rest).append(scaled)
            return not (isinstance(node, IntImm) and node.value < 0)
        if node is self.var:
            out.step.append(operators.const(1, node.dtype) if factor is None else factor)
            return True
        if isinstance(node, Var):
            value = self.values.get(node)
            opened.append(node)
            return value is not None and self._split(value, factor, out, opened)
        if not isinstance(node, e.Mul):
            return False
        for part, other in ((node.a, node.b), (node.b, node.a)):
            if isinstance(other, IntImm) and other.value < 0:
                return False
            if self.inner.isdisjoint(free_vars(other)) and self.safety.is_safe(other):
                return self._split(part, other if factor is None else operators.multiply(other, factor), out, opened)
        return False


class _Rewriter(Mutator):
    """Sends accesses to the views of pointers; drops bindings that only their indices used."""

    def __init__(self, places: dict[tuple[Buffer, Expr], tuple[Pointer, Expr]], opened: set[Var]) -> None:
        super().__init__()
        self.places, self.opened = places, opened

    def visit_for(self, node: For) -> Stmt:
        return node if node.kind in _SERIAL else super().visit_for(node)

    def visit_while(self, node: While) -> Stmt:
        return node

    def visit_buffer_load(self, node: BufferLoad) -> Expr:
        place = self.places.get((node.buffer, node.indices[0]))
        if place is None:
            return super().visit_expr(node)
        predicate = None if node.predicate is None else self.visit(node.predicate)
        return BufferLoad(place[0].view, (place[1],), predicate)

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        place = self.places.get((node.buffer, node.indices[0]))
        if place is None:
            return super().visit_stmt(node)
        predicate = None if node.predicate is None else self.expr(node.predicate)
        return BufferStore(place[0].view, self.expr(node.value), (place[1],), predicate, node.span)

    def visit_let_stmt(self, node: LetStmt) -> Stmt:
        done = super().visit_let_stmt(node)
        if node.var not in self.opened or not isinstance(done, LetStmt):
            return done
        return done if _is_used(node.var, done.body) else done.body


def _is_used(var: Var, body: Stmt) -> bool:
    found: list[object] = []
    post_order_visit(body, lambda node: found.append(node) if node is var else None)
    return bool(found)
