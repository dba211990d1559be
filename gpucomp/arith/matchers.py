"""The matching functions of the rule table, compiled class by class when a node of that class is first met."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gpucomp.arith.rules import RULES
from gpucomp.tir.expr import Expr

Matcher = Callable[[Any, Any], Expr | None]  # Any: the analyzer, a layer above, and a node of the matched class


class _Matchers(dict[type, Matcher | None]):
    """Root class of a node -> its matcher; None for classes without rules."""

    def __missing__(self, cls: type) -> Matcher | None:
        rules = RULES.get(cls.__name__)
        if rules is None:
            self[cls] = None
            return None
        from gpucomp.arith.match import compile_root  # imports Python's parser: not needed to start

        found = self[cls] = compile_root(cls.__name__, rules)
        return found


MATCHERS: Final = _Matchers()
