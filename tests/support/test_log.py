from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from gpucomp.support.log import logger

CODE = """
import logging, sys
if sys.argv[1] == "configured":
    logging.basicConfig(format="%(name)s|%(message)s", stream=sys.stdout, level=logging.INFO)
from gpucomp.support.log import logger
logger.info("using cpu(0)")
logger.debug("details")
"""


def _run(mode: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", CODE, mode], capture_output=True, text=True, check=True)


def test_information_goes_to_stderr_when_nobody_configured_logging() -> None:
    done = _run("plain")
    assert done.stderr == "gpucomp: using cpu(0)\n"
    assert done.stdout == ""


def test_an_application_that_configured_logging_gets_each_line_once() -> None:
    done = _run("configured")
    assert done.stdout == "gpucomp|using cpu(0)\n"
    assert done.stderr == ""


def test_records_propagate(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="gpucomp"):
        logger.info("seen")
    assert caplog.messages == ["seen"]
