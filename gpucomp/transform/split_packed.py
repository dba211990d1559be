"""Split a function for the processor at its packed calls: what stands between them becomes kernels.

A function without packed calls is one kernel on the processor, whatever its loops.  A packed call leaves the kernel:
it is a step of the host program, and so are the loops, branches and allocations around it.
"""

from __future__ import annotations

from gpucomp.arith.analyzer import Analyzer
from gpucomp.support.diagnostics import LowerError
from gpucomp.support.launch import BufferArg, HostProgram, LaunchStep, ScalarArg, Step
from gpucomp.tir import stmt as s
from gpucomp.tir.expr import Expr
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.packed import has_packed
from gpucomp.tir.stmt import ForKind, Stmt
from gpucomp.transform.kernel_usage import Usage
from gpucomp.transform.split_host_device import Splitter


def split_packed(func: PrimFunc) -> tuple[tuple[PrimFunc, ...], HostProgram]:
    """Kernels and host program of a flat function for the processor.

    Raises:
        LowerError: GC350 a packed call stands in a parallel or vectorised loop, or in a loop over threads.
    """
    return _SplitPacked(func).run()


class _AnyThreads(Usage):
    """Usage by a function of several kernels, each of which has thread extents of its own."""

    def _thread(self, tag: str, extent: Expr, node: Stmt) -> None:
        self.extents[tag] = extent


class _SplitPacked(Splitter):
    def steps(self, node: Stmt) -> tuple[Step, ...]:
        if has_packed(node):
            return super().steps(node)
        return () if s.is_noop(node) else (self.launch(node),)

    def visit_seq_stmt(self, node: s.SeqStmt) -> tuple[Step, ...]:
        out: list[Step] = []
        together: list[Stmt] = []
        for item in node.seq:
            if not has_packed(item):
                together.append(item)
                continue
            out += self.steps(s.seq(together))
            together = []
            out += self.steps(item)
        return (*out, *self.steps(s.seq(together)))

    def visit_for(self, node: s.For) -> tuple[Step, ...]:
        if node.kind in (ForKind.PARALLEL, ForKind.VECTORIZED, ForKind.THREAD_BINDING):
            raise _inside(self.func.name, f"the {node.kind.name.lower()} loop {node.loop_var.name}", node)
        return super().visit_for(node)

    def visit_attr_stmt(self, node: s.AttrStmt) -> tuple[Step, ...]:
        if node.attr_key in ("thread_extent", "virtual_thread"):
            raise _inside(self.func.name, f"the loop over {node.node.thread_tag}", node)
        return super().visit_attr_stmt(node)

    def is_inner(self, node: s.Allocate) -> bool:
        return False  # on the processor all scopes are the same memory

    def launch(self, node: Stmt) -> LaunchStep:
        usage = _AnyThreads({}, Analyzer())
        usage.stmt(node)
        self.usages.append(usage)
        name = self.kernel_name()
        pointers = [v for v in self.pointers if v in usage.used]
        scalars = [v for v in self.scalars if v in usage.used]
        attrs = {k: v for k, v in self.func.attrs.items() if k != "outputs"}
        self.kernels.append(PrimFunc((*pointers, *scalars), node, {}, {**attrs, "global_symbol": name}, self.func.span))
        args: list[BufferArg | ScalarArg] = [BufferArg(self.names(v)) for v in pointers]
        args += [ScalarArg(str(v.dtype), self.names(v)) for v in scalars]
        return LaunchStep(name, (1, 1, 1), (1, 1, 1), 0, tuple(args))


def _inside(name: str, what: str, node: s.For | s.AttrStmt) -> LowerError:
    return LowerError(
        f"{name}: a packed call stands inside of {what}, but it runs on the host, once",
        code="GC350",
        where=node.span,
        hint="compute_root() the stage that calls it, or make the loop a serial one",
    )
