"""CEmitter: statements and kernels.  The only walk from TIR to C text.

Words in which C dialects differ come from :mod:`gpucomp.codegen.dialect`; what all share (loops, branches,
assignments, operators) is written here and in the two modules that this one builds on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gpucomp.codegen.dialect import Dialect, extension
from gpucomp.codegen.expression import ATOM, NARROW_FLOATS, PLUS, UNARY, Memory, Text, unlowered
from gpucomp.codegen.fragments import ALIGNMENT, fragments_of
from gpucomp.codegen.names import identifier
from gpucomp.codegen.rings import Ring, ring_counters
from gpucomp.codegen.stepping import step_pointers
from gpucomp.codegen.stores import StoreText
from gpucomp.codegen.thread_ranges import tests_threads_in_rounds
from gpucomp.ir.types import PointerType
from gpucomp.support.diagnostics import Span
from gpucomp.support.dtype import DType
from gpucomp.support.launch import KernelSpec
from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.expr import Expr, IntImm, IterVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import ForKind, Stmt
from gpucomp.transform.async_copy import ASYNC_COPY, PREDICATED, READ_ANYWAY
from gpucomp.transform.split_host_device import BLOCK_TAGS, CLUSTER_TAG, GRID_TAGS

# Arrays of a work-item on a processor hold vectors: accessed as such they stay in registers, where PoCL's vload16 takes
# them apart.
PRIVATE_VECTOR: Final = 64
# Shared arrays are aligned for the widest vector access; a kernel's dynamic shared memory is one array of bytes.
SHARED_ALIGNMENT: Final = 16
DYNAMIC_NAME: Final = "shared_bytes"
CACHE_HINT: Final = "pragma_cache_hint"
UNROLL_FACTOR_KEYS: Final = ("unroll_factor", "pragma_unroll_factor")


@dataclass(frozen=True, slots=True)
class KernelText:
    """One kernel as text.

    Attributes:
        name: its symbol.
        text: the whole definition.
        shape: grid and block in words, for the comment above it.
        spec: what the runtime has to know.
    """

    name: str
    text: str
    shape: str
    spec: KernelSpec


class CEmitter(StoreText):
    """Writes one kernel; make a new one for each.

    Args:
        func: in device form (see ``split_host_device``): one kernel, flat buffers.
        dialect: the C dialect.
        features: of the target.
    """

    def __init__(self, func: PrimFunc, dialect: Dialect, features: frozenset[str]) -> None:
        super().__init__(dialect, features)
        self.func = func
        self.hoisted_lines: list[str] = []
        self.static_bytes = 0
        self.dynamic_bytes = 0
        self.dynamic_name = ""
        self.threads: dict[str, str] = {}
        self.span: Span | None = func.span
        self.thread_vars: dict[Var, str] = {}
        self.cluster = 1  # blocks of a cluster
        self.fragments = fragments_of(func.body)

    # -- the kernel -------------------------------------------------------------------------------------------

    def kernel(self) -> KernelText:
        """Write the kernel."""
        func = self.func
        name = identifier(func.name)
        self.names.fresh(name)
        launch: Mapping[str, Expr] = func.attrs.get("launch", {})
        block = _constants(launch, BLOCK_TAGS)
        cluster = launch.get(CLUSTER_TAG)
        self.cluster = cluster.value if isinstance(cluster, IntImm) else 1
        parameters = self._parameters()
        self.hoisted_lines = []
        self.stmt(func.body)
        if block is not None and tests_threads_in_rounds(func.body):
            self._tell_ranges(block)
        count = 0 if block is None else block[0] * block[1] * block[2]
        head = self._head(name, block, int(func.attrs.get("min_blocks", 0)))
        text = "\n".join([_wrap(head, parameters), *self.hoisted_lines, *self.lines, "}"])
        types = tuple([_arg_type(p) for p in func.params])
        shape = f"{_words('grid', launch, GRID_TAGS)}, {_words('block', launch, BLOCK_TAGS)}"
        if self.cluster > 1:
            shape += f", each block a cluster of {self.cluster}"
        return KernelText(name, text, shape, KernelSpec(name, types, count, self.static_bytes))

    def _tell_ranges(self, block: tuple[int, int, int]) -> None:
        for tag, extent in zip(BLOCK_TAGS, block, strict=True):
            if tag in self.threads:
                name = self.threads[tag]
                told = self.dialect.assume(f"{name} >= 0 && {name} < {extent}")
                self.hoisted_lines += [f"  {told};"] if told else []

    def _head(self, name: str, block: tuple[int, int, int] | None, min_blocks: int) -> str:
        if self.cluster == 1:
            return self.dialect.kernel_head(name, block, min_blocks)
        return extension(self.dialect, "cluster", self.features).cluster_head(name, block, min_blocks, self.cluster)

    def _index(self, tag: str) -> str:
        """What a thread axis counts; blocks of a cluster are neighbours along x."""
        if self.cluster > 1 and tag in (CLUSTER_TAG, GRID_TAGS[0]):
            return f"({extension(self.dialect, 'cluster', self.features).cluster_index(tag, self.cluster)})"
        return "0" if tag == CLUSTER_TAG else self.dialect.thread_index(tag)

    def _parameters(self) -> list[str]:
        func = self.func
        access: Mapping[Var, str] = func.attrs.get("param_access", {})
        alignments: Mapping[Var, int] = func.attrs.get("param_alignment", {})
        restrict = bool(func.attrs.get("tir.noalias", False))
        out: list[str] = []
        for param in func.params:
            name = self.names.fresh(param.name)
            if isinstance(param.type_annotation, PointerType):
                element = param.type_annotation.element_type.dtype.element
                readonly = access.get(param) == "read"
                alignment = alignments.get(param, max(1, element.bits // 8))
                self.memory[param] = Memory(name, element, "global", alignment, readonly)
                self.holds_integers = self.holds_integers or element.is_int
                out.append(self.dialect.pointer_parameter(element, name, readonly, restrict))
            else:
                narrow = param.dtype in NARROW_FLOATS
                self.vars[param] = self.dialect.promote(param.dtype, name) if narrow else name
                out.append(self.dialect.scalar_parameter(param.dtype, name))
        return out

    # -- statements -------------------------------------------------------------------------------------------

    def stmt(self, node: Stmt) -> None:
        """Write a statement."""
        span = node.span  # pyright: ignore[reportAttributeAccessIssue]  # every class of statements has one
        if span is not None:
            self.span = span
        self._table[type(node)](self, node)

    def inner(self, node: Stmt) -> None:
        """Write a statement one level deeper."""
        self.pad += "  "
        self.stmt(node)
        self.pad = self.pad[:-2]

    def visit_seq_stmt(self, node: s.SeqStmt) -> None:
        for item in node.seq:
            self.stmt(item)

    def visit_let_stmt(self, node: s.LetStmt) -> None:
        var, value = node.var, node.value
        if var.dtype.is_handle:
            raise unlowered(f"the pointer {var.name!r} is bound by a let", "kernels address buffers only")
        self.begin(value)
        if var.dtype.lanes == 1:
            self.bind(var, value)
            if var.dtype.is_int:
                self.parts.memo.clear()  # what is aligned may have changed
                self.analyzer.update(var, self.analyzer.modular_set(value), override=True)
                self.values[var] = value
        else:
            self._bind_vector(var, value)
        self.stmt(node.body)

    def _bind_vector(self, var: Var, value: Expr) -> None:
        lanes = var.dtype.lanes
        if not self.native(var.dtype):
            self.pieces[var] = []
            width = self.width_below(var.dtype, lanes)
            for begin in range(0, lanes, width):
                count = min(width, lanes - begin)
                piece = Var(var.name, var.dtype.with_lanes(count))
                part = self.parts.part(value, begin, count)
                self.begin(part)
                self.bind(piece, part) if count == 1 else self._bind_vector(piece, part)
                self.pieces[var] += [(piece, i) for i in range(count)]
            return
        text = self.vector(value)[0]
        symbol = self.names.fresh(var.name)
        self.line(f"const {self.type_in_memory(var.dtype)} {symbol} = {text};")
        self.vars[var] = symbol

    def visit_attr_stmt(self, node: s.AttrStmt) -> None:
        if node.attr_key == "thread_extent" and isinstance(node.node, IterVar):
            self._thread(node.node)
        elif node.attr_key == "virtual_thread":
            raise unlowered(f"virtual thread {node.node.name!r} is left", "inject_virtual_thread has to run first")
        elif node.attr_key == ASYNC_COPY:
            self.asynchronous = True
            self.stmt(node.body)
            self.asynchronous = False
            return
        elif node.attr_key == PREDICATED and isinstance(node.body, s.IfThenElse) and _only_copies(node.body.then_case):
            self._predicated(node.body)
            return
        elif node.attr_key == READ_ANYWAY and isinstance(node.body, s.IfThenElse):
            self.stmt(node.body.then_case)  # a branch would cost more than the loads that nobody uses
            return
        elif node.attr_key == CACHE_HINT and isinstance(node.value, e.StringImm):
            outer, self.cache_hint = self.cache_hint, node.value.value
            self.stmt(node.body)
            self.cache_hint = outer
            return
        self.stmt(node.body)

    def _thread(self, axis: IterVar) -> None:
        self.thread_vars[axis.var] = axis.thread_tag

    def visit_var(self, node: Var) -> Text:
        tag = self.thread_vars.get(node)
        if tag is None:
            return super().visit_var(node)
        name = self.threads.get(tag)
        if name is None:  # first use
            index = self._index(tag)
            name = self.threads[tag] = self.names.fresh(tag)
            kind = self.value_type(node.dtype)
            self.hoisted_lines.append(f"  const {kind} {name} = ({kind}){index};")
        return name, ATOM

    def visit_for(self, node: s.For) -> None:
        if node.kind is ForKind.THREAD_BINDING and node.thread_binding is not None:
            self._thread(IterVar(None, node.loop_var, IterVar.ThreadIndex, node.thread_binding.thread_tag))
            self.stmt(node.body)
            return
        if node.kind is ForKind.VECTORIZED:
            raise unlowered(f"loop {node.loop_var.name!r} is still vectorized", "vectorize_loop has to run first")
        var = node.loop_var
        node, rings = ring_counters(node)
        node, pointers = step_pointers(node, self.may_step)
        for ring in rings:
            self._start_ring(ring)
        steps = [self.set_pointer(pointer) for pointer in pointers]
        is_zero = isinstance(node.min, IntImm) and node.min.value == 0
        end = node.extent if is_zero else e.Add(node.min, node.extent)
        self.begin(node.min, end)
        first, last = self.index(node.min), self.index(end, PLUS)
        if self.is_data(end):  # the loop must not read memory again, which its body may change
            last = self.constant(end.dtype, last, "end")
        name = self.names.fresh(var.name)
        self.vars[var] = name
        if node.kind is ForKind.UNROLLED:
            self.unrolled[var] = None
        if node.kind is ForKind.UNROLLED or any([key in (node.annotations or {}) for key in UNROLL_FACTOR_KEYS]):
            self._unroll_hint(node)
        self.line(f"for ({self.value_type(var.dtype)} {name} = {first}; {name} < {last}; ++{name}) {{")
        copies = self.copies
        if node.kind is ForKind.UNROLLED and isinstance(node.extent, IntImm):
            self.copies *= node.extent.value
        self.inner(node.body)
        self.copies = copies
        self.lines += [f"{self.pad}  {step}" for step in steps]
        self.pad += "  "
        for ring in rings:
            following = ring.next()
            self.begin(following)
            self.line(f"{self.vars[ring.var]} = {self.text(following)};")
        self.pad = self.pad[:-2]
        self.line("}")

    def _start_ring(self, ring: Ring) -> None:
        name = self.vars[ring.var] = self.names.fresh(ring.var.name)
        self.line(f"{self.value_type(ring.var.dtype)} {name} = {ring.start};")

    def _unroll_hint(self, node: s.For) -> None:
        notes = node.annotations or {}
        factors = [int(notes[key]) for key in UNROLL_FACTOR_KEYS if key in notes]
        hint = self.dialect.unroll(factors[0] if factors else 0)
        if hint:
            self.line(hint)

    def visit_while(self, node: s.While) -> None:
        saved, self.lines = self.lines, []
        self.pad += "  "
        self.begin(node.condition)
        condition = self.text(node.condition, UNARY)
        lines, self.lines = self.lines, saved
        self.pad = self.pad[:-2]
        if not lines:
            self.line(f"while ({self.text(node.condition)}) {{")
        else:  # the constants of the condition have to be computed in each round
            self.line("while (true) {")
            self.lines += lines
            self.line(f"  if (!{condition}) break;")
        self.inner(node.body)
        self.line("}")

    def visit_if_then_else(self, node: s.IfThenElse) -> None:
        self.begin(node.condition)
        self.line(f"if ({self.text(node.condition)}) {{")
        self.inner(node.then_case)
        if node.else_case is not None:
            self.line("} else {")
            self.inner(node.else_case)
        self.line("}")

    def visit_assert_stmt(self, node: s.AssertStmt) -> None:
        self.stmt(node.body)  # checked on the host; in a kernel it informs the compiler's passes only

    def visit_evaluate(self, node: s.Evaluate) -> None:
        value = node.value
        if isinstance(value, e.Call) and isinstance(value.op, Op) and not value.op.is_pure:
            self.begin(value)
            text = self.text(value)
            if text:
                self.line(f"{text};")

    def visit_allocate(self, node: s.Allocate) -> None:
        var = node.buffer_var
        space = var.storage_scope or "local"
        size = 1
        for extent in node.extents:
            if not isinstance(extent, IntImm):
                raise self.unsupported(f"{var.name}: {space} memory of {extent} elements", "a size that is constant")
            size *= extent.value
        size *= node.dtype.lanes
        if var in self.memory and space in ("shared", "shared.dyn"):  # another copy of an unrolled loop
            self.stmt(node.body)
            return
        element = node.dtype.element
        name = self.names.fresh(var.name)
        self.holds_integers = self.holds_integers or element.is_int
        width = max(1, element.bits // 8)
        nbytes = size * width
        if space in ("shared", "shared.dyn"):
            self._allocate_shared(var, name, element, space, size, nbytes)
        else:
            single = size == 1 and space == "local"
            vectors = space == "local" and "cpu" in self.features and nbytes % PRIVATE_VECTOR == 0
            alignment = PRIVATE_VECTOR if vectors else width
            self.memory[var] = Memory(name, element, space, alignment, single=single)
            kind = self.dialect.storage_type(element)
            mark = alignment if vectors else ALIGNMENT if var in self.fragments else 0
            self.line(f"{kind} {name};" if single else self.dialect.array(space, element, name, size, mark))
        self.stmt(node.body)

    def _allocate_shared(self, var: Var, name: str, element: DType, space: str, size: int, nbytes: int) -> None:
        """Declared at the kernel's top: some targets allow it nowhere else."""
        width = max(1, element.bits // 8)
        alignment = SHARED_ALIGNMENT if nbytes % SHARED_ALIGNMENT == 0 else width
        self.memory[var] = Memory(name, element, space, alignment)
        if space == "shared" or "dynamic_shared" not in self.features:
            mark = alignment if alignment > width else 0
            self.hoisted_lines.append("  " + self.dialect.array("shared", element, name, size, mark))
            self.static_bytes += nbytes
            return
        if not self.dynamic_name:
            self.dynamic_name = self.names.fresh(DYNAMIC_NAME)
            self.hoisted_lines.append("  " + self.dialect.dynamic_shared(self.dynamic_name))
        pointer = self.dialect.pointer_type("shared", element, False)
        offset = f" + {self.dynamic_bytes}" if self.dynamic_bytes else ""
        self.hoisted_lines.append(f"  {pointer} const {name} = ({pointer})({self.dynamic_name}{offset});")
        self.memory[var].alignment = SHARED_ALIGNMENT
        self.dynamic_bytes += -(-nbytes // SHARED_ALIGNMENT) * SHARED_ALIGNMENT

    def visit_stmt(self, node: Stmt) -> None:
        raise unlowered(f"{type(node).__name__} has no form in a kernel", "a lowering pass is missing before codegen")


def _constants(launch: Mapping[str, Expr], tags: tuple[str, ...]) -> tuple[int, int, int] | None:
    """The three extents where all are literals; axes that are not bound have extent 1."""
    out: list[int] = []
    for tag in tags:
        extent = launch.get(tag)
        if extent is not None and not isinstance(extent, IntImm):
            return None
        out.append(1 if extent is None else extent.value)
    return out[0], out[1], out[2]


def _words(title: str, launch: Mapping[str, Expr], tags: tuple[str, ...]) -> str:
    extents = [launch.get(tag) for tag in tags]
    return f"{title} ({', '.join(['1' if extent is None else str(extent) for extent in extents])})"


def _arg_type(param: Var) -> str:
    if isinstance(param.type_annotation, PointerType):
        return f"{param.type_annotation.element_type.dtype.element}*"
    return str(param.dtype)


def _wrap(head: str, parameters: list[str]) -> str:
    line = f"{head}{', '.join(parameters)}) {{"
    return line if len(line) <= 110 else head + "\n    " + ",\n    ".join(parameters) + ") {"


def _only_copies(node: Stmt) -> bool:
    """True for asynchronous copies in loops that the device compiler unrolls, and nothing else."""
    if isinstance(node, s.SeqStmt):
        return all([_only_copies(item) for item in node.seq])
    if isinstance(node, s.For):
        return node.kind is ForKind.UNROLLED and _only_copies(node.body)
    if isinstance(node, s.LetStmt):
        return _only_copies(node.body)
    return isinstance(node, s.AttrStmt) and node.attr_key == ASYNC_COPY and isinstance(node.body, s.BufferStore)
