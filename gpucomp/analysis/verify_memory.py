"""For a GPU, memory may only be touched by threads of the device."""

from __future__ import annotations

from gpucomp.support.diagnostics import LowerError, Span
from gpucomp.support.expect import expect
from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import expr_post_order, stmt_children
from gpucomp.tir.packed import is_packed
from gpucomp.tir.stmt import Stmt


def verify_memory(func: PrimFunc) -> bool:
    """Check that every access of memory happens under a thread axis, when the function is for a GPU.

    Args:
        func: in buffer form or flat form, its attribute ``target`` set; without a target, or for a processor,
            nothing is asked.

    Returns:
        True.

    Raises:
        LowerError: a stage is computed, or a buffer read, where no thread of the device runs.
    """
    expect(func, PrimFunc, "verify_memory", "pass a PrimFunc: gpucomp.lower(s, [A, C])['main']")
    target = func.attrs.get("target")
    if target is None or not getattr(target, "is_gpu", False) or "launch" in func.attrs:
        return True
    _Walk().stmt(func.body, None)
    return True


def binds_thread(node: Stmt) -> bool:
    """True for a statement that binds a thread axis."""
    if isinstance(node, s.AttrStmt):
        return node.attr_key == "thread_extent"
    return isinstance(node, s.For) and node.thread_binding is not None


class _Walk:
    """Looks at everything outside of thread axes."""

    def __init__(self) -> None:
        self.loops: list[str] = []

    def stmt(self, node: Stmt, span: Span | None) -> None:
        """Check a statement that no thread axis encloses."""
        if binds_thread(node):
            return
        if is_packed(node):
            return  # runs on the host, which passes addresses on
        span = getattr(node, "span", None) or span
        if isinstance(node, s.BufferStore):
            raise self.error(node.buffer, span, written=True)
        is_loop = isinstance(node, s.For)
        if isinstance(node, s.For):
            self.loops.append(node.loop_var.name)
        for child in stmt_children(node):
            if isinstance(child, Stmt):
                self.stmt(child, span)
            else:
                self.expr(child, span)
        if is_loop:
            self.loops.pop()

    def expr(self, node: Expr, span: Span | None) -> None:
        """Check an expression that no thread axis encloses."""
        for item in expr_post_order(node):
            if isinstance(item, e.BufferLoad):
                raise self.error(item.buffer, span, written=False)

    def error(self, buffer: Buffer, span: Span | None, *, written: bool) -> LowerError:
        """The error for an access of a buffer."""
        name = buffer.name
        nest = f"loop nest {' > '.join(self.loops)}" if self.loops else None
        if not written:
            return LowerError(
                f"buffer {name} is read where no thread of the GPU runs",
                code="GC320",
                where=span,
                context=nest,
                hint="a loop extent or a condition outside of the kernel reads it: pass the number as an argument",
            )
        axis = self.loops[0] if self.loops else None
        which = f"none of its axes ({', '.join(map(repr, self.loops))}) is bound" if axis else "it has no axis to bind"
        mend = f's[{name}].bind({axis}, te.thread_axis("blockIdx.x")), or ' if axis else ""
        return LowerError(
            f"stage {name} runs on no thread of the GPU: {which}, and it is not computed inside of a bound loop",
            code="GC320",
            where=span,
            context=nest,
            hint=f"{mend}s[{name}].compute_at(s[consumer], axis) inside of a bound one",
        )
