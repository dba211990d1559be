"""Deep IR needs deep Python stacks: raise the recursion limit on demand, never lower it.

From Python 3.11 on, calls between Python functions use no C stack, so the limit only guards against runaway
recursion; expression and statement nodes know their depth, which bounds what a walk over them needs.
"""

from __future__ import annotations

import sys

_FRAMES_PER_LEVEL = 6
_BASE = 1000


def ensure_recursion(depth: int) -> None:
    """Make sure that a walk over an IR tree of the given depth fits into Python's recursion limit."""
    needed = depth * _FRAMES_PER_LEVEL + _BASE
    if needed > sys.getrecursionlimit():
        sys.setrecursionlimit(needed * 2)
