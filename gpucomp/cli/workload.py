"""What a verb works on: an operator of the library, or a function in a user's file."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from typing import cast as type_cast

import numpy as np

from gpucomp import te
from gpucomp.cli.failures import user_code
from gpucomp.kernels import registry
from gpucomp.kernels.arrays import Array, Shape, poisoned, random_array
from gpucomp.support.diagnostics import ArgumentError, did_you_mean
from gpucomp.target.target import Target

if TYPE_CHECKING:
    from gpucomp.te import Schedule

Reference = Callable[..., object]


@dataclass(frozen=True, slots=True)
class Definition:
    """What is generated code for: nothing is allocated, so extents may be symbolic.

    Attributes:
        label: the name without its folder.
        shape: as on the command line; the output's where a function was called without numbers. Symbolic extents
            are text.
        dtype: of the first argument.
        schedule, args: what ``gpucomp.build`` takes.
        is_library: an operator of the library, which ``--shape`` and ``--dtype`` describe.
    """

    label: str
    shape: tuple[int | str, ...]
    dtype: str
    schedule: Schedule
    args: Sequence[te.Tensor]
    is_library: bool


@dataclass(frozen=True, slots=True)
class Workload:
    """One operator for one shape, element type and target.

    Attributes:
        name: as the user wrote it.
        shape: as on the command line; the first output's where a function was called without numbers.
        given_shape: what was given on the command line or is an operator's default; None for neither.
        dtype: of the first input.
        schedule, args: what ``gpucomp.build`` takes.
        inputs: shape and element type of each.
        outputs: likewise.
        flops: floating-point operations, None where that is not known.
        tolerance: the largest error relative to an element, or to the root mean square where that is larger.
        operator: of the library, or None.
        function: ``file.py:function``, or "".
        user_reference: what that function returned as its reference.
    """

    name: str
    shape: Shape
    given_shape: Shape | None
    dtype: str
    schedule: Schedule
    args: Sequence[te.Tensor]
    inputs: tuple[tuple[Shape, str], ...]
    outputs: tuple[tuple[Shape, str], ...]
    flops: int | None
    tolerance: float
    operator: registry.Operator | None = None
    function: str = ""
    user_reference: Reference | None = None

    @property
    def label(self) -> str:
        """The name without its folder."""
        return self.operator.name if self.operator else self.name.rpartition("/")[2]

    @property
    def bytes_moved(self) -> int:
        """Bytes that have to be read or written at least."""
        return sum(math.prod(shape) * poisoned((), dtype).itemsize for shape, dtype in (*self.inputs, *self.outputs))

    @property
    def has_reference(self) -> bool:
        """Whether results can be checked and numpy be timed."""
        return self.operator is not None or self.user_reference is not None

    def make_inputs(self, seed: int) -> list[Array]:
        """Random inputs, the same ones for a seed in every process."""
        return random_inputs(self.inputs, seed)

    def make_outputs(self) -> list[Array]:
        """Result arrays full of values that no kernel computes."""
        return [poisoned(shape, dtype) for shape, dtype in self.outputs]

    def reference(self, inputs: Sequence[Array]) -> list[Array]:
        """The results in float64."""
        if self.operator is not None:
            return self.operator.reference(inputs, self.shape)
        assert self.user_reference is not None
        wide = [x.astype(np.float64) if x.dtype.kind in "fV" else x for x in inputs]
        with user_code(f"the reference of {self.name}"):
            return as_list(self.user_reference(*wide))


def random_inputs(specs: Sequence[tuple[Shape, str]], seed: int) -> list[Array]:
    """Random arrays of the given shapes and element types."""
    rng = np.random.default_rng(seed)
    return [random_array(shape, dtype, rng) for shape, dtype in specs]


def as_list(result: object) -> list[Array]:
    """The outputs of a reference as arrays."""
    outputs = type_cast("tuple[object, ...]", result) if isinstance(result, tuple) else (result,)
    return [np.asarray(output) for output in outputs]


def parse_shape(text: str) -> Shape:
    """``"1024,1024"`` as numbers.

    Raises:
        ArgumentError: a part is no positive integer.
    """
    try:
        shape = tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        raise ArgumentError(
            f"--shape {text!r} is no list of integers", code="GC644", hint="for example --shape 1024,1024"
        ) from None
    if any(extent < 1 for extent in shape):
        raise ArgumentError(f"--shape {text!r}: extents are at least 1", code="GC644")
    return shape


def make_workload(name: str, shape: Shape | None, dtype: str | None, target: Target) -> Workload:
    """The workload for an operator's name or ``file.py:function``.

    Args:
        name: "matmul", or "path/file.py:function".
        shape: None: the operator's default for such targets, or what the function takes by default.
        dtype: None: float32 (an operator without it: its first type), or the function's own types.
        target: for which the library's schedules are chosen; a function sees it as ``Target.current()``.

    Raises:
        ArgumentError: there is no such operator, file or function, or it does not fit.
    """
    if _is_in_file(name, dtype):
        return _from_file(name, shape, target)
    operator = registry.get(name)
    extents = shape or operator.default_shape(target.keys)
    kind = dtype or ("float32" if "float32" in operator.dtypes else operator.dtypes[0])
    definition = operator.define(extents, kind, target)
    return Workload(
        name=operator.name,
        shape=extents,
        given_shape=extents,
        dtype=kind,
        schedule=operator.schedule(definition, target),
        args=definition.args,
        inputs=tuple((extent, kind) for extent in operator.input_shapes(extents)),
        outputs=tuple(zip(operator.output_shapes(extents), operator.output_dtypes(kind), strict=True)),
        flops=operator.flops(extents),
        tolerance=operator.tolerance(kind),
        operator=operator,
    )


def make_definition(name: str, shape: Shape | None, dtype: str | None, target: Target) -> Definition:
    """As :func:`make_workload`, for what is not run.

    Raises:
        ArgumentError: there is no such operator, file or function, or it does not fit.
    """
    if not _is_in_file(name, dtype):
        made = make_workload(name, shape, dtype, target)
        return Definition(made.label, made.shape, made.dtype, made.schedule, made.args, is_library=True)
    schedule, args, _ = _called(name, shape, target)
    shown = next((tensor for tensor in args if not isinstance(tensor.op, te.PlaceholderOp)), args[0])
    extents = [registry.extent(extent) for extent in shown.shape]
    texts = tuple(str(size) if number is None else number for size, number in zip(shown.shape, extents, strict=True))
    return Definition(name.rpartition("/")[2], shape or texts, str(args[0].dtype), schedule, args, is_library=False)


def _is_in_file(name: str, dtype: str | None) -> bool:
    file, colon, _ = name.rpartition(":")
    if name.endswith(".py"):
        names = _functions(name)
        raise ArgumentError(
            f"{name} names no function", code="GC645", hint=", ".join([f"{name}:{n}" for n in names]) or f"{name}:NAME"
        )
    if not colon or not file.endswith(".py"):
        return False
    if dtype is not None:
        raise ArgumentError(f"--dtype does not apply to {name}: the function chooses its element types", code="GC644")
    return True


def _called(name: str, shape: Shape | None, target: Target) -> tuple[Schedule, list[te.Tensor], Reference | None]:
    with target, contextlib.redirect_stdout(sys.stderr):  # stdout is for results
        return call_function(name, shape)


def load_function(file: str, function: str) -> Callable[..., object]:
    """A function of a user's file.

    Raises:
        ArgumentError: there is no such file or function.
    """
    names = _functions(file)
    found: object = getattr(_load(Path(file)), function, None)
    if callable(found):
        return found
    hint = did_you_mean(function, names) or f"it has {', '.join(names) or 'no functions'}"
    raise ArgumentError(f"{file} has no function {function!r}", code="GC645", hint=hint)


def _functions(file: str) -> list[str]:
    """The functions that a file defines itself (ArgumentError where there is no file)."""
    path = Path(file)
    if not path.is_file():
        raise ArgumentError(f"there is no file {file}", code="GC645")
    module = _load(path)
    found = [name for name, value in vars(module).items() if inspect.isfunction(value)]
    return [name for name in found if getattr(module, name).__module__ == module.__name__]


def _load(path: Path) -> ModuleType:
    name = f"gpucomp_user_{path.stem}"
    known = sys.modules.get(name)
    if known is not None and known.__file__ == str(path.resolve()):
        return known
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))  # its neighbours, as for a script
    try:
        with user_code(path.name):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]  # half of a module is none
        raise
    return module


def call_function(name: str, shape: Shape | None) -> tuple[Schedule, list[te.Tensor], Reference | None]:
    """Call ``file.py:function`` with the numbers of a shape, and take its result apart.

    Raises:
        ArgumentError: it does not take them, or returns something else.
    """
    from gpucomp.te import Schedule

    file, _, function = name.rpartition(":")
    call = load_function(file, function)
    _check_call(name, call, shape or ())
    with user_code(name):
        result = call(*(shape or ()))
    parts = list(type_cast("tuple[object, ...]", result)) if isinstance(result, tuple) else [result]
    if len(parts) not in (2, 3) or not isinstance(parts[0], Schedule) or not isinstance(parts[1], (list, tuple)):
        raise ArgumentError(
            f"{name} returned {type(result).__name__}, not (schedule, args) or (schedule, args, reference)",
            code="GC645",
            hint="return te.create_schedule(C.op), [A, B, C], lambda a, b: a + b",
        )
    reference = parts[2] if len(parts) == 3 else None
    return parts[0], list(type_cast("list[te.Tensor]", parts[1])), type_cast("Reference | None", reference)


def _check_call(name: str, call: Callable[..., object], shape: Shape) -> None:
    signature = inspect.signature(call)
    try:
        signature.bind(*shape)
    except TypeError as error:
        raise ArgumentError(
            f"{name}{signature} cannot be called with the {len(shape)} numbers of --shape: {error}",
            code="GC644",
            hint=f"--shape with one number for each of {', '.join(signature.parameters)}",
        ) from error


def _from_file(name: str, shape: Shape | None, target: Target) -> Workload:
    schedule, args, reference = _called(name, shape, target)
    specs = [(_numbers(name, tensor), str(tensor.dtype)) for tensor in args]
    is_input = [isinstance(tensor.op, te.PlaceholderOp) for tensor in args]
    inputs = tuple(spec for spec, yes in zip(specs, is_input, strict=True) if yes)
    outputs = tuple(spec for spec, yes in zip(specs, is_input, strict=True) if not yes)
    if is_input != sorted(is_input, reverse=True):
        raise ArgumentError(f"{name}: list the inputs before the outputs in args", code="GC645")
    return Workload(
        name=name,
        given_shape=shape,
        shape=shape or (outputs or inputs)[0][0],
        dtype=(inputs or outputs)[0][1],
        schedule=schedule,
        args=args,
        inputs=inputs,
        outputs=outputs,
        flops=None,
        tolerance=max(_TOLERANCES.get(dtype, 0.0) for _, dtype in outputs or inputs),
        function=name,
        user_reference=reference,
    )


_TOLERANCES = {"float64": 1e-10, "float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}


def _numbers(name: str, tensor: te.Tensor) -> Shape:
    extents = [registry.extent(extent) for extent in tensor.shape]
    numbers = tuple(extent for extent in extents if extent is not None)
    if len(numbers) != len(extents):
        raise ArgumentError(
            f"{name}: the shape of {tensor.name} is symbolic, so there is nothing to allocate",
            code="GC645",
            hint="take the extents as arguments of the function, and give them with --shape",
        )
    return numbers
