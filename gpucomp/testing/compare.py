"""Comparing results with what is expected."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def assert_allclose(
    actual: npt.ArrayLike, desired: npt.ArrayLike, rtol: float = 1e-7, atol: float = 1e-7, verbose: bool = True
) -> None:
    """Fail unless two arrays have one shape and ``|actual - desired| <= atol + rtol * |desired|`` everywhere.

    Args:
        actual: the result; an NDArray goes as its ``numpy()``.
        desired: what it should be.
        rtol: the error relative to ``desired``.
        atol: the absolute error.
        verbose: print both arrays.

    Raises:
        AssertionError: they differ, or have different shapes.
    """
    got, wanted = np.asanyarray(actual), np.asanyarray(desired)
    np.testing.assert_equal(got.shape, wanted.shape)  # numpy would broadcast
    np.testing.assert_allclose(got, wanted, rtol=rtol, atol=atol, verbose=verbose)
