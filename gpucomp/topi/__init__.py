"""A library of operators, as tensor expressions, under the names of TVM 0.18's ``topi``.

Each function takes tensors (:func:`gpucomp.te.placeholder`, or results of others) and returns tensors: they compose,
and are scheduled like computes written by hand.

>>> from gpucomp import te, topi
>>> x, w, b = te.placeholder((4, 3), name="x"), te.placeholder((5, 3), name="w"), te.placeholder((5,), name="b")
>>> topi.nn.relu(topi.nn.dense(x, w, b))
Tensor(shape=[4, 5], dtype=float32, name=T_relu)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpucomp.support.absent import no_attribute
from gpucomp.topi import cuda, generic, nn, tag, utils
from gpucomp.topi.broadcast import (
    add,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    broadcast_to,
    divide,
    equal,
    floor_divide,
    floor_mod,
    greater,
    greater_equal,
    left_shift,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    mod,
    multiply,
    not_equal,
    power,
    right_shift,
    subtract,
)
from gpucomp.topi.indexing import gather, gather_nd, one_hot, take, where
from gpucomp.topi.math import (
    abs,
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atanh,
    cast,
    ceil,
    clip,
    cos,
    cosh,
    elemwise_sum,
    erf,
    exp,
    floor,
    full,
    full_like,
    identity,
    isfinite,
    isinf,
    isnan,
    log,
    log2,
    log10,
    negative,
    reinterpret,
    round,
    rsqrt,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
    tan,
    tanh,
    trunc,
)
from gpucomp.topi.products import einsum, matmul, tensordot
from gpucomp.topi.reduction import all, any, argmax, argmin, max, min, prod, sum
from gpucomp.topi.transform import (
    arange,
    concatenate,
    expand_dims,
    flip,
    repeat,
    reshape,
    split,
    squeeze,
    stack,
    strided_slice,
    tile,
    transpose,
)

__all__ = [
    "cuda", "generic", "nn", "tag", "utils",
    # two tensors, broadcast
    "add", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "broadcast_to", "divide", "equal", "floor_divide",
    "floor_mod", "greater", "greater_equal", "left_shift", "less", "less_equal", "logical_and", "logical_not",
    "logical_or", "logical_xor", "maximum", "minimum", "mod", "multiply", "not_equal", "power", "right_shift",
    "subtract",
    # one tensor, element by element
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "cast", "ceil", "clip", "cos", "cosh", "elemwise_sum",
    "erf", "exp", "floor", "full", "full_like", "identity", "isfinite", "isinf", "isnan", "log", "log2", "log10",
    "negative", "reinterpret", "round", "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
    # reductions
    "all", "any", "argmax", "argmin", "max", "min", "prod", "sum",
    # elements moved, gathered, multiplied
    "arange", "concatenate", "expand_dims", "flip", "repeat", "reshape", "split", "squeeze", "stack", "strided_slice",
    "tile", "transpose", "gather", "gather_nd", "one_hot", "take", "where", "einsum", "matmul", "tensordot",
]  # fmt: skip

if not TYPE_CHECKING:  # a type checker knows the names from above, and should report others

    def __getattr__(name: str) -> object:
        raise no_attribute("gpucomp.topi", name, (*__all__, *[f"nn.{x}" for x in nn.__all__]))
