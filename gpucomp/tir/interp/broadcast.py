"""Broadcasting of small arrays, which is most of what an access of the interpreter does."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]  # of any element type


def broadcast(values: object, shape: tuple[int, ...]) -> Values:
    """``np.broadcast_to`` at a third of its price: a view that may not be written to.

    Raises:
        ValueError: the shapes do not fit.
    """
    data = np.asarray(values)
    have = data.shape
    if have == shape:
        return data
    missing = len(shape) - len(have)
    if missing < 0 or not data.flags.c_contiguous or 0 in shape:
        return np.broadcast_to(data, shape)
    strides = [0] * missing
    for there, wanted, step in zip(have, shape[missing:], data.strides, strict=True):
        if there == wanted:
            strides.append(step)
        elif there == 1:
            strides.append(0)
        else:
            return np.broadcast_to(data, shape)
    view = np.ndarray(shape, data.dtype, data, 0, strides)
    view.flags.writeable = False
    return view
