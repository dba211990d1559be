"""Matrix products and convolutions as a user of PyTorch writes them.

Operands are brought into the form that the library likes best before anything is timed: images and filters in NHWC
become tensors in ``channels_last``, which is the same memory for images.  ``t`` is torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias  # Any: torch's modules and tensors

from gpucomp.kernels.arrays import Shape

Torch: TypeAlias = Any
Tensor: TypeAlias = Any
Tensors: TypeAlias = Sequence[Tensor]


def _unchanged(t: Torch, shape: Shape, tensors: Tensors) -> list[Tensor]:
    return list(tensors)


def _same(t: Torch, result: Tensor) -> Tensor:
    return result


@dataclass(frozen=True, slots=True)
class Shaped:
    """A formula that needs more than its operands.

    Attributes:
        run: (torch, shape, *tensors) -> the result; what is timed.
        prepare: (torch, shape, tensors) -> the tensors that ``run`` takes.
        result: (torch, result) -> the result in our layout, for the comparison.
    """

    run: Callable[..., Tensor]
    prepare: Callable[[Torch, Shape, Tensors], list[Tensor]] = _unchanged
    result: Callable[[Torch, Tensor], Tensor] = _same


PRODUCTS: Final[Mapping[str, Callable[..., Tensor]]] = {
    "matmul": lambda t, a, b: a @ b,
    "matmul_nt": lambda t, a, b: a @ b.t(),
    "matmul_tn": lambda t, a, b: a.t() @ b,
    "matmul_tt": lambda t, a, b: a.t() @ b.t(),
    "matmul_int8": lambda t, a, b: t._int_mm(a, b.t()),
    "batch_matmul": lambda t, a, b: t.bmm(a, b),
    "matmul_bias_gelu": lambda t, a, b, v: t.nn.functional.gelu(t.addmm(v, a, b), approximate="tanh"),
}


def _conv2d(t: Torch, shape: Shape, x: Tensor, w: Tensor, *more: Tensor) -> Tensor:
    return t.nn.functional.conv2d(x, w, *more, stride=shape[5], padding=shape[4] // 2)


def _bias_relu(t: Torch, shape: Shape, x: Tensor, w: Tensor, v: Tensor) -> Tensor:
    return t.relu(_conv2d(t, shape, x, w, v))


def _bias_add_relu(t: Torch, shape: Shape, x: Tensor, w: Tensor, v: Tensor, r: Tensor) -> Tensor:
    return t.relu(_conv2d(t, shape, x, w, v) + r)


def _grouped(t: Torch, shape: Shape, x: Tensor, w: Tensor) -> Tensor:
    return t.nn.functional.conv2d(x, w, stride=shape[5], padding=shape[4] // 2, groups=shape[6])


def _dilated(t: Torch, shape: Shape, x: Tensor, w: Tensor) -> Tensor:
    padding = shape[4] // 2 * shape[6]
    return t.nn.functional.conv2d(x, w, stride=shape[5], padding=padding, dilation=shape[6])


def _transposed(t: Torch, shape: Shape, x: Tensor, w: Tensor) -> Tensor:
    k, stride = shape[4:6]
    padding = (k - 1) // 2
    more = max(0, stride + 2 * padding - k)
    return t.nn.functional.conv_transpose2d(x, w, stride=stride, padding=padding, output_padding=more)


def _conv1d(t: Torch, shape: Shape, x: Tensor, w: Tensor) -> Tensor:
    return t.nn.functional.conv1d(x, w, stride=shape[5], padding=shape[4] // 2)


def _conv3d(t: Torch, shape: Shape, x: Tensor, w: Tensor) -> Tensor:
    return t.nn.functional.conv3d(x, w, stride=shape[5], padding=shape[4] // 2)


def _depthwise(t: Torch, shape: Shape, x: Tensor, w: Tensor) -> Tensor:
    channels, (k, stride, dilation) = shape[1], shape[4:7]
    padding = dilation * (k // 2)
    return t.nn.functional.conv2d(x, w, stride=stride, padding=padding, dilation=dilation, groups=channels)


def _depthwise_nchw(t: Torch, shape: Shape, tensors: Tensors) -> list[Tensor]:
    x, w = tensors
    return [x, w.reshape(-1, 1, shape[4], shape[4])]


def _depthwise_nhwc(t: Torch, shape: Shape, tensors: Tensors) -> list[Tensor]:
    x, w = tensors
    filters = w.permute(2, 3, 0, 1).reshape(-1, 1, shape[4], shape[4])
    return [x.permute(0, 3, 1, 2), filters.contiguous(memory_format=t.channels_last)]


def _channels_last(t: Torch, shape: Shape, tensors: Tensors) -> list[Tensor]:
    x, w = tensors
    return [x.permute(0, 3, 1, 2), w.permute(3, 2, 0, 1).contiguous(memory_format=t.channels_last)]


def _back(t: Torch, result: Tensor) -> Tensor:
    return result.permute(0, 2, 3, 1)


CONVOLUTIONS: Final[Mapping[str, Shaped]] = {
    "conv2d": Shaped(_conv2d),
    "conv2d_nhwc": Shaped(_conv2d, _channels_last, _back),
    "conv2d_bias_relu": Shaped(_bias_relu),
    "conv2d_bias_add_relu": Shaped(_bias_add_relu),
    "group_conv2d": Shaped(_grouped),
    "dilated_conv2d": Shaped(_dilated),
    "conv2d_transpose": Shaped(_transposed),
    "conv1d": Shaped(_conv1d),
    "conv3d": Shaped(_conv3d),
    "depthwise_conv2d_nchw": Shaped(_depthwise, _depthwise_nchw),
    "depthwise_conv2d_nhwc": Shaped(_depthwise, _depthwise_nhwc, _back),
}
