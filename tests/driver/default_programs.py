"""Programs that nobody scheduled, one for each rule of ``driver/defaults`` and each shape that could break it."""

from __future__ import annotations

from collections.abc import Callable

from gpucomp import te, tir, topi
from gpucomp.te import Tensor

Args = list[Tensor]
PROGRAMS: dict[str, Callable[[], Args]] = {}


def program(make: Callable[[], Args]) -> Callable[[], Args]:
    """Register a function that gives its arguments, the result last."""
    PROGRAMS[make.__name__] = make
    return make


def matrix(*shape: int, dtype: str = "float32", name: str = "A") -> Tensor:
    return te.placeholder(shape, dtype, name)


def _half(value: float) -> tir.Expr:
    return tir.const(value, "float16")


@program
def bias_in_vectors() -> Args:
    a, v = matrix(37, 24), matrix(24, name="V")
    return [a, v, te.compute(a.shape, lambda i, j: a[i, j] + v[j], name="C")]


@program
def bias_of_odd_rows() -> Args:
    a, v = matrix(37, 23, dtype="float16"), matrix(23, dtype="float16", name="V")
    return [a, v, te.compute(a.shape, lambda i, j: a[i, j] + v[j], name="C")]


@program
def everything_in_order() -> Args:
    a = matrix(11, 93)
    return [a, te.compute(a.shape, lambda i, j: a[i, j] * 2.0, name="C")]


@program
def scale_of_channels() -> Args:
    a, s = matrix(3, 5, 7, 7, dtype="float16"), matrix(5, dtype="float16", name="S")
    return [a, s, te.compute(a.shape, lambda n, c, h, w: a[n, c, h, w] * s[c], name="C")]


@program
def far_apart() -> Args:
    a = matrix(9, 200)
    return [a, te.compute((9, 100), lambda i, j: a[i, 2 * j], name="C")]


@program
def side_by_side() -> Args:
    a, b = matrix(9, 8), matrix(9, 24, name="B")
    return [a, b, topi.concatenate([a, b], axis=1)]


@program
def transpose() -> Args:
    a = matrix(70, 135)
    return [a, te.compute((135, 70), lambda i, j: a[j, i], name="C")]


@program
def transpose_of_many() -> Args:
    a = matrix(3, 72, 136, dtype="float16")
    return [a, te.compute((3, 136, 72), lambda b, i, j: a[b, j, i] + _half(1.0), name="C")]


@program
def channels_last() -> Args:
    a = matrix(2, 24, 7, 7)
    return [a, te.compute((2, 7, 7, 24), lambda n, h, w, c: a[n, c, h, w], name="C")]


@program
def turned_by_way_of_others() -> Args:
    a, b = matrix(40, 70), matrix(70, 40, name="B")
    t = te.compute((70, 40), lambda i, j: a[j, i] * 2.0, name="T")
    return [a, b, te.compute((70, 40), lambda i, j: t[i, j] + b[i, j], name="C")]


def _rows(rows: int, columns: int) -> None:
    def by_row() -> Args:
        a, k = matrix(rows, columns), te.reduce_axis((0, columns), "k")
        return [a, te.compute((rows,), lambda i: te.sum(a[i, k], axis=k), name="C")]

    def by_column() -> Args:
        a, k = matrix(rows, columns, dtype="float16"), te.reduce_axis((0, rows), "k")
        return [a, te.compute((columns,), lambda j: te.max(a[k, j].astype("float32"), axis=k), name="C")]

    PROGRAMS[f"rows_of_{rows}x{columns}"] = by_row
    PROGRAMS[f"columns_of_{rows}x{columns}"] = by_column


for _shape in ((9, 300), (300, 7), (5, 1), (1, 1000), (2, 4099), (1000, 3), (300, 203), (90, 264)):
    _rows(*_shape)


@program
def middle() -> Args:
    a, k = matrix(4, 60, 72), te.reduce_axis((0, 60), "k")
    return [a, te.compute((72, 4), lambda j, i: te.sum(a[i, k, j], axis=k), name="C")]


@program
def middle_of_odd_rows() -> Args:
    a, k = matrix(4, 511, 33), te.reduce_axis((0, 511), "k")
    return [a, te.compute((4, 33), lambda i, j: te.max(a[i, k, j], axis=k), name="C")]


@program
def everything() -> Args:
    a = matrix(33, 70)
    i, j = te.reduce_axis((0, 33), "i"), te.reduce_axis((0, 70), "j")
    return [a, te.compute((1,), lambda _: te.sum(a[i, j], axis=[j, i]), name="C")]


@program
def means_of_channels() -> Args:
    a = matrix(6, 5, 8, 12)
    n, h, w = te.reduce_axis((0, 6), "n"), te.reduce_axis((0, 8), "h"), te.reduce_axis((0, 12), "w")
    total = te.compute((5,), lambda c: te.sum(a[n, c, h, w], axis=[n, h, w]), name="T")
    return [a, te.compute((1, 5, 1), lambda x, c, y: total[c] * 0.5, name="C")]


@program
def half_of_columns() -> Args:
    a, k = matrix(120, 36), te.reduce_axis((0, 120), "k")
    total = te.compute((36,), lambda j: te.sum(a[k, j], axis=k), name="T")
    return [a, te.compute((36,), lambda j: total[j] * 0.5, name="C")]


@program
def places_of_rows() -> Args:
    a = matrix(6, 300)
    return [a, topi.argmax(a, axis=1)]


@program
def places_of_columns() -> Args:
    a = matrix(300, 12)
    return [a, topi.argmax(a, axis=0)]


@program
def place_of_all() -> Args:
    a = matrix(3000)
    return [a, topi.argmax(a, axis=0)]


@program
def weighted_rows() -> Args:
    a, x, k = matrix(50, 128), matrix(128, name="X"), te.reduce_axis((0, 128), "k")
    return [a, x, te.compute((50,), lambda i: te.sum(a[i, k] * x[k], axis=k), name="C")]


@program
def weighted_columns() -> Args:
    a, x, k = matrix(128, 52), matrix(128, name="X"), te.reduce_axis((0, 128), "k")
    return [a, x, te.compute((52,), lambda j: te.sum(a[k, j] * x[k], axis=k), name="C")]


@program
def softmax_of_rows() -> Args:
    a = matrix(6, 300)
    return [a, topi.nn.softmax(a, axis=1)]


@program
def softmax_of_columns() -> Args:
    a = matrix(60, 30)
    return [a, topi.nn.softmax(a, axis=0)]


@program
def norm_of_all_axes() -> Args:
    a, g = matrix(3, 5, 3, 7), matrix(3, 5, 3, 7, name="G")
    return [a, g, topi.nn.rms_norm(a, g, [0, 1, 2, 3])]


@program
def norm_of_three_axes() -> Args:
    a, g, b = matrix(5, 2, 3, 8), matrix(2, 3, 8, name="G"), matrix(2, 3, 8, name="V")
    return [a, g, b, topi.nn.layer_norm(a, g, b, [1, 2, 3])]


@program
def norm_of_images() -> Args:
    a, g, b = matrix(4, 3, 6, 7), matrix(6, 7, name="G"), matrix(6, 7, name="B")
    return [a, g, b, topi.nn.layer_norm(a, g, b, axis=[2, 3])]


@program
def norm_of_halves() -> Args:
    a, g, k = matrix(6, 256, dtype="float16"), matrix(256, dtype="float16", name="G"), te.reduce_axis((0, 256), "k")
    wide = te.compute(a.shape, lambda i, j: a[i, j].astype("float32"), name="W")
    squares = te.compute((6,), lambda i: te.sum(wide[i, k] * wide[i, k], axis=k), name="squares")
    scale = te.compute((6,), lambda i: 1.0 / (squares[i] + 1.0), name="scale")
    return [a, g, te.compute(a.shape, lambda i, j: (wide[i, j] * scale[i]).astype("float16") * g[j], name="C")]


@program
def rows_minus_their_means_and_those_of_columns() -> Args:
    a = matrix(20, 24)
    k, r = te.reduce_axis((0, 24), "k"), te.reduce_axis((0, 20), "r")
    rows = te.compute((20,), lambda i: te.sum(a[i, k], axis=k), name="R")
    columns = te.compute((24,), lambda j: te.sum(a[r, j], axis=r), name="S")
    return [a, te.compute((20, 24), lambda i, j: a[i, j] - rows[i] - columns[j], name="C")]


@program
def windows() -> Args:
    a = matrix(2, 3, 12, 12)
    return [a, topi.nn.pool2d(a, [3, 3], [2, 2], [1, 1], [1, 1, 1, 1], "max")]


@program
def product() -> Args:
    a, b, k = matrix(20, 24), matrix(24, 36, name="B"), te.reduce_axis((0, 24), "k")
    return [a, b, te.compute((20, 36), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="C")]


@program
def product_of_many() -> Args:
    a, b, k = matrix(2, 67, 13), matrix(2, 13, 150, name="B"), te.reduce_axis((0, 13), "k")
    return [a, b, te.compute((2, 67, 150), lambda n, i, j: te.sum(a[n, i, k] * b[n, k, j], axis=k), name="C")]


@program
def long_product() -> Args:
    a, b, k = matrix(3, 300), matrix(300, 4, name="B"), te.reduce_axis((0, 300), "k")
    return [a, b, te.compute((3, 4), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="C")]


@program
def convolution() -> Args:
    a, w = matrix(1, 4, 9, 9), matrix(4, 4, 3, 3, name="W")
    return [a, w, topi.nn.conv2d(a, w, 1, 1, 1)]


@program
def rows_of_what_is_shifted() -> Args:
    a, k = matrix(3, 31), te.reduce_axis((0, 32), "k")
    padded = topi.nn.pad(te.compute(a.shape, lambda i, j: a[i, j] + 1.0, name="S"), [0, 1], [0, 0])
    most = te.compute((3,), lambda i: te.max(padded[i, k], axis=k), name="M")
    return [a, te.compute((3, 32), lambda i, j: padded[i, j] - most[i], name="C")]


@program
def part_of_the_sums_of_columns() -> Args:
    a, k = matrix(3, 72, 31), te.reduce_axis((0, 72), "k")
    total = te.compute((3, 31), lambda i, j: te.sum(a[i, k, j], axis=k), name="T")
    return [a, te.compute((3, 29), lambda i, j: total[i, j + 1] * 2.0, name="C")]
