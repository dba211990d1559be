"""Text of what the threads of a warp do together on fragments: see :mod:`gpucomp.tir.fragments`."""

from __future__ import annotations

from typing import Final

from gpucomp.codegen.dialect import extension
from gpucomp.codegen.pointers import PointerText
from gpucomp.support.diagnostics import LowerError
from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.expr import Expr, IntImm, Var
from gpucomp.tir.fragments import is_collective
from gpucomp.tir.functor import expr_post_order, stmt_post_order
from gpucomp.tir.stmt import Stmt
from gpucomp.transform.vector_access import first_element, is_aligned
from gpucomp.transform.walk import is_call

ALIGNMENT: Final = 16  # of arrays of fragments, whose elements go in pairs


def fragments_of(root: Stmt) -> dict[Var, None]:
    """Pointers of the arrays that hold fragments."""
    found: dict[Var, None] = {}
    for node in stmt_post_order(root):
        if not isinstance(node, s.BufferStore) or not is_collective(node.value):
            continue
        found[node.buffer.data] = None
        loads = [x for x in expr_post_order(node.value) if isinstance(x, e.BufferLoad)]
        found |= {x.buffer.data: None for x in loads if x.buffer.scope() == "local"}
    return found


class FragmentText(PointerText):
    """Adds what writes fragments."""

    def _store_fragment(self, node: s.BufferStore) -> bool:
        """Write the store of what a collective call gives; false for any other store."""
        value = node.value
        if not is_collective(value):
            return False
        assert isinstance(value, e.Call)
        matrices = extension(self.dialect, "mma", self.features)
        target = first_element(node.buffer, node.indices)
        if node.predicate is not None or target is None or node.buffer.scope() != "local":
            raise _stray(value, f"its value goes to {node.buffer.name} in {node.buffer.scope() or 'global'} memory")
        if is_call(value, "warp_ldmatrix"):
            row, trans = value.args
            place = first_element(row.buffer, row.indices) if isinstance(row, e.BufferLoad) else None
            if not isinstance(row, e.BufferLoad) or place is None or not row.buffer.scope().startswith("shared"):
                raise _stray(value, f"it needs rows of eight neighbours in shared memory, got {row}")
            alignment = self.storage(row.buffer).alignment
            if not is_aligned(place, row.dtype, alignment, self.analyzer, self.values):
                raise _stray(value, f"rows of {row.buffer.name} begin at {place}, which is no multiple of 16 bytes")
            self.begin(target, place)
            to, source = self.address_at(node.buffer, target), self.address_at(row.buffer, place)
            turned = isinstance(trans, IntImm) and bool(trans.value)
            self.line(matrices.ldmatrix(row.dtype.element, turned, to, source) + ";")
            return True
        places = [self._fragment(value, x) for x in value.args]
        self.begin(target, *[place for _, place in places])
        texts = [self.address_at(load.buffer, place) for load, place in places]
        kinds = value.args[0].dtype.element, value.dtype.element, 2 * value.dtype.lanes
        self.line(matrices.mma(*kinds, self.address_at(node.buffer, target), *texts) + ";")
        return True

    def _fragment(self, call: e.Call, node: Expr) -> tuple[e.BufferLoad, Expr]:
        """An operand in registers, and where it begins."""
        place = first_element(node.buffer, node.indices) if isinstance(node, e.BufferLoad) else None
        if not isinstance(node, e.BufferLoad) or place is None or node.buffer.scope() != "local":
            raise _stray(call, f"its operand {node} is no fragment in registers")
        return node, place


def _stray(call: e.Call, problem: str) -> LowerError:
    name = "ldmatrix" if is_call(call, "warp_ldmatrix") else "mma"
    return LowerError(
        f"{name}: {problem}",
        code="GC396",
        hint="te.mma has intrinsics that load, multiply and store tiles in registers",
    )
