"""Definitions of convolutions: any number of dimensions up to three, channels first or last, groups, epilogues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gpucomp import te
from gpucomp.kernels.convolution import phases
from gpucomp.kernels.convolution.problem import Convolution, square
from gpucomp.kernels.registry import Definition, Extent, extent, sum_dtype
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IterVar, Var
from gpucomp.tir.intrin import if_then_else
from gpucomp.tir.operators import const

PACKED = "packed"  # the name of filters in the order of slabs


@dataclass(frozen=True, slots=True, eq=False)
class ConvolutionDefinition(Definition):
    """A convolution as tensor expressions; it knows what it is.

    Attributes:
        problem: the convolution.
        packed: the filters by taps, channels and filters, of which zeros make up a multiple of four; or None.
        filled: the filters with zeros behind their last taps, where those of some phases of a transposed convolution
            are fewer than those of others; or None.
        padded: the image with its border of zeros, or None where there is no border.
        product: the sum of products: the output itself, unless an epilogue follows or it is computed by phases.
    """

    problem: Convolution = field(kw_only=True)
    packed: te.Tensor | None = None
    filled: te.Tensor | None = None
    padded: te.Tensor | None = None
    product: te.Tensor = field(kw_only=True)


def conv2d(shape: Sequence[Extent], dtype: str) -> ConvolutionDefinition:
    """A convolution in NCHW layout for shape (N, C, H, O, k, stride): H x H images, k x k filters, padding k // 2.

    ``Y[n, o, y, x] = sum over c, dy, dx of X[n, c, y * stride + dy - k // 2, x * stride + dx - k // 2] *
    W[o, c, dy, dx]``, with 0 outside of the image. The result is ``(H + 2 * (k // 2) - k) // stride + 1`` wide.
    16-bit inputs are multiplied and summed in float32, which is then the type of the result.

    Intermediates: the padded image (N, C, H + 2 * (k // 2), H + 2 * (k // 2)), unless k is 1.

    Raises:
        ArgumentError: k or stride is no number.
    """
    return define(square(tuple(shape)), dtype)


def define(conv: Convolution, dtype: str, *, pack: bool = False) -> ConvolutionDefinition:
    """The tensor expressions of a convolution for inputs of ``dtype``.

    With ``pack``, filters of a convolution that is not transposed are first brought into an order in which vectors of
    four of them can be read at any tap and channel.

    16-bit inputs are multiplied and summed in float32, which is the type of the result, unless something follows the
    sum: that is computed in float32 too, and converted to ``dtype``.

    Intermediates, as far as there are such: filters with zeros behind, padded image, sum of products.  That of a
    transposed convolution of a stride s above 1 is computed by phases: s x s dense convolutions of every s-th tap, of
    shape (N, O, s, s, H, W), whose results the output interleaves.  No zero is put between pixels, and only a window
    that s does not divide is multiplied by zeros: behind its last taps.
    """
    image, weight = te.placeholder(conv.image_shape, dtype, "X"), te.placeholder(conv.weight_shape, dtype, "W")
    filled: te.Tensor | None = None
    packed = _packed(weight, conv) if pack and not conv.transposed else None
    wide = sum_dtype(dtype)
    before, after = phases.border(conv) if conv.has_phases else _border(conv)
    padded = _padded(image, conv.spatial_axes, before, after) if any([*before, *after]) else None
    source = image if padded is None else padded
    if conv.has_phases:
        filled = phases.filled(weight, conv)
        product = phases.product(source, before, weight if filled is None else filled, conv, wide)
    else:
        product = _product(source, weight if packed is None else packed, conv, wide)
    around = tuple([t for t in (packed, filled, padded) if t is not None])
    if not conv.has_epilogue and not conv.has_phases:
        return ConvolutionDefinition(
            (image, weight), (product,), around, problem=conv, packed=packed, padded=padded, product=product
        )
    more, result = epilogue(product, conv, dtype if conv.has_epilogue else wide)
    return ConvolutionDefinition(
        (image, weight, *more),
        (result,),
        (*around, product),
        problem=conv,
        packed=packed,
        filled=filled,
        padded=padded,
        product=product,
    )


def _border(conv: Convolution) -> tuple[Sequence[Extent], Sequence[Extent]]:
    """Rows and columns of zeros before and after the image."""
    if not conv.transposed:
        return conv.padding, conv.padding
    before = tuple([k - 1 - p for k, p in zip(conv.kernel, conv.padding, strict=True)])
    return before, tuple([b + m for b, m in zip(before, conv.more or (0,) * conv.ndim, strict=True)])


def _product(source: te.Tensor, weight: te.Tensor, conv: Convolution, wide: str) -> te.Tensor:
    channels = te.reduce_axis((0, conv.group_channels), "rc")
    names = ("rz", "ry", "rx")[-conv.ndim :]
    taps = [te.reduce_axis((0, k), name) for k, name in zip(conv.kernel, names, strict=True)]
    per_group = 1 if conv.groups == 1 else (extent(conv.filters) or 1) // conv.groups

    def element(b: Var, f: Var, place: Sequence[Var]) -> Expr:
        channel: Expr = channels.var
        if conv.groups > 1:
            channel = f // per_group * conv.group_channels + channels.var
        at: list[Expr] = []
        for p, tap, d in zip(place, taps, range(conv.ndim), strict=True):
            step = 1 if conv.transposed else conv.stride[d]
            at.append(p * step + tap.var * conv.dilation[d])
        pixel = source(*conv.laid_out(b, channel, tuple(at)))
        factor = weight(*_filter_place(conv, f, channels, taps, packed=weight.op.name == PACKED))
        return te.sum(pixel.astype(wide) * factor.astype(wide), axis=[channels, *taps])

    return te.compute(conv.output_shape, _by_axes(conv, element), name="Y")


def _filter_place(conv: Convolution, f: Var, channels: IterVar, taps: Sequence[IterVar], *, packed: bool) -> list[Expr]:
    if conv.transposed:
        return [channels.var, f, *[k - 1 - t.var for k, t in zip(conv.kernel, taps, strict=True)]]
    inner: list[Expr] = [t.var for t in taps]
    return [*inner, channels.var, f] if conv.channels_last or packed else [f, channels.var, *inner]


def _packed(weight: te.Tensor, conv: Convolution) -> te.Tensor:
    def element(*i: Var) -> Expr:
        *taps, channel, f = i
        place = [*taps, channel, f] if conv.channels_last else [f, channel, *taps]
        return if_then_else(f < conv.filters, weight(*place), const(0, weight.dtype))

    shape = (*conv.kernel, conv.group_channels, (conv.filters + 3) // 4 * 4)
    names = [*("rz", "ry", "rx")[-conv.ndim :], "rc", "f"]
    return te.compute(shape, element, name=PACKED, tag="injective,pad", varargs_names=names)


Element = Callable[[Var, Var, Sequence[Var]], Expr]


def _by_axes(conv: Convolution, element: Element) -> Callable[..., Expr]:
    """``element(batch, channel, place)`` as a function of the indices in the order of the layout."""
    first: dict[int, Callable[..., Expr]] = {
        1: lambda b, f, x: element(b, f, (x,)),
        2: lambda b, f, y, x: element(b, f, (y, x)),
        3: lambda b, f, z, y, x: element(b, f, (z, y, x)),
    }
    last: dict[int, Callable[..., Expr]] = {
        1: lambda b, x, f: element(b, f, (x,)),
        2: lambda b, y, x, f: element(b, f, (y, x)),
        3: lambda b, z, y, x, f: element(b, f, (z, y, x)),
    }
    return (last if conv.channels_last else first)[conv.ndim]


def epilogue(product: te.Tensor, conv: Convolution, dtype: str) -> tuple[list[te.Tensor], te.Tensor]:
    """The inputs that follow the sum, and the result: of phases, their places one after the other."""
    wide = str(product.dtype)
    bias = te.placeholder((conv.filters,), dtype, "V") if conv.bias else None
    residual = te.placeholder(conv.output_shape, dtype, "R") if conv.residual else None

    def element(b: Var, f: Var, place: Sequence[Var]) -> Expr:
        index = conv.laid_out(b, f, tuple(place))
        value: Expr = product(*(phases.place(b, f, place, conv) if conv.has_phases else index))
        if bias is not None:
            value = value + bias[f].astype(wide)
        if residual is not None:
            value = value + residual(*index).astype(wide)
        if conv.relu:
            value = operators.maximum(value, const(0, wide))
        return value.astype(dtype)

    out = te.compute(conv.output_shape, _by_axes(conv, element), name="Z")
    return [t for t in (bias, residual) if t is not None], out


def _padded(image: te.Tensor, axes: range, before: Sequence[Extent], after: Sequence[Extent]) -> te.Tensor:
    zero = const(0, image.dtype)
    shape = list(image.shape)
    for axis, b, a in zip(axes, before, after, strict=True):
        shape[axis] = shape[axis] + (b + a)

    def element(*i: Var) -> Expr:
        conditions: list[Expr] = []
        place: list[Expr] = list(i)
        for axis, b in zip(axes, before, strict=True):
            if shape[axis] is not image.shape[axis]:
                conditions += [i[axis] >= b, i[axis] < image.shape[axis] + b]
            place[axis] = i[axis] - b
        return if_then_else(te.all(*conditions), image(*place), zero)

    return te.compute(shape, element, name="pad", tag="injective,pad", varargs_names=_names(image, axes))


def _names(image: te.Tensor, axes: range) -> list[str]:
    spatial = ["z", "y", "x"][-len(axes) :]
    return ["b", "ch", *spatial] if axes[0] == len(image.shape) - len(axes) else ["b", *spatial, "ch"]
