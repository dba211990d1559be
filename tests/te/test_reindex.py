"""reindex_cache_read: copies in the order of their reader, and regions of axes that are parts of one loop."""

from __future__ import annotations

from typing import Any  # Any: names for the code under test

import numpy as np
import pytest

from gpucomp import te
from gpucomp.te.schedule import InferBound
from tests.te.backends import everywhere
from tests.te.helpers import check, small_ints

X, F = small_ints((2, 9, 7)), small_ints((3, 2), seed=1)


def windows() -> tuple[te.Schedule, te.Tensor, te.Tensor, te.Tensor, te.Tensor]:
    """C[b, i, j] = sum over y, x of P[b, i + 2y, 2j + x] * F[y, x], where P is A with a border."""
    a, f = te.placeholder((2, 9, 7), name="A"), te.placeholder((3, 2), name="F")
    padded = te.compute(
        (2, 11, 8),
        lambda b, i, j: te.if_then_else(te.all(i >= 1, i < 10, j < 7), a[b, i - 1, j], 0.0),
        name="P",
    )
    y, x = te.reduce_axis((0, 3), "y"), te.reduce_axis((0, 2), "x")
    c = te.compute((2, 7, 4), lambda b, i, j: te.sum(padded[b, i + 2 * y, 2 * j + x] * f[y, x], axis=[y, x]), name="C")
    return te.create_schedule(c.op), a, f, padded, c


def expected() -> np.ndarray[Any, np.dtype[np.float32]]:
    padded = np.pad(X, ((0, 0), (1, 1), (0, 1)))
    out = np.zeros((2, 7, 4), np.float32)
    for y in range(3):
        for x in range(2):
            out += padded[:, 2 * y : 2 * y + 7, x : x + 7 : 2] * F[y, x]
    return out


@pytest.mark.parametrize("tile", [8, 5])
def test_a_tile_over_the_ends_of_rows_and_images_gathers_just_its_pixels(tile: int) -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        s, a, f, padded, c = windows()
        s[c].fuse(*c.op.axis)
        acc = s.cache_write(c, "local")
        cols = s.reindex_cache_read(padded, "shared", acc, [*acc.op.reduce_axis, *acc.op.axis])
        s[padded].compute_inline()
        po, pi = s[c].split(s[c].fuse(*c.op.axis), factor=tile)
        s[c].bind(po, te.thread_axis("blockIdx.x"))
        s[c].bind(pi, te.thread_axis("threadIdx.x"))
        s[acc].compute_at(s[c], pi)
        s[cols].compute_at(s[c], po)
        s[cols].bind(cols.op.axis[2], te.thread_axis("threadIdx.x"))
        bounds = InferBound(s.normalize())
        assert [str(bounds[axis].extent) for axis in cols.op.axis] == ["3", "2", str(tile)]
        return s, [a, f, c]

    everywhere(program, [X, F], expected())


def test_the_trace_makes_it_again() -> None:
    s, a, f, padded, c = windows()
    s.reindex_cache_read(padded, "local", c, [*c.op.reduce_axis, *c.op.axis])
    names: dict[str, Any] = {"te": te, "C": c}
    exec(str(s.trace), names)  # noqa: S102  # the property under test
    assert te.lower_schedule(names["s"], [a, f, c]).script() == te.lower_schedule(s, [a, f, c]).script()
    check(names["s"], [a, f, c], [X, F], expected())


def test_an_axis_that_does_not_start_at_zero_is_shifted() -> None:
    a = te.placeholder((10,), name="A")
    k = te.reduce_axis((2, 5), "k")
    c = te.compute((5,), lambda i: te.sum(a[i + k], axis=k), name="C")
    s = te.create_schedule(c.op)
    copy = s.reindex_cache_read(a, "global", c, [k, c.op.axis[0]])
    assert [int(str(n)) for n in copy.shape] == [3, 5]
    x = small_ints((10,))
    check(s, [a, c], [x], x[2:7] + x[3:8] + x[4:9])


def test_an_axis_on_which_the_element_does_not_depend_after_all_is_not_needed() -> None:
    a = te.placeholder((4,), name="A")
    c = te.compute((4, 8), lambda g, i: a[(g * 8 + i) // 8] * 2.0, name="C")
    s = te.create_schedule(c.op)
    copy = s.reindex_cache_read(a, "global", c, [c.op.axis[0]])
    assert [int(str(n)) for n in copy.shape] == [4]
    x = small_ints((4,))
    check(s, [a, c], [x], np.repeat(x[:, None] * 2, 8, 1))
