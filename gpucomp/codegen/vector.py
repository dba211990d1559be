"""Text of vector expressions: whole where the dialect can, lane by lane where it cannot.

Whole means one C value of the dialect's vector type in storage form: contiguous memory, constants, a choice by a
scalar condition; and, in dialects with vector arithmetic, operators on 32- and 64-bit lanes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gpucomp.arith.analyzer import Analyzer
from gpucomp.codegen.calls import CallText
from gpucomp.codegen.dialect import Dialect, extension
from gpucomp.codegen.expression import (
    ATOM,
    CONDITION,
    MULTIPLY,
    NARROW_FLOATS,
    PLUS,
    UNARY,
    Text,
)
from gpucomp.codegen.lanes import Parts
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, IntImm, Var
from gpucomp.tir.intrin import Op
from gpucomp.transform.askew import askew
from gpucomp.transform.vector_access import first_element, is_aligned
from gpucomp.transform.walk import is_call

WIDTHS: Final = (16, 8, 4, 2)
_VECTOR_SIGNS: Final[Mapping[type, tuple[str, int]]] = {
    e.Add: (" + ", PLUS),
    e.Sub: (" - ", PLUS),
    e.Mul: (" * ", MULTIPLY),
    e.Div: (" / ", MULTIPLY),
}
_VECTOR_FUNCTIONS: Final = frozenset(
    {"exp", "exp2", "exp10", "log", "log2", "log10", "sqrt", "rsqrt", "sin", "cos", "tan", "tanh", "erf"}
    | {"floor", "ceil", "trunc", "round", "nearbyint", "fabs", "pow", "fma"}
)


class VectorText(CallText):
    """Adds vectors to scalar expressions."""

    def __init__(self, dialect: Dialect, features: frozenset[str]) -> None:
        super().__init__(dialect, features)
        self.parts = Parts(self.stays_whole)
        self.analyzer = Analyzer()
        self.values: dict[Var, Expr] = {}  # of integers bound by a let
        self.pieces: dict[Var, list[tuple[Var, int]]] = {}  # of vectors wider than the dialect's: where each lane is
        self._native: dict[DType, bool] = {}
        self._arithmetic = dialect.facts["vector_arithmetic"]
        self._unaligned = dialect.facts["unaligned_vectors"]

    # -- what is possible -------------------------------------------------------------------------------------

    def native(self, dtype: DType) -> bool:
        """True when the dialect has the vector type."""
        done = self._native.get(dtype)
        if done is None:
            done = self._native[dtype] = bool(self.dialect.vector_type(dtype.element, dtype.lanes))
        return done

    def width_below(self, dtype: DType, limit: int) -> int:
        """The widest vector of at most ``limit`` lanes that the dialect has; 1 when there is none."""
        for width in WIDTHS:
            if width <= limit and self.native(dtype.with_lanes(width)):
                return width
        return 1

    def contiguous(self, buffer: Buffer, indices: tuple[Expr, ...], dtype: DType) -> tuple[Expr, bool] | None:
        """First element and alignment of an access that is one vector in memory; None for any other access."""
        if not self.native(dtype):
            return None
        base = first_element(buffer, indices)
        if base is None:
            return None
        memory = self.storage(buffer)
        if memory.space == "local" and not self._arithmetic:
            return None  # arrays in registers are indexed lane by lane
        widest = memory.alignment if memory.space == "local" else 0  # only on processors above 16: see the emitter
        aligned = is_aligned(base, dtype, memory.alignment, self.analyzer, self.values, widest)
        return (base, aligned) if aligned or self._unaligned else None

    def _askew(self, node: e.BufferLoad) -> tuple[Expr, Expr] | None:
        """Where a vector lies askew in memory of which aligned vectors may be read; see ``askew``."""
        if "readable_granules" not in self.features or not self.native(node.dtype):
            return None
        base, memory = first_element(node.buffer, node.indices), self.storage(node.buffer)
        if base is None or memory.space != "global" or not memory.readonly:
            return None
        return askew(base, node.dtype, memory.alignment, self.analyzer, self.values)

    def stays_whole(self, node: Expr) -> bool:
        """True for vectors that come from memory in one piece."""
        if isinstance(node, e.BufferLoad):
            if node.predicate is not None:
                return False
            return self.contiguous(node.buffer, node.indices, node.dtype) is not None or self._askew(node) is not None
        if _is_choice(node):
            loads = any([not isinstance(side, e.Broadcast) for side in _sides(node)])
            return loads and self.is_whole(node)
        return self._arithmetic and self.native(node.dtype) and isinstance(node, e.BinaryOp) and self.is_whole(node)

    def is_whole(self, node: Expr) -> bool:
        """True when :meth:`vector` writes the node without taking it apart."""
        if isinstance(node, e.Broadcast):
            return self.native(node.dtype)
        if isinstance(node, e.BufferLoad):
            return self.stays_whole(node)
        if isinstance(node, Var):
            return self.native(node.dtype)
        if _is_choice(node):
            yes, no = _sides(node)
            return self.is_whole(yes) and self.is_whole(no)
        if not self._arithmetic or not self.native(node.dtype):
            return False
        if isinstance(node, e.Cast):
            return _converts(node.dtype.element, node.value.dtype.element) and self.is_whole(node.value)
        if node.dtype.bits < 32:
            return False
        if type(node) in _VECTOR_SIGNS and isinstance(node, e.BinaryOp):
            divides = isinstance(node, e.Div) and not node.dtype.is_float
            return not divides and self.is_whole(node.a) and self.is_whole(node.b)
        if isinstance(node, (e.Min, e.Max)):
            return self.is_whole(node.a) and self.is_whole(node.b)
        if isinstance(node, e.Call) and isinstance(node.op, Op) and node.op.name[4:] in _VECTOR_FUNCTIONS:
            return node.dtype.is_float and all([self.is_whole(arg) for arg in node.args])
        return False

    # -- text -------------------------------------------------------------------------------------------------

    def vector(self, node: Expr) -> Text:
        """Text of a vector in storage form."""
        done = self.memo.get(node)
        if done is not None:
            return done
        if node in self.sharing.named or isinstance(node, Var):
            return self.vector_variable(node)
        done = self.memo[node] = self._vector(node)
        return done

    def _vector(self, node: Expr) -> Text:
        if not self.is_whole(node):
            items = [self.stored(self.parts.lane(node, i)) for i in range(node.dtype.lanes)]
            return self.dialect.make_vector(node.dtype.element, node.dtype.lanes, items), UNARY
        if isinstance(node, e.Broadcast):
            return self.dialect.splat(node.dtype.element, node.lanes, self.stored(node.value)), UNARY
        if isinstance(node, e.BufferLoad):
            return self._vector_load(node)
        if _is_choice(node):
            return self._vector_choice(node)
        if isinstance(node, e.Cast):
            target, source = node.dtype.element, node.value.dtype.element
            value = self.vector(node.value)[0]
            return self.dialect.convert_vector(target, source, node.dtype.lanes, value), ATOM
        if isinstance(node, (e.Min, e.Max)):
            name = "min" if isinstance(node, e.Min) else "max"
            return self.dialect.math(name, node.dtype.element, [self.vector(node.a)[0], self.vector(node.b)[0]]), ATOM
        if isinstance(node, e.BinaryOp):
            sign, strength = _VECTOR_SIGNS[type(node)]
            left, right = self.vector(node.a), self.vector(node.b)
            a = left[0] if left[1] >= strength else f"({left[0]})"
            b = right[0] if right[1] > strength else f"({right[0]})"
            return a + sign + b, strength
        assert isinstance(node, e.Call)
        assert isinstance(node.op, Op)
        return self.dialect.math(node.op.name[4:], node.dtype.element, [self.vector(arg)[0] for arg in node.args]), ATOM

    def _vector_load(self, node: e.BufferLoad) -> Text:
        place = self.contiguous(node.buffer, node.indices, node.dtype)
        if place is None:
            near = self._askew(node)
            assert near is not None
            granules = extension(self.dialect, "readable_granules", self.features)
            pointer, element = self.address_at(node.buffer, near[0]), node.dtype.element
            return granules.load_askew(element, node.dtype.lanes, pointer, self.text(near[1])), ATOM
        base, aligned = place
        memory = self.storage(node.buffer)
        pointer = self.address_at(node.buffer, base)
        element, lanes = node.dtype.element, node.dtype.lanes
        if self.cache_hint and aligned and memory.space == "global":
            hinted = self.dialect.load_hinted(self.cache_hint, element, lanes, pointer, memory.readonly)
            if hinted:
                return hinted, ATOM
        return self.dialect.load_vector(memory.space, element, lanes, pointer, aligned), UNARY

    def address_at(self, buffer: Buffer, index: Expr) -> str:
        """The address of the element at a scalar index."""
        if isinstance(index, IntImm) and index.value == 0:
            return self.base(buffer)
        return f"{self.base(buffer)} + {self.index(index, PLUS + 1)}"

    def _vector_choice(self, node: Expr) -> Text:
        condition = self.visit(_condition(node))
        return self.choose(self.type_in_memory(node.dtype), condition, *_sides(node))

    def visit_call(self, node: e.Call) -> Text:
        if is_call(node, "dp4a"):
            dot = extension(self.dialect, "dp4a", self.features)
            a, b, c = node.args
            return dot.dp4a(self._word_of(a), self._word_of(b), self.text(c)), ATOM
        if is_call(node, "reinterpret") and node.args[0].dtype.lanes > 1:
            return self._word_of(node.args[0]), UNARY
        return super().visit_call(node)

    def _word_of(self, node: Expr) -> str:
        """Text of four bytes as a 32-bit word."""
        if isinstance(node, e.Call) and is_call(node, "reinterpret"):
            return self.text(node.args[0])
        dot = extension(self.dialect, "dp4a", self.features)
        word = "int32" if node.dtype.code == "int" else "uint32"
        place = None
        if isinstance(node, e.BufferLoad) and node not in self.sharing.named:
            place = self.contiguous(node.buffer, node.indices, node.dtype)
        if place is None or not place[1] or not isinstance(node, e.BufferLoad):
            return dot.word(word, self.vector(node)[0])
        return dot.load_word(self.storage(node.buffer).space, word, self.address_at(node.buffer, place[0]))

    def whole(self, node: Expr) -> Text:
        return self.visit(node) if node.dtype.lanes == 1 else self.vector(node)

    def type_in_memory(self, dtype: DType) -> str:
        """The C type of a vector in storage form."""
        return self.dialect.vector_type(dtype.element, dtype.lanes)

    def vector_variable(self, node: Expr) -> Text:
        """The name of a constant that holds a vector."""
        if isinstance(node, Var):
            return self.vars[node], ATOM
        key = (node,)
        done = self.memo.get(key)
        return done if done is not None else self.hoisted(node, key, lambda: self._declare_vector(node))

    def _declare_vector(self, node: Expr) -> Text:
        text = self._vector(node)[0]
        symbol = self.names.fresh(node.buffer.name + "_v" if isinstance(node, e.BufferLoad) else "v")
        self.line(f"const {self.type_in_memory(node.dtype)} {symbol} = {text};")
        return symbol, ATOM

    def stored(self, node: Expr) -> str:
        """A scalar in storage form: narrow floats are rounded once, here."""
        kind = node.dtype
        if kind not in NARROW_FLOATS:
            if isinstance(node, (e.Add, e.Sub, e.Mul)) and node not in self.sharing.named:
                if self.wraps(node):
                    return self.unsigned(node)[0]  # the store converts
                if kind.bits < 32:
                    return self.arithmetic(node)[0]
            return self.text(node)
        if node not in self.sharing.named:
            if isinstance(node, (e.Add, e.Sub, e.Mul, e.Div)):
                return self.dialect.demote(kind, self.arithmetic(node)[0])
            if isinstance(node, e.Cast) and node.value.dtype == "float32":
                return self.dialect.demote(kind, self.text(node.value))
            if isinstance(node, e.BufferLoad):
                return self.read(node.buffer, node.indices)
            if (
                isinstance(node, e.Select)
                and isinstance(node.false_value, e.FloatImm)
                and self._is_stored(node.true_value)
            ):
                condition = self.text(node.condition, CONDITION + 1)
                return f"{condition} ? {self.stored(node.true_value)} : {self.stored(node.false_value)}"
            if self._is_lane(node):
                assert isinstance(node, e.Shuffle)
                vector = node.vectors[0]
                return self.dialect.lane(kind, vector.dtype.lanes, self.vector_variable(vector)[0], node.indices[0])
        return self.dialect.demote(kind, self.text(node))

    def _is_stored(self, node: Expr) -> bool:
        """True for what is there in storage form: a lane, or an element in registers."""
        return self._is_lane(node) or (isinstance(node, e.BufferLoad) and node.buffer.scope() == "local")

    def _is_lane(self, node: Expr) -> bool:
        """True for one lane of a vector that stays whole."""
        return isinstance(node, e.Shuffle) and len(node.vectors) == 1 and self.is_whole(node.vectors[0])

    def visit_shuffle(self, node: e.Shuffle) -> Text:
        """One lane: of a vector that stays whole, or of the lanes themselves."""
        index = node.indices[0]
        for vector in node.vectors:
            lanes = vector.dtype.lanes
            if index < lanes:
                break
            index -= lanes
        else:
            raise self.unsupported(f"a pick of lane {index}", "such a lane")
        if isinstance(vector, Var) and vector in self.pieces:
            vector, index = self.pieces[vector][index]
            lanes = vector.dtype.lanes
        if lanes == 1:
            return self.visit(vector)
        if not (isinstance(vector, Var) or self.is_whole(vector)):
            return self.visit(self.parts.lane(vector, index))
        name = self.vector_variable(vector)[0]
        kind = vector.dtype.element
        text = self.dialect.lane(kind, lanes, name, index)
        return (self.dialect.promote(kind, text), ATOM) if kind in NARROW_FLOATS else (text, UNARY)


def _converts(target: DType, source: DType) -> bool:
    """True for conversions that dialects with vector arithmetic have for whole vectors."""
    if source in NARROW_FLOATS:
        return target == "float32"
    if target in NARROW_FLOATS:
        return source == "float32" and target == "float16"
    return not (target.is_bool or source.is_bool) and target.bits >= 32 and source.bits >= 32


def _is_choice(node: Expr) -> bool:
    if isinstance(node, e.Select):
        return node.condition.dtype.lanes == 1
    return (
        isinstance(node, e.Call)
        and isinstance(node.op, Op)
        and node.op.name == "tir.if_then_else"
        and node.args[0].dtype.lanes == 1
    )


def _condition(node: Expr) -> Expr:
    if isinstance(node, e.Select):
        return node.condition
    assert isinstance(node, e.Call)
    return node.args[0]


def _sides(node: Expr) -> tuple[Expr, Expr]:
    if isinstance(node, e.Select):
        return node.true_value, node.false_value
    assert isinstance(node, e.Call)
    return node.args[1], node.args[2]
