"""Loads before uses: an unrolled loop loads what all of its iterations use before the first of them uses it.

Device compilers move a load above the use of an earlier one only where nothing but straight code lies between: a store
under a condition is enough to make each iteration wait for its own load.
"""

from __future__ import annotations

from typing import Final

from gpucomp.tir import operators
from gpucomp.tir.expr import BufferLoad, Select, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, stmt_post_order, substitute
from gpucomp.tir.stmt import AttrStmt, BufferStore, For, Stmt, seq
from gpucomp.transform.inject_double_buffer import Copies, Inject, LoopBody, Uses, enlarged, wrapped
from gpucomp.transform.walk import int_value

KEY: Final = "pragma_loads_first"


def loads_first(func: PrimFunc) -> PrimFunc:
    """Take the loops under ``pragma_loads_first`` apart: one loop that fills local memory, one that uses it.

    The local memory of an iteration, which its first statements fill from elsewhere, gets a copy for each iteration.
    Where it cannot be told apart from its use, where filling it depends on what the loop writes, or where its size or
    the number of iterations is no constant, the loop stays as it is. The pragmas are removed.
    """
    if not any([isinstance(n, AttrStmt) and n.attr_key == KEY for n in stmt_post_order(func.body)]):
        return func
    return func.with_body(_LoadsFirst(1).stmt(func.body))


class _LoadsFirst(Inject):
    """Finds the loops."""

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        if node.attr_key != KEY:
            return Mutator.visit_attr_stmt(self, node)
        body = self.stmt(node.body)
        return self._taken_apart(body) if isinstance(body, For) else body

    def visit_for(self, node: For) -> Stmt:
        return Mutator.visit_for(self, node)

    def _taken_apart(self, node: For) -> Stmt:
        count = int_value(node.extent)
        parts = LoopBody()
        parts.take(node.body)
        uses = [self.uses_of(s) for s in parts.steps]
        parts.marked.update(dict.fromkeys(_filled(parts, uses)))
        ahead = self.filling(parts, uses) if parts.marked else None
        sizes = {m.buffer_var: m.extents[0] for m in parts.allocations if m.buffer_var in parts.marked}
        if ahead is None or count is None or any([int_value(size) is None for size in sizes.values()]):
            return node
        changed = frozenset[Var]().union(*[u.writes for u, a in zip(uses, ahead, strict=True) if not a])
        if any([a and not u.reads.isdisjoint(changed) for u, a in zip(uses, ahead, strict=True)]):
            return node
        copies = Copies(sizes, count)
        turn = operators.subtract(node.loop_var, node.min)
        steps = [copies.at(s, turn) for s in parts.steps]
        loads = [_unchosen(s) for s, a in zip(steps, ahead, strict=True) if a]
        rest = [s for s, a in zip(steps, ahead, strict=True) if not a]
        again = Var(node.loop_var.name, node.loop_var.dtype)
        used = substitute(seq(*[s for _, s in loads if s is not None], *rest), {node.loop_var: again})
        both = seq(node.replace(body=seq(*[s for s, _ in loads])), node.replace(loop_var=again, body=used))
        return wrapped([enlarged(m, copies) for m in parts.allocations], both)


def _filled(parts: LoopBody, uses: list[Uses]) -> list[Var]:
    """Local memory of one iteration that is filled from elsewhere."""
    written = frozenset[Var]().union(*[u.writes for u in uses])
    mixed = [u for u in uses if not u.reads.isdisjoint(written)]
    own = [m.buffer_var for m in parts.allocations if m.buffer_var.storage_scope == "local"]
    return [v for v in own if v in written and not any([v in u.writes for u in mixed])]


def _unchosen(step: Stmt) -> tuple[Stmt, Stmt | None]:
    """A store of a choice among loaded lanes as a store of all of them, and the choice, which is what waits for it."""
    if not isinstance(step, BufferStore) or not isinstance(step.value, Select) or step.predicate is not None:
        return step, None
    chosen = step.value
    back = BufferLoad(step.buffer, step.indices)
    return step.replace(value=chosen.true_value), step.replace(value=chosen.replace(true_value=back))
