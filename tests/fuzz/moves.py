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

from gpucomp import te, tir
from gpucomp.layout import IndexMap
from gpucomp.te import AttachType, ComputeOp, PlaceholderOp, Schedule, Stage, Tensor
from gpucomp.te.group import Group
from gpucomp.te.hybrid.op import HybridOp
from gpucomp.te.relation import children_of
from gpucomp.te.schedule import AutoInlineBroadcast, AutoInlineElemWise, AutoInlineInjective
from gpucomp.tir import operators
from gpucomp.tir.expr import Add, Expr, IntImm, IterVar, Reduce, Var, is_const_int
from gpucomp.tir.functor import free_vars
from tests.fuzz.assume import divisor
from tests.fuzz.intrin import can_declare, intrin_of

Move = tuple[int, int, int, int]
FACTORS = (1, 2, 3, 4, 5, 7, 8, 16)
PRAGMAS = (
    ("auto_unroll_max_step", (2, 8, 16)),
    ("unroll_explicit", (0, 1)),
    ("unroll_factor", (1, 2, 4)),
    ("unroll", (1,)),
    ("parallel_launch_point", (1,)),
    ("loop_partition_hint", (1,)),
    ("cache_hint", ("streaming", "read_only", "no_allocate", "evict_first", "evict_last")),
    ("nontemporal", (1,)),
    ("product_order", (1, 2)),
    ("loads_first", (1,)),
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
        self.scalars: list[tuple[Var, int]] = []  # variables that became arguments, with their values

    def apply(self, move: Move) -> None:
        """Make one move; nothing where it does not apply."""
        kind, a, b, c = move
        self.wild = kind % 16 == 15
        if kind % 4 == 0 and any([self.divided(x) for x in self.stages()]):
            self._split(a, b, 1)
            return
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
        assumed = [x for x in self.stages() if self.divided(x)] if c % 2 else []
        if assumed:
            stage = pick(assumed, a)
            axis, factor = pick(self.divided(stage), b)
            stage.split(axis, factor=factor, disable_predication=True)
            return
        stage = self.some(self.free, a)
        axis = stage and pick(self.free(stage) or stage.leaf_iter_vars, b)
        if axis is None:
            return
        extent = stage.nominal_extents().get(axis)
        factor: Any = pick(FACTORS, c)
        if c % 11 == 10 and extent is not None and not isinstance(extent, IntImm):
            factor = tir.floordiv(extent + 1, 2) if axis.iter_type != IterVar.CommReduce else extent
        elif c % 9 == 4 and len(self.scalars) < 2:
            value, factor = factor, te.var(f"f{len(self.scalars)}")
            self.scalars.append((factor, value))
        known = isinstance(extent, IntImm) and isinstance(factor, int) and extent.value % factor == 0
        if known and c % 5 == 0:
            stage.split(axis, factor=factor, disable_predication=True)
        elif c % 3 == 0:
            stage.split(axis, nparts=factor)
        else:
            stage.split(axis, factor=factor)

    def divided(self, stage: Stage) -> list[tuple[IterVar, int]]:
        """Axes whose extent the condition that holds says a divisor of, with that."""
        extents = stage.nominal_extents()
        return [(x, f) for x in self.free(stage) if (f := divisor(extents.get(x)))]

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

    def _align(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: self._innermost(x) is not None, a)
        axis = self._innermost(stage) if stage else None
        if stage is None or axis is None:
            return
        lanes = pick((2, 4, 8), b)
        aligned = stage.align(axis, lanes)
        if c % 4:
            _, inner = stage.split(aligned, factor=lanes)
            if c % 2:
                stage.vectorize(inner)

    def _innermost(self, stage: Stage) -> IterVar | None:
        """The axis along which neighbours are neighbours in memory, if it is as it was made."""
        roots = stage.op.root_iter_vars
        last = roots[-1] if roots else None
        return last if any([x is last for x in self.free(stage, attached=False)]) else None

    def _reorder(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: len(self.free(x)) > 1, a)
        if stage is None:
            return
        order = self.free(stage)
        random.Random(c).shuffle(order)
        if len(order) > 1:
            stage.reorder(*order[: 2 + b % 4])

    def scripts(self) -> list[tuple[Stage, HybridOp]]:
        """Stages of hybrid scripts."""
        return [(x, x.op) for x in self.s.stages if isinstance(x.op, HybridOp)]

    def _script_loop(self, a: int, b: int, c: int) -> None:
        """Change a loop of a script."""
        found = pick(self.scripts(), a)
        if found is None:
            return
        stage, op = found
        axis = pick(self.free(stage), b)
        if axis is None:
            return
        together = any([axis in chain and len(chain) > 1 for chain in op.chains])
        serial = axis in op.serial or any([axis is x for r in stage.relations for x in children_of(r)])
        if c % 4 == 0:
            stage.unroll(axis)
        elif c % 4 == 1 and not serial:
            stage.parallel(axis)
        elif c % 4 == 2 and together and not op.serial and not stage.relations:
            stage.reorder(*reversed(op.chains[0]))
        else:
            stage.split(axis, factor=pick(FACTORS, c))

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

    def _prefetch(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: x.op.input_tensors and self.free(x), a)
        axis = stage and pick(self.free(stage), b)
        tensor = stage and pick(stage.op.input_tensors, c)
        if axis is not None and tensor is not None:
            stage.prefetch(tensor, axis, c % 4)

    def _tensorize(self, a: int, b: int, c: int) -> None:
        stage = self.some(self.tensorizable, a)
        if stage is None:
            return
        op = stage.op
        box = {axis: _part(axis, b + c * i) for i, axis in enumerate(op.root_iter_vars)}
        box.update({axis: 1 for i, axis in enumerate(op.root_iter_vars) if (b >> i) % 3 == 0})
        intrin = intrin_of(op, box)
        if intrin is None:
            return
        outer: list[IterVar] = []
        inner: list[IterVar] = []
        for axis in op.root_iter_vars:
            whole = isinstance(axis.dom.extent, IntImm) and axis.dom.extent.value == box[axis]
            if box[axis] == 1 and c % 2:
                outer.append(axis)
            elif whole:
                inner.append(axis)
            else:
                parts = stage.split(axis, factor=box[axis])
                outer.append(parts[0])
                inner.append(parts[1])
        if not inner:
            return
        stage.reorder(*outer, *inner)
        stage.tensorize(inner[0], intrin)

    def tensorizable(self, stage: Stage) -> bool:
        """Whether an intrinsic can be made to measure for it: loops of known extent that nothing happened to."""
        op = stage.op
        doms = [x.dom for x in op.root_iter_vars]
        known = all([d is not None and isinstance(d.extent, IntImm) and is_const_int(d.min, 0) for d in doms])
        scopes = [x.scope for x in (stage, *[self.s[t] for t in op.input_tensors])]
        if not known or not self.untouched(stage) or not self.is_whole(stage) or set(scopes) - {"", "global"}:
            return False
        return isinstance(op, ComputeOp) and can_declare(op)

    def is_whole(self, stage: Stage) -> bool:
        """Whether the stage computes its tensor whole, so that the extents of its axes are those of its loops."""
        return stage.attach_type == AttachType.GROUP_ROOT and stage.group is None

    # -- storage --------------------------------------------------------------------------------------------------

    def _storage_align(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: self.inner(x) and x.op.axis, a)
        if stage and stage.op.axis:
            stage.storage_align(pick(stage.op.axis, b), pick((2, 4, 8), c), c % 3 % pick((2, 4, 8), c))

    def _storage_swizzle(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: self.inner(x) and _rows_of_chunks(x), a)
        if stage and _rows_of_chunks(stage):
            stage.storage_swizzle(pick(stage.op.region_axis[:-1], b), pick((1, 2), c), c % 3)

    def _double_buffer(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: self.inner(x) and x.attach_type == AttachType.SCOPE and not x.rolls, a)
        if stage:
            stage.double_buffer()

    def _transform_layout(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: x.op.axis and self.layout_is_free(x), a)
        if stage is None or not stage.op.axis:
            return
        ndim, k = len(stage.op.axis), pick((2, 3, 4), b)

        def turned(*i: Any) -> list[Any]:
            return [*i[1 + b % ndim :], *i[: 1 + b % ndim]]

        def in_digits(*i: Any) -> list[Any]:
            at = b % ndim
            return [*i[:at], i[at] // k, *i[at + 1 :], i[at] % k]

        def flat(*i: Any) -> list[Any]:
            value = i[0]
            for index, axis in zip(i[1:], stage.op.axis[1:], strict=True):
                value = value * axis.dom.extent + index
            return [value]

        order = IndexMap.from_func(pick((turned, in_digits, flat), c), ndim)
        given = [x for x in self.s.stages if isinstance(x.op, PlaceholderOp) and len(x.op.shape) == ndim]
        given = [x for x in given if not self.opaque(x) and self.consumers(x)]
        if c % 7 == 0 and given and pick((turned, in_digits, flat), c) is not flat:
            stage = pick(given, a)  # an argument of the kernel, which the caller then passes in this order
        stage.transform_layout(order)

    def _rolling_buffer(self, a: int, b: int, c: int) -> None:
        if self.wild:
            stage = pick(self.stages(), a)
            if stage:
                stage.rolling_buffer()
            return
        windows = [w for x in self.stages() for w in self.windows(x)]
        found = pick(windows, a * 8 + b)
        if found is None:
            return
        reader, tensor, axis = found
        stage = self.s[tensor]
        alone = stage.op.computes and len(self.consumers(stage)) == 1 and self.inner(stage) and not self.opaque(stage)
        if not alone or stage.group is not reader.group or not self.may_roll(stage):
            tensor = self.s.cache_read(tensor, self.cache_scope(c), [reader.op])
            stage = self.s[tensor]
        stage.compute_at(reader, axis)
        stage.rolling_buffer()

    def may_roll(self, stage: Stage) -> bool:
        """Whether nothing was said about a stage that excludes a ring."""
        kinds = [x.kind for x in stage.iter_var_attrs.values()]
        return not stage.double_buffered and not stage.rolls and "tensorize" not in kinds

    def windows(self, reader: Stage) -> list[tuple[Stage, Tensor, IterVar]]:
        """Inputs of which a stage reads overlapping parts as one of its loops goes on: stage, tensor, and loop."""
        op = reader.op
        if not isinstance(op, ComputeOp):
            return []
        loops = [x for x in op.axis if any([x is f for f in self.free(reader)])]
        reduced = [x.var for x in op.reduce_axis if not _is_single(x)]
        out: list[tuple[Stage, Tensor, IterVar]] = []
        for tensor, accesses in op.reads:
            for axis in loops:
                moving = [[i for i, x in enumerate(indices) if axis.var in free_vars(x)] for indices in accesses]
                [dim, *others] = moving[0] or [-1]
                if dim < 0 or others or any([m != [dim] for m in moving]):
                    continue
                places = dict.fromkeys([indices[dim] for indices in accesses])
                plain = all([_steps_by_one(x, axis.var) for x in places])
                if plain and (len(places) > 1 or any([v in free_vars(x) for x in places for v in reduced])):
                    out.append((reader, tensor, axis))
        return out

    def layout_is_free(self, stage: Stage) -> bool:
        """Whether its loops are as they were made, and no other kind of operation reads it."""
        return self.untouched(stage) and not self.opaque(stage)

    # -- dataflow -------------------------------------------------------------------------------------------------

    def _compute_inline(self, a: int, b: int, c: int) -> None:
        stage = self.some(self._inlinable, a)
        if stage:
            stage.compute_inline()

    def _create_group(self, a: int, b: int, c: int) -> None:
        stage = self.some(self.groupable, a)
        if stage is None or not self.consumers(stage):
            return
        stops = [t for x in self.consumers_below(stage) for t in x.op.input_tensors] if c % 2 else []
        outputs = stage.op.output(0)
        include = c % 4 == 3
        group = self.s.create_group(
            outputs=outputs, inputs=stops or list(stage.op.input_tensors), include_inputs=include
        )
        self.group_at(group, stage, b, c)

    def groupable(self, stage: Stage) -> bool:
        """Whether a group may end with it."""
        alone = self.inner(stage) and stage.group is None and not self.opaque(stage)
        return alone and len(self.consumers(stage)) == 1

    def consumers_below(self, stage: Stage) -> list[Stage]:
        """Stages that it reads."""
        return [self.s[t] for t in stage.op.input_tensors if isinstance(t.op, ComputeOp)]

    def group_at(self, group: Group, stage: Stage, b: int, c: int) -> None:
        """Place a group inside of the stage that reads it; or, once in three times, leave it at root."""
        [consumer, *others] = self.consumers(stage)
        if not others and c % 3 and consumer.leaf_iter_vars:
            group.compute_at(consumer, pick(consumer.leaf_iter_vars, b))

    def _inlinable(self, stage: Stage) -> bool:
        return self.inner(stage) and reduction(stage) is None and not self.hosts(stage) and not self.opaque(stage)

    def opaque(self, stage: Stage) -> bool:
        """Whether something reads it that is no ``te.compute``."""
        readers = [x.op for x in self.s.stages if any([t.op is stage.op for t in x.op.input_tensors])]
        return not all([isinstance(op, ComputeOp) for op in readers])

    def _cache_read(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: x.op.input_tensors, a)
        tensor = stage and pick(stage.op.input_tensors, b)
        if tensor is None:
            return
        readers = [x.op for x in self.consumers_of(tensor)] if c % 2 else [stage.op]
        self.s.cache_read(tensor, self.cache_scope(c), readers)

    def _reindex_cache_read(self, a: int, b: int, c: int) -> None:
        stage = self.some(self.reindexable, a)
        tensor = stage and pick(self.reindexable(stage) if not self.wild else stage.op.input_tensors, b)
        if stage is None or tensor is None:
            return
        [indices, *_] = dict(stage.op.reads).get(tensor) or [()]
        used = [x for x in stage.op.root_iter_vars if any([x.var in free_vars(i) for i in indices])]
        random.Random(c).shuffle(used)
        self.s.reindex_cache_read(tensor, self.cache_scope(c), stage.op.output(0), used)

    def reindexable(self, stage: Stage) -> list[Tensor]:
        """Tensors of which the stage reads one element in a step."""
        op = stage.op
        if not isinstance(op, ComputeOp) or not self.untouched(stage):
            return []
        return [t for t, accesses in op.reads if len(accesses) == 1]

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


def _is_single(axis: IterVar) -> bool:
    """Whether an axis has one value."""
    return axis.dom is not None and is_const_int(axis.dom.extent, 1)


def _steps_by_one(index: Expr, var: Var) -> bool:
    """Whether an index is a variable plus something."""
    if index is var:
        return True
    return isinstance(index, Add) and (_steps_by_one(index.a, var) or _steps_by_one(index.b, var))


def _part(axis: IterVar, choice: int) -> int:
    """A divisor of an axis's extent, up to 8."""
    extent = axis.dom.extent if axis.dom is not None else None
    size = extent.value if isinstance(extent, IntImm) else 1
    return pick([n for n in range(1, 9) if size % n == 0], choice)


AUTO_INLINE = (AutoInlineElemWise, AutoInlineBroadcast, AutoInlineInjective)


def inline_first(s: Schedule, choice: int) -> str:
    """Before any move: one of the functions that inline what they can, once in six times."""
    inline = AUTO_INLINE[choice % 18] if choice % 18 < len(AUTO_INLINE) else None
    if inline is None:
        return ""
    inline(s)
    return inline.__name__


def _rows_of_chunks(stage: Stage) -> bool:
    """Whether the last of several dimensions is a power of two, as swizzles need it; its region may be none."""
    axes = stage.op.region_axis
    dom = axes[-1].dom if len(axes) > 1 else None
    return dom is not None and isinstance(dom.extent, IntImm) and dom.extent.value.bit_count() == 1
