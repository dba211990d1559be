"""Decide which loops are unrolled, and write out those that the device compiler will not unroll by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gpucomp.ir.transform import PassContext
from gpucomp.target.target import Target
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IterVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, substitute
from gpucomp.tir.stmt import (
    NOOP,
    AllReduce,
    AttrStmt,
    BufferStore,
    Evaluate,
    For,
    ForKind,
    Stmt,
    While,
    seq,
)
from gpucomp.transform.walk import int_value

# Written-out code longer than this many statements costs more in the instruction cache than its loop does.
MOST_STATEMENTS: Final = 4096
_EXPLICIT: Final = "unroll_explicit"


def unroll_loop(func: PrimFunc) -> PrimFunc:
    """Unroll loops that are marked, or small enough under ``pragma_auto_unroll_max_step``.

    A serial loop under the pragma is unrolled when it and the loops inside take at most that many steps. Unrolled loops
    stay loops of kind UNROLLED, for the device compiler to unroll, except where ``pragma_unroll_explicit``, the
    annotation ``unroll_explicit`` or the target's feature ``explicit_unroll`` asks for the statements themselves. A
    marked loop without a constant extent becomes a serial one. The pragmas are consumed;
    ``pragma_unroll_factor`` becomes a note for the device compiler.

    The option ``tir.UnrollLoop`` of the pass context gives defaults where no pragma stands: ``auto_max_step`` (0),
    ``auto_max_depth`` (loops in a nest, 8), ``auto_max_extent`` (loops this short are unrolled whatever they hold,
    0) and ``explicit_unroll`` (what the target asks for).
    """
    target: Target | None = func.attrs.get("target")
    options: Mapping[str, int] = PassContext.current().config.get("tir.UnrollLoop") or {}
    explicit = options.get("explicit_unroll", target is not None and "explicit_unroll" in target.features)
    return func.with_body(_Unroll(bool(explicit), options).stmt(func.body))


class _Unroll(Mutator):
    """After a visit, ``steps`` is the number of leaf statements run, ``loops`` tells whether a loop remains."""

    def __init__(self, explicit: bool, options: Mapping[str, int]) -> None:
        super().__init__()
        self.explicit = explicit
        self.max_step = int(options.get("auto_max_step", 0))
        self.max_depth = int(options.get("auto_max_depth", 8))
        self.max_extent = int(options.get("auto_max_extent", 0))
        self.steps = 0
        self.nested = 0
        self.loops = False

    def expr(self, node: Expr) -> Expr:
        return node

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        if node.attr_key == "pragma_auto_unroll_max_step":
            saved, self.max_step = self.max_step, int_value(node.value) or 0
            body = self.stmt(node.body)
            self.max_step = saved
            return body
        if node.attr_key == "pragma_unroll_explicit":
            saved_explicit, self.explicit = self.explicit, bool(int_value(node.value))
            body = self.stmt(node.body)
            self.explicit = saved_explicit
            return body
        if node.attr_key == "pragma_unroll_factor":
            body, factor = self.stmt(node.body), int_value(node.value) or 1
            if isinstance(body, For) or not isinstance(node.node, IterVar):
                return _with_factor(body, factor)
            return _WithFactor(node.node.var, factor).stmt(body)
        return super().visit_attr_stmt(node)

    def _leaf(self, node: Stmt) -> Stmt:
        self.steps += 1
        return node

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        return self._leaf(node)

    def visit_evaluate(self, node: Evaluate) -> Stmt:
        return self._leaf(node)

    def visit_all_reduce(self, node: AllReduce) -> Stmt:
        return self._leaf(node)

    def visit_while(self, node: While) -> Stmt:
        body = self.stmt(node.body)
        self.loops = True
        return node if body is node.body else node.replace(body=body)

    def _small(self, extent: int, steps: int) -> bool:
        if 0 < extent <= self.max_extent:
            return True
        return not self.loops and 0 < steps <= self.max_step and self.nested < self.max_depth

    def visit_for(self, node: For) -> Stmt:
        outer_steps, outer_loops, outer_nested = self.steps, self.loops, self.nested
        self.steps, self.loops, self.nested = 0, False, 0
        body = self.stmt(node.body)
        extent = int_value(node.extent)
        steps = self.steps * (extent or 0)
        unrolled = extent is not None and (
            node.kind is ForKind.UNROLLED or (node.kind is ForKind.SERIAL and self._small(extent, steps))
        )
        self.nested = max(outer_nested, self.nested + unrolled)
        self.steps = outer_steps + (steps if unrolled else self.steps)
        self.loops = outer_loops or self.loops or not unrolled
        if extent is None or not unrolled:
            kind = ForKind.SERIAL if node.kind is ForKind.UNROLLED else node.kind
            return node if body is node.body and kind is node.kind else node.replace(kind=kind, body=body)
        explicit = self.explicit or bool((node.annotations or {}).get(_EXPLICIT))
        if explicit and steps <= MOST_STATEMENTS:
            return _written_out(node, body, extent)
        if body is node.body and node.kind is ForKind.UNROLLED:
            return node
        return node.replace(kind=ForKind.UNROLLED, body=body)


def _with_factor(loop: Stmt, factor: int) -> Stmt:
    """Tell the device's compiler how often to unroll a loop (1: not at all)."""
    if not isinstance(loop, For):
        return loop
    return loop.replace(annotations={**(loop.annotations or {}), "unroll_factor": factor})


class _WithFactor(Mutator):
    """Notes the factor on the loop of a variable, which a pass put among others: copies ahead of it, memory around."""

    def __init__(self, var: Var, factor: int) -> None:
        super().__init__()
        self.var, self.factor = var, factor

    def expr(self, node: Expr) -> Expr:
        return node

    def visit_for(self, node: For) -> Stmt:
        return _with_factor(node, self.factor) if node.loop_var is self.var else super().visit_for(node)


def _written_out(loop: For, body: Stmt, extent: int) -> Stmt:
    if extent <= 0:
        return NOOP
    copies = [substitute(body, {loop.loop_var: operators.add(loop.min, k)}) for k in range(extent)]
    return seq(*copies)
