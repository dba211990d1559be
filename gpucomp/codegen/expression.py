"""Text of scalar expressions: precedence, types of intermediate results, sharing and guarded evaluation.

Narrow floats (float16, bfloat16) are computed as float and rounded after each operation, which gives exactly the
correctly rounded result of the narrow operation for + - * / and square roots (24 >= 2 * 11 + 2 significant bits).
Integers below 32 bits wrap after each operation, as C computes them in int.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from gpucomp.codegen.dialect import Dialect, Refusal
from gpucomp.codegen.names import Names
from gpucomp.codegen.sharing import Sharing, plan
from gpucomp.support.diagnostics import LowerError
from gpucomp.support.dtype import BOOL, FLOAT32, INT32, DType
from gpucomp.support.recursion import ensure_recursion
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, IntImm, Var
from gpucomp.tir.functor import Functor, expr_children

Text = tuple[str, int]

# Binding strength of C operators.
ATOM: Final = 16
UNARY: Final = 14
MULTIPLY: Final = 13
PLUS: Final = 12
SHIFT: Final = 11
ORDER: Final = 10
EQUAL: Final = 9
BIT_AND: Final = 8
BIT_XOR: Final = 7
BIT_OR: Final = 6
AND: Final = 5
OR: Final = 4
CONDITION: Final = 3
ANY: Final = 0

_HAS_VALUE: Final = "a kernel sees its arguments, what it allocates, and variables of loops and lets around their uses"
NARROW_FLOATS: Final = frozenset({"float16", "bfloat16"})
_EXACT_FUNCTIONS: Final = frozenset({"fabs", "floor", "ceil", "trunc", "round", "nearbyint", "min", "max", "copysign"})
# Of these the code is so long that many copies of it are left to one function.
_LONG_FUNCTIONS: Final = frozenset(
    {"tanh", "erf", "sin", "cos", "tan", "pow", "sinh", "cosh", "atan", "atan2", "expm1", "log1p"}
)
MANY_COPIES: Final = 16  # of a statement, by the loops around it that are unrolled
_NEEDS_LITERAL_MACRO: Final = frozenset({"int8", "uint8", "int16", "uint16", "uint32", "int64", "uint64"})


def unlowered(what: str, then: str) -> LowerError:
    """What a pass should have replaced: a pipeline of the user's lacks it, or has it too early."""
    hint = "driver/pipelines.py lists the passes of a target in their order"
    return LowerError(f"{what}: {then}", code="GC384", hint=hint)


class Memory:
    """What a pointer variable is called and what it points to."""

    __slots__ = ("alignment", "element", "name", "readonly", "single", "space")

    def __init__(
        self,
        name: str,
        element: DType,
        space: str,
        alignment: int,
        readonly: bool = False,
        single: bool = False,
    ) -> None:
        self.name = name
        self.element = element
        self.space = space
        self.alignment = alignment
        self.readonly = readonly
        self.single = single  # one element, declared as a variable


class ExpressionText(Functor):
    """Writes expressions; a subclass owns statements.

    ``visit`` returns text and binding strength.  Lines that have to run before (constants for shared
    sub-expressions) are appended to ``self.lines``.
    """

    def __init__(self, dialect: Dialect, features: frozenset[str]) -> None:
        self.dialect = dialect
        self.features = features
        self.names = Names()
        self.vars: dict[Var, str] = {}
        self.memory: dict[Var, Memory] = {}
        self.lines: list[str] = []
        self.pad = "  "
        self.memo: dict[Any, Text] = {}  # Any: expressions, and (expression,) for vector variables
        self.sharing: Sharing = plan()
        self.holds_integers = False
        self.copies = 1  # of the statement, by the loops around it that are unrolled
        self.cache_hint = ""  # of the pragma around the statement
        self._guards = 0
        self._indexing = False
        self._data: dict[Expr, bool] = {}
        self._root: tuple[list[str], dict[Any, Text], str] = (self.lines, self.memo, self.pad)
        self._types: dict[DType, str] = {}

    # -- one statement ----------------------------------------------------------------------------------------

    def begin(self, *roots: Expr) -> None:
        """Start on the expressions that one statement evaluates together."""
        self.memo = {}
        depth = 0
        for root in roots:
            if root.depth > depth:
                depth = root.depth
        if depth > 100:
            ensure_recursion(depth)
        self.sharing = plan(*roots) if depth > 2 else plan()
        self._guards = 0
        self._root = (self.lines, self.memo, self.pad)

    def line(self, text: str) -> None:
        """Append a line at the current depth."""
        self.lines.append(self.pad + text)

    def visit(self, node: Expr) -> Text:
        """Text and binding strength of a scalar expression."""
        done = self.memo.get(node)
        if done is not None:
            return done
        if node in self.sharing.named:
            return self._named(node)
        done = self._table[type(node)](self, node)
        if not (self._indexing and self.holds_integers and self.is_data(node)):
            self.memo[node] = done
        return done

    def index(self, node: Expr, strength: int = ANY) -> str:
        """Text of an expression that counts elements or iterations: such arithmetic does not overflow."""
        saved, self._indexing = self._indexing, True
        text = self.text(node, strength)
        self._indexing = saved
        return text

    def text(self, node: Expr, strength: int = ANY) -> str:
        """Text of a scalar expression, in parentheses where its surroundings bind more tightly."""
        text, own = self.visit(node)
        return text if own >= strength else f"({text})"

    def _named(self, node: Expr) -> Text:
        return self.hoisted(node, node, lambda: self._declare(node))

    def _declare(self, node: Expr) -> Text:
        text, strength = self._table[type(node)](self, node)
        if strength == ATOM and text.isidentifier():
            return text, strength
        return self.constant(node.dtype, text), ATOM

    def hoisted(self, node: Expr, key: object, declare: Callable[[], Text]) -> Text:
        """Declare a constant for ``node``: before the statement if it may move there, else in this branch."""
        lines, memo, pad = self._root
        done = memo.get(key)
        if done is None:
            here = self.lines, self.memo, self.pad, self._guards, self._indexing
            self._indexing = False
            if self._guards and self.sharing.may_move(node):
                (self.lines, self.memo, self.pad), self._guards = (lines, memo, pad), 0
            done = self.memo[key] = declare()
            self.lines, self.memo, self.pad, self._guards, self._indexing = here
        self.memo[key] = done
        return done

    def constant(self, dtype: DType, text: str, name: str = "t") -> str:
        """A new constant with a value; returns its name."""
        symbol = self.names.fresh(name)
        self.line(f"const {self.value_type(dtype)} {symbol} = {text};")
        return symbol

    def value_type(self, dtype: DType) -> str:
        """The C type in which values of a scalar type are computed."""
        done = self._types.get(dtype)
        if done is None:
            done = self._types[dtype] = self.dialect.value_type(dtype)
        return done

    def branch(self, node: Expr) -> tuple[list[str], Text]:
        """Text of an operand that is evaluated under a condition only, and the lines that it needs before it."""
        here = self.lines, self.memo, self.pad
        self.lines, self.memo, self.pad = [], dict(self.memo), self.pad + "  "
        self._guards += 1
        text = self.whole(node)
        lines = self.lines
        self._guards -= 1
        self.lines, self.memo, self.pad = here
        return lines, text

    def whole(self, node: Expr) -> Text:
        """Text of a scalar, or of a vector in one piece."""
        return self.visit(node)

    def choose(self, kind: str, condition: Text, yes: Expr, no: Expr) -> Text:
        """``condition ? yes : no``, as a statement where a side needs lines of its own."""
        yes_lines, (yes_text, yes_strength) = self.branch(yes)
        no_lines, (no_text, no_strength) = self.branch(no)
        head, strength = condition
        if not yes_lines and not no_lines:
            head = head if strength > CONDITION else f"({head})"
            yes_text = yes_text if yes_strength > CONDITION else f"({yes_text})"
            no_text = no_text if no_strength >= CONDITION else f"({no_text})"
            return f"{head} ? {yes_text} : {no_text}", CONDITION
        symbol = self.names.fresh("t")
        self.line(f"{kind} {symbol};")
        self.line(f"if ({head}) {{")
        self.lines += yes_lines
        self.line(f"  {symbol} = {yes_text};")
        self.line("} else {")
        self.lines += no_lines
        self.line(f"  {symbol} = {no_text};")
        self.line("}")
        return symbol, ATOM

    # -- leaves -----------------------------------------------------------------------------------------------

    def visit_var(self, node: Var) -> Text:
        name = self.vars.get(node)
        if name is None:
            memory = self.memory.get(node)
            if memory is None:
                raise LowerError(f"variable {node.name!r} is used where it has no value", code="GC374", hint=_HAS_VALUE)
            name = memory.name
        return name, ATOM

    def visit_int_imm(self, node: IntImm) -> Text:
        value, dtype = node.value, node.dtype
        if dtype is INT32 and value > -(2**31):
            return str(value), (ATOM if value >= 0 else UNARY)
        if dtype is BOOL:
            return ("true" if value else "false"), ATOM
        if dtype.code == "int" and dtype.bits >= 32 and value == -(1 << (dtype.bits - 1)):
            low = IntImm(dtype, value + 1)
            return f"({self.visit_int_imm(low)[0]} - 1)", ATOM  # the positive number would not fit
        if dtype in _NEEDS_LITERAL_MACRO:
            return self.dialect.int_literal(dtype, str(value)), UNARY
        raise self.unsupported(f"a literal of type {dtype}", "this type")

    def visit_float_imm(self, node: e.FloatImm) -> Text:
        return self.float_literal(node.value, node.dtype)

    def float_literal(self, value: float, dtype: DType) -> Text:
        """A literal, rounded to its type."""
        if dtype in NARROW_FLOATS:
            with np.errstate(all="ignore"):
                value = float(np.asarray(value, np.float64).astype(dtype.numpy))
            dtype = FLOAT32
        if math.isnan(value):
            return self.dialect.nan(dtype), ATOM
        if dtype is FLOAT32:
            with np.errstate(all="ignore"):
                single = np.float32(value)
            if np.isinf(single):
                return self._infinity(float(single), dtype)
            text = str(single)
            text = text if "." in text or "e" in text else text + ".0"
            return text + "f", (UNARY if text[0] == "-" else ATOM)
        if math.isinf(value):
            return self._infinity(value, dtype)
        self.value_type(dtype)  # refuses types that the target lacks
        text = repr(value)
        return text, (UNARY if text[0] == "-" else ATOM)

    def _infinity(self, value: float, dtype: DType) -> Text:
        text = self.dialect.infinity(dtype)
        return (text, ATOM) if value > 0 else (f"-{text}", UNARY)

    def visit_string_imm(self, node: e.StringImm) -> Text:
        raise LowerError(
            f"the string {node.value!r} has no value in a kernel",
            code="GC383",
            hint="kernels compute with numbers; text names functions (tir.call_extern) and pragmas only",
        )

    # -- operators --------------------------------------------------------------------------------------------

    def arithmetic(self, node: e.BinaryOp) -> Text:
        """The bare operator, without wrapping or rounding to a narrow type."""
        sign, strength = _ARITHMETIC[type(node)]
        left, own = self.visit(node.a)
        if own < strength:
            left = f"({left})"
        b = node.b
        if type(b) is IntImm and b.value < 0 and strength == PLUS and b.dtype is INT32 and b.value > -(2**31):
            return f"{left}{' - ' if sign == ' + ' else ' + '}{-b.value}", strength
        right, own = self.visit(b)
        if own <= strength:
            right = f"({right})"
        return left + sign + right, strength

    def visit_add(self, node: e.Add) -> Text:
        kind = node.dtype
        if self.wraps(node):
            text, strength = self.unsigned(node)
            return f"({self.value_type(kind)}){text if strength >= UNARY else f'({text})'}", UNARY
        return self.fit(kind, self.arithmetic(node))

    visit_sub = visit_mul = visit_add

    def wraps(self, node: Expr) -> bool:
        """True for arithmetic on the user's integers, which wraps; C leaves it undefined for signed types."""
        kind = node.dtype
        if not self.holds_integers or type(node) not in _WRAPPING or not kind.is_int:
            return False
        if kind.bits < 32:
            return kind == "uint16" and type(node) is e.Mul  # C computes it in int, which is too narrow
        return kind.code == "int" and not self._indexing and self.is_data(node)

    def is_data(self, node: Expr) -> bool:
        """True when a value depends on what is in memory."""
        done = self._data.get(node)
        if done is None:
            done = type(node) in _FROM_MEMORY or any([self.is_data(child) for child in expr_children(node)])
            self._data[node] = done
        return done

    def unsigned(self, node: Expr) -> Text:
        """The operator on unsigned operands; C converts the right one to the type of the left one."""
        assert isinstance(node, e.BinaryOp)
        sign, strength = _ARITHMETIC[type(node)]
        wide = DType("uint64" if node.dtype.bits == 64 else "uint32")
        if self._goes_on(node.a):
            left, own = self.unsigned(node.a)
        else:
            left, own = f"({self.value_type(wide)}){self.text(node.a, UNARY)}", UNARY
        if self._goes_on(node.b):
            right, right_own = self.unsigned(node.b)
        elif isinstance(node.b, IntImm) and node.b.value < 0:
            right, right_own = self.visit(IntImm(wide, node.b.value))  # the same bits
        else:
            right, right_own = self.visit(node.b)
        left = left if own >= strength else f"({left})"
        right = right if right_own > strength else f"({right})"
        return left + sign + right, strength

    def _goes_on(self, node: Expr) -> bool:
        return type(node) in _WRAPPING and node not in self.sharing.named

    def visit_div(self, node: e.Div) -> Text:
        if self.may_wrap(node):
            return self.dialect.division("truncdiv", node.dtype, self.text(node.a), self.text(node.b)), ATOM
        return self.fit(node.dtype, self.arithmetic(node))

    def visit_mod(self, node: e.Mod) -> Text:
        if node.dtype.is_float:
            return self.function("fmod", node.dtype, (node.a, node.b))
        if self.may_wrap(node):
            return self.dialect.division("truncmod", node.dtype, self.text(node.a), self.text(node.b)), ATOM
        return self.arithmetic(node)

    def may_wrap(self, node: e.BinaryOp) -> bool:
        """True for divisions of the user's integers that may divide the smallest number by -1."""
        kind = node.dtype
        if kind.code != "int" or kind.bits < 32 or isinstance(node.b, IntImm) or self._indexing:
            return False
        return self.is_data(node)

    def fit(self, dtype: DType, value: Text) -> Text:
        """Wrap or round an intermediate result to a type that is narrower than what C computes in."""
        if dtype.bits >= 32:
            return value
        if dtype.is_float:
            return self.dialect.round_to(dtype, value[0], FLOAT32), ATOM
        text, strength = value
        return f"({self.value_type(dtype)}){text if strength >= UNARY else f'({text})'}", UNARY

    def visit_floor_div(self, node: e.FloorDiv) -> Text:
        if node.dtype.is_float:
            return self.function("floor", node.dtype, (e.Div(node.a, node.b),))
        divisor = node.b
        if node.dtype.code == "uint":
            return self.visit(e.Div(node.a, divisor))
        if isinstance(divisor, IntImm) and divisor.value > 0 and divisor.value & (divisor.value - 1) == 0:
            return f"{self.text(node.a, UNARY)} >> {divisor.value.bit_length() - 1}", SHIFT
        return self.dialect.division("floordiv", node.dtype, self.text(node.a), self.text(divisor)), ATOM

    def visit_floor_mod(self, node: e.FloorMod) -> Text:
        if node.dtype.is_float:
            floor = operators.unary("floor", e.Div(node.a, node.b))
            return self.visit(e.Sub(node.a, e.Mul(floor, node.b)))
        divisor = node.b
        if node.dtype.code == "uint":
            return self.visit(e.Mod(node.a, divisor))
        if isinstance(divisor, IntImm) and divisor.value > 0 and divisor.value & (divisor.value - 1) == 0:
            mask = IntImm(divisor.dtype, divisor.value - 1)
            return f"{self.text(node.a, UNARY)} & {self.text(mask, UNARY)}", BIT_AND
        return self.dialect.division("floormod", node.dtype, self.text(node.a), self.text(divisor)), ATOM

    def visit_min(self, node: e.Min) -> Text:
        return self.function("min", node.dtype, (node.a, node.b))

    def visit_max(self, node: e.Max) -> Text:
        return self.function("max", node.dtype, (node.a, node.b))

    def visit_cmp_op(self, node: e.CmpOp) -> Text:
        sign, strength = _COMPARISONS[type(node)]
        # Both operands in parentheses where they compare or combine bits themselves: compilers warn otherwise.
        return self.text(node.a, SHIFT) + sign + self.text(node.b, SHIFT), strength

    def visit_and(self, node: e.And) -> Text:
        return self._logical(node, " && ", AND, node.b, operators.const(0, BOOL))

    def visit_or(self, node: e.Or) -> Text:
        return self._logical(node, " || ", OR, operators.const(1, BOOL), node.b)

    def _logical(self, node: e.BinaryOp, sign: str, strength: int, yes: Expr, no: Expr) -> Text:
        left, own = self.visit(node.a)
        lines, (right, right_own) = self.branch(node.b)
        if lines:
            return self.choose(self.value_type(BOOL), (left, own), yes, no)
        left = left if own == strength or own > AND else f"({left})"
        right = right if right_own > AND else f"({right})"
        return left + sign + right, strength

    def visit_not(self, node: e.Not) -> Text:
        return f"!{self.text(node.a, UNARY)}", UNARY

    def visit_select(self, node: e.Select) -> Text:
        condition = self.text(node.condition, CONDITION + 1)
        yes, no = self.text(node.true_value, CONDITION + 1), self.text(node.false_value, CONDITION)
        return f"{condition} ? {yes} : {no}", CONDITION

    def visit_cast(self, node: e.Cast) -> Text:
        target, source = node.dtype, node.value.dtype
        if target is source:
            return self.visit(node.value)
        if target in NARROW_FLOATS:
            wide = "float64" if source == "float64" else FLOAT32
            value = self.text(node.value) if source.is_float else f"(float){self.text(node.value, UNARY)}"
            return self.dialect.round_to(target, value, wide), ATOM
        if target is FLOAT32 and source in NARROW_FLOATS:
            return self.visit(node.value)
        if target is BOOL:
            return f"{self.text(node.value, SHIFT)} != 0", EQUAL
        return f"({self.value_type(target)}){self.text(node.value, UNARY)}", UNARY

    def visit_let(self, node: e.Let) -> Text:
        key = (node.var, "let")  # once in each branch of each statement
        if key not in self.memo:
            self.bind(node.var, node.value)
            self.memo[key] = (self.vars[node.var], ATOM)
        return self.visit(node.body)

    def bind(self, var: Var, value: Expr) -> None:
        """Declare a scalar variable with its value."""
        text = self.text(value)
        self._data[var] = self.is_data(value)
        self.vars[var] = self.constant(var.dtype, text, var.name)

    def function(self, name: str, dtype: DType, args: tuple[Expr, ...]) -> Text:
        """A mathematical function of operands of one type."""
        kind = args[0].dtype.element
        texts = [self.text(arg) for arg in args]
        write = self.dialect.math
        if name in _LONG_FUNCTIONS and self.copies >= MANY_COPIES:
            write = self.dialect.math_once
        if kind not in NARROW_FLOATS:
            return write(name, kind, texts), ATOM
        value = write(name, FLOAT32, texts)
        if name in _EXACT_FUNCTIONS or not dtype.is_float:
            return value, ATOM
        return self.dialect.round_to(dtype, value, FLOAT32), ATOM

    def unsupported(self, operation: str, missing: str) -> Refusal:
        """The error for something that the target cannot do."""
        return Refusal(operation, missing)

    # -- memory -----------------------------------------------------------------------------------------------

    def visit_buffer_load(self, node: e.BufferLoad) -> Text:
        place = self.read(node.buffer, node.indices)
        if node.dtype in NARROW_FLOATS:
            return self.dialect.promote(node.dtype, place), ATOM
        return place, ATOM

    def read(self, buffer: Buffer, indices: tuple[Expr, ...]) -> str:
        """The value of one element, in storage form."""
        place = self.element(buffer, indices)
        memory = self.storage(buffer)
        if not self.cache_hint or memory.space != "global":
            return place
        kind = buffer.dtype.element
        return self.dialect.load_hinted(self.cache_hint, kind, 1, "&" + place, memory.readonly) or place

    def element(self, buffer: Buffer, indices: tuple[Expr, ...]) -> str:
        """The place of one element."""
        if len(indices) != 1:
            raise unlowered(f"buffer {buffer.name} has {len(indices)} dimensions", "flatten_storage has to run first")
        memory = self.storage(buffer)
        if memory.single and memory.element is buffer.dtype:
            return memory.name
        return f"{self.base(buffer)}[{self.index(indices[0])}]"

    def base(self, buffer: Buffer) -> str:
        """A pointer to elements of the buffer's type."""
        memory = self.storage(buffer)
        element = buffer.dtype.element
        start = f"&{memory.name}" if memory.single else memory.name
        if element is memory.element:
            return start
        return f"(({self.dialect.pointer_type(memory.space, element, memory.readonly)}){start})"

    def storage(self, buffer: Buffer) -> Memory:
        """What the buffer's pointer is in this kernel."""
        memory = self.memory.get(buffer.data)
        if memory is None:
            raise LowerError(
                f"buffer {buffer.name} is used, but neither a parameter nor allocated", code="GC374", hint=_HAS_VALUE
            )
        return memory


_ARITHMETIC: Final[Mapping[type, tuple[str, int]]] = {
    e.Add: (" + ", PLUS),
    e.Sub: (" - ", PLUS),
    e.Mul: (" * ", MULTIPLY),
    e.Div: (" / ", MULTIPLY),
    e.Mod: (" % ", MULTIPLY),
}
_WRAPPING: Final = frozenset({e.Add, e.Sub, e.Mul})
_FROM_MEMORY: Final = frozenset({e.BufferLoad, e.Shuffle})
_COMPARISONS: Final[Mapping[type, tuple[str, int]]] = {
    e.EQ: (" == ", EQUAL),
    e.NE: (" != ", EQUAL),
    e.LT: (" < ", ORDER),
    e.LE: (" <= ", ORDER),
    e.GT: (" > ", ORDER),
    e.GE: (" >= ", ORDER),
}
