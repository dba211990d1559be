"""A seeded sample of the fuzzer's cases in every CI run; ``ci/fuzz`` runs as many as one likes."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.fuzz.runner import draw_case, opencl_cpu, run_case
from tests.tiers import slow

PARTS, EACH = 15, 20


@pytest.mark.opencl
@pytest.mark.parametrize("part", [0, *slow(*range(1, PARTS))])
def test_random_schedules_compute_what_the_operators_mean(part: int) -> None:
    device = opencl_cpu()
    statuses: Counter[str] = Counter()
    for index in range(part * EACH, (part + 1) * EACH):
        case = draw_case(2026, index)
        outcome = run_case(case, device)
        statuses[outcome.status] += 1
        assert outcome.status != "wrong", f"case {index} of seed 2026: {outcome.detail}\n{case}\n{outcome.script}"
    assert statuses["equal"] >= EACH // 3


def test_a_case_is_the_same_every_time_it_is_drawn() -> None:
    assert draw_case(7, 3) == draw_case(7, 3)
    assert len({draw_case(7, i) for i in range(50)}) == 50
