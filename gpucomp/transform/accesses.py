"""Which memory an expression or a statement touches, by the pointer variables of the buffers."""

from __future__ import annotations

import inspect
from typing import Final

from gpucomp.support.recursion import ensure_recursion
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import BufferLoad, Call, Expr, FloatImm, IntImm, Ramp, SizeVar, Var
from gpucomp.tir.functor import Mutator, expr_children, expr_post_order, free_vars
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import AllReduce, BufferStore, Stmt
from gpucomp.transform.walk import is_call

_NOTHING: Final[frozenset[Var]] = frozenset()
_LEAVES: Final = frozenset({Var, SizeVar, IntImm, FloatImm})
_BINDERS: Final = frozenset({"loop_var", "var", "buffer_var", "threads"})


class Sources:
    """What expressions depend on: variables, pointers of the buffers that they load, effects; memoised."""

    def __init__(self) -> None:
        self.memo: dict[Expr, frozenset[Var]] = {}
        self.loaded: dict[Expr, frozenset[Var]] = {}
        self.effectful: set[Expr] = set()

    def of(self, node: Expr) -> frozenset[Var]:
        """Free variables and loaded pointers."""
        done = self.memo.get(node)
        if done is None:
            loads = self.loads(node)
            done = self.memo[node] = free_vars(node) | loads if loads else free_vars(node)
        return done

    def loads(self, node: Expr) -> frozenset[Var]:
        """Pointers of the buffers that the expression loads, or whose address it takes."""
        if type(node) in _LEAVES:
            return _NOTHING
        done = self.loaded.get(node)
        if done is None:
            if node.depth > 100:
                ensure_recursion(node.depth)
            done = self._look(node)
        return done

    def has_effect(self, node: Expr) -> bool:
        """True when evaluating the expression may do more than give a value."""
        self.loads(node)
        return node in self.effectful

    def _look(self, node: Expr) -> frozenset[Var]:
        found = frozenset((node.buffer.data,)) if isinstance(node, BufferLoad) else _NOTHING
        effect = isinstance(node, Call) and not (isinstance(node.op, Op) and node.op.is_pure)
        for child in expr_children(node):
            if type(child) in _LEAVES:
                continue
            more = self.loaded.get(child)
            if more is None:
                more = self._look(child)
            if more:
                found = found | more if found else more
            effect = effect or child in self.effectful
        self.loaded[node] = found
        if effect:
            self.effectful.add(node)
        return found

    def written(self, node: Stmt) -> list[Buffer]:
        """Buffers that a statement itself writes: by stores, reductions, or calls with effects that get an address."""
        if isinstance(node, BufferStore):
            return [node.buffer]
        out: list[Buffer] = list(node.results) if isinstance(node, AllReduce) else []
        for value in own_exprs(node):
            if self.has_effect(value):
                out += _addressed(value)
        return out


def _addressed(value: Expr) -> list[Buffer]:
    """Buffers whose address a call with effects is given."""
    out: list[Buffer] = []
    for call in effects(value):
        read_only = _read_only(call)
        for item in expr_post_order(call):
            if item in read_only:
                continue
            if isinstance(item, Call) and is_call(item, "address_of") and isinstance(item.args[0], BufferLoad):
                out.append(item.args[0].buffer)
    return out


def _read_only(call: Call) -> dict[Expr, None]:
    """Addresses that the call promises only to read."""
    found: dict[Expr, None] = {}
    written: dict[Expr, None] = {}
    for item in expr_post_order(call):
        if isinstance(item, Call) and is_call(item, "tvm_access_ptr"):
            mask = item.args[4]
            (found if isinstance(mask, IntImm) and not mask.value & 2 else written)[item.args[1]] = None
    return {address: None for address in found if address not in written}


def effects(node: Expr) -> list[Call]:
    """The calls in an expression that may do more than return a value."""
    return [n for n in expr_post_order(node) if isinstance(n, Call) and not (isinstance(n.op, Op) and n.op.is_pure)]


_Names = tuple[str, ...]


class _Shapes(dict[type, tuple[_Names, _Names, _Names, _Names]]):
    """Fields of each statement class: expressions, tuples of them, statements, tuples of those."""

    def __missing__(self, cls: type[Stmt]) -> tuple[_Names, _Names, _Names, _Names]:
        notes: dict[str, str] = {}
        for base in reversed(cls.__mro__):
            notes |= inspect.get_annotations(base)
        fields = [f for f in cls._fields if f not in _BINDERS]

        def of(*kinds: str) -> _Names:
            return tuple([f for f in fields if notes[f] in kinds])

        found = of("Expr", "Expr | None"), of("tuple[Expr, ...]"), of("Stmt", "Stmt | None"), of("tuple[Stmt, ...]")
        self[cls] = found
        return found


_SHAPES: Final = _Shapes()


def own_exprs(node: Stmt) -> list[Expr]:
    """The expressions of a statement itself, those of nested statements left out."""
    single, several, _, _ = _SHAPES[type(node)]
    out: list[Expr] = []
    for name in single:
        value = getattr(node, name)
        if value is not None:
            out.append(value)
    for name in several:
        out += getattr(node, name)
    return out


def bodies(node: Stmt) -> list[Stmt]:
    """The statements directly inside a statement, in order."""
    _, _, single, several = _SHAPES[type(node)]
    out: list[Stmt] = []
    for name in single:
        value = getattr(node, name)
        if value is not None:
            out.append(value)
    for name in several:
        out += getattr(node, name)
    return out


class MovedAccesses(Mutator):
    """Moves loads and stores of some flat buffers into one of several copies of them; :meth:`copy_of` says which."""

    def copy_of(self, buffer: Buffer) -> tuple[Buffer, Expr] | None:
        """The buffer with room for all copies, and where the copy begins; None for a buffer that has one."""
        raise NotImplementedError

    def _place(self, buffer: Buffer, indices: tuple[Expr, ...]) -> tuple[Buffer, tuple[Expr, ...]] | None:
        found = self.copy_of(buffer)
        if found is None:
            return None
        wide, start = found
        index = indices[0]
        if isinstance(index, Ramp):
            return wide, (Ramp(operators.add(index.base, start), index.stride, index.lanes),)
        return wide, (operators.add(index, start),)

    def visit_buffer_load(self, node: BufferLoad) -> Expr:
        done = super().visit_expr(node)
        assert isinstance(done, BufferLoad)
        place = self._place(done.buffer, done.indices)
        return done if place is None else BufferLoad(*place, done.predicate)

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        done = super().visit_stmt(node)
        assert isinstance(done, BufferStore)
        place = self._place(done.buffer, done.indices)
        return done if place is None else BufferStore(place[0], done.value, place[1], done.predicate, done.span)
