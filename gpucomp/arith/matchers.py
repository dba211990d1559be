"""The matching functions of the rule table, compiled class by class when a node of that class is first met."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final  # Any: see Matcher

from gpucomp.arith.rules import RULES

Matcher = Callable[[Any, Any], Any]
"""Of an analyzer (a layer above) and a node: the replacement or None; of TELLING, a pair of rule and replacement."""


class _Matchers(dict[type, Matcher | None]):
    """Root class of a node -> its matcher; None for classes without rules."""

    def __init__(self, tell: bool) -> None:
        super().__init__()
        self.tell = tell

    def __missing__(self, cls: type) -> Matcher | None:
        rules = RULES.get(cls.__name__)
        if rules is None:
            self[cls] = None
            return None
        from gpucomp.arith.match import compile_root  # imports Python's parser: not needed to start

        found = self[cls] = compile_root(cls.__name__, rules, self.tell)
        return found


MATCHERS: Final = _Matchers(tell=False)
TELLING: Final = _Matchers(tell=True)
"""The same for explanations: the result comes with the id of the rule."""
