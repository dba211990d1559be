"""``python -m gpucomp`` is the command ``gpucomp``."""

from __future__ import annotations

from gpucomp.cli.main import cli

cli(prog_name="gpucomp")
