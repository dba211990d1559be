"""The full text of every error that bad input causes is on record.

``pytest tests/errors --update-golden`` rewrites the files.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import gpucomp
from gpucomp.support.diagnostics import ArgumentError, DeviceError, LowerError, ScheduleError, TensorError
from tests.errors import (
    graph_programs,
    intrinsic_programs,
    kind_programs,
    mma_programs,
    opaque_programs,
    pass_programs,
    primitive_programs,
    reindex_programs,
    size_programs,
    topi_programs,
)
from tests.errors.programs import MISTAKES, row_sums

GOLDEN = Path(__file__).parent / "golden"
# What the issue asks for at the least; each has a program or more.
assert graph_programs.__name__  # its programs register themselves
assert intrinsic_programs.__name__
assert kind_programs.__name__
assert mma_programs.__name__
assert opaque_programs.__name__
assert pass_programs.__name__
assert primitive_programs.__name__
assert reindex_programs.__name__
assert size_programs.__name__
assert topi_programs.__name__
ASKED = (
    "two_binds_of_one_thread_axis_with_different_extents",
    "splitting_an_axis_that_a_split_consumed",
    "splitting_an_axis_that_a_fuse_consumed",
    "binding_an_axis_that_a_split_consumed",
    "binding_an_axis_that_a_fuse_consumed",
    "reordering_an_axis_that_a_split_consumed",
    "reordering_an_axis_that_a_fuse_consumed",
    "computing_at_a_stage_that_is_no_consumer",
    "a_reduction_axis_bound_to_blocks",
    "vectorizing_an_extent_that_is_no_constant",
    "more_threads_than_a_block_may_have",
    "more_shared_memory_than_the_target_has",
    "too_few_arguments_at_launch",
    "a_wrong_dtype_at_launch",
    "a_wrong_shape_at_launch",
    "an_array_of_another_device_at_launch",
    "an_array_that_is_not_contiguous_at_launch",
    "an_input_missing_from_the_arguments_of_build",
    "a_device_that_does_not_exist",
)


def _text(name: str) -> str:
    """The error's text, without what only this machine has."""
    return str(MISTAKES[name].error()).replace(gpucomp.cpu(0).device_name or "", "<processor>")


@pytest.mark.parametrize("name", MISTAKES)
def test_the_text_of_the_error_is_as_recorded(name: str, update_golden: bool) -> None:
    path, text = GOLDEN / f"{name}.txt", _text(name) + "\n"
    if update_golden:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path.name} is missing: run pytest tests/errors --update-golden"
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", MISTAKES)
def test_an_error_points_at_its_cause_and_says_what_mends_it(name: str) -> None:
    mistake = MISTAKES[name]
    error = mistake.error()
    assert isinstance(error, (ScheduleError, LowerError, ArgumentError, DeviceError, TensorError))
    assert error.where is not None
    assert "# cause" in error.where.text
    assert error.hint
    assert error.code not in {"GC000", "GC100", "GC300", "GC600", "GC700"}, "a code of its own"
    text = str(error)
    assert [w for w in mistake.words if w not in text] == []
    assert "/" not in text.split("\n")[1].split("   ")[0], "file names only: paths differ from machine to machine"


def test_every_kind_of_bad_input_has_a_program_and_no_recorded_text_is_left_over() -> None:
    assert set(ASKED) <= set(MISTAKES)
    assert {p.stem for p in GOLDEN.glob("*.txt")} == set(MISTAKES)


def test_an_error_while_lowering_is_the_only_one_in_the_traceback() -> None:
    error = MISTAKES["more_threads_than_a_block_may_have"].error()
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("name", ["cuda", "opencl"])
def test_a_missing_device_of_any_kind_says_what_mends_it(name: str) -> None:
    with pytest.raises(DeviceError) as caught:
        gpucomp.nd.array([1.0], gpucomp.Device(name, 99))
    assert f"{name}(99)" in caught.value.message
    assert caught.value.hint
    assert caught.value.where is not None
    assert caught.value.where.file == __file__


def test_what_cannot_be_compiled_is_named() -> None:
    s, _, _, c = row_sums()
    with pytest.raises(LowerError, match="cannot compile a Tensor"):
        gpucomp.build(c, [c], "llvm")  # pyright: ignore[reportArgumentType]  # the error under test
    with pytest.raises(LowerError, match="args are needed"):
        gpucomp.lower(s)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "empty target"),
        ("cuda -arch", "cannot read '-arch'"),
        ("cuda -max_num_thread=3", "unknown option 'max_num_thread' of target cuda"),
        ("cuda -max_num_threads=many", "'many', which is no whole number"),
        ('{"kind": ', "cannot read target"),
        ("llvmm", "did you mean 'llvm'?"),
    ],
)
def test_a_target_that_cannot_be_read_says_why(text: str, part: str) -> None:
    s, a, _, c = row_sums()
    with pytest.raises(LowerError) as caught:
        gpucomp.build(s, [a, c], text)
    assert part in str(caught.value)
    assert caught.value.code == "GC301"
    assert caught.value.hint
    assert caught.value.where is not None
    assert caught.value.where.file == __file__
