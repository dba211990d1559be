"""How the axes of a stage derive from each other."""

from __future__ import annotations

from gpucomp.ir.node import Node
from gpucomp.tir.expr import Expr, IterVar


class IterVarRelation(Node):
    """Base of relations between axes.  Compares by identity."""

    __hash__ = object.__hash__


class Split(IterVarRelation):
    """``parent = outer * extent(inner) + inner``; one of ``factor`` (extent of inner) and ``nparts`` is given."""

    parent: IterVar
    outer: IterVar
    inner: IterVar
    factor: Expr | None
    nparts: Expr | None
    disable_predication: bool = False


class Fuse(IterVarRelation):
    """``fused = outer * extent(inner) + inner``."""

    outer: IterVar
    inner: IterVar
    fused: IterVar


class Rebase(IterVarRelation):
    """``parent = rebased + min(parent)``: a root axis whose inferred domain does not start at zero."""

    parent: IterVar
    rebased: IterVar


class Align(IterVarRelation):
    """``parent = aligned - start % lanes``, where ``start`` is the place in memory of the first element of the row.

    ``rows`` are the other axes of the row-major array, outermost first.
    """

    parent: IterVar
    aligned: IterVar
    lanes: int
    rows: tuple[IterVar, ...]


class Singleton(IterVarRelation):
    """An axis of extent 1 that no other axis depends on: the loop of a scalar."""

    iter: IterVar


def parents_of(relation: IterVarRelation) -> tuple[IterVar, ...]:
    """The axes that a relation consumes."""
    if isinstance(relation, (Split, Rebase, Align)):
        return (relation.parent,)
    if isinstance(relation, Fuse):
        return (relation.outer, relation.inner)
    return ()


def children_of(relation: IterVarRelation) -> tuple[IterVar, ...]:
    """The axes that a relation makes."""
    if isinstance(relation, Split):
        return (relation.outer, relation.inner)
    if isinstance(relation, Fuse):
        return (relation.fused,)
    if isinstance(relation, Align):
        return (relation.aligned,)
    return (
        (relation.rebased,)
        if isinstance(relation, Rebase)
        else (relation.iter,)
        if isinstance(relation, Singleton)
        else ()
    )
