"""lower, source, build: the public ways from a schedule to IR, text and a callable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from gpucomp.driver.cache import compiled_functions, structure_key
from gpucomp.driver.default_schedule import with_default_schedule
from gpucomp.driver.deferred import DeferredModule
from gpucomp.driver.locate import located
from gpucomp.driver.pipelines import pipeline
from gpucomp.driver.variants import make_variants, specialized
from gpucomp.driver.verify import verified
from gpucomp.ir.module import IRModule
from gpucomp.ir.transform import Pass, PassContext
from gpucomp.runtime.device import Device
from gpucomp.runtime.module import Module
from gpucomp.support.diagnostics import LowerError, caller_span
from gpucomp.support.expect import expect
from gpucomp.support.launch import MAY_ALIAS, FunctionData, Variant
from gpucomp.target import Target
from gpucomp.te.lower import Arg, lower_schedule
from gpucomp.te.state import Schedule
from gpucomp.te.tensor import Tensor
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.specialize import given_values

Inputs = Schedule | PrimFunc | IRModule
Binds = Mapping[Tensor, Buffer] | None
_LONGEST_NAME: Final = 200
Sizes = Mapping[Var, int] | Mapping[Expr, int] | Mapping[str, int]


def lower(
    inp: Inputs,
    args: Sequence[Arg] | None = None,
    name: str = "main",
    binds: Binds = None,
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
    expect(func, PrimFunc, "lower_primfunc", "pass a PrimFunc: gpucomp.lower(s, [A, C])['main']")
    chosen = target or verify_with
    if chosen is not None:
        func = func.with_attr("target", chosen)
    with verified(func):
        return pipeline(target)(func)


def source(
    sch: Inputs,
    args: Sequence[Arg] | None = None,
    target: str | Target = "cuda",
    name: str = "main",
    binds: Binds = None,
) -> str:
    """The device source text; needs neither a device nor a compiler.

    Args:
        sch: what to compile; see :func:`lower`.
        args: see :func:`lower`.
        target: ``"cuda"``, ``"opencl"`` or ``"llvm"``, with options.
        name: of the function, from which kernel names are made.
        binds: see :func:`lower`.

    Returns:
        CUDA C, OpenCL C or LLVM IR; of several variants, the one for any extents within 32-bit indices.
    """
    data = compile_function(sch, args, Target(target), name, binds)
    return data.general.image.source


def build(
    inputs: Inputs,
    args: Sequence[Arg] | None = None,
    target: str | Target | None = None,
    target_host: str | Target | None = None,
    runtime: object = None,
    name: str = "default_function",
    binds: Binds = None,
    specialize: Sizes | Sequence[Sizes] = (),
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
        specialize: values of variables for which there shall be code of its own, such as ``{n: 1024}``, or several
            such mappings. Other sizes are computed all the same; see ``Module.specialize``.

    Returns:
        A module.  Called with all buffers it writes in place; called with the inputs only it allocates and
        returns the outputs, as arrays of the same kind.

    Raises:
        ScheduleError: the schedule is illegal.
        LowerError: it cannot be lowered for the target.
        BuildError: the device compiler refuses the generated source.
    """
    _check_request(inputs, args, name)
    _check_binds(binds)
    chosen = Target(target) if target is not None else Target.current()
    functions = _functions(inputs, args, name, binds) if not isinstance(inputs, Schedule) else ()
    wanted = [specialize] if isinstance(specialize, Mapping) else list(specialize)
    if chosen is None:
        made: Module = DeferredModule(lambda device: _build_for(inputs, args, device, name, binds), name)
    elif functions:
        data = {f.name: compile_function(f, None, chosen, f.name) for f in functions}
        made = Module(data, None, chosen.kind, _specializer(functions, None, chosen, None))
    else:
        data = {name: compile_function(inputs, args, chosen, name, binds)}
        made = Module(data, None, chosen.kind, _specializer(inputs, args, chosen, binds))
    for values in wanted:
        made.specialize(values)
    return made


def _build_for(inputs: Inputs, args: Sequence[Arg] | None, device: Device, name: str, binds: Binds) -> Module:
    target = Target.from_device(device)
    data = {name: compile_function(inputs, args, target, name, binds)}
    return Module(data, device, target.kind, _specializer(inputs, args, target, binds))


def _specializer(
    inputs: Inputs | Sequence[PrimFunc], args: Sequence[Arg] | None, target: Target, binds: Binds
) -> Callable[[str, Sizes], Variant]:
    """What compiles a function of a module for given values; the schedule is taken as it is now."""
    held = inputs.copy() if isinstance(inputs, Schedule) else inputs
    context = PassContext.current()

    def make(name: str, values: Sizes) -> Variant:
        inp = held
        with context, located(inp):
            if isinstance(inp, Schedule):
                inp = with_default_schedule(inp, target)
            several = not isinstance(inp, (Schedule, PrimFunc, IRModule))
            known = list(inp) if several else _functions(inp, args, name, binds)
            [func] = [f for f in known if f.name == name]
            return specialized(func, given_values(func, values), target, lower_primfunc)

    return make


def _check_request(inputs: object, args: object, name: object) -> None:
    """Refuse at once what a deferred module would only find at its first call."""
    if not isinstance(name, str):
        raise _misuse(f"the name of a function is text, got {type(name).__name__}", "name='main'")
    if not name:
        raise _misuse("the name of a function is empty", "name='main'")
    _check_length(name)
    if isinstance(inputs, Schedule) and args is None:
        raise _misuse("args are needed to lower a schedule", "pass [A, B, C]: inputs, then outputs")
    if isinstance(inputs, Schedule) and not isinstance(args, (list, tuple)):
        raise _misuse(
            f"args is a list of tensors, got one {type(args).__name__}", "pass [A, B, C]: inputs, then outputs"
        )


def _check_length(name: str) -> None:
    if len(name) > _LONGEST_NAME:
        raise _misuse(
            f"the name of a function has at most {_LONGEST_NAME} characters, {name[:20]!r}... has {len(name):,}",
            "drivers make file names of it: give it a shorter one",
        )


def _check_binds(binds: object) -> None:
    items = binds.items() if isinstance(binds, Mapping) else () if binds is None else ((binds, None),)
    for tensor, buffer in items:
        if not isinstance(tensor, Tensor) or not isinstance(buffer, Buffer):
            raise _misuse(
                f"binds gives buffers to tensors, got {type(tensor).__name__}: {type(buffer).__name__}",
                "binds={A: tir.decl_buffer(A.shape, A.dtype, strides=...)}",
            )


def _misuse(message: str, hint: str) -> LowerError:
    return LowerError(message, code="GC302", where=caller_span(), hint=hint)


def _functions(inp: Inputs, args: Sequence[Arg] | None, name: str, binds: Binds) -> list[PrimFunc]:
    found = _given(inp, args, name, binds)
    for func in found:
        _check_length(func.name)
    if PassContext.current().config.get("tir.noalias", True):
        return found
    return [f.with_attr("tir.noalias", False) for f in found]


def _given(inp: object, args: Sequence[Arg] | None, name: str, binds: Binds) -> list[PrimFunc]:
    if isinstance(inp, Schedule):
        _check_request(inp, args, name)
        _check_binds(binds)
        return [lower_schedule(inp, list(args or ()), name, binds)]
    if isinstance(inp, IRModule):
        return list(inp.functions.values())
    if isinstance(inp, PrimFunc):
        return [inp if "global_symbol" in inp.attrs else inp.with_attr("global_symbol", name)]
    hint = "pass a te.Schedule (te.create_schedule), a PrimFunc or an IRModule"
    raise _misuse(f"cannot compile a {type(inp).__name__}", hint)


def compile_function(
    inp: Inputs, args: Sequence[Arg] | None, target: Target, name: str = "main", binds: Binds = None
) -> FunctionData:
    """Compile to the plain data that the runtime executes; equal structures come from the cache."""
    _check_request(inp, args, name)
    _check_binds(binds)
    key = structure_key(inp, args, target, name, binds)
    known = compiled_functions.get(key)
    if known is None:
        known = _compile(inp, args, target, name, binds)
        compiled_functions.put(key, known)
    return known


def _compile(inp: Inputs, args: Sequence[Arg] | None, target: Target, name: str, binds: Binds) -> FunctionData:
    if isinstance(inp, Schedule):
        inp = with_default_schedule(inp, target)
    with located(inp):
        return _compile_primfunc(inp, args, target, name, binds)


def _compile_primfunc(inp: Inputs, args: Sequence[Arg] | None, target: Target, name: str, binds: Binds) -> FunctionData:
    [func, *rest] = _functions(inp, args, name, binds)
    if rest:
        names = ", ".join([f.name for f in (func, *rest)])
        raise LowerError(
            f"a module of several functions ({names}) compiles one by one",
            code="GC307",
            where=caller_span(),
            hint=f"pass one PrimFunc: module[{func.name!r}], or gpucomp.build, which compiles each",
        )
    attrs = () if func.attrs.get("tir.noalias", False) else (MAY_ALIAS,)
    return FunctionData(name, make_variants(func, target, lower_primfunc), attrs)


def stages(
    sch: Inputs, args: Sequence[Arg] | None = None, target: str | Target = "cuda", name: str = "main"
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

    def run_after_pass(self, unit: object, info: Pass[object]) -> None:
        if unit is not self._before and isinstance(unit, PrimFunc):
            self.pages.append((info.name, unit.script()))
