"""Compiles the rules of one root class into a matching function: attribute and type tests in generated code."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any, Final  # Any: the names that generated code uses

from gpucomp.arith.matchers import Matcher
from gpucomp.arith.rules import Rule
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import Expr, IntImm

_OPERATORS: Final[dict[type[ast.AST], str]] = {
    ast.Add: "Add",
    ast.Sub: "Sub",
    ast.Mult: "Mul",
    ast.FloorDiv: "FloorDiv",
    ast.Mod: "FloorMod",
    ast.Lt: "LT",
    ast.LtE: "LE",
    ast.Gt: "GT",
    ast.GtE: "GE",
    ast.Eq: "EQ",
    ast.NotEq: "NE",
    ast.And: "And",
    ast.Or: "Or",
}
_FUNCTIONS: Final = {"min": "Min", "max": "Max", "Div": "Div", "Mod": "Mod", "Select": "Select", "Not": "Not"}
_CALLS: Final = ("if_then_else", "likely", "shift_left", "shift_right", "bitwise_and", "bitwise_or", "bitwise_xor")
_COMMUTATIVE: Final = frozenset(
    {"Add", "Mul", "Min", "Max", "And", "Or", "EQ", "NE", "bitwise_and", "bitwise_or", "bitwise_xor"}
)
_FIELDS: Final = {"Select": ("condition", "true_value", "false_value"), "Not": ("a",)}
_PREDICATES: Final = {
    "positive": "self._bound({0})[0] > 0",
    "nonnegative": "self._bound({0})[0] >= 0",
    "nonzero": "(self._bound({0})[0] > 0 or self._bound({0})[1] < 0)",
    "total": "self._is_total({0})",
    "fits": "-_limit(dt) <= {0} < _limit(dt)",
}


class Pattern:
    """A parsed side of a rule: an operator with operands, a name, or a number."""

    __slots__ = ("args", "name", "op", "text")

    def __init__(self, op: str, args: tuple[Pattern, ...] = (), name: str = "", text: str = "") -> None:
        self.op = op
        self.args = args
        self.name = name
        self.text = text  # Python source, for parts that consist of literals only

    @property
    def is_literal(self) -> bool:
        """True if its value is computed while matching."""
        if self.op == "name":
            return self.name.startswith("c")
        return self.op == "number" or (bool(self.args) and all([a.is_literal for a in self.args]))


def parse(text: str) -> Pattern:
    """Parse one side of a rule."""
    return _parse(ast.parse(text, mode="eval").body)


def _parse(node: ast.expr) -> Pattern:
    text = ast.unparse(node)
    if isinstance(node, ast.Name):
        return Pattern("name", (), node.id, text)
    if isinstance(node, ast.Constant):
        return Pattern("number", (), "", text)
    if isinstance(node, ast.BinOp):
        return Pattern(_OPERATORS.get(type(node.op), "python"), (_parse(node.left), _parse(node.right)), "", text)
    if isinstance(node, ast.BoolOp):
        first, *rest = [_parse(v) for v in node.values]
        for item in rest:
            first = Pattern(_OPERATORS[type(node.op)], (first, item), "", text)
        return first
    if isinstance(node, ast.Compare):
        return Pattern(_OPERATORS[type(node.ops[0])], (_parse(node.left), _parse(node.comparators[0])), "", text)
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    name = node.func.id
    return Pattern(_FUNCTIONS.get(name, name), tuple([_parse(a) for a in node.args]), "", text)


def orders(pattern: Pattern) -> Iterable[Pattern]:
    """The pattern with the operands of commutative operators in every order."""
    if not pattern.args:
        yield pattern
        return
    choices: list[list[Pattern]] = [[]]
    for arg in pattern.args:
        choices = [[*done, variant] for done in choices for variant in orders(arg)]
    for args in choices:
        yield Pattern(pattern.op, tuple(args), pattern.name, pattern.text)
        if pattern.op in _COMMUTATIVE:
            yield Pattern(pattern.op, tuple(args[::-1]), pattern.name, pattern.text)


class _Tests:
    """Conditions, in order, under which an expression at a path matches a pattern."""

    def __init__(self) -> None:
        self.tests: list[str] = []
        self.names: dict[str, str] = {}

    def match(self, pattern: Pattern, path: str) -> None:
        if pattern.op == "name":
            self.match_name(pattern, path)
        elif pattern.op == "number":
            self.tests.append(f"type({path}) is IntImm and {path}.value == {pattern.text}")
        elif pattern.op in _CALLS:
            self.tests.append(f"type({path}) is Call and {path}.op is op_{pattern.op}")
            for i, arg in enumerate(pattern.args):
                self.match(arg, f"{path}.args[{i}]")
        else:
            if path != "n":
                self.tests.append(f"type({path}) is {pattern.op}")
            fields = _FIELDS.get(pattern.op, ("a", "b"))
            for field, arg in zip(fields, pattern.args, strict=True):
                self.match(arg, f"{path}.{field}")

    def match_name(self, pattern: Pattern, path: str) -> None:
        seen = self.names.get(pattern.name)
        if pattern.is_literal:
            self.tests.append(f"type({path}) is IntImm")
            self.tests.append(f"{path}.value == {seen}.value" if seen else "True")
        elif seen is not None:
            self.tests.append(f"{path} is {seen}")
        if seen is None:
            self.names[pattern.name] = path


def _value(pattern: Pattern) -> str:
    """Python source that builds the expression of a result."""
    if pattern.is_literal:
        return f"_literal(dt, {pattern.text})"
    if pattern.op == "name":
        return pattern.name
    args = ", ".join([_value(a) for a in pattern.args])
    return f"build_{pattern.op}({args})"


def _condition(text: str) -> str:
    """Python source of a rule's condition: predicates become questions to the analyzer."""

    class Predicates(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            assert isinstance(node.func, ast.Name)
            template = _PREDICATES[node.func.id]
            return ast.parse(template.format(ast.unparse(node.args[0])), mode="eval").body

    return ast.unparse(Predicates().visit(ast.parse(text, mode="eval")))


def _rule_source(rule: Rule, root: Pattern, tell: bool) -> list[str]:
    lines: list[str] = []
    result = parse(rule.result)
    seen: list[list[str]] = []
    for variant in orders(root):
        tests = _Tests()
        tests.match(variant, "n")
        conditions = [t for t in tests.tests if t != "True"]
        if conditions in seen:
            continue
        seen.append(conditions)
        lines.append(f"    if {' and '.join(conditions) or 'True'}:  # {rule.id}")
        for name, path in tests.names.items():
            lines.append(f"        {name} = {path}{'.value' if name.startswith('c') else ''}")
        built = f"return {f'{rule.id!r}, ' if tell else ''}{_value(result)}"
        lines.append(f"        if {_condition(rule.when)}: {built}" if rule.when else f"        {built}")
    return lines


def _literal(dtype: operators.DType, value: int | bool) -> Expr:
    return IntImm(operators.BOOL if isinstance(value, bool) else dtype, int(value))


def _limit(dtype: operators.DType) -> int:
    return 1 << (dtype.bits - (dtype.code == "int"))


def _environment() -> dict[str, Any]:
    env: dict[str, Any] = {"IntImm": IntImm, "Call": e.Call, "_literal": _literal, "_limit": _limit}
    for name in [*_OPERATORS.values(), *_FUNCTIONS.values()]:
        env[name] = env[f"build_{name}"] = getattr(e, name)
    for name in _CALLS:
        op = intrin.Op.get(f"tir.{name}")
        env[f"op_{name}"] = op
        env[f"build_{name}"] = _call_builder(op)
    return env


def _call_builder(op: intrin.Op) -> Callable[..., Expr]:
    def build(*args: Expr) -> Expr:
        return e.Call(args[-1].dtype, op, args)

    return build


def compile_root(name: str, rules: Iterable[Rule], tell: bool = False) -> Matcher:
    """The matcher of one root class: given the analyzer and a node it returns the replacement, or None.

    With ``tell`` it returns the id of the rule and the replacement.
    """
    lines: list[str] = []
    for rule in rules:
        lines += _rule_source(rule, parse(rule.pattern), tell)
    env = _environment()
    source = [f"def match_{name}(self, n):", "    dt = n.dtype", *lines, "    return None"]
    exec("\n".join(source), env)  # noqa: S102  # generated from the rule table only
    return env[f"match_{name}"]
