"""LLVM IR text to machine code in this process: optimise, emit an object, keep it on disk, link it in.

Code is made for the processor at hand, by name and features.  llvmlite is imported at the first compilation.
"""

from __future__ import annotations

import functools
import itertools
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gpucomp.runtime.buildlog import build_error
from gpucomp.runtime.cache import disk_cache
from gpucomp.runtime.cpu_link import add_module
from gpucomp.support.diagnostics import BuildError
from gpucomp.support.hashing import digest

if TYPE_CHECKING:
    from types import ModuleType

    from llvmlite import binding

_FORMAT: Final = 3  # of what is cached; raise it when the pipeline below changes
_lock = threading.RLock()
_counter = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Host:
    """The processor that code is made for.

    Attributes:
        triple: such as "x86_64-unknown-linux-gnu".
        cpu: LLVM's name, such as "znver5".
        features: LLVM's list, such as "+avx512f,-amx-tile,...".
        llvm: version of LLVM.
    """

    triple: str
    cpu: str
    features: str
    llvm: str

    def has(self, feature: str) -> bool:
        """True when the processor has a feature, by LLVM's name."""
        return f"+{feature}" in self.features.split(",")


@functools.cache
def _llvm() -> ModuleType:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    binding.initialize_native_asmparser()  # the pool contains an assembly instruction
    return binding


@functools.cache
def host() -> Host:
    """The processor of this process.

    Raises:
        ImportError: llvmlite is missing.
    """
    llvm = _llvm()
    version = ".".join(str(part) for part in llvm.llvm_version_info)
    return Host(llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten(), version)


def _machine() -> binding.TargetMachine:
    llvm, here = _llvm(), host()
    target = llvm.Target.from_triple(here.triple)
    return target.create_target_machine(
        cpu=here.cpu, features=here.features, opt=3, reloc="pic", codemodel="jitdefault", jit=True
    )


def _parsed(source: str, context: binding.ContextRef, machine: binding.TargetMachine) -> binding.ModuleRef:
    try:
        module = _llvm().parse_assembly(source, context)
    except RuntimeError as error:
        raise _refused(source, str(error)) from None
    try:
        module.verify()
    except RuntimeError as error:
        module.close()
        raise _refused(source, str(error)) from None
    module.triple = host().triple
    module.data_layout = str(machine.target_data)
    return module


def _optimised(source: str, linked: Sequence[str], machine: binding.TargetMachine) -> binding.ModuleRef:
    """The module after the passes; without LLVM's vectorizers where they broke it.

    With its SLP vectorizer LLVM 22 (llvmlite 0.50) puts some shuffles before what they shuffle, for every processor.
    Instruction selection ends the process for that ("Already set a value for this node!"), or without assertions
    may go on with anything: so what the passes made is verified, and made again with fewer of them.

    Raises:
        BuildError: LLVM refused the text, or what its passes made of it.
    """
    log = ""
    for slp, loops in ((True, True), (False, True), (False, False)):
        if slp and "@llvm.masked." in source:
            continue  # where it happens most; code with masks has its vectors already
        module = _linked(source, linked, machine)
        _run_passes(module, machine, slp, loops)
        try:
            module.verify()
        except RuntimeError as error:
            log = str(error)
            module.close()
            continue
        return module
    raise _refused(source, f"error: code after optimisation: {log}")


def _linked(source: str, linked: Sequence[str], machine: binding.TargetMachine) -> binding.ModuleRef:
    context = _llvm().create_context()
    module = _parsed(source, context, machine)
    try:
        for text in linked:
            add_module(module, _parsed(text, context, machine), text)
    except BuildError:
        # Not later, together with the error: the collector may take the context first, and LLVM dies of that.
        module.close()
        raise
    return module


def _run_passes(module: binding.ModuleRef, machine: binding.TargetMachine, slp: bool, loops: bool) -> None:
    llvm = _llvm()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_unrolling = True
    options.loop_vectorization, options.slp_vectorization = loops, slp
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)


def _refused(source: str, log: str) -> BuildError:
    here = host()
    # LLVM says "<string>:12:3: error: ...", as clang does.
    return build_error(f"LLVM {here.llvm}", here.cpu, source, ".ll", log)


def compile_object(source: str, linked: Sequence[str] = ()) -> bytes:
    """Machine code for a module and those that are linked with it, from the disk cache where possible.

    Raises:
        BuildError: LLVM refused the text.
    """
    here, cache = host(), disk_cache()
    key = digest("llvm", _FORMAT, here, source, *linked)
    if cache is not None and (found := cache.get(key, ".o")) is not None:
        return found
    with _lock:
        machine = _machine()
        code = machine.emit_object(_optimised(source, linked, machine))
    if cache is not None:
        cache.put(key, ".o", code)
    return code


def assembly(source: str, linked: Sequence[str] = ()) -> str:
    """The module as assembly text."""
    with _lock:
        machine = _machine()
        return machine.emit_assembly(_optimised(source, linked, machine))


def optimised_text(source: str, linked: Sequence[str] = ()) -> str:
    """The module as LLVM IR after optimisation."""
    with _lock:
        return str(_optimised(source, linked, _machine()))


@functools.cache
def _jit() -> binding.LLJIT:
    return _llvm().create_lljit_compiler(_machine(), suppress_errors=True)


class Library:
    """Code that is linked into this process for as long as the object lives."""

    def __init__(self, tracker: binding.ResourceTracker) -> None:
        self.tracker = tracker

    def address(self, symbol: str) -> int:
        """The address of an exported symbol."""
        return self.tracker[symbol]


def link(code: bytes, exports: tuple[str, ...], imports: Mapping[str, int], source: Callable[[], str]) -> Library:
    """Link an object into this process.

    Args:
        code: from :func:`compile_object`.
        exports: symbols whose addresses are wanted.
        imports: addresses for undefined symbols; others come from the process (the C library).
        source: the text, for the error message.

    Raises:
        BuildError: a symbol that nothing defines.
    """
    with _lock:
        builder = _llvm().JITLibraryBuilder().add_object_img(code).add_current_process()
        for name, address in imports.items():
            builder.import_symbol(name, address)
        for name in exports:
            builder.export_symbol(name)
        try:
            return Library(builder.link(_jit(), f"gpucomp{next(_counter)}"))
        except RuntimeError as error:
            raise _unlinkable(source(), imports, str(error)) from None


def _unlinkable(source: str, imports: Mapping[str, int], log: str) -> BuildError:
    declared = re.findall(r"^declare [^@]*@([\w.$]+)\(", source, re.MULTILINE)
    names = [name for name in declared if not name.startswith("llvm.") and name not in imports]
    missing = [repr(name) for name in names if _llvm().address_of_symbol(name) is None]
    if not missing:
        return _refused(source, f"error: {log}")
    return BuildError(
        f"the kernel calls {', '.join(missing)}, which nothing in this process defines",
        code="GC502",
        hint="load the library that has it first: ctypes.CDLL(path, ctypes.RTLD_GLOBAL)",
    )
