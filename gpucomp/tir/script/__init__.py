"""IR as Python-like text."""

from gpucomp.tir.script.printer import expr_text, func_text, stmt_text

__all__ = ["expr_text", "func_text", "stmt_text"]
