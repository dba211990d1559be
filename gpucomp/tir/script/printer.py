"""Print IR as Python-like script: goldens, error messages, traces and ``inspect`` all use it.

Names are made unique per printed unit.  Sub-expressions that occur many times in one expression are printed
once, as ``_t0 = ...`` lines before the statement, so the text stays linear in the number of distinct nodes.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final  # Any: attributes of any type

from gpucomp.support.dtype import BOOL, FLOAT32, INT32, DType
from gpucomp.support.recursion import ensure_recursion
from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer, BufferRegion
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Functor, expr_children, expr_post_order, stmt_children
from gpucomp.tir.intrin import Op

_INDENT: Final = "    "
_SHARE_ABOVE: Final = 200  # tree nodes in one expression before shared parts get names
_SHARE_SIZE: Final = 6  # tree nodes of a part worth a name
_ATOM, _UNARY, _MUL, _ADD, _CMP, _NOT, _AND, _OR = 90, 80, 70, 60, 40, 30, 20, 10
_BINARY: Final[dict[type, tuple[str, int]]] = {
    e.Add: ("+", _ADD),
    e.Sub: ("-", _ADD),
    e.Mul: ("*", _MUL),
    e.FloorDiv: ("//", _MUL),
    e.FloorMod: ("%", _MUL),
    e.EQ: ("==", _CMP),
    e.NE: ("!=", _CMP),
    e.LT: ("<", _CMP),
    e.LE: ("<=", _CMP),
    e.GT: (">", _CMP),
    e.GE: (">=", _CMP),
    e.And: ("and", _AND),
    e.Or: ("or", _OR),
}
_AXES: Final = {0: "spatial", 2: "reduce", 3: "scan", 4: "opaque"}
_LOOPS: Final = {0: "serial", 1: "parallel", 2: "vectorized", 3: "unroll", 4: "thread_binding"}


class _Names:
    """Unique names for variables and buffers of one printed unit, in order of first use."""

    def __init__(self) -> None:
        self._of: dict[object, str] = {}
        self._taken: dict[str, int] = {}

    def __call__(self, thing: Var | Buffer) -> str:
        known = self._of.get(thing)
        if known is not None:
            return known
        base = "".join([c if c.isalnum() or c == "_" else "_" for c in thing.name]) or "v"
        if base[0].isdigit():
            base = "_" + base
        name = base
        while name in self._taken:
            self._taken[base] = self._taken.get(base, 0) + 1
            name = f"{base}_{self._taken[base]}"
        self._taken[name] = 0
        self._of[thing] = name
        return name


class ScriptPrinter(Functor):
    """Prints one unit; names stay the same across its statements."""

    def __init__(self) -> None:
        self.names = _Names()
        self.lines: list[str] = []
        self.level = 0
        self.shared: dict[Expr, str] = {}
        self.declared: dict[Buffer, None] = {}
        self.temporaries = 0

    # -- expressions ------------------------------------------------------------------------------------------

    def text(self, node: Expr) -> str:
        """Text of an expression; heavily shared parts are put on lines of their own first."""
        ensure_recursion(node.depth)
        self._name_shared(node)
        return self._at(node, 0)

    def _name_shared(self, root: Expr) -> None:
        sizes: dict[Expr, int] = {}
        uses: dict[Expr, int] = {}
        order = expr_post_order(root)
        for node in order:
            children = expr_children(node)
            sizes[node] = 1 + sum([sizes[c] for c in children])
            for child in children:
                uses[child] = uses.get(child, 0) + 1
        if sizes[root] <= _SHARE_ABOVE:
            return
        for node in order:
            if node is root or node in self.shared or uses.get(node, 0) < 2 or sizes[node] < _SHARE_SIZE:
                continue
            text = self._at(node, 0)
            name = f"_t{self.temporaries}"
            self.temporaries += 1
            self.line(f"{name} = {text}")
            self.shared[node] = name

    def _at(self, node: Expr, precedence: int) -> str:
        name = self.shared.get(node)
        if name is not None:
            return name
        text, own = self.dispatch(node)
        return f"({text})" if own < precedence else text

    def visit_var(self, node: Var) -> tuple[str, int]:
        return self.names(node), _ATOM

    def visit_int_imm(self, node: e.IntImm) -> tuple[str, int]:
        if node.dtype is BOOL:
            return str(bool(node.value)), _ATOM
        if node.dtype is INT32:
            return str(node.value), _ATOM if node.value >= 0 else _UNARY
        return f"T.{node.dtype}({node.value})", _ATOM

    def visit_float_imm(self, node: e.FloatImm) -> tuple[str, int]:
        value = repr(node.value) if math.isfinite(node.value) else f'"{node.value}"'
        if node.dtype is FLOAT32 and math.isfinite(node.value):
            return value, _ATOM if not value.startswith("-") else _UNARY
        return f"T.{node.dtype}({value})", _ATOM

    def visit_string_imm(self, node: e.StringImm) -> tuple[str, int]:
        return json.dumps(node.value), _ATOM

    def visit_cast(self, node: e.Cast) -> tuple[str, int]:
        return f'T.cast({self._at(node.value, 0)}, "{node.dtype}")', _ATOM

    def visit_binary_op(self, node: e.BinaryOp) -> tuple[str, int]:
        operator = _BINARY.get(type(node))
        if operator is None and isinstance(node, e.Div) and node.dtype.is_float:
            operator = ("/", _MUL)
        if operator is None:
            name = {"Div": "truncdiv", "Mod": "truncmod"}.get(type(node).__name__, type(node).__name__.lower())
            return f"T.{name}({self._at(node.a, 0)}, {self._at(node.b, 0)})", _ATOM
        sign, own = operator
        left = own + 1 if own == _CMP else own
        return f"{self._at(node.a, left)} {sign} {self._at(node.b, own + 1)}", own

    def visit_not(self, node: e.Not) -> tuple[str, int]:
        return f"not {self._at(node.a, _NOT)}", _NOT

    def visit_select(self, node: e.Select) -> tuple[str, int]:
        return self._call("Select", (node.condition, node.true_value, node.false_value))

    def visit_ramp(self, node: e.Ramp) -> tuple[str, int]:
        return f"T.Ramp({self._at(node.base, 0)}, {self._at(node.stride, 0)}, {node.lanes})", _ATOM

    def visit_broadcast(self, node: e.Broadcast) -> tuple[str, int]:
        return f"T.Broadcast({self._at(node.value, 0)}, {node.lanes})", _ATOM

    def visit_shuffle(self, node: e.Shuffle) -> tuple[str, int]:
        vectors = ", ".join([self._at(v, 0) for v in node.vectors])
        return f"T.Shuffle([{vectors}], {list(node.indices)})", _ATOM

    def visit_let(self, node: e.Let) -> tuple[str, int]:
        value, body = self._at(node.value, 0), self._at(node.body, 0)
        return f"T.Let({body}, where={{{self.names(node.var)}: {value}}})", _ATOM

    def visit_call(self, node: e.Call) -> tuple[str, int]:
        name = node.op.name.removeprefix("tir.") if isinstance(node.op, Op) else node.op.name_hint
        args = [self._at(a, 0) for a in node.args]
        if not (node.args and node.args[0].dtype is node.dtype) and node.dtype is not INT32:
            args.append(f'dtype="{node.dtype}"')
        return f"T.{name}({', '.join(args)})", _ATOM

    def visit_buffer_load(self, node: e.BufferLoad) -> tuple[str, int]:
        text = f"{self.names(node.buffer)}[{self._indices(node.indices)}]"
        if node.predicate is None:
            return text, _ATOM
        return f"{text}.masked({self._at(node.predicate, 0)})", _ATOM

    def visit_producer_load(self, node: e.ProducerLoad) -> tuple[str, int]:
        return f"{node.producer.name}[{self._indices(node.indices)}]", _ATOM

    def visit_reduce(self, node: e.Reduce) -> tuple[str, int]:
        axes = ", ".join([self.names(a.var) for a in node.axis])
        source = ", ".join([self._at(x, 0) for x in node.source])
        return f"T.reduce(({source}), axis=[{axes}], index={node.value_index})", _ATOM

    def _call(self, name: str, args: tuple[Expr, ...]) -> tuple[str, int]:
        return f"T.{name}({', '.join([self._at(a, 0) for a in args])})", _ATOM

    def _indices(self, indices: tuple[Expr, ...]) -> str:
        return ", ".join([self._at(i, 0) for i in indices]) or "()"

    # -- statements -------------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """Append one line at the current indentation."""
        self.lines.append(_INDENT * self.level + text)

    def block(self, head: str, body: s.Stmt) -> None:
        """A head line and an indented body."""
        self.line(head)
        self.level += 1
        shared = dict(self.shared)
        self.stmt(body)
        self.shared = shared
        self.level -= 1

    def stmt(self, node: s.Stmt) -> None:
        """Print a statement."""
        self.dispatch(node)

    def visit_seq_stmt(self, node: s.SeqStmt) -> None:
        for item in node.seq:
            self.stmt(item)

    def visit_evaluate(self, node: s.Evaluate) -> None:
        text = self.text(node.value)
        self.line("pass" if s.is_noop(node) else text if isinstance(node.value, e.Call) else f"T.evaluate({text})")

    def visit_let_stmt(self, node: s.LetStmt) -> None:
        value = self.text(node.value)
        self.line(f"{self.names(node.var)}: {_type_text(node.var)} = {value}")
        self.stmt(node.body)

    def visit_attr_stmt(self, node: s.AttrStmt) -> None:
        value = self.text(node.value)
        if node.attr_key in ("thread_extent", "virtual_thread") and isinstance(node.node, e.IterVar):
            name = self.names(node.node.var)
            kind = "launch_thread" if node.attr_key == "thread_extent" else "virtual_thread"
            self.block(f'with T.{kind}("{node.node.thread_tag}", {value}) as {name}:', node.body)
            return
        self.block(f'with T.attr({self._attr_node(node.node)}, "{node.attr_key}", {value}):', node.body)

    def _attr_node(self, thing: object) -> str:
        if isinstance(thing, (Buffer, Var)):
            return self.names(thing)
        if isinstance(thing, e.IterVar):
            return self.names(thing.var)
        if isinstance(thing, tuple):
            return "(" + ", ".join([self._attr_node(t) for t in thing]) + ")"
        return json.dumps(thing) if isinstance(thing, (str, int, type(None))) else f'"{thing}"'

    def visit_assert_stmt(self, node: s.AssertStmt) -> None:
        self.line(f"assert {self.text(node.condition)}, {json.dumps(node.message)}")
        self.stmt(node.body)

    def visit_for(self, node: s.For) -> None:
        low, extent = self.text(node.min), self.text(node.extent)
        bounds = extent if e.is_const_int(node.min, 0) else f"{low}, {self.text(node.min + node.extent)}"
        if node.thread_binding is not None:
            bounds += f', thread="{node.thread_binding.thread_tag}"'
        if node.annotations:
            notes = {k: _plain(v) for k, v in node.annotations.items()}
            bounds += f", annotations={json.dumps(notes)}"
        self.block(f"for {self.names(node.loop_var)} in T.{_LOOPS[int(node.kind)]}({bounds}):", node.body)

    def visit_while(self, node: s.While) -> None:
        self.block(f"while {self.text(node.condition)}:", node.body)

    def visit_if_then_else(self, node: s.IfThenElse) -> None:
        self.block(f"if {self.text(node.condition)}:", node.then_case)
        if node.else_case is not None:
            self.block("else:", node.else_case)

    def visit_allocate(self, node: s.Allocate) -> None:
        extents = ", ".join([self.text(x) for x in node.extents])
        scope = node.buffer_var.storage_scope or "global"
        condition = "" if e.is_const_int(node.condition, 1) else f", condition={self.text(node.condition)}"
        self.line(f'{self.names(node.buffer_var)} = T.allocate([{extents}], "{node.dtype}", "{scope}"{condition})')
        for buffer in _buffers_of(node):
            if buffer.data is node.buffer_var:
                self._declare(buffer)
        self.stmt(node.body)

    def _declare(self, buffer: Buffer) -> None:
        if buffer in self.declared:
            return
        self.declared[buffer] = None
        self.line(f"{self.names(buffer)} = {self._buffer_text(buffer, 'T.decl_buffer')}")

    def _buffer_text(self, buffer: Buffer, head: str, show_data: bool = True) -> str:
        shape = ", ".join([self._at(x, 0) for x in buffer.shape])
        parts = [f"({shape}{',' if len(buffer.shape) == 1 else ''})", f'"{buffer.dtype}"']
        if show_data:
            parts.append(f"data={self.names(buffer.data)}")
        if buffer.strides:
            parts.append(f"strides=({', '.join([self._at(x, 0) for x in buffer.strides])},)")
        if not e.is_const_int(buffer.elem_offset, 0):
            parts.append(f"elem_offset={self._at(buffer.elem_offset, 0)}")
        if buffer.scope() != "global":
            parts.append(f'scope="{buffer.scope()}"')
        return f"{head}({', '.join(parts)})"

    def visit_buffer_store(self, node: s.BufferStore) -> None:
        for item in (*node.indices, node.value):
            self._name_shared(item)
        value = self.text(node.value)
        target = f"{self.names(node.buffer)}[{self._indices(node.indices)}]"
        mask = "" if node.predicate is None else f".masked({self.text(node.predicate)})"
        self.line(f"{target}{mask} = {value}")

    def visit_buffer_realize(self, node: s.BufferRealize) -> None:
        box = ", ".join([self._box_side(r) for r in node.bounds])
        name = self.names(node.buffer)
        head = f'with T.realize({name}[{box or "()"}], "{node.buffer.dtype}", "{node.buffer.scope()}"):'
        self.block(head, node.body)

    def visit_producer_store(self, node: s.ProducerStore) -> None:
        value = self.text(node.value)
        self.line(f"{node.producer.name}[{self._indices(node.indices)}] = {value}")

    def visit_producer_realize(self, node: s.ProducerRealize) -> None:
        box = ", ".join([self._box_side(r) for r in node.bounds])
        scope = node.storage_scope or "global"
        self.block(f'with T.realize({node.producer.name}[{box or "()"}], "{scope}"):', node.body)

    def visit_prefetch(self, node: s.Prefetch) -> None:
        box = ", ".join([self._box_side(r) for r in node.bounds])
        self.line(f"T.prefetch({self.names(node.buffer)}[{box}])")

    def visit_all_reduce(self, node: s.AllReduce) -> None:
        results = ", ".join([f"{self.names(b)}[0]" for b in node.results])
        values = ", ".join([self.text(v) for v in node.values])
        threads = ", ".join([self.names(t) for t in node.threads])
        combiner = ", ".join([self.text(r) for r in node.combiner.result])
        pairs = zip(node.combiner.lhs, node.combiner.rhs, strict=True)
        params = ", ".join([f"({self.names(a)}, {self.names(b)})" for a, b in pairs])
        identity = ", ".join([self.text(i) for i in node.combiner.identity_element])
        condition = "" if e.is_const_int(node.condition, 1) else f", where={self.text(node.condition)}"
        self.line(
            f"{results} = T.all_reduce(({values}), threads=[{threads}], "
            f"combine=[{params}, ({combiner}), ({identity})]{condition})"
        )

    def visit_block_realize(self, node: s.BlockRealize) -> None:
        block = node.block
        self.line(f"with T.block({json.dumps(block.name_hint)}):")
        self.level += 1
        for axis, value in zip(block.iter_vars, node.iter_values, strict=True):
            assert axis.dom is not None  # Block refuses such axes
            low, extent = self.text(axis.dom.min), self.text(axis.dom.extent)
            if not e.is_const_int(axis.dom.min, 0):
                extent = f"({low}, {self.text(axis.dom.min + axis.dom.extent)})"
            kind = _AXES[axis.iter_type]
            self.line(f"{self.names(axis.var)} = T.axis.{kind}({extent}, {self.text(value)})")
        if not e.is_const_int(node.predicate, 1):
            self.line(f"T.where({self.text(node.predicate)})")
        self._block_head(block)
        if block.init is not None:
            self.block("with T.init():", block.init)
        self.stmt(block.body)
        self.level -= 1

    def visit_block(self, node: s.Block) -> None:
        """A block without values for its variables, as messages show it."""
        axes = ", ".join([self.names(a.var) for a in node.iter_vars])
        self.line(f"with T.block({json.dumps(node.name_hint)}):  # for each ({axes})")
        self.level += 1
        self._block_head(node)
        if node.init is not None:
            self.block("with T.init():", node.init)
        self.stmt(node.body)
        self.level -= 1

    def _block_head(self, node: s.Block) -> None:
        for buffer in node.alloc_buffers:
            self.declared[buffer] = None
            text = self._buffer_text(buffer, "T.alloc_buffer", show_data=False)
            self.line(f"{self.names(buffer)} = {text}")
        for match in node.match_buffers:
            self.declared[match.buffer] = None
            text = self._buffer_text(match.buffer, "", show_data=False)[1:]
            self.line(f"{self.names(match.buffer)} = T.match_buffer({self._region(match.source)}, {text}")
        if node.annotations:
            self.line(f"T.block_attr({json.dumps({k: _plain(v) for k, v in node.annotations.items()})})")
        self.line(f"T.reads({', '.join([self._region(r) for r in node.reads])})")
        self.line(f"T.writes({', '.join([self._region(r) for r in node.writes])})")

    def _region(self, region: BufferRegion) -> str:
        sides = [self.text(r.min) if e.is_const_int(r.extent, 1) else self._box_side(r) for r in region.region]
        return f"{self.names(region.buffer)}[{', '.join(sides) or '()'}]"

    def _box_side(self, r: e.Range) -> str:
        return f"{self.text(r.min)}:{self.text(r.min + r.extent)}"

    # -- functions --------------------------------------------------------------------------------------------

    def function(self, func: PrimFunc) -> None:
        """Print a function."""
        params: list[str] = []
        for var in func.params:
            buffer = func.buffer_map.get(var)
            if buffer is None:
                params.append(f"{self.names(var)}: {_type_text(var)}")
                continue
            self.declared[buffer] = None
            params.append(f"{self.names(buffer)}: {self._buffer_text(buffer, 'T.Buffer', show_data=False)}")
        self.line("@T.prim_func")
        head = f"def {func.name}({', '.join(params)}):"
        if len(head) > 100:
            self.line(f"def {func.name}(")
            self.lines += [f"{_INDENT * 2}{p}," for p in params]
            head = "):"
        self.line(head)
        self.level += 1
        attrs = {k: _plain(v) for k, v in func.attrs.items() if k != "global_symbol"}
        if attrs:
            self.line(f"T.func_attr({json.dumps(attrs, default=str)})")
        for buffer in _buffers_of(func.body):
            if buffer.data in (b.data for b in func.buffer_map.values()) or buffer.data in func.params:
                self._declare(buffer)
        self.stmt(func.body)
        self.level -= 1


def _plain(value: Any) -> Any:
    if isinstance(value, e.IntImm):
        return value.value
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if hasattr(value, "items"):
        return {str(getattr(k, "name", k)): _plain(v) for k, v in value.items()}
    return str(value)


def _type_text(var: Var) -> str:
    if isinstance(var.type_annotation, e.PointerType):
        pointer = var.type_annotation
        return f'T.handle("{pointer.element_type.dtype}", "{pointer.storage_scope}")'
    return f"T.{DType(var.dtype)}"


def _buffers_of(node: s.Stmt) -> list[Buffer]:
    """Buffers accessed under a statement, in order of first access."""
    found: dict[Buffer, None] = {}
    stack: list[s.Stmt | Expr] = [node]
    seen: dict[Expr, None] = {}
    while stack:
        item = stack.pop()
        if isinstance(item, s.BufferStore):
            found.setdefault(item.buffer)
        if isinstance(item, Expr):
            if item in seen:
                continue
            seen[item] = None
            if isinstance(item, e.BufferLoad):
                found.setdefault(item.buffer)
            stack += reversed(expr_children(item))
        else:
            if isinstance(item, s.AllReduce):
                for b in item.results:
                    found.setdefault(b)
            stack += reversed(stmt_children(item))
    return list(found)


def expr_text(node: Expr) -> str:
    """Text of an expression; when parts are shared heavily, lines ``_t0 = ...`` come first."""
    printer = ScriptPrinter()
    text = printer.text(node)
    return "\n".join([*printer.lines, text])


def stmt_text(node: s.Stmt) -> str:
    """Text of a statement."""
    printer = ScriptPrinter()
    printer.stmt(node)
    return "\n".join(printer.lines)


def func_text(func: PrimFunc) -> str:
    """Text of a function."""
    printer = ScriptPrinter()
    printer.function(func)
    return "\n".join(printer.lines)
