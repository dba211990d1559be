"""What is public is documented: what it does, and which errors it raises."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
import textwrap
from collections.abc import Iterator

import pytest

PUBLIC = ("gpucomp", "gpucomp.te", "gpucomp.topi", "gpucomp.topi.nn", "gpucomp.tir", "gpucomp.testing", "gpucomp.nd")


def public(name: str) -> Iterator[tuple[str, object, str]]:
    """Qualified name, object, and documentation around it, of the functions and methods that a module exports."""
    module = importlib.import_module("gpucomp.runtime.ndarray" if name == "gpucomp.nd" else name)
    exported = getattr(module, "__all__", [x for x in vars(module) if not x.startswith("_")])
    for short in exported:
        item = getattr(module, short)
        home = sys.modules.get(getattr(item, "__module__", ""), module)
        around = home.__doc__ or ""
        if inspect.isfunction(item):
            yield f"{name}.{short}", item, around
        if inspect.isclass(item) and item.__module__.startswith("gpucomp"):
            for method, function in vars(item).items():
                if inspect.isfunction(function) and (not method.startswith("_") or method == "__call__"):
                    yield f"{name}.{short}.{method}", function, around + (item.__doc__ or "")


def raises(function: object) -> bool:
    """Whether the body of a function makes an error and raises it."""
    assert inspect.isfunction(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    found = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc is not None]
    return any([not ast.unparse(x).startswith("NotImplementedError") for x in found])


@pytest.mark.parametrize("module", PUBLIC)
def test_a_public_function_says_what_it_does_and_what_it_raises(module: str) -> None:
    silent: list[str] = []
    for name, item, around in public(module):
        text = inspect.getdoc(item) or ""
        if not text:
            silent.append(f"{name}: no docstring")
        elif raises(item) and "Raises" not in text and "Raises" not in around:
            silent.append(f"{name}: no Raises")
    assert not silent, "\n".join(silent)
