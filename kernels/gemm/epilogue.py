"""What follows a matrix product elementwise: bias, activation, residual, conversion; computed where it is stored.

A definition whose output is not the reduction itself has the product among its intermediates.  Schedules of products
keep it in registers and compute the rest where a thread stores its elements: one kernel, and no pass over memory.
"""

from __future__ import annotations

from gpucomp.kernels.registry import Definition, is_reduction
from gpucomp.te import Schedule, Stage, Tensor
from gpucomp.tir.expr import IterVar


def product_of(defn: Definition) -> Tensor:
    """The tensor of a definition that is the product: its output, or the one intermediate that is a reduction."""
    return next(tensor for tensor in (*defn.intermediates, *defn.outputs) if is_reduction(tensor))


def accumulator(s: Schedule, defn: Definition, scope: str = "local") -> Tensor:
    """The tensor, in registers or ``scope``, in which sums are kept: the product itself where something follows it."""
    product, out = product_of(defn), defn.outputs[0]
    if product is out:
        made: Tensor = s.cache_write(out, scope)
        return made
    s[product].set_scope(scope)
    return product


def inline_epilogue(s: Schedule, defn: Definition) -> None:
    """Inline what stands between the product and the output."""
    product = product_of(defn)
    for tensor in defn.intermediates:
        if tensor is not product:
            s[tensor].compute_inline()


def add_in_order(s: Schedule, total: Tensor, stage: Stage, at: IterVar) -> None:
    """Add up the parts of a sum, one after the other, for all elements that ``stage`` stores inside of ``at``."""
    summed = s[total]
    summed.compute_at(stage, at)
    (part,) = summed.op.reduce_axis
    summed.reorder(part, *summed.op.axis)
    summed.unroll(part)
