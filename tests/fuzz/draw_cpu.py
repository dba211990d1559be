"""Random schedules without threads."""

from __future__ import annotations

from typing import Final

from gpucomp.te import AttachType, Schedule, Stage
from gpucomp.tir.expr import IterVar
from tests.fuzz.moves import Move, Moves, pick, weighted

NAMES: Final = weighted({
    "split": 4, "tile": 3, "fuse": 4, "fuse_nothing": 2, "reorder": 4, "unroll": 4, "vectorize": 4, "parallel": 6,
    "pragma": 3, "compute_at": 10, "compute_root": 4, "compute_inline": 4, "cache_read": 3, "cache_write": 3,
    "rfactor": 7, "set_scope": 6, "storage_align": 4, "storage_swizzle": 4, "align": 4, "reindex_cache_read": 4,
    "double_buffer": 5, "set_store_predicate": 3,
    "prefetch": 4, "script_loop": 3, "rolling_buffer": 16, "transform_layout": 6, "create_group": 5, "tensorize": 9,
})  # fmt: skip


def schedule_for_cpu(s: Schedule, moves: list[Move]) -> CpuMoves:
    """Apply moves that need no threads."""
    plan = CpuMoves(s, NAMES)
    for move in moves:
        plan.apply(move)
    return plan


class CpuMoves(Moves):
    """Moves on loops that one processor runs."""

    def _parallel(self, a: int, b: int, c: int) -> None:
        stage = self.some(self._outermost, a)
        if stage and stage.leaf_iter_vars:
            stage.parallel(stage.leaf_iter_vars[0] if c % 4 else pick(stage.leaf_iter_vars, b))

    def _outermost(self, stage: Stage) -> bool:
        free = self.free(stage, reduce=False)
        return bool(free) and free[0] is stage.leaf_iter_vars[0] and stage.attach_type == AttachType.GROUP_ROOT

    def _compute_at(self, a: int, b: int, c: int) -> None:
        stage = self.some(self._one_reader, a)
        consumer = stage and pick(self.consumers(stage), c)
        if not consumer:
            return
        axes = [x for x in consumer.leaf_iter_vars if self.wild or _is_scalar(consumer, x)]
        if axes:
            stage.compute_at(consumer, pick(axes, b))

    def _one_reader(self, stage: Stage) -> bool:
        readers = self.consumers(stage)
        return (
            self.inner(stage)
            and not self.opaque(stage)
            and len(readers) == 1
            and stage.group in (None, readers[0].group)
        )

    def _compute_root(self, a: int, b: int, c: int) -> None:
        stage = self.some(lambda x: x.attach_type == AttachType.SCOPE, a) or self.some(_may_leave, a)
        if stage:
            stage.compute_root()

    def _set_scope(self, a: int, b: int, c: int) -> None:
        stage = self.some(self.inner, a)
        if stage:
            stage.set_scope(pick(("global", "local", "shared", "warp"), c))


def _may_leave(stage: Stage) -> bool:
    return stage.attach_type in (AttachType.GROUP_ROOT, AttachType.INLINE)


def _is_scalar(stage: Stage, axis: IterVar) -> bool:
    """Whether a stage may be computed inside of a loop: it is no vector lane."""
    attr = stage.iter_var_attrs.get(axis)
    return attr is None or attr.kind != "vectorize"
