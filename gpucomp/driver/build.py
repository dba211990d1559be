"""lower, source, build: the public ways from a schedule to IR, text and a callable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gpucomp.codegen import emit_cpu, emit_unit
from gpucomp.codegen.host import cpu_program
from gpucomp.driver.cache import compiled_functions, structure_key
from gpucomp.driver.default_schedule import with_default_schedule
from gpucomp.driver.deferred import DeferredModule
from gpucomp.driver.locate import located
from gpucomp.driver.pipelines import pipeline
from gpucomp.driver.verify import verified
from gpucomp.ir.module import IRModule
from gpucomp.ir.transform import PassContext
from gpucomp.runtime.device import Device
from gpucomp.runtime.module import Module
from gpucomp.support.diagnostics import LowerError, caller_span
from gpucomp.support.launch import MAY_ALIAS, FunctionData, HostExpr, KernelImage, Variant
from gpucomp.target import Target
from gpucomp.te.lower import lower_schedule
from gpucomp.te.state import Schedule
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.packed import has_packed
from gpucomp.transform.host_expr import HostNames, host_expr, host_params
from gpucomp.transform.index_width import needs_int64, widen_indices
from gpucomp.transform.split_host_device import split_host_device
from gpucomp.transform.split_packed import split_packed

Inputs = Schedule | PrimFunc | IRModule


def lower(
    inp: Inputs,
    args: Sequence[Any] | None = None,  # Any: tensors, variables or buffers
    name: str = "main",
    binds: Mapping[Any, Buffer] | None = None,
    simple_mode: bool = False,
) -> IRModule:
    """Lower a schedule (or a PrimFunc in buffer form) to flat, target-independent IR.

    Args:
        inp: a schedule, a PrimFunc, or a module of PrimFuncs.
        args: tensors, scalar variables and buffers, in call order; needed for a schedule.
        name: of the function.
        binds: buffers to use for some tensors.
        simple_mode: stop before flattening, which reads more easily.

    Returns:
        A module with one function for a schedule.

    Raises:
        ScheduleError: the schedule is illegal; points at the primitive that caused it.
        LowerError: a pass cannot lower it.
    """
    target = Target.current()
    functions = {f.name: f for f in _functions(inp, args, name, binds)}
    if not simple_mode:
        with located(inp):
            functions = {k: lower_primfunc(f, None, verify_with=target) for k, f in functions.items()}
    return IRModule(functions)


def lower_primfunc(func: PrimFunc, target: Target | None, verify_with: Target | None = None) -> PrimFunc:
    """Run the passes of a target (None: those that all targets share) on a PrimFunc in buffer form."""
    chosen = target or verify_with
    if chosen is not None:
        func = func.with_attr("target", chosen)
    with verified(func):
        return pipeline(target)(func)


def source(
    sch: Inputs,
    args: Sequence[Any] | None = None,  # Any: as in lower
    target: str | Target = "cuda",
    name: str = "main",
    binds: Mapping[Any, Buffer] | None = None,
) -> str:
    """The device source text; needs neither a device nor a compiler.

    Args:
        sch: what to compile; see :func:`lower`.
        args: see :func:`lower`.
        target: ``"cuda"``, ``"opencl"`` or ``"llvm"``, with options.
        name: of the function, from which kernel names are made.
        binds: see :func:`lower`.

    Returns:
        CUDA C, OpenCL C or LLVM IR; of several variants, the first.
    """
    data = compile_function(sch, args, Target(target), name, binds)
    return data.variants[0].image.source


def build(
    inputs: Inputs,
    args: Sequence[Any] | None = None,  # Any: as in lower
    target: str | Target | None = None,
    target_host: str | Target | None = None,
    runtime: object = None,
    name: str = "default_function",
    binds: Mapping[Any, Buffer] | None = None,
) -> Module:
    """Compile for a target.

    Args:
        inputs: a schedule, a PrimFunc or a module of PrimFuncs in buffer form.
        args: tensors, scalar variables and buffers in call order; needed for a schedule.
        target: what to compile for.  None compiles at the first call, for the device where the arrays live
            (numpy arrays: the default device, named in one log line).
        target_host: accepted for compatibility; host code is generated Python.
        runtime: accepted for compatibility.
        name: of the function in the module.
        binds: buffers to use for some tensors.

    Returns:
        A module.  Called with all buffers it writes in place; called with the inputs only it allocates and
        returns the outputs, as arrays of the same kind.

    Raises:
        ScheduleError: the schedule is illegal.
        LowerError: it cannot be lowered for the target.
        BuildError: the device compiler refuses the generated source.
    """
    _check_request(inputs, args, name)
    chosen = Target(target) if target is not None else Target.current()
    functions = _functions(inputs, args, name, binds) if not isinstance(inputs, Schedule) else ()
    if chosen is None:
        return DeferredModule(lambda device: _build_for(inputs, args, device, name, binds), name)
    if functions:
        data = {f.name: compile_function(f, None, chosen, f.name) for f in functions}
    else:
        data = {name: compile_function(inputs, args, chosen, name, binds)}
    return Module(data, None, chosen.kind)


def _build_for(inputs: Inputs, args: object, device: Device, name: str, binds: object) -> Module:
    target = Target.from_device(device)
    return Module({name: compile_function(inputs, args, target, name, binds)}, device, target.kind)


def _check_request(inputs: object, args: object, name: object) -> None:
    """Refuse at once what a deferred module would only find at its first call."""
    if not isinstance(name, str):
        raise _misuse(f"the name of a function is text, got {type(name).__name__}", "name='main'")
    if isinstance(inputs, Schedule) and args is None:
        raise _misuse("args are needed to lower a schedule", "pass [A, B, C]: inputs, then outputs")
    if isinstance(inputs, Schedule) and not isinstance(args, (list, tuple)):
        raise _misuse(
            f"args is a list of tensors, got one {type(args).__name__}", "pass [A, B, C]: inputs, then outputs"
        )


def _misuse(message: str, hint: str) -> LowerError:
    return LowerError(message, code="GC302", where=caller_span(), hint=hint)


def _functions(inp: Inputs, args: Any, name: str, binds: Any) -> list[PrimFunc]:
    found = _given(inp, args, name, binds)
    if PassContext.current().config.get("tir.noalias", True):
        return found
    return [f.with_attr("tir.noalias", False) for f in found]


def _given(inp: object, args: Any, name: str, binds: Any) -> list[PrimFunc]:
    if isinstance(inp, Schedule):
        _check_request(inp, args, name)
        return [lower_schedule(inp, list(args), name, binds)]
    if isinstance(inp, IRModule):
        return list(inp.functions.values())
    if isinstance(inp, PrimFunc):
        return [inp if "global_symbol" in inp.attrs else inp.with_attr("global_symbol", name)]
    hint = "pass a te.Schedule (te.create_schedule), a PrimFunc or an IRModule"
    raise _misuse(f"cannot compile a {type(inp).__name__}", hint)


def compile_function(
    inp: Inputs, args: Any, target: Target, name: str = "main", binds: Any = None
) -> FunctionData:  # Any: as in lower
    """Compile to the plain data that the runtime executes; equal structures come from the cache."""
    _check_request(inp, args, name)
    key = structure_key(inp, args, target, name, binds)
    known = compiled_functions.get(key)
    if known is None:
        known = _compile(inp, args, target, name, binds)
        compiled_functions.put(key, known)
    return known


def _compile(inp: Inputs, args: object, target: Target, name: str, binds: object) -> FunctionData:
    if isinstance(inp, Schedule):
        inp = with_default_schedule(inp, target)
    with located(inp):
        return _compile_primfunc(inp, args, target, name, binds)


def _compile_primfunc(inp: Inputs, args: object, target: Target, name: str, binds: object) -> FunctionData:
    [func, *rest] = _functions(inp, args, name, binds)
    if rest:
        raise LowerError("a module of several functions compiles one by one", hint="pass one PrimFunc")
    attrs = () if func.attrs.get("tir.noalias", False) else (MAY_ALIAS,)
    wide = needs_int64(func)
    if isinstance(wide, bool):
        note = "64-bit indices" if wide else "32-bit indices"
        return FunctionData(name, (_variant(_widened(func) if wide else func, target, True, note),), attrs)
    # Symbolic extents: a guard over the call's shapes picks the variant.
    narrow = _variant(func, target, _guard(func, wide), "32-bit indices")
    return FunctionData(name, (narrow, _variant(_widened(func), target, True, "64-bit indices")), attrs)


def _widened(func: PrimFunc) -> PrimFunc:
    """The form with 64-bit indices, under a name of its own: the texts of both forms may stand in one file."""
    return widen_indices(func).with_attr("global_symbol", f"{func.name}_int64")


def _guard(func: PrimFunc, fits: Expr) -> HostExpr:
    """The condition under which 32-bit indices suffice, over the names that the host program gives to shapes."""
    names = HostNames()
    host_params(func, names, {}, {}, {})
    return host_expr(fits, names)


def _variant(func: PrimFunc, target: Target, guard: HostExpr, note: str) -> Variant:
    func = lower_primfunc(func.with_attr("target", target), target)
    if not target.is_gpu and has_packed(func.body):
        kernels, program = split_packed(func)
        return Variant(guard, program, emit_cpu(kernels, target), note)
    if not target.is_gpu:
        return Variant(guard, cpu_program(func), emit_cpu(func, target), note)
    kernels, program = split_host_device(func)
    image: KernelImage = emit_unit(kernels, target)
    return Variant(guard, program, image, note)


def stages(
    sch: Inputs, args: Sequence[Any] | None = None, target: str | Target = "cuda", name: str = "main"
) -> list[tuple[str, str]]:
    """The IR after each pass that changed it, as (pass name, script) pairs, the input first."""
    chosen = Target(target)
    if isinstance(sch, Schedule):
        sch = with_default_schedule(sch, chosen)
    [func] = _functions(sch, args, name, None)
    recorder = _Recorder()
    with PassContext(instruments=[recorder]):
        pipeline(chosen)(func.with_attr("target", chosen))
    return [("input", func.script()), *recorder.pages]


class _Recorder:
    def __init__(self) -> None:
        self.pages: list[tuple[str, str]] = []
        self._before: object = None

    def run_before_pass(self, unit: object, info: object) -> None:
        self._before = unit

    def run_after_pass(self, unit: object, info: Any) -> None:
        if unit is not self._before and isinstance(unit, PrimFunc):
            self.pages.append((info.name, unit.script()))
