"""Faults planted in the compiler are found by the checks that every kernel of the test suite goes through."""

from __future__ import annotations

import pytest

import gpucomp
from gpucomp.support.diagnostics import VerifyError
from tests.faults.check import Case
from tests.faults.plant import FAULTS, Fault

NAMED = [f for f in FAULTS if f.named is not None]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.name)
def test_a_planted_fault_is_found_and_the_compiler_without_it_is_right(
    fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case.of(fault.kernel())
    assert case.compile_and_run(fault.target) == ""
    fault.plant(monkeypatch)
    assert case.compile_and_run(fault.target) == fault.found
    monkeypatch.undo()
    assert case.compile_and_run(fault.target) == ""


@pytest.mark.parametrize("fault", NAMED, ids=lambda f: f.name)
def test_verification_of_every_pass_names_the_one_with_the_fault(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case.of(fault.kernel())
    with gpucomp.config.override(verify=3):
        assert case.compile_and_run(fault.target) == ""
        fault.plant(monkeypatch)
        with pytest.raises(VerifyError) as caught:
            case.compile_and_run(fault.target)
    assert f"{fault.named!r}" in caught.value.message


def test_there_are_faults_in_every_part_of_the_compiler() -> None:
    assert len(FAULTS) >= 20
    assert {f.named for f in NAMED} >= {
        "flatten_storage",
        "vectorize_loop",
        "inject_virtual_thread",
        "inject_double_buffer",
        "storage_rewrite",
        "unroll_loop",
        "thread_sync",
        "lower_thread_allreduce",
        "common_subexpr_elim",
        "lower_intrin",
        "serialize_threads",
    }
