"""Tensors: the symbolic results of operations, and their elements."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any  # Any: an operator gives a tensor, or inside of a compute an expression

from gpucomp.support.diagnostics import TensorError, caller_span
from gpucomp.support.dtype import DType
from gpucomp.support.expect import mismatch
from gpucomp.te.elementwise import elementwise
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, ExprOp, ProducerLoad
from gpucomp.tir.ufuncs import apply

if TYPE_CHECKING:
    import numpy as np

    from gpucomp.te.operation import Operation


class Tensor(ExprOp):
    """One output of an operation.  Compares by identity.

    ``A[i, j]``, ``A[i][j]`` and ``A(i, j)`` are elements; a tensor without dimensions stands for its only element.
    ``A + B``, ``A * 2`` and the like, outside of a compute, are tensors: computed element by element, with extents of 1
    broadcast.

    Attributes:
        op: the operation that computes it.
        value_index: which of the outputs of ``op`` it is.
        shape: extents, as integer expressions.
        dtype: element type.
    """

    __slots__ = ("dtype", "op", "shape", "value_index")

    def __init__(self, op: Operation, value_index: int, shape: tuple[Expr, ...], dtype: DType) -> None:
        if not hasattr(type(op), "input_tensors"):
            raise mismatch("Tensor", type("Operation", (), {}), op, "te.placeholder and te.compute make tensors")
        self.op = op
        self.value_index = value_index
        self.shape = shape
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def name(self) -> str:
        """Name of the operation; outputs of an operation with several are numbered: ``argmax.v0``."""
        return self.op.name if self.op.num_outputs == 1 else f"{self.op.name}.v{self.value_index}"

    def __call__(self, *indices: ExprLike) -> ProducerLoad:
        """The element at ``indices``.

        Raises:
            TensorError: wrong number of indices, a constant index outside of the shape, or a slice.
        """
        return self._load(indices)

    def __getitem__(self, indices: object) -> TensorSlice:  # anything may be written here; _load refuses
        items = tuple(indices) if isinstance(indices, (tuple, list)) else (indices,)
        if len(items) > len(self.shape):
            self._wrong_count(len(items))
        return TensorSlice(self, items)

    __iter__ = None  # __getitem__ alone would make Python iterate for ever

    def _wrong_count(self, count: int) -> None:
        raise TensorError(
            f"tensor {self.name!r} has {self.ndim} dimensions, but is indexed with {count}",
            code="GC201",
            where=caller_span(),
            hint=f"its shape is ({', '.join([str(s) for s in self.shape])})",
        )

    def _load(self, indices: tuple[object, ...]) -> ProducerLoad:
        if len(indices) != len(self.shape):
            self._wrong_count(len(indices))
        items: list[Expr] = []
        for position, index in enumerate(indices):
            items.append(self._index(position, index))
        return ProducerLoad(self, tuple(items))

    def _index(self, position: int, index: object) -> Expr:
        if isinstance(index, slice) or index is None or index is Ellipsis:
            raise TensorError(
                f"tensor {self.name!r} is indexed with a slice; an element needs one index for each dimension",
                code="GC202",
                where=caller_span(),
                hint="write a te.compute over the part that you want",
            )
        item = operators.convert(index)
        if not item.dtype.is_int:
            raise TensorError(
                f"index {position} of tensor {self.name!r} has type {item.dtype}",
                code="GC203",
                where=caller_span(),
                hint="indices are integers: index.astype('int32')",
            )
        extent = self.shape[position]
        if isinstance(item, e.IntImm) and isinstance(extent, e.IntImm) and not 0 <= item.value < extent.value:
            raise TensorError(
                f"index {item.value} is outside of dimension {position} of tensor {self.name!r}, whose extent is "
                f"{extent.value}",
                code="GC204",
                where=caller_span(),
                hint=f"valid indices are 0 to {extent.value - 1}",
            )
        return item

    def as_expr(self) -> Expr:
        """The only element.

        Raises:
            TensorError: GC205 it has dimensions.
        """
        if self.shape:
            raise TensorError(
                f"tensor {self.name!r} with {self.ndim} dimensions is used where one element is needed",
                code="GC205",
                where=caller_span(),
                hint=f"index it: {self.name}[{', '.join(['i', 'j', 'k', 'l', 'm'][: self.ndim])}]",
            )
        return self._load(())

    # -- operators on whole tensors ---------------------------------------------------------------------------

    def _whole(self, name: str, function: Callable[..., Expr], *operands: ExprLike) -> Any:
        """An operator: of elements inside of a compute or for a tensor without dimensions, else of whole tensors."""
        tensors = [x for x in operands if isinstance(x, Tensor) and x.shape]
        return elementwise(name, function, *operands) if tensors and not operators.is_tracing() else function(*operands)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: ExprLike, **kwargs: object) -> Any:
        return self._whole(ufunc.__name__, lambda *items: apply(ufunc, method, items, kwargs), *inputs)

    def __add__(self, other: ExprLike) -> Any:
        return self._whole("add", operators.add, self, other)

    def __radd__(self, other: ExprLike) -> Any:
        return self._whole("add", operators.add, other, self)

    def __sub__(self, other: ExprLike) -> Any:
        return self._whole("subtract", operators.subtract, self, other)

    def __rsub__(self, other: ExprLike) -> Any:
        return self._whole("subtract", operators.subtract, other, self)

    def __mul__(self, other: ExprLike) -> Any:
        return self._whole("multiply", operators.multiply, self, other)

    def __rmul__(self, other: ExprLike) -> Any:
        return self._whole("multiply", operators.multiply, other, self)

    def __truediv__(self, other: ExprLike) -> Any:
        return self._whole("divide", operators.divide, self, other)

    def __rtruediv__(self, other: ExprLike) -> Any:
        return self._whole("divide", operators.divide, other, self)

    def __floordiv__(self, other: ExprLike) -> Any:
        return self._whole("floor_divide", operators.floordiv, self, other)

    def __rfloordiv__(self, other: ExprLike) -> Any:
        return self._whole("floor_divide", operators.floordiv, other, self)

    def __mod__(self, other: ExprLike) -> Any:
        return self._whole("mod", operators.floormod, self, other)

    def __rmod__(self, other: ExprLike) -> Any:
        return self._whole("mod", operators.floormod, other, self)

    def __pow__(self, other: ExprLike) -> Any:
        return self._whole("power", operators.power, self, other)

    def __rpow__(self, other: ExprLike) -> Any:
        return self._whole("power", operators.power, other, self)

    def __neg__(self) -> Any:
        return self._whole("negative", operators.negate, self)

    def __abs__(self) -> Any:
        return self._whole("abs", operators.absolute, self)

    def __lt__(self, other: ExprLike) -> Any:
        return self._whole("less", partial(operators.compare, e.LT), self, other)

    def __le__(self, other: ExprLike) -> Any:
        return self._whole("less_equal", partial(operators.compare, e.LE), self, other)

    def __gt__(self, other: ExprLike) -> Any:
        return self._whole("greater", partial(operators.compare, e.GT), self, other)

    def __ge__(self, other: ExprLike) -> Any:
        return self._whole("greater_equal", partial(operators.compare, e.GE), self, other)

    def astype(self, dtype: str) -> Any:
        """Convert to another element type: of a whole tensor, a tensor."""
        return self._whole("cast", partial(operators.cast, dtype), self)

    def same_as(self, other: object) -> bool:
        """Identity, under the name that tensor-compiler users know."""
        return self is other

    def __repr__(self) -> str:
        return f"Tensor(shape=[{', '.join([str(s) for s in self.shape])}], dtype={self.dtype}, name={self.name})"

    __str__ = __repr__


class TensorSlice(ExprOp):
    """A tensor with some or all of its indices; with all of them it stands for an element."""

    __slots__ = ("indices", "tensor")

    def __init__(self, tensor: Tensor, indices: tuple[object, ...]) -> None:
        self.tensor = tensor
        self.indices = indices

    def __getitem__(self, indices: object) -> TensorSlice:
        items = tuple(indices) if isinstance(indices, (tuple, list)) else (indices,)
        return self.tensor[self.indices + items]

    __iter__ = None

    @property
    def dtype(self) -> DType:
        """Element type."""
        return self.tensor.dtype

    def as_expr(self) -> Expr:
        """The element.

        Raises:
            TensorError: GC201 it lacks indices; others as of :meth:`Tensor.__call__`.
        """
        return self.tensor._load(self.indices)

    def __eq__(self, other: object) -> Expr:  # pyright: ignore[reportIncompatibleMethodOverride]  # comparing builds an expression
        return operators.equality(e.EQ, self.as_expr(), operators.convert(other))

    def __ne__(self, other: object) -> Expr:  # pyright: ignore[reportIncompatibleMethodOverride]  # comparing builds an expression
        return operators.equality(e.NE, self.as_expr(), operators.convert(other))

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"{self.tensor.name}[{', '.join([str(i) for i in self.indices])}]"
