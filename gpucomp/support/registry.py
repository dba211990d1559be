"""Global functions by name: how generated host code and users' extensions find Python callables."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import FunctionType
from typing import Literal, TypeAlias, TypeVar, overload

from gpucomp.support.diagnostics import GpucompError, caller_span, did_you_mean
from gpucomp.support.expect import expect, mismatch

GlobalFunction: TypeAlias = Callable[..., object]
_F = TypeVar("_F", bound=GlobalFunction)

_functions: dict[str, GlobalFunction] = {}
_lock = threading.Lock()


@overload
def register_func(func_name: str, f: _F, override: bool = False) -> _F: ...
@overload
def register_func(func_name: str, f: None = None, override: bool = False) -> Callable[[_F], _F]: ...
@overload
def register_func(func_name: _F) -> _F: ...
def register_func(
    func_name: str | GlobalFunction, f: GlobalFunction | None = None, override: bool = False
) -> GlobalFunction:
    """Register a function under a global name; also a decorator, with or without a name.

    Args:
        func_name: the name; a bare function (``@register_func``) registers under its own name.
        f: the function; None returns a decorator.
        override: replace an earlier function of that name.

    Raises:
        GpucompError: GC002 the name is taken and ``override`` is False.
        TypeMismatchError: GC252 what is registered cannot be called.
    """
    if not isinstance(func_name, str):
        if not callable(func_name):
            raise mismatch("register_func", (str, FunctionType), func_name, 'register_func("name", f), or a decorator')
        return _register(getattr(func_name, "__name__", repr(func_name)), func_name, override)
    if f is not None:
        return _register(func_name, f, override)
    name = func_name

    def decorate(function: GlobalFunction) -> GlobalFunction:
        return _register(name, function, override)

    return decorate


def _register(name: str, function: GlobalFunction, override: bool) -> GlobalFunction:
    if not callable(function):
        raise mismatch(f"register_func({name!r})", FunctionType, function, "a function, or another callable")
    with _lock:
        if name in _functions and not override:
            raise GpucompError(
                f"a global function {name!r} is registered already",
                code="GC002",
                where=caller_span(),
                hint=f"register_func({name!r}, f, override=True) replaces it",
            )
        _functions[name] = function
    return function


@overload
def get_global_func(name: str, allow_missing: Literal[False] = False) -> GlobalFunction: ...
@overload
def get_global_func(name: str, allow_missing: bool) -> GlobalFunction | None: ...
def get_global_func(name: str, allow_missing: bool = False) -> GlobalFunction | None:
    """The function registered as ``name``.

    Args:
        name: the global name.
        allow_missing: return None rather than raise when there is none.

    Raises:
        GpucompError: there is no such function and ``allow_missing`` is False.
    """
    expect(name, str, "get_global_func", "the name under which register_func registered it")
    found = _functions.get(name)
    if found is None and not allow_missing:
        raise GpucompError(
            f"there is no global function {name!r}",
            code="GC003",
            where=caller_span(),
            hint=did_you_mean(name, _functions) or f"register it: register_func({name!r}, f)",
        )
    return found


def list_global_func_names() -> list[str]:
    """All registered names, sorted."""
    return sorted(_functions)


def remove_global_func(name: str) -> None:
    """Forget a function; no error when there is none."""
    with _lock:
        _functions.pop(name, None)
