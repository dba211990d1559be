"""Elements of tiles that a warp holds in registers, read one by one.

A stage may read single elements of a tensor in the scope "mma.frag.c" where each thread reads only what it holds
itself: its loops over rows and columns are split, and bound to threadIdx.x, as the fragment is laid out.  The index of
such a load names the tile and the thread's own element of it (see :mod:`gpucomp.transform.fragments`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gpucomp.arith import Analyzer
from gpucomp.te.errors import schedule_error
from gpucomp.te.stage import Stage
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm, ProducerLoad, Range, Var
from gpucomp.tir.fragments import FRAGMENTS, SCOPES, TILE, WARP
from gpucomp.tir.functor import Mutator, ordered_vars

if TYPE_CHECKING:
    from gpucomp.te.schedule_ops import Builder

LANES = "threadIdx.x"


def own_elements(builder: Builder, stage: Stage, values: list[Expr]) -> list[Expr]:
    """Values with their loads of fragments as loads of the thread's own registers.

    Raises:
        ScheduleError: GC159 a thread would need elements that other threads hold.
    """
    if stage.is_tensorized:
        return values
    if builder.bounds.scopes[stage] in SCOPES:
        refuse_fragments(builder, stage)
    if not any([builder.scope_of(t) in SCOPES for t in stage.op.input_tensors]):
        return values
    reads = _Reads(builder, stage)
    return [reads.expr(value) for value in values]


def refuse_fragments(builder: Builder, stage: Stage) -> None:
    """Raise for a stage whose loops, element by element, would write tiles of fragments, or add up what they hold.

    Raises:
        ScheduleError: GC159.
    """
    tensors = [t for t in (*stage.op.outputs, *stage.op.input_tensors) if builder.scope_of(t) in SCOPES]
    if not tensors or stage.is_tensorized:
        return
    scope = builder.scope_of(tensors[0])
    raise schedule_error(
        "GC159",
        f"stage {stage.name} computes element by element with {tensors[0].name}, which the threads of a warp hold in "
        f"registers together, in {scope} memory",
        stage=stage,
        where=stage.span,
        hint="tensorize it: te.mma.ldmatrix_a(), ldmatrix_b(), mma_m16n8k16() or mma_store()",
    )


class _Reads(Mutator):
    def __init__(self, builder: Builder, stage: Stage) -> None:
        super().__init__()
        self.builder, self.stage = builder, stage
        use = builder.bounds.kernels[builder.bounds.root_of(stage)].get(LANES)
        whole = use is not None and isinstance(use.extent, IntImm) and use.extent.value == WARP
        self.lane: Var | None = use.axis.var if use is not None and whole else None

    def _known(self, *indices: Expr) -> Analyzer:
        """What knows the ranges of the variables of some indices."""
        analyzer = Analyzer()
        ranges = self.builder.bounds.forms.ranges
        for var in ordered_vars(*indices):
            low, high = ranges.get(var, (-math.inf, math.inf))
            if math.isfinite(low) and math.isfinite(high):
                analyzer.bind(var, Range.from_min_extent(int(low), int(high - low) + 1))
        return analyzer

    def visit_producer_load(self, node: ProducerLoad) -> Expr:
        scope = self.builder.scope_of(node.producer)
        if scope not in SCOPES:
            return self.visit_expr(node)
        *outer, row, column = node.indices
        *_, low_row, low_column = [self.builder.bounds.doms[axis].min for axis in node.producer.op.region_axis]
        analyzer = self._known(row, column, low_row, low_column)
        places = [analyzer.simplify(operators.subtract(i, low)) for i, low in ((row, low_row), (column, low_column))]
        lane, element = FRAGMENTS[scope[-1]].holder(places[0], places[1])
        if scope != SCOPES[2] or self.lane is None or not analyzer.can_prove_equal(lane, self.lane):
            raise schedule_error(
                "GC159",
                f"stage {self.stage.name} reads element ({row}, {column}) of {node.producer.name}, which thread "
                f"{analyzer.simplify(lane)} of a warp holds in registers in {scope} memory",
                stage=self.stage,
                where=self.stage.span,
                hint="tensorize the stage by te.mma.mma_store(), or split its loops by te.mma.own_elements(...)",
            )
        inside = [operators.floormod(place, TILE) for place in places]
        first = operators.subtract(row, inside[0])
        own = operators.add(operators.subtract(column, inside[1]), element)
        return ProducerLoad(node.producer, (*outer, analyzer.simplify(first), analyzer.simplify(own)))
