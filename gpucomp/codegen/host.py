"""Host programs: expressions as plain data, and the program of a function that runs on the processor as a whole."""

from __future__ import annotations

from gpucomp.arith.analyzer import Analyzer
from gpucomp.support.launch import BufferArg, HostProgram, LaunchStep, ScalarArg
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.stmt import Stmt
from gpucomp.transform.host_expr import (
    Access,
    HostNames,
    host_expr,
    host_lets,
    host_params,
    let_steps,
    shape_vars,
    writes_whole_outputs,
)
from gpucomp.transform.kernel_usage import Usage

__all__ = ["HostNames", "cpu_program", "cpu_signature", "host_expr"]


def cpu_signature(func: PrimFunc) -> tuple[tuple[Buffer, ...], tuple[Var, ...]]:
    """What a whole function takes on the processor: buffers, scalar parameters, shape variables, host variables."""
    buffers = tuple([func.buffer_map[p] for p in func.params if p in func.buffer_map])
    scalars = tuple([p for p in func.params if p not in func.buffer_map])
    return buffers, (*scalars, *shape_vars(func), *[var for var, _ in host_lets(func)])


class _WholeFunction(Usage):
    """Usage by a function of several kernels, each of which has thread extents of its own."""

    def _thread(self, tag: str, extent: Expr, node: Stmt) -> None:
        self.extents[tag] = extent


def cpu_program(func: PrimFunc) -> HostProgram:
    """The program of a function that is one kernel: a single launch of everything.

    Args:
        func: flat, with its buffer map; its name is the kernel's.  Arguments are those of :func:`cpu_signature`.

    Raises:
        LowerError: a parameter that the host cannot describe.
    """
    buffers, scalars = cpu_signature(func)
    usage = _WholeFunction({}, Analyzer())
    usage.stmt(func.body)
    access: dict[Var, Access] = {buffer.data: usage.access(buffer.data) for buffer in buffers}
    if not writes_whole_outputs(func):
        access |= {data: "readwrite" for data, how in access.items() if how == "write"}
    outputs = func.attrs.get("outputs")
    if outputs is None:
        left_out = dict(usage.first_written)
    else:
        left_out = {(x if isinstance(x, Buffer) else func.buffer_map[x]).data: None for x in outputs}
    names = HostNames()
    params = host_params(func, names, access, {}, left_out)
    lets = let_steps(func, names)
    args = [BufferArg(names(buffer.data)) for buffer in buffers]
    numbers = [ScalarArg(str(var.dtype), names(var)) for var in scalars]
    launch = LaunchStep(func.name, (1, 1, 1), (1, 1, 1), 0, (*args, *numbers))
    return HostProgram(func.name, params, (*lets, launch))
