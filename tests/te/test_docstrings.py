"""The examples in the docstrings of primitives give what they show."""

from __future__ import annotations

import doctest
from typing import Any  # Any: an owner of examples is a class or a module

import pytest

from gpucomp import te
from gpucomp.te.group import Group
from tests.te.docs_graphs import names

METHODS = [
    (owner, name)
    for owner in (te.Stage, te.Schedule, Group)
    for name in dir(owner)
    if callable(method := getattr(owner, name)) and ">>>" in (method.__doc__ or "")
] + [(te, name) for name in ("scan", "gradient", "create_prim_func")]


@pytest.mark.parametrize(("owner", "name"), METHODS, ids=[f"{o.__name__}.{n}" for o, n in METHODS])
def test_the_example_of_a_primitive_gives_what_it_shows(owner: Any, name: str) -> None:
    doc = getattr(owner, name).__doc__
    test = doctest.DocTestParser().get_doctest(doc, names(), name, None, None)
    lines: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=lines.append)
    assert not lines, "".join(lines)


def test_every_primitive_of_the_loop_language_has_an_example() -> None:
    with_example = {name for _, name in METHODS}
    assert with_example >= {
        "split", "fuse", "reorder", "tile", "bind", "vectorize", "unroll", "parallel", "pragma", "compute_at",
        "compute_inline", "compute_root", "cache_read", "cache_write", "rfactor",
    }  # fmt: skip
