"""Accesses of a script that are past the ends of a tensor whenever it runs: an error at their line.

numpy would raise ``IndexError`` there; compiled code would read or write memory of others.  Judged as reads of a
``te.compute`` are (``te/out_of_range.py``): statements that run in each iteration, indices whose ends are reached.
"""

from __future__ import annotations

from collections.abc import Iterator

from gpucomp.support.diagnostics import Span, TensorError
from gpucomp.te.out_of_range import Box, Ends, Form, certain, ends_of, form_of
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import BufferLoad, Expr, IterVar, Var
from gpucomp.tir.functor import free_vars
from gpucomp.tir.stmt import Stmt


def check_reach(body: Stmt) -> None:
    """Refuse a script with an access that is out of range whenever it runs.

    Raises:
        TensorError: GC224, at the line of the access.
    """
    _statement(body, {}, {})


def _statement(node: Stmt, box: Box, unknown: dict[Var, None]) -> None:
    if isinstance(node, s.SeqStmt):
        for part in node.seq:
            _statement(part, box, unknown)
    elif isinstance(node, s.For):
        _loop(node, box, unknown)
    elif isinstance(node, s.LetStmt):
        _reads(node.value, node.span, box, unknown)
        _statement(node.body, box, {**unknown, node.var: None})
    elif isinstance(node, s.AttrStmt):
        axis = {node.node.var: None} if isinstance(node.node, IterVar) else {}
        _statement(node.body, box, {**unknown, **axis})
    elif isinstance(node, s.BufferRealize):
        _statement(node.body, box, unknown)
    elif isinstance(node, s.BufferStore):
        _access("writes", node.buffer, node.indices, node.span, box, unknown)
        for part in (node.value, *node.indices):
            _reads(part, node.span, box, unknown)


def _loop(node: s.For, box: Box, unknown: dict[Var, None]) -> None:
    low, extent = form_of(node.min), form_of(node.extent)
    if low is None or extent is None or _moves(node.min, node.extent, box, unknown):
        return  # whether its body runs is not known
    if not extent.terms and extent.constant < 1:
        return
    ends = Ends(low, low.plus(extent).plus(Form(-1)), frozenset({node.loop_var}))
    _statement(node.body, {**box, node.loop_var: ends}, unknown)


def _moves(first: Expr, second: Expr, box: Box, unknown: dict[Var, None]) -> bool:
    return any([var in box or var in unknown for var in (*free_vars(first), *free_vars(second))])


def _reads(value: Expr, span: Span | None, box: Box, unknown: dict[Var, None]) -> None:
    for load in _loads(value):
        _access("reads", load.buffer, load.indices, span, box, unknown)


def _loads(value: Expr) -> Iterator[BufferLoad]:
    for node in certain((value,)):
        if isinstance(node, BufferLoad):
            yield node


def _access(
    verb: str, buffer: Buffer, indices: tuple[Expr, ...], span: Span | None, box: Box, unknown: dict[Var, None]
) -> None:
    for dimension, (index, size) in enumerate(zip(indices, buffer.shape, strict=True)):
        ends = None if any([var in unknown for var in free_vars(index)]) else ends_of(index, box)
        extent = form_of(size)
        if ends is None or extent is None:
            continue
        past = ends.high.plus(extent, -1)
        if not past.terms and past.constant >= 0:
            reached = f"reaches {ends.high.expr()}, but the extent is {size}"
        elif not ends.low.terms and ends.low.constant < 0:
            reached = f"goes down to {ends.low.constant}, and no index counts from the end"
        else:
            continue
        element = f"{buffer.name}[{', '.join([str(x) for x in indices])}]"
        raise TensorError(
            f"the script {verb} {element}: the index of dimension {dimension} {reached}",
            code="GC224",
            where=span,
            hint=f"change the range of the loop, or the shape of {buffer.name}, or guard the access by an if",
        )
