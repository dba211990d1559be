"""The plan of a convolution: of all that there are, the fastest by their models."""

from __future__ import annotations

import math
from typing import Final

from gpucomp.kernels.convolution import plans as whole
from gpucomp.kernels.convolution import sliced_plans
from gpucomp.kernels.convolution.compute import ConvolutionDefinition
from gpucomp.kernels.convolution.plans import SPLIT_GAIN, Plan, sizes_of
from gpucomp.kernels.convolution.problem import Convolution
from gpucomp.target import Target

SLICED_GAIN: Final = 0.92  # of the time: the two models do not know each other better


def choose_plan(defn: ConvolutionDefinition, target: Target) -> Plan | None:
    """The fastest plan by the models; None where implicit GEMM is not for the convolution.

    It is for float32 of known extents, no smaller than a tile, on CUDA devices since sm_80.
    """
    return choose(defn.problem, str(defn.inputs[0].dtype), target)


def choose(conv: Convolution, dtype: str, target: Target) -> Plan | None:
    """The same for inputs of ``dtype``."""
    if not whole.takes(dtype, target):
        return None
    one = min(
        whole.plans(conv, target), key=lambda p: p.microseconds * (SPLIT_GAIN if p.parts == 1 else 1.0), default=None
    )
    sliced = min(sliced_plans.plans(conv, target), key=lambda p: p.microseconds, default=None)
    if sliced is None or (one is not None and sliced.microseconds > SLICED_GAIN * one.microseconds):
        return one
    return sliced


def microseconds(conv: Convolution, target: Target) -> float:
    """What the sum takes by the models; infinite where they have no tile for it."""
    found = [*whole.plans(conv, target), *sliced_plans.plans(conv, target)]
    return min([p.microseconds for p in found], default=math.inf)


def packs(conv: Convolution, dtype: str, target: Target) -> bool:
    """Whether filters are first brought into an order in which four of them are a vector.

    It pays where they are no multiple of four, and would be copied one by one, and there are several taps: those that
    have them last are brought into the order of slabs anyway, and those of single taps are soon read.
    """
    sizes = sizes_of(conv)
    if sizes is None or conv.groups > 1 or conv.transposed or sizes.filters % 4 == 0 or sizes.taps == 1:
        return False
    plan = choose(conv, dtype, target)
    return plan is not None and (plan.repacked or not plan.sliced)
