"""What a scan does in a step: its operations, which steps they read, and which dimensions keep to themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpucomp.te.graph import post_dfs_order
from gpucomp.te.operation import ComputeOp, Operation
from gpucomp.te.tensor import Tensor
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Call, Expr, IntImm, ProducerLoad, Var
from gpucomp.tir.functor import Visitor

Key = tuple[int, int]  # state, dimension


def scan_body(updates: Sequence[Tensor], states: Sequence[Tensor]) -> tuple[Operation, ...]:
    """The operations that depend on a state and lead to an update, producers first; updates always count."""
    inner: dict[Operation, None] = {}
    known = dict.fromkeys(states)
    last = dict.fromkeys([u.op for u in updates])
    for op in post_dfs_order(tuple(last)):
        if op in last or any([t in known or t.op in inner for t in op.input_tensors]):
            inner[op] = None
    return tuple(inner)


def fixed_dimensions(updates: Sequence[Tensor], states: Sequence[Tensor], body: Sequence[Operation]) -> dict[Key, bool]:
    """For each dimension of each state but the first: does an element depend on states at the same index only?

    The index is followed from the axis of an update through the operations of the body to every read of a state.
    """
    keys = [(i, k) for i, s in enumerate(states) for k in range(1, len(s.shape))]
    # For each operation: at which of its axes the index of a dimension arrives; None where it is lost.
    arrives: dict[Operation, dict[Key, int | None]] = {op: {} for op in body}
    for i, update in enumerate(updates):
        arrives[update.op].update({key: key[1] for key in keys if key[0] == i})
    broken: dict[Key, None] = {}
    links: list[tuple[Key, Key]] = []
    place = {s: j for j, s in enumerate(states)}
    for op in reversed(body):
        for key, at in arrives[op].items():
            for tensor, indices in _accesses(op):
                through = None if at is None or indices is None else _position(op, at, indices)
                if tensor in place:
                    if through != key[1]:
                        broken[key] = None
                    links.append((key, (place[tensor], key[1])))
                elif tensor.op in arrives:
                    known = arrives[tensor.op]
                    known[key] = through if known.get(key, through) == through else None
    changed = True
    while changed:
        more = [x for a, b in links for x, y in ((a, b), (b, a)) if y in broken and x not in broken]
        broken.update(dict.fromkeys(more))
        changed = bool(more)
    return {key: key not in broken for key in keys}


def _accesses(op: Operation) -> Iterator[tuple[Tensor, tuple[Expr, ...] | None]]:
    if not isinstance(op, ComputeOp):
        yield from [(t, None) for t in op.input_tensors]
        return
    for tensor, accesses in op.reads:
        for indices in accesses:
            yield tensor, indices


def _position(op: Operation, at: int, indices: tuple[Expr, ...]) -> int | None:
    """Where an axis is an index by itself."""
    found = [p for p, index in enumerate(indices) if index is op.axis[at].var]
    return found[0] if len(found) == 1 else None


def time_offsets(
    updates: Sequence[Tensor], states: Sequence[Tensor], body: Sequence[Operation]
) -> Iterator[tuple[Tensor, int, bool]]:
    """The reads of states at steps ``t + c`` for a known c: the state, c, and whether a condition guards the read."""
    offsets: dict[Operation, dict[tuple[int, bool], None]] = {op: {} for op in body}
    for update in updates:
        offsets[update.op][0, False] = None
    for op in reversed(body):
        if not isinstance(op, ComputeOp) or not op.axis:
            continue
        walker = _Loads()
        for part in op.body:
            walker.visit_root(part)
        for load, guarded in walker.found:
            step = _shift(load.indices[0], op.axis[0].var) if load.indices else None
            if step is None:
                continue
            for offset, before in offsets[op]:
                if load.producer in states:
                    yield load.producer, offset + step, guarded or before
                elif load.producer.op in offsets:
                    offsets[load.producer.op][offset + step, guarded or before] = None


def _shift(index: Expr, axis: Var) -> int | None:
    """c where the index is ``axis + c``."""
    if index is axis:
        return 0
    if isinstance(index, (e.Add, e.Sub)) and index.a is axis and isinstance(index.b, IntImm):
        return index.b.value if isinstance(index, e.Add) else -index.b.value
    return None


class _Loads(Visitor):
    """Loads, each with whether a condition stands before it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[ProducerLoad, bool]] = []
        self.guarded = False

    def visit_producer_load(self, node: ProducerLoad) -> None:
        self.found.append((node, self.guarded))
        self.visit_children(node)

    def visit_call(self, node: Call) -> None:
        outer = self.guarded
        self.guarded = outer or getattr(node.op, "name", "") == "tir.if_then_else"
        self.visit_children(node)
        self.guarded = outer

    def visit_reduce(self, node: e.Reduce) -> None:
        outer = self.guarded
        self.guarded = outer or not e.is_const_int(node.condition, 1)
        self.visit_children(node)
        self.guarded = outer
