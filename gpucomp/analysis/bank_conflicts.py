"""How many wavefronts a warp needs for each access of shared memory.

Shared memory has 32 banks of 4 bytes: a warp's access takes as many wavefronts as the bank with the most different
words has of them.  Accesses of 8 and of 16 bytes go in two and four passes, of 16 and 8 neighbouring threads each
(NVIDIA, CUDA C++ Programming Guide, "Shared Memory" of compute capability 5.x and later).

Indices are evaluated, not analysed, so that swizzles are no harder than strides: with all loops at their first
iteration, and at some drawn at random; the worst counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final  # Any: numpy arrays of integers or booleans, or plain numbers

import numpy as np

from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, IntImm, IterVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import expr_post_order, stmt_children
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import Stmt

BANKS: Final = 32
BANK_BYTES: Final = 4
WARP: Final = 32
WIDEST: Final = 16
_SHARED: Final = frozenset({"shared", "shared.dyn"})
_DRAWS: Final = 8
_THREADS: Final = ("threadIdx.x", "threadIdx.y", "threadIdx.z")


@dataclass(frozen=True, slots=True)
class SharedAccess:
    """One access of shared memory.

    Attributes:
        kernel: name of the function.
        buffer: its name.
        kind: "load" or "store".
        index: as text, in elements.
        nbytes: of one thread.
        wavefronts: that a warp needs, at worst; ``None`` where the index depends on data.
        ideal: that it would need without conflicts.
    """

    kernel: str
    buffer: str
    kind: str
    index: str
    nbytes: int
    wavefronts: int | None
    ideal: int

    @property
    def has_conflicts(self) -> bool:
        """True when a warp takes more wavefronts than it would have to."""
        return self.wavefronts is not None and self.wavefronts > self.ideal


def bank_conflicts(func: PrimFunc) -> tuple[SharedAccess, ...]:
    """The accesses of shared memory in the kernels of a function, in program order.

    Args:
        func: in flat form or device form (``driver.build.lower_primfunc``).  Conditions of branches count, those inside
            of an expression do not.
    """
    walker = _Collector()
    walker.walk(func.body)
    rng = np.random.default_rng(0)
    draws = [_Draw(walker, None if i == 0 else rng) for i in range(_DRAWS)]
    return tuple([_measure(func.name, access, draws) for access in walker.found])


def wavefronts(addresses: np.ndarray[Any, Any], nbytes: int) -> tuple[int, int]:
    """What one instruction of a warp needs.

    Args:
        addresses: in bytes, of the threads that are active.
        nbytes: that each of them accesses: 1, 2, 4, 8 or 16.

    Returns:
        Wavefronts, and the number of passes: wavefronts without conflicts.
    """
    each = max(1, min(len(addresses), BANKS * BANK_BYTES // max(nbytes, BANK_BYTES)))
    words = addresses[:, None] // BANK_BYTES + np.arange(max(1, nbytes // BANK_BYTES))
    passes = {tuple(np.unique(words[i : i + each]).tolist()): None for i in range(0, len(words), each)}
    total = sum([int(np.bincount(np.array(p) % BANKS).max()) for p in passes if p])
    return total, sum([1 for p in passes if p])


@dataclass(slots=True)
class _Access:
    buffer: Buffer
    kind: str
    index: Expr
    conditions: tuple[Expr, ...]
    lets: tuple[tuple[Var, Expr], ...]


@dataclass(slots=True)
class _Collector:
    """Accesses of shared memory with what holds around each, and the ranges of loops and threads."""

    found: list[_Access] = field(default_factory=list[_Access])
    loops: dict[Var, tuple[Expr, Expr]] = field(default_factory=dict[Var, tuple[Expr, Expr]])
    threads: dict[str, tuple[list[Var], Expr]] = field(default_factory=dict[str, tuple[list[Var], Expr]])

    def walk(self, root: Stmt) -> None:
        """Collect from a statement."""
        stack: list[tuple[Stmt, tuple[Expr, ...], tuple[tuple[Var, Expr], ...]]] = [(root, (), ())]
        while stack:
            node, conditions, lets = stack.pop()
            if isinstance(node, s.IfThenElse):
                self._loads([node.condition], conditions, lets)
                if node.else_case is not None:
                    stack.append((node.else_case, (*conditions, e.Not(node.condition)), lets))
                stack.append((node.then_case, (*conditions, node.condition), lets))
                continue
            self._enter(node)
            children = stmt_children(node)
            self._loads([x for x in children if isinstance(x, Expr)], conditions, lets)
            if isinstance(node, s.BufferStore) and node.buffer.scope() in _SHARED:
                self.found.append(_Access(node.buffer, "store", node.indices[0], conditions, lets))
            if isinstance(node, s.LetStmt):
                lets = (*lets, (node.var, node.value))
            stack += [(x, conditions, lets) for x in reversed(children) if isinstance(x, Stmt)]

    def _enter(self, node: Stmt) -> None:
        if isinstance(node, s.For) and node.thread_binding is None:
            self.loops[node.loop_var] = node.min, node.extent
        elif isinstance(node, s.For) and node.thread_binding is not None:
            self.threads.setdefault(node.thread_binding.thread_tag, ([], node.extent))[0].append(node.loop_var)
        elif isinstance(node, s.AttrStmt) and node.attr_key == "thread_extent" and isinstance(node.node, IterVar):
            self.threads.setdefault(node.node.thread_tag, ([], node.value))[0].append(node.node.var)

    def _loads(self, roots: list[Expr], conditions: tuple[Expr, ...], lets: tuple[tuple[Var, Expr], ...]) -> None:
        if not roots:
            return
        for item in expr_post_order(*roots):
            if isinstance(item, e.BufferLoad) and item.buffer.scope() in _SHARED:
                self.found.append(_Access(item.buffer, "load", item.indices[0], conditions, lets))


class _Draw:
    """One warp, and one iteration of each loop."""

    def __init__(self, walker: _Collector, rng: np.random.Generator | None) -> None:
        self.values: dict[Var, Any] = {}
        extents = {tag: _constant(extent) for tag, (_, extent) in walker.threads.items()}
        count = 1
        for tag in _THREADS:
            count *= extents.get(tag, 1)
        warps = -(-count // WARP)
        first = WARP * (0 if rng is None else int(rng.integers(warps)))
        left = np.arange(first, min(first + WARP, count))
        self.lanes = len(left)
        for tag in _THREADS:
            for var in walker.threads[tag][0] if tag in walker.threads else ():
                self.values[var] = left % extents[tag]
            left = left // extents.get(tag, 1)
        for tag, (names, _) in walker.threads.items():
            if tag not in _THREADS:
                self.values |= dict.fromkeys(names, 0 if rng is None else int(rng.integers(extents[tag])))
        for var, (low, extent) in walker.loops.items():
            begin = evaluate(low, self.values)
            step = 0 if rng is None else int(rng.integers(_constant(extent)))
            self.values[var] = None if begin is None else begin + step


def _constant(extent: Expr) -> int:
    return max(1, extent.value) if isinstance(extent, IntImm) else 1


def _measure(kernel: str, access: _Access, draws: list[_Draw]) -> SharedAccess:
    index, size = access.index, access.buffer.dtype.nbytes
    lanes = index.dtype.lanes
    found = [_in_draw(access, draw) for draw in draws]
    known = [x for x in found if x is not None]
    total, least = max(known, key=lambda x: (x[0] - x[1], x[0])) if known else (0, 1)
    needed = total if len(known) == len(found) else None
    return SharedAccess(kernel, access.buffer.name, access.kind, str(index), size * lanes, needed, least)


def _in_draw(access: _Access, draw: _Draw) -> tuple[int, int] | None:
    """Wavefronts, needed and ideal, of one warp in one iteration; ``None`` where the index depends on data."""
    index, size = access.index, access.buffer.dtype.nbytes
    for var, value in access.lets:
        if var not in draw.values:
            draw.values[var] = evaluate(value, draw.values)
    ramp = index if isinstance(index, e.Ramp) else None
    at = evaluate(index if ramp is None else ramp.base, draw.values)
    stride = 1 if ramp is None else evaluate(ramp.stride, draw.values)
    if at is None or stride is None:
        return None
    active = np.ones(draw.lanes, bool)
    for condition in access.conditions:
        holds = evaluate(condition, draw.values)
        active &= True if holds is None else np.broadcast_to(holds, active.shape)
    addresses = np.broadcast_to(at, active.shape)[active] * size
    return _instructions(addresses, size, index.dtype.lanes, stride)


def _instructions(addresses: np.ndarray[Any, Any], size: int, lanes: int, stride: Any) -> tuple[int, int]:
    """Wavefronts of an access that may be a vector: as wide instructions as the addresses allow."""
    part = lanes if np.ndim(stride) == 0 and stride == 1 else 1
    while part > 1 and (size * part > WIDEST or lanes % part or (addresses % (size * part)).any()):
        part -= 1
    total = least = 0
    for i in range(0, lanes, part):
        more, passes = wavefronts(addresses + i * size * stride, size * part)
        total, least = total + more, least + passes
    return total, least


# -- numbers -------------------------------------------------------------------------------------------------------

_BINARY: Final[Mapping[type, Callable[[Any, Any], Any]]] = {
    e.Add: np.add,
    e.Sub: np.subtract,
    e.Mul: np.multiply,
    e.FloorDiv: np.floor_divide,
    e.FloorMod: np.mod,
    e.Mod: np.fmod,
    e.Min: np.minimum,
    e.Max: np.maximum,
    e.EQ: np.equal,
    e.NE: np.not_equal,
    e.LT: np.less,
    e.LE: np.less_equal,
    e.GT: np.greater,
    e.GE: np.greater_equal,
    e.And: np.logical_and,
    e.Or: np.logical_or,
}
_CALLS: Final[Mapping[str, Callable[..., Any]]] = {
    "tir.bitwise_and": np.bitwise_and,
    "tir.bitwise_or": np.bitwise_or,
    "tir.bitwise_xor": np.bitwise_xor,
    "tir.shift_left": np.left_shift,
    "tir.shift_right": np.right_shift,
    "tir.likely": lambda x: x,
    "tir.if_then_else": np.where,
}


def evaluate(root: Expr, values: Mapping[Var, Any]) -> Any:
    """An integer expression in numbers, or one number a thread; ``None`` where it depends on anything else."""
    known: dict[Expr, Any] = {}
    with np.errstate(all="ignore"):
        for node in expr_post_order(root):
            known[node] = _step(node, known, values)
    return known[root]


def _step(node: Expr, known: Mapping[Expr, Any], values: Mapping[Var, Any]) -> Any:
    if isinstance(node, IntImm):
        return node.value
    if isinstance(node, Var):
        return values.get(node)
    if isinstance(node, e.Cast):
        return known[node.value] if node.dtype.is_integral and node.value.dtype.is_integral else None
    if isinstance(node, e.Not):
        inner = known[node.a]
        return None if inner is None else np.logical_not(inner)
    if isinstance(node, e.BinaryOp) and type(node) in _BINARY:
        function, operands = _BINARY[type(node)], [known[node.a], known[node.b]]
    elif isinstance(node, e.Select):
        function, operands = np.where, [known[node.condition], known[node.true_value], known[node.false_value]]
    elif isinstance(node, e.Call) and isinstance(node.op, Op) and node.op.name in _CALLS:
        function, operands = _CALLS[node.op.name], [known[x] for x in node.args]
    else:
        return None
    return None if any([x is None for x in operands]) else function(*operands)
