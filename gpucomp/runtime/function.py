"""A callable kernel: checks arguments once per combination of shapes, types and devices, then only launches.

The first call with a combination picks the variant, binds shape variables, loads the device code and compiles
the launcher.  Further calls cost a look-up, an overlap check of the outputs and the launch itself.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias  # Any: arguments and results may be arrays of any library

import numpy as np
import numpy.typing as npt

from gpucomp.runtime.arguments import (
    Argument,
    bind_inputs,
    check_contiguous,
    check_kinds,
    check_moduli,
    check_scalar,
    choose_variant,
    conversion,
    output_shape,
    refuse,
    signature_text,
    structural_scalars,
)
from gpucomp.runtime.base import LoadedImage, kind_name
from gpucomp.runtime.device import Device, current_stream
from gpucomp.runtime.dlpack import compact_strides
from gpucomp.runtime.interop import adopt, result_converter
from gpucomp.runtime.memory import Allocation, Pool, get_pool
from gpucomp.runtime.ndarray import NDArray, empty
from gpucomp.runtime.packed_call import call_packed
from gpucomp.runtime.stats import VariantStats
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.support.dtype import DType
from gpucomp.support.hostexpr import Scalar
from gpucomp.support.launch import (
    MAY_ALIAS,
    BufferParam,
    FunctionData,
    KernelImage,
    LazyVariant,
    Param,
    ScalarParam,
    Variant,
)
from gpucomp.support.launcher import Launcher, bind_program

_MOST_BOUND: Final = 4096
_Key: TypeAlias = tuple[object, ...]
_Arguments: TypeAlias = Sequence[Any]
_HostArray: TypeAlias = npt.NDArray[np.generic]


class _Services:
    """What a launcher asks of its device."""

    __slots__ = ("_api", "_device", "_index", "_pool", "max_grid")

    def __init__(self, device: Device) -> None:
        self._device = device
        self._api = device.api
        self._index = device.index
        self._pool: Pool = get_pool(device.kind, device.index)
        self.max_grid = device.attributes.max_grid_dims

    def alloc(self, nbytes: int, stream: object | None) -> object:
        return self._pool.alloc(nbytes, stream)

    def release(self, held: list[Any], stream: object | None) -> None:
        self._pool.release(held, stream)

    def memset(self, handle: object, byte: int, nbytes: int, stream: object | None) -> None:
        if nbytes > 0:
            self._api.memset(self._index, handle, byte, nbytes, stream)

    def call(self, function: str, args: tuple[object, ...], stream: object | None) -> None:
        call_packed(self._device, function, args, stream)


@dataclass(frozen=True, slots=True, eq=False)
class _Bound:
    """A launcher for one combination of arguments.

    Attributes:
        launch: ``launch(stream, *handles, *numbers)``.
        device: where.
        buffers: positions of arrays among all arguments.
        scalars: positions of numbers, with their parameters.
        numbers: shape variables and facts.
        overlaps: (position of an output, position of another array, bytes of the first, bytes of the second).
        outputs: for calls with inputs only: the arrays to allocate.
    """

    launch: Launcher
    device: Device
    buffers: tuple[int, ...]
    scalars: tuple[tuple[int, ScalarParam], ...]
    numbers: tuple[Scalar, ...]
    overlaps: tuple[tuple[int, int, int, int], ...]
    outputs: tuple[_Output, ...] = ()


class _Output(NamedTuple):
    """An array that a call with inputs only allocates, with all that its constructor needs worked out."""

    position: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: DType
    nbytes: int
    pool: Pool

    def allocate(self, device: Device, stream: object | None = None) -> NDArray:
        # What other streams gave back may still be written to by their work.
        memory = self.pool.alloc(self.nbytes, stream)
        allocation = Allocation(self.pool, memory)
        return NDArray(memory, self.shape, self.dtype, device, self.strides, allocation=allocation)


class Function:
    """One function of a compiled module.

    Call it with all arrays (outputs are written in place, the result is None) or with the inputs only (outputs
    are allocated and returned, as arrays of the inputs' kind: numpy in, numpy out).

    Args:
        data: what the compiler made.
        device: where it runs; None: where the arrays are, device 0 for numpy arrays.
    """

    def __init__(self, data: FunctionData, device: Device | None = None) -> None:
        check_moduli(data)
        self.data = data
        self.device = device
        self.name = data.name
        self.__name__ = data.name
        self.kind = kind_name(data.variants[-1].kind)
        self._params = data.params
        self._inputs = tuple(position for position, param in enumerate(self._params) if not _is_output(param))
        self._structural = structural_scalars(data)
        self._only_arrays = all(isinstance(param, BufferParam) for param in self._params)
        self._bound: dict[_Key, _Bound] = {}
        self._chosen: dict[Variant | LazyVariant, int] = {}
        self.recompiles = 0

    def add_variant(self, variant: Variant) -> None:
        """Prefer a variant, where its parameters fit and its guard holds, to all others.

        Raises:
            LowerError: its parameters are not those of the function.
        """
        data = FunctionData(self.data.name, (variant, *self.data.variants), self.data.attrs)
        check_moduli(data)
        self.data = data
        self._structural = structural_scalars(data)
        self.recompiles += 1
        self._bound = {}

    def stats(self) -> list[VariantStats]:
        """The variants, in the order in which they are tried."""
        chosen = self._chosen
        return [VariantStats(self.name, v.note, v.is_made, chosen.get(v, 0)) for v in self.data.variants]

    @property
    def params(self) -> tuple[Param, ...]:
        """The parameters in calling order."""
        return self._params

    def __repr__(self) -> str:
        return f"<gpucomp.Function {signature_text(self.name, self._params)}>"

    def __call__(self, *args: Any, stream: object | None = None) -> Any:
        """Run.

        Args:
            args: arrays (NDArray, numpy, torch, cupy, jax) and numbers, in the order of the parameters; the
                outputs may be left out, all together.
            stream: of the device; None: the one set by ``Device.set_raw_stream``, else the default stream.

        Returns:
            None when all arguments are given; else the output, or a tuple of the outputs.

        Raises:
            ArgumentError: the arguments do not fit; names the argument, what was expected and what came.
            DeviceError: the device is missing or failed.
            BuildError: the device compiler refused the code (at the first call).
        """
        try:
            key = tuple([a._sig for a in args]) if self._only_arrays else self._key(args)
        except (AttributeError, TypeError, ValueError, OverflowError):  # the last: a size that is infinite
            return self._call_foreign(args, stream)
        bound = self._bound.get(key)
        if bound is None:
            bound = self._bind(key, args)
        if bound.outputs:
            return self._call_returning(bound, args, stream)
        return self._run(bound, args, stream)

    def prepare(self, *args: object) -> None:
        """Do everything that the first call with such arguments does, but launch nothing."""
        arrays = self._foreign(args)[0]
        key = tuple([a._sig for a in arrays]) if self._only_arrays else self._key(arrays)
        if key not in self._bound:
            self._bind(key, arrays)

    def resident(self, args: _Arguments, device: Device) -> list[NDArray | Scalar]:
        """All arguments of a call on ``device``: arrays are copied there if need be, outputs allocated if left out.

        Raises:
            ArgumentError: the arguments do not fit.
        """
        moved: list[Any] = []
        for arg in args:
            value = adopt(arg)
            moved.append(value.copyto(device) if isinstance(value, NDArray) and value.device is not device else value)
        if len(moved) < len(self._params):
            made = self(*moved)
            outputs = made if isinstance(made, tuple) else (made,)
            positions = (i for i, param in enumerate(self._params) if _is_output(param))
            for position, output in zip(positions, outputs, strict=True):
                moved.insert(position, output)
        return moved

    # -- the fast path

    def _run(self, bound: _Bound, args: _Arguments, stream: object | None) -> None:
        for out, other, out_bytes, other_bytes in bound.overlaps:
            start, other_start = args[out].address, args[other].address
            if start < other_start + other_bytes and other_start < start + out_bytes:
                self._refuse_overlap(out, other)
        if stream is None:
            stream = current_stream(bound.device)
        if stream is not None:
            for position in bound.buffers:
                allocation = args[position].allocation
                if allocation is not None:
                    allocation.used_on(stream)
        handles = [args[position].handle for position in bound.buffers]
        if not bound.scalars:
            bound.launch(stream, *handles, *bound.numbers)
            return
        scalars = [
            check_scalar(Argument(param, position + 1, args[position]), self.name) for position, param in bound.scalars
        ]
        bound.launch(stream, *handles, *scalars, *bound.numbers)

    def _call_returning(self, bound: _Bound, inputs: _Arguments, stream: object | None) -> object:
        if stream is None:
            stream = current_stream(bound.device)
        outputs = [output.allocate(bound.device, stream) for output in bound.outputs]
        args = list(inputs)
        for spec, output in zip(bound.outputs, outputs, strict=True):
            args.insert(spec.position, output)
        self._run(bound, args, stream)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _key(self, args: _Arguments) -> _Key:
        """Signatures of the arrays and values of those numbers that decide on shapes and guards."""
        params = self._params if len(args) == len(self._params) else self._input_params(len(args))
        key: list[Any] = []
        for param, arg in zip(params, args, strict=False):
            if isinstance(param, BufferParam):
                key.append(arg._sig)
            else:
                key.append(int(arg) if param.name in self._structural else None)
        key.append(len(args))
        return tuple(key)

    # -- the first call with a combination of arguments

    def _input_params(self, count: int) -> tuple[Param, ...]:
        params = tuple(self._params[position] for position in self._inputs)
        total = len(self._params)
        if count != len(params):
            takes = f"{self.name} takes {total} argument{'s' if total != 1 else ''}"
            if len(params) < total:
                takes += f", or {len(params)} without the outputs"
            refuse(f"{takes}, got {count}", "GC601", f"call {signature_text(self.name, self._params)}")
        return params

    def _arguments(self, args: _Arguments) -> list[Argument]:
        params = self._params if len(args) == len(self._params) else self._input_params(len(args))
        return [
            self._argument(param, position, arg)
            for position, (param, arg) in enumerate(zip(params, args, strict=True), 1)
        ]

    def _argument(self, param: Param, position: int, value: Any) -> Argument:
        argument = Argument(param, position, value)
        if isinstance(param, ScalarParam):
            return Argument(param, position, check_scalar(argument, self.name))
        if not isinstance(value, NDArray):
            refuse(
                f"{argument.title(self.name)} has type {type(value).__name__}, expected an array of {param.dtype}",
                "GC602",
                f"make it one: numpy.asarray({param.name}, {param.dtype!r})",
            )
        return argument

    def _bind(self, key: _Key, args: _Arguments) -> _Bound:
        arguments = self._arguments(args)
        device = self._device_of(arguments)
        check_kinds(self.data, arguments)
        outputs: list[_Output] = []
        if len(args) < len(self._params):
            env = bind_inputs(self.data, arguments)
            for position, param in enumerate(self._params):
                if isinstance(param, BufferParam) and param.output:
                    shape, dtype = output_shape(self.name, param, env), DType(param.dtype)
                    nbytes, pool = math.prod(shape) * dtype.nbytes, get_pool(device.kind, device.index)
                    outputs.append(_Output(position, shape, compact_strides(shape), dtype, nbytes, pool))
            full = list(args)
            for output in outputs:
                full.insert(output.position, output.allocate(device))
            arguments = self._arguments(full)
        made = [v.is_made for v in self.data.variants]
        binding = choose_variant(self.data, arguments)
        self.recompiles += [v.is_made for v in self.data.variants].count(True) - made.count(True)
        self._chosen[binding.variant] = self._chosen.get(binding.variant, 0) + 1
        program = binding.variant.program
        bound = _Bound(
            launch=self._launcher(device, binding.variant.get()),
            device=device,
            buffers=tuple(i for i, param in enumerate(self._params) if isinstance(param, BufferParam)),
            scalars=tuple((i, p) for i, p in enumerate(self._params) if isinstance(p, ScalarParam)),
            numbers=(
                *(binding.env[name] for name in program.shape_vars),
                *(binding.facts[fact] for fact in program.facts),
            ),
            overlaps=() if outputs or MAY_ALIAS in self.data.attrs else _overlap_checks(arguments),
            outputs=tuple(outputs),
        )
        if len(self._bound) >= _MOST_BOUND:
            self._bound.clear()
        self._bound[key] = bound
        return bound

    def _device_of(self, arguments: Sequence[Argument]) -> Device:
        arrays = [argument for argument in arguments if isinstance(argument.value, NDArray)]
        wanted, reason = self.device, "it was built for it"
        for argument in arrays:
            value = argument.value
            assert isinstance(value, NDArray)
            if wanted is None and value.device.kind == self.kind:
                wanted, reason = value.device, f"where {argument.param.name} is"
            elif wanted is None:
                wanted, reason = Device(self.kind), f"its code is for {self.kind}"
            if value.device is not wanted:
                refuse(
                    f"{argument.title(self.name)} is on {value.device}, but {self.name} runs on {wanted} ({reason})",
                    "GC608",
                    f"copy it: gpucomp.nd.array({argument.param.name}, gpucomp.{wanted})",
                )
        return (wanted or Device(self.kind)).require()

    def _launcher(self, device: Device, variant: Variant) -> Launcher:
        kernels = load_image(device, variant.image).functions if variant.image.kernels else {}
        return bind_program(variant.program, kernels, _Services(device))

    def _refuse_overlap(self, out: int, other: int) -> None:
        first, second = self._params[out], self._params[other]
        refuse(
            f"argument {out + 1} ({first.name}) of {self.name} is written and overlaps argument "
            f"{other + 1} ({second.name})",
            "GC612",
            f"pass separate arrays, or leave {first.name} out: the result is then a new array",
        )

    # -- arrays of other libraries

    def _call_foreign(self, args: _Arguments, stream: object | None) -> object:
        arrays, copies = self._foreign(args)
        result = self(*arrays, stream=stream)
        for host, device_array in copies:
            np.copyto(host, device_array.numpy(), casting="no")
        if result is None:
            return None
        convert = result_converter(args)
        if isinstance(result, tuple):
            return tuple(convert(item) for item in result)
        return convert(result)

    def _foreign(self, args: _Arguments) -> tuple[list[Any], list[tuple[_HostArray, NDArray]]]:
        """NDArrays for foreign arrays, and the numpy arrays to which results have to be copied back."""
        values: list[Any] = []
        copies: list[tuple[_HostArray, NDArray]] = []
        for argument in self._arguments(self._adopt(args)):
            param, value, given = argument.param, argument.value, args[argument.position - 1]
            if not isinstance(value, NDArray) or not isinstance(given, np.ndarray) or self.kind == "cpu":
                values.append(value)
                continue
            moved = self._upload(argument, value)
            values.append(moved)
            if isinstance(param, BufferParam) and param.access != "read":
                copies.append((given, moved))
        return values, copies

    def _adopt(self, args: _Arguments) -> list[Any]:
        params = self._params if len(args) == len(self._params) else self._input_params(len(args))
        adopted: list[Any] = []
        for position, (param, arg) in enumerate(zip(params, args, strict=True), 1):
            try:
                adopted.append(adopt(arg) if isinstance(param, BufferParam) else arg)
            except ArgumentError as error:
                title = Argument(param, position, 0).title(self.name)
                assert isinstance(param, BufferParam)
                refuse(f"{title}: {error.message}", error.code, conversion(param))
        return adopted

    def _upload(self, argument: Argument, host: NDArray) -> NDArray:
        param = argument.param
        assert isinstance(param, BufferParam)
        check_kinds(self.data, [argument])
        check_contiguous(argument.title(self.name), param, host)
        moved = empty(host.shape, host.dtype, (self.device or Device(self.kind)).require())
        return moved if param.access == "write" else moved.copyfrom(host)


def _is_output(param: Param) -> bool:
    return isinstance(param, BufferParam) and param.output


def _overlap_checks(arguments: Sequence[Argument]) -> tuple[tuple[int, int, int, int], ...]:
    """Pairs of a written array and another one whose memory must not overlap."""
    arrays = [
        (i, argument.param, argument.value)
        for i, argument in enumerate(arguments)
        if isinstance(argument.value, NDArray) and argument.value.nbytes
    ]
    checks: list[tuple[int, int, int, int]] = []
    for i, param, array in arrays:
        if not isinstance(param, BufferParam) or param.access == "read":
            continue
        for j, other_param, other in arrays:
            both = isinstance(other_param, BufferParam) and other_param.access != "read"
            if j != i and not (both and j < i):
                checks.append((i, j, array.span_bytes, other.span_bytes))
    return tuple(checks)


_images: dict[tuple[Device, KernelImage], LoadedImage] = {}
_images_lock = threading.RLock()


def load_image(device: Device, image: KernelImage) -> LoadedImage:
    """Compile and load an image on a device, once.

    Raises:
        BuildError: the device compiler refused it.
    """
    key = (device, image)
    with _images_lock:
        found = _images.get(key)
        if found is None:
            found = _images[key] = device.api.load(device.index, image)
        return found
