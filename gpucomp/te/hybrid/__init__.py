"""Hybrid scripts: Python functions over elements that run in Python and compile to operations.

>>> import numpy as np
>>> from gpucomp import te
>>> @te.hybrid.script
... def prefix_sums(a):
...     b = output_tensor(a.shape, "float32")
...     for i in range(a.shape[0]):
...         total = float32(0)
...         for j in range(a.shape[1]):
...             total += a[i, j]
...             b[i, j] = total
...     return b
>>> prefix_sums(np.ones((1, 3), "float32"))
array([[1., 2., 3.]], dtype=float32)
>>> A = te.placeholder((4, 8), name="A")
>>> prefix_sums(A)
Tensor(shape=[4, 8], dtype=float32, name=prefix_sums)
"""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any  # Any: arguments and results of the user's functions

import numpy as np

from gpucomp.support.diagnostics import TensorError, caller_span
from gpucomp.te.api import current_tag
from gpucomp.te.hybrid.numpy_side import python_function
from gpucomp.te.hybrid.op import HybridOp
from gpucomp.te.hybrid.parser import ScriptParser
from gpucomp.te.hybrid.reach import check_reach
from gpucomp.te.hybrid.values import Source
from gpucomp.te.lower import lower_schedule
from gpucomp.te.state import Schedule
from gpucomp.te.tensor import Tensor
from gpucomp.tir import operators
from gpucomp.tir.expr import ExprOp, Var
from gpucomp.tir.functor import substitute
from gpucomp.tir.interp import interpret

__all__ = ["HybridModule", "HybridOp", "build", "script"]


def script(pyfunc: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: a function that runs on numpy arrays as it stands, and on tensors makes an operation.

    Words: loops over ``range``, ``parallel``, ``vectorize``, ``unroll`` (end or begin, end), ``const_range`` (unrolled
    while the script is read), ``grid(n, m)`` and ``bind("threadIdx.x", n)``; ``output_tensor(shape, dtype)``,
    ``allocate(shape, dtype, scope)``; ``if``, ``x if c else y``, assignments, ``len``, ``min``, ``max``, casts
    (``float32(x)``) and mathematical functions.  Other names are those that the function sees; numbers among them
    are constants.

    Returns:
        The function.  Called with tensors it gives a tensor, or a list of several.

    Raises:
        TensorError: when called with tensors: GC233 something that cannot be compiled, GC224 an access that is past the
            ends of a tensor whenever the script runs, at its line.
    """
    if not isinstance(pyfunc, FunctionType):
        raise TensorError("te.hybrid.script decorates a function", code="GC233", where=caller_span())
    function: FunctionType = pyfunc
    in_python = python_function(function)

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        if any([_is_symbolic(a) for a in args]):
            return _operation(function, args)
        return in_python(*args)

    return call


def _is_symbolic(arg: object) -> bool:
    if isinstance(arg, (list, tuple)):
        return any([_is_symbolic(a) for a in arg])
    return isinstance(arg, (Tensor, ExprOp))


def _operation(function: FunctionType, args: Sequence[Any]) -> Any:
    span = caller_span()
    tree, source = _syntax(function)
    outer = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
    parser = ScriptParser(source, outer)
    with operators.tracing():
        body = parser.parse(tree, args)
    check_reach(body)
    inputs = tuple(parser.inputs)
    op = HybridOp(
        function.__name__, current_tag(), None, inputs, tuple(parser.inputs.values()), parser.outputs,
        tuple([b.shape for b in parser.outputs]), body, span, tuple(parser.axes), parser.kinds,
    )  # fmt: skip
    return op.output(0) if op.num_outputs == 1 else list(op.outputs)


def _syntax(function: FunctionType) -> tuple[ast.FunctionDef, Source]:
    try:
        lines, first = inspect.getsourcelines(function)
    except OSError:
        raise TensorError(
            f"the source of {function.__name__} cannot be read",
            code="GC233",
            where=caller_span(),
            hint="define it in a file: hybrid scripts are read from their text",
        ) from None
    text = "".join(lines)
    indent = len(lines[0]) - len(lines[0].lstrip())
    file = inspect.getsourcefile(function) or function.__code__.co_filename
    [tree] = ast.parse(textwrap.dedent(text)).body
    source = Source(file, first, indent, function.__name__)
    if not isinstance(tree, ast.FunctionDef):
        raise source.error(tree, "this is no function", "def f(a): ...")
    return tree, source


class HybridModule:
    """A lowered schedule that runs in the interpreter.

    Attributes:
        name: of the function.
    """

    def __init__(self, func: Any, outputs: Sequence[Tensor]) -> None:
        self._func = func
        self._outputs = list(outputs)
        self.name = str(func.name)

    def get_source(self, fmt: str = "") -> str:
        """The function as Python-like text."""
        return self._func.script()

    def __call__(self, *args: Any) -> Any:
        """Run on numpy arrays and numbers, given in the order of ``inputs``; gives the outputs."""
        known: dict[Var, Any] = {}
        for param, arg in zip(self._func.params, args, strict=False):
            buffer = self._func.buffer_map.get(param)
            pairs: Any = [(param, arg)] if buffer is None else zip(buffer.shape, np.shape(arg), strict=False)
            known.update({x: operators.const(int(n), x.dtype) for x, n in pairs if isinstance(x, Var)})
        made = [np.empty([int(substitute(x, known)) for x in t.shape], t.dtype.numpy) for t in self._outputs]
        interpret(self._func, [*[np.asarray(a) for a in args], *made], races=False)
        return made[0] if len(made) == 1 else made


def build(sch: Schedule, inputs: Sequence[Any], outputs: Sequence[Tensor], name: str = "hybrid_func") -> HybridModule:
    """Lower a schedule to a function that runs in the interpreter, on numpy arrays.

    Args:
        sch: the schedule.
        inputs: tensors and variables that are given to a call.
        outputs: tensors that it returns.
        name: of the function.
    """
    return HybridModule(lower_schedule(sch, [*inputs, *outputs], name), outputs)
