"""A translation unit: kernels and the helpers that they use, as a :class:`KernelImage`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from gpucomp.codegen.dialect import Refusal, collect_helpers, load, unit_template
from gpucomp.codegen.emitter import CEmitter
from gpucomp.support.diagnostics import LowerError
from gpucomp.support.launch import KernelImage
from gpucomp.target.target import Target
from gpucomp.tir.function import PrimFunc


@dataclass(frozen=True, slots=True)
class Backend:
    """A C-like target.

    Attributes:
        folder: of its templates.
        kind: of the image, for the runtime.
        describe: the target in words, for the comment on top.
        options: extra compiler options for a target.
    """

    folder: str
    kind: str
    describe: Callable[[Target], str]
    options: Callable[[Target], tuple[str, ...]] = field(default=lambda target: ())


def emit_c(funcs: Sequence[PrimFunc], target: Target, backend: Backend, imports: Sequence[str] = ()) -> KernelImage:
    """Write kernels in device form as one unit, after texts that the user brings.

    Raises:
        LowerError: something has no form on the target; the message names the operation and what is missing.
    """
    dialect = load(backend.folder, target.features, target.arch)
    kernels = []
    with collect_helpers() as helpers:
        for func in funcs:
            emitter = CEmitter(func, dialect, target.features)
            try:
                kernels.append(emitter.kernel())
            except Refusal as refusal:
                raise LowerError(
                    f"kernel {func.name}: {refusal.operation} cannot be written for {target}: "
                    f"the target lacks {refusal.missing}",
                    code="GC320",
                    where=emitter.span,
                    hint="choose another type or schedule, or a target that has it",
                ) from None
            except LowerError as error:
                error.where = error.where or emitter.span
                error.context = error.context or f"kernel {func.name}"
                raise
    source = unit_template(backend.folder).render(
        title=", ".join([kernel.name for kernel in kernels]),
        target=backend.describe(target),
        helpers=[*helpers, *[text.strip() for text in imports]],
        kernels=kernels,
        features=target.features,
    )
    options = (*dialect.facts["options"], *backend.options(target))
    return KernelImage(backend.kind, source, tuple([k.spec for k in kernels]), options, target.arch)


def emit_unit(funcs: Sequence[PrimFunc], target: Target, imports: Sequence[str] = ()) -> KernelImage:
    """Write device functions as source text for a C-like target.

    Args:
        funcs: kernels in device form, as ``split_host_device`` makes them; names must differ.
        target: its kind chooses the dialect.
        imports: text in that dialect, to stand before the kernels.

    Returns:
        Readable source with what the runtime needs to compile and launch it.

    Raises:
        LowerError: a kind without a C dialect, or an operation that the target lacks.
    """
    from gpucomp.codegen import cuda, opencl

    backends: Final = {cuda.BACKEND.kind: cuda.BACKEND, opencl.BACKEND.kind: opencl.BACKEND}
    backend = backends.get(target.kind)
    if backend is None:
        raise LowerError(f"target {target} has no C dialect", code="GC386", hint=f"known: {', '.join(backends)}")
    return emit_c(funcs, target, backend, imports)
