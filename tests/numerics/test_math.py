"""The numerics contract for mathematical functions: how far from exact they may be, and the tables that say it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.numerics import table
from tests.numerics.accuracy import FUNCTIONS, measure
from tests.numerics.backends import BACKENDS
from tests.numerics.behaviour import QUESTIONS

NUMPY_ULP = 4.0  # what numpy promises for its float32 functions, which are the interpreter's


@pytest.mark.parametrize("backend", BACKENDS)
def test_float32_functions_stay_within_the_stated_error(backend: str) -> None:
    for found in measure(backend, list(FUNCTIONS), samples=1 << 13, seed=11):
        limit = FUNCTIONS[found.function].limit
        limit = max(limit, NUMPY_ULP) if backend == "interp" else limit
        assert found.worst <= limit, f"{found.function}{found.at} is {found.worst:.2f} units off"
        assert found.samples > 7000


@pytest.mark.parametrize("backend", ["interp", "cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_division_and_square_root_are_correctly_rounded(backend: str) -> None:
    assert [found.exact for found in measure(backend, ["division", "sqrt"])] == [1.0, 1.0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_denormals_are_kept(backend: str) -> None:
    for key in ("denormals32", "denormals64", "denormals16"):
        assert QUESTIONS[key][1](backend) == "kept"


def test_the_document_shows_the_recorded_measurements() -> None:
    text = table.DOCUMENT.read_text(encoding="utf-8")
    lines = table.ROWS.read_text(encoding="utf-8").splitlines()
    assert table.rendered(text, lines) == text, "run python -m tests.numerics.table --render"


def test_recorded_errors_are_within_the_stated_ones() -> None:
    recorded = [json.loads(line) for line in table.ROWS.read_text(encoding="utf-8").splitlines()]
    errors = [row for row in recorded if row["kind"] == "accuracy"]
    assert {row["backend"] for row in errors} >= {"interp", "cpu", "opencl"}
    assert not [row for row in errors if row["ulp"] > FUNCTIONS[row["name"]].limit]


def test_a_later_measurement_replaces_an_earlier_one(tmp_path: Path) -> None:
    def row(ulp: float) -> str:
        columns = {"backend": "cpu", "device": "x", "driver": "y", "at": [1.0]}
        return json.dumps({"kind": "accuracy", "name": "exp", **columns, "ulp": ulp})

    shown = table.tables([row(1.0), row(2.0)])["accuracy"]
    assert "| exp | -87 .. 88 | 3 | 2.00 |" in shown


def test_an_error_of_a_function_shows() -> None:
    function = FUNCTIONS["exp"]
    [x] = function.draw(np.random.default_rng(0), 4096)
    wrong = np.exp(x) * np.float32(1 + 2.0**-20)
    from tests.numerics.accuracy import _compare

    assert _compare("exp", (x,), wrong.astype("f4")).worst > function.limit
