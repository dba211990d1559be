"""Statements of hybrid scripts: from the syntax tree of a Python function to statements over buffers."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any  # Any: see values.py

from gpucomp.support.diagnostics import GpucompError
from gpucomp.support.dtype import DType
from gpucomp.te.hybrid.expressions import ExpressionReader
from gpucomp.te.hybrid.numpy_side import LOOPS
from gpucomp.te.hybrid.values import Array, Scalar, Source, as_expr, is_symbolic
from gpucomp.te.scopes import STORAGE_RANK
from gpucomp.te.tensor import Tensor
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import BufferLoad, Expr, IterVar, Range, Var
from gpucomp.tir.functor import expr_post_order
from gpucomp.tir.stmt import Stmt

_Wrap = Callable[[Stmt], Stmt]
_TRUE = operators.const(1, "bool")


class ScriptParser(ExpressionReader):
    """Reads one function for given arguments.

    Attributes:
        inputs: the tensors that were given, and the buffers that stand for them.
        outputs: the buffers that the function returns, in that order.
        axes: an axis for each loop, in order of appearance, threads left out.
        kinds: how the script says that an axis runs.
    """

    def __init__(self, source: Source, outer: Mapping[str, Any]) -> None:
        super().__init__(source, outer)
        self.inputs: dict[Tensor, Buffer] = {}
        self.made: dict[Buffer, ast.AST] = {}
        self.outputs: tuple[Buffer, ...] = ()
        self.returned = False
        self.axes: list[IterVar] = []
        self.kinds: dict[IterVar, str] = {}
        self.wraps: list[list[Stmt | _Wrap]] = []
        self.assigned: dict[str, int] = {}
        self.loops = 0
        self.threads = 0

    def parse(self, function: ast.FunctionDef, args: Sequence[Any]) -> Stmt:
        """The body of the function."""
        names = [a.arg for a in function.args.args]
        if function.args.vararg or function.args.kwarg or function.args.kwonlyargs:
            raise self.source.error(function, "*args, **kwargs and keyword-only parameters cannot be compiled")
        if len(names) != len(args):
            raise self.source.error(function, f"takes {len(names)} arguments ({', '.join(names)}), got {len(args)}")
        _Count(self.assigned).visit(function)
        self.local_names = frozenset(self.assigned)
        self.scopes = [{name: self._argument(arg) for name, arg in zip(names, args, strict=True)}]
        body = self.block(function.body)
        if not self.returned:
            raise self.source.error(function, "returns nothing", "return the output_tensor that it fills")
        for buffer, node in self.made.items():
            if buffer not in self.outputs:
                raise self.source.error(node, f"output {buffer.name!r} is not returned", "allocate(...) is temporary")
        return body

    def _argument(self, arg: Any) -> Any:
        if isinstance(arg, (list, tuple)):
            return [self._argument(a) for a in arg]
        if not isinstance(arg, Tensor):
            return arg.as_expr() if isinstance(arg, e.ExprOp) else arg
        buffer = self.inputs.setdefault(arg, decl_buffer(arg.shape, arg.dtype, arg.name))
        return Array(buffer, (), writable=False)

    # -- blocks -------------------------------------------------------------------------------------------------------

    def block(self, nodes: Sequence[ast.stmt]) -> Stmt:
        """Statements in a scope of their own."""
        self.wraps.append([])
        self.scopes.append({})
        for node in nodes:
            self._statement(node)
        self.ended |= {name: self.assigned.get(name, 0) for name in self.scopes.pop() if name != "_"}
        done: Stmt = s.NOOP
        for item in reversed(self.wraps.pop()):
            done = s.seq(item, done) if isinstance(item, Stmt) else item(done)
        return done

    def _statement(self, node: ast.stmt) -> None:
        if self.returned:
            raise self.source.error(node, "a statement after return")
        method = getattr(self, f"visit_{type(node).__name__}", None)
        if method is None:
            text = ast.unparse(node).splitlines()[0]
            hint = "for loops over range(n) can be" if isinstance(node, ast.While) else None
            raise self.source.error(node, f"{text!r} ({type(node).__name__}) cannot be compiled", hint)
        try:
            method(node)
        except GpucompError as error:
            self.place(error, node)
            raise

    def _emit(self, item: Stmt | _Wrap) -> None:
        self.wraps[-1].append(item)

    def visit_Pass(self, node: ast.Pass) -> None:
        """Nothing."""

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return  # a docstring
        value = self.read(node.value)
        if is_symbolic(value):
            self._emit(s.Evaluate(as_expr(value), self.source.span(node)))

    # -- assignments --------------------------------------------------------------------------------------------------

    def visit_Assign(self, node: ast.Assign) -> None:
        if len(node.targets) != 1:
            raise self.source.error(node, "several targets of one assignment", "write one assignment for each")
        self._assign(node, node.targets[0], node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._assign(node, node.target, node.value)

    def _assign(self, node: ast.stmt, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else None
            if values is not None and len(values) == len(target.elts) == 1:
                return self._assign(node, target.elts[0], values[0])
            known = self.read(value)
            if not isinstance(known, (tuple, list)) or len(known) != len(target.elts):
                raise self.source.error(node, f"{len(target.elts)} names for {ast.unparse(value)!r}")
            temporaries = [self._snapshot(v, node) for v in known]
            for name, item in zip(target.elts, temporaries, strict=True):
                self._put(node, name, item)
            return None
        word = value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""
        if word in ("allocate", "output_tensor") and word not in self.outer and isinstance(value, ast.Call):
            return self._memory(node, target, value, word)
        return self._put(node, target, self.read(value))

    def _snapshot(self, value: Any, node: ast.stmt) -> Any:
        """All values of a tuple are read before any is stored."""
        if not is_symbolic(value) or not _loads(as_expr(value)):
            return value
        var = Var("t", as_expr(value).dtype)
        self._let(var, as_expr(value), node)
        return var

    def _let(self, var: Var, value: Expr, node: ast.stmt) -> None:
        span = self.source.span(node)
        self._emit(lambda body: s.LetStmt(var, value, body, span))

    def _put(self, node: ast.stmt, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Subscript):
            self._store(node, target, value)
        elif isinstance(target, ast.Name):
            self._set(node, target.id, value)
        else:
            raise self.source.error(target, f"{ast.unparse(target)!r} cannot be assigned")

    def _store(self, node: ast.stmt, target: ast.Subscript, value: Any) -> None:
        place = self.evaluate(target)
        if not isinstance(place, Array) or len(place.indices) != len(place.buffer.shape):
            raise self.source.error(target, f"{ast.unparse(target)!r} is no element of an array")
        if not place.writable:
            raise self.source.error(
                target, f"input {place.buffer.name!r} is written", "copy it to an output_tensor or allocate(...) first"
            )
        if not is_symbolic(value) and not isinstance(value, (int, float)):
            raise self.source.error(node, f"a {type(value).__name__} is stored in {place.buffer.name}")
        kind = place.buffer.dtype
        stored = operators.cast(kind, as_expr(value, kind if kind.is_float or isinstance(value, int) else None))
        self._emit(s.BufferStore(place.buffer, stored, place.indices, None, self.source.span(node)))

    def _set(self, node: ast.stmt, name: str, value: Any) -> None:
        known = next((scope[name] for scope in reversed(self.scopes) if name in scope), None)
        if isinstance(known, Scalar):
            self._update(node, name, known, value)
        elif known is not None and not self._same_loop(name):
            raise self.source.error(node, f"{name!r} is assigned again", "choose another name")
        elif not is_symbolic(value) and not (isinstance(value, (int, float)) and self.assigned.get(name, 0) > 1):
            self.scopes[-1][name] = value
        elif self.assigned.get(name, 0) > 1:
            self._variable(node, name, as_expr(value))
        elif _loads(as_expr(value)):
            var = Var(name, as_expr(value).dtype)
            self._let(var, as_expr(value), node)
            self.scopes[-1][name] = var
        else:
            self.scopes[-1][name] = as_expr(value)

    def _same_loop(self, name: str) -> bool:
        """True for a name that an unrolled loop assigns again."""
        return name in self.scopes[-1] and self.assigned.get(name, 0) == 1

    def _variable(self, node: ast.stmt, name: str, value: Expr) -> None:
        buffer = decl_buffer((1,), value.dtype, name, scope="local")
        span, zero = self.source.span(node), operators.const(0)
        self._emit(lambda body: s.BufferRealize(buffer, (Range(0, 1),), _TRUE, body, span))
        self._emit(s.BufferStore(buffer, value, (zero,), None, span))
        self.scopes[-1][name] = Scalar(buffer, span.line)

    def _update(self, node: ast.stmt, name: str, known: Scalar, value: Any) -> None:
        kind = known.buffer.dtype
        given = as_expr(value, kind if not (isinstance(value, float) and kind.is_int) else None)
        if not _fits(given.dtype, kind):
            raise self.source.error(
                node,
                f"{name!r} holds {kind} (line {known.line}), but is assigned a {given.dtype}",
                f"start it as {given.dtype}: {name} = {given.dtype}(...)",
            )
        stored = operators.cast(kind, given)
        self._emit(s.BufferStore(known.buffer, stored, (operators.const(0),), None, self.source.span(node)))

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        old = self.number(node.target)
        value = self.binary(node, type(node.op), old, self.number(node.value))
        self._put(node, node.target, value)

    def _memory(self, node: ast.stmt, target: ast.expr, call: ast.Call, word: str) -> None:
        if not isinstance(target, ast.Name):
            raise self.source.error(target, f"{word} is given a name", f"b = {word}((n,), 'float32')")
        names = ("shape", "dtype", "scope") if word == "allocate" else ("shape", "dtype")
        given = dict(zip(names, [self.read(a) for a in call.args], strict=False))
        given |= {str(k.arg): self.read(k.value) for k in call.keywords}
        if "shape" not in given or set(given) - set(names) or len(call.args) > len(names):
            raise self.source.error(call, f"{word} takes {', '.join(names)}")
        shape = given["shape"] if isinstance(given["shape"], (tuple, list)) else (given["shape"],)
        kind = str(given.get("dtype", "float32"))
        if word == "output_tensor":
            if len(self.scopes) > 2:
                raise self.source.error(call, "an output_tensor inside of a loop or branch", "make it at the top")
            buffer = decl_buffer(shape, kind, target.id)
            self.made[buffer] = call
        else:
            scope = str(given.get("scope", "local" if self.threads else "global"))
            if scope not in STORAGE_RANK:
                raise self.source.error(call, f"unknown storage scope {scope!r}", f"one of {', '.join(STORAGE_RANK)}")
            buffer = decl_buffer(shape, kind, target.id, scope=scope)
            box, span = tuple([Range.from_min_extent(0, x) for x in buffer.shape]), self.source.span(node)
            self._emit(lambda body: s.BufferRealize(buffer, box, _TRUE, body, span))
        if any([target.id in scope for scope in self.scopes]):
            raise self.source.error(node, f"{target.id!r} is assigned again", "choose another name")
        self.scopes[-1][target.id] = Array(buffer)

    # -- control flow -------------------------------------------------------------------------------------------------

    def visit_If(self, node: ast.If) -> None:
        test = self.condition(node.test)
        if not is_symbolic(test):
            for item in node.body if test else node.orelse:
                self._statement(item)
            return
        yes = self.block(node.body)
        no = self.block(node.orelse) if node.orelse else None
        self._emit(s.IfThenElse(as_expr(test), yes, no, self.source.span(node)))

    def visit_For(self, node: ast.For) -> None:
        if node.orelse:
            raise self.source.error(node, "else of a loop")
        call = node.iter
        word = call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else ""
        if not isinstance(call, ast.Call) or word not in (*LOOPS, "const_range", "bind", "grid"):
            words = ", ".join([*LOOPS, "const_range", "bind", "grid"])
            raise self.source.error(call, f"a loop over {ast.unparse(call)!r}", f"loops run over one of {words}")
        args = [self.read(a) for a in call.args]
        if word == "grid":
            self._grid(node, args)
            return
        if not isinstance(node.target, ast.Name):
            raise self.source.error(node.target, "one name for the value of a loop")
        if word == "bind":
            self._bind(node, node.target.id, args)
        elif word == "const_range":
            self._unrolled(node, node.target.id, args)
        else:
            low, extent = self._bounds(call, args)
            self._loop(node, node.target.id, low, extent, LOOPS[word], lambda: self.block(node.body))

    def _bounds(self, call: ast.Call, args: list[Any]) -> tuple[Expr, Expr]:
        if not 1 <= len(args) <= 2:
            raise self.source.error(call, f"{ast.unparse(call)!r}: loops have (end) or (begin, end), and step 1")
        for item, arg in zip(call.args, args, strict=True):
            if isinstance(arg, (Array, float)) or not (is_symbolic(arg) or isinstance(arg, int)):
                raise self.source.error(item, "the bounds of a loop are integers")
            if is_symbolic(arg) and (_loads(as_expr(arg)) or not as_expr(arg).dtype.is_int):
                raise self.source.error(
                    item, "the bound of a loop reads memory, or is no integer", "loop to a fixed end, and branch inside"
                )
        low, high = operators.match_types(*args) if len(args) == 2 else (as_expr(0), as_expr(args[0]))
        low = operators.cast(high.dtype, low)
        return low, high if e.is_const_int(low, 0) else operators.subtract(high, low)

    def _loop(self, node: ast.For, name: str, low: Expr, extent: Expr, kind: str, inside: Callable[[], Stmt]) -> None:
        axis = IterVar(Range.from_min_extent(low, extent), Var(name, extent.dtype), IterVar.DataPar)
        self.axes.append(axis)
        self.kinds[axis] = kind
        self.scopes.append({name: axis.var})
        body = inside()
        self.scopes.pop()
        self._emit(s.For(axis.var, low, extent, s.ForKind.SERIAL, body, span=self.source.span(node)))

    def _grid(self, node: ast.For, args: list[Any]) -> None:
        names = node.target.elts if isinstance(node.target, ast.Tuple) else [node.target]
        if len(names) != len(args) or not all([isinstance(n, ast.Name) for n in names]):
            raise self.source.error(node, f"grid of {len(args)} extents needs {len(args)} names")

        def level(position: int) -> Stmt:
            if position == len(args):
                return self.block(node.body)
            name = names[position]
            assert isinstance(name, ast.Name)
            call = ast.Call(func=ast.Name("range"), args=[name], keywords=[])
            low, extent = self._bounds(ast.copy_location(call, node), [args[position]])
            self.wraps.append([])
            self._loop(node, name.id, low, extent, "", lambda: level(position + 1))
            [made] = self.wraps.pop()
            assert isinstance(made, Stmt)
            return made

        self._emit(level(0))

    def _bind(self, node: ast.For, name: str, args: list[Any]) -> None:
        tags = [f"{p}.{d}" for p in ("blockIdx", "threadIdx") for d in "xyz"]
        if len(args) != 2 or args[0] not in tags:
            raise self.source.error(node.iter, "bind takes a thread axis and an extent", 'bind("threadIdx.x", 64)')
        extent = as_expr(args[1])
        axis = IterVar(Range.from_min_extent(0, extent), Var(name, extent.dtype), IterVar.ThreadIndex, args[0])
        self.threads += 1
        self.scopes.append({name: axis.var})
        body = self.block(node.body)
        self.scopes.pop()
        self.threads -= 1
        self._emit(s.AttrStmt(axis, "thread_extent", extent, body, self.source.span(node)))

    def _unrolled(self, node: ast.For, name: str, args: list[Any]) -> None:
        if not 1 <= len(args) <= 3 or not all([type(a) is int for a in args]):
            raise self.source.error(node.iter, "const_range takes integers that are known here", "unroll(n) for others")
        for value in range(*args):
            self.scopes.append({name: value})
            self._emit(self.block(node.body))
            self.scopes.pop()

    def visit_Return(self, node: ast.Return) -> None:
        if len(self.scopes) > 2 or node.value is None:
            raise self.source.error(node, "return stands at the end, with the outputs")
        items = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        found: list[Buffer] = []
        for item in items:
            value = self.evaluate(item)
            if not isinstance(value, Array) or value.buffer not in self.made or value.indices:
                raise self.source.error(item, f"{ast.unparse(item)!r} is no output_tensor")
            found.append(value.buffer)
        if len(set(found)) != len(found):
            raise self.source.error(node, "one output is returned twice")
        self.outputs, self.returned = tuple(found), True


class _Count(ast.NodeVisitor):
    """How often each name is assigned."""

    def __init__(self, counts: dict[str, int]) -> None:
        self.counts = counts

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.counts[node.id] = self.counts.get(node.id, 0) + 1

    def visit_For(self, node: ast.For) -> None:
        for item in node.body:
            self.visit(item)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.counts[node.target.id] = self.counts.get(node.target.id, 0) + 1


def _loads(value: Expr) -> bool:
    return any([isinstance(x, (BufferLoad, e.Call)) for x in expr_post_order(value)])


def _fits(given: DType, kind: DType) -> bool:
    """Whether a variable of type ``kind`` may take a value without losing what Python would keep."""
    if given is kind:
        return True
    if kind.is_float:
        return given.is_integral or (given.is_float and given.bits <= kind.bits)
    return kind.is_int and (given.is_bool or (given.is_int and given.bits <= kind.bits))
