"""Random schedules, as lists of moves: tuples of small integers that are read modulo what is possible.

Any list of moves is meaningful, so a failing case shrinks by leaving moves out.
"""

from __future__ import annotations

import itertools
import random
from typing import Any

from gpucomp import te
from gpucomp.te import AttachType, ComputeOp, Schedule, Stage, Tensor
from gpucomp.tir.expr import IterVar

Move = tuple[int, int, int, int]
FACTORS = (1, 2, 3, 4, 5, 7, 8, 16)
CPU_MOVES = (
    "split", "split", "split_parts", "fuse", "reorder", "reorder", "unroll", "vectorize", "parallel", "compute_at",
    "compute_at", "inline", "cache_read", "cache_write", "rfactor", "storage_align", "pragma", "tile",
)  # fmt: skip
GPU_MOVES = (
    "attach",
    "inline",
    "cache_shared",
    "cache_local",
    "split_reduce",
    "unroll",
    "vectorize",
    "align",
    "double",
    "pragma",
)


def draw_moves(rng: random.Random, length: int) -> list[Move]:
    """A list of moves."""
    return [(rng.randrange(64), rng.randrange(64), rng.randrange(64), rng.randrange(64)) for _ in range(length)]


def compute_stages(s: Schedule) -> list[Stage]:
    """Stages that compute something and are not inlined."""
    return [x for x in s.stages if isinstance(x.op, ComputeOp) and x.attach_type != AttachType.INLINE]


def pick(items: list[Any] | tuple[Any, ...], index: int) -> Any:
    """An item, or None of nothing."""
    return items[index % len(items)] if items else None


def is_output(s: Schedule, stage: Stage) -> bool:
    """Whether the stage computes a result of the schedule."""
    return stage.op in s.outputs


def schedule_for_cpu(s: Schedule, moves: list[Move]) -> None:
    """Apply moves that need no threads."""
    for kind, a, b, c in moves:
        stage = pick(compute_stages(s), a)
        if stage is not None:
            _cpu_move(s, stage, CPU_MOVES[kind % len(CPU_MOVES)], b, c)


def _plain(stage: Stage, *, reduce: bool = True) -> list[Any]:
    """Leaf axes that carry no annotation yet."""
    free = [x for x in stage.leaf_iter_vars if x not in stage.iter_var_attrs]
    return [x for x in free if reduce or x.iter_type != IterVar.CommReduce]


def _cpu_move(s: Schedule, stage: Stage, move: str, b: int, c: int) -> None:
    leaves = _plain(stage)
    axis = pick(leaves, b)
    if axis is None:
        return
    if move == "split":
        stage.split(axis, factor=pick(FACTORS, c))
    elif move == "split_parts":
        stage.split(axis, nparts=pick(FACTORS, c))
    elif move == "tile" and len(_plain(stage, reduce=False)) >= 2:
        x, y = _plain(stage, reduce=False)[:2]
        stage.tile(x, y, pick(FACTORS, b), pick(FACTORS, c))
    elif move == "fuse":
        _fuse(stage, b)
    elif move == "reorder":
        order = list(leaves)
        random.Random(c).shuffle(order)
        stage.reorder(*order)
    elif move == "unroll":
        stage.unroll(axis)
    elif move == "vectorize":
        _vectorize(stage, c)
    elif move == "parallel" and axis is stage.leaf_iter_vars[0] and axis.iter_type != IterVar.CommReduce:
        stage.parallel(axis)
    elif move == "pragma":
        stage.pragma(axis, "auto_unroll_max_step", pick((2, 8, 64), c))
    else:
        _graph_move(s, stage, move, b, c)


def _fuse(stage: Stage, b: int) -> None:
    leaves = list(stage.leaf_iter_vars)
    pairs = [(x, y) for x, y in itertools.pairwise(leaves) if x.iter_type == y.iter_type]
    pairs = [p for p in pairs if p[0] not in stage.iter_var_attrs and p[1] not in stage.iter_var_attrs]
    pair = pick(pairs, b)
    if pair is not None:
        stage.fuse(*pair)


def _vectorize(stage: Stage, c: int) -> None:
    axis = stage.leaf_iter_vars[-1]
    if axis in stage.iter_var_attrs or axis.iter_type == IterVar.CommReduce:
        return
    _, inner = stage.split(axis, factor=pick((2, 4, 8), c))
    stage.vectorize(inner)


def _consumers(s: Schedule, stage: Stage) -> list[Stage]:
    return [x for x in compute_stages(s) if any([t.op is stage.op for t in x.op.input_tensors])]


def _graph_move(s: Schedule, stage: Stage, move: str, b: int, c: int) -> None:
    output = is_output(s, stage)
    if move == "compute_at" and not output:
        consumers = _consumers(s, stage)
        if len(consumers) == 1:
            stage.compute_at(consumers[0], pick(list(consumers[0].leaf_iter_vars), b))
    elif move == "inline" and not output and not stage.op.reduce_axis:
        stage.compute_inline()
    elif move == "cache_read":
        tensor = pick(list(stage.op.input_tensors), b)
        if tensor is not None:
            s.cache_read(tensor, pick(("global", "local"), c), [stage.op])
    elif move == "cache_write" and _untouched(stage):
        s.cache_write([stage.op.output(i) for i in range(stage.op.num_outputs)], pick(("global", "local"), c))
    elif move == "rfactor" and stage.op.reduce_axis and stage.op.num_outputs == 1:
        _rfactor(s, stage, c)
    elif move == "storage_align" and not output and stage.op.axis:
        stage.storage_align(pick(list(stage.op.axis), b), pick((4, 8), c), c % 3)


def _untouched(stage: Stage) -> bool:
    return len(stage.relations) == 0 and not stage.iter_var_attrs


def _rfactor(s: Schedule, stage: Stage, c: int) -> None:
    reductions = [x for x in stage.leaf_iter_vars if x.iter_type == IterVar.CommReduce]
    if not reductions or any([x in stage.iter_var_attrs for x in stage.leaf_iter_vars]):
        return
    axis = reductions[-1]
    if c % 2 and axis in stage.op.reduce_axis:
        _, axis = stage.split(axis, factor=pick((2, 3, 4), c))
    s.rfactor(stage.op.output(0), axis)


def schedule_for_gpu(s: Schedule, moves: list[Move], head: Move) -> None:
    """Tile and bind every result as ``head`` says, apply moves, then place what is left on threads of its own."""
    plan = _GpuPlan(s)
    for op in s.outputs:
        plan.bind_result(s[op], head)
    for kind, a, b, c in moves:
        plan.move(GPU_MOVES[kind % len(GPU_MOVES)], a, b, c)
    plan.finish()


class _GpuPlan:
    """The thread axes of one schedule and what still needs a place."""

    def __init__(self, s: Schedule) -> None:
        self.s = s
        self.tx = te.thread_axis("threadIdx.x")
        self.ty = te.thread_axis("threadIdx.y")
        self.extents: dict[Any, int] = {}
        self.points: list[tuple[Stage, Any]] = []  # where producers may be attached, outermost first
        self.placed: set[Any] = set()

    def bind_result(self, stage: Stage, head: Move) -> None:
        kind, a, b, c = head
        self.placed.add(stage.op)
        reductions = list(stage.op.reduce_axis)
        if reductions and kind % 5 == 0 and stage.op.num_outputs >= 1:
            self._across_threads(stage, a, b)
            return
        axes = list(stage.op.axis)
        if len(axes) >= 2 and kind % 2:
            self._tiled(stage, axes, a, b, c)
        else:
            self._flat(stage, axes, a, b, c)
        for axis in reductions:
            self.points.append((stage, axis))

    def _across_threads(self, stage: Stage, a: int, b: int) -> None:
        first, *others = stage.op.axis
        row = stage.fuse(first, *others) if others else first
        stage.bind(row, te.thread_axis("blockIdx.x"))
        threads = pick((2, 3, 4, 8, 16, 32), a)
        outer, inner = stage.split(stage.op.reduce_axis[0], factor=threads)
        if b % 2:
            rest = list(stage.op.reduce_axis[1:])
            stage.reorder(row, outer, inner, *rest) if b % 4 == 1 else None
        stage.bind(inner, self.tx)
        self.extents[self.tx] = threads
        self.points.append((stage, row))

    def _flat(self, stage: Stage, axes: list[Any], a: int, b: int, c: int) -> None:
        fused = stage.fuse(*axes) if len(axes) > 1 else axes[0]
        threads = pick((1, 4, 7, 8, 16, 32), a)
        if c % 3 == 0:
            fused, inner = stage.split(fused, factor=pick((2, 3, 4), b))
            if c % 2:
                stage.vectorize(inner)
        block, thread = stage.split(fused, factor=threads)
        if c % 4 == 1:
            virtual, block = stage.split(block, factor=pick((1, 2, 3), b))
            virtual, block = block, virtual
            stage.bind(virtual, te.thread_axis("vthread", name="vx"))
        stage.bind(block, te.thread_axis("blockIdx.x"))
        stage.bind(thread, self.tx)
        self.extents[self.tx] = threads
        self.points += [(stage, block), (stage, thread)]

    def _tiled(self, stage: Stage, axes: list[Any], a: int, b: int, c: int) -> None:
        y, x = axes[-2], axes[-1]
        ny, nx = pick((1, 2, 4, 5), a), pick((2, 3, 4, 8), b)
        by, y = stage.split(y, factor=ny * pick((1, 2, 3), c))
        bx, x = stage.split(x, factor=nx * pick((1, 2), c))
        virtual = []
        if c % 5 == 2:
            vy, y = stage.split(y, nparts=pick((1, 2, 3), c))
            virtual = [vy]
        ty, y = stage.split(y, nparts=ny) if not virtual else stage.split(y, factor=1)
        tx, x = stage.split(x, nparts=nx)
        if virtual:
            ny = 0
        stage.reorder(*axes[:-2], by, bx, *virtual, ty, tx, y, x)
        if virtual:
            stage.bind(virtual[0], te.thread_axis("vthread", name="vy"))
        stage.bind(by, te.thread_axis("blockIdx.y"))
        stage.bind(bx, te.thread_axis("blockIdx.x"))
        stage.bind(ty, self.ty)
        stage.bind(tx, self.tx)
        if len(axes) == 3:
            stage.bind(axes[0], te.thread_axis("blockIdx.z"))
        self.extents[self.tx] = nx
        self.extents[self.ty] = ny
        self.points += [(stage, bx), (stage, tx)]

    def move(self, name: str, a: int, b: int, c: int) -> None:
        s = self.s
        pending = [x for x in compute_stages(s) if x.op not in self.placed]
        stage = pick(pending, a)
        result = pick(compute_stages(s), a)
        if name == "inline" and stage is not None and not stage.op.reduce_axis:
            stage.compute_inline()
        elif name == "attach" and stage is not None:
            self._attach(stage, b)
        elif name == "cache_shared" and result is not None:
            self._cache_shared(result, b, c)
        elif name == "cache_local" and result is not None:
            self._cache_local(result, b)
        elif name == "split_reduce" and result is not None:
            self._split_reduce(result, b)
        elif name == "unroll" and result is not None:
            axis = pick(_plain(result), b)
            if axis is not None:
                result.unroll(axis)
        elif name == "vectorize" and result is not None and result.leaf_iter_vars[-1] not in self._thread_axes(result):
            _vectorize(result, c)
        elif name == "pragma" and result is not None:
            result.pragma(result.leaf_iter_vars[0], "auto_unroll_max_step", pick((4, 16), c))

    def _thread_axes(self, stage: Stage) -> list[Any]:
        return [x for x in stage.leaf_iter_vars if x in stage.iter_var_attrs]

    def _attach(self, stage: Stage, b: int) -> None:
        consumers = _consumers(self.s, stage)
        points = [p for p in self.points if len(consumers) == 1 and p[0] is consumers[0]]
        point = pick(points, b)
        if point is None:
            return
        stage.compute_at(*point)
        self.placed.add(stage.op)
        if b % 3 == 0 and point[1] not in self.extents:
            self._spread(stage)

    def _cache_shared(self, stage: Stage, b: int, c: int) -> None:
        points = [p for p in self.points if p[0] is stage]
        tensor, point = pick(list(stage.op.input_tensors), b), pick(points, c)
        if tensor is None or point is None or 0 in self.extents.values():
            return
        cached = self.s.cache_read(tensor, "shared", [stage.op])
        new = self.s[cached]
        new.compute_at(self.s[stage.op], point[1])
        self.placed.add(new.op)
        if c % 4:
            self._spread(new)
        if c % 8 == 2:
            new.storage_align(new.op.axis[0], 4, 1)
        if c % 8 == 5 and point[1] in stage.op.reduce_axis:
            new.double_buffer()

    def _spread(self, stage: Stage) -> None:
        """All threads of the block share the work of a stage."""
        if not stage.op.axis:
            return
        first, *others = stage.op.axis
        fused = stage.fuse(first, *others) if others else first
        for axis in (self.tx, self.ty):
            if self.extents.get(axis, 0) > 0:
                fused, inner = stage.split(fused, factor=self.extents[axis])
                stage.bind(inner, axis)

    def _cache_local(self, stage: Stage, b: int) -> None:
        points = [p for p in self.points if p[0] is stage]
        tensor, point = pick(list(stage.op.input_tensors), b), pick(points, b)
        if tensor is None or point is None:
            return
        cached = self.s.cache_read(tensor, "local", [stage.op])
        self.s[cached].compute_at(self.s[stage.op], point[1])
        self.placed.add(cached.op)

    def _split_reduce(self, stage: Stage, b: int) -> None:
        axis = pick([x for x in _plain(stage) if x.iter_type == IterVar.CommReduce], b)
        if axis is None or axis in [p[1] for p in self.points if p[0] is stage and p[1] is not axis]:
            return
        if any([x.attach_ivar is axis for x in self.s.stages]):
            return
        outer, inner = stage.split(axis, factor=pick((2, 3, 4), b))
        self.points = [p for p in self.points if p[1] is not axis] + [(stage, outer), (stage, inner)]

    def finish(self) -> None:
        """What was not placed gets threads of its own, as a kernel of its own."""
        for stage in compute_stages(self.s):
            if stage.op in self.placed:
                continue
            axes = list(stage.op.axis)
            untouched = [x for x in axes if x in stage.leaf_iter_vars]
            if len(untouched) != len(axes) or not axes:
                continue
            fused = stage.fuse(*axes) if len(axes) > 1 else axes[0]
            block, thread = stage.split(fused, factor=8)
            stage.bind(block, te.thread_axis("blockIdx.x"))
            stage.bind(thread, te.thread_axis("threadIdx.x"))


def results_of(args: list[Tensor]) -> list[Any]:
    """The operations whose tensors a workload returns."""
    producers = [t for t in args if isinstance(t.op, ComputeOp)]
    return list(dict.fromkeys([t.op for t in producers]))
