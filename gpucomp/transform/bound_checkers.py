"""Check every access of memory while a function runs on the processor."""

from __future__ import annotations

from gpucomp.ir.transform import PassContext
from gpucomp.support.diagnostics import LowerError
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import GE, LT, And, BufferLoad, Call, Expr, Let, Or
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, expr_children, substitute
from gpucomp.tir.stmt import AssertStmt, BufferRealize, BufferStore, Evaluate, Stmt, While, seq
from gpucomp.transform.accesses import own_exprs
from gpucomp.transform.walk import TRUE, conjunction, is_call

KEY = "tir.instrument_bound_checkers"


def instrument_bound_checkers(func: PrimFunc) -> PrimFunc:
    """Assert, before each statement, that the indices of its accesses lie inside of their buffers.

    Nothing happens unless ``tir.instrument_bound_checkers`` of the pass context asks for it.  An access that a
    condition guards (``if_then_else``, ``and``, ``or``) is checked where the condition lets it happen.

    Args:
        func: in buffer form, for a processor: a failed assertion ends the function with an error.

    Raises:
        LowerError: the function is for a GPU.
    """
    if not PassContext.current().config.get(KEY, False):
        return func
    if getattr(func.attrs.get("target"), "is_gpu", False):
        raise LowerError(
            f"{KEY} checks on the processor only",
            code="GC330",
            hint='build for "llvm", or run the function with gpucomp.tir.interp.interpret, which always checks',
        )
    return func.with_body(_Checker().stmt(func.body))


class _Checker(Mutator):
    def __init__(self) -> None:
        super().__init__()
        self.boxes: dict[Buffer, tuple[tuple[Expr, Expr], ...]] = {}

    def expr(self, node: Expr) -> Expr:
        return node

    def visit_buffer_realize(self, node: BufferRealize) -> Stmt:
        self.boxes[node.buffer] = tuple([(r.min, r.extent) for r in node.bounds])
        return super().visit_stmt(node)

    def stmt(self, node: Stmt) -> Stmt:
        done = super().stmt(node)
        checks: dict[tuple[str, Expr], None] = {}
        for value in own_exprs(node):
            self._collect(value, TRUE, checks)
        if isinstance(node, BufferStore):
            guard = TRUE if node.predicate is None else node.predicate
            self._access(node.buffer, node.indices, guard, checks)
        if not checks:
            return done
        if isinstance(done, While):  # the condition is evaluated again after each round
            done = done.replace(body=seq(done.body, _asserted(checks, Evaluate(operators.const(0)))))
        return _asserted(checks, done)

    def _access(
        self, buffer: Buffer, indices: tuple[Expr, ...], guard: Expr, checks: dict[tuple[str, Expr], None]
    ) -> None:
        whole = tuple([(operators.const(0, x.dtype), x) for x in buffer.shape])
        for axis, (index, (low, extent)) in enumerate(zip(indices, self.boxes.get(buffer, whole), strict=True)):
            inside = conjunction([
                operators.compare(GE, index, low),
                operators.compare(LT, index, operators.add(low, extent)),
            ])  # fmt: skip
            if guard is not TRUE:
                inside = operators.logical(Or, operators.logical_not(guard), inside)
            message = f"index {axis} of {buffer.name} lies outside of [{low}, {operators.add(low, extent)})"
            checks[message, inside] = None

    def _collect(self, root: Expr, guard: Expr, checks: dict[tuple[str, Expr], None]) -> None:
        """The accesses in an expression, each under what must hold for it to happen; operands before their users."""
        stack: list[tuple[Expr, Expr, bool]] = [(root, guard, False)]
        seen: dict[tuple[Expr, Expr], None] = {}
        while stack:
            node, guard, opened = stack.pop()
            if opened:
                assert isinstance(node, BufferLoad)
                self._access(node.buffer, node.indices, guard, checks)
                continue
            if (node, guard) in seen:
                continue
            seen[node, guard] = None
            if isinstance(node, BufferLoad):
                stack.append((node, guard, True))
            stack += [(child, under, False) for child, under in _operands(node, guard)]


def _operands(node: Expr, guard: Expr) -> list[tuple[Expr, Expr]]:
    """Operands, each with the condition under which it is evaluated."""
    if isinstance(node, Let):
        return [(node.value, guard), (substitute(node.body, {node.var: node.value}), guard)]
    if isinstance(node, And):
        return [(node.a, guard), (node.b, operators.logical(And, guard, node.a))]
    if isinstance(node, Or):
        return [(node.a, guard), (node.b, operators.logical(And, guard, operators.logical_not(node.a)))]
    if isinstance(node, Call) and is_call(node, "if_then_else"):
        condition, yes, no = node.args
        return [
            (condition, guard),
            (yes, operators.logical(And, guard, condition)),
            (no, operators.logical(And, guard, operators.logical_not(condition))),
        ]
    return [(child, guard) for child in expr_children(node)]


def _asserted(checks: dict[tuple[str, Expr], None], body: Stmt) -> Stmt:
    """``body`` behind the checks, the first one outermost: a later one may read what an earlier one allows."""
    for message, inside in reversed(checks):
        body = AssertStmt(inside, message, body, getattr(body, "span", None))
    return body
