"""Which operators, shapes and element types a family is measured at."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Final

from gpucomp.cli.suite import product_rows
from gpucomp.cli.suite.row import Row
from gpucomp.kernels import registry
from gpucomp.support.diagnostics import ArgumentError, did_you_mean

_NORMS: Final = ("softmax", "layer_norm", "rms_norm")
_MATRICES: Final = ((4096, 1024), (4096, 4096), (8192, 8192), (32768, 128))
_ELEMENTS: Final = 1 << 26

_OTHERS: Final = (
    ("log_softmax", (8192, 8192)),
    ("add_rms_norm", (4096, 4096)),
    ("row_max", (8192, 8192)),
    ("row_argmax", (8192, 8192)),
    ("row_variance", (8192, 8192)),
    ("column_sum", (8192, 8192)),
    ("column_sum", (4096, 4096)),
    ("add_bias", (8192, 8192)),
    ("cumulative_sum", (4096, 4096)),
)


def _streaming() -> Iterable[Row]:
    for dtype in ("float16", "float32"):
        for op in (*_NORMS, "row_sum", "transpose"):
            for shape in _MATRICES:
                yield Row(op, shape, dtype)
    for op, shape in _OTHERS:
        yield Row(op, shape, "float16")
    for columns in (128, 256, 1024, 4096, 16384, 65536, 262144):
        for op in ("softmax", "rms_norm"):
            yield Row(op, (_ELEMENTS // columns, columns), "bfloat16")
    for op in ("add", "gelu_chain", "sum_all"):
        for dtype in ("float16", "float32"):
            yield Row(op, (_ELEMENTS,), dtype)
    yield Row("sum_all", (1 << 30,), "float16")
    yield Row("gemv", (4096, 4096), "float16")
    yield Row("gemv", (4096, 4096), "float32")


def _drawn_streaming(rng: random.Random) -> Iterable[Row]:
    for op in (*_NORMS, "row_sum", "transpose"):
        for _ in range(2):
            yield Row(op, (rng.randint(3000, 9000), rng.randint(3000, 9000)), rng.choice(["float16", "float32"]), True)
    for op in ("add", "gelu_chain", "sum_all"):
        for _ in range(2):
            yield Row(op, (rng.randint(1 << 25, 1 << 27),), rng.choice(["float16", "float32"]), True)


FAMILIES: Final[dict[str, tuple[Callable[[], Iterable[Row]], Callable[[random.Random], Iterable[Row]]]]] = {
    "rows": (_streaming, _drawn_streaming),
    "gemm": (product_rows.products, product_rows.drawn_products),
    "conv": (product_rows.convolutions, product_rows.drawn_convolutions),
    "ansor": (product_rows.single_operators, product_rows.drawn_single_operators),
}
# Families whose rates are operations a second.
COMPUTE: Final = ("gemm", "conv", "ansor")


def rows_of(family: str, seed: int) -> list[Row]:
    """The lines of a family: the listed shapes, then those drawn from ``seed``, of operators that the library has.

    Raises:
        ArgumentError: there is no such family.
    """
    if family not in FAMILIES:
        hint = did_you_mean(family, FAMILIES) or f"one of {', '.join(FAMILIES)}"
        raise ArgumentError(f"there is no family {family!r} of benchmarks", code="GC642", hint=hint)
    listed, drawn = FAMILIES[family]
    dtypes = {operator.name: operator.dtypes for operator in registry.all_operators()}
    return [row for row in (*listed(), *drawn(random.Random(seed))) if row.dtype in dtypes.get(row.op, ())]
