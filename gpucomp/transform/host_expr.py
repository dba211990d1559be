"""From TIR to the host side: expressions as plain data, parameters, names.

Host arithmetic is exact, so only what cannot depend on wrapping is converted: integer and boolean expressions
over shape variables and scalar parameters, as grids, sizes and conditions are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from gpucomp.support.diagnostics import LowerError
from gpucomp.support.hostexpr import HostExpr
from gpucomp.support.launch import BufferParam, LetStep, Param, ScalarParam
from gpucomp.tir import expr as e
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import ordered_vars
from gpucomp.tir.intrin import Op

_BINARY: Final[Mapping[type, str]] = {
    e.Add: "add",
    e.Sub: "sub",
    e.Mul: "mul",
    e.FloorDiv: "floordiv",
    e.FloorMod: "floormod",
    e.Min: "min",
    e.Max: "max",
    e.EQ: "eq",
    e.NE: "ne",
    e.LT: "lt",
    e.LE: "le",
    e.GT: "gt",
    e.GE: "ge",
    e.And: "and",
    e.Or: "or",
}

_KNOWN: Final = "the host knows numbers, arguments and extents of arrays; what is in memory is for kernels"


class HostNames:
    """Names of variables and buffers on the host: as the user wrote them, made distinct."""

    def __init__(self) -> None:
        self._names: dict[Var, str] = {}
        self._used: dict[str, None] = {}

    def __call__(self, var: Var) -> str:
        """The name of a variable that was declared.

        Raises:
            LowerError: it was not; the host knows parameters, shape variables and host loops only.
        """
        name = self._names.get(var)
        if name is None:
            raise LowerError(f"variable {var.name!r} has no value on the host", code="GC375", hint=_KNOWN)
        return name

    def __contains__(self, var: Var) -> bool:
        return var in self._names

    @property
    def declared(self) -> tuple[Var, ...]:
        """Everything that has a name, in order."""
        return tuple(self._names)

    def declare(self, var: Var, wish: str = "") -> str:
        """Name a variable; naming it again returns the same name."""
        name = self._names.get(var)
        if name is None:
            name = self._names[var] = self.fresh(wish or var.name)
        return name

    def fresh(self, wish: str) -> str:
        """A name that was not given before."""
        name, count = wish, 1
        while name in self._used:
            name, count = f"{wish}_{count}", count + 1
        self._used[name] = None
        return name


def host_expr(node: Expr, names: Callable[[Var], str]) -> HostExpr:
    """Convert an expression.

    Args:
        node: integer, boolean or float arithmetic over scalar variables.
        names: the host's name of a variable.

    Raises:
        LowerError: it reads memory or calls something that the host cannot evaluate.
    """
    memo: dict[Expr, HostExpr] = {}

    def walk(item: Expr) -> HostExpr:
        done = memo.get(item)
        if done is None:
            done = memo[item] = convert(item)
        return done

    def convert(item: Expr) -> HostExpr:
        if isinstance(item, Var):
            return names(item)
        if isinstance(item, (e.IntImm, e.FloatImm)):
            return bool(item.value) if item.dtype.is_bool else item.value
        if isinstance(item, (e.Div, e.Mod)):
            name = "trunc" + type(item).__name__.lower() if item.dtype.is_int else "div"
            return (name, walk(item.a), walk(item.b))
        if isinstance(item, e.BinaryOp):
            return (_BINARY[type(item)], walk(item.a), walk(item.b))
        if isinstance(item, e.Not):
            return ("not", walk(item.a))
        if isinstance(item, e.Cast):
            return ("cast", str(item.dtype), walk(item.value))
        if isinstance(item, e.Select):
            return ("select", walk(item.condition), walk(item.true_value), walk(item.false_value))
        if isinstance(item, e.Call) and isinstance(item.op, Op):
            return call(item, item.op.name)
        raise LowerError(f"the host cannot evaluate {item}", code="GC375", hint=_KNOWN)

    def call(item: e.Call, name: str) -> HostExpr:
        args = item.args
        if name == "tir.likely":
            return walk(args[0])
        if name == "tir.if_then_else":
            return ("select", walk(args[0]), walk(args[1]), walk(args[2]))
        if name in ("tir.shift_left", "tir.shift_right") and isinstance(args[1], e.IntImm):
            return ("mul" if name == "tir.shift_left" else "floordiv", walk(args[0]), 1 << args[1].value)
        raise LowerError(f"the host cannot evaluate {item}", code="GC375", hint=_KNOWN)

    return walk(node)


Access = Literal["read", "write", "readwrite"]


def shape_vars(func: PrimFunc) -> list[Var]:
    """Variables that a call binds from shapes and strides, in the order in which they are met."""
    params: dict[Var, None] = dict.fromkeys(func.params)
    found: dict[Var, None] = {}
    for param in func.params:
        buffer = func.buffer_map.get(param)
        if buffer is not None:
            for var in ordered_vars(*buffer.shape, *buffer.strides):
                if var not in params:
                    found[var] = None
    return list(found)


def host_lets(func: PrimFunc) -> tuple[tuple[Var, Expr], ...]:
    """Variables that the host works out before anything else: the attribute ``host_lets``, (variable, value) pairs."""
    return tuple(func.attrs.get("host_lets", ()))


def let_steps(func: PrimFunc, names: HostNames) -> tuple[LetStep, ...]:
    """The steps that define :func:`host_lets`; declares their names."""
    steps: list[LetStep] = []
    for var, value in host_lets(func):
        steps.append(LetStep(names.declare(var), host_expr(value, names)))
    return tuple(steps)


def writes_whole_outputs(func: PrimFunc) -> bool:
    """Whether every element of what the function writes is written, as tensor expressions promise.

    A function built by hand may leave elements as they were, so the launcher must bring them along.
    """
    return bool(func.attrs.get("tir.writes_all", False))


def host_params(
    func: PrimFunc,
    names: HostNames,
    access: Mapping[Var, Access],
    alignment: Mapping[Var, int],
    outputs: Mapping[Var, None],
) -> tuple[Param, ...]:
    """The parameters of a host program; declares their names and those of shape variables.

    Args:
        func: with its buffer map.
        names: filled here.
        access: how each buffer's data is used; not named means read.
        alignment: in bytes, where more is needed than that of an element.
        outputs: parameters (by their buffer's data) that a call may leave out.

    Raises:
        LowerError: a pointer parameter without a buffer.
    """
    for param in func.params:
        buffer = func.buffer_map.get(param)
        names.declare(param if buffer is None else buffer.data, buffer.name if buffer else "")
    for var in shape_vars(func):
        names.declare(var)
    out: list[Param] = []
    for param in func.params:
        buffer = func.buffer_map.get(param)
        if buffer is not None:
            out.append(_buffer_param(buffer, names, access, alignment, outputs))
        elif param.dtype.is_handle:
            raise LowerError(
                f"parameter {param.name!r} of {func.name} is a pointer without a buffer",
                code="GC376",
                hint="pass a tensor or a buffer (tir.decl_buffer), whose extents are checked at a call",
            )
        else:
            least = func.attrs.get("tir.minimum", {}).get(param.name)
            out.append(ScalarParam(names(param), str(param.dtype), least))
    return tuple(out)


def _buffer_param(
    buffer: Buffer,
    names: HostNames,
    access: Mapping[Var, Access],
    alignment: Mapping[Var, int],
    outputs: Mapping[Var, None],
) -> BufferParam:
    element = buffer.dtype.element
    shape = tuple([host_expr(extent, names) for extent in buffer.shape])
    strides = tuple([host_expr(stride, names) for stride in buffer.strides]) if buffer.strides else None
    return BufferParam(
        names(buffer.data),
        str(buffer.dtype),
        shape,
        strides,
        max(alignment.get(buffer.data, 1), max(8, element.bits) // 8),
        access.get(buffer.data, "read"),
        buffer.data in outputs,
    )
