"""From device functions to source text: C dialects through one emitter, and LLVM."""

from gpucomp.codegen.llvm import emit_cpu
from gpucomp.codegen.unit import emit_unit

__all__ = ["emit_cpu", "emit_unit"]
