from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import pytest

from gpucomp.support.hashing import digest


@dataclass(frozen=True)
class Point:
    x: int
    y: int


def test_equal_values_of_different_types_have_different_digests() -> None:
    values: list[object] = [1, True, 1.0, "1", b"1", None, (1,), -0.0, 0.0, 0, False, "", b"", (), {}]
    values.append(frozenset[int]())
    assert len({digest(value) for value in values}) == len(values)
    assert digest(()) == digest([])


def test_boundaries_between_items_count() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest(("a",), "b") != digest("a", ("b",))
    assert digest([[1], [2]]) != digest([[1, 2], []])


def test_order_of_dictionaries_and_sets_does_not_count() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1, "b": 2}) != digest({"a": 2, "b": 1})
    assert digest({3, 1, 2}) == digest({2, 3, 1})


def test_dataclasses_hash_by_type_name_and_fields() -> None:
    assert digest(Point(1, 2)) == digest(Point(1, 2))
    assert digest(Point(1, 2)) != digest(Point(2, 1))
    assert digest(Point(1, 2)) != digest(["Point", 1, 2])


def test_the_digest_is_the_same_in_another_process() -> None:
    code = "from gpucomp.support.hashing import digest; print(digest('kernel', {'a': {1, 2}, 'b': (1.5, None)}))"
    outputs = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                       env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert outputs == {digest("kernel", {"a": {1, 2}, "b": (1.5, None)})}


def test_a_value_without_a_stable_hash_is_refused() -> None:
    with pytest.raises(TypeError, match="no stable hash for object"):
        digest(object())
