"""Run a PrimFunc on numpy arrays, as its meaning says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gpucomp.ir.types import PointerType
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.support.dtype import DType
from gpucomp.tir.block import open_blocks
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, IntImm, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import substitute
from gpucomp.tir.interp import meaning
from gpucomp.tir.interp.broadcast import broadcast
from gpucomp.tir.interp.calls import as_rows, shuffle_rows
from gpucomp.tir.interp.compiler import FuncCompiler, trip_count
from gpucomp.tir.interp.faults import ASSERTION, BOUNDS, DIVISION, Faults
from gpucomp.tir.interp.host_calls import packed_array, packed_call
from gpucomp.tir.interp.lanes import Blocks, KernelReport, Launch, Settings
from gpucomp.tir.interp.memory import LocalMemory, Memory, SharedMemory, garbage, out_of_bounds
from gpucomp.tir.ptx import open_ptx

Array = NDArray[Any]  # of any element type
Argument = Any  # an array, a scalar, or an object that numpy converts
GRANULE: Final = 16  # bytes: the widest vector


@dataclass(slots=True)
class Report:
    """What an interpretation did.

    Attributes:
        kernels: one entry for each kernel launch and parallel loop, in order.
        source: the generated Python code.
    """

    kernels: list[KernelReport] = field(default_factory=list[KernelReport])
    source: str = ""


def interpret(
    func: PrimFunc,
    args: Sequence[Argument],
    *,
    races: bool = True,
    bounds: bool = True,
    poison: bool = True,
    blocks: Blocks = "all",
    max_lanes: int = 1 << 14,
) -> Report:
    """Run a function; outputs are written in place.

    Threads run in lockstep, statement by statement, in batches of whole blocks; memory is checked as it is used.
    A function whose shared memory has no barriers yet (before ``thread_sync``) still gives its meaning with
    ``races=False``: lockstep acts as a barrier after each statement.

    Args:
        func: a function in buffer form, flat form or device form.
        args: an array for each pointer parameter, a number for each scalar one.  Arrays are C-contiguous unless
            the parameter's buffer has explicit strides; others are copied and written back.
        races: raise when two threads use one element of shared or global memory, at least one writes it with
            another value, and no barrier stands between.
        bounds: raise when an index leaves its buffer.
        poison: raise when memory is read that nothing was written to since its allocation; otherwise such reads
            give NaN, or a large number for integers, which shows when it reaches an output.
        blocks: "all", how many blocks to sample (first and last included), or the block numbers (x fastest).
        max_lanes: threads that run together at most (at least one block does).

    Returns:
        What ran.

    Raises:
        VerifyError: a race, an index out of bounds, a read of unwritten memory, a barrier that only some threads
            of a block reach, a division by zero, or something without meaning at this stage.
        ArgumentError: the arguments do not fit the parameters.
    """
    target = func.attrs.get("target")
    warp = int(getattr(target, "thread_warp_size", 0) or 32)
    granule = GRANULE if "readable_granules" in getattr(target, "features", ()) else 0
    settings = Settings(races, bounds, poison, blocks, max_lanes, warp, granule)
    faults = Faults(func.name)
    launch: Mapping[str, Expr] = func.attrs.get("launch") or {}
    body = open_ptx(open_blocks(func.body), func.buffer_map)
    compiler = FuncCompiler(func.name, body, faults, settings, launch)
    report = Report()
    back = _bind(func, args, compiler)
    compiler.env |= _runtime(faults, settings, report)
    with np.errstate(all="ignore"):
        report.source = compiler.run_body(body)
        code = compile(report.source, f"<interpreted {func.name}>", "exec")
        exec(code, compiler.env)  # noqa: S102  # generated from IR above
        compiler.env["main"]()
    for original, copy in back:
        original[...] = copy
    return report


def _runtime(faults: Faults, settings: Settings, report: Report) -> dict[str, Any]:
    """Names that generated code calls."""

    def launch(name: str, extents: dict[str, int], site: int, loop: str = "") -> Launch:
        made = Launch(name, extents, settings, faults, site, loop)
        report.kernels.append(made.report)
        return made

    def host_memory(name: str, size: int, dtype: Any, unit: int, shape: Any, low: Any) -> Memory:
        return Memory(name, garbage(np.empty(max(1, size), dtype)), unit, shape, low, fresh=settings.poison)

    def local_memory(batch: Any, name: str, size: int, dtype: Any, shape: Any, low: Any) -> LocalMemory:
        return LocalMemory(batch, name, size, dtype, shape, low, poison=settings.poison)

    def shared_memory(
        batch: Any, name: str, size: int, dtype: Any, unit: int, shape: Any, low: Any, scope: str
    ) -> SharedMemory:
        return SharedMemory(
            batch, name, size, dtype, unit, shape, low, scope=scope, races=settings.races, poison=settings.poison
        )

    def host_check(index: Any, extent: int, site: int, what: str) -> None:
        bad = (np.asarray(index) < 0) | (np.asarray(index) >= extent)
        if bad.any():
            raise faults.error(
                BOUNDS, f"{what} is at {int(index[bad][0])}, outside of [0, {extent}): out of bounds", site
            )

    def nonzero(value: Any, site: int) -> Any:
        if not np.all(value):
            raise faults.error(DIVISION, "division by zero", site)
        return value

    def host_true(condition: Any, site: int, message: str) -> None:
        if not np.all(condition):
            raise faults.error(ASSERTION, f"{message} does not hold", site)

    return {
        "faults": faults,
        "launch": launch,
        "host_memory": host_memory,
        "local_memory": local_memory,
        "shared_memory": shared_memory,
        "host_check": host_check,
        "nonzero": nonzero,
        "host_true": host_true,
        "out_of_bounds": lambda site, value, size, what: out_of_bounds(faults, site, value, size, what),
        "inside": lambda index, size: np.clip(index, 0, max(size - 1, 0)),
        "trip_count": trip_count,
        "packed_array": packed_array,
        "packed_call": packed_call,
        "as_rows": as_rows,
        "shuffle_rows": shuffle_rows,
        "broadcast": broadcast,
        "trunc_div": meaning.trunc_div,
        "trunc_mod": meaning.trunc_mod,
        "floor_mod_float": meaning.floor_mod_float,
        "reinterpret": meaning.reinterpret,
        "popcount": meaning.popcount,
        "clz": meaning.clz,
        "fma": meaning.fma,
    }


def _bind(func: PrimFunc, args: Sequence[Argument], compiler: FuncCompiler) -> list[tuple[Array, Array]]:
    """Bind parameters to arguments; gives pairs of (argument, copy to write back)."""
    if len(args) != len(func.params):
        names = ", ".join([p.name for p in func.params])
        raise ArgumentError(f"{func.name} takes {len(func.params)} arguments ({names}), got {len(args)}")
    known: dict[Var, int] = {}
    arrays: list[tuple[Var, Buffer | None, Array]] = []
    for param, arg in zip(func.params, args, strict=True):
        buffer = func.buffer_map.get(param)
        if buffer is not None or param.dtype.is_handle:
            arrays.append((param, buffer, _as_array(param, buffer, arg)))
        else:
            _bind_scalar(param, arg, known, compiler)
    for _, buffer, array in arrays:
        # All of them first: an extent n + 2 may stand before the argument that gives n.
        extents = zip(buffer.shape, array.shape, strict=False) if buffer is not None else ()
        for extent, size in extents:
            if isinstance(extent, Var):
                known.setdefault(extent, size)
    for param, buffer, array in arrays:
        if buffer is not None:
            _match_shape(param.name, buffer, array, known)
    back: list[tuple[Array, Array]] = []
    for number, (param, buffer, array) in enumerate(arrays):
        _bind_array(param, buffer, array, number, known, compiler, back)
    for var, value in known.items():
        compiler.fixed[var] = value
        compiler.bind_var(var, compiler.literal(value, var.dtype))
    compiler.arguments = frozenset(compiler.places)
    return back


def _bind_scalar(param: Var, arg: Argument, known: dict[Var, int], compiler: FuncCompiler) -> None:
    from gpucomp.tir.interp.values import Val

    if param.dtype.is_integral:
        known[param] = int(arg)
        return
    name = compiler.constant("p", f"{param.name}_{len(compiler.env)}", param.dtype.numpy.type(arg))
    compiler.bind_var(param, Val(name, 0, param.dtype))


def _as_array(param: Var, buffer: Buffer | None, arg: Argument) -> Array:
    if not isinstance(arg, np.ndarray):
        raise ArgumentError(f"argument {param.name} must be a numpy array, got {type(arg).__name__}")
    array: Array = arg
    kind = buffer.dtype if buffer is not None else _pointee(param)
    if kind is not None and array.dtype != kind.element.numpy:
        raise ArgumentError(f"argument {param.name} must hold {kind}, got {array.dtype}")
    return array


def _pointee(param: Var) -> DType | None:
    return param.type_annotation.element_type.dtype if isinstance(param.type_annotation, PointerType) else None


def _match_shape(name: str, buffer: Buffer, array: Array, known: dict[Var, int]) -> None:
    """Bind symbolic extents and strides, and check the others once they are known."""
    shape = array.shape if buffer.dtype.lanes == 1 else array.shape[:-1]
    if len(shape) != len(buffer.shape):
        raise ArgumentError(f"argument {name} must have {len(buffer.shape)} dimensions, got {len(shape)}")
    for k, (extent, size) in enumerate(zip(buffer.shape, shape, strict=True)):
        if isinstance(extent, Var) and extent not in known:
            known[extent] = size
        elif _number(extent, known) != size:
            want = _number(extent, known)
            raise ArgumentError(f"argument {name} must have extent {want} along dimension {k}, got {size}")
    for k, (stride, step) in enumerate(zip(buffer.strides, array.strides, strict=False)):
        if isinstance(stride, Var) and stride not in known:
            repeated = buffer.buffer_type == "auto_broadcast" and array.shape[k] == 1
            known[stride] = 0 if repeated else step // array.itemsize
    if isinstance(buffer.elem_offset, Var):
        known.setdefault(buffer.elem_offset, 0)


def _number(value: Expr, known: dict[Var, int]) -> int | None:
    """The value of an integer expression over known variables."""
    done = substitute(value, {k: IntImm(k.dtype, v) for k, v in known.items()})
    return done.value if isinstance(done, IntImm) else None


def _bind_array(
    param: Var, buffer: Buffer | None, array: Array, number: int, known: dict[Var, int],
    compiler: FuncCompiler, back: list[tuple[Array, Array]],
) -> None:  # fmt: skip
    data = param if buffer is None else buffer.data
    dtype = (buffer.dtype if buffer is not None else _pointee(param) or DType(str(array.dtype))).element
    extents: list[int] = [array.size] if buffer is None else [int(x) for x in array.shape]
    strides: list[int] | None = None
    if buffer is not None and buffer.strides:
        strides = [_number(x, known) or 0 for x in buffer.strides]
        flat = _strided(array, strides)
    elif array.flags.c_contiguous:
        flat = array.reshape(-1)
    else:
        copy = np.ascontiguousarray(array)
        back.append((array, copy))
        flat = copy.reshape(-1)
    if buffer is not None and buffer.buffer_type == "auto_broadcast" and strides is None:
        strides = [0 if n == 1 else math.prod(extents[k + 1 :]) for k, n in enumerate(extents)]
    if buffer is not None and buffer.dtype.lanes > 1:
        extents = extents[:-1]
    name = f"a{number}"
    title = buffer.name if buffer is not None else param.name
    unit = compiler.unit_of(data, dtype)
    held = flat if len(flat) else np.zeros(1, array.dtype)
    memory = Memory(title, held, unit, tuple(extents), (0,) * len(extents), fresh=False)
    memory.size = len(flat)
    compiler.env[name] = memory
    compiler.add_argument(data, buffer, name, dtype, len(flat), extents, strides)


def _strided(array: Array, strides: list[int]) -> Array:
    """The flat memory that an array with the given strides (in elements) spans."""
    have = [s // array.itemsize for s in array.strides]
    if any([n > 1 and s != h for n, s, h in zip(array.shape, strides, have, strict=True)]):
        raise ArgumentError(f"argument has strides {tuple(have)} (in elements), its buffer {tuple(strides)}")
    if array.size == 0:
        return array.reshape(-1)
    span = 1 + sum([(n - 1) * s for n, s in zip(array.shape, strides, strict=True)])
    return np.lib.stride_tricks.as_strided(array, (span,), (array.itemsize,))
