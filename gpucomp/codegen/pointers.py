"""Text of the pointers that loops step (see :mod:`gpucomp.codegen.stepping`)."""

from __future__ import annotations

import math
from typing import Final

from gpucomp.codegen.expression import Memory
from gpucomp.codegen.stepping import Pointer
from gpucomp.codegen.vector import VectorText
from gpucomp.support.dtype import DType
from gpucomp.tir.expr import Expr
from gpucomp.transform.vector_access import is_aligned

STEPPED_SPACES: Final = frozenset({"global", "shared", "shared.dyn"})


class PointerText(VectorText):
    """Adds pointers into memory to expressions."""

    def _pointer_memory(self, pointer: Pointer) -> Memory | None:
        """What a stepped pointer would be; None for memory that is not addressed by pointers."""
        memory = self.memory.get(pointer.source.data)
        if memory is None or memory.single or memory.space not in STEPPED_SPACES:
            return None
        element = pointer.source.dtype.element
        sets = [self.analyzer.modular_set(x) for x in (pointer.base, pointer.step)]
        elements = math.gcd(*[math.gcd(x.coeff, x.base) for x in sets])
        alignment = math.gcd(memory.alignment, elements * max(1, element.bits // 8))
        return Memory("", element, memory.space, alignment, memory.readonly or pointer.readonly)

    def may_step(self, pointer: Pointer, index: Expr, rest: Expr, dtype: DType) -> bool:
        """True where a vector is as aligned from a pointer as it is from the start of the memory."""
        memory = self._pointer_memory(pointer)
        if memory is None:
            return False
        source = self.memory[pointer.source.data].alignment
        return is_aligned(rest, dtype, memory.alignment, self.analyzer, self.values) or not (
            dtype.lanes > 1 and is_aligned(index, dtype, source, self.analyzer, self.values)
        )

    def set_pointer(self, pointer: Pointer) -> str:
        """Declare a pointer of the loop that follows; returns the statement that steps it."""
        memory = self._pointer_memory(pointer)
        assert memory is not None
        self.begin(pointer.base, pointer.step)
        start = self.address_at(pointer.source, pointer.base)
        step = self.index(pointer.step)
        memory.name = self.names.fresh(pointer.view.data.name)
        self.line(
            f"{self.dialect.pointer_type(memory.space, memory.element, memory.readonly)} {memory.name} = {start};"
        )
        self.memory[pointer.view.data] = memory
        return f"{memory.name} += {step};"
