"""The zoo: importing it fills the table of workloads."""

from __future__ import annotations

from tests.fuzz import zoo_elementwise, zoo_index, zoo_linear, zoo_opaque, zoo_rows, zoo_scan, zoo_script, zoo_windows
from tests.fuzz.problem import WORKLOADS

__all__ = ["WORKLOADS"]

ZOO = (zoo_elementwise, zoo_index, zoo_linear, zoo_opaque, zoo_rows, zoo_scan, zoo_script, zoo_windows)
