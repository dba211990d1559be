"""Arguments of another kind than a public function takes: one clear error at the user's call."""

from __future__ import annotations

from collections.abc import Iterable

from gpucomp.support.diagnostics import TypeMismatchError, caller_span


def expect(value: object, kinds: type | tuple[type, ...], function: str, hint: str) -> None:
    """Refuse an argument that is of none of some classes.

    Raises:
        TypeMismatchError: GC252, which names the function, what it takes and what it got.
    """
    if not isinstance(value, kinds):
        raise mismatch(function, kinds, value, hint)


def expect_each(values: object, kinds: type | tuple[type, ...], function: str, hint: str) -> None:
    """Refuse an argument that is no list, or a list with an item of none of some classes.

    Raises:
        TypeMismatchError: GC252.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise mismatch(function, kinds, values, hint, several=True)
    for value in values:
        if not isinstance(value, kinds):
            raise mismatch(function, kinds, value, hint, several=True)


def mismatch(
    function: str, kinds: type | tuple[type, ...], value: object, hint: str, several: bool = False
) -> TypeMismatchError:
    """The error."""
    names = [kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)) if kind is not tuple]
    wanted = f"a list of {' or '.join(names)}" if several else " or ".join([_named(name) for name in names])
    got = "None" if value is None else _named(type(value).__name__)
    return TypeMismatchError(f"{function} takes {wanted}, got {got}", code="GC252", where=caller_span(), hint=hint)


def _named(name: str) -> str:
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"
