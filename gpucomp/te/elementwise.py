"""Operators of whole tensors: ``A + B`` computes a tensor, element by element, with the shapes broadcast."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gpucomp.support.diagnostics import TensorError, caller_span
from gpucomp.tir.expr import Expr, ExprLike, is_const_int

if TYPE_CHECKING:
    from gpucomp.te.tensor import Tensor

Function = Callable[..., Expr]


def elementwise(name: str, function: Function, *operands: ExprLike) -> Tensor:
    """A tensor of ``function`` of the elements of ``operands``: tensors, numbers or expressions.

    Shapes are aligned at their last dimensions; an extent of 1 goes with any other.

    Raises:
        TensorError: GC216 the shapes do not go together.
    """
    from gpucomp.te.api import compute
    from gpucomp.te.tensor import Tensor

    whole = [x for x in operands if isinstance(x, Tensor) and x.shape]
    shape = _broadcast(name, whole)
    same = all([len(t.shape) == len(shape) and all(map(_is_same, t.shape, shape)) for t in whole])

    def element(*indices: Expr) -> Expr:
        return function(*[_element(x, indices, shape) for x in operands])

    return compute(tuple(shape), element, name=f"T_{name}", tag="elemwise" if same else "broadcast")


def _is_same(a: Expr, b: Expr) -> bool:
    return a is b  # extents are interned


def _broadcast(name: str, tensors: list[Tensor]) -> list[Expr]:
    shape: list[Expr] = []
    for position in range(1, max([t.ndim for t in tensors]) + 1):
        extents = [t.shape[-position] for t in tensors if t.ndim >= position]
        wide = [x for x in extents if not is_const_int(x, 1)]
        if any([x is not wide[0] for x in wide]):
            shapes = " and ".join([f"({', '.join([str(s) for s in t.shape])})" for t in tensors])
            names = " and ".join([t.name for t in tensors])
            raise TensorError(
                f"{name} of tensors {names}: shapes {shapes} do not go together",
                code="GC216",
                where=caller_span(),
                hint="extents must be equal or 1, counted from the last dimension; te.compute says anything else",
            )
        shape.append(wide[0] if wide else extents[0])
    return shape[::-1]


def _element(operand: ExprLike, indices: tuple[Expr, ...], shape: list[Expr]) -> ExprLike:
    from gpucomp.te.tensor import Tensor

    if not isinstance(operand, Tensor):
        return operand
    skip = len(shape) - operand.ndim
    return operand(*[0 if is_const_int(s, 1) else i for s, i in zip(operand.shape, indices[skip:], strict=True)])
