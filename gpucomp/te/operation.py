"""Operations: what computes tensors.

Each kind of operation honours one contract, on which schedules, bound inference and lowering rest:

* :attr:`Operation.root_iter_vars`: the axes that a stage of it starts with;
* :meth:`Operation.input_tensors`: what it reads, in order of first use;
* :meth:`Operation.replace_inputs`: the same operation reading other tensors;
* :meth:`Operation.reads`: each access to each input, from which regions are inferred.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any  # Any: attributes are the user's

from gpucomp.support.diagnostics import Span
from gpucomp.support.dtype import DType
from gpucomp.te.tensor import Tensor
from gpucomp.tir.expr import Expr, IterVar, ProducerLoad, Reduce
from gpucomp.tir.functor import Mutator, expr_post_order

Reads = tuple[tuple[Tensor, tuple[tuple[Expr, ...], ...]], ...]


class Operation:
    """Base of operations.  Compares by identity.

    Attributes:
        name: preferred name of its tensors.
        tag: class of operation, for automatic scheduling ("elemwise", "broadcast", ...).
        attrs: free annotations.
        axis: data-parallel axes; empty for inputs.
        span: the user's call that made it.
    """

    __slots__ = ("_outputs", "attrs", "axis", "name", "span", "tag")

    def __init__(self, name: str, tag: str, attrs: Mapping[str, Any] | None, span: Span | None) -> None:
        self.name = name
        self.tag = tag
        self.attrs: dict[str, Any] = dict(attrs or {})
        self.span = span
        self.axis: tuple[IterVar, ...] = ()
        self._outputs: tuple[Tensor, ...] = ()

    @property
    def reduce_axis(self) -> tuple[IterVar, ...]:
        """The axes over which it reduces; empty where it does not."""
        return ()

    @property
    def num_outputs(self) -> int:
        """Number of tensors that it computes."""
        return len(self._outputs)

    def output(self, index: int) -> Tensor:
        """One of its tensors."""
        return self._outputs[index]

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """Its tensors."""
        return self._outputs

    @property
    def root_iter_vars(self) -> tuple[IterVar, ...]:
        """The axes that a stage starts with: data-parallel ones, then reduction ones."""
        return ()

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        """The tensors that it reads, in order of first use."""
        return ()

    def replace_inputs(self, mapping: Mapping[Tensor, Tensor]) -> Operation:
        """The same operation reading other tensors; itself when it reads none of ``mapping``."""
        return self

    @property
    def reads(self) -> Reads:
        """For each input, the distinct index tuples with which it is read."""
        return ()

    def same_as(self, other: object) -> bool:
        """Identity."""
        return self is other

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    def __str__(self) -> str:
        return repr(self)


class PlaceholderOp(Operation):
    """An input: memory that the caller provides."""

    __slots__ = ("dtype", "shape")

    def __init__(self, name: str, shape: tuple[Expr, ...], dtype: DType, span: Span | None = None) -> None:
        super().__init__(name, "", None, span)
        self.shape = shape
        self.dtype = dtype
        self._outputs = (Tensor(self, 0, shape, dtype),)


class ComputeOp(Operation):
    """Each element by an expression of its indices, or by a reduction.

    Attributes:
        axis: one data-parallel axis for each dimension.
        body: one expression for each output; either none is a reduction, or all are the elements of one.
    """

    __slots__ = ("_inputs", "_reads", "body")

    def __init__(
        self,
        name: str,
        tag: str,
        attrs: Mapping[str, Any] | None,
        axis: tuple[IterVar, ...],
        body: tuple[Expr, ...],
        span: Span | None = None,
    ) -> None:
        super().__init__(name, tag, attrs, span)
        self.axis = axis
        self.body = body
        shape = tuple([_extent(a) for a in axis])
        self._outputs = tuple([Tensor(self, i, shape, b.dtype) for i, b in enumerate(body)])
        self._inputs: tuple[Tensor, ...] | None = None
        self._reads: Reads | None = None

    @property
    def reduce_axis(self) -> tuple[IterVar, ...]:
        first = self.body[0]
        return first.axis if isinstance(first, Reduce) else ()

    @property
    def root_iter_vars(self) -> tuple[IterVar, ...]:
        return self.axis + self.reduce_axis

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        if self._inputs is None:
            self._inputs = tuple([tensor for tensor, _ in self.reads])
        return self._inputs

    @property
    def reads(self) -> Reads:
        if self._reads is None:
            found: dict[Tensor, dict[tuple[Expr, ...], None]] = {}
            for node in expr_post_order(*self.body):
                if type(node) is ProducerLoad:
                    found.setdefault(node.producer, {})[node.indices] = None
            self._reads = tuple([(tensor, tuple(accesses)) for tensor, accesses in found.items()])
        return self._reads

    def with_body(self, body: tuple[Expr, ...]) -> ComputeOp:
        """The same operation with other expressions; itself if they are the same."""
        if all([x is y for x, y in zip(body, self.body, strict=True)]):
            return self
        return ComputeOp(self.name, self.tag, self.attrs, self.axis, body, self.span)

    def replace_inputs(self, mapping: Mapping[Tensor, Tensor]) -> Operation:
        if not any([t in mapping for t in self.input_tensors]):
            return self
        walker = _ReplaceLoads(mapping)
        return self.with_body(tuple([walker.expr(b) for b in self.body]))


class _ReplaceLoads(Mutator):
    def __init__(self, mapping: Mapping[Tensor, Tensor]) -> None:
        super().__init__()
        self.mapping = mapping

    def visit_producer_load(self, node: ProducerLoad) -> Expr:
        indices = tuple([self.visit(i) for i in node.indices])
        producer = self.mapping.get(node.producer, node.producer)
        return ProducerLoad(producer, indices)


def _extent(axis: IterVar) -> Expr:
    assert axis.dom is not None
    return axis.dom.extent
