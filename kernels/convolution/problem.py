"""What a convolution is: extents, windows, layout, groups, and what follows it elementwise."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gpucomp.kernels.arrays import Shape
from gpucomp.kernels.registry import Extent, extent
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.tir.expr import Expr


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution of one to three spatial dimensions (as in neural networks: the filter is not mirrored).

    ``Y[n, o, p] = sum over c, t of X[n, c, p * stride + t * dilation - padding] * W[o, c, t]``, 0 outside of the
    image; positions p and taps t have a number for each spatial dimension, and with groups c runs over the channels
    of the group of o.  Transposed, it is the gradient of such a convolution for its image: ``Y[n, o, p * stride +
    t - padding]`` is the sum of ``X[n, c, p] * W[c, o, t]``.

    Attributes:
        batch, channels: N and C of the image.
        size: its spatial extents.
        filters: channels O of the result.
        kernel: extents of a window.
        stride, padding, dilation: for each spatial dimension; as much padding behind as before the image.
        groups: channels of image and result fall in so many groups.
        channels_last: the image is (N, ..., C) and the filters (..., C / groups, O); else (N, C, ...), (O, C / groups,
            ...), transposed (C, O, ...).
        transposed: see above; without groups, dilation and ``channels_last``.
        more: rows and columns that a transposed one adds behind.
        bias: V[o] is added.
        residual: R, of the result's shape, is added.
        relu: what is negative becomes 0.

    Raises:
        ArgumentError: GC640, where these do not go together.
    """

    batch: Extent
    channels: Extent
    size: tuple[Extent, ...]
    filters: Extent
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    channels_last: bool = False
    transposed: bool = False
    more: tuple[int, ...] = ()
    bias: bool = False
    residual: bool = False
    relu: bool = False

    def __post_init__(self) -> None:
        ndim = len(self.size)
        every = (self.kernel, self.stride, self.padding, self.dilation)
        if not 1 <= ndim <= 3 or any([len(x) != ndim for x in every]):
            raise _error(f"{ndim} spatial extents, and windows, strides, padding and dilation of {every}")
        if self.groups != 1:
            for what, count in (("channels", extent(self.channels)), ("filters", extent(self.filters))):
                if count is None or count % self.groups:
                    raise _error(f"{self.groups} groups do not divide {count or 'a symbolic number of'} {what}")
        if self.transposed and (self.groups != 1 or self.channels_last or set(self.dilation) != {1}):
            raise _error("a transposed convolution has its channels first, no groups and no dilation")
        sizes = [extent(x) for x in self.out_size]
        if any([x is not None and x < 1 for x in sizes]):
            raise _error(f"windows of {self.kernel} over {self.size}, with padding {self.padding}")

    @property
    def ndim(self) -> int:
        """Spatial dimensions."""
        return len(self.size)

    @property
    def has_epilogue(self) -> bool:
        """Something follows the sum."""
        return self.bias or self.residual or self.relu

    @property
    def spatial_axes(self) -> range:
        """Dimensions of image and result that are spatial."""
        first = 1 if self.channels_last else 2
        return range(first, first + self.ndim)

    @property
    def channel_axis(self) -> int:
        """The dimension of image and result that counts channels."""
        return self.ndim + 1 if self.channels_last else 1

    @property
    def out_size(self) -> tuple[Extent, ...]:
        """Spatial extents of the result."""
        return tuple([self._out(d) for d in range(self.ndim)])

    @property
    def phases(self) -> tuple[int, ...]:
        """How many kinds of places the result has in each spatial dimension, by the taps that reach them.

        One, but of a transposed convolution as many as its stride: the taps that reach place p are those congruent to
        p + padding.
        """
        return self.stride if self.transposed else (1,) * self.ndim

    @property
    def has_phases(self) -> bool:
        """Transposed, of a stride above 1."""
        return max(self.phases) > 1

    @property
    def phase_taps(self) -> tuple[int, ...]:
        """Taps that reach a place, at most."""
        return tuple([-(-k // s) for k, s in zip(self.kernel, self.phases, strict=True)])

    @property
    def phase_size(self) -> tuple[Extent, ...]:
        """Places of a phase in each spatial dimension, of the longest."""
        pairs = zip(self.out_size, self.phases, strict=True)
        return tuple([n if s == 1 else (n + (s - 1)) // s for n, s in pairs])

    def _out(self, d: int) -> Extent:
        size, wide = self.size[d], (self.kernel[d] - 1) * self.dilation[d] + 1
        if self.transposed:
            more = self.more[d] if self.more else 0
            return (size - 1) * self.stride[d] + (wide - 2 * self.padding[d] + more)
        return (size + 2 * self.padding[d] - wide) // self.stride[d] + 1

    def laid_out(self, batch: Extent, channels: Extent, size: tuple[Extent, ...]) -> tuple[Extent, ...]:
        """A shape in the order of image and result."""
        return (batch, *size, channels) if self.channels_last else (batch, channels, *size)

    @property
    def image_shape(self) -> tuple[Extent, ...]:
        """Of X."""
        return self.laid_out(self.batch, self.channels, self.size)

    @property
    def group_channels(self) -> Extent:
        """Channels of the image that one of the result depends on."""
        return self.channels if self.groups == 1 else (extent(self.channels) or 0) // self.groups

    @property
    def weight_shape(self) -> tuple[Extent, ...]:
        """Of W."""
        if self.transposed:
            return (self.channels, self.filters, *self.kernel)
        if self.channels_last:
            return (*self.kernel, self.group_channels, self.filters)
        return (self.filters, self.group_channels, *self.kernel)

    @property
    def output_shape(self) -> tuple[Extent, ...]:
        """Of the result, and of R."""
        return self.laid_out(self.batch, self.filters, self.out_size)

    def input_shapes(self) -> tuple[Shape, ...]:
        """Of the inputs in calling order: X, W, then V and R where there are such."""
        shapes: list[Shape] = [numbers(self.image_shape), numbers(self.weight_shape)]
        if self.bias:
            shapes.append(numbers((self.filters,)))
        if self.residual:
            shapes.append(numbers(self.output_shape))
        return tuple(shapes)

    def flops(self) -> int:
        """Multiplications and additions; a transposed one has them for elements of the image, not of the result."""
        size = numbers(self.size if self.transposed else self.out_size)
        each = math.prod(self.kernel) * numbers((self.group_channels,))[0]
        batch, filters = numbers((self.batch, self.filters))
        after = self.bias + self.residual + self.relu
        return batch * filters * (2 * each * math.prod(size) + after * math.prod(numbers(self.out_size)))


def numbers(shape: tuple[Extent, ...]) -> Shape:
    """Extents that are numbers, as such.

    Raises:
        ArgumentError: one is symbolic.
    """
    found = [extent(x) for x in shape]
    known = tuple([x for x in found if x is not None])
    if len(known) != len(found):
        raise _error(f"extents {shape} are no numbers")
    return known


def _error(what: str) -> ArgumentError:
    return ArgumentError(f"convolution: {what}", code="GC640")


def square(shape: tuple[Extent, ...], ndim: int = 2) -> Convolution:
    """The convolution for shape (N, C, H, O, k, stride): images and windows as wide as high, padding k // 2.

    Args:
        shape: the six numbers; the last two are no expressions.
        ndim: spatial dimensions.
    """
    n, c, h, o, k, stride = shape
    if isinstance(k, Expr) or isinstance(stride, Expr):
        raise ArgumentError("conv2d: k and stride have to be numbers", code="GC640")
    same = (k // 2,) * ndim
    return Convolution(n, c, (h,) * ndim, o, (k,) * ndim, (stride,) * ndim, same, (1,) * ndim)
