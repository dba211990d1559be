"""Operations: what computes tensors.

Each kind of operation honours one contract, on which schedules, bound inference and lowering rest:

* :attr:`Operation.computes`: False for inputs, which have no nest of their own;
* :attr:`Operation.root_iter_vars`: the axes that a stage of it starts with, possibly none;
* :attr:`Operation.region_axis`: those of them that are dimensions of its outputs, possibly none;
* :attr:`Operation.input_tensors`: what it reads, in order of first use;
* :meth:`Operation.replace_inputs`: the same operation reading other tensors;
* :meth:`Operation.read_regions`: which part of an input it reads while its axes run over given intervals;
* :meth:`Operation.gather_region`: the domains of its axes, given what its readers want;
* :meth:`Operation.realize_region`: which part of an output is in memory;
* :attr:`Operation.writes_all`: whether it is sure to write every element of its outputs, and never reads them first;
* :attr:`Operation.structure`: what the key of the compile cache has to hold; None (never cached) by default.

**A new kind of operation** is a subclass of :class:`Operation` that sets ``_outputs`` and answers ``input_tensors`` and
``replace_inputs``, and a function that builds its nest, registered with ``gpucomp.te.nest_rules.nest_rule``.  What the
base class answers to the rest makes it opaque: it has no axes, reads its inputs whole and is computed whole.  An
operation whose outputs are computed region by region names one axis for each dimension of them in ``region_axis``;
one whose outputs have other dimensions besides (or several outputs of different shapes) overrides ``gather_region``
and ``realize_region``.  Import the module in ``te/__init__.py``, so that its rule is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar  # Any: attributes are the user's

from gpucomp.support.diagnostics import Span
from gpucomp.support.dtype import DType
from gpucomp.support.expect import expect
from gpucomp.te.regions import union_domain
from gpucomp.te.tensor import Tensor
from gpucomp.tir.expr import Expr, IterVar, ProducerLoad, Range, Reduce
from gpucomp.tir.functor import Mutator, expr_post_order

if TYPE_CHECKING:
    from gpucomp.te.affine import Forms
    from gpucomp.te.regions import Box, Running

Reads = tuple[tuple[Tensor, tuple[tuple[Expr, ...], ...]], ...]


class Operation:
    """Base of operations.  Compares by identity.

    Attributes:
        name: preferred name of its tensors.
        tag: class of operation, for automatic scheduling ("elemwise", "broadcast", ...).
        attrs: free annotations.
        axis: the axes that it shows to users besides reductions; empty for inputs.
        span: the user's call that made it.
    """

    __slots__ = ("_outputs", "attrs", "axis", "name", "span", "tag")

    computes: ClassVar[bool] = True
    writes_all: ClassVar[bool] = False  # every element of the outputs is written, whatever the body says

    def __init__(self, name: str, tag: str, attrs: Mapping[str, Any] | None, span: Span | None) -> None:
        if name.__class__ is not str or tag.__class__ is not str:
            for part, given in (("name", name), ("tag", tag)):
                expect(given, str, f"{type(self).__name__}: {part}", "te.placeholder and te.compute make operations")
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
    def region_axis(self) -> tuple[IterVar, ...]:
        """One axis for each dimension of the outputs, whose domains are the region that is computed.

        Empty for operations that are computed whole.
        """
        return ()

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        """The tensors that it reads, in order of first use."""
        return ()

    @property
    def structure(self) -> tuple[object, ...] | None:
        """What defines it besides name, tag, axes and outputs, for the key of the compile cache.

        Every tensor, buffer and statement that decides about the generated code; None: never cached.
        """
        return None

    def replace_inputs(self, mapping: Mapping[Tensor, Tensor]) -> Operation:
        """The same operation reading other tensors; itself when it reads none of ``mapping``."""
        return self

    def read_regions(
        self, tensor: Tensor, roots: Running, doms: Mapping[IterVar, Range], forms: Forms
    ) -> Iterator[Box]:
        """The boxes of an input that are read while the axes run over given intervals.

        Args:
            tensor: one of ``input_tensors``.
            roots: interval of every axis of the stage, at least of ``root_iter_vars``.
            doms: domain of every axis for which one is known.
            forms: conversion between expressions and intervals.
        """
        yield (None,) * len(tensor.shape)

    def gather_region(self, wanted: Mapping[Tensor, Sequence[Box]], forms: Forms) -> tuple[dict[IterVar, Range], bool]:
        """The domains of the root axes, given the boxes of each output that are read.

        Args:
            wanted: boxes by output; empty for an output of the schedule, which is computed whole.
            forms: what is known about the variables.

        Returns:
            The domains, and whether they hold all of ``wanted``, what lies outside of the tensors included.
        """
        doms = {iv: iv.dom for iv in self.root_iter_vars if iv.dom is not None}
        boxes = [box for tensor in self._outputs for box in wanted.get(tensor, ())]
        exact = bool(self.region_axis)
        for position, axis in enumerate(self.region_axis):
            doms[axis], unchanged = union_domain(doms[axis], [box[position] for box in boxes], forms)
            exact = exact and unchanged
        return doms, exact

    def realize_region(self, tensor: Tensor, doms: Mapping[IterVar, Range]) -> tuple[Range, ...]:
        """The box of an output that is in memory, given the domains of all axes."""
        if self.region_axis:
            return tuple([doms[axis] for axis in self.region_axis])
        return tuple([Range.from_min_extent(0, extent) for extent in tensor.shape])

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

    computes = False

    @property
    def structure(self) -> tuple[object, ...] | None:
        return ()

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

    writes_all = True

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
    def region_axis(self) -> tuple[IterVar, ...]:
        return self.axis

    @property
    def structure(self) -> tuple[object, ...] | None:
        return self.body

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        if self._inputs is None:
            self._inputs = tuple([tensor for tensor, _ in self.reads])
        return self._inputs

    def read_regions(
        self, tensor: Tensor, roots: Running, doms: Mapping[IterVar, Range], forms: Forms
    ) -> Iterator[Box]:
        values = {axis.var: roots[axis] for axis in self.root_iter_vars}
        for read, accesses in self.reads:
            if read is not tensor:
                continue
            for indices in accesses:
                yield tuple([roots.evaluate(index, values, forms) for index in indices])

    @property
    def reads(self) -> Reads:
        """For each input, the distinct index tuples with which it is read."""
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
