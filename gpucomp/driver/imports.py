"""Source text that comes with a schedule: the pragmas ``import_c`` and ``import_llvm``.

Their text defines what the kernels call by ``call_extern``.  C goes before the kernels of CUDA and OpenCL, LLVM IR is
linked with the code of processors; a schedule for both kinds of targets has both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from gpucomp.support.diagnostics import LowerError, Span
from gpucomp.target.target import Target
from gpucomp.tir.expr import StringImm
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator
from gpucomp.tir.stmt import AttrStmt, Stmt

IMPORT_C: Final = "pragma_import_c"
IMPORT_LLVM: Final = "pragma_import_llvm"


@dataclass(slots=True)
class Imports:
    """The texts of a function by language, each once, with where the first of them was asked for."""

    c: dict[str, Span | None] = field(default_factory=dict[str, "Span | None"])
    llvm: dict[str, Span | None] = field(default_factory=dict[str, "Span | None"])

    def texts(self, target: Target) -> tuple[str, ...]:
        """Those that the target takes.

        Raises:
            LowerError: GC347 there are texts, but in the other language only.
        """
        mine, other = (self.c, self.llvm) if target.is_gpu else (self.llvm, self.c)
        if other and not mine:
            wrong, right = ("import_llvm", "import_c") if target.is_gpu else ("import_c", "import_llvm")
            raise LowerError(
                f"the schedule brings its functions by {wrong}, which {target.kind} does not take",
                code="GC347",
                where=next(iter(other.values())),
                hint=f'add pragma(axis, "{right}", text) with the same functions'
                + ("" if target.is_gpu else "; clang -S -emit-llvm makes LLVM IR of C"),
            )
        return tuple(mine)


def take_imports(func: PrimFunc) -> tuple[PrimFunc, Imports]:
    """The function without the pragmas, and their texts."""
    walker = _Take()
    body = walker.stmt(func.body)
    found = walker.found
    return (func.replace(body=body) if found.c or found.llvm else func), found


class _Take(Mutator):
    def __init__(self) -> None:
        super().__init__()
        self.found = Imports()

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        if node.attr_key not in (IMPORT_C, IMPORT_LLVM) or not isinstance(node.value, StringImm):
            return super().visit_stmt(node)
        texts = self.found.c if node.attr_key == IMPORT_C else self.found.llvm
        texts.setdefault(node.value.value, node.span)
        return self.stmt(node.body)
