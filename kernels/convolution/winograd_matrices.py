"""The matrices of Winograd's minimal filtering F(m, r): m outputs of a filter with r taps by m + r - 1 products.

They are made by the construction of A. Toom and S. Cook from m + r - 2 points and infinity, transposed; see
S. Winograd, "Arithmetic complexity of computations", SIAM 1980, and A. Lavin and S. Gray, "Fast algorithms for
convolutional neural networks", CVPR 2016.  With them ``Y = AT @ ((G @ g) * (BT @ d))`` for one dimension.

The points decide how errors of rounding grow.  0, 1, -1, 1/2, -2 for F(4, 3) leave a third of the error that 0, 1, -1,
2, -2 do (B. Barabasz and others, "Error analysis and improving the accuracy of Winograd convolution for deep neural
networks", ACM TOMS 2020; measured here too, see ``winograd.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final, TypeAlias

Matrix: TypeAlias = tuple[tuple[float, ...], ...]

POINTS: Final = (Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 2), Fraction(-2), Fraction(2), Fraction(-1, 2))


@dataclass(frozen=True, slots=True)
class Matrices:
    """What F(m, r) needs.

    Attributes:
        data: BT, of m + r - 1 rows and columns.
        kernel: G, of m + r - 1 rows and r columns.
        inverse: AT, of m rows and m + r - 1 columns.
    """

    data: Matrix
    kernel: Matrix
    inverse: Matrix


@cache
def matrices(m: int, r: int) -> Matrices:
    """BT, G and AT of F(m, r), for m + r at most 9."""
    points = POINTS[: m + r - 2]
    whole = _product(points)
    data, kernel = [], []
    for number, point in enumerate(points):
        others = points[:number] + points[number + 1 :]
        scale = Fraction(1)
        for other in others:
            scale *= point - other
        polynomial = [*_product(others), Fraction(0)]
        data.append(polynomial)
        kernel.append([point**k / scale for k in range(r)])
    data.append(whole)
    kernel.append([Fraction(int(k == r - 1)) for k in range(r)])
    inverse = [[*[point**i for point in points], Fraction(int(i == m - 1))] for i in range(m)]
    return Matrices(_floats(data), _floats(kernel), _floats(inverse))


def _product(points: Sequence[Fraction]) -> list[Fraction]:
    """Coefficients, lowest first, of the product of (x - point)."""
    out = [Fraction(1)]
    for point in points:
        shifted = [Fraction(0), *out]
        out = [high - point * low for high, low in zip(shifted, [*out, Fraction(0)], strict=True)]
    return out


def _floats(rows: Sequence[Sequence[Fraction]]) -> Matrix:
    return tuple([tuple([float(x) for x in row]) for row in rows])
