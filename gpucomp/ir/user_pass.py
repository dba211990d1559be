"""Passes made of users' functions, under their standard public names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias  # Any: functions and modules of the layers above

from gpucomp.ir.module import IRModule
from gpucomp.ir.transform import Pass, PassContext
from gpucomp.support.diagnostics import LowerError, TypeMismatchError, caller_span

Unit: TypeAlias = Any  # a function, or a module of them
FunctionPass = Callable[[Unit, IRModule, PassContext], Unit]
ModulePass = Callable[[IRModule, PassContext], IRModule]


def function_pass(name: str, function: Callable[[Unit, IRModule], Unit], opt_level: int = 0) -> Pass[Unit]:
    """A pass that takes a module, whose functions it rewrites one by one, or one function.

    Args:
        name: of the pass.
        function: gets a function and the module that it is in, and gives what takes its place.
        opt_level: see :class:`~gpucomp.ir.transform.Pass`.
    """

    def run(unit: Unit) -> Unit:
        if not isinstance(unit, IRModule):
            if not hasattr(unit, "with_body"):  # functions are of a layer above
                given = f"an IRModule, or one function, got a {type(unit).__name__}"
                hint = "mod = gpucomp.lower(s, [A, C])"
                raise TypeMismatchError(f"pass {name} takes {given}", code="GC252", where=caller_span(), hint=hint)
            return function(unit, IRModule({unit.name: unit}))
        made = {key: function(value, unit) for key, value in unit.functions.items()}
        same = all([made[key] is value for key, value in unit.functions.items()])
        return unit if same else unit.replace(functions=made)

    return Pass(name, run, opt_level=opt_level)


def prim_func_pass(
    pass_func: FunctionPass | None = None,
    opt_level: int | None = None,
    name: str | None = None,
    required: Sequence[str] | None = None,
    traceable: bool = False,
) -> Unit:
    """Make a pass of a function over PrimFuncs; also as a decorator, with or without arguments.

    Args:
        pass_func: ``pass_func(func, mod, ctx)`` gives what takes the place of ``func``, or ``func``.
        opt_level: the level from which a pipeline runs it; 0 when not given.
        name: of the pass; that of the function when not given.
        required: accepted for compatibility; order is the user's.
        traceable: accepted for compatibility.

    Returns:
        A :class:`~gpucomp.ir.transform.Pass`: called with a module or a function it gives another one, and
        ``PassContext(config={"tir.add_lower_pass": [(phase, it)]})`` runs it while lowering.

    Raises:
        LowerError: GC306 ``pass_func`` is no function.
    """

    def make(function: FunctionPass) -> Pass[Unit]:
        title = name or _title(function, "prim_func_pass")
        return function_pass(title, lambda f, mod: function(f, mod, PassContext.current()), opt_level or 0)

    return make if pass_func is None else make(pass_func)


def module_pass(
    pass_func: ModulePass | None = None,
    opt_level: int | None = None,
    name: str | None = None,
    required: Sequence[str] | None = None,
    traceable: bool = False,
) -> Unit:
    """Make a pass of a function over modules; also as a decorator.

    Args:
        pass_func: ``pass_func(mod, ctx)`` gives another module, or ``mod``.
        opt_level: see :func:`prim_func_pass`.
        name: see :func:`prim_func_pass`.
        required: accepted for compatibility.
        traceable: accepted for compatibility.

    Returns:
        A :class:`~gpucomp.ir.transform.Pass`.

    Raises:
        LowerError: GC306 ``pass_func`` is no function.
    """

    def make(function: ModulePass) -> Pass[Unit]:
        title = name or _title(function, "module_pass")
        return Pass(title, lambda mod: function(mod, PassContext.current()), opt_level=opt_level or 0)

    return make if pass_func is None else make(pass_func)


def _title(function: object, maker: str) -> str:
    if not callable(function):
        raise LowerError(
            f"{maker}: cannot make a pass of a {type(function).__name__}",
            code="GC306",
            where=caller_span(),
            hint="a function of (func, mod, ctx)" if maker == "prim_func_pass" else "a function of (mod, ctx)",
        )
    return str(getattr(function, "__name__", type(function).__name__))
