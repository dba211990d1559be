"""Reductions in numpy."""

from __future__ import annotations

import numpy as np

from gpucomp.kernels.arrays import Floats


def sum_all(a: Floats) -> Floats:
    """See ``compute.sum_all``; likewise below."""
    return np.asarray([a.sum()])


def mean_all(a: Floats) -> Floats:
    return np.asarray([a.mean()])


def max_all(a: Floats) -> Floats:
    return np.asarray([a.max()])


def norm_all(a: Floats) -> Floats:
    return np.asarray([np.sqrt(np.square(a).sum())])


def column_sum(a: Floats) -> Floats:
    return a.sum(axis=0)


def column_mean(a: Floats) -> Floats:
    return a.mean(axis=0)


def column_max(a: Floats) -> Floats:
    return a.max(axis=0)
