"""Parts of a tensor that are computed side by side in its memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.support.diagnostics import GpucompError, ScheduleError, TensorError
from gpucomp.tir.expr import Expr, IterVar, Var
from tests.te.everywhere import everywhere
from tests.te.helpers import small_ints

TX, BX = "threadIdx.x", "blockIdx.x"


def product(n: int, at: tuple[int, ...], along: int = 1) -> tuple[te.Tensor, te.Tensor, te.Tensor, list[te.Tensor]]:
    """A product of (n, 12) and (12, n), cut at some rows or columns: A, B, the whole and its parts."""
    a, b = te.placeholder((n, 12), name="A"), te.placeholder((12, n), name="B")
    parts: list[te.Tensor] = []
    for number, (low, high) in enumerate(zip((0, *at), (*at, n), strict=True)):
        k = te.reduce_axis((0, 12), "k")
        shape = (high - low, n) if along == 0 else (n, high - low)
        moved = (low, 0) if along == 0 else (0, low)

        def element(i: Var, j: Var, k: IterVar = k, moved: tuple[int, int] = moved) -> Expr:
            return te.sum(a[i + moved[0], k] * b[k, j + moved[1]], axis=k)

        parts.append(te.compute(shape, element, name=f"part{number}"))
    return a, b, te.join(parts, axis=along, name="C"), parts


def on_threads(s: te.Schedule, part: te.Tensor, factor: int) -> None:
    rows, columns = part.op.axis
    s[part].bind(rows, te.thread_axis(BX))
    _, thread = s[part].split(columns, factor=factor)
    s[part].bind(thread, te.thread_axis(TX))


@pytest.mark.parametrize(("n", "at"), [(10, (7,)), (9, (1, 5)), (8, (4,))])
@pytest.mark.parametrize("along", [0, 1, -1])
def test_parts_with_schedules_of_their_own_make_the_whole(n: int, at: tuple[int, ...], along: int) -> None:
    a, b, c, parts = product(n, at, along % 2)
    s = te.create_schedule(c.op)
    acc = s.cache_write(parts[0], "local")
    on_threads(s, parts[0], 4)
    s[acc].compute_at(s[parts[0]], s[parts[0]].leaf_iter_vars[-1])
    for part in parts[1:]:
        on_threads(s, part, 3)
    x, y = small_ints((n, 12)), small_ints((12, n))
    everywhere(s, [a, b, c], [x, y], [x.astype(np.float64) @ y], gpu=True)


def test_what_reads_the_whole_comes_after_all_parts() -> None:
    a, b, c, parts = product(10, (7,))
    total = te.compute((10, 10), lambda i, j: c[i, j] + c[j, i] + 1, name="D")
    again = te.compute((10, 7), lambda i, j: parts[0][i, j] * 2, name="E")
    s = te.create_schedule([total.op, again.op])
    x, y = small_ints((10, 12)), small_ints((12, 10))
    want = x.astype(np.float64) @ y
    everywhere(s, [a, b, total, again], [x, y], [want + want.T + 1, 2 * want[:, :7]], gpu=True)


def test_a_join_of_joins_is_one_memory() -> None:
    a = te.placeholder((12,), name="A")
    pieces = [te.compute((4,), lambda i, at=at: a[i + 4 * at] * (at + 1), name=f"p{at}") for at in range(3)]
    c = te.join([te.join(pieces[:2]), pieces[2]], name="C")
    x = small_ints((12,))
    s = te.create_schedule(c.op)
    assert str(gpucomp.lower(s, [a, c], simple_mode=True)).count("T.realize") == 0
    everywhere(s, [a, c], [x], [x * np.repeat([1.0, 2.0, 3.0], 4)])


def test_a_part_that_is_split_into_sums_adds_them_up_in_its_place() -> None:
    a, b, c, parts = product(8, (5,))
    s = te.create_schedule(c.op)
    outer, _ = s[parts[1]].split(parts[1].op.reduce_axis[0], factor=4)
    s.rfactor(parts[1], outer)
    x, y = small_ints((8, 12)), small_ints((12, 8))
    everywhere(s, [a, b, c], [x, y], [x.astype(np.float64) @ y])


def test_no_part_is_computed_past_its_end_into_its_neighbour() -> None:
    a = te.placeholder((7,), name="A")
    low = te.compute((4,), lambda i: a[i] + 1, name="low")
    high = te.compute((3,), lambda i: a[i + 4] * 2, name="high")
    c = te.join([low, high], name="C")
    last = te.compute((7,), lambda i: c[i], name="D")
    s = te.create_schedule(last.op)
    for part in (high, low):
        s[part].split(part.op.axis[0], factor=8)
    x = small_ints((7,))
    everywhere(s, [a, last], [x], [np.r_[x[:4] + 1, x[4:] * 2]])


def refused(program: Callable[[], object], code: str, words: str, kind: type[GpucompError]) -> None:
    with pytest.raises(kind) as caught:
        program()
    assert caught.value.code == code
    assert words in str(caught.value)


def test_what_cannot_be_joined_is_refused() -> None:
    a = te.placeholder((4, 4), name="A")
    b = te.compute((4, 4), lambda i, j: a[i, j] + 1, name="B")
    wide = te.compute((4, 5), lambda i, j: a[i, j % 4], name="wide")
    half = te.compute((4, 4), lambda i, j: a[i, j].astype("float16"), name="half")
    refused(lambda: te.join([]), "GC234", "no tensors", TensorError)
    refused(lambda: te.join([a, b]), "GC234", "'A' of join 'joined' is an input", TensorError)
    refused(lambda: te.join([b, b]), "GC234", "'B' is part of join 'joined' twice", TensorError)
    refused(lambda: te.join([b, wide]), "GC234", "(4, 4) of float32 and 'wide' (4, 5) of float32", TensorError)
    refused(lambda: te.join([b, half]), "GC234", "of float16", TensorError)
    refused(lambda: te.join([b], axis=2), "GC234", "along axis 2 of tensors of 2 dimensions", TensorError)
    refused(lambda: te.join([b, 1]), "GC234", "part 1 of join 'joined' is a int", TensorError)  # pyright: ignore[reportArgumentType]  # the mistake


def test_parts_stay_at_root_without_memory_of_their_own() -> None:
    def lowered(change: Callable[[te.Schedule, te.Tensor, te.Tensor], object]) -> Callable[[], object]:
        def program() -> object:
            a, b, c, parts = product(10, (7,))
            s = te.create_schedule(c.op)
            change(s, parts[0], c)
            return gpucomp.lower(s, [a, b, c])

        return program

    aligned = lowered(lambda s, part, c: s[part].storage_align(part.op.axis[0], 8, 1))
    refused(aligned, "GC144", "part0 has a layout of its own, but it is part of join C", ScheduleError)
    refused(lowered(lambda s, part, c: s[part].set_scope("shared")), "GC144", "is in shared memory", ScheduleError)

    a, b, c, parts = product(10, (7,))
    outputs = te.create_schedule([c.op, parts[0].op])
    refused(lambda: gpucomp.lower(outputs, [a, b, c, parts[0]]), "GC144", "part0 is an output", ScheduleError)

    other = te.join([parts[0]], name="other")
    twice = te.create_schedule([c.op, other.op])
    refused(lambda: gpucomp.lower(twice, [a, b, c, other]), "GC144", "part0 is part of", ScheduleError)


def test_a_part_that_is_inlined_is_refused() -> None:
    a = te.placeholder((4,), name="A")
    b = te.compute((4,), lambda i: a[i] + 1, name="B")
    c = te.join([b], name="C")
    s = te.create_schedule(c.op)
    s[b].compute_inline()
    refused(lambda: gpucomp.lower(s, [a, c]), "GC140", "C", ScheduleError)
