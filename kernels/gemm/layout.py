"""How the operands of a product are stored."""

from __future__ import annotations

from dataclasses import dataclass

from gpucomp import te
from gpucomp.kernels.gemm.epilogue import product_of
from gpucomp.kernels.registry import Definition, extent
from gpucomp.tir.expr import ProducerLoad, Reduce
from gpucomp.tir.functor import expr_post_order


@dataclass(frozen=True)
class Operands:
    """Extents of a product and how its operands are stored.

    Attributes:
        m, n, k: extents; None where symbolic.
        transpose_a, transpose_b: the first operand is stored (K, M), the second one (N, K).
        batch: number of products: 1 where there is no axis of them, None where symbolic.
        batched: there is a leading axis of products.
        whole: both operands are stored along rows that allow copies of 8 bytes at least.
    """

    m: int | None
    n: int | None
    k: int | None
    transpose_a: bool
    transpose_b: bool
    batch: int | None
    batched: bool
    whole: bool = False

    @property
    def a_along_k(self) -> bool:
        """Neighbours of the first operand in memory are neighbours in k."""
        return not self.transpose_a

    @property
    def b_along_k(self) -> bool:
        """Neighbours of the second operand in memory are neighbours in k."""
        return self.transpose_b

    @property
    def padded(self) -> int:
        """How many operands are stored along k: their slabs are transposed, and need padding."""
        return int(self.a_along_k) + int(self.b_along_k)


def operands_of(defn: Definition) -> Operands:
    """The layout of a definition, from the indices of its product."""
    a, b = defn.inputs[:2]
    product = product_of(defn)
    op = product.op
    assert isinstance(op, te.ComputeOp)
    (body,) = op.body
    assert isinstance(body, Reduce)
    k = body.axis[0].var
    along_k = {
        load.producer: load.indices[-1] is k
        for node in body.source
        for load in expr_post_order(node)
        if isinstance(load, ProducerLoad)
    }
    *batch, m, n = [extent(size) for size in product.shape]
    depth = extent(a.shape[-1 if along_k[a] else -2])
    whole = all([not along_k[x] and (extent(x.shape[-1]) or 1) % 2 == 0 for x in (a, b)])
    return Operands(m, n, depth, not along_k[a], along_k[b], batch[0] if batch else 1, bool(batch), whole)
