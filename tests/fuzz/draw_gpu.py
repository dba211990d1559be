"""Random schedules of kernels: results are tiled and bound first, other stages placed by moves or left for last."""

from __future__ import annotations

from typing import Any, Final  # Any: axes and tensors

from gpucomp import te
from gpucomp.te import AttachType, Schedule, Stage
from gpucomp.te.group import Group
from gpucomp.te.hybrid.op import HybridOp
from gpucomp.tir.expr import IterVar
from tests.fuzz.moves import Move, Moves, pick, reduction, weighted

NAMES: Final = weighted({
    "attach": 8, "compute_inline": 2, "cache_shared": 6, "cache_local": 4, "cache_warp": 3, "split": 3, "fuse": 2,
    "reorder": 3, "tile": 1, "unroll": 4, "vectorize": 4, "pragma": 3, "storage_align": 3, "double_buffer": 4,
    "set_scope": 4, "compute_root": 3, "rfactor": 2, "cache_write": 2, "set_store_predicate": 4, "fuse_nothing": 1,
    "rebind": 1, "prefetch": 2, "transform_layout": 3, "create_group": 3, "tensorize": 2,
    "storage_swizzle": 4, "align": 2, "reindex_cache_read": 2, "pipeline": 4,
})  # fmt: skip


def schedule_for_gpu(s: Schedule, moves: list[Move], head: Move) -> GpuMoves:
    """Tile and bind every result as ``head`` says, apply moves, then place what is left on threads of its own."""
    plan = GpuMoves(s, NAMES)
    for op in s.outputs:
        plan.bind_result(s[op], head)
    for move in moves:
        plan.apply(move)
    plan.finish()
    return plan


class GpuMoves(Moves):
    """The thread axes of one schedule, what is bound to them, and what still needs a place."""

    def __init__(self, s: Schedule, names: tuple[str, ...]) -> None:
        super().__init__(s, names)
        self.tx = te.thread_axis("threadIdx.x")
        self.ty = te.thread_axis("threadIdx.y")
        self.extents: dict[Any, int] = {}
        self.placed: set[Any] = set()

    # -- results --------------------------------------------------------------------------------------------------

    def bind_result(self, stage: Stage, head: Move) -> None:
        """Tile the loops of a result and bind them."""
        kind, a, b, _ = head
        if isinstance(stage.op, HybridOp):
            return  # see finish
        if isinstance(stage.op, te.ScanOp):
            self._steps(stage, stage.op, head)
            return
        reductions = list(stage.op.reduce_axis)
        whole = reduction(stage)
        if whole is not None and kind % 7 == 0 and not whole.init and stage.op.num_outputs == 1:
            self._factored(stage, a, b)
            return
        if kind % 7 == 1:
            tensors = list(stage.op.outputs)
            cached = self.s.cache_write(tensors if len(tensors) > 1 else tensors[0], pick(("local", "shared"), b))
            self._tile_or_flatten(stage, head)
            inside = self.s[cached[0] if isinstance(cached, list) else cached]
            inside.compute_at(stage, pick(self._points(stage), a))
            self.placed.add(inside)
            return
        self.placed.add(stage)
        if kind % 7 == 2:
            self._enclosed(stage, a, b)
            return
        if reductions and kind % 5 == 0:
            self._across_threads(stage, a, b)
            return
        self._tile_or_flatten(stage, head)

    def _steps(self, stage: Stage, scan: te.ScanOp, head: Move) -> None:
        """Threads for what a recurrence starts with and for its step, in one kernel for all steps or one for each."""
        kind, a, b, _ = head
        parts = [self.s[t] for t in (*scan.init, *scan.update)]
        if kind % 3 == 0 and len(parts) == 2:
            nt, nb = pick((2, 4, 8), a), pick((1, 2), b)
            threads, blocks = te.thread_axis((0, nt), "threadIdx.x"), te.thread_axis((0, nb), "blockIdx.x")
            for part in parts:
                rest = list(part.op.axis[1:])
                columns = part.fuse(*rest) if len(rest) > 1 else rest[0]
                outer, inner = part.split(columns, factor=nt)
                part.bind(inner, threads)
                part.bind(part.split(outer, nparts=nb)[0], blocks)
            stage.env_threads([blocks, threads])
            self.placed |= set(parts)
            self.tx = threads
            return
        if kind % 3 == 1:
            for part in parts:
                self._flat(part, list(part.op.axis[1:]), a, b, 1)
                self.placed.add(part)

    def _tile_or_flatten(self, stage: Stage, head: Move) -> None:
        kind, a, b, c = head
        self.placed.add(stage)
        axes = list(stage.op.axis)
        if len(axes) >= 2 and kind % 2:
            self._tiled(stage, axes, a, b, c)
        else:
            self._flat(stage, axes, a, b, c)

    def _factored(self, stage: Stage, a: int, b: int) -> None:
        """Partial results by the threads of a block, then their combination across them."""
        threads = pick((2, 3, 4, 8, 16), a)
        first = stage.op.reduce_axis[0]
        split = stage.split(first, factor=threads) if b % 2 else stage.split(first, nparts=threads)
        factor = self.s.rfactor(stage.op.output(0), split[1 if b % 2 else 0])
        axes = list(stage.op.axis)
        stage.bind(stage.fuse(*axes) if len(axes) > 1 else axes[0], te.thread_axis("blockIdx.x"))
        [last] = stage.op.reduce_axis
        stage.bind(last, self.tx)
        self.extents[self.tx] = threads
        self.s[factor].compute_at(stage, last)
        if b % 4 < 2:
            stage.set_store_predicate(self.tx.var.equal(0))
        self.placed |= {stage, self.s[factor]}

    def _across_threads(self, stage: Stage, a: int, b: int) -> None:
        first, *others = stage.op.axis
        row = stage.fuse(first, *others) if others else first
        stage.bind(row, te.thread_axis("blockIdx.x"))
        threads = pick((2, 3, 4, 8, 16, 32), a)
        outer, inner = stage.split(stage.op.reduce_axis[0], factor=threads)
        if b % 4 == 1:
            stage.reorder(row, outer, inner, *stage.op.reduce_axis[1:])
        stage.bind(inner, self.tx)
        self.extents[self.tx] = threads
        if b % 8 == 3:
            stage.set_store_predicate(self.tx.var.equal(0))

    def _enclosed(self, stage: Stage, a: int, b: int) -> None:
        """Threads around the nest, which stages attached inside share; the stage itself is one thread's work."""
        threads = pick((1, 4, 8, 16), a)
        axis = te.thread_axis((0, threads), "threadIdx.x")
        stage.env_threads([te.thread_axis((0, pick((1, 2), b)), "blockIdx.x"), axis])
        self.tx = te.thread_axis("threadIdx.x") if b % 3 else axis
        self.extents[self.tx] = threads

    def _flat(self, stage: Stage, axes: list[Any], a: int, b: int, c: int) -> None:
        fused = stage.fuse(*axes) if len(axes) > 1 else axes[0]
        threads = pick((1, 4, 7, 8, 16, 32), a)
        if c % 3 == 0:
            fused, inner = stage.split(fused, factor=pick((2, 3, 4), b))
            if c % 2 and not stage.op.reduce_axis:
                stage.vectorize(inner)
        block, thread = stage.split(fused, factor=threads)
        if c % 4 == 1:
            block, virtual = stage.split(block, factor=pick((1, 2, 3), b))
            stage.bind(virtual, te.thread_axis("vthread", name="vx"))
        stage.bind(block, te.thread_axis("blockIdx.x"))
        stage.bind(thread, self.tx)
        self.extents[self.tx] = threads

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
            ny = 0  # not known here: the threads that share the work of a copy are then those of x
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

    # -- moves ----------------------------------------------------------------------------------------------------

    def _points(self, stage: Stage) -> list[IterVar]:
        """Loops inside of which a producer may be computed: those from the last block axis inwards."""
        leaves = list(stage.leaf_iter_vars)
        tags = [t.thread_tag if (t := stage.bound_thread(x)) is not None else "" for x in leaves]
        blocks = [i for i, tag in enumerate(tags) if tag.startswith("blockIdx")]
        first = max(blocks, default=0)
        attrs = stage.iter_var_attrs
        return [x for x in leaves[first:] if x not in attrs or attrs[x].kind != "vectorize"] or leaves

    def _pending(self, stage: Stage) -> bool:
        return stage not in self.placed

    def _attach(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: self._pending(x) and self._one_placed(x), a)
        consumer = stage and pick(self.consumers(stage), c)
        if not consumer or (not self.inner(stage) and not self.wild):
            return
        point = pick(self._points(consumer), b)
        if point is None:
            return
        stage.compute_at(consumer, point)
        self.placed.add(stage)
        thread = consumer.bound_thread(point)
        block = thread is not None and thread.thread_tag.startswith("blockIdx")
        if block and b % 3 and not self._in_kernel(consumer) and self._is_plain(stage):
            self._spread(stage)

    def _one_placed(self, stage: Stage) -> bool:
        consumers = self.consumers(stage)
        inside = len(consumers) == 1 and not self.opaque(stage) and consumers[0] in self.placed
        return self.inner(stage) and inside and stage.group in (None, consumers[0].group)

    def _in_kernel(self, stage: Stage) -> bool:
        """Whether a stage is computed inside of another one."""
        return stage.attach_type == AttachType.SCOPE

    def _is_plain(self, stage: Stage) -> bool:
        return self.untouched(stage) and 0 not in self.extents.values()

    def _cache_shared(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: x in self.placed and not self._in_kernel(x) and x.op.input_tensors, a)
        tensor = stage and pick(stage.op.input_tensors, b)
        point = stage and pick(self._points(stage), c)
        if tensor is None or point is None or 0 in self.extents.values():
            return
        new = self.s[self.s.cache_read(tensor, "shared", [stage.op])]
        new.compute_at(self.s[stage.op], point)
        self.placed.add(new)
        if c % 4:
            self._spread(new)
        if c % 8 == 5:
            new.double_buffer()

    def _pipeline(self, a: int, b: int, c: int) -> None:
        """Copies into shared memory within a loop of a reduction, loaded iterations ahead."""
        stage = self.some(lambda x: x in self.placed and x.op.input_tensors and self._sums(x), a)
        loop = stage and pick(self._sums(stage), b)
        if loop is None or 0 in self.extents.values():
            return
        outer, _ = stage.split(loop, factor=pick((2, 4, 8), c))
        for tensor in stage.op.input_tensors[: 1 + c % 2]:
            new = self.s[self.s.cache_read(tensor, "shared", [stage.op])]
            new.compute_at(self.s[stage.op], outer)
            self.placed.add(new)
            self._spread(new)
        stage.pragma(outer, "software_pipeline", 2 + c % 3)
        if c % 5 == 1:
            stage.pragma(outer, "predicate_copies")

    def _sums(self, stage: Stage) -> list[IterVar]:
        return [x for x in self.free(stage) if x.iter_type == IterVar.CommReduce]

    def _spread(self, stage: Stage, among: tuple[IterVar, ...] = ()) -> None:
        """All threads of the block, or those of some axes of it, share the work of a stage."""
        if not stage.op.axis:
            return
        first, *others = stage.op.axis
        fused = stage.fuse(first, *others) if others else first
        for axis in among or (self.tx, self.ty):
            if self.extents.get(axis, 0) > 0:
                fused, inner = stage.split(fused, factor=self.extents[axis])
                stage.bind(inner, axis)

    def _cache_warp(self, a: int, b: int, c: int) -> None:
        """Copy an input into memory that the threads of one threadIdx.x share."""
        stage = self.some(lambda x: x in self.placed and not self._in_kernel(x) and x.op.input_tensors, a)
        tensor = stage and pick(stage.op.input_tensors, b)
        point = stage and pick(self._points(stage), c)
        if tensor is None or point is None:
            return
        new = self.s[self.s.cache_read(tensor, "warp", [stage.op])]
        new.compute_at(self.s[stage.op], point)
        self.placed.add(new)
        if c % 4:
            self._spread(new, (self.tx,))

    def _cache_local(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: x in self.placed and x.op.input_tensors, a)
        tensor = stage and pick(stage.op.input_tensors, b)
        point = stage and pick(self._points(stage), b)
        if tensor is None or point is None:
            return
        new = self.s[self.s.cache_read(tensor, "local", [stage.op])]
        new.compute_at(self.s[stage.op], point)
        self.placed.add(new)

    def cache_scope(self, c: int) -> str:
        return "global"

    def untouched(self, stage: Stage) -> bool:
        return super().untouched(stage) and (self.wild or stage not in self.placed)

    def factorable(self, stage: Stage) -> bool:
        return super().factorable(stage) and (self.wild or stage not in self.placed)

    def _set_scope(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: self.inner(x) and x.attach_type == AttachType.SCOPE, a)
        if stage:
            stage.set_scope(stage.scope or pick(("shared", "local", "warp"), c))

    def _compute_root(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: x.attach_type == AttachType.SCOPE and self.untouched_axes(x) and not x.scope, a)
        if stage:
            stage.compute_root()
            self.placed.discard(stage)

    def untouched_axes(self, stage: Stage) -> bool:
        """Whether its loops are as they were made."""
        return Moves.untouched(self, stage)

    def _set_store_predicate(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: x in self.placed and not x.op.reduce_axis, a)
        if stage:
            fresh = te.thread_axis("threadIdx.x") if c % 4 < 2 else self.tx
            stage.set_store_predicate(fresh.var >= 0 if c % 2 and self._is_bound(stage) else self.always(stage, b))

    def _is_bound(self, stage: Stage) -> bool:
        return any([stage.bound_thread(x) is self.tx for x in stage.leaf_iter_vars])

    def _rebind(self, a: int, b: int, c: int) -> None:
        """Bind an axis again, to a fresh axis of the same tag: the last one wins."""
        stage = self.some(lambda x: x in self.placed and self._is_bound(x), a)
        for leaf in stage.leaf_iter_vars if stage else ():
            if stage.bound_thread(leaf) is self.tx:
                stage.bind(leaf, te.thread_axis("threadIdx.x"))
                break

    def groupable(self, stage: Stage) -> bool:
        return super().groupable(stage) and (self.wild or stage not in self.placed)

    def group_at(self, group: Group, stage: Stage, b: int, c: int) -> None:
        consumers = self.consumers(stage)
        points = self._points(consumers[0]) if len(consumers) == 1 and consumers[0] in self.placed else []
        members = [x for x in group.stages if x not in self.placed]
        if c % 5 and points and len(members) == len(group.stages):
            group.compute_at(consumers[0], pick(points, b))
            self.placed |= set(members)

    # -- the rest -------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """What was not placed gets threads of its own, as a kernel of its own."""
        for stage, op in self.scripts():
            block, thread = stage.split(op.axis[0], factor=4)
            stage.bind(block, te.thread_axis("blockIdx.x"))
            stage.bind(thread, te.thread_axis("threadIdx.x"))
        for stage in self.stages():
            if stage in self.placed:
                continue
            outer = self.free(stage, reduce=False)
            front = []
            for leaf in stage.leaf_iter_vars:
                if not any([leaf is x for x in outer]):
                    break
                front.append(leaf)
            if not front:
                axis = stage.fuse()
                stage.bind(axis, te.thread_axis("threadIdx.x"))
                continue
            fused = stage.fuse(*front) if len(front) > 1 else front[0]
            block, thread = stage.split(fused, factor=8)
            stage.bind(block, te.thread_axis("blockIdx.x"))
            stage.bind(thread, te.thread_axis("threadIdx.x"))
