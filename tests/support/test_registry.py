from __future__ import annotations

from collections.abc import Iterator

import pytest

from gpucomp.support.diagnostics import GpucompError
from gpucomp.support.registry import (
    get_global_func,
    list_global_func_names,
    register_func,
    remove_global_func,
)


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    before = set(list_global_func_names())
    yield
    for name in set(list_global_func_names()) - before:
        remove_global_func(name)


def test_a_function_is_found_by_the_name_it_was_registered_under() -> None:
    def double(x: int) -> int:
        return 2 * x

    assert register_func("test.double", double) is double
    assert get_global_func("test.double")(21) == 42


def test_the_decorator_works_with_and_without_a_name() -> None:
    @register_func("test.named")
    def first() -> str:
        return "first"

    @register_func
    def test_bare_name() -> str:
        return "second"

    assert get_global_func("test.named") is first
    assert get_global_func("test_bare_name") is test_bare_name


def test_a_taken_name_is_refused_unless_override_is_given() -> None:
    register_func("test.taken", len)
    with pytest.raises(GpucompError, match=r"'test\.taken' is registered already"):
        register_func("test.taken", repr)
    assert get_global_func("test.taken") is len
    register_func("test.taken", repr, override=True)
    assert get_global_func("test.taken") is repr


def test_a_missing_function_raises_with_a_suggestion_or_returns_none() -> None:
    register_func("test.sort_values", sorted)
    assert get_global_func("test.sort_value", allow_missing=True) is None
    with pytest.raises(GpucompError, match=r"did you mean 'test\.sort_values'"):
        get_global_func("test.sort_value")


def test_names_are_listed_in_order() -> None:
    register_func("test.b", len)
    register_func("test.a", len)
    names = list_global_func_names()
    assert names == sorted(names)
    assert {"test.a", "test.b"} <= set(names)


def test_something_that_is_no_function_is_refused() -> None:
    with pytest.raises(TypeError, match="takes a function, got an int"):
        register_func("test.number", 3)  # pyright: ignore[reportCallIssue, reportArgumentType]  # what is tested
