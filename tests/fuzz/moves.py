"""Moves: what the fuzzer may do to a schedule, whatever the machine.

A move is a name and three numbers that are read modulo what is possible, so any list of moves is meaningful and a
failing case shrinks by leaving moves out.  Most moves look for a place where they are legal; one in sixteen does not
look, so that refusals are met as well.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar  # Any: schedules hand out axes and tensors of any kind

from gpucomp import tir
from gpucomp.te import AttachType, ComputeOp, Schedule, Stage
from gpucomp.te.schedule import AutoInlineBroadcast, AutoInlineElemWise, AutoInlineInjective
from gpucomp.tir import operators
from gpucomp.tir.expr import IntImm, IterVar, Reduce

Move = tuple[int, int, int, int]
FACTORS = (1, 2, 3, 4, 5, 7, 8, 16)
PRAGMAS = (
    ("auto_unroll_max_step", (2, 8, 16)),
    ("unroll_explicit", (0, 1)),
    ("unroll_factor", (1, 2, 4)),
    ("unroll", (1,)),
    ("parallel_launch_point", (1,)),
    ("loop_partition_hint", (1,)),
)
_T = TypeVar("_T")


def draw_moves(rng: random.Random, length: int) -> list[Move]:
    """A list of moves."""
    return [(rng.randrange(1 << 16), rng.randrange(64), rng.randrange(64), rng.randrange(64)) for _ in range(length)]


def pick(items: Sequence[_T], index: int) -> Any:  # Any: an item, or None, which callers test first
    """An item, or None of nothing."""
    return items[index % len(items)] if items else None


def weighted(weights: dict[str, int]) -> tuple[str, ...]:
    """Each name as often as its weight."""
    return tuple([name for name, weight in weights.items() for _ in range(weight)])


class Moves:
    """The moves of one schedule.

    Args:
        s: what is scheduled.
        names: the moves to choose from; a method ``_name`` each.
    """

    def __init__(self, s: Schedule, names: tuple[str, ...]) -> None:
        self.s = s
        self.names = names
        self.wild = False

    def apply(self, move: Move) -> None:
        """Make one move; nothing where it does not apply."""
        kind, a, b, c = move
        self.wild = kind % 16 == 15
        method: Callable[[int, int, int], None] = getattr(self, "_" + self.names[(kind >> 4) % len(self.names)])
        method(a, b, c)

    # -- what there is --------------------------------------------------------------------------------------------

    def stages(self) -> list[Stage]:
        """Stages that compute something and are not inlined."""
        return [x for x in self.s.stages if isinstance(x.op, ComputeOp) and x.attach_type != AttachType.INLINE]

    def some(self, legal: Callable[[Stage], Any], a: int) -> Any:
        """A stage for which a condition holds; any stage if the move is wild."""
        return pick([x for x in self.stages() if self.wild or legal(x)], a)

    def outputs(self) -> list[Stage]:
        """Stages of results."""
        return [x for x in self.stages() if x.op in self.s.outputs]

    def inner(self, stage: Stage) -> bool:
        """Whether the stage computes no result."""
        return stage.op not in self.s.outputs

    def consumers(self, stage: Stage) -> list[Stage]:
        """Stages that read it."""
        return [x for x in self.stages() if any([t.op is stage.op for t in x.op.input_tensors])]

    def free(self, stage: Stage, *, reduce: bool = True, attached: bool = True) -> list[IterVar]:
        """Leaf axes that carry no annotation, and (``attached=False``) no other stage."""
        free = [x for x in stage.leaf_iter_vars if not _said(stage, x)]
        hosts = [x.attach_ivar for x in self.s.stages if x.attach_type == AttachType.SCOPE]
        free = [x for x in free if reduce or x.iter_type != IterVar.CommReduce]
        return [x for x in free if attached or not any([x is h for h in hosts])]

    def hosts(self, stage: Stage) -> bool:
        """Whether another stage is computed inside of it."""
        return any([x.attach_stage is stage for x in self.s.stages if x.attach_type == AttachType.SCOPE])

    # -- loops ----------------------------------------------------------------------------------------------------

    def _split(self, a: int, b: int, c: int) -> None:
        stage = self.some(self.free, a)
        axis = stage and pick(self.free(stage) or stage.leaf_iter_vars, b)
        if axis is None:
            return
        extent = stage.nominal_extents().get(axis)
        factor: Any = pick(FACTORS, c)
        if c % 11 == 10 and extent is not None and not isinstance(extent, IntImm):
            factor = tir.floordiv(extent + 1, 2) if axis.iter_type != IterVar.CommReduce else extent
        known = isinstance(extent, IntImm) and isinstance(factor, int) and extent.value % factor == 0
        if known and c % 5 == 0:
            stage.split(axis, factor=factor, disable_predication=True)
        elif c % 3 == 0:
            stage.split(axis, nparts=factor)
        else:
            stage.split(axis, factor=factor)

    def _tile(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: len(self.free(x, reduce=False)) >= 2, a)
        axes = self.free(stage, reduce=False) if stage else []
        if len(axes) < 2:
            return
        first = b % (len(axes) - 1)
        stage.tile(axes[first], axes[first + 1], pick(FACTORS, b), pick(FACTORS, c))

    def _fuse(self, a: int, b: int, c: int) -> None:
        stage = self.some(self._neighbours, a)
        pair = stage and pick(self._neighbours(stage), b)
        if pair:
            stage.fuse(*pair)

    def _neighbours(self, stage: Stage) -> list[tuple[IterVar, IterVar]]:
        free = self.free(stage)
        pairs = [(x, y) for x, y in itertools.pairwise(stage.leaf_iter_vars) if x.iter_type == y.iter_type]
        return [p for p in pairs if self.wild or all([any([x is f for f in free]) for x in p])]

    def _fuse_nothing(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: True, a)
        if stage:
            stage.fuse()

    def _reorder(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: len(self.free(x)) > 1, a)
        if stage is None:
            return
        order = self.free(stage)
        random.Random(c).shuffle(order)
        if len(order) > 1:
            stage.reorder(*order[: 2 + b % 4])

    # -- annotations ----------------------------------------------------------------------------------------------

    def small(self, stage: Stage) -> list[IterVar]:
        """Axes without annotation that may be written out, given what is written out already."""
        extents = stage.nominal_extents()

        def steps(axis: IterVar) -> int:
            extent = extents.get(axis)
            return extent.value if isinstance(extent, IntImm) else 1 << 10

        kinds = stage.iter_var_attrs
        done = [steps(x) for x in stage.leaf_iter_vars if x in kinds and kinds[x].kind in ("unroll", "vectorize")]
        budget = 32
        for extent in done:
            budget //= max(1, extent)
        return [x for x in self.free(stage) if steps(x) <= budget]

    def _unroll(self, a: int, b: int, c: int) -> None:
        stage = self.some(self.small, a)
        axis = stage and pick(self.small(stage), b)
        if axis is not None:
            stage.unroll(axis)

    def _vectorize(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: self._last(x) is not None, a)
        axis = stage and (stage.leaf_iter_vars[-1] if self.wild and stage.leaf_iter_vars else self._last(stage))
        if axis is None:
            return
        extent = stage.nominal_extents().get(axis)
        if isinstance(extent, IntImm) and extent.value in (2, 3, 4, 8) and c % 2:
            stage.vectorize(axis)
            return
        _, inner = stage.split(axis, factor=pick((2, 4, 8, 3), c))
        stage.vectorize(inner)

    def _last(self, stage: Stage) -> IterVar | None:
        """The innermost axis, if it may be vectorised."""
        last = stage.leaf_iter_vars[-1] if stage.leaf_iter_vars else None
        return last if any([x is last for x in self.free(stage, reduce=False)]) else None

    def _pragma(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: x.leaf_iter_vars, a)
        if stage is None or not stage.leaf_iter_vars:
            return
        key, values = pick(PRAGMAS, c)
        axes = self.small(stage) if key == "unroll" else stage.leaf_iter_vars
        if axes:
            stage.pragma(pick(axes, b), key, pick(values, c >> 1))

    def always(self, stage: Stage, b: int) -> Any:
        """A condition that holds for every element of a stage, over one of its axes where it has some."""
        axis = pick(stage.op.axis, b)
        return operators.const(1, "bool") if axis is None else pick((axis.var >= 0, axis.var < axis.dom.extent), b)

    def _set_store_predicate(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: True, a)
        if stage:
            stage.set_store_predicate(self.always(stage, b) if c % 3 else operators.const(1, "bool"))

    # -- storage --------------------------------------------------------------------------------------------------

    def _storage_align(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: self.inner(x) and x.op.axis, a)
        if stage and stage.op.axis:
            stage.storage_align(pick(stage.op.axis, b), pick((2, 4, 8), c), c % 3 % pick((2, 4, 8), c))

    def _double_buffer(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: self.inner(x) and x.attach_type == AttachType.SCOPE, a)
        if stage:
            stage.double_buffer()

    # -- dataflow -------------------------------------------------------------------------------------------------

    def _compute_inline(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: self.inner(x) and reduction(x) is None and not self.hosts(x), a)
        if stage:
            stage.compute_inline()

    def _cache_read(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: x.op.input_tensors, a)
        tensor = stage and pick(stage.op.input_tensors, b)
        if tensor is None:
            return
        readers = [x.op for x in self.consumers_of(tensor)] if c % 2 else [stage.op]
        self.s.cache_read(tensor, self.cache_scope(c), readers)

    def consumers_of(self, tensor: Any) -> list[Stage]:
        """Stages that read a tensor."""
        return [x for x in self.stages() if tensor in x.op.input_tensors]

    def cache_scope(self, c: int) -> str:
        """Where a copy lives that is made at root."""
        return pick(("global", "local"), c)

    def _cache_write(self, a: int, b: int, c: int) -> None:
        stage = self.some(self.untouched, a)
        if stage is None:
            return
        tensors = [stage.op.output(i) for i in range(stage.op.num_outputs)]
        self.s.cache_write(tensors if len(tensors) > 1 or c % 4 == 3 else tensors[0], self.cache_scope(c))

    def untouched(self, stage: Stage) -> bool:
        """Whether no axis of it was scheduled."""
        return (
            not stage.relations and not any([_said(stage, x) for x in stage.leaf_iter_vars]) and not self.hosts(stage)
        )

    def _rfactor(self, a: int, b: int, c: int) -> None:
        stage = self.some(self.factorable, a)
        reductions = [x for x in stage.leaf_iter_vars if x.iter_type == IterVar.CommReduce] if stage else []
        if not reductions:
            return
        axis = pick(reductions, b)
        if c % 2 and not _said(stage, axis):
            _, axis = stage.split(axis, factor=pick((2, 3, 4), c))
        ndim = len(stage.op.axis)
        self.s.rfactor(stage.op.output(0), axis, (b + c) % (ndim + 1) if c % 4 < 2 else 0)

    def factorable(self, stage: Stage) -> bool:
        """Whether its reduction may be taken apart."""
        first = reduction(stage)
        plain = not any([_said(stage, x) for x in stage.leaf_iter_vars]) and not self.hosts(stage)
        return first is not None and not first.init and plain


def reduction(stage: Stage) -> Reduce | None:
    """What a stage reduces, if it does."""
    first = stage.op.body[0] if isinstance(stage.op, ComputeOp) else None
    return first if isinstance(first, Reduce) else None


def _said(stage: Stage, axis: IterVar) -> bool:
    """Whether an axis is bound or marked."""
    attr = stage.iter_var_attrs.get(axis)
    return attr is not None and bool(attr.kind or attr.bind_thread is not None)


AUTO_INLINE = (AutoInlineElemWise, AutoInlineBroadcast, AutoInlineInjective)


def inline_first(s: Schedule, choice: int) -> str:
    """Before any move: one of the functions that inline what they can, once in six times."""
    inline = AUTO_INLINE[choice % 18] if choice % 18 < len(AUTO_INLINE) else None
    if inline is None:
        return ""
    inline(s)
    return inline.__name__
