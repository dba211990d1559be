"""A plugin that writes what each test took of processors' time, for ``ci/quick_list.py``: other programs do not count.

GPUCOMP_TEST_TIMES=times python -m pytest -n 2 -p tests.cpu_times     one file for each worker, in the folder
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest


def _spent() -> float:
    """Seconds of this process and of those that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class Times:
    """Keeps the lines until the session ends.

    Args:
        left_out: tests that the present list makes slow; what is marked slow besides is by hand, and not measured.
    """

    def __init__(self, left_out: frozenset[str]) -> None:
        self.left_out = left_out
        self.lines: list[str] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, bool, bool]:
        """Set-up, call and teardown of one test."""
        began = _spent()
        done = yield
        if len(list(item.iter_markers("slow"))) <= (item.nodeid in self.left_out):
            self.lines.append(f"{_spent() - began:.2f}s call     {item.nodeid}\n")
        return done

    def pytest_unconfigure(self) -> None:
        """Write the file of this worker."""
        folder = Path(os.environ.get("GPUCOMP_TEST_TIMES", "test-times"))
        folder.mkdir(parents=True, exist_ok=True)
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        (folder / f"{worker}.txt").write_text("".join(self.lines), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Registered by ``-p tests.cpu_times``."""
    listed = Path(__file__).with_name("not_quick.txt").read_text(encoding="utf-8").splitlines()
    config.pluginmanager.register(Times(frozenset(listed)), "gpucomp-cpu-times")
