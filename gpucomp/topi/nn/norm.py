"""Softmax and normalisations.

Means and variances are of the type of the data; the variance is the mean of squared differences from the mean.
Raises, all of them: TensorError GC221 there is no such axis, GC216 a scale or shift has another shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import SupportsIndex

from gpucomp.te.api import compute, reduce_axis
from gpucomp.te.reduction import Reducer, max_of, sum_of
from gpucomp.te.tensor import Tensor
from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import Expr, IterVar
from gpucomp.topi.tag import BROADCAST, COMM_REDUCE, ELEMWISE
from gpucomp.topi.utils import Axis, argument_error, axes_of, one_axis, product, same_extent, shape_error, tensor_of


class _Groups:
    """Elements that are normalised together: those that differ along ``axes`` only."""

    def __init__(self, name: str, data: Tensor, axis: Axis) -> None:
        self.data = tensor_of(name, data)
        self.axes = axes_of(name, axis, data.ndim)
        self.rest = [d for d in range(data.ndim) if d not in self.axes]
        self.shape = [data.shape[d] for d in self.rest]

    def key(self, i: Sequence[Expr]) -> list[Expr]:
        return [i[d] for d in self.rest]

    def count(self) -> Expr:
        return operators.cast(self.data.dtype, product([self.data.shape[d] for d in self.axes]))

    def reduce(self, name: str, reducer: Reducer, value: Callable[[list[Expr]], Expr]) -> Tensor:
        steps: list[IterVar] = [reduce_axis((0, self.data.shape[d]), f"k{d}") for d in self.axes]

        def element(*key: Expr) -> Expr:
            one, other = iter(key), iter(steps)
            return reducer(
                value([next(other).var if d in self.axes else next(one) for d in range(self.data.ndim)]), steps
            )

        return compute(self.shape, element, name=name, tag=COMM_REDUCE)

    def values(self, name: str, value: Callable[..., Expr]) -> Tensor:
        return compute(self.shape, value, name=name, tag=ELEMWISE)

    def check(self, name: str, *vectors: Tensor | None) -> None:
        """Scales and shifts have the extents of the axes."""
        for v in vectors:
            wanted = [self.data.shape[d] for d in self.axes]
            if v is None:
                continue
            tensor_of(name, v, len(wanted))
            if not all([same_extent(s, t) for s, t in zip(v.shape, wanted, strict=True)]):
                raise shape_error(name, f"the extents of axes {self.axes}", self.data, v)

    def weight(self, vector: Tensor, i: Sequence[Expr]) -> Expr:
        return vector(*[i[d] for d in self.axes])


def softmax(x: Tensor, axis: SupportsIndex = -1) -> Tensor:
    """``exp(x - max) / sum of those`` along ``axis``."""
    rows = _Groups("nn.softmax", x, one_axis("nn.softmax", axis, tensor_of("nn.softmax", x).ndim))
    largest = rows.reduce("T_softmax_maxelem", max_of, lambda i: x(*i))
    powers = compute(x.shape, lambda *i: intrin.exp(x(*i) - largest(*rows.key(i))), name="T_softmax_exp", tag=ELEMWISE)
    total = rows.reduce("T_softmax_expsum", sum_of, lambda i: powers(*i))

    def element(*i: Expr) -> Expr:
        return powers(*i) / total(*rows.key(i))

    return compute(x.shape, element, name="T_softmax_norm", tag="softmax_output", attrs={"axis": rows.axes[0]})


def log_softmax(x: Tensor, axis: SupportsIndex = -1) -> Tensor:
    """``x - max - log(sum of exp(x - max))`` along ``axis``."""
    rows = _Groups("nn.log_softmax", x, one_axis("nn.log_softmax", axis, tensor_of("nn.log_softmax", x).ndim))
    largest = rows.reduce("T_softmax_maxelem", max_of, lambda i: x(*i))
    total = rows.reduce("T_softmax_expsum", sum_of, lambda i: intrin.exp(x(*i) - largest(*rows.key(i))))

    def element(*i: Expr) -> Expr:
        return x(*i) - largest(*rows.key(i)) - intrin.log(total(*rows.key(i)))

    return compute(x.shape, element, name="T_log_softmax", tag="log_softmax_output", attrs={"axis": rows.axes[0]})


def _moments(groups: _Groups) -> tuple[Tensor, Tensor]:
    """Means and variances, in two passes, which lose no digits."""
    data = groups.data
    total = groups.reduce("T_sum", sum_of, lambda i: data(*i))
    mean = groups.values("T_mean", lambda *key: total(*key) / groups.count())

    def square(i: list[Expr]) -> Expr:
        away = data(*i) - mean(*groups.key(i))
        return away * away

    squares = groups.reduce("T_squares", sum_of, square)
    return mean, groups.values("T_variance", lambda *key: squares(*key) / groups.count())


def layer_norm(data: Tensor, gamma: Tensor, beta: Tensor | None, axis: Axis, epsilon: float = 1e-5) -> Tensor:
    """``(data - mean) / sqrt(variance + epsilon) * gamma + beta`` over ``axis`` (Ba et al. 2016).

    ``gamma`` and ``beta`` have the extents of the axes.
    """
    groups = _Groups("nn.layer_norm", data, axis)
    groups.check("nn.layer_norm", gamma, beta)
    mean, variance = _moments(groups)

    def element(*i: Expr) -> Expr:
        key = groups.key(i)
        scaled = (
            (data(*i) - mean(*key)) * intrin.rsqrt(variance(*key) + _small(data, epsilon)) * groups.weight(gamma, i)
        )
        return scaled if beta is None else scaled + groups.weight(beta, i)

    return compute(data.shape, element, name="T_layer_norm", tag=BROADCAST)


def _small(data: Tensor, epsilon: float) -> Expr:
    return operators.const(epsilon, data.dtype)


def rms_norm(data: Tensor, weight: Tensor, axis: Axis, epsilon: float = 1e-5) -> Tensor:
    """``data / sqrt(mean of squares + epsilon) * weight`` over ``axis`` (Zhang and Sennrich 2019)."""
    groups = _Groups("nn.rms_norm", data, axis)
    groups.check("nn.rms_norm", weight)
    squares = groups.reduce("T_squares", sum_of, lambda i: data(*i) * data(*i))

    def element(*i: Expr) -> Expr:
        scale = intrin.rsqrt(squares(*groups.key(i)) / groups.count() + _small(data, epsilon))
        return data(*i) * scale * groups.weight(weight, i)

    return compute(data.shape, element, name="T_rms_norm", tag=BROADCAST)


def instance_norm(data: Tensor, gamma: Tensor, beta: Tensor, axis: Axis, epsilon: float = 1e-5) -> Tensor:
    """:func:`layer_norm` over ``axis``, with one scale and shift for each place along dimension 1."""
    groups = _Groups("nn.instance_norm", data, axis)
    channels = _Groups("nn.instance_norm", data, 1)
    channels.check("nn.instance_norm", gamma, beta)
    mean, variance = _moments(groups)

    def element(*i: Expr) -> Expr:
        key = groups.key(i)
        scale = intrin.rsqrt(variance(*key) + _small(data, epsilon))
        return (data(*i) - mean(*key)) * scale * channels.weight(gamma, i) + channels.weight(beta, i)

    return compute(data.shape, element, name="T_instance_norm", tag=BROADCAST)


def batch_norm(
    data: Tensor,
    gamma: Tensor,
    beta: Tensor,
    moving_mean: Tensor,
    moving_var: Tensor,
    axis: SupportsIndex | None = None,
    epsilon: float | None = None,
    center: bool | None = None,
    scale: bool | None = None,
    training: bool | None = None,
    momentum: float | None = None,
) -> list[Tensor]:
    """``(data - moving_mean) / sqrt(moving_var + epsilon) * gamma + beta``, one of each for a place along ``axis`` (1).

    The form for inference: the moving mean and variance are those given.

    Returns:
        The result, ``moving_mean`` and ``moving_var``.

    Raises:
        TensorError: GC222 ``training`` is asked for.
    """
    if training:
        raise argument_error("nn.batch_norm: training=True", "only the form for inference is there")
    tensor_of("nn.batch_norm", data)
    groups = _Groups("nn.batch_norm", data, one_axis("nn.batch_norm", 1 if axis is None else axis, data.ndim))
    groups.check("nn.batch_norm", gamma, beta, moving_mean, moving_var)
    small = _small(data, 1e-5 if epsilon is None else epsilon)

    def element(*i: Expr) -> Expr:
        value = (data(*i) - groups.weight(moving_mean, i)) / intrin.sqrt(groups.weight(moving_var, i) + small)
        if scale is not False:
            value = value * groups.weight(gamma, i)
        return value if center is False else value + groups.weight(beta, i)

    return [compute(data.shape, element, name="T_batch_norm", tag=BROADCAST), moving_mean, moving_var]
