"""Convolutions and pools in float64 numpy, by loops over the elements of a window."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any  # Any: arrays of several element types

import numpy as np

Array = np.ndarray[Any, Any]


def conv2d(x: Array, w: Array, stride: int = 1, pad: int = 0, dilation: int = 1, groups: int = 1) -> Array:
    """NCHW data, OIHW filters."""
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    (n, c, h, wide), (o, depth, kh, kw) = x.shape, w.shape
    rows, columns = (h - (kh - 1) * dilation - 1) // stride + 1, (wide - (kw - 1) * dilation - 1) // stride + 1
    out = np.zeros((n, o, rows, columns))
    for f in range(o):
        first = f // (o // groups) * depth
        for y in range(rows):
            for z in range(columns):
                top, left = y * stride, z * stride
                box = x[
                    :,
                    first : first + depth,
                    top : top + kh * dilation : dilation,
                    left : left + kw * dilation : dilation,
                ]
                out[:, f, y, z] = (box[:, :, :kh, :kw] * w[f].astype(np.float64)).sum((1, 2, 3))
    assert c == depth * groups
    return out


def conv2d_transpose(x: Array, w: Array, stride: int, pad: int, more: int) -> Array:
    """NCHW data, (C, O, kh, kw) filters: each element adds a scaled filter."""
    (n, c, h, wide), (_, o, kh, kw) = x.shape, w.shape
    out = np.zeros((n, o, (h - 1) * stride + kh + more, (wide - 1) * stride + kw + more))
    for y in range(h):
        for z in range(wide):
            part = np.einsum("nc,cokl->nokl", x[:, :, y, z].astype(np.float64), w.astype(np.float64))
            out[:, :, y * stride : y * stride + kh, z * stride : z * stride + kw] += part
    assert c == w.shape[0]
    return out[:, :, pad : out.shape[2] - pad, pad : out.shape[3] - pad]


def pool2d(
    x: Array, k: int, stride: int, pad: int, kind: str, ceil: bool = False, include: bool = True, gap: int = 1
) -> Array:
    """NCHW data."""
    n, c, h, wide = x.shape
    room = 2 * pad - (k - 1) * gap - 1 + (stride - 1 if ceil else 0)
    out = np.zeros((n, c, (h + room) // stride + 1, (wide + room) // stride + 1))
    for y in range(out.shape[2]):
        for z in range(out.shape[3]):
            rows = [r for r in range(y * stride - pad, y * stride - pad + k * gap, gap) if 0 <= r < h]
            columns = [r for r in range(z * stride - pad, z * stride - pad + k * gap, gap) if 0 <= r < wide]
            box = x[:, :, rows][:, :, :, columns].astype(np.float64)
            count = k * k if include else len(rows) * len(columns)
            out[:, :, y, z] = box.max((2, 3)) if kind == "max" else box.sum((2, 3)) / count
    return out


def adaptive(x: Array, size: tuple[int, int], reduce: Callable[..., Any]) -> Array:
    """NCHW data; window i is from floor(i * n / m) to ceil((i + 1) * n / m)."""
    h, wide = x.shape[2:]
    out = np.zeros((*x.shape[:2], *size))
    for y in range(size[0]):
        for z in range(size[1]):
            rows = slice(y * h // size[0], -(-(y + 1) * h // size[0]))
            columns = slice(z * wide // size[1], -(-(z + 1) * wide // size[1]))
            out[:, :, y, z] = reduce(x[:, :, rows, columns].astype(np.float64), axis=(2, 3))
    return out


def convolution(
    x: Array,
    w: Array,
    stride: Sequence[int],
    pad: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int = 1,
) -> Array:
    """Data (N, C, ...) and filters (O, C / groups, ...) of any number of dimensions, a window at a time."""
    x = np.pad(x.astype(np.float64), [(0, 0), (0, 0), *pad])
    reach = [(k - 1) * d for k, d in zip(w.shape[2:], dilation, strict=True)]
    counts = [(n - r - 1) // s + 1 for n, r, s in zip(x.shape[2:], reach, stride, strict=True)]
    out = np.zeros((x.shape[0], w.shape[0], *counts))
    depth, share = w.shape[1], w.shape[0] // groups
    for place in np.ndindex(*counts):
        box = tuple([slice(i * s, i * s + r + 1, d) for i, s, r, d in zip(place, stride, reach, dilation, strict=True)])
        for f in range(w.shape[0]):
            first = f // share * depth
            window = x[:, first : first + depth][(slice(None), slice(None), *box)]
            out[(slice(None), f, *place)] = (window * w[f].astype(np.float64)).sum(tuple(range(1, window.ndim)))
    return out


def pool(
    x: Array,
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    pad: Sequence[tuple[int, int]],
    kind: str,
    ceil: bool = False,
    include: bool = True,
) -> Array:
    """Data (N, C, ...) of any number of dimensions, a window at a time."""
    counts: list[int] = []
    for n, k, s, d, (a, b) in zip(x.shape[2:], kernel, stride, dilation, pad, strict=True):
        room = n + a + b - (k - 1) * d - 1
        counts.append((room + s - 1 if ceil else room) // s + 1)
    out = np.zeros((*x.shape[:2], *counts))
    for place in np.ndindex(*counts):
        lines = [
            [p for p in range(i * s - a, i * s - a + k * d, d) if 0 <= p < n]
            for i, n, k, s, d, (a, _) in zip(place, x.shape[2:], kernel, stride, dilation, pad, strict=True)
        ]
        window = x.astype(np.float64)[(slice(None), slice(None), *np.ix_(*lines))]
        axes = tuple(range(2, window.ndim))
        count = math.prod(kernel) if include else math.prod([len(line) for line in lines])
        out[(slice(None), slice(None), *place)] = window.max(axes) if kind == "max" else window.sum(axes) / count
    return out
