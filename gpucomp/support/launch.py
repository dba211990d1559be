"""What a compiled kernel is, as plain data: host programs, kernel images and the table of variants.

The compiler produces these; the runtime executes them.  Neither needs the other: everything here is a frozen
dataclass of strings, numbers and tuples, and goes through JSON unchanged.

    FunctionData            one callable: an ordered table of variants, the first whose guard holds is used
      Variant               guard + host program + device source
        HostProgram         parameters and steps: allocate, launch, packed call, memset, assert, loop, if, let
        KernelImage         source text of the kernels that the program launches
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from gpucomp.support.diagnostics import LowerError
from gpucomp.support.dtype import DType
from gpucomp.support.hostexpr import HostExpr, freeze, walk
from gpucomp.support.record import Later, Record, freeze_fields, freeze_tuples

Access: TypeAlias = Literal["read", "write", "readwrite"]
Grid: TypeAlias = tuple[HostExpr, HostExpr, HostExpr]


@dataclass(frozen=True, slots=True)
class BufferParam(Record):
    """An array argument.

    Attributes:
        name: as the user wrote it; unique in the program.
        dtype: element type, e.g. ``"float32"``.
        shape: extents in elements.
        strides: in elements; None means compact row-major.
        alignment: bytes to which the address must be aligned.
        access: how the kernels use it.
        output: True when a call with inputs only allocates and returns it.
    """

    name: str
    dtype: str
    shape: tuple[HostExpr, ...]
    strides: tuple[HostExpr, ...] | None = None
    alignment: int = 1
    access: Access = "read"
    output: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", str(DType(self.dtype)))
        freeze_tuples(self, "shape", "strides")


@dataclass(frozen=True, slots=True)
class ScalarParam(Record):
    """A number argument; its name may be used in shapes, guards and grids.

    Attributes:
        name: as the user wrote it.
        dtype: such as ``"int32"``.
        minimum: the least value that it may have; None: any of its type.
    """

    name: str
    dtype: str
    minimum: int | None = None


Param: TypeAlias = BufferParam | ScalarParam


@dataclass(frozen=True, slots=True)
class BufferArg(Record):
    """A kernel argument: the address of a parameter or of an allocation."""

    name: str


@dataclass(frozen=True, slots=True)
class ScalarArg(Record):
    """A kernel argument: a number."""

    dtype: str
    value: HostExpr

    def __post_init__(self) -> None:
        freeze_fields(self, "value")


@dataclass(frozen=True, slots=True)
class AllocStep(Record):
    """Workspace of ``size`` elements, returned when the program ends."""

    name: str
    dtype: str
    size: HostExpr

    def __post_init__(self) -> None:
        freeze_fields(self, "size")


@dataclass(frozen=True, slots=True)
class LaunchStep(Record):
    """One kernel launch.  A grid with an extent of 0 launches nothing."""

    kernel: str
    grid: Grid
    block: Grid
    shared_bytes: HostExpr
    args: tuple[BufferArg | ScalarArg, ...]

    def __post_init__(self) -> None:
        freeze_tuples(self, "grid", "block")
        freeze_fields(self, "shared_bytes")
        if len(self.grid) != 3 or len(self.block) != 3:
            raise LowerError(f"launch of {self.kernel}: grid and block need three extents each", code="GC391")


@dataclass(frozen=True, slots=True)
class ArrayArg(Record):
    """An argument of a packed call: a view of a parameter or of an allocation.

    Attributes:
        name: of the buffer.
        dtype: element type.
        shape, strides, offset: in elements.
    """

    name: str
    dtype: str
    shape: tuple[HostExpr, ...]
    strides: tuple[HostExpr, ...]
    offset: HostExpr = 0

    def __post_init__(self) -> None:
        freeze_tuples(self, "shape", "strides")
        freeze_fields(self, "offset")


@dataclass(frozen=True, slots=True)
class TextArg(Record):
    """An argument of a packed call: a string."""

    text: str


@dataclass(frozen=True, slots=True)
class PackedStep(Record):
    """A call of a registered Python function, once the work queued before it is done."""

    function: str
    args: tuple[ArrayArg | ScalarArg | TextArg, ...]


@dataclass(frozen=True, slots=True)
class MemsetStep(Record):
    """Set ``size_bytes`` bytes of a buffer to ``byte``."""

    name: str
    byte: int
    size_bytes: HostExpr

    def __post_init__(self) -> None:
        freeze_fields(self, "size_bytes")


@dataclass(frozen=True, slots=True)
class AssertStep(Record):
    """Stop with an ArgumentError when ``condition`` does not hold."""

    condition: HostExpr
    message: str

    def __post_init__(self) -> None:
        freeze_fields(self, "condition")


@dataclass(frozen=True, slots=True)
class LetStep(Record):
    """Define ``var`` for the steps that follow."""

    var: str
    value: HostExpr

    def __post_init__(self) -> None:
        freeze_fields(self, "value")


@dataclass(frozen=True, slots=True)
class LoopStep(Record):
    """Run ``body`` for ``var`` in ``begin .. begin + extent - 1``."""

    var: str
    begin: HostExpr
    extent: HostExpr
    body: tuple[Step, ...]

    def __post_init__(self) -> None:
        freeze_fields(self, "begin", "extent")


@dataclass(frozen=True, slots=True)
class IfStep(Record):
    """Run one of two sequences."""

    condition: HostExpr
    then_steps: tuple[Step, ...]
    else_steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        freeze_fields(self, "condition")


Step: TypeAlias = AllocStep | LaunchStep | PackedStep | MemsetStep | AssertStep | LetStep | LoopStep | IfStep


def step_expressions(step: Step) -> Iterator[HostExpr]:
    """The host expressions of one step, without those of nested steps."""
    match step:
        case AllocStep():
            yield step.size
        case LaunchStep():
            yield from (*step.grid, *step.block, step.shared_bytes)
            yield from (arg.value for arg in step.args if isinstance(arg, ScalarArg))
        case PackedStep():
            for arg in step.args:
                if isinstance(arg, ArrayArg):
                    yield from (*arg.shape, *arg.strides, arg.offset)
                elif isinstance(arg, ScalarArg):
                    yield arg.value
        case MemsetStep():
            yield step.size_bytes
        case AssertStep() | IfStep():
            yield step.condition
        case LetStep():
            yield step.value
        case LoopStep():
            yield from (step.begin, step.extent)


def nested_steps(steps: tuple[Step, ...]) -> Iterator[Step]:
    """All steps in order, those inside loops and branches included."""
    for step in steps:
        yield step
        if isinstance(step, LoopStep):
            yield from nested_steps(step.body)
        elif isinstance(step, IfStep):
            yield from nested_steps((*step.then_steps, *step.else_steps))


@dataclass(frozen=True, slots=True)
class HostProgram(Record):
    """The host side of one variant.

    Shape variables bind from the first parameter dimension (then stride) that is a bare name and no scalar
    parameter; every other dimension is checked against its expression.

    Raises:
        LowerError: a name that is defined twice or used without a definition.
    """

    name: str
    params: tuple[Param, ...]
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        _check_program(self)

    @property
    def buffers(self) -> tuple[BufferParam, ...]:
        return tuple(param for param in self.params if isinstance(param, BufferParam))

    @property
    def scalars(self) -> tuple[ScalarParam, ...]:
        return tuple(param for param in self.params if isinstance(param, ScalarParam))

    @property
    def shape_vars(self) -> tuple[str, ...]:
        """Variables bound from shapes and strides, in binding order."""
        given = {param.name for param in self.scalars}
        dims = [dim for buffer in self.buffers for dim in buffer.shape]
        dims += [dim for buffer in self.buffers for dim in buffer.strides or ()]
        return tuple(dict.fromkeys(dim for dim in dims if isinstance(dim, str) and dim not in given))

    @property
    def facts(self) -> tuple[HostExpr, ...]:
        """Buffer facts that the steps use, in order of first use."""
        used = (atom for step in nested_steps(self.steps) for e in step_expressions(step) for atom in walk(e))
        return tuple(dict.fromkeys(atom for atom in used if isinstance(atom, tuple)))


def _check_program(program: HostProgram) -> None:
    names = [param.name for param in program.params]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise LowerError(f"host program {program.name}: two parameters {repeated[0]!r}", code="GC392")
    variables = {param.name for param in program.scalars} | set(program.shape_vars)
    scope = _Scope(program.name, variables, {param.name for param in program.buffers})
    for buffer in program.buffers:
        for dim in (*buffer.shape, *(buffer.strides or ())):
            scope.check(dim, f"the shape of {buffer.name}")
    scope.check_steps(program.steps)


class _Scope:
    """The names that are defined at one point of a host program."""

    def __init__(self, program: str, variables: set[str], buffers: set[str]) -> None:
        self.program = program
        self.variables = variables
        self.buffers = buffers

    def check_steps(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            self.check_step(step)

    def check_step(self, step: Step) -> None:
        where = f"launch of {step.kernel}" if isinstance(step, LaunchStep) else type(step).__name__
        for expr in step_expressions(step):
            self.check(expr, where)
        match step:
            case AllocStep():
                self.buffers.add(step.name)
            case LetStep():
                self.variables.add(step.var)
            case LaunchStep():
                for name in (arg.name for arg in step.args if isinstance(arg, BufferArg)):
                    self.check_buffer(name, where)
            case PackedStep():
                for name in (arg.name for arg in step.args if isinstance(arg, ArrayArg)):
                    self.check_buffer(name, where)
            case MemsetStep():
                self.check_buffer(step.name, where)
            case LoopStep():
                self.inner(step.var).check_steps(step.body)
            case IfStep():
                self.inner().check_steps(step.then_steps)
                self.inner().check_steps(step.else_steps)
            case AssertStep():
                pass

    def inner(self, *variables: str) -> _Scope:
        return _Scope(self.program, self.variables | {*variables}, set(self.buffers))

    def check(self, expr: HostExpr, where: str) -> None:
        for atom in walk(expr):
            if isinstance(atom, tuple):
                self.check_buffer(str(atom[1]), where)
            elif atom not in self.variables:
                raise self.undefined(f"variable {atom!r}", where)

    def check_buffer(self, name: str, where: str) -> None:
        if name not in self.buffers:
            raise self.undefined(f"buffer {name!r}", where)

    def undefined(self, what: str, where: str) -> LowerError:
        return LowerError(f"host program {self.program}: {where} uses {what} before it is defined", code="GC392")


@dataclass(frozen=True, slots=True)
class KernelSpec(Record):
    """One kernel of an image.

    Attributes:
        name: its symbol.
        arg_types: ``"float32*"`` for an address, ``"int32"`` for a number.
        max_threads: the largest block it may be launched with (0: unknown).
        static_shared_bytes: shared memory declared in its source.
    """

    name: str
    arg_types: tuple[str, ...]
    max_threads: int = 0
    static_shared_bytes: int = 0


@dataclass(frozen=True, slots=True)
class KernelImage(Record):
    """Source text for one device kind; the runtime compiles it and keeps the result on disk.

    Attributes:
        kind: ``"cuda"`` (CUDA C), ``"opencl"`` (OpenCL C), ``"llvm"`` (LLVM IR) or ``"null"`` (for tests).
        source: the text.
        kernels: what it defines.
        options: extra compiler options.
        arch: such as ``"sm_90a"``; empty means that of the device at hand.
        linked: texts of LLVM modules that define what the source only declares.
    """

    kind: str
    source: str
    kernels: tuple[KernelSpec, ...]
    options: tuple[str, ...] = ()
    arch: str = ""
    linked: tuple[str, ...] = ()

    def kernel(self, name: str) -> KernelSpec:
        """The kernel called ``name``.

        Raises:
            KeyError: there is none.
        """
        for spec in self.kernels:
            if spec.name == name:
                return spec
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Variant(Record):
    """One way to compute a function, valid where ``guard`` holds and the parameters' alignments are met."""

    guard: HostExpr
    program: HostProgram
    image: KernelImage
    note: str = ""

    def __post_init__(self) -> None:
        freeze_fields(self, "guard")

    @property
    def head(self) -> HostProgram:
        """What tells the parameters."""
        return self.program

    @property
    def kind(self) -> str:
        """Of device."""
        return self.image.kind

    @property
    def is_made(self) -> bool:
        return True

    def get(self) -> Variant:
        """The variant itself; see :class:`LazyVariant`."""
        return self


class LazyVariant(Later):
    """A variant that is made when a call needs it for the first time.

    Args:
        guard: as of the variant.
        head: the program's parameters, without steps; what they demand is no more than the variant does.
        kind: of its image.
        note: as of the variant.
        make: compiles it.
    """

    __slots__ = ("_lock", "_made", "_make", "guard", "head", "kind", "note")

    def __init__(self, guard: HostExpr, head: HostProgram, kind: str, note: str, make: Callable[[], Variant]) -> None:
        self.guard = freeze(guard)
        self.head = head
        self.kind = kind
        self.note = note
        self._make: Callable[[], Variant] | None = make
        self._made: Variant | None = None
        self._lock = threading.RLock()

    def get(self) -> Variant:
        """The variant; made now, unless it was before.

        Raises:
            LowerError: it cannot be lowered.
        """
        with self._lock:
            if self._made is None:
                assert self._make is not None
                self._made, self._make = self._make(), None
            return self._made

    @property
    def is_made(self) -> bool:
        """Whether a call needed it already."""
        return self._made is not None

    @property
    def program(self) -> HostProgram:
        return self.get().program

    @property
    def image(self) -> KernelImage:
        return self.get().image


# An attribute of functions whose arguments may overlap, outputs included.
MAY_ALIAS: Final = ("may_alias", "1")


@dataclass(frozen=True, slots=True)
class FunctionData(Record):
    """A function: variants in order of preference.

    All variants have parameters of the same names, kinds and element types, in the same order; shapes,
    strides and alignments may be narrower in the earlier ones.

    Raises:
        LowerError: no variant, or parameters that differ.
    """

    name: str
    variants: tuple[Variant | LazyVariant, ...]
    attrs: tuple[tuple[str, str], ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.variants:
            raise LowerError(f"function {self.name} has no variant", code="GC393")
        kinds = {tuple(_param_kind(param) for param in variant.head.params) for variant in self.variants}
        if len(kinds) > 1:
            raise LowerError(f"the variants of function {self.name} differ in their parameters", code="GC393")

    @property
    def params(self) -> tuple[Param, ...]:
        """The parameters of the last, most general variant."""
        return self.variants[-1].head.params

    @property
    def general(self) -> Variant:
        """The first variant that is there without a call for it."""
        return next((v for v in self.variants if isinstance(v, Variant)), self.variants[0]).get()


def _param_kind(param: Param) -> tuple[object, ...]:
    output = isinstance(param, BufferParam) and param.output
    return (param.name, param.dtype, isinstance(param, BufferParam), output)
