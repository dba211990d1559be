"""What the kernels of a function take, as expressions of whatever is symbolic in it: split factors, extents.

A sketch with symbolic tile sizes is lowered once; its limits are then numbers, or arrays of numbers for many tile
sizes at once, without lowering again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final  # Any: numbers or numpy arrays of them

import numpy as np

from gpucomp.arith.analyzer import Analyzer
from gpucomp.arith.bounds import ConstIntBound
from gpucomp.support.diagnostics import LowerError, caller_span
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, IterVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import expr_post_order

_LARGEST: Final = 2**31 - 1
_SHARED: Final = frozenset({"shared", "shared.dyn"})
_TEXT: Final[Mapping[type, str]] = {
    e.Add: "({} + {})",
    e.Sub: "({} - {})",
    e.Mul: "({} * {})",
    e.FloorDiv: "({} // {})",
    e.FloorMod: "({} % {})",
    e.Min: "minimum({}, {})",
    e.Max: "maximum({}, {})",
}


@dataclass(frozen=True, slots=True)
class KernelLimits:
    """What one kernel takes.

    Attributes:
        blocks: of the grid.
        threads: of a block.
        shared_bytes: of a block's shared memory; arrays that are not alive together count together, so that the
            compiled kernel may take less.
        local_bytes: of a thread's own arrays.
    """

    blocks: Expr
    threads: Expr
    shared_bytes: Expr
    local_bytes: Expr

    def function(self, variables: Sequence[Var]) -> Callable[..., dict[str, Any]]:
        """A function of values for ``variables``, numbers or numpy arrays, in their order.

        Raises:
            LowerError: GC304 a limit depends on something else.
        """
        each = {field.name: numpy_function(getattr(self, field.name), variables) for field in fields(self)}
        return lambda *values: {name: compute(*values) for name, compute in each.items()}


def kernel_limits(func: PrimFunc) -> tuple[KernelLimits, ...]:
    """The limits of each kernel of a function in buffer form (``lower(..., simple_mode=True)``), in order."""
    analyzer = Analyzer()
    least = func.attrs.get("tir.minimum", {})
    for param in func.params:
        if param.name in least:
            analyzer.update(param, ConstIntBound(least[param.name], _LARGEST))
    walker = _Kernels(analyzer)
    walker.stmt(func.body, None)
    return tuple([k.limits(analyzer) for k in walker.found])


def numpy_function(node: Expr, variables: Sequence[Var]) -> Callable[..., Any]:
    """An integer expression as a function of numbers or arrays.

    Raises:
        LowerError: GC304 it has other variables, or is more than integer arithmetic.
    """
    names = {v: f"v{i}" for i, v in enumerate(variables)}
    texts: dict[Expr, str] = {}
    for item in expr_post_order(node):
        if isinstance(item, e.IntImm):
            texts[item] = str(item.value)
        elif isinstance(item, Var) and item in names:
            texts[item] = names[item]
        elif isinstance(item, e.BinaryOp) and type(item) in _TEXT:
            texts[item] = _TEXT[type(item)].format(texts[item.a], texts[item.b])
        elif isinstance(item, e.Cast) and item.dtype.is_int:
            texts[item] = texts[item.value]
        else:
            raise LowerError(
                f"{node} is no arithmetic of {', '.join([v.name for v in variables]) or 'constants'}: it has {item}",
                code="GC304",
                where=caller_span(),
                hint=f"pass {item.name} as well" if isinstance(item, Var) else None,
            )
    source = f"lambda {', '.join(names.values())}: {texts[node]}"
    return eval(source, {"minimum": np.minimum, "maximum": np.maximum})  # noqa: S307  # the text is made above


class _Kernel:
    def __init__(self) -> None:
        self.extents: dict[str, Expr] = {}
        self.bytes: dict[str, Expr] = {}

    def limits(self, analyzer: Analyzer) -> KernelLimits:
        def product(*prefixes: str) -> Expr:
            size: Expr = operators.const(1)
            for tag, extent in self.extents.items():
                size = operators.multiply(size, extent) if tag.startswith(prefixes) else size
            return analyzer.simplify(size)

        shared, local = (analyzer.simplify(self.bytes.get(k, operators.const(0))) for k in ("shared", "local"))
        return KernelLimits(product("blockIdx", "clusterIdx"), product("threadIdx"), shared, local)


class _Kernels:
    """Walks statements; a kernel starts at the outermost thread axis."""

    def __init__(self, analyzer: Analyzer) -> None:
        self.analyzer = analyzer
        self.found: list[_Kernel] = []
        self.copies: dict[Buffer, int] = {}

    def stmt(self, root: s.Stmt, kernel: _Kernel | None) -> None:
        stack = [(root, kernel)]
        while stack:
            node, inside = stack.pop()
            inside = self._enter(node, inside)
            children = [getattr(node, field) for field in node._fields]
            parts = [x for c in children for x in (c if type(c) is tuple else (c,)) if isinstance(x, s.Stmt)]
            stack += [(part, inside) for part in reversed(parts)]

    def _enter(self, node: s.Stmt, kernel: _Kernel | None) -> _Kernel | None:
        if isinstance(node, s.AttrStmt):
            if node.attr_key == "double_buffer_scope" and isinstance(node.node, Buffer):
                self.copies[node.node] = 2
            if node.attr_key == "pragma_software_pipeline":
                self._staged(node)
            if node.attr_key == "thread_extent" and isinstance(node.node, IterVar):
                if kernel is None:
                    kernel = _Kernel()
                    self.found.append(kernel)
                kernel.extents.setdefault(node.node.thread_tag, node.value)
        elif isinstance(node, s.BufferRealize) and kernel is not None:
            self._memory(node, kernel)
        return kernel

    def _staged(self, node: s.AttrStmt) -> None:
        """Shared memory that lives for one iteration of a pipelined loop has a copy for each stage."""
        stages = node.value.value if isinstance(node.value, e.IntImm) else 1
        pending: list[s.Stmt] = [node.body]
        loops = 0
        while pending:
            inner = pending.pop()
            loops += isinstance(inner, s.For)
            if isinstance(inner, s.SeqStmt):
                pending += inner.seq
            elif isinstance(inner, (s.AttrStmt, s.BufferRealize)) or (isinstance(inner, s.For) and loops == 1):
                if isinstance(inner, s.BufferRealize) and inner.buffer.scope() in _SHARED:
                    self.copies[inner.buffer] = stages
                pending.append(inner.body)

    def _memory(self, node: s.BufferRealize, kernel: _Kernel) -> None:
        scope = node.buffer.scope()
        kind = "shared" if scope in _SHARED else scope
        dtype = node.buffer.dtype
        size: Expr = operators.const(max(8, dtype.bits) * dtype.lanes // 8 * self.copies.get(node.buffer, 1))
        for box in node.bounds:
            size = operators.multiply(size, box.extent)
        kernel.bytes[kind] = operators.add(kernel.bytes.get(kind, operators.const(0)), size)
