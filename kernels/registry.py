"""What an operator of the library is, and how it is found.

An operator couples a definition (tensor expressions), schedules by target, a float64 reference, what a numpy user
would write, and how much work it is. A family is a folder, whose ``__init__.py`` registers operators; its schedules
are imported when one is first asked for.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

import numpy as np

from gpucomp import te
from gpucomp.kernels.arrays import HALVES, Array, Shape, poisoned, random_array
from gpucomp.support.diagnostics import ArgumentError, did_you_mean
from gpucomp.support.dtype import DType
from gpucomp.target.target import Target
from gpucomp.te import Schedule
from gpucomp.tir.expr import Expr, IntImm, Reduce

Extent: TypeAlias = int | Expr

FAMILIES: Final = ("elementwise", "gemm", "rows", "convolution", "reductions", "layouts", "scans", "depthwise")


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """An operator for one shape and element type, as tensor expressions.

    Attributes:
        inputs: placeholders, in calling order.
        outputs: results, in calling order.
        intermediates: tensors between the two, in the order of computation.
    """

    inputs: tuple[te.Tensor, ...]
    outputs: tuple[te.Tensor, ...]
    intermediates: tuple[te.Tensor, ...] = ()

    @property
    def args(self) -> list[te.Tensor]:
        """Inputs, then outputs: what ``gpucomp.build`` takes."""
        return [*self.inputs, *self.outputs]


Scheduler: TypeAlias = Callable[[Definition, Target], Schedule]


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """One operator of the library.

    Attributes:
        name: as on the command line.
        family: its folder.
        description: one line.
        shape_names: what the numbers of a shape stand for.
        default_shapes: by "gpu", "cpu" and "opencl-cpu".
        small_shape: takes milliseconds everywhere.
        dtypes: of the inputs.
        compute: makes the definition for extents (integers or ``te.var``) and an element type.
        input_shapes: extents of each input.
        output_dtypes: element type of each output for that of the inputs.
        reference: the results in float64.
        numpy_peer: what a numpy user would write, as a function to be timed; it has its result buffers where
            numpy takes them.
        flops: floating-point operations.
        tolerances: by element type: largest error relative to an element (or the outputs' root mean square,
            where that is larger).
        schedules: "module:function" within the family, by key of the target: "cuda", "opencl", "gpu" (both),
            "opencl-cpu", "llvm", "cpu".
        form: makes other expressions of the same function where they are better for a target, else None.
    """

    name: str
    family: str
    description: str
    shape_names: tuple[str, ...]
    default_shapes: Mapping[str, Shape]
    small_shape: Shape
    dtypes: tuple[str, ...]
    compute: Callable[[Sequence[Extent], str], Definition]
    input_shapes: Callable[[Shape], tuple[Shape, ...]]
    output_shapes: Callable[[Shape], tuple[Shape, ...]]
    output_dtypes: Callable[[str], tuple[str, ...]]
    reference: Callable[[Sequence[Array], Shape], list[Array]]
    numpy_peer: Callable[[Sequence[Array], Shape], Callable[[], object]]
    flops: Callable[[Shape], int]
    tolerances: Mapping[str, float]
    schedules: Mapping[str, str]
    form: Callable[[Sequence[Extent], str, Target], Definition | None] = lambda shape, dtype, target: None

    def define(self, shape: Sequence[Extent], dtype: str = "float32", target: Target | str | None = None) -> Definition:
        """The tensor expressions for a shape.

        Args:
            shape: an extent for each of ``shape_names``.
            dtype: element type of the inputs.
            target: what they are for: there may be better ones than those of the definition, of the same inputs and
                outputs, such as a convolution by Winograd's filtering.  None: as defined, for any target.

        Raises:
            ArgumentError: a wrong number of extents, or an element type that it does not have.
        """
        self.check_shape(shape)
        self.check_dtype(dtype)
        if target is not None:
            wanted = Target(target) if isinstance(target, str) else target
            special = self.form(tuple(shape), dtype, wanted)
            if special is not None:
                return special
        return self.compute(tuple(shape), dtype)

    def schedule(self, definition: Definition, target: Target | str) -> Schedule:
        """The library's schedule for a target.

        Raises:
            ArgumentError: there is none for such targets.
        """
        wanted = Target(target) if isinstance(target, str) else target
        return self.find_schedule(wanted.keys)(definition, wanted)

    def find_schedule(self, keys: Sequence[str]) -> Scheduler:
        """The schedule for the first of ``keys`` that has one (ArgumentError when none has)."""
        for key in keys:
            if key in self.schedules:
                module, _, function = self.schedules[key].partition(":")
                scheduler: Scheduler = getattr(
                    importlib.import_module(f"gpucomp.kernels.{self.family}.{module}"), function
                )
                return scheduler
        raise ArgumentError(
            f"{self.name} has no schedule for targets of kind {', '.join(keys)}",
            code="GC643",
            hint=f"it has them for {', '.join(self.schedules)}",
        )

    def why(self, definition: Definition, target: Target) -> str:
        """What led to the tiles of the schedule for a target, in one line; empty where the schedule does not say."""
        for key in target.keys:
            if key in self.schedules:
                module = importlib.import_module(
                    f"gpucomp.kernels.{self.family}.{self.schedules[key].partition(':')[0]}"
                )
                reason: Callable[[Definition, Target], str] | None = getattr(module, "why", None)
                return "" if reason is None else reason(definition, target)
        return ""

    def make_inputs(self, shape: Shape, dtype: str, rng: np.random.Generator) -> list[Array]:
        """Random inputs: floats uniform in [-1, 1), integers in [-100, 100]."""
        self.check_shape(shape)
        self.check_dtype(dtype)
        return [random_array(extents, dtype, rng) for extents in self.input_shapes(shape)]

    def make_outputs(self, shape: Shape, dtype: str) -> list[Array]:
        """Result arrays full of values that no kernel computes (see :func:`poisoned`)."""
        pairs = zip(self.output_shapes(shape), self.output_dtypes(dtype), strict=True)
        return [poisoned(extents, kind) for extents, kind in pairs]

    def bytes_moved(self, shape: Shape, dtype: str) -> int:
        """Bytes that have to be read or written at least: every input and output once."""
        outputs = zip(self.output_shapes(shape), self.output_dtypes(dtype), strict=True)
        arrays = [*((extents, dtype) for extents in self.input_shapes(shape)), *outputs]
        return sum(int(np.prod(extents, dtype=np.int64)) * DType(kind).nbytes for extents, kind in arrays)

    def tolerance(self, dtype: str) -> float:
        """The largest error that is accepted; see ``tolerances``."""
        return self.tolerances[dtype]

    def default_shape(self, keys: Sequence[str]) -> Shape:
        """The shape used when none is given, for the keys of a target."""
        kind = next((key for key in ("opencl-cpu", "cpu") if key in keys), "gpu")
        return self.default_shapes[kind]

    def check_shape(self, shape: Sequence[Extent]) -> None:
        """Raise for a wrong number of extents, or one below 1 (ArgumentError)."""
        names = ",".join(self.shape_names)
        if len(shape) != len(self.shape_names):
            raise ArgumentError(
                f"{self.name} takes {len(self.shape_names)} extents ({names}), got {len(shape)}",
                code="GC640",
                hint=f"for example --shape {','.join(str(extent) for extent in self.small_shape)}",
            )
        for name, extent in zip(self.shape_names, shape, strict=True):
            if isinstance(extent, int) and extent < 1:
                raise ArgumentError(f"{self.name}: extent {name} is {extent}; it has to be at least 1", code="GC640")

    def check_dtype(self, dtype: str) -> None:
        """Raise for an element type that the operator does not have (ArgumentError)."""
        if dtype not in self.dtypes:
            raise ArgumentError(
                f"{self.name} has no element type {dtype!r}",
                code="GC641",
                hint=did_you_mean(dtype, self.dtypes) or f"one of {', '.join(self.dtypes)}",
            )


_operators: dict[str, Operator] = {}


def register(operator: Operator) -> Operator:
    """Add an operator; a second one of the same name replaces the first."""
    _operators[operator.name] = operator
    return operator


def get(name: str) -> Operator:
    """The operator called ``name``.

    Raises:
        ArgumentError: there is none.
    """
    _import_families()
    found = _operators.get(name)
    if found is not None:
        return found
    known = ", ".join(_operators)
    hint = did_you_mean(name, _operators) or f"the library has {known}"
    raise ArgumentError(f"there is no operator {name!r}", code="GC642", hint=hint)


def all_operators() -> tuple[Operator, ...]:
    """All operators, in the order of their families (those of other families last)."""
    _import_families()
    order = {family: place for place, family in enumerate(FAMILIES)}
    return tuple(sorted(_operators.values(), key=lambda o: order.get(o.family, len(order))))


@cache
def _import_families() -> None:
    for family in FAMILIES:
        importlib.import_module(f"gpucomp.kernels.{family}")


def extent(size: Extent) -> int | None:
    """The number that an extent of a tensor is; None for a symbolic one."""
    if isinstance(size, int):
        return size
    return size.value if isinstance(size, IntImm) else None


def row_lanes(columns: int | None, nbytes: int) -> int:
    """Elements of ``nbytes`` in the widest vector, 16 bytes at most, that is aligned at the start of every row.

    1 where the length of the rows is not known.
    """
    return 1 if columns is None else max(1, math.gcd(columns, 16 // nbytes))


def is_reduction(tensor: te.Tensor) -> bool:
    """True for a tensor of one value each that is computed by a reduction."""
    op = tensor.op
    return isinstance(op, te.ComputeOp) and len(op.body) == 1 and isinstance(op.body[0], Reduce)


def sum_dtype(dtype: str) -> str:
    """The element type in which sums of ``dtype`` are kept."""
    return "float32" if dtype in HALVES else dtype
