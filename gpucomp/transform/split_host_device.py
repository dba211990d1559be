"""Split a flat function into kernels and the host program that launches them.

Each outermost nest of thread axes becomes a kernel; what stands around the nests (loops, branches, workspace in
global memory, assertions) becomes steps of the host program.
"""

from __future__ import annotations

from typing import Any, Final, cast

from gpucomp.arith.analyzer import Analyzer
from gpucomp.ir.types import PointerType
from gpucomp.support.diagnostics import LowerError, Span
from gpucomp.support.hashing import bounded
from gpucomp.support.hostexpr import HostExpr, walk
from gpucomp.support.launch import (
    AllocStep,
    ArrayArg,
    AssertStep,
    BufferArg,
    Grid,
    HostProgram,
    IfStep,
    LaunchStep,
    LetStep,
    LoopStep,
    PackedStep,
    ScalarArg,
    Step,
    TextArg,
)
from gpucomp.target import Target
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.function import CallingConv, PrimFunc
from gpucomp.tir.functor import Functor, ordered_vars
from gpucomp.tir.intrin import Op
from gpucomp.tir.packed import ARRAY, array_parts, has_packed, is_packed
from gpucomp.tir.stmt import Stmt
from gpucomp.transform.host_expr import Access, HostNames, host_expr, host_params, let_steps, writes_whole_outputs
from gpucomp.transform.kernel_usage import Usage, span_of
from gpucomp.transform.vector_access import vector_bytes

GRID_TAGS: Final = ("blockIdx.x", "blockIdx.y", "blockIdx.z")
BLOCK_TAGS: Final = ("threadIdx.x", "threadIdx.y", "threadIdx.z")
CLUSTER_TAG: Final = "clusterIdx.x"
_LONGEST_NAME: Final = 100
WORKSPACE_ALIGNMENT: Final = 64  # what the runtime's allocations promise


def split_host_device(func: PrimFunc) -> tuple[tuple[PrimFunc, ...], HostProgram]:
    """Split a flat function.

    Args:
        func: after ``flatten_storage`` and all passes on kernels; its attribute ``target`` goes to the kernels.
            The attribute ``outputs`` (parameters or buffers), if there is one, says what a call may leave out;
            otherwise it is every buffer that is written before it is read.

    Returns:
        Kernels in device form, and the host program.  The blocks of a cluster are neighbours along x: the grid has
        ``blockIdx.x * clusterIdx.x`` of them there.

    Raises:
        LowerError: work outside of any thread axis, thread extents that the host cannot know or that differ
            within one kernel.
    """
    return Splitter(func).run()


class Splitter(Functor):
    """Walks what runs on the host; makes steps of it, and kernels of the thread nests."""

    def __init__(self, func: PrimFunc) -> None:
        self.func = func
        self.names = HostNames()
        self.kernels: list[PrimFunc] = []
        self.inner: list[s.Allocate] = []  # memory of kernels that is declared outside of them
        self.usages: list[Usage] = []
        self.pointers: list[Var] = []
        self.scalars: list[Var] = []
        self.alignments: dict[Var, int] = {}

    def run(self) -> tuple[tuple[PrimFunc, ...], HostProgram]:
        """Kernels and host program."""
        func = self.func
        for param in func.params:
            buffer = func.buffer_map.get(param)
            if buffer is not None:
                self.pointers.append(buffer.data)
                self.alignments[buffer.data] = buffer.data_alignment
        # Names first: steps refer to them.  What is known about accesses comes with the kernels, so parameters
        # are made twice.
        params = host_params(func, self.names, {}, {}, {})
        lets = let_steps(func, self.names)
        self.scalars = [v for v in self.names.declared if not v.dtype.is_handle]
        steps = self.steps(func.body)
        access: dict[Var, Access] = {}
        alignment: dict[Var, int] = {}
        first: dict[Var, None] = {}
        read: dict[Var, None] = {}
        written: dict[Var, None] = {}
        for usage in self.usages:
            first |= {v: None for v in usage.first_written if v not in read}
            read |= usage.reads
            written |= usage.writes
            for data, width in usage.alignment.items():
                alignment[data] = max(alignment.get(data, 1), width)
        for data in self.pointers:
            kept = data in read or not writes_whole_outputs(func)
            access[data] = "read" if data not in written else "readwrite" if kept else "write"
        params = host_params(func, self.names, access, alignment, self._outputs(first))
        return tuple(self.kernels), HostProgram(func.name, params, (*lets, *steps))

    def _outputs(self, first_written: dict[Var, None]) -> dict[Var, None]:
        named = self.func.attrs.get("outputs")
        if named is None:
            return first_written
        found: dict[Var, None] = {}
        for item in cast("tuple[Any, ...]", named):  # an attribute: parameters or buffers
            buffer = item if isinstance(item, Buffer) else self.func.buffer_map[item]
            found[buffer.data] = None
        return found

    # -- host steps -------------------------------------------------------------------------------------------

    def steps(self, node: Stmt) -> tuple[Step, ...]:
        """The steps of a statement that runs on the host."""
        return self._table[type(node)](self, node)

    def visit_seq_stmt(self, node: s.SeqStmt) -> tuple[Step, ...]:
        out: list[Step] = []
        for item in node.seq:
            out += self.steps(item)
        return tuple(out)

    def visit_evaluate(self, node: s.Evaluate) -> tuple[Step, ...]:
        if s.is_noop(node):
            return ()
        if is_packed(node):
            return (self.packed(node),)
        return self.visit_stmt(node)

    def packed(self, node: s.Evaluate) -> PackedStep:
        """The step of a packed call."""
        call = node.value
        assert isinstance(call, e.Call)
        name, *given = call.args
        if not isinstance(name, e.StringImm):
            raise LowerError(
                f"call_packed takes the function's name first, got {name}",
                code="GC377",
                where=node.span,
                hint='tir.call_packed("name", ...)',
            )
        usage = Usage({}, Analyzer())
        self.usages.append(usage)
        args: list[ArrayArg | ScalarArg | TextArg] = []
        for arg in given:
            if isinstance(arg, e.StringImm):
                args.append(TextArg(arg.value))
            elif isinstance(arg, e.Call) and isinstance(arg.op, Op) and arg.op.name == ARRAY:
                args.append(self.array(arg, usage, node.span))
            else:
                args.append(ScalarArg(str(arg.dtype), self._known(arg, f"an argument of {name.value!r}", node.span)))
        return PackedStep(name.value, tuple(args))

    def _known(self, value: Expr, what: str, span: Span | None) -> HostExpr:
        try:
            return host_expr(value, self.names)
        except LowerError as error:
            raise LowerError(
                f"{self.func.name}: {what} is {value}, which the host cannot evaluate",
                code="GC351",
                where=span,
                hint="the host knows numbers and extents; what is in memory is for kernels, and for called functions",
            ) from error

    def array(self, call: e.Call, usage: Usage, span: Span | None) -> ArrayArg:
        """An array argument; the function may read it and write it."""
        load, shape, strides = array_parts(call)
        data = load.buffer.data
        if data not in self.names:
            raise LowerError(
                f"{self.func.name}: a packed call cannot see {load.buffer.name}, which lives in {load.buffer.scope()} "
                "memory of a kernel",
                code="GC378",
                where=span,
                hint=f's[{load.buffer.name}].set_scope("global"); in a body: ib.allocate(..., scope="global")',
            )
        usage.reads[data] = usage.writes[data] = None

        def text(items: tuple[Expr, ...]) -> tuple[HostExpr, ...]:
            return tuple([host_expr(x, self.names) for x in items])

        dtype = str(load.buffer.dtype.element)
        return ArrayArg(self.names(data), dtype, text(shape), text(strides), text(load.indices)[0])

    def visit_attr_stmt(self, node: s.AttrStmt) -> tuple[Step, ...]:
        if node.attr_key == "thread_extent":
            return (self.launch(node),)
        return self.steps(node.body)

    def visit_for(self, node: s.For) -> tuple[Step, ...]:
        if node.kind is s.ForKind.THREAD_BINDING:
            return (self.launch(node),)
        begin, extent = host_expr(node.min, self.names), host_expr(node.extent, self.names)
        var = self.names.declare(node.loop_var)
        self.scalars.append(node.loop_var)
        body = self.steps(node.body)
        self.scalars.pop()
        if not body:
            return ()
        fixed, varying = _loop_invariant(body, var)
        return (*fixed, LoopStep(var, begin, extent, varying))

    def visit_let_stmt(self, node: s.LetStmt) -> tuple[Step, ...]:
        value = host_expr(node.value, self.names)
        name = self.names.declare(node.var)
        self.scalars.append(node.var)
        body = self.steps(node.body)
        self.scalars.pop()
        return (LetStep(name, value), *body)

    def visit_if_then_else(self, node: s.IfThenElse) -> tuple[Step, ...]:
        condition = self._known(node.condition, "the condition around a kernel or a packed call", node.span)
        yes = self.steps(node.then_case)
        no = () if node.else_case is None else self.steps(node.else_case)
        return (IfStep(condition, yes, no),) if yes or no else ()

    def visit_assert_stmt(self, node: s.AssertStmt) -> tuple[Step, ...]:
        return (AssertStep(host_expr(node.condition, self.names), node.message), *self.steps(node.body))

    def visit_allocate(self, node: s.Allocate) -> tuple[Step, ...]:
        var = node.buffer_var
        if self.is_inner(node):
            self.inner.append(node)
            body = self.steps(node.body)
            self.inner.pop()
            return body
        size: Expr = operators.const(node.dtype.lanes)
        for extent in node.extents:
            size = operators.multiply(size, extent)
        name = self.names.declare(var)
        self.pointers.append(var)
        self.alignments[var] = WORKSPACE_ALIGNMENT
        return (AllocStep(name, str(node.dtype.element), host_expr(size, self.names)), *self.steps(node.body))

    def is_inner(self, node: s.Allocate) -> bool:
        """Whether an allocation belongs into the kernels inside of it."""
        return (node.buffer_var.storage_scope or "global") != "global"

    def visit_stmt(self, node: Stmt) -> tuple[Step, ...]:
        what = f"a store into {node.buffer.name}" if isinstance(node, s.BufferStore) else type(node).__name__
        raise LowerError(
            f"{self.func.name}: {what} runs outside of any thread axis, which a host program cannot do",
            code="GC370",
            where=span_of(node),
            hint='bind an axis of each stage, e.g. s[C].bind(axis, te.thread_axis("blockIdx.x"))',
        )

    # -- kernels ----------------------------------------------------------------------------------------------

    def launch(self, node: Stmt) -> LaunchStep:
        """Make a kernel of an outermost thread nest."""
        for allocate in reversed(self.inner):
            node = allocate.replace(body=node)
        if has_packed(node):
            raise LowerError(
                f"{self.func.name}: a packed call stands inside of a kernel, but it runs on the host, once",
                code="GC350",
                where=span_of(node),
                hint="compute_root() the stage that calls it",
            )
        target: Target | None = self.func.attrs.get("target")
        granules = target is not None and "readable_granules" in target.features
        usage = Usage(self.alignments, Analyzer(), granules)
        usage.stmt(node)
        self.usages.append(usage)
        name = self.kernel_name()
        pointers = [v for v in self.pointers if v in usage.used]
        scalars = [v for v in self.scalars if v in usage.used]
        known = dict.fromkeys([*pointers, *scalars])
        for var, place in usage.used.items():
            if var not in known and var not in usage.bound:
                raise LowerError(
                    f"kernel {name} uses {var.name!r}, which has no value there",
                    code="GC374",
                    where=span_of(place),
                    hint="a kernel sees arguments, what is allocated around it, and variables of its own loops",
                )
        for tag, extent in usage.extents.items():
            inside = [v for v in ordered_vars(extent) if v not in known]
            if inside:
                raise LowerError(
                    f"kernel {name}: the extent {extent} of {tag} depends on {inside[0].name!r}, "
                    "which the host does not know at launch",
                    code="GC372",
                    where=span_of(usage.places[tag]),
                    hint="the extent of a thread axis is a number, or made of arguments and of extents of arrays",
                )
        target = self.func.attrs.get("target")
        dynamic = target is None or "dynamic_shared" in target.features
        shared = usage.shared_bytes if dynamic else operators.const(0)
        alignment = {v: self._alignment(v, usage) for v in pointers}
        self.kernels.append(
            PrimFunc(
                (*pointers, *scalars),
                node,
                {},
                {
                    **{k: v for k, v in self.func.attrs.items() if k not in ("outputs", "calling_conv", "host_lets")},
                    "global_symbol": name,
                    "calling_conv": CallingConv.DEVICE_KERNEL_LAUNCH,
                    "launch": dict(usage.extents),
                    **({"min_blocks": usage.min_blocks} if usage.min_blocks else {}),
                    "dyn_shared_bytes": shared,
                    "param_access": {v: usage.access(v) for v in pointers},
                    "param_alignment": alignment,
                },
                self.func.span,
            )
        )
        args: list[BufferArg | ScalarArg] = [BufferArg(self.names(v)) for v in pointers]
        args += [ScalarArg(str(v.dtype), self.names(v)) for v in scalars]
        return LaunchStep(
            name,
            self._grid(GRID_TAGS, usage, name),
            self._grid(BLOCK_TAGS, usage, name),
            host_expr(shared, self.names),
            tuple(args),
        )

    def _alignment(self, var: Var, usage: Usage) -> int:
        if isinstance(var.type_annotation, PointerType):
            element = vector_bytes(var.type_annotation.element_type.dtype.element)
            return max(element, usage.alignment.get(var, 1))
        return usage.alignment.get(var, 1)

    def kernel_name(self) -> str:
        """A name for the next kernel.

        Drivers make file names of it, which have 255 characters at most: PoCL ends the process where they do not fit.
        """
        name = bounded(self.func.name, _LONGEST_NAME)
        base = "".join([c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name])
        base = base if base[:1].isalpha() else "f" + base
        number = len(self.kernels)
        return f"{base}_kernel" + (f"_{number}" if number else "")

    def _grid(self, tags: tuple[str, str, str], usage: Usage, name: str) -> Grid:
        for tag in usage.extents:
            if tag not in (*GRID_TAGS, CLUSTER_TAG, *BLOCK_TAGS):
                raise LowerError(
                    f"kernel {name}: {tag!r} is no axis of a launch",
                    code="GC373",
                    where=span_of(usage.places[tag]),
                    hint=f"axes of a launch: {', '.join((*GRID_TAGS, CLUSTER_TAG, *BLOCK_TAGS))}",
                )
        extents = [usage.extents.get(tag) for tag in tags]
        cluster = usage.extents.get(CLUSTER_TAG)
        if cluster is not None and tags is GRID_TAGS:
            extents[0] = cluster if extents[0] is None else operators.multiply(extents[0], cluster)
        out = [1 if extent is None else host_expr(extent, self.names) for extent in extents]
        return out[0], out[1], out[2]


def _loop_invariant(body: tuple[Step, ...], var: str) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Workspace whose size the loop does not change is allocated once, before the loop."""
    defined = {var} | {step.var for step in body if isinstance(step, LetStep)}
    fixed: list[Step] = []
    varying: list[Step] = []
    for step in body:
        movable = isinstance(step, AllocStep) and defined.isdisjoint(_names_in(step.size))
        (fixed if movable else varying).append(step)
    return tuple(fixed), tuple(varying)


def _names_in(expr: HostExpr) -> set[str]:
    return {atom for atom in walk(expr) if isinstance(atom, str)}
