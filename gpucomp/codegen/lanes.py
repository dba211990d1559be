"""Parts of vector expressions: single lanes and narrower vectors, as expressions.

Dialects differ in which vectors they have.  Instead of a second emitter for vectors, a vector expression is taken
apart here: an element-wise operator becomes the same operator on parts of its operands.  What memory gives in one
piece may stay whole: then a lane is ``Shuffle((whole,), (i,))``.
"""

from __future__ import annotations

from collections.abc import Callable

from gpucomp.support.diagnostics import LowerError
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr
from gpucomp.tir.functor import rebuild_binary, substitute
from gpucomp.tir.intrin import reinterpret


def _whole(what: str) -> LowerError:
    return LowerError(
        f"{what} cannot be taken apart into lanes",
        code="GC385",
        hint="leave the loop serial, or split it by fewer lanes",
    )


class Parts:
    """Takes vector expressions apart.

    Args:
        keep: says which vector expressions of full width stay whole when a single lane is asked for.
    """

    def __init__(self, keep: Callable[[Expr], bool]) -> None:
        self.keep = keep
        self.memo: dict[tuple[Expr, int, int], Expr] = {}

    def lane(self, node: Expr, i: int) -> Expr:
        """Lane ``i`` as a scalar expression."""
        return self.part(node, i, 1)

    def part(self, node: Expr, begin: int, count: int) -> Expr:
        """Lanes ``begin .. begin + count - 1``; a scalar stands for itself in every lane."""
        if node.dtype.lanes == 1 or (begin == 0 and count == node.dtype.lanes):
            return node
        key = (node, begin, count)
        done = self.memo.get(key)
        if done is None:
            done = self.memo[key] = self._part(node, begin, count)
        return done

    def _part(self, node: Expr, begin: int, count: int) -> Expr:
        if isinstance(node, e.Broadcast):
            return node.value if count == 1 else e.Broadcast(node.value, count)
        if isinstance(node, e.Ramp):
            base = operators.add(node.base, operators.multiply(node.stride, begin))
            return base if count == 1 else e.Ramp(base, node.stride, count)
        if isinstance(node, e.Var) or (count == 1 and self.keep(node)):
            return e.Shuffle((node,), tuple(range(begin, begin + count)))
        if isinstance(node, e.BinaryOp):
            return rebuild_binary(type(node), self.part(node.a, begin, count), self.part(node.b, begin, count))
        if isinstance(node, e.BufferLoad):
            return self._load(node, begin, count)
        if isinstance(node, e.Shuffle):
            picked = [self._pick(node, i) for i in range(begin, begin + count)]
            return picked[0] if count == 1 else e.Shuffle(tuple(picked), tuple(range(count)))
        if isinstance(node, e.Let):
            if node.var.dtype.lanes == 1:
                return e.Let(node.var, node.value, self.part(node.body, begin, count))
            return self.part(substitute(node.body, {node.var: node.value}), begin, count)
        return self._fieldwise(node, begin, count)

    def _fieldwise(self, node: Expr, begin: int, count: int) -> Expr:
        if isinstance(node, e.Cast):
            return operators.cast(node.dtype.with_lanes(count), self.part(node.value, begin, count))
        if isinstance(node, e.Not):
            return operators.logical_not(self.part(node.a, begin, count))
        if isinstance(node, e.Select):
            return e.Select(
                self.part(node.condition, begin, count),
                self.part(node.true_value, begin, count),
                self.part(node.false_value, begin, count),
            )
        if isinstance(node, e.Call) and any([arg.dtype.lanes not in (1, node.dtype.lanes) for arg in node.args]):
            return self._reinterpreted(node, begin, count)
        if isinstance(node, e.Call):
            args = tuple([self.part(arg, begin, count) for arg in node.args])
            return e.Call(node.dtype.with_lanes(count), node.op, args)
        raise _whole(f"{type(node).__name__} of {node.dtype}")

    def _reinterpreted(self, node: e.Call, begin: int, count: int) -> Expr:
        """Words of bytes: the other direction never leaves a dot product."""
        (bytes_,) = node.args
        each, rest = divmod(bytes_.dtype.lanes, node.dtype.lanes)
        if rest:
            raise _whole(f"{node.op} of {bytes_.dtype} as {node.dtype}")
        return reinterpret(str(node.dtype.with_lanes(count)), self.part(bytes_, each * begin, each * count))

    def _pick(self, node: e.Shuffle, i: int) -> Expr:
        index = node.indices[i]
        for vector in node.vectors:
            if index < vector.dtype.lanes:
                return self.lane(vector, index) if vector.dtype.lanes > 1 else vector
            index -= vector.dtype.lanes
        raise LowerError(
            f"lane {node.indices[i]} of {node} does not exist",
            code="GC385",
            hint="the indices of a shuffle count the lanes of its vectors, from 0",
        )

    def _load(self, node: e.BufferLoad, begin: int, count: int) -> Expr:
        inner = node.buffer.dtype.lanes
        if inner > 1:
            return e.Shuffle((node,), tuple(range(begin, begin + count)))
        index = self.part(node.indices[-1], begin, count)
        indices = (*node.indices[:-1], index)
        if node.predicate is None:
            return e.BufferLoad(node.buffer, indices)
        mask = self.part(node.predicate, begin, count)
        if count > 1:
            return e.BufferLoad(node.buffer, indices, mask)
        load = e.BufferLoad(node.buffer, indices)
        return e.Call(load.dtype, "tir.if_then_else", (mask, load, operators.const(0, load.dtype)))
