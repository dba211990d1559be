"""Several values that are computed together: what more than one of them needs is computed, and written, once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gpucomp.support.diagnostics import Span
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.functor import Mutator, expr_children, expr_post_order
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import LetStmt, Stmt

_LEAVES: Final = (Var, e.IntImm, e.FloatImm, e.StringImm)
_LOADS: Final = (e.BufferLoad, e.ProducerLoad)
_AS_SHORT: Final = (e.Cast, e.Ramp, e.Broadcast)  # written out again: a name would be no shorter


def let_values(
    what: str,
    names: Sequence[Var],
    values: Sequence[Expr],
    body: Stmt,
    span: Span | None = None,
    own: Sequence[object] = (),
) -> Stmt:
    """``body`` where each name stands for its value, as a combiner of tuples computes them.

    The condition by which such a combiner chooses each of its results gets a name of its own, made of ``what``, and so
    does what else of the data is used twice.  What is evaluated under a condition only stays there, and what is made of
    indices is left alone, as are elements of the tensors or buffers ``own``, in which the results are kept, and of
    local buffers.
    """
    named = {node: Var(_name(node, what), node.dtype) for node in _used_twice(values) if not _is_kept(node, own)}
    replace = _Replace(named)
    lets = [(var, replace.operands(node)) for node, var in named.items()]
    lets += zip(names, [replace.expr(value) for value in values], strict=True)
    for var, value in reversed(lets):
        body = LetStmt(var, value, body, span)
    return body


def _name(node: Expr, what: str) -> str:
    if isinstance(node, e.BufferLoad):
        return f"{node.buffer.name}_item"
    if isinstance(node, e.ProducerLoad):
        return f"{node.producer.name}_item"
    return f"{what}_{'cond' if node.dtype.is_bool else 'item'}"


def _used_twice(values: Sequence[Expr]) -> list[Expr]:
    """The nodes that several parents use and that are always evaluated, operands first."""
    always: dict[Expr, None] = {}
    stack = list(values)
    while stack:
        node = stack.pop()
        if node not in always:
            always[node] = None
            stack += _always_evaluated(node)
    uses: dict[Expr, int] = {}
    order = [node for node in expr_post_order(*values) if not isinstance(node, _LEAVES)]
    for parent in order:
        if not isinstance(parent, _LOADS):
            for child in expr_children(parent):
                uses[child] = uses.get(child, 0) + 1
    for value in values:
        uses[value] = uses.get(value, 0) + 1
    data: dict[Expr, bool] = {}
    for node in expr_post_order(*values):
        data[node] = isinstance(node, _LOADS) or any([data[child] for child in expr_children(node)])
    return [n for n in order if uses.get(n, 0) > 1 and n in always and data[n] and not isinstance(n, _AS_SHORT)]


def _is_kept(node: Expr, own: Sequence[object]) -> bool:
    """True for an element of what holds the results."""
    if isinstance(node, e.BufferLoad):
        return node.buffer.scope() == "local" or node.buffer in own
    return isinstance(node, e.ProducerLoad) and node.producer in own


def _always_evaluated(node: Expr) -> list[Expr]:
    """The operands that are evaluated whenever the node is."""
    if isinstance(node, _LOADS):
        return []
    if isinstance(node, (e.And, e.Or)):
        return [node.a]
    if isinstance(node, e.Call):
        guard = isinstance(node.op, Op) and node.op.name == "tir.if_then_else"
        return [node.args[0]] if guard else list(expr_children(node))
    return [] if isinstance(node, (e.Let, e.Reduce)) else expr_children(node)


class _Replace(Mutator):
    """Puts names where their nodes stand."""

    def __init__(self, named: dict[Expr, Var]) -> None:
        super().__init__()
        self.named = named

    def visit(self, node: Expr) -> Expr:
        var = self.named.get(node)
        return super().visit(node) if var is None else var

    def operands(self, node: Expr) -> Expr:
        """The node itself, with names in its operands."""
        return super().visit(node)
