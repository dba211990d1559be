"""Every error of lowering has a code of its own, which is what users look up and tests compare."""

from __future__ import annotations

import ast

from tests.meta.source import parsed, place, python_files


def test_every_error_of_lowering_names_its_code() -> None:
    plain = [
        place(path, node.lineno)
        for path in python_files("gpucomp", "kernels")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "LowerError"
        and "code" not in [keyword.arg for keyword in node.keywords]
    ]
    assert not plain, "\n".join(plain)
