"""The logger "gpucomp": silent but for a few lines that a user should see, such as the device chosen."""

from __future__ import annotations

import logging
import sys
from typing import Final


class _StderrUnlessConfigured(logging.Handler):
    """Prints to the present stderr, unless the application configured logging itself (then that prints)."""

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers:
            print(f"gpucomp: {record.getMessage()}", file=sys.stderr)  # noqa: T201  # this is what the handler is for


def _make() -> logging.Logger:
    made = logging.getLogger("gpucomp")
    if not any(isinstance(handler, _StderrUnlessConfigured) for handler in made.handlers):
        made.addHandler(_StderrUnlessConfigured())
    if made.level == logging.NOTSET:
        made.setLevel(logging.INFO)
    return made


logger: Final = _make()
