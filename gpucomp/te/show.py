"""``Schedule.show``: the loop tree on the terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from gpucomp.te.draw_text import Line, lines, tree_text
from gpucomp.te.tree import ScheduleTree, loop_tree

if TYPE_CHECKING:
    from gpucomp.te.state import Schedule


def show(schedule: Schedule) -> None:
    """Print the loop tree of a schedule on stdout: in colours on a terminal, as plain text elsewhere."""
    tree = loop_tree(schedule)
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb":
        _print_styled(tree)
    else:
        print(tree_text(tree))  # noqa: T201  # what it is for


def _print_styled(tree: ScheduleTree) -> None:
    from rich.console import Console
    from rich.text import Text

    def styled(line: Line) -> Text:
        return Text.assemble(*[(piece, style) for piece, style in line])

    console = Console(highlight=False)
    for line in lines(tree):
        console.print(styled(line), soft_wrap=True)
