"""What a device must have for thread block clusters, and how large they may be."""

from __future__ import annotations

from typing import Final

from gpucomp.support.diagnostics import LowerError
from gpucomp.tir import stmt as s
from gpucomp.tir.expr import Expr, IntImm, IterVar
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import stmt_children
from gpucomp.tir.stmt import Stmt

CLUSTER_TAG: Final = "clusterIdx.x"
_PORTABLE: Final = 8


def verify_clusters(func: PrimFunc) -> bool:
    """Check the axes ``clusterIdx.x`` of a function against its target.

    Args:
        func: in buffer form, flat form or device form; without the attribute ``target``, or for a processor, where
            the blocks of a cluster are loops, nothing is asked.

    Returns:
        True.

    Raises:
        LowerError: GC315 the target has no clusters; the extent is no constant power of two, or larger than allowed.
    """
    target = func.attrs.get("target")
    if target is None or not getattr(target, "is_gpu", False):
        return True
    stack: list[Stmt] = [func.body]
    while stack:
        node = stack.pop()
        if isinstance(node, s.AttrStmt) and node.attr_key == "thread_extent" and isinstance(node.node, IterVar):
            _check(node, node.node, node.value, target)
        stack += [child for child in reversed(stmt_children(node)) if isinstance(child, Stmt)]
    return True


def _check(node: s.AttrStmt, axis: IterVar, extent: Expr, target: object) -> None:
    if axis.thread_tag != CLUSTER_TAG or (isinstance(extent, IntImm) and extent.value == 1):
        return
    if "cluster" not in getattr(target, "features", ()):
        raise LowerError(
            f"{CLUSTER_TAG} needs thread block clusters, which {target} does not have",
            code="GC315",
            where=node.span,
            hint="build for sm_90 or later, or bind the axis to threadIdx",
        )
    most = getattr(target, "limits", {}).get("max_cluster_size", _PORTABLE)
    if not isinstance(extent, IntImm):
        raise LowerError(
            f"the extent {extent} of {CLUSTER_TAG} is no constant",
            code="GC315",
            where=node.span,
            hint=f"split by a constant factor of at most {most}, and bind that part",
        )
    size = extent.value
    if size > most or size & (size - 1):
        raise LowerError(
            f"a cluster of {size} blocks asked, but clusters have a power of two, {most} at most",
            code="GC315",
            where=node.span,
            hint=f"split the axis bound to {CLUSTER_TAG} by {most} at most, a power of two",
        )
