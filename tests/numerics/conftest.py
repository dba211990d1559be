"""The quick tier takes a few element types on OpenCL, where each kernel costs a quarter of a second of compilation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

QUICK = ("float32", "float16", "int32", "uint8")
SCHEDULES = ("serial", "threads")


def _is_quick(parameters: dict[str, object]) -> bool:
    types = [parameters[name] for name in ("dtype", "source", "target") if name in parameters]
    return all([t in QUICK for t in types]) and parameters.get("how", SCHEDULES[0]) in SCHEDULES


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark the other cases slow, before the tiers are chosen by their marks."""
    for item in items:
        if not isinstance(item, pytest.Function) or Path(__file__).parent not in item.path.parents:
            continue
        parameters: dict[str, object] = getattr(getattr(item, "callspec", None), "params", {})
        if parameters.get("backend") == "opencl" and not _is_quick(parameters):
            item.add_marker(pytest.mark.slow)
