"""Text of calls: mathematical functions, bit operations, barriers, exchanges between threads, atomics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gpucomp.codegen.dialect import add_helper, extension
from gpucomp.codegen.expression import (
    ATOM,
    BIT_AND,
    BIT_OR,
    BIT_XOR,
    EQUAL,
    NARROW_FLOATS,
    PLUS,
    SHIFT,
    UNARY,
    ExpressionText,
    Text,
)
from gpucomp.support.diagnostics import LowerError
from gpucomp.support.dtype import BOOL, DType
from gpucomp.target.externs import extern_source
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm
from gpucomp.tir.intrin import Op

_ELEMENT: Final = 'A[i] is an element of buffer A, tir.call_intrin("handle", "tir.address_of", A[i]) its address'


def _operand(name: str, needed: str, got: Expr, hint: str = _ELEMENT) -> LowerError:
    return LowerError(f"{name} needs {needed}, got {got}", code="GC382", hint=hint)


class CallText(ExpressionText):
    """Adds calls to scalar expressions."""

    def stored(self, node: Expr) -> str:
        """A scalar as memory holds it."""
        raise NotImplementedError

    def visit_call(self, node: e.Call) -> Text:
        if not isinstance(node.op, Op):
            raise LowerError(
                f"call of {node.op.name_hint!r}: a kernel cannot call another function of the module",
                code="GC380",
                hint="compile the functions one by one, or call device code by tir.call_extern",
            )
        name = node.op.name[4:]
        handler = _CALLS.get(name)
        if handler is not None:
            return handler(self, node)
        return self.function(name, node.dtype, node.args)

    def call_if_then_else(self, node: e.Call) -> Text:
        condition, yes, no = node.args
        return self.choose(self.value_type(node.dtype), self.visit(condition), yes, no)

    def call_likely(self, node: e.Call) -> Text:
        return self.visit(node.args[0])

    def call_bitwise(self, node: e.Call) -> Text:
        assert isinstance(node.op, Op)
        sign, strength = _BITWISE[node.op.name[4:]]
        return self.fit(node.dtype, (self.text(node.args[0], UNARY) + sign + self.text(node.args[1], UNARY), strength))

    def call_bitwise_not(self, node: e.Call) -> Text:
        return self.fit(node.dtype, (f"~{self.text(node.args[0], UNARY)}", UNARY))

    def call_reinterpret(self, node: e.Call) -> Text:
        source, target = node.args[0].dtype, node.dtype
        text = self.text(node.args[0])
        if source in NARROW_FLOATS:
            source, text = DType("uint16"), self.dialect.demote(source, text)
        if target in NARROW_FLOATS:
            return self.dialect.promote(target, f"({self.dialect.storage_type(target)})({text})"), ATOM
        return self.dialect.reinterpret(target, source, text), UNARY

    def call_clz(self, node: e.Call) -> Text:
        source = node.args[0].dtype
        if source.bits >= 32:
            return self.dialect.math("clz", source, [self.text(node.args[0])]), ATOM
        wide = operators.cast("uint32", operators.cast(f"uint{source.bits}", node.args[0]))
        return f"{self.dialect.math('clz', wide.dtype, [self.text(wide)])} - {32 - source.bits}", PLUS

    def call_popcount(self, node: e.Call) -> Text:
        source = node.args[0].dtype
        value = node.args[0]
        if source.bits < 32:
            value = operators.cast("uint32", operators.cast(f"uint{source.bits}", value))
        return self.dialect.math("popcount", value.dtype, [self.text(value)]), ATOM

    def call_extern(self, node: e.Call) -> Text:
        name = node.args[0]
        assert isinstance(name, e.StringImm)
        if not name.value.replace("_", "a").isalnum() or name.value[0].isdigit():
            raise LowerError(
                f"{name.value!r} is no function name", code="GC381", hint="an external function needs a C identifier"
            )
        definition = extern_source(name.value, self.dialect.facts["folder"])
        if definition:
            add_helper(f"extern {name.value}", definition.strip())
        return f"{name.value}({', '.join([self.text(arg) for arg in node.args[1:]])})", ATOM

    def call_address_of(self, node: e.Call) -> Text:
        load = node.args[0]
        if not isinstance(load, e.BufferLoad):
            raise _operand("address_of", "an element of a buffer", load)
        return self.address(load), PLUS

    def call_access_ptr(self, node: e.Call) -> Text:
        return self.visit(node.args[1])

    def address(self, load: e.BufferLoad) -> str:
        """The address of an element (of the first lane, for a vector)."""
        index = load.indices[0]
        index = index.base if isinstance(index, e.Ramp) else index
        if isinstance(index, IntImm) and index.value == 0:
            return self.base(load.buffer)
        return f"{self.base(load.buffer)} + {self.index(index, PLUS + 1)}"

    def call_barrier(self, node: e.Call) -> Text:
        scope = node.args[0] if node.args else e.StringImm("shared")
        assert isinstance(scope, e.StringImm)
        if scope.value.startswith("cluster"):
            blocks = extension(self.dialect, "cluster", self.features)
            calls = {"cluster_arrive": blocks.cluster_arrive, "cluster_wait": blocks.cluster_wait}
            return calls.get(scope.value, blocks.cluster_barrier)(), ATOM
        return self.dialect.barrier(scope.value), ATOM

    def call_cluster_load(self, node: e.Call) -> Text:
        place, rank = node.args
        load = _addressed("cluster_load", "an element of shared memory", place)
        blocks = extension(self.dialect, "cluster", self.features)
        text = blocks.cluster_load(load.dtype, self.address(load), self.text(rank))
        if load.dtype in NARROW_FLOATS:
            return self.dialect.promote(load.dtype, text), ATOM
        return (f"{text} != 0", EQUAL) if load.dtype is BOOL else (text, ATOM)

    def call_cluster_store(self, node: e.Call) -> Text:
        place, rank, value = node.args
        load = _addressed("cluster_store", "an element of shared memory", place)
        blocks = extension(self.dialect, "cluster", self.features)
        return blocks.cluster_store(load.dtype, self.address(load), self.text(rank), self.stored(value)), ATOM

    def call_bulk_begin(self, node: e.Call) -> Text:
        return extension(self.dialect, "tma", self.features).bulk_begin(self.text(node.args[0])), ATOM

    def call_bulk_copy(self, node: e.Call) -> Text:
        to, source, count = node.args
        engine = extension(self.dialect, "tma", self.features)
        return engine.bulk_copy(self._first(to), self._first(source), self._bytes(source, count)), ATOM

    def call_bulk_wait(self, node: e.Call) -> Text:
        return extension(self.dialect, "tma", self.features).bulk_wait(), ATOM

    def call_bulk_prefetch(self, node: e.Call) -> Text:
        source, count = node.args
        return extension(self.dialect, "tma", self.features).bulk_prefetch(
            self._first(source), self._bytes(source, count)
        ), ATOM

    def _first(self, place: Expr) -> str:
        """The address of the first element of a vector in memory."""
        load = _copied(place)
        index = load.indices[0]
        return self.address(e.BufferLoad(load.buffer, (index.base if isinstance(index, e.Ramp) else index,)))

    def _bytes(self, place: Expr, count: Expr) -> str:
        return self.text(operators.multiply(count, _copied(place).buffer.dtype.nbytes))

    def call_commit_group(self, node: e.Call) -> Text:
        return extension(self.dialect, "cp_async", self.features).commit_group(), ATOM

    def call_wait_group(self, node: e.Call) -> Text:
        count = node.args[0]
        if not isinstance(count, IntImm):
            raise _operand(
                "ptx_wait_group", "a constant number of groups", count, "give a number, or write a branch for each"
            )
        return extension(self.dialect, "cp_async", self.features).wait_group(count.value), ATOM

    def call_shuffle(self, node: e.Call) -> Text:
        assert isinstance(node.op, Op)
        mode = node.op.name.partition("shuffle_")[2] or "idx"
        mask, value, lane, width = node.args
        warp = extension(self.dialect, "shuffle", self.features)
        kind = node.dtype
        element = "float32" if kind in NARROW_FLOATS else str(kind) if kind.bits >= 32 else "int32"
        text = warp.shuffle(element, mode, self.text(mask), self.text(value), self.text(lane), self.text(width))
        if kind.bits >= 32 or kind in NARROW_FLOATS:
            return text, ATOM
        return (f"{text} != 0", EQUAL) if kind is BOOL else (f"({self.value_type(kind)}){text}", UNARY)

    def call_activemask(self, node: e.Call) -> Text:
        return extension(self.dialect, "shuffle", self.features).activemask(), ATOM

    def call_atomic_add(self, node: e.Call) -> Text:
        place, value = node.args
        load = _addressed("atomic_add", "an element of a buffer", place)
        space = self.storage(load.buffer).space
        return self.dialect.atomic_add(space, load.dtype, self.address(load), self.text(value)), ATOM

    def call_prefetch(self, node: e.Call) -> Text:
        load = node.args[0]
        load = load.args[0] if isinstance(load, e.Call) and load.args else load
        if not isinstance(load, e.BufferLoad):
            raise _operand("prefetch", "an element of a buffer", load)
        return self.dialect.prefetch(self.storage(load.buffer).space, self.address(load)), ATOM

    def call_nothing(self, node: e.Call) -> Text:
        return "", ATOM

    def call_ret(self, node: e.Call) -> Text:
        return "return", ATOM


_BITWISE: Final = {
    "shift_left": (" << ", SHIFT),
    "shift_right": (" >> ", SHIFT),
    "bitwise_and": (" & ", BIT_AND),
    "bitwise_or": (" | ", BIT_OR),
    "bitwise_xor": (" ^ ", BIT_XOR),
}
# Intrinsics that are no plain functions of operands of one type.
_CALLS: Final[dict[str, Callable[[CallText, e.Call], Text]]] = {
    "if_then_else": CallText.call_if_then_else,
    "likely": CallText.call_likely,
    "bitwise_not": CallText.call_bitwise_not,
    "reinterpret": CallText.call_reinterpret,
    "clz": CallText.call_clz,
    "popcount": CallText.call_popcount,
    "call_extern": CallText.call_extern,
    "call_pure_extern": CallText.call_extern,
    "address_of": CallText.call_address_of,
    "tvm_access_ptr": CallText.call_access_ptr,
    "barrier": CallText.call_barrier,
    "cluster_load": CallText.call_cluster_load,
    "cluster_store": CallText.call_cluster_store,
    "bulk_begin": CallText.call_bulk_begin,
    "bulk_copy": CallText.call_bulk_copy,
    "bulk_wait": CallText.call_bulk_wait,
    "bulk_prefetch": CallText.call_bulk_prefetch,
    "ptx_commit_group": CallText.call_commit_group,
    "ptx_wait_group": CallText.call_wait_group,
    "activemask": CallText.call_activemask,
    "atomic_add": CallText.call_atomic_add,
    "prefetch": CallText.call_prefetch,
    "assume": CallText.call_nothing,
    "ret": CallText.call_ret,
    **dict.fromkeys(("shuffle", "shuffle_up", "shuffle_down", "shuffle_xor"), CallText.call_shuffle),
    **dict.fromkeys(_BITWISE, CallText.call_bitwise),
}


def _addressed(name: str, needed: str, place: Expr) -> e.BufferLoad:
    """What ``address_of`` is asked of."""
    load = place.args[0] if isinstance(place, e.Call) and place.args else place
    if not isinstance(load, e.BufferLoad):
        raise _operand(name, f"address_of({needed})", load)
    return load


def _copied(place: Expr) -> e.BufferLoad:
    return _addressed("a bulk copy", "a vector in memory", place)
