"""What a verb works on: library operators and functions in users' files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpucomp.cli.workload import make_workload, parse_shape
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.target.target import Target

USER_FILE = """
from gpucomp import te
from gpucomp.target import Target

def doubled(n=8, m=4):
    assert Target.current().kind == "llvm"
    print("chatting on stdout")
    A = te.placeholder((n, m), "float64", "A")
    B = te.compute((n, m), lambda i, j: A[i, j] * 2.0, name="B")
    return te.create_schedule(B.op), [A, B], lambda a: a * 2

def without_reference():
    return doubled()[:2]

def symbolic():
    n = te.var("n")
    A = te.placeholder((n,), "float32", "A")
    B = te.compute((n,), lambda i: A[i] + 1.0, name="B")
    return te.create_schedule(B.op), [A, B]

def out_first():
    s, (A, B), _ = doubled()
    return s, [B, A]

def no_schedule():
    return 1, 2
"""


@pytest.fixture
def user_file(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(USER_FILE, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(("text", "shape"), [("7", (7,)), ("1024,1024", (1024, 1024)), ("3x4", (3, 4))])
def test_shapes_are_lists_of_numbers(text: str, shape: tuple[int, ...]) -> None:
    assert parse_shape(text) == shape


@pytest.mark.parametrize("text", ["", "a,b", "4,,4", "4.0", "0,4", "-1"])
def test_other_shapes_are_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match="--shape"):
        parse_shape(text)


def test_a_library_operator_has_the_default_shape_of_its_kind_of_target() -> None:
    assert make_workload("matmul", None, None, Target("cuda")).shape == (4096, 4096, 4096)
    assert make_workload("matmul", None, None, Target("llvm")).shape == (1024, 1024, 1024)
    small = Target({"kind": "opencl", "features": ["cpu"]})
    assert make_workload("matmul", None, "float16", small).shape == (512, 512, 512)


def test_a_library_operator_knows_its_work() -> None:
    workload = make_workload("matmul", (4, 5, 6), "float16", Target("llvm"))
    assert workload.inputs == (((4, 6), "float16"), ((6, 5), "float16"))
    assert workload.outputs == (((4, 5), "float32"),)
    assert workload.flops == 240
    assert workload.bytes_moved == 2 * 54 + 4 * 20
    a, b = workload.make_inputs(3)
    assert np.array_equal(a, workload.make_inputs(3)[0])
    np.testing.assert_allclose(
        workload.reference([a, b])[0].astype(np.float64), a.astype(np.float64) @ b.astype(np.float64)
    )


def test_an_operator_without_float32_has_its_first_element_type() -> None:
    assert make_workload("matmul_int8", (4, 5, 6), None, Target("llvm")).dtype == "int8"


def test_functions_that_a_file_imports_are_not_offered(tmp_path: Path) -> None:
    path = tmp_path / "few.py"
    path.write_text("from gpucomp.testing import check\n\ndef mine():\n    pass\n", encoding="utf-8")
    with pytest.raises(ArgumentError) as caught:
        make_workload(f"{path}:other", None, None, Target("llvm"))
    assert caught.value.hint == "it has mine"


def test_a_function_is_called_with_the_numbers_of_the_shape(user_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    workload = make_workload(f"{user_file}:doubled", (3, 5), None, Target("llvm"))
    assert workload.label == "mine.py:doubled"
    assert workload.shape == workload.given_shape == (3, 5)
    assert workload.dtype == "float64"
    assert workload.outputs == (((3, 5), "float64"),)
    inputs = workload.make_inputs(0)
    assert np.array_equal(workload.reference(inputs)[0], inputs[0].astype(np.float64) * 2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "chatting" in captured.err


def test_a_function_may_have_defaults_and_no_reference(user_file: str) -> None:
    workload = make_workload(f"{user_file}:without_reference", None, None, Target("llvm"))
    assert workload.shape == (8, 4)
    assert workload.given_shape is None
    assert not workload.has_reference


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("{file}:dubled", None, "did you mean 'doubled'"),
        ("{file}:doubled", (1, 2, 3), "cannot be called with the 3 numbers of --shape"),
        ("{file}:symbolic", None, "the shape of A is symbolic"),
        ("{file}:out_first", None, "list the inputs before the outputs"),
        ("{file}:no_schedule", None, "not \\(schedule, args\\)"),
        ("{file}", None, r"mine.py names no function\n(?s:.*)  help: .*mine.py:doubled, .*mine.py:without_reference"),
        ("no/such/file.py", None, "there is no file no/such/file.py"),
        ("no/such/file.py:f", None, "there is no file no/such/file.py"),
        ("matmal", None, "did you mean 'matmul'"),
        ("softmax", (3,), "softmax takes 2 extents \\(M,N\\), got 1"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(
    name: str, shape: tuple[int, ...] | None, words: str, user_file: str
) -> None:
    with pytest.raises(ArgumentError, match=words):
        make_workload(name.format(file=user_file), shape, None, Target("llvm"))


def test_a_function_chooses_its_own_element_types(user_file: str) -> None:
    with pytest.raises(ArgumentError, match="--dtype does not apply"):
        make_workload(f"{user_file}:doubled", None, "float16", Target("llvm"))
