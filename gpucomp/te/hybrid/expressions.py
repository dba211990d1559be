"""Expressions of hybrid scripts."""

from __future__ import annotations

import ast
import builtins
import inspect
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final  # Any: see values.py

from gpucomp.support.diagnostics import GpucompError
from gpucomp.te.hybrid.numpy_side import DTYPES, KNOWN_FUNCTIONS, LOOPS, WORDS
from gpucomp.te.hybrid.values import Array, Scalar, Source, as_expr, is_symbolic
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import BufferLoad, Expr

_PYTHON: Final[dict[type, Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow, ast.LShift: operator.lshift,
    ast.RShift: operator.rshift, ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not, ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
_COMPARE: Final[dict[type, type[e.CmpOp]]] = {
    ast.Eq: e.EQ, ast.NotEq: e.NE, ast.Lt: e.LT, ast.LtE: e.LE, ast.Gt: e.GT, ast.GtE: e.GE
}  # fmt: skip
_UNARY: Final[dict[type, Callable[[Any], Any]]] = {
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: operator.invert, ast.Not: operator.not_
}  # fmt: skip
_INTRINSICS: Final = frozenset({*WORDS, "max", "min", "len"}) - {*LOOPS, "const_range", "bind", "grid"}


class ExpressionReader:
    """Evaluates expressions: what is known becomes Python values, the rest expressions."""

    def __init__(self, source: Source, outer: Mapping[str, Any]) -> None:
        self.source = source
        self.outer = outer
        self.scopes: list[dict[str, Any]] = [{}]
        self.local_names: frozenset[str] = frozenset()
        self.ended: dict[str, int] = {}
        self.placed: GpucompError | None = None

    def place(self, error: GpucompError, node: ast.AST) -> None:
        """Let an error of the layers below point at the innermost node that caused it."""
        if error is not self.placed and error.code != "GC233":
            error.where = self.source.span(node)
        self.placed = error

    def read(self, node: ast.expr) -> Any:
        """The value of an expression; a scalar variable or an element is loaded."""
        value = self.evaluate(node)
        if isinstance(value, Scalar):
            return value.load()
        if isinstance(value, Array) and value.indices and len(value.indices) == len(value.buffer.shape):
            return BufferLoad(value.buffer, value.indices)
        return value

    def number(self, node: ast.expr) -> Any:
        """As :meth:`read`, for values that are numbers."""
        value = self.read(node)
        if isinstance(value, Array):
            missing = len(value.buffer.shape) - len(value.indices)
            raise self.source.error(node, f"{value.buffer.name} lacks {missing} of its indices here")
        if not is_symbolic(value) and not isinstance(value, (int, float)):
            raise self.source.error(node, f"a number is needed here, not a {type(value).__name__}")
        return value

    def evaluate(self, node: ast.expr) -> Any:
        """The value of an expression, variables and elements as places."""
        method = getattr(self, f"visit_{type(node).__name__}", None)
        if method is None:
            text = ast.unparse(node)
            raise self.source.error(node, f"{text!r} ({type(node).__name__}) cannot be compiled")
        try:
            return method(node)
        except GpucompError as error:
            self.place(error, node)
            raise

    # -- names and constants ------------------------------------------------------------------------------------------

    def visit_Constant(self, node: ast.Constant) -> Any:
        return node.value

    def visit_Name(self, node: ast.Name) -> Any:
        name = node.id
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        if name in self.ended:
            raise self.source.error(
                node,
                f"{name!r} ended with its block (it was assigned in line {self.ended[name]})",
                f"assign {name} before the loop or branch",
            )
        if name in self.local_names:
            raise self.source.error(node, f"{name!r} is read before it is assigned")
        if name in self.outer:
            return self.outer[name]
        if name in _INTRINSICS or hasattr(builtins, name):
            return getattr(builtins, name, name) if name not in WORDS else name
        raise self.source.error(node, f"{name!r} is not defined")

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        value = self.evaluate(node.value)
        if isinstance(value, Array):
            if node.attr in ("shape", "dtype", "ndim"):
                return {"shape": value.shape, "dtype": str(value.buffer.dtype), "ndim": len(value.shape)}[node.attr]
            raise self.source.error(node, f"arrays have shape, dtype and ndim here, not {node.attr!r}")
        if is_symbolic(value) or isinstance(value, Scalar):
            raise self.source.error(node, f"a number has no {node.attr!r} here")
        if not hasattr(value, node.attr):
            raise self.source.error(node, f"{ast.unparse(node.value)} has no {node.attr!r}")
        return getattr(value, node.attr)

    def visit_Tuple(self, node: ast.Tuple) -> Any:
        return tuple([self.read(x) for x in node.elts])

    def visit_List(self, node: ast.List) -> Any:
        return [self.read(x) for x in node.elts]

    # -- elements -----------------------------------------------------------------------------------------------------

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        base = self.evaluate(node.value)
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if any([isinstance(x, ast.Slice) for x in items]):
            raise self.source.error(node, "slices cannot be compiled", "write a loop over the elements")
        if isinstance(base, (tuple, list, dict, str)):
            index = self.read(node.slice)
            if is_symbolic(index):
                raise self.source.error(node, f"{ast.unparse(node.value)} needs an index that is known here")
            try:
                return base[index]
            except (IndexError, KeyError) as error:
                raise self.source.error(node, f"{ast.unparse(node)}: {error}") from None
        if not isinstance(base, Array):
            raise self.source.error(node, f"{ast.unparse(node.value)} is no array")
        indices = [self._index(x) for x in items]
        have, ndim = len(base.indices) + len(indices), len(base.buffer.shape)
        if have > ndim:
            raise self.source.error(node, f"{base.buffer.name} has {ndim} dimensions, but is indexed with {have}")
        for position, (index, extent) in enumerate(zip(indices, base.buffer.shape[len(base.indices) :], strict=False)):
            if not (isinstance(index, e.IntImm) and isinstance(extent, e.IntImm)):
                continue
            if not 0 <= index.value < extent.value:
                raise self.source.error(
                    node, f"index {index} is outside of dimension {position} of {base.buffer.name}, of extent {extent}"
                )
        return Array(base.buffer, (*base.indices, *indices), base.writable)

    def _index(self, node: ast.expr) -> Expr:
        index = as_expr(self.number(node))
        if not index.dtype.is_int:
            raise self.source.error(node, f"an index of type {index.dtype}", "int32(...) makes an integer of it")
        return index

    # -- operators ----------------------------------------------------------------------------------------------------

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        return self.binary(node, type(node.op), self.number(node.left), self.number(node.right))

    def binary(self, node: ast.AST, kind: type, a: Any, b: Any) -> Any:
        """``a kind b``"""
        if not is_symbolic(a) and not is_symbolic(b):
            try:
                return _PYTHON[kind](a, b)
            except ArithmeticError as error:
                raise self.source.error(node, str(error)) from None
        if kind is ast.Div and not (_is_float(a) or _is_float(b)):
            raise self.source.error(node, "a quotient of integers", "// rounds down; float32(a) / b is exact division")
        if kind is ast.Pow:
            return operators.power(a, b)
        x, y = operators.match_types(a, b)
        return _PYTHON[kind](x, y)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        value = self.number(node.operand)
        if isinstance(node.op, ast.Not) and is_symbolic(value):
            return operators.logical_not(self.condition(node.operand))
        return _UNARY[type(node.op)](value)

    def visit_Compare(self, node: ast.Compare) -> Any:
        result: Any = True
        left = self.read(node.left)
        for op, item in zip(node.ops, node.comparators, strict=True):
            right = self.read(item)
            if is_symbolic(left) or is_symbolic(right):
                if type(op) not in _COMPARE:
                    raise self.source.error(node, f"{ast.unparse(node)!r} cannot be compiled")
                one: Any = operators.compare(_COMPARE[type(op)], left, right)
            else:
                one = _PYTHON[type(op)](left, right)
            result = self.both(e.And, result, one)
            left = right
        return result

    def both(self, kind: type[e.And] | type[e.Or], a: Any, b: Any) -> Any:
        """``a and b``, or ``a or b``, where either may be known."""
        for known, other in ((a, b), (b, a)):
            if not is_symbolic(known):
                return other if bool(known) is (kind is e.And) else bool(known)
        return operators.logical(kind, a, b)

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        for item in node.values:
            value = self.read(item)
            if not (isinstance(value, bool) or (is_symbolic(value) and as_expr(value).dtype.is_bool)):
                raise self.source.error(
                    item, f"{ast.unparse(item)!r} is no truth value: 'and' and 'or' of numbers give a number in Python",
                    f"compare it: {ast.unparse(item)} != 0",
                )  # fmt: skip
        return self._logical(node)

    def _logical(self, node: ast.BoolOp) -> Any:
        kind = e.And if isinstance(node.op, ast.And) else e.Or
        result: Any = kind is e.And
        for item in node.values:
            if not is_symbolic(result) and bool(result) is (kind is e.Or):
                return result  # as Python, which does not look at the rest
            result = self.both(kind, result, self.condition(item))
        return result

    def condition(self, node: ast.expr) -> Any:
        """A truth value: a bool, or an expression of type bool."""
        value = self._logical(node) if isinstance(node, ast.BoolOp) else self.read(node)
        if not is_symbolic(value):
            return bool(value)
        test = as_expr(value)
        return test if test.dtype.is_bool else operators.compare(e.NE, test, operators.const(0, test.dtype))

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        test = self.condition(node.test)
        if not is_symbolic(test):
            return self.read(node.body if test else node.orelse)
        return intrin.if_then_else(test, self.number(node.body), self.number(node.orelse))

    # -- calls --------------------------------------------------------------------------------------------------------

    def visit_Call(self, node: ast.Call) -> Any:
        function = self.evaluate(node.func)
        if node.keywords:
            raise self.source.error(node, f"keyword arguments of {ast.unparse(node.func)}", "pass them by position")
        args = [self.read(x) for x in node.args]
        name = function if isinstance(function, str) else _known(function)
        if name == "len" and len(args) == 1:
            return args[0].shape[0] if isinstance(args[0], Array) else len(args[0])
        for item, arg in zip(node.args, args, strict=True):
            if isinstance(arg, Array):
                raise self.source.error(item, f"{ast.unparse(node.func)} of a whole array", "pass an element of it")
        if name is None:
            return self._python(node, function, args)
        if name in ("max", "min") and args:
            fold = operators.maximum if name == "max" else operators.minimum
            if not any([is_symbolic(a) for a in args]):
                return max(*args) if name == "max" else min(*args)
            result: Any = args[0]
            for arg in args[1:]:
                result = fold(result, arg)
            return result
        if name in DTYPES and len(args) == 1:
            return operators.cast(name, as_expr(args[0], None))
        if not hasattr(intrin, name):
            raise self.source.error(node, f"{name!r} has no meaning in an expression")
        return self._intrinsic(node, name, args)

    def _intrinsic(self, node: ast.Call, name: str, args: list[Any]) -> Any:
        function = getattr(intrin, name)
        wanted = [p for p in inspect.signature(function).parameters if p != "span"]
        if len(wanted) != len(args):
            raise self.source.error(node, f"{name} takes {len(wanted)} arguments, got {len(args)}")
        return function(*args)

    def _python(self, node: ast.Call, function: Any, args: list[Any]) -> Any:
        """A function of the user's or of the compiler: called now."""
        module = str(getattr(function, "__module__", ""))
        if not callable(function) or (any([is_symbolic(a) for a in args]) and not module.startswith("gpucomp.")):
            raise self.source.error(
                node,
                f"{ast.unparse(node.func)} is no function that can be compiled",
                "functions of gpucomp.te and gpucomp.tir, and the mathematical ones of math and numpy",
            )
        return function(*args)


def _known(function: Any) -> str | None:
    try:
        return KNOWN_FUNCTIONS.get(function)
    except TypeError:  # not hashable
        return None


def _is_float(value: Any) -> bool:
    return isinstance(value, float) or (is_symbolic(value) and as_expr(value).dtype.is_float)
