"""Expressions of the flat form as LLVM instructions.

Every distinct node is written once for as long as its value stays valid: pure values for the block that defines
them and the blocks inside it, values that depend on memory for one statement.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import ClassVar, Final

from gpucomp.codegen import llvm_intrin
from gpucomp.codegen.llvm_access import AccessWriter
from gpucomp.codegen.llvm_text import REGISTER, FunctionText, ModuleText, vector
from gpucomp.codegen.llvm_values import is_number
from gpucomp.support.diagnostics import LowerError
from gpucomp.support.dtype import DType
from gpucomp.support.recursion import ensure_recursion
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.functor import Functor, expr_children
from gpucomp.tir.intrin import Op

_RELATIONS: Final[dict[type, str]] = {e.EQ: "eq", e.NE: "ne", e.LT: "lt", e.LE: "le", e.GT: "gt", e.GE: "ge"}


class ExprWriter(AccessWriter, Functor):
    """Adds the walk over expressions."""

    _leaves: ClassVar[frozenset[type]] = frozenset({e.Var, e.SizeVar, e.IntImm, e.FloatImm})

    def __init__(self, module: ModuleText, text: FunctionText) -> None:
        super().__init__(module, text)
        self._data: dict[Expr, str] = {}
        self._indices: dict[Expr, str] = {}
        self._memo = self._data
        self._trail: list[tuple[dict[Expr, str], Expr]] = []
        self._fleeting: list[tuple[dict[Expr, str], Expr]] = []
        self._stateful: dict[Expr, bool] = {}

    # -- entry points -----------------------------------------------------------------------------------------

    def value(self, node: Expr) -> str:
        if type(node) in self._leaves:
            return self.dispatch(node)
        done = self._memo.get(node)
        if done is not None:
            return done
        done = self._table[type(node)](self, node)
        memo = self._memo
        memo[node] = done
        self._trail.append((memo, node))
        if self.stateful(node):
            self._fleeting.append((memo, node))
        return done

    def index(self, node: Expr) -> str:
        if self._memo is self._indices:
            return self.value(node)
        saved_memo, saved_wrap = self._memo, self.wrap
        self._memo, self.wrap = self._indices, " nsw"
        try:
            return self.value(node)
        finally:
            self._memo, self.wrap = saved_memo, saved_wrap

    def root(self, node: Expr) -> str:
        """Write an expression of a statement (safe for deep ones)."""
        if node.depth > 100:
            ensure_recursion(node.depth)
        return self.value(node)

    def test(self, node: Expr) -> str:
        """Write a condition of a statement: without loads it is index arithmetic."""
        if node.depth > 100:
            ensure_recursion(node.depth)
        return self.value(node) if self.stateful(node) else self.index(node)

    def forget_memory(self) -> None:
        """Memory may have changed: drop the values that depend on it."""
        for memo, node in self._fleeting:
            memo.pop(node, None)
        self._fleeting.clear()

    @contextmanager
    def scope(self) -> Generator[None]:
        """Values written inside are not used outside, where they may not be defined."""
        mark = len(self._trail)
        try:
            yield
        finally:
            while len(self._trail) > mark:
                memo, node = self._trail.pop()
                memo.pop(node, None)

    @contextmanager
    def masked(self, mask: str, lanes: int) -> Generator[None]:
        """Inside, vector accesses of ``lanes`` lanes touch only the lanes of ``mask``."""
        saved = self.mask, self.mask_lanes
        bits = vector("i1", lanes)
        if self.mask and self.mask_lanes == lanes:
            mask = self.text.op(f"select {bits} {self.mask}, {bits} {mask}, {bits} zeroinitializer")
        self.mask, self.mask_lanes = mask, lanes
        try:
            with self.scope():
                yield
        finally:
            self.mask, self.mask_lanes = saved

    def stateful(self, node: Expr) -> bool:
        """True when the value depends on memory or on an effect: it must be computed anew, and only if needed."""
        known = self._stateful.get(node)
        if known is None:
            known = isinstance(node, e.BufferLoad) or is_impure_call(node)
            known = known or any([self.stateful(child) for child in expr_children(node)])
            self._stateful[node] = known
        return known

    def has_scalar_access(self, node: Expr) -> bool:
        """True when some access in ``node`` is not covered by a lane mask."""
        if not self.stateful(node):
            return False
        if isinstance(node, e.BufferLoad):
            return node.dtype.lanes == 1 or any([self.has_scalar_access(i) for i in node.indices])
        return is_impure_call(node) or any([self.has_scalar_access(child) for child in expr_children(node)])

    # -- leaves -----------------------------------------------------------------------------------------------

    def visit_var(self, node: Var) -> str:
        return self.lookup(node)

    def visit_int_imm(self, node: e.IntImm) -> str:
        return self.literal(node.dtype, node.value)

    def visit_float_imm(self, node: e.FloatImm) -> str:
        value = node.value
        if node.dtype.bits == 16:
            import numpy as np

            with np.errstate(all="ignore"):
                value = float(np.asarray(value, np.float64).astype(node.dtype.numpy))
        return self.literal(node.dtype, value)

    def visit_expr(self, node: Expr) -> str:
        raise LowerError(
            f"the CPU backend cannot write {type(node).__name__}", code="GC342", hint="lower to the flat form first"
        )

    # -- arithmetic -------------------------------------------------------------------------------------------

    def _arithmetic(self, op: str, node: e.BinaryOp) -> str:
        a, b = self.value(node.a), self.value(node.b)
        if node.dtype.is_float:
            return self.float_op(op, node.dtype, a, b)
        if node.dtype.is_bool:
            raise LowerError(f"'{op}' of bools", code="GC342", hint="cast to int32 first")
        return self.int_op(op, node.dtype, a, b)

    def visit_add(self, node: e.Add) -> str:
        return self._arithmetic("add", node)

    def visit_sub(self, node: e.Sub) -> str:
        return self._arithmetic("sub", node)

    def visit_mul(self, node: e.Mul) -> str:
        return self._arithmetic("mul", node)

    def visit_div(self, node: e.Div) -> str:
        if node.dtype.is_float:
            return self._arithmetic("div", node)
        return self.divide(node.dtype, self.value(node.a), self.value(node.b), literal_int(node.b))[0]

    def visit_mod(self, node: e.Mod) -> str:
        if node.dtype.is_float:
            return self._arithmetic("rem", node)
        return self.divide(node.dtype, self.value(node.a), self.value(node.b), literal_int(node.b))[1]

    def visit_floor_div(self, node: e.FloorDiv) -> str:
        a, b = self.value(node.a), self.value(node.b)
        if node.dtype.is_float:
            return self.intrinsic("floor", node.dtype, self.float_op("div", node.dtype, a, b))
        return self.floor_divide(node.dtype, a, b, literal_int(node.b))

    def visit_floor_mod(self, node: e.FloorMod) -> str:
        a, b = self.value(node.a), self.value(node.b)
        if not node.dtype.is_float:
            return self.floor_remainder(node.dtype, a, b, literal_int(node.b))
        whole = self.intrinsic("floor", node.dtype, self.float_op("div", node.dtype, a, b))
        return self.float_op("sub", node.dtype, a, self.float_op("mul", node.dtype, whole, b))

    def visit_min(self, node: e.Min) -> str:
        return self._extremum("minnum", "lt", node)

    def visit_max(self, node: e.Max) -> str:
        return self._extremum("maxnum", "gt", node)

    def _extremum(self, name: str, relation: str, node: e.BinaryOp) -> str:
        """Of a NaN and a number, the number, as C's fmin and fmax have it."""
        a, b = self.value(node.a), self.value(node.b)
        if node.dtype.is_float:
            return self.intrinsic(name, node.dtype, a, b)
        return self.minmax(relation, node.dtype, a, b)

    def visit_cmp_op(self, node: e.CmpOp) -> str:
        a, b = self.value(node.a), self.value(node.b)
        return self.compare(_RELATIONS[type(node)], node.a.dtype, a, b)

    def intrinsic(self, name: str, dtype: DType, *operands: str) -> str:
        """A call of ``llvm.<name>`` on operands of one floating type."""
        kind = REGISTER[dtype]
        suffix = {64: "f64"}.get(dtype.bits, "f32")
        full = f"llvm.{name}.{suffix}" if dtype.lanes == 1 else f"llvm.{name}.v{dtype.lanes}{suffix}"
        target = self.module.declare(full, kind, ", ".join([kind] * len(operands)))
        return self.text.op(f"call {kind} {target}({', '.join([f'{kind} {x}' for x in operands])})")

    # -- logic ------------------------------------------------------------------------------------------------

    def visit_not(self, node: e.Not) -> str:
        return self.text.op(f"xor {REGISTER[node.dtype]} {self.value(node.a)}, {self.literal(node.dtype, 1)}")

    def visit_and(self, node: e.And) -> str:
        return self._logical(node, absorbing=False)

    def visit_or(self, node: e.Or) -> str:
        return self._logical(node, absorbing=True)

    def _logical(self, node: e.BinaryOp, absorbing: bool) -> str:
        dtype = node.dtype
        kind = REGISTER[dtype]
        a = self.value(node.a)
        stop = self.literal(dtype, absorbing)
        if self.stateful(node.b):
            go = a if not absorbing else self.text.op(f"xor {kind} {a}, {self.literal(dtype, 1)}")
            b = self.guarded(node.b, go, dtype.lanes, stop)
        else:
            b = self.value(node.b)
        sides = f"{kind} {stop}, {kind} {b}" if absorbing else f"{kind} {b}, {kind} {stop}"
        return self.text.op(f"select {kind} {a}, {sides}")

    def guarded(self, node: Expr, mask: str, lanes: int, otherwise: str) -> str:
        """``node`` computed where ``mask`` holds; anything may come out in other lanes, ``otherwise`` if none holds."""
        if lanes > 1 and not self.has_scalar_access(node):
            with self.masked(mask, lanes):
                return self.value(node)
        some = self.any_lane(mask, lanes) if lanes > 1 else mask
        yes, join = self.text.labels("then.", "join.")
        before = self.text.block
        self.text.branch(some, yes, join)
        self.text.start(yes)
        if lanes > 1:
            with self.masked(mask, lanes):
                inside = self.value(node)
        else:
            with self.scope():
                inside = self.value(node)
        after = self.text.block
        self.text.jump(join)
        self.text.start(join)
        return self.text.op(f"phi {REGISTER[node.dtype]} [ {inside}, %{after} ], [ {otherwise}, %{before} ]")

    def visit_select(self, node: e.Select) -> str:
        mask_kind = REGISTER[node.condition.dtype]
        mask = self.value(node.condition)
        return self.select(node.dtype, mask, self.value(node.true_value), self.value(node.false_value), mask_kind)

    def if_then_else(self, condition: Expr, yes: Expr, no: Expr) -> str:
        """The intrinsic ``tir.if_then_else``: only the chosen side touches memory."""
        if isinstance(condition, e.Broadcast):
            condition = condition.value
        lanes = condition.dtype.lanes
        mask = self.test(condition)
        dtype, kind = yes.dtype, REGISTER[yes.dtype]
        if lanes == 1 and (costly(yes) or costly(no) or self.stateful(yes) or self.stateful(no)):
            return self._two_ways(mask, yes, no)
        bits = vector("i1", lanes)
        x = self.guarded(yes, mask, lanes, self.zero(dtype)) if self.stateful(yes) else self.value(yes)
        if self.stateful(no):
            opposite = self.text.op(f"xor {bits} {mask}, {splat_one(lanes)}")
            y = self.guarded(no, opposite, lanes, self.zero(dtype))
        else:
            y = self.value(no)
        return self.select(dtype, mask, x, y, bits, kind)

    def _two_ways(self, condition: str, yes: Expr, no: Expr) -> str:
        first, second, join = self.text.labels("then.", "else.", "join.")
        self.text.branch(condition, first, second)
        arms: list[str] = []
        for label, side in ((first, yes), (second, no)):
            self.text.start(label)
            with self.scope():
                value = self.value(side)
            arms.append(f"[ {value}, %{self.text.block} ]")
            self.text.jump(join)
        self.text.start(join)
        return self.text.op(f"phi {REGISTER[yes.dtype]} {', '.join(arms)}")

    # -- the rest ---------------------------------------------------------------------------------------------

    def visit_cast(self, node: e.Cast) -> str:
        return self.convert(node.value.dtype, node.dtype, self.value(node.value))

    def visit_ramp(self, node: e.Ramp) -> str:
        dtype, lanes = node.dtype, node.lanes
        element, kind = REGISTER[dtype.element], REGISTER[dtype]
        base = self.splat(element, self.value(node.base), lanes)
        stride = self.value(node.stride)
        if is_number(stride):
            steps = ", ".join([f"{element} {int(stride) * i}" for i in range(lanes)])
            return self.text.op(f"add{self.wrap} {kind} {base}, <{steps}>")
        steps = ", ".join([f"{element} {i}" for i in range(lanes)])
        scaled = self.text.op(f"mul{self.wrap} {kind} {self.splat(element, stride, lanes)}, <{steps}>")
        return self.text.op(f"add{self.wrap} {kind} {base}, {scaled}")

    def visit_broadcast(self, node: e.Broadcast) -> str:
        return self.splat(REGISTER[node.dtype.element], self.value(node.value), node.lanes)

    def visit_shuffle(self, node: e.Shuffle) -> str:
        element = REGISTER[node.dtype.element]
        kinds = [REGISTER[v.dtype] for v in node.vectors]
        values = [self.value(v) for v in node.vectors]
        if len(values) == 1 and node.vectors[0].dtype.lanes > 1:
            if len(node.indices) == 1:
                return self.lane(kinds[0], values[0], node.indices[0])
            order = ", ".join([f"i32 {i}" for i in node.indices])
            many = f"<{len(node.indices)} x i32>"
            return self.text.op(f"shufflevector {kinds[0]} {values[0]}, {kinds[0]} poison, {many} <{order}>")
        places = [(i, j) for i, v in enumerate(node.vectors) for j in range(v.dtype.lanes)]
        lanes: list[str] = []
        for index in node.indices:
            which, lane = places[index]
            one = node.vectors[which].dtype.lanes == 1
            lanes.append(values[which] if one else self.lane(kinds[which], values[which], lane))
        return self.gathered(element, lanes)

    def gathered(self, element: str, lanes: list[str]) -> str:
        """A vector of the given scalars."""
        if len(lanes) == 1:
            return lanes[0]
        kind, result = vector(element, len(lanes)), "poison"
        for i, lane in enumerate(lanes):
            result = self.text.op(f"insertelement {kind} {result}, {element} {lane}, i64 {i}")
        return result

    def visit_let(self, node: e.Let) -> str:
        value = self.value(node.value)
        with self.scope():
            self.env[node.var] = value
            return self.value(node.body)

    def visit_buffer_load(self, node: e.BufferLoad) -> str:
        if len(node.indices) != 1:
            raise not_flat(f"buffer {node.buffer.name} has {len(node.indices)} dimensions")
        index, predicate = node.indices[0], node.predicate
        if predicate is None or index.dtype.lanes > 1:
            return self.load(node.buffer, index, node.dtype, predicate)
        plain = e.BufferLoad(node.buffer, node.indices, None)
        return self.guarded(plain, self.value(predicate), 1, self.zero(node.dtype))

    def visit_call(self, node: e.Call) -> str:
        return llvm_intrin.write_call(self, node)


def literal_int(node: Expr) -> int | None:
    """The value of an integer literal, or of one in every lane."""
    if isinstance(node, e.Broadcast):
        node = node.value
    return node.value if isinstance(node, e.IntImm) else None


def is_impure_call(node: Expr) -> bool:
    """True for a call that reads or changes state."""
    return isinstance(node, e.Call) and not (isinstance(node.op, Op) and node.op.is_pure)


def costly(node: Expr) -> bool:
    """True when computing ``node`` for nothing would be slower than a branch."""
    stack = [node]
    for _ in range(40):
        if not stack:
            return False
        item = stack.pop()
        if isinstance(item, e.Call):
            return True
        stack += expr_children(item)
    return True


def splat_one(lanes: int) -> str:
    """True in every lane."""
    return "splat (i1 true)" if lanes > 1 else "true"


def not_flat(what: str) -> LowerError:
    """The error for a function that was not flattened."""
    return LowerError(f"{what}: the CPU backend needs the flat form", code="GC342", hint="run flatten_storage first")
