"""Host programs as generated Python: what runs between a call of a kernel and its launches.

The text is meant to be read, and is executed once per program.  It has the form ::

    def bind(kernels, device):
        add = kernels['add']
        def launch(stream, A, B, C, n):
            grid = ((n + 255) // 256, 1, 1)
            ...
        return launch

``launch`` takes the buffers' handles, then scalar parameters, shape variables and buffer facts: see
:func:`launch_parameters`.  All checks of arguments have been made before.
"""

from __future__ import annotations

import functools
import keyword
import linecache
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol, TypeAlias  # Any: what exec defines

from gpucomp.support.diagnostics import ArgumentError, caller_span
from gpucomp.support.dtype import DType
from gpucomp.support.hashing import digest
from gpucomp.support.hostexpr import HELPERS, HostExpr, is_fact, render_python
from gpucomp.support.launch import (
    AllocStep,
    ArrayArg,
    AssertStep,
    BufferArg,
    HostProgram,
    IfStep,
    LaunchStep,
    LetStep,
    LoopStep,
    MemsetStep,
    PackedStep,
    Param,
    ScalarArg,
    ScalarParam,
    Step,
    TextArg,
    nested_steps,
)

Launcher: TypeAlias = Callable[..., None]


class DeviceServices(Protocol):
    """What a launcher asks of the device on which it was bound."""

    @property
    def max_grid(self) -> tuple[int, int, int]:
        """The largest number of blocks along each axis."""
        ...

    def alloc(self, nbytes: int, stream: object | None, /) -> object:
        """Workspace; an object with a ``handle``."""
        ...

    def release(self, held: list[object], stream: object | None, /) -> None:
        """Return workspace; work that is queued on ``stream`` may still use it."""
        ...

    def memset(self, handle: object, byte: int, nbytes: int, stream: object | None, /) -> None:
        """Set bytes of a buffer."""
        ...

    def call(self, function: str, args: tuple[object, ...], stream: object | None, /) -> None:
        """Call a registered function, after what is queued on ``stream``; it is done when this returns.

        Arguments: numbers, strings, and for arrays tuples (handle, dtype, shape, strides, offset).
        """
        ...


_RESERVED: Final = frozenset(
    {"bind", "kernels", "device", "launch", "stream", "grid", "held", "alloc", "release", "memset",
     "max_grid", "call_packed", "min", "max", "range", "float", "refuse_grid", "refuse", *HELPERS}
)  # fmt: skip
_ALWAYS_LEGAL_GRID: Final = 65535


class _Names:
    """Python identifiers for the names of a program, which may be anything that the user wrote."""

    def __init__(self) -> None:
        self._names: dict[HostExpr, str] = {}
        self._used: set[str] = set()

    def __call__(self, key: HostExpr, role: str = "") -> str:
        if key not in self._names:
            self._names[key] = self.fresh(role or self._text(key))
        return self._names[key]

    def fresh(self, text: str) -> str:
        base = re.sub(r"\W", "_", text, flags=re.ASCII) or "_"
        if base[0].isdigit() or keyword.iskeyword(base) or base in _RESERVED:
            base = f"{base}_" if not base[0].isdigit() else f"_{base}"
        name, count = base, 1
        while name in self._used:
            count += 1
            name = f"{base}_{count}"
        self._used.add(name)
        return name

    @staticmethod
    def _text(key: HostExpr) -> str:
        return f"{key[1]}_{key[0]}_{key[2]}" if isinstance(key, tuple) else str(key)


def launch_parameters(program: HostProgram) -> tuple[tuple[str, ...], tuple[HostExpr, ...]]:
    """What ``launch`` takes after ``stream``: names of buffers; then scalars, shape variables and facts."""
    scalars = (*(scalar.name for scalar in program.scalars), *program.shape_vars, *program.facts)
    return tuple(buffer.name for buffer in program.buffers), scalars


def render_program(program: HostProgram) -> str:
    """Readable Python source of the launcher of ``program``."""
    return _Renderer(program).render()


class _Renderer:
    def __init__(self, program: HostProgram) -> None:
        self.program = program
        self.lines: list[str] = []
        self.variables = _Names()
        self.buffers: dict[str, str] = {}
        self.kernels: dict[str, str] = {}

    def line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def render(self) -> str:
        program = self.program
        buffers, scalars = launch_parameters(program)
        for name in buffers:
            self.buffers[name] = self.variables.fresh(name)
        parameters = ["stream", *self.buffers.values(), *(self.variables(scalar) for scalar in scalars)]
        steps = list(nested_steps(program.steps))
        kernels = dict.fromkeys(step.kernel for step in steps if isinstance(step, LaunchStep))
        self.kernels = {kernel: self.variables.fresh(kernel) for kernel in kernels}
        allocates = any(isinstance(step, AllocStep) for step in steps)

        self.line(0, "def bind(kernels, device):")
        self.line(
            1,
            f"# {program.name}({', '.join(_describe(param) for param in program.params)})".replace("\n", " "),
        )
        for kernel, name in self.kernels.items():
            self.line(1, f"{name} = kernels[{kernel!r}]")
        self.line(1, "max_grid, memset = device.max_grid, device.memset")
        if any(isinstance(step, PackedStep) for step in steps):
            self.line(1, "call_packed = device.call")
        if allocates:
            self.line(1, "alloc, release = device.alloc, device.release")
        self.line(1, f"def launch({', '.join(parameters)}):")
        if allocates:
            self.line(2, "held = []")
            self.line(2, "try:")
            self.steps(program.steps, 3)
            self.line(2, "finally:")
            self.line(3, "release(held, stream)")
        else:
            self.steps(program.steps, 2)
        self.line(1, "return launch")
        return "\n".join(self.lines) + "\n"

    def text(self, expr: HostExpr) -> str:
        rendered = render_python(expr, self.variables)
        outer = rendered.startswith("(") and not is_fact(expr) and _one_group(rendered)
        return rendered[1:-1] if outer else rendered

    def steps(self, steps: tuple[Step, ...], depth: int) -> None:
        if not steps:
            self.line(depth, "pass")
        for step in steps:
            self.step(step, depth)

    def step(self, step: Step, depth: int) -> None:
        match step:
            case AllocStep():
                self.buffers[step.name] = name = self.variables.fresh(step.name)
                self.line(
                    depth,
                    f"{name} = alloc({self.text(('mul', step.size, DType(step.dtype).nbytes))}, stream)",
                )
                self.line(depth, f"held.append({name})")
                self.line(depth, f"{name} = {name}.handle")
            case LaunchStep():
                self.launch(step, depth)
            case PackedStep():
                args = "".join(f"{self.packed_argument(arg)}, " for arg in step.args).strip()
                self.line(depth, f"call_packed({step.function!r}, ({args}), stream)")
            case MemsetStep():
                size = self.text(step.size_bytes)
                self.line(depth, f"memset({self.buffers[step.name]}, {step.byte}, {size}, stream)")
            case AssertStep():
                self.line(depth, f"if not ({self.text(step.condition)}):")
                self.line(depth + 1, f"refuse({step.message!r})")
            case LetStep():
                value = self.text(step.value)
                self.line(depth, f"{self.variables(step.var)} = {value}")
            case LoopStep():
                begin, end = self.text(step.begin), self.text(("add", step.begin, step.extent))
                self.line(depth, f"for {self.variables(step.var)} in range({begin}, {end}):")
                self.steps(step.body, depth + 1)
            case IfStep():
                self.line(depth, f"if {self.text(step.condition)}:")
                self.steps(step.then_steps, depth + 1)
                if step.else_steps:
                    self.line(depth, "else:")
                    self.steps(step.else_steps, depth + 1)

    def launch(self, step: LaunchStep, depth: int) -> None:
        constant = all(isinstance(extent, int) and 0 < extent <= _ALWAYS_LEGAL_GRID for extent in step.grid)
        grid = f"({', '.join(self.text(extent) for extent in step.grid)})"
        if not constant:
            self.line(depth, f"grid = {grid}")
            grid = "grid"
            self.line(depth, "if grid[0] > max_grid[0] or grid[1] > max_grid[1] or grid[2] > max_grid[2]:")
            self.line(depth + 1, f"refuse_grid({step.kernel!r}, grid, max_grid)")
            self.line(depth, "if grid[0] > 0 and grid[1] > 0 and grid[2] > 0:")
            depth += 1
        block = ", ".join(self.text(extent) for extent in step.block)
        args = "".join(f"{self.argument(arg)}, " for arg in step.args).strip()
        shared = self.text(step.shared_bytes)
        self.line(depth, f"{self.kernels[step.kernel]}({grid}, ({block}), {shared}, stream, ({args}))")

    def packed_argument(self, arg: ArrayArg | ScalarArg | TextArg) -> str:
        if isinstance(arg, TextArg):
            return repr(arg.text)
        if isinstance(arg, ScalarArg):
            return self.text(arg.value)
        shape = "".join(f"{self.text(x)}, " for x in arg.shape).strip()
        strides = "".join(f"{self.text(x)}, " for x in arg.strides).strip()
        offset = self.text(arg.offset)
        return f"({self.buffers[arg.name]}, {arg.dtype!r}, ({shape}), ({strides}), {offset})"

    def argument(self, arg: BufferArg | ScalarArg) -> str:
        return self.buffers[arg.name] if isinstance(arg, BufferArg) else self.text(arg.value)


def _one_group(text: str) -> bool:
    """True when the first parenthesis closes at the last character (no quotes occur in such text)."""
    depth = 0
    for position, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return position == len(text) - 1
    return False


def _describe(param: Param) -> str:
    if isinstance(param, ScalarParam):
        return f"{param.name}: {param.dtype}"
    shape = ", ".join(render_python(dim) for dim in param.shape)
    return f"{param.name}: {param.dtype}[{shape}]{' output' if param.output else ''}"


def _refuse(message: str) -> NoReturn:
    raise ArgumentError(message, code="GC610", where=caller_span())


def _refuse_grid(kernel: str, grid: tuple[int, ...], limits: tuple[int, ...]) -> NoReturn:
    axis, extent, limit = next(row for row in zip("xyz", grid, limits, strict=True) if row[1] > row[2])
    raise ArgumentError(
        f"kernel {kernel} needs {extent:,} blocks along blockIdx.{axis}, the device allows {limit:,}",
        code="GC611",
        where=caller_span(),
        hint="bind the long axis to blockIdx.x, or split it so that each block does more",
    )


@functools.lru_cache(maxsize=1024)
def _compile(source: str) -> Callable[[Mapping[str, object], DeviceServices], Launcher]:
    # A name inside the package: errors then point past it, at the user's call.
    filename = str(Path(__file__).parent / f"<launcher {digest(source)[:12]}>")
    namespace: dict[str, Any] = {**HELPERS, "refuse": _refuse, "refuse_grid": _refuse_grid}
    # A traceback through the launcher shows its lines.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec"), namespace)  # noqa: S102  # our own text; names in it are mangled
    return namespace["bind"]


def bind_program(program: HostProgram, kernels: Mapping[str, object], services: DeviceServices) -> Launcher:
    """Compile the launcher of ``program`` (once per text) and bind it to loaded kernels.

    Returns:
        ``launch(stream, *handles, *numbers)`` with the parameters of :func:`launch_parameters`.
    """
    return _compile(render_program(program))(kernels, services)
