"""Operators that move elements: no arithmetic, one read for each element that is written.

Raises, where they apply: TensorError GC216 shapes do not go together, GC221 there is no such axis, GC222 an argument
does not fit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, SupportsIndex

from gpucomp.te.api import compute
from gpucomp.te.tensor import Tensor
from gpucomp.te.user_input import listed
from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import Expr
from gpucomp.topi.tag import INJECTIVE
from gpucomp.topi.utils import (
    Axis,
    Extent,
    Numbers,
    argument_error,
    axes_of,
    count_of,
    flat_index,
    get_const_int,
    maybe_int,
    numbers,
    one_axis,
    same_extent,
    shape_error,
    shape_text,
    tensor_of,
    unravel,
)

Number = Expr | float


def transpose(a: Tensor, axes: Sequence[SupportsIndex] | None = None) -> Tensor:
    """Dimension ``d`` of the result is dimension ``axes[d]`` of ``a``; without axes they are reversed.

    Raises:
        TensorError: GC221 there is no such axis; GC222 the axes are not each dimension once.
    """
    a = tensor_of("transpose", a)
    order = [one_axis("transpose", x, a.ndim) for x in (range(a.ndim)[::-1] if axes is None else axes)]
    if sorted(order) != list(range(a.ndim)):
        raise argument_error(
            f"transpose: axes {shape_text(order)} of {a.name!r}, which has {a.ndim} dimensions",
            "name each dimension once",
        )

    def element(*i: Expr) -> Expr:
        return a(*[i[order.index(d)] for d in range(a.ndim)])

    return compute([a.shape[d] for d in order], element, name="T_transpose", tag=INJECTIVE)


def reshape(a: Tensor, newshape: Extent | Sequence[Extent]) -> Tensor:
    """The elements in row-major order, with other extents; one of them may be -1.

    Of symbolic extents it is not checked that the number of elements stays the same.

    Raises:
        TensorError: GC222 another number of elements, or a -1 that does not follow from the other extents.
    """
    a = tensor_of("reshape", a)
    wanted = list(newshape) if isinstance(newshape, Sequence) else [newshape]
    open_ones = [d for d, x in enumerate(wanted) if maybe_int(x) == -1]
    have, asked = count_of(a.shape), count_of([x for x in wanted if maybe_int(x) != -1])
    if len(open_ones) > 1 or (open_ones and (have is None or not asked or have % asked)):
        raise argument_error(
            f"reshape of {a.name!r} from {shape_text(a.shape)} to {shape_text(wanted)}",
            "one -1 at most, where the other extents are constants that divide the number of elements",
        )
    if open_ones and have is not None and asked:
        wanted[open_ones[0]] = have // asked
    elif have is not None and asked is not None and have != asked:
        raise argument_error(
            f"reshape of {a.name!r} from {shape_text(a.shape)} ({have} elements) to {shape_text(wanted)} ({asked})",
            "the number of elements stays the same",
        )

    def element(*i: Expr) -> Expr:
        return a(*unravel(flat_index(i, wanted), a.shape))

    return compute(tuple(wanted), element, name="T_reshape", tag=INJECTIVE)


def squeeze(a: Tensor, axis: Axis = None) -> Tensor:
    """Without the dimensions ``axis``, whose extents are 1; without an axis all those.

    Raises:
        TensorError: GC221 there is no such axis; GC222 its extent is not 1.
    """
    a = tensor_of("squeeze", a)
    ones = [d for d, s in enumerate(a.shape) if maybe_int(s) == 1]
    gone = ones if axis is None else axes_of("squeeze", axis, a.ndim)
    wrong = [d for d in gone if d not in ones]
    if wrong:
        raise argument_error(
            f"squeeze: dimension {wrong[0]} of {a.name!r} has extent {a.shape[wrong[0]]}", "its extent must be 1"
        )

    def element(*i: Expr) -> Expr:
        rest = iter(i)
        return a(*[0 if d in gone else next(rest) for d in range(a.ndim)])

    shape = [s for d, s in enumerate(a.shape) if d not in gone]
    return compute(shape, element, name="T_squeeze", tag=INJECTIVE)


def expand_dims(a: Tensor, axis: SupportsIndex, num_newaxis: int = 1) -> Tensor:
    """With ``num_newaxis`` dimensions of extent 1 before dimension ``axis``."""
    a = tensor_of("expand_dims", a)
    at = one_axis("expand_dims", axis, a.ndim + 1)
    shape = [*a.shape[:at], *[1] * num_newaxis, *a.shape[at:]]
    return compute(shape, lambda *i: a(*i[:at], *i[at + num_newaxis :]), name="T_expand_dims", tag=INJECTIVE)


def concatenate(a_tuple: Sequence[Tensor], axis: SupportsIndex = 0) -> Tensor:
    """Tensors one after the other along ``axis``; other extents and types are the same.

    >>> from gpucomp import te, topi
    >>> topi.concatenate([te.placeholder((2, 3), name="a"), te.placeholder((2, 5), name="b")], axis=1)
    Tensor(shape=[2, 8], dtype=float32, name=T_concat)

    Raises:
        TensorError: GC216 other extents differ; GC221 there is no such axis; GC222 types differ, or there is no tensor.
    """
    parts = [tensor_of("concatenate", x) for x in listed(a_tuple, Tensor)]
    if not parts:
        raise argument_error("concatenate of no tensors", "give at least one")
    first = parts[0]
    at = one_axis("concatenate", axis, first.ndim)
    for x in parts[1:]:
        if x.ndim != first.ndim or not all(
            [d == at or same_extent(s, t) for d, (s, t) in enumerate(zip(first.shape, x.shape, strict=True))]
        ):
            raise shape_error("concatenate", f"all extents but that of axis {at} are equal", first, x)
        if x.dtype is not first.dtype:
            raise argument_error(
                f"concatenate of {first.name!r} ({first.dtype}) and {x.name!r} ({x.dtype})", "topi.cast one of them"
            )
    ends = [first.shape[at]]
    for x in parts[1:]:
        ends.append(operators.add(ends[-1], x.shape[at]))

    def element(*i: Expr) -> Expr:
        found: Expr | None = None
        for k in range(len(parts))[::-1]:
            begin = ends[k - 1] if k else 0
            item = parts[k](*i[:at], operators.subtract(i[at], begin), *i[at + 1 :])
            found = item if found is None else intrin.if_then_else(i[at] < ends[k], item, found)
        assert found is not None  # there is at least one part
        return found

    shape = [*first.shape[:at], ends[-1], *first.shape[at + 1 :]]
    return compute(shape, element, name="T_concat", tag=INJECTIVE)


def stack(a: Sequence[Tensor], axis: SupportsIndex = 0) -> Tensor:
    """Tensors of one shape, side by side along a new dimension ``axis``.

    Raises:
        TensorError: GC216 shapes differ; GC221 there is no such axis; GC222 types differ, or there is no tensor.
    """
    if not a:
        raise argument_error("stack of no tensors", "give at least one")
    at = one_axis("stack", axis, tensor_of("stack", a[0]).ndim + 1)
    for x in a[1:]:
        if x.ndim != a[0].ndim or not all([same_extent(s, t) for s, t in zip(a[0].shape, x.shape, strict=True)]):
            raise shape_error("stack", "all shapes are equal", a[0], x)
    return concatenate([expand_dims(x, at) for x in a], at)


def split(ary: Tensor, indices_or_sections: Numbers, axis: SupportsIndex = 0) -> list[Tensor]:
    """Parts along ``axis``: so many equal ones, or those that begin at the given indices (and one at 0).

    >>> from gpucomp import te, topi
    >>> [part.shape for part in topi.split(te.placeholder((7, 3), name="a"), (2, 5))]
    [(2, 3), (3, 3), (2, 3)]

    Raises:
        TensorError: GC221 there is no such axis; GC222 a number that does not divide the extent, indices that do not
            rise or are outside, or a symbolic extent.
    """
    ary = tensor_of("split", ary)
    at = one_axis("split", axis, ary.ndim)
    extent = get_const_int(ary.shape[at])
    if isinstance(indices_or_sections, Sequence):
        begins = [0, *[get_const_int(x) for x in indices_or_sections]]
    else:
        count = get_const_int(indices_or_sections)
        if count < 1 or extent % count:
            raise argument_error(
                f"split: extent {extent} of dimension {at} of {ary.name!r} in {count} parts of one size",
                "the number of parts divides the extent; or give the indices where parts begin",
            )
        begins = list(range(0, extent, extent // count)) if extent else [0] * count
    ends = [*begins[1:], extent]
    if any([not 0 <= b <= e <= extent for b, e in zip(begins, ends, strict=True)]):
        raise argument_error(
            f"split: parts of dimension {at} of {ary.name!r} begin at {begins}, its extent is {extent}",
            "indices rise, and are within the extent",
        )
    return [_part(ary, at, b, e - b) for b, e in zip(begins, ends, strict=True)]


def _part(a: Tensor, at: int, begin: int, extent: int) -> Tensor:
    def element(*i: Expr) -> Expr:
        return a(*i[:at], i[at] + begin, *i[at + 1 :])

    return compute([*a.shape[:at], extent, *a.shape[at + 1 :]], element, name="T_split", tag=INJECTIVE)


def strided_slice(
    a: Tensor,
    begin: Sequence[SupportsIndex | None],
    end: Sequence[SupportsIndex | None],
    strides: Sequence[SupportsIndex] | None = None,
    axes: Sequence[SupportsIndex] | None = None,
    slice_mode: Literal["end", "size"] = "end",
) -> Tensor:
    """``a[begin:end:stride]`` of the first dimensions, or of ``axes``; limits are cut off at the extent, as in Python.

    With ``slice_mode="size"``, ``end`` holds extents of the result (-1: up to the end) and strides are not used.
    """
    a = tensor_of("strided_slice", a)
    where = list(range(len(begin))) if axes is None else [one_axis("strided_slice", x, a.ndim) for x in axes]
    steps = [1] * len(where) if strides is None or slice_mode == "size" else list(strides)
    steps += [1] * (len(where) - len(steps))
    if (
        slice_mode not in ("end", "size")
        or len(where) > a.ndim
        or not len(begin) == len(end) == len(where) == len(steps)
    ):
        raise argument_error(
            f"strided_slice of {a.name!r} ({a.ndim} dimensions): {len(begin)} begins, {len(end)} ends, {len(steps)} "
            f"strides, axes {where}, slice_mode {slice_mode!r}",
            "one begin, end and stride for each axis; slice_mode is 'end' or 'size'",
        )
    parts: dict[int, range] = {}
    for d, b, e, s in zip(where, begin, end, steps, strict=True):
        extent, first, stride = get_const_int(a.shape[d]), _limit(b), get_const_int(s)
        if stride == 0:
            raise argument_error(f"strided_slice: the stride of dimension {d} is 0", "strides are not 0")
        stop = _limit(e)
        if slice_mode == "size" and stop is not None:
            start = range(extent)[first:].start
            stop = extent if stop == -1 else start + stop
        parts[d] = range(extent)[slice(first, stop, stride)]

    def element(*i: Expr) -> Expr:
        return a(*[i[d] * parts[d].step + parts[d].start if d in parts else i[d] for d in range(a.ndim)])

    shape = [len(parts[d]) if d in parts else s for d, s in enumerate(a.shape)]
    return compute(shape, element, name="T_strided_slice", tag=INJECTIVE)


def _limit(value: SupportsIndex | None) -> int | None:
    return None if value is None else get_const_int(value)


def flip(a: Tensor, axis: SupportsIndex = 0) -> Tensor:
    """In reverse along ``axis``."""
    a = tensor_of("flip", a)
    at = one_axis("flip", axis, a.ndim)
    return compute(a.shape, lambda *i: a(*i[:at], a.shape[at] - 1 - i[at], *i[at + 1 :]), name="T_flip", tag=INJECTIVE)


def tile(a: Tensor, reps: Numbers) -> Tensor:
    """``a`` several times over, ``reps[d]`` along dimension d, counted from the last, as numpy does."""
    a = tensor_of("tile", a)
    counts = list(reps) if isinstance(reps, Sequence) else [reps]
    ndim = len(counts) if len(counts) > a.ndim else a.ndim
    extents = [*[1] * (ndim - a.ndim), *a.shape]
    counts = [*[1] * (ndim - len(counts)), *counts]

    def element(*i: Expr) -> Expr:
        return a(*[k % s for k, s in zip(i[ndim - a.ndim :], a.shape, strict=True)])

    shape = [operators.multiply(s, r) for s, r in zip(extents, counts, strict=True)]
    return compute(shape, element, name="T_tile", tag=INJECTIVE)


def repeat(a: Tensor, repeats: SupportsIndex, axis: SupportsIndex = 0) -> Tensor:
    """Each element ``repeats`` times along ``axis``.

    Raises:
        TensorError: GC221 there is no such axis; GC222 ``repeats`` is no number, or below 1.
    """
    a = tensor_of("repeat", a)
    at = one_axis("repeat", axis, a.ndim)
    times = get_const_int(repeats)
    if times < 1:
        raise argument_error(f"repeat: {repeats} times", "at least once")
    shape = [*a.shape[:at], a.shape[at] * times, *a.shape[at + 1 :]]
    return compute(shape, lambda *i: a(*i[:at], i[at] // times, *i[at + 1 :]), name="T_repeat", tag=INJECTIVE)


def arange(start: Number, stop: Number | None = None, step: Number = 1, dtype: str = "float32") -> Tensor:
    """``start``, ``start + step``, ... below ``stop``; of one number those from 0.

    Args:
        start: the first one, or ``stop`` if that is None.
        stop: the end, which is left out.
        step: their distance; a negative one is a number, no expression.
        dtype: element type.  Elements are computed in it if ``start`` or ``step`` is a float, else as integers.

    Raises:
        TensorError: GC222 the step is 0.
    """
    first, last = (0, start) if stop is None else (start, stop)
    if isinstance(first, Expr) or isinstance(last, Expr) or isinstance(step, Expr):
        room = operators.subtract(operators.subtract(operators.add(last, step), first), 1)
        count = operators.floordiv(room, step)
    elif step == 0:
        raise argument_error("arange: the step is 0", "a step > 0, or < 0 where stop is below start")
    else:
        length = math.ceil((last - first) / step)
        count = length if length > 0 else 0
    fractional = isinstance(step, float) or isinstance(first, float)

    def element(i: Expr) -> Expr:
        place = operators.cast(dtype if fractional else i.dtype, i)
        return operators.cast(dtype, operators.add(first, operators.multiply(place, step)))

    return compute((count,), element, name="T_arange", tag=INJECTIVE)


def layout_positions(name: str, layout: str, letters: str) -> list[int]:
    """Where each letter stands in a layout such as NCHW.

    Raises:
        TensorError: GC222 a letter is missing, or there are others.
    """
    if sorted(layout) != sorted(letters):
        raise argument_error(f"{name}: layout {layout!r}", f"the letters {', '.join(letters)}, in any order, once each")
    return [layout.index(x) for x in letters]


def axis_numbers(name: str, value: Numbers, count: int) -> list[int]:
    """``count`` ints >= 1: strides, dilations, window sizes."""
    found = numbers(name, value, count)
    if any([x < 1 for x in found]):
        raise argument_error(f"{name} is {value}", "numbers >= 1")
    return found
