"""Integer matrices: Smith normal form, and bases of lattices.

Source: H. Cohen, A Course in Computational Algebraic Number Theory, section 2.4 (Smith and Hermite normal forms).
Matrices are lists of rows of Python integers, so that no entry can overflow.
"""

from __future__ import annotations

Matrix = list[list[int]]


def identity(n: int) -> Matrix:
    """The n x n unit matrix."""
    return [[int(i == j) for j in range(n)] for i in range(n)]


def product(a: Matrix, b: Matrix) -> Matrix:
    """a times b."""
    columns = list(zip(*b, strict=True))
    return [[sum([x * y for x, y in zip(row, col, strict=True)]) for col in columns] for row in a]


class Smith:
    """``left @ a @ right`` is diagonal, and each diagonal entry divides the next one.

    Args:
        a: an m x n matrix; it is copied.

    Attributes:
        diagonal: the m x n result.
        left: unimodular m x m.
        right: unimodular n x n.
        right_inverse: inverse of ``right``.
        rank: number of diagonal entries that are not zero; these are positive.
    """

    def __init__(self, a: Matrix) -> None:
        self.diagonal = [list(row) for row in a]
        self.rows = len(a)
        self.columns = len(a[0]) if a else 0
        self.left = identity(self.rows)
        self.right = identity(self.columns)
        self.right_inverse = identity(self.columns)
        self.rank = 0
        while self.rank < min(self.rows, self.columns) and self._settle(self.rank):
            self.rank += 1

    def _settle(self, t: int) -> bool:
        """Make row and column ``t`` zero but for an entry that divides what remains; False if nothing remains."""
        while True:
            pivot = self._smallest(t)
            if pivot is None:
                return False
            self._swap_rows(t, pivot[0])
            self._swap_columns(t, pivot[1])
            if self._clear(t):
                offender = self._not_divided(t)
                if offender is None:
                    break
                self._add_row(t, offender, 1)
        if self.diagonal[t][t] < 0:
            self.diagonal[t] = [-x for x in self.diagonal[t]]
            self.left[t] = [-x for x in self.left[t]]
        return True

    def _smallest(self, t: int) -> tuple[int, int] | None:
        """Place of the entry of least magnitude in the part that remains."""
        best: tuple[int, int, int] | None = None
        for i in range(t, self.rows):
            for j in range(t, self.columns):
                x = abs(self.diagonal[i][j])
                if x and (best is None or x < best[0]):
                    best = x, i, j
        return None if best is None else best[1:]

    def _clear(self, t: int) -> bool:
        """Reduce row and column ``t`` by the pivot; True if nothing is left of them."""
        d = self.diagonal
        clean = True
        for i in range(t + 1, self.rows):
            self._add_row(i, t, -(d[i][t] // d[t][t]))
            clean &= d[i][t] == 0
        for j in range(t + 1, self.columns):
            self._add_column(j, t, -(d[t][j] // d[t][t]))
            clean &= d[t][j] == 0
        return clean

    def _not_divided(self, t: int) -> int | None:
        """A row that has an entry which the pivot does not divide."""
        d = self.diagonal
        for i in range(t + 1, self.rows):
            if any([x % d[t][t] for x in d[i][t + 1 :]]):
                return i
        return None

    def _swap_rows(self, i: int, j: int) -> None:
        for m in (self.diagonal, self.left):
            m[i], m[j] = m[j], m[i]

    def _swap_columns(self, i: int, j: int) -> None:
        for m in (self.diagonal, self.right):
            for row in m:
                row[i], row[j] = row[j], row[i]
        inverse = self.right_inverse
        inverse[i], inverse[j] = inverse[j], inverse[i]

    def _add_row(self, i: int, j: int, k: int) -> None:
        """row i += k * row j"""
        for m in (self.diagonal, self.left):
            m[i] = [x + k * y for x, y in zip(m[i], m[j], strict=True)]

    def _add_column(self, i: int, j: int, k: int) -> None:
        """column i += k * column j; the inverse undoes it from the left."""
        for m in (self.diagonal, self.right):
            for row in m:
                row[i] += k * row[j]
        inverse = self.right_inverse
        inverse[j] = [x - k * y for x, y in zip(inverse[j], inverse[i], strict=True)]


def reduce_basis(basis: Matrix, coordinates: Matrix) -> None:
    """Bring the columns of ``basis`` to column Hermite form in place, with positive pivots from the top.

    Args:
        basis: n x f, the columns are independent.
        coordinates: f x n; ``coordinates @ basis`` is the unit matrix before and after.
    """
    size = len(coordinates)
    done = 0
    for row in basis:
        if done == size:
            return
        while sum([1 for x in row[done:] if x]) > 1:
            j = min([j for j in range(done, size) if row[j]], key=lambda j: abs(row[j]))
            for i in range(done, size):
                if i != j:
                    _combine(basis, coordinates, i, j, -(row[i] // row[j]))
        j = next((j for j in range(done, size) if row[j]), None)
        if j is None:
            continue
        for r in basis:
            r[done], r[j] = r[j], r[done]
        coordinates[done], coordinates[j] = coordinates[j], coordinates[done]
        if row[done] < 0:
            for r in basis:
                r[done] = -r[done]
            coordinates[done] = [-x for x in coordinates[done]]
        for i in range(done):
            _combine(basis, coordinates, i, done, -(row[i] // row[done]))
        done += 1


def _combine(basis: Matrix, coordinates: Matrix, i: int, j: int, k: int) -> None:
    """column i += k * column j"""
    for row in basis:
        row[i] += k * row[j]
    coordinates[j] = [x - k * y for x, y in zip(coordinates[j], coordinates[i], strict=True)]
