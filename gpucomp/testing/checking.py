"""``check``: run a kernel on fresh random inputs and poisoned outputs, and compare with a numpy reference."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias  # Any: arguments by the kind of kernel, which build and Function check
from typing import cast as type_cast

import numpy as np
import numpy.typing as npt

from gpucomp.driver import build
from gpucomp.driver.deferred import DeferredModule
from gpucomp.kernels.arrays import Array, Shape, poisoned, random_array
from gpucomp.runtime import ndarray
from gpucomp.runtime.device import Device, default_device
from gpucomp.runtime.device import device as parse_device
from gpucomp.runtime.function import Function
from gpucomp.runtime.module import Module
from gpucomp.runtime.ndarray import NDArray
from gpucomp.support.diagnostics import ArgumentError, caller_span, did_you_mean
from gpucomp.support.dtype import DType
from gpucomp.support.expect import expect
from gpucomp.support.hostexpr import HostExpr, evaluate, walk
from gpucomp.support.launch import BufferParam, ScalarParam
from gpucomp.target.target import Target
from gpucomp.te.state import Schedule
from gpucomp.te.user_input import unfit

Reference: TypeAlias = Callable[..., npt.ArrayLike | tuple[npt.ArrayLike, ...]]
Kernel: TypeAlias = Module | Function | Schedule

# Generous for a chain of operations, tight enough that a wrong element never passes.
RTOL: Final[Mapping[int, float]] = {64: 1e-10, 32: 1e-4, 16: 1e-2, 8: 0.15}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What :func:`check` found when all was well.

    Attributes:
        seed: with which the inputs were drawn.
        worst: for each output, the largest error as a part of what was allowed (0 to 1).
        device: where it ran.
    """

    seed: int
    worst: tuple[float, ...]
    device: Device


@dataclass(frozen=True, slots=True)
class _Tolerance:
    rtol: float | None
    atol: float | None
    whole: bool

    def allowed(self, wanted: npt.NDArray[np.float64], dtype: DType) -> npt.NDArray[np.float64]:
        """The error that is accepted, element by element."""
        exact = not dtype.is_float or (self.whole and self.rtol is None and self.atol is None)
        if exact:
            return np.zeros_like(wanted)
        rtol = RTOL[dtype.bits] * (8 if dtype.code == "bfloat" else 1) if self.rtol is None else self.rtol
        finite = wanted[np.isfinite(wanted)]
        size = float(np.sqrt(np.mean(np.square(finite)))) if finite.size else 0.0
        atol = rtol * size if self.atol is None else self.atol
        magnitude = np.where(np.isfinite(wanted), np.abs(wanted), 0.0)
        return atol + rtol * magnitude


def check(
    kernel: Kernel,
    args: Sequence[object] | None,
    reference: Reference,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    runs: int = 2,
    seed: int | None = None,
    device: Device | str | None = None,
    whole: bool = False,
    sizes: Mapping[str, int] | None = None,
) -> CheckResult:
    """Compare what a kernel writes with a reference in float64.

    Every run draws new inputs and fills the outputs with values that no kernel computes (NaN, the largest
    integer), so elements that are never written show. Inputs have to be unchanged afterwards.

    Args:
        kernel: a module, one of its functions, or a schedule, which is then built for ``device``.
        args: one item for each parameter. For a schedule: what ``build`` takes. Otherwise each item may be an
            array or a shape (only the extents count), a number, or a function ``rng -> array`` for inputs that
            must not be arbitrary; None: as the kernel's parameters say.
        reference: called with the inputs as numpy arrays, floats as float64; returns the output, or a tuple of
            them. Arrays that the kernel reads and writes are inputs, and count as outputs too.
        rtol: accepted error relative to the reference; None: by element type (1e-4 for float32), and 0 for integers.
        atol: accepted absolute error; None: ``rtol`` times the root mean square of the reference.
        runs: how often, each time with fresh values.
        seed: of the inputs; None: a new one, named in the message of a failure.
        device: where to run; None: the kernel's own device, else the default one.
        whole: draw small whole numbers and compare exactly (unless a tolerance is given).
        sizes: values of symbolic extents by name.

    Returns:
        The seed and how much of the tolerance was used.

    Raises:
        AssertionError: a result is wrong; names the worst element, both values and the tolerance.
        ArgumentError: ``args`` do not fit the kernel, or it has no extent of a name in ``sizes``.
    """
    __tracebackhide__ = True
    expect(kernel, (Schedule, Module, Function), "check", "check(schedule, [A, B, C], lambda a, b: a + b)")
    problem = unfit(reference)
    if problem:
        raise ArgumentError(
            f"check: the reference {problem}", code="GC650", where=caller_span(), hint="lambda a, b: a + b"
        )
    function, place = _function_on(kernel, args, device)
    _check_sizes(function, sizes or {})
    used = secrets.randbits(32) if seed is None else seed
    rng = np.random.default_rng(used)
    tolerance = _Tolerance(rtol, atol, whole)
    worst: tuple[float, ...] = ()
    for run in range(runs):
        case = _Case(function, _specs(kernel, args, function), sizes or {}, rng, whole)
        problem, errors = case.run(place, reference, tolerance)
        if problem:
            raise AssertionError(f"{function.name} on {place}, run {run + 1} of {runs} (seed={used}): {problem}")
        worst = tuple(np.maximum(errors, worst or errors).tolist())
    return CheckResult(used, worst, place)


def _function_on(kernel: Kernel, args: Sequence[Any] | None, device: Device | str | None) -> tuple[Function, Device]:
    if isinstance(kernel, Schedule):
        place = default_device(device)
        return build(kernel, args, Target.from_device(place)).entry_func, place
    own = kernel.device
    if device is None and own is None and not isinstance(kernel, DeferredModule):
        function = kernel if isinstance(kernel, Function) else kernel.entry_func
        return function, Device(function.kind).require()
    place = parse_device(device).require() if device is not None else own or default_device()
    if isinstance(kernel, DeferredModule):
        return kernel.on(place).entry_func, place
    return kernel if isinstance(kernel, Function) else kernel.entry_func, place


def _check_sizes(function: Function, sizes: Mapping[str, int]) -> None:
    buffers = [param for param in function.params if isinstance(param, BufferParam)]
    extents = [extent for param in buffers for extent in (*param.shape, *(param.strides or ()))]
    known = list(dict.fromkeys(name for extent in extents for name in walk(extent) if isinstance(name, str)))
    unknown = next((name for name in sizes if name not in known), None)
    if unknown is None:
        return
    have = f"it has {', '.join(known)}" if known else "its extents are all numbers"
    raise ArgumentError(
        f"check: {function.name} has no symbolic extent {unknown!r}: {have}",
        code="GC650",
        where=caller_span(),
        hint=did_you_mean(unknown, known) or None,
    )


def _specs(kernel: Kernel, args: Sequence[object] | None, function: Function) -> list[object]:
    count = len(function.params)
    if args is None or isinstance(kernel, Schedule):
        return [None] * count
    if len(args) != count:
        names = ", ".join(param.name for param in function.params)
        raise ArgumentError(
            f"check: {function.name} has {count} parameters ({names}), got {len(args)} args",
            code="GC650",
            where=caller_span(),
        )
    return list(args)


class _Case:
    """The arrays of one run."""

    def __init__(
        self,
        function: Function,
        specs: Sequence[object],
        sizes: Mapping[str, int],
        rng: np.random.Generator,
        whole: bool,
    ) -> None:
        self.function = function
        self.sizes = dict(sizes)
        self.rng = rng
        self.whole = whole
        self.params = function.params
        self.values = [self._value(param, spec) for param, spec in zip(self.params, specs, strict=True)]

    def _value(self, param: BufferParam | ScalarParam, spec: object) -> Array | int | float | bool:
        if isinstance(param, ScalarParam):
            if isinstance(spec, (int, float, bool)):
                return spec
            raise ArgumentError(
                f"check: parameter {param.name} is a {param.dtype}: give a number", code="GC650", where=caller_span()
            )
        if callable(spec):
            return np.asarray(spec(self.rng)).astype(DType(param.dtype).numpy)
        shape = self._shape(param, spec)
        if param.output:
            return poisoned(shape, param.dtype)
        return random_array(shape, param.dtype, self.rng, whole=self.whole)

    def _shape(self, param: BufferParam, spec: object) -> Shape:
        if isinstance(spec, (tuple, list)):
            return tuple(int(extent) for extent in type_cast("Sequence[int]", spec))
        if isinstance(spec, (np.ndarray, NDArray)):
            return spec.shape
        return tuple(self._extent(param, extent) for extent in param.shape)

    def _extent(self, param: BufferParam, extent: HostExpr) -> int:
        unknown = [name for name in walk(extent) if isinstance(name, str) and name not in self.sizes]
        if unknown:
            raise ArgumentError(
                f"check: the extents of {param.name} depend on {unknown[0]!r}, which is not given",
                code="GC650",
                where=caller_span(),
                hint=f"check(..., sizes={{{unknown[0]!r}: 37}}), or pass shapes as args",
            )
        return int(evaluate(extent, self.sizes))

    def run(self, device: Device, reference: Reference, tolerance: _Tolerance) -> tuple[str, npt.NDArray[np.float64]]:
        """What is wrong (or ""), and for each output the part of the tolerance that is used."""
        arrays = [ndarray.array(v, device) if isinstance(v, np.ndarray) else v for v in self.values]
        self.function(*arrays)
        device.sync()
        after = [a.numpy() if isinstance(a, NDArray) else a for a in arrays]
        written = [i for i, param in enumerate(self.params) if _is_written(param)]
        for i, param in enumerate(self.params):
            if i not in written and not _same(self.values[i], after[i]):
                return f"the kernel changed its input {param.name}", np.zeros(0)
        wanted = self._wanted(reference, len(written))
        errors = np.zeros(len(written))
        for n, (i, want) in enumerate(zip(written, wanted, strict=True)):
            before, got = np.asarray(self.values[i]), np.asarray(after[i])
            problem, errors[n] = _compare(type_cast("BufferParam", self.params[i]), before, got, want, tolerance)
            if problem:
                return problem, errors
        return "", errors

    def _wanted(self, reference: Reference, count: int) -> list[Array]:
        inputs = [
            _widen(value) if isinstance(value, np.ndarray) else value
            for param, value in zip(self.params, self.values, strict=True)
            if not (isinstance(param, BufferParam) and param.output)
        ]
        result = reference(*inputs)
        outputs = list(result) if isinstance(result, tuple) else [result]
        if len(outputs) != count:
            raise ArgumentError(
                f"check: the kernel has {count} outputs, the reference returns {len(outputs)}",
                code="GC650",
                where=caller_span(),
            )
        return [np.asarray(output) for output in outputs]


def _compare(param: BufferParam, before: Array, got: Array, want: Array, tolerance: _Tolerance) -> tuple[str, float]:
    if want.shape != got.shape:
        return f"output {param.name} has shape {got.shape}, the reference {want.shape}", 0.0
    kind = DType(param.dtype)
    if not kind.is_float:
        wrong = got != want.astype(got.dtype)
        error, allowed = wrong.astype(np.float64), np.zeros(got.shape)
    else:
        wide = want.astype(np.float64)
        allowed = tolerance.allowed(wide, kind)
        error = _error(got.astype(np.float64), wide)
        wrong = ~(error <= allowed)
    if not wrong.any():
        used = np.divide(error, allowed, out=np.zeros_like(error), where=allowed > 0)
        return "", float(used.max(initial=0.0))
    excess = np.where(wrong, error - allowed, -1.0)
    worst = np.unravel_index(int(np.argmax(np.nan_to_num(excess, nan=np.inf))), got.shape)
    return _describe(param, before, got, want, worst, float(allowed[worst]), wrong), 0.0


def _describe(
    param: BufferParam,
    before: Array,
    got: Array,
    want: Array,
    worst: tuple[np.intp, ...],
    allowed: float,
    wrong: npt.NDArray[np.bool_],
) -> str:
    count = int(wrong.sum())
    index = ", ".join(str(int(i)) for i in worst)
    lines = [
        f"output {param.name}: {count:,} of {got.size:,} values {'is' if count == 1 else 'are'} wrong",
        f"  worst at {param.name}[{index}]: got {got[worst]}, expected {want[worst]} (accepted error {allowed:.3g})",
    ]
    unwritten = int((wrong & _same_bits(before, got)).sum()) if param.output else 0
    if unwritten:
        lines.append(f"  {unwritten:,} of them were never written")
    return "\n".join(lines)


def _error(got: npt.NDArray[np.float64], want: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Absolute error; 0 for equal infinities and for two NaN, infinite where only one is finite."""
    with np.errstate(invalid="ignore"):
        error = np.abs(got - want)
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    return np.where(same, 0.0, np.where(np.isnan(error), np.inf, error))


def _is_written(param: BufferParam | ScalarParam) -> bool:
    return isinstance(param, BufferParam) and (param.output or param.access != "read")


def _widen(value: Array) -> Array:
    return value.astype(np.float64) if DType(value.dtype.name).is_float else value.copy()


def _same_bits(a: Array, b: Array) -> npt.NDArray[np.bool_]:
    bits = np.dtype(f"u{a.dtype.itemsize}")
    return np.ascontiguousarray(a).view(bits) == np.ascontiguousarray(b).view(bits)


def _same(before: object, after: object) -> bool:
    if isinstance(before, np.ndarray) and isinstance(after, np.ndarray):
        return bool(_same_bits(before, after).all())
    return True
