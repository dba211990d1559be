"""Values of a hybrid script while it is read: Python values, expressions, arrays."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any  # Any: a value of a script is a Python value, an expression or an array

from gpucomp.support.diagnostics import Span, TensorError
from gpucomp.support.dtype import DType
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import BufferLoad, Expr, ExprOp, IntImm


@dataclass(frozen=True, slots=True)
class Array:
    """A tensor, an output or an allocation; with some of its indices, a part of it."""

    buffer: Buffer
    indices: tuple[Expr, ...] = ()
    writable: bool = True

    @property
    def shape(self) -> tuple[Any, ...]:
        """Extents of what is left, integers where they are known."""
        return tuple([x.value if isinstance(x, IntImm) else x for x in self.buffer.shape[len(self.indices) :]])


@dataclass(slots=True)
class Scalar:
    """A variable that is assigned more than once: one element of memory."""

    buffer: Buffer
    line: int

    def load(self) -> Expr:
        """Its value."""
        return BufferLoad(self.buffer, (operators.const(0),))


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a script: where it stands."""

    file: str
    first_line: int
    indent: int
    name: str

    def span(self, node: ast.AST) -> Span:
        """The place of a node."""
        line = self.first_line + getattr(node, "lineno", 1) - 1
        column = getattr(node, "col_offset", 0) + self.indent
        return Span(self.file, line, column)

    def error(self, node: ast.AST, message: str, hint: str | None = None) -> TensorError:
        """An error at a node."""
        text = f"hybrid script {self.name}: {message}"
        return TensorError(text, code="GC233", where=self.span(node), hint=hint)


def is_symbolic(value: object) -> bool:
    """True for expressions."""
    return isinstance(value, ExprOp)


def as_expr(value: Any, like: DType | None = None) -> Expr:
    """A value as an expression; literals take the type ``like``."""
    return (
        operators.convert(value, like)
        if like is not None and isinstance(value, (int, float))
        else operators.convert(value)
    )
