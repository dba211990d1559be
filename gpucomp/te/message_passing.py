"""Messages along the relations of a stage: domains go down to the leaves, indices and "
"intervals come up to the roots."""

from __future__ import annotations

from collections.abc import Mapping

from gpucomp.te.affine import Forms, Interval
from gpucomp.te.aligned import aligned_domain, aligned_value, in_row, is_whole_vectors, row_interval, row_value
from gpucomp.te.pragmas import WHOLE_TILES
from gpucomp.te.relation import Align, Fuse, Rebase, Singleton, Split
from gpucomp.te.stage import Stage
from gpucomp.te.stage_state import ceil_div
from gpucomp.tir import operators
from gpucomp.tir.expr import LT, Expr, IntImm, IterVar, Range

Domains = dict[IterVar, Range]


def pass_down_domain(stage: Stage, roots: Mapping[IterVar, Range], forms: Forms | None = None) -> Domains:
    """Domains of all axes from those of the root axes.  Axes made by relations start at zero.

    A constant factor that exceeds a constant extent shrinks to it, unless the loop is bound to a thread axis, whose
    extent is part of the launch.
    """
    doms: Domains = dict(roots)
    for rel in stage.relations:
        if isinstance(rel, Split):
            doms[rel.outer], doms[rel.inner] = _split_domain(stage, rel, doms[rel.parent].extent, forms)
        elif isinstance(rel, Fuse):
            outer = operators.cast(rel.fused.var.dtype, doms[rel.outer].extent)  # 64 bits where the product needs them
            doms[rel.fused] = Range.from_min_extent(0, operators.multiply(outer, doms[rel.inner].extent))
        elif isinstance(rel, Rebase):
            doms[rel.rebased] = Range.from_min_extent(0, doms[rel.parent].extent)
        elif isinstance(rel, Align):
            doms[rel.aligned] = aligned_domain(rel, doms[rel.parent])
        elif isinstance(rel, Singleton):
            doms[rel.iter] = Range.from_min_extent(0, 1)
    return doms


def _split_domain(stage: Stage, rel: Split, whole: Expr, forms: Forms | None) -> tuple[Range, Range]:
    if rel.factor is not None:
        inner = _shrink(stage, rel.inner, operators.cast(whole.dtype, rel.factor), whole)
        outer = _parts(whole, inner, forms)
    else:
        assert rel.nparts is not None
        outer = _shrink(stage, rel.outer, operators.cast(whole.dtype, rel.nparts), whole)
        inner = _parts(whole, outer, forms)
    return Range.from_min_extent(0, outer), Range.from_min_extent(0, inner)


def _parts(whole: Expr, part: Expr, forms: Forms | None) -> Expr:
    """whole / part, rounded up."""
    if whole is part:
        return operators.const(1, whole.dtype)
    if forms is not None and isinstance(part, IntImm) and not isinstance(whole, IntImm) and divides(forms, whole, part):
        return forms.expr(forms.floordiv(forms.of(whole), part.value, whole.dtype), whole.dtype)
    return ceil_div(whole, part)


def _shrink(stage: Stage, axis: IterVar, size: Expr, whole: Expr) -> Expr:
    if not isinstance(size, IntImm) or not isinstance(whole, IntImm) or size.value <= whole.value:
        return size
    if stage.bound_thread(axis) is not None or in_whole_parts(stage, axis):
        return size
    return operators.const(max(whole.value, 1), whole.dtype)


def in_whole_parts(stage: Stage, axis: IterVar) -> bool:
    """True for an inner loop for all of whose iterations producers are computed: the pragma ``whole_tiles``."""
    attr = stage.iter_var_attrs.get(axis)
    return attr is not None and any([kind == WHOLE_TILES for kind, *_ in attr.pragmas])


def pass_up_index(stage: Stage, doms: Domains, leaves: Mapping[IterVar, Expr]) -> dict[IterVar, Expr]:
    """Values of all axes from those of the leaves."""
    values: dict[IterVar, Expr] = dict(leaves)
    for rel in reversed(stage.relations):
        if isinstance(rel, Split):
            value = operators.add(operators.multiply(values[rel.outer], doms[rel.inner].extent), values[rel.inner])
            values[rel.parent] = operators.add(value, doms[rel.parent].min)
        elif isinstance(rel, Fuse):
            size, fused = _divisor(doms[rel.inner].extent), values[rel.fused]
            outer, inner = operators.floordiv(fused, size), operators.floormod(fused, size)
            count = doms[rel.outer].extent
            if isinstance(count, IntImm) and count.value == 1:
                outer, inner = operators.const(0, fused.dtype), fused
            values[rel.outer] = operators.add(outer, doms[rel.outer].min)
            values[rel.inner] = operators.add(inner, doms[rel.inner].min)
        elif isinstance(rel, Rebase):
            values[rel.parent] = operators.add(values[rel.rebased], doms[rel.parent].min)
    for rel in stage.relations:
        if isinstance(rel, Align):  # its parent is a root axis, and depends on the others
            values[rel.parent] = row_value(rel, doms, values)
    return values


def _divisor(extent: Expr) -> Expr:
    """What indices of a fused loop are divided by: no iteration of a loop over nothing asks for the quotient."""
    return operators.const(1, extent.dtype) if isinstance(extent, IntImm) and extent.value == 0 else extent


def pass_down_index(stage: Stage, doms: Domains, roots: Mapping[IterVar, Expr]) -> dict[IterVar, Expr]:
    """Values of all axes from those of (some of) the root axes; what depends on others is left out."""
    values: dict[IterVar, Expr] = dict(roots)
    for rel in stage.relations:
        if isinstance(rel, Split) and rel.parent in values:
            inner = doms[rel.inner].extent
            relative = operators.subtract(values[rel.parent], doms[rel.parent].min)
            values[rel.outer] = operators.floordiv(relative, inner)
            values[rel.inner] = operators.floormod(relative, inner)
        elif isinstance(rel, Fuse) and rel.outer in values and rel.inner in values:
            outer = operators.subtract(values[rel.outer], doms[rel.outer].min)
            inner = operators.subtract(values[rel.inner], doms[rel.inner].min)
            values[rel.fused] = operators.add(operators.multiply(outer, doms[rel.inner].extent), inner)
        elif isinstance(rel, Rebase) and rel.parent in values:
            values[rel.rebased] = operators.subtract(values[rel.parent], doms[rel.parent].min)
        elif isinstance(rel, Align) and all([axis in values for axis in (rel.parent, *rel.rows)]):
            values[rel.aligned] = aligned_value(rel, doms, values)
        elif isinstance(rel, Singleton):
            values[rel.iter] = operators.const(0, rel.iter.var.dtype)
    return values


def divides(forms: Forms | None, whole: Expr, part: Expr) -> bool:
    """True when ``whole`` is proven to be a multiple of ``part``."""
    if whole is part:
        return True
    if isinstance(whole, IntImm) and isinstance(part, IntImm):
        return whole.value % part.value == 0
    if forms is None or not isinstance(part, IntImm):
        return False
    form = forms.of(whole)
    return form.const % part.value == 0 and all([c % part.value == 0 for c in form.terms.values()])


def split_predicates(
    stage: Stage,
    doms: Domains,
    values: Mapping[IterVar, Expr],
    *,
    only_reduce: bool = False,
    only_data: bool = False,
    forms: Forms | None = None,
) -> list[tuple[IterVar, Expr]]:
    """Conditions under which the leaves stand for an element: one for each split that may not divide, with its axis."""
    out: list[tuple[IterVar, Expr]] = []
    covered: dict[IterVar, None] = {}  # an index past the end of these is past the end of an aligned row
    for rel in stage.relations:
        if isinstance(rel, Align):
            if is_whole_vectors(rel, doms[rel.parent]):
                continue
            covered[rel.aligned] = None
            reduces = rel.parent.iter_type == IterVar.CommReduce
            if not ((only_reduce and not reduces) or (only_data and reduces)):
                out.append((rel.parent, in_row(rel, doms, values)))
        elif isinstance(rel, Split) and rel.parent in covered:
            covered[rel.outer] = None
            continue
        if not isinstance(rel, Split) or (rel.disable_predication and not _is_part(stage, rel, doms)):
            continue
        reduces = rel.parent.iter_type == IterVar.CommReduce
        if (only_reduce and not reduces) or (only_data and reduces):
            continue
        whole, inner, outer = doms[rel.parent].extent, doms[rel.inner].extent, doms[rel.outer].extent
        if _covers_exactly(whole, outer, inner) or (rel.factor is not None and divides(forms, whole, inner)):
            continue
        relative = operators.add(operators.multiply(values[rel.outer], inner), values[rel.inner])
        if forms is not None and forms.bound(forms.of(operators.subtract(whole, relative)))[0] > 0:
            continue
        out.append((rel.parent, operators.compare(LT, relative, whole)))
    return out


def _is_part(stage: Stage, rel: Split, doms: Domains) -> bool:
    """Whether only part of an axis runs: that its whole extent divides, which its schedule says, is not enough then."""
    whole, here = stage.nominal_extents().get(rel.parent), doms[rel.parent].extent
    if isinstance(whole, IntImm) and isinstance(here, IntImm):
        return here.value != whole.value
    return here is not whole


def _covers_exactly(whole: Expr, outer: Expr, inner: Expr) -> bool:
    if isinstance(outer, IntImm) and isinstance(inner, IntImm) and isinstance(whole, IntImm):
        return outer.value * inner.value == whole.value
    one_part = isinstance(outer, IntImm) and outer.value == 1 and whole is inner
    return one_part or (isinstance(inner, IntImm) and inner.value == 1 and whole is outer)


def pass_up_interval(
    stage: Stage,
    doms: Domains,
    leaves: Mapping[IterVar, Interval],
    forms: Forms,
    cut: dict[IterVar, None],
) -> dict[IterVar, Interval]:
    """Intervals of all axes while the leaves run over theirs.

    ``cut`` receives the axes whose last part, run in full, would reach past their domain: their interval stops there,
    unless the pragma ``whole_tiles`` is on the inner loop.
    """
    out: dict[IterVar, Interval] = dict(leaves)
    for rel in reversed(stage.relations):
        if isinstance(rel, Split):
            closed = None if in_whole_parts(stage, rel.inner) else cut
            out[rel.parent] = _up_split(rel, doms, out[rel.outer], out[rel.inner], forms, closed)
        elif isinstance(rel, Fuse):
            out[rel.outer], out[rel.inner] = _up_fuse(rel, doms, out[rel.fused], forms)
        elif isinstance(rel, Rebase):
            up = out[rel.rebased]
            out[rel.parent] = Interval(up.low.plus(forms.of(doms[rel.parent].min)), up.width)
    for rel in stage.relations:
        if isinstance(rel, Align):
            out[rel.parent] = _up_align(rel, doms, out, forms, cut)
    return out


def _up_align(
    rel: Align, doms: Domains, found: Mapping[IterVar, Interval], forms: Forms, cut: dict[IterVar, None]
) -> Interval:
    if _is_full(found[rel.aligned], doms[rel.aligned], forms):
        cut[rel.parent] = None
        return forms.box(doms[rel.parent].min, doms[rel.parent].extent)
    return row_interval(rel, doms, found, forms)


def _is_full(x: Interval, dom: Range, forms: Forms) -> bool:
    return x.low.value() == 0 and x.width.same(forms.of(dom.extent).shifted(-1))


def _up_split(
    rel: Split, doms: Domains, outer: Interval, inner: Interval, forms: Forms, cut: dict[IterVar, None] | None
) -> Interval:
    whole = forms.box(doms[rel.parent].min, doms[rel.parent].extent)
    full = _is_full(outer, doms[rel.outer], forms) and _is_full(inner, doms[rel.inner], forms)
    if full and cut is not None:
        cut[rel.parent] = None
        return whole
    factor = doms[rel.inner].extent
    low = forms.times(outer.low, factor).plus(inner.low).plus(whole.low)
    return Interval(low, forms.times(outer.width, factor).plus(inner.width))


def _up_fuse(rel: Fuse, doms: Domains, fused: Interval, forms: Forms) -> tuple[Interval, Interval]:
    outer_dom, inner_dom = doms[rel.outer], doms[rel.inner]
    full = forms.box(outer_dom.min, outer_dom.extent), forms.box(inner_dom.min, inner_dom.extent)
    if _is_full(fused, doms[rel.fused], forms):
        return full
    size, dtype = inner_dom.extent, rel.fused.var.dtype
    if isinstance(size, IntImm) and size.value:
        a, b = forms.divide(fused, size.value, dtype), forms.remainder(fused, size.value, dtype)
    elif not isinstance(size, IntImm) and fused.width.value() == 0:
        value = forms.expr(fused.low, dtype)
        a, b = forms.point(operators.floordiv(value, size)), forms.point(operators.floormod(value, size))
    else:
        return full
    return (
        Interval(a.low.plus(full[0].low), a.width),
        Interval(b.low.plus(full[1].low), b.width),
    )
