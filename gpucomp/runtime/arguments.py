"""Do these arguments fit this program?  Binding of shape variables, and one clear error when they do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

import numpy as np

from gpucomp.runtime.dlpack import compact_strides
from gpucomp.runtime.ndarray import NDArray, is_compact
from gpucomp.support.diagnostics import ArgumentError, LowerError, caller_span
from gpucomp.support.dtype import DType
from gpucomp.support.hostexpr import HostExpr, Scalar, evaluate, render_python, walk
from gpucomp.support.launch import BufferParam, FunctionData, HostProgram, LazyVariant, Param, ScalarParam, Variant
from gpucomp.support.log import logger

# Address residues are known modulo this; moduli in guards have to divide it.
RESIDUES: Final = 256


def refuse(message: str, code: str, hint: str | None = None) -> NoReturn:
    """Raise an ArgumentError at the user's call."""
    raise ArgumentError(message, code=code, where=caller_span(), hint=hint)


def signature_text(name: str, params: Sequence[Param]) -> str:
    """``add(A: float32[n], B: float32[n], C: float32[n] output)``."""
    return f"{name}({', '.join(_param_text(param) for param in params)})"


def _param_text(param: Param) -> str:
    if isinstance(param, ScalarParam):
        return f"{param.name}: {param.dtype}"
    output = " output" if param.output else ""
    return f"{param.name}: {param.dtype}{_extents(param.shape)}{output}"


def _extents(shape: Sequence[HostExpr]) -> str:
    return f"[{', '.join(_text(dim) for dim in shape)}]"


def _text(expr: HostExpr) -> str:
    rendered = render_python(expr)
    inner = rendered[1:-1]
    plain = rendered.startswith("(") and "(" not in inner
    return inner if plain else rendered


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument as the user gave it: its parameter, its position (from 1) and the array or number."""

    param: Param
    position: int
    value: NDArray | Scalar

    def title(self, function: str) -> str:
        return f"argument {self.position} ({self.param.name}) of {function}"


@dataclass(frozen=True, slots=True)
class Binding:
    """A variant that accepts the arguments, with the values of its variables and facts."""

    variant: Variant | LazyVariant
    env: Mapping[str, Scalar]
    facts: Mapping[HostExpr, Scalar]


def check_moduli(data: FunctionData) -> None:
    """Refuse address facts that the runtime cannot answer.

    Raises:
        LowerError: a modulus that does not divide 256.
    """
    for variant in data.variants:
        for fact in (*walk(variant.guard), *variant.head.facts):
            if isinstance(fact, tuple) and fact[0] == "ptr_mod" and RESIDUES % int(str(fact[2])):
                raise LowerError(f"{data.name}: address modulus {fact[2]} does not divide {RESIDUES}", code="GC394")


def structural_scalars(data: FunctionData) -> frozenset[str]:
    """Scalar parameters whose values decide on shapes, strides or guards."""
    used: set[HostExpr] = set()
    for variant in data.variants:
        used.update(walk(variant.guard))
        for buffer in variant.head.buffers:
            for dim in (*buffer.shape, *(buffer.strides or ())):
                used.update(walk(dim))
    return frozenset(param.name for param in data.params if isinstance(param, ScalarParam) and param.name in used)


def check_kinds(data: FunctionData, arguments: Sequence[Argument]) -> None:
    """Check what no variant can mend: element type, number of axes, read-only outputs.

    Raises:
        ArgumentError: with position and name of the argument.
    """
    for argument in arguments:
        param, value = argument.param, argument.value
        if not isinstance(param, BufferParam) or not isinstance(value, NDArray):
            continue
        if value.dtype != param.dtype:
            refuse(
                f"{argument.title(data.name)} has dtype {value.dtype}, expected {param.dtype}",
                "GC603",
                conversion(param),
            )
        if len(value.shape) != len(param.shape):
            count = len(param.shape)
            refuse(
                f"{argument.title(data.name)} has {_axes(len(value.shape))} {list(value.shape)}, "
                f"expected {_axes(count)} {_extents(param.shape)}",
                "GC604",
                f"give it {_axes(count)}: {param.name}.reshape(...)",
            )
        if param.access != "read" and value.read_only:
            refuse(
                f"{argument.title(data.name)} is written, but the array given is read-only",
                "GC613",
                f"pass a writable array: {param.name}.copy()",
            )


def conversion(param: BufferParam) -> str:
    """How to give a parameter its element type; what is written must be kept, or the result is lost."""
    converted = f"{param.name}.astype({param.dtype!r})"
    return f"convert it: {converted}" if param.access == "read" else _kept(param.name, converted)


def _kept(name: str, replaced: str) -> str:
    return f"it is written: {name} = {replaced} before the call"


def _axes(count: int) -> str:
    return "1 axis" if count == 1 else f"{count} axes"


def choose_variant(data: FunctionData, arguments: Sequence[Argument]) -> Binding:
    """The first variant whose parameters fit the arguments and whose guard holds.

    Raises:
        ArgumentError: none does; the error is that of the last, most general variant.
    """
    for variant in data.variants[:-1]:
        binding = _accepts(data.name, variant, arguments)
        if binding is not None:
            return binding
    last = data.variants[-1]
    binding = _match(data.name, last, last.head, arguments, refuse)
    if binding is not None and not isinstance(last, Variant):
        binding = _match(data.name, last, _made(data.name, last, binding).program, arguments, refuse)
    if binding is not None:
        return binding
    conditions = " nor ".join(_text(variant.guard) for variant in data.variants)
    refuse(f"{data.name} has no code for these arguments: they do not meet {conditions}", "GC614")


def _accepts(name: str, variant: Variant | LazyVariant, arguments: Sequence[Argument]) -> Binding | None:
    """The binding of a variant, made now if need be; None when it is not for these arguments."""
    try:
        binding = _match(name, variant, variant.head, arguments, _Mismatch.throw)
        if binding is None or isinstance(variant, Variant):
            return binding
        return _match(name, variant, _made(name, variant, binding).program, arguments, _Mismatch.throw)
    except _Mismatch:
        return None


def _made(name: str, variant: LazyVariant, binding: Binding) -> Variant:
    """The variant, compiled if no call needed it before."""
    if not variant.is_made:
        sizes = ", ".join([f"{key} = {value}" for key, value in binding.env.items()])
        logger.info("%s: compiling its variant for %s%s", name, variant.note, f" ({sizes})" if sizes else "")
    return variant.get()


class _Mismatch(Exception):
    """A variant does not fit."""

    @classmethod
    def throw(cls, message: str, code: str, hint: str | None = None) -> NoReturn:
        raise cls


_Refuse = Callable[[str, str, str | None], NoReturn]


def _match(
    name: str, variant: Variant | LazyVariant, program: HostProgram, arguments: Sequence[Argument], refuse: _Refuse
) -> Binding | None:
    """Bind variables of a variant's program, or of its head; None when all checks pass but the guard does not hold."""
    env = _bind(name, program, arguments, refuse)
    arrays = {argument.param.name: argument.value for argument in arguments}
    facts: dict[HostExpr, Scalar] = {}
    for fact in (*walk(variant.guard), *program.facts):
        if isinstance(fact, tuple):
            facts[fact] = _fact(str(fact[0]), arrays[str(fact[1])], int(str(fact[2])))
    return Binding(variant, env, facts) if evaluate(variant.guard, env, facts) else None


def _fact(kind: str, array: NDArray | Scalar, number: int) -> int:
    assert isinstance(array, NDArray)
    return array.address % number if kind == "ptr_mod" else array.strides[number]


def _bind(name: str, program: HostProgram, arguments: Sequence[Argument], refuse: _Refuse) -> dict[str, Scalar]:
    """Values of the scalar parameters and shape variables; everything else is checked against them."""
    params = {param.name: param for param in program.buffers}
    env: dict[str, Scalar] = {}
    arrays: list[tuple[Argument, BufferParam, NDArray]] = []
    for argument in arguments:
        if isinstance(argument.value, NDArray):
            arrays.append((argument, params[argument.param.name], argument.value))
        else:
            env[argument.param.name] = argument.value
    origins = dict.fromkeys(env, "the scalar argument")
    signature = signature_text(name, program.params)
    for argument, param, array in arrays:
        _bind_names(param.shape, array.shape, env, origins, f"axis {{}} of {argument.param.name}")
    for argument, param, array in arrays:
        origin = f"stride {{}} of {argument.param.name}"
        _bind_names(param.strides or (), array.strides, env, origins, origin)
    for argument, param, array in arrays:
        _check_shape(argument.title(name), param, array, env, origins, refuse, signature)
        _check_strides(argument.title(name), param, array, env, refuse)
        residue = array.address % param.alignment
        if residue and array.nbytes:
            refuse(
                f"{argument.title(name)} starts {residue} bytes after a multiple of {param.alignment}: "
                f"the kernel needs {param.alignment}-byte alignment",
                "GC609",
                f"pass a copy, which is aligned: gpucomp.nd.array({argument.param.name}, gpucomp.{array.device})",
            )
    return env


def bind_inputs(data: FunctionData, arguments: Sequence[Argument]) -> Mapping[str, Scalar]:
    """The variables that the inputs alone determine, checked for the most general variant.

    Raises:
        ArgumentError: the inputs do not fit.
    """
    return _bind(data.name, data.variants[-1].head, arguments, refuse)


def _bind_names(
    dims: Sequence[HostExpr],
    values: Sequence[int],
    env: dict[str, Scalar],
    origins: dict[str, str],
    origin: str,
) -> None:
    for axis, (dim, value) in enumerate(zip(dims, values, strict=True) if dims else ()):
        if isinstance(dim, str) and dim not in env:
            env[dim] = value
            origins[dim] = origin.format(axis)


def _check_shape(
    title: str,
    param: BufferParam,
    array: NDArray,
    env: Mapping[str, Scalar],
    origins: Mapping[str, str],
    refuse: _Refuse,
    signature: str,
) -> None:
    for axis, (dim, extent) in enumerate(zip(param.shape, array.shape, strict=True)):
        try:
            expected = evaluate(dim, env)
        except KeyError as error:
            refuse(
                f"{title}: nothing tells the value of {error.args[0]!r} in {_extents(param.shape)}",
                "GC606",
                None,
            )
        if expected == extent:
            continue
        known = [atom for atom in dict.fromkeys(walk(dim)) if isinstance(atom, str)]
        reasons = ", ".join(f"{atom} = {env[atom]} from {origins[atom]}" for atom in known)
        refuse(
            f"{title} has shape {list(array.shape)}, expected {_extents(param.shape)}: "
            f"axis {axis} is {extent}, not {expected}{f' ({reasons})' if reasons else ''}",
            "GC605",
            f"the shapes are those of {signature}",
        )


def check_contiguous(title: str, param: BufferParam, array: NDArray, refuse: _Refuse = refuse) -> None:
    """Check that an array is compact and row-major.

    Raises:
        ArgumentError: it is not.
    """
    if is_compact(array.shape, array.strides):
        return
    replaced = f"numpy.ascontiguousarray({param.name})"
    refuse(
        f"{title} is not contiguous: strides {list(array.strides)} in elements, "
        f"expected {list(compact_strides(array.shape))}",
        "GC607",
        f"pass {replaced}" if param.access == "read" else _kept(param.name, replaced),
    )


def _check_strides(title: str, param: BufferParam, array: NDArray, env: Mapping[str, Scalar], refuse: _Refuse) -> None:
    if param.strides is None:
        check_contiguous(title, param, array, refuse)
        return
    if array.nbytes == 0:
        return
    for axis, (dim, step, extent) in enumerate(zip(param.strides, array.strides, array.shape, strict=True)):
        expected = evaluate(dim, env)
        if extent != 1 and step != expected:
            refuse(f"{title}: stride of axis {axis} is {step} elements, expected {expected}", "GC607", None)


def output_shape(name: str, param: BufferParam, env: Mapping[str, Scalar]) -> tuple[int, ...]:
    """The extents of an output that is to be allocated.

    Raises:
        ArgumentError: the inputs do not determine it.
    """
    try:
        shape = tuple(int(evaluate(dim, env)) for dim in param.shape)
    except KeyError as error:
        refuse(
            f"the shape {_extents(param.shape)} of output {param.name} of {name} does not follow from the inputs: "
            f"nothing tells {error.args[0]!r}",
            "GC606",
            f"pass {param.name} as well",
        )
    for axis, (extent, dim) in enumerate(zip(shape, param.shape, strict=True)):
        if extent < 0:
            known = [f"{atom} = {env[atom]}" for atom in dict.fromkeys(walk(dim)) if isinstance(atom, str)]
            refuse(
                f"output {param.name} of {name} would have {extent} elements along axis {axis}: its shape is "
                f"{_extents(param.shape)} with {', '.join(known)}",
                "GC616",
                "pass larger arrays",
            )
    return shape


def check_scalar(argument: Argument, function: str) -> Scalar:
    """The Python number for a scalar argument.

    Raises:
        ArgumentError: no number, a fraction for an integer, or out of range.
    """
    dtype, value, title = DType(argument.param.dtype), argument.value, argument.title(function)
    number: object = value.item() if isinstance(value, np.generic) else value
    if not isinstance(number, (bool, int, float)):
        kind = type(value).__name__
        refuse(f"{title} has type {kind}, expected a number ({dtype})", "GC602", "pass a number, as in 1")
    if dtype.is_float:
        return float(number)
    if isinstance(number, float) and not number.is_integer():
        refuse(f"{title} is {number}, expected a whole number ({dtype})", "GC615", "round it: int(x)")
    low = -(1 << (dtype.bits - 1)) if dtype.is_signed else 0
    high = (1 << (dtype.bits - 1 if dtype.is_signed else dtype.bits)) - 1
    if not low <= number <= high:
        refuse(
            f"{title} is {number:,}, outside of {dtype}: {low:,} to {high:,}",
            "GC615",
            "declare the parameter with a wider type",
        )
    least = argument.param.minimum if isinstance(argument.param, ScalarParam) else None
    if least is not None and number < least:
        what = "a split factor" if least else "an extent"
        refuse(f"{title} is {number}, {what}, which is at least {least}", "GC617", "pass a size, as in 32")
    return bool(number) if dtype.is_bool else int(number)
