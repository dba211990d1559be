"""Modules of LLVM IR that users bring, linked with the code of a kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpucomp.runtime.cache import save_source
from gpucomp.support.diagnostics import BuildError

if TYPE_CHECKING:
    from llvmlite import binding


def add_module(module: binding.ModuleRef, other: binding.ModuleRef, text: str) -> None:
    """Link ``other`` into ``module``; what it defines is then private, so that it can be inlined, or left out.

    Args:
        module: the code of kernels, which declares what it calls.
        other: what the user brings; gone afterwards.
        text: of which ``other`` was made, for the error message.

    Raises:
        BuildError: GC502 it defines a function otherwise than it is called, or a symbol that is defined already.
    """
    try:
        _add(module, other, text)
    except BuildError:
        other.close()
        raise


def _add(module: binding.ModuleRef, other: binding.ModuleRef, text: str) -> None:
    declared = {f.name: str(f.global_value_type) for f in module.functions if f.is_declaration}
    names: list[str] = []
    for function in other.functions:
        if function.is_declaration:
            continue
        kind = str(function.global_value_type)
        if declared.get(function.name, kind) != kind:
            raise _refused(
                f"import_llvm defines {function.name!r} as {kind}, but the kernel calls it as "
                f"{declared[function.name]}",
                text,
                "call_extern passes arguments with the types that they have: cast them, or change the definition",
            )
        if not _is_private(function):
            names.append(function.name)
    shown = [v for v in other.global_variables if not v.is_declaration and not _is_private(v)]
    variables = [v.name for v in shown if not v.name.startswith("llvm.")]
    try:
        module.link_in(other)
    except RuntimeError as error:
        raise _refused(f"import_llvm cannot be linked with the kernel: {error}", text, "names must differ") from None
    for value in [*[module.get_function(n) for n in names], *[module.get_global_variable(n) for n in variables]]:
        value.linkage = "internal"


def _is_private(value: binding.ValueRef) -> bool:
    return value.linkage.name in ("internal", "private")


def _refused(message: str, text: str, hint: str) -> BuildError:
    return BuildError(message, code="GC502", context=f"the module: {save_source(text, '.ll')}", hint=hint)
