"""Structural equality and hash: equal up to the names of bound variables.

Both come from one canonical encoding: nodes numbered in the order of a deterministic walk, variables numbered
where they are bound.  Two nodes are structurally equal when their encodings are.  The walk visits each distinct
node of a scope once, so shared expressions cost what they have in distinct nodes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any  # Any: nodes of the layers above, known here by the fields they have

from gpucomp.ir.node import Node
from gpucomp.support.expect import expect
from gpucomp.support.recursion import ensure_recursion

_COMPARED = (Node, tuple, list, Mapping, int, float, str, type(None))
_SKIPPED = frozenset({"span", "name", "name_hint"})


class Encoder:
    """Encodes nodes of one unit; ``entries`` is the canonical form."""

    def __init__(self) -> None:
        self.entries: list[tuple[Any, ...]] = []
        self.free: list[Any] = []
        self._memo: dict[object, int] = {}
        self._users: dict[object, list[object]] = {}  # expression -> expressions around it that are in the memo
        self._vars: dict[object, int] = {}
        self._count = 0

    def bind(self, var: object) -> int:
        """Number a variable at its definition; what was encoded with an earlier meaning of it is forgotten."""
        if var in self._vars:
            self._forget(var)
        self._vars[var] = self._count
        self._count += 1
        return self._vars[var]

    def _forget(self, var: object) -> None:
        """Take the expressions that mention ``var`` out of the memo; other nodes are places and keep their number."""
        stack = self._users.pop(var, [])
        while stack:
            node = stack.pop()
            if self._memo.pop(node, None) is not None:
                stack += self._users.pop(node, [])

    def _variable(self, var: Any) -> tuple[Any, ...]:
        if var not in self._vars:
            self.free.append(var)
            self.bind(var)
        return ("var", self._vars[var], str(var.dtype), str(var.type_annotation), type(var).__name__)

    def encode(self, value: object) -> Any:
        """Encode a field value: an index for nodes, a hashable literal for the rest."""
        if isinstance(value, Node):
            return self._node(value)
        if isinstance(value, (tuple, list)):
            return ("list", *[self.encode(v) for v in value])
        if isinstance(value, Mapping):
            return ("map", *[(self.encode(k), self.encode(v)) for k, v in value.items()])
        if isinstance(value, float):
            return ("float", value.hex())
        if hasattr(value, "value_index"):  # a tensor: like a variable, another one is another thing
            return ("tensor", self._tensor(value), str(value))
        return (type(value).__name__, str(value))

    def _tensor(self, tensor: object) -> int:
        if tensor not in self._vars:
            self.free.append(tensor)
            self.bind(tensor)
        return self._vars[tensor]

    def _node(self, node: Any) -> int:
        if hasattr(node, "type_annotation"):
            return self._push(self._variable(node))
        known = self._memo.get(node)
        if known is not None:
            return known
        is_expression = hasattr(node, "depth")
        if is_expression:
            ensure_recursion(node.depth)
        for field in getattr(node, "_binds", ()):
            self._bind_field(getattr(node, field))
        keep_name = type(node).__name__ in ("Op", "GlobalVar")
        values: list[Any] = [type(node).__name__]
        for field in node._fields:
            if field in _SKIPPED and not keep_name:
                continue
            value = getattr(node, field)
            values.append(self.encode(value))
            if is_expression:
                for part in value if type(value) is tuple else (value,):
                    if hasattr(part, "depth"):
                        self._users.setdefault(part, []).append(node)
        index = self._push(tuple(values))
        self._memo[node] = index
        return index

    def _bind_field(self, value: Any) -> None:
        if isinstance(value, tuple):
            for item in value:
                self._bind_field(item)
        elif hasattr(value, "type_annotation"):
            self.bind(value)
        elif hasattr(value, "var"):
            self.bind(value.var)
        elif isinstance(value, Mapping):
            for item in value.values():
                self._bind_buffer(item)
        elif hasattr(value, "elem_offset"):
            self._bind_buffer(value)
        elif hasattr(value, "source"):  # a view of another buffer
            self._bind_buffer(value.buffer)

    def _bind_buffer(self, buffer: Any) -> None:
        """A buffer defines its memory, and variables of its layout that nothing defined before."""
        for item in (buffer.data, *buffer.shape, *buffer.strides, buffer.elem_offset):
            if hasattr(item, "type_annotation") and item not in self._vars:
                self.bind(item)

    def _push(self, entry: tuple[Any, ...]) -> int:
        self.entries.append(entry)
        return len(self.entries) - 1

    def digest(self) -> str:
        """Hexadecimal hash of the encoding."""
        return hashlib.blake2b(repr(self.entries).encode(), digest_size=16).hexdigest()


def _encoded(root: object, function: str) -> Encoder:
    expect(root, _COMPARED, function, "functions of tensors compare as te.create_prim_func([A, C])")
    encoder = Encoder()
    entry = encoder.encode(root)
    if not isinstance(root, Node):  # a tuple or number has no entry of its own
        encoder.entries.append(("root", entry))
    return encoder


def structural_hash(node: object, map_free_vars: bool = False) -> int:
    """A hash that equal structures share, in every process.

    Args:
        node: an expression, statement, function, module, or a tuple of them.
        map_free_vars: free variables hash by their order of appearance, else also by name.
    """
    encoder = _encoded(node, "structural_hash")
    names = "" if map_free_vars else repr([v.name for v in encoder.free])
    data = repr(encoder.entries) + names
    return int.from_bytes(hashlib.blake2b(data.encode(), digest_size=8).digest(), "big", signed=True)


def structural_equal(lhs: object, rhs: object, map_free_vars: bool = False) -> bool:
    """Whether two nodes are equal up to bound variable names (and free ones with ``map_free_vars``)."""
    return get_first_structural_mismatch(lhs, rhs, map_free_vars) is None


def get_first_structural_mismatch(lhs: object, rhs: object, map_free_vars: bool = False) -> tuple[str, str] | None:
    """The first pair of encodings that differ, as text, or None when the nodes are structurally equal."""
    a, b = _encoded(lhs, "structural_equal"), _encoded(rhs, "structural_equal")
    for x, y in zip(a.entries, b.entries, strict=False):
        if x != y:
            return repr(x), repr(y)
    if len(a.entries) != len(b.entries):
        return f"{len(a.entries)} nodes", f"{len(b.entries)} nodes"
    if not map_free_vars:
        for x, y in zip(a.free, b.free, strict=True):
            if x is not y:
                return f"free variable {x}", f"free variable {y}"
    return None


def assert_structural_equal(lhs: object, rhs: object, map_free_vars: bool = False) -> None:
    """Raise AssertionError with the first mismatch unless the two are structurally equal."""
    mismatch = get_first_structural_mismatch(lhs, rhs, map_free_vars)
    if mismatch is not None:
        raise AssertionError(f"structures differ:\n  {mismatch[0]}\n  {mismatch[1]}\n--- left\n{lhs}\n--- right\n{rhs}")
