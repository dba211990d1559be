"""All passes of this folder in the order of a GPU's and a processor's pipeline, on one kernel."""

from __future__ import annotations

import numpy as np
import pytest

from gpucomp.target import Target
from gpucomp.tir.expr import SizeVar
from gpucomp.tir.function import PrimFunc
from gpucomp.transform.common_subexpr_elim import common_subexpr_elim
from gpucomp.transform.flatten_storage import flatten_storage
from gpucomp.transform.hoist_if_then_else import hoist_if_then_else
from gpucomp.transform.hoist_invariants import hoist_invariants
from gpucomp.transform.index_width import widen_indices
from gpucomp.transform.inject_double_buffer import inject_double_buffer
from gpucomp.transform.inject_virtual_thread import inject_virtual_thread
from gpucomp.transform.remove_no_op import remove_no_op
from gpucomp.transform.simplify import simplify
from gpucomp.transform.storage_rewrite import storage_rewrite
from gpucomp.transform.thread_sync import thread_sync
from gpucomp.transform.unroll_loop import unroll_loop
from gpucomp.transform.vectorize_loop import vectorize_loop
from tests.tiers import slow
from tests.transform.build import Pass, numbers, outputs, tiled_matmul

BEFORE: list[Pass] = [
    flatten_storage,
    simplify,
    vectorize_loop,
    inject_virtual_thread,
    inject_double_buffer,
    storage_rewrite,
    unroll_loop,
    hoist_if_then_else,
    simplify,
    remove_no_op,
    thread_sync,
]
AFTER: list[Pass] = [hoist_invariants, common_subexpr_elim]


def stages(f: PrimFunc) -> list[tuple[str, PrimFunc]]:
    """The function after each pass."""
    out: list[tuple[str, PrimFunc]] = []
    for one in [*BEFORE, *AFTER]:
        f = one(f)
        out.append((one.__name__, f))
    return out


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("target", ["cuda", "llvm"])
@pytest.mark.parametrize("shape", [*slow((32, 16, 24)), (19, 33, 13)])
def test_every_pass_keeps_the_meaning_and_the_last_ones_have_no_races(
    shape: tuple[int, int, int], target: str, symbolic: bool, wide: bool
) -> None:
    m, n, k = shape
    sizes = [SizeVar(x) for x in "mnk"] if symbolic else list(shape)
    f = tiled_matmul(*sizes, vector=4, double_buffer=True, pad=1, attrs={"target": Target(target)})
    args = [numbers(m, k), numbers(k, n, seed=1), np.full((m, n), np.nan, "float32")]
    expected = args[0] @ args[1]
    synced = False
    for name, stage in stages(widen_indices(f) if wide else f):
        synced = synced or name == "thread_sync"
        np.testing.assert_array_equal(outputs(stage, args, races=synced)[0], expected, err_msg=f"after {name}")


def test_a_second_run_of_the_clean_up_changes_nothing() -> None:
    f = stages(tiled_matmul(19, 33, 13, vector=4))[len(BEFORE) - 2][1]
    once = remove_no_op(simplify(hoist_if_then_else(f)))
    assert remove_no_op(simplify(hoist_if_then_else(once))) is once
