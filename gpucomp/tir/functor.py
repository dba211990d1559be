"""Walkers over expressions and statements.

Dispatch goes through a table per walker class, built once from its ``visit_*`` methods: the method for a node
class is the one named after it or after its nearest base (``visit_add``, else ``visit_binary_op``, else
``visit_expr``).  Expressions are directed acyclic graphs: walkers see each distinct node of one root once.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Literal, TypeVar

from gpucomp.support.expect import expect
from gpucomp.support.recursion import ensure_recursion
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import BufferRegion
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.stmt import Stmt

_T = TypeVar("_T")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def _snake(name: str) -> str:
    return _CAMEL.sub("_", name).lower()


class _Table(dict[type, Callable[..., Any]]):
    """Node class -> method, filled on first use of each class."""

    def __init__(self, owner: type) -> None:
        super().__init__()
        self.owner = owner

    def __missing__(self, cls: type) -> Callable[..., Any]:
        for base in cls.__mro__:
            method = getattr(self.owner, f"visit_{_snake(base.__name__)}", None)
            if method is not None:
                self[cls] = method
                return method
        raise TypeError(f"{self.owner.__name__} has no method for {cls.__name__}")


class Functor:
    """Base of walkers: owns the dispatch table."""

    _table: ClassVar[_Table]

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls._table = _Table(cls)

    def dispatch(self, node: object) -> Any:
        """Call the method for the class of ``node``."""
        return self._table[type(node)](self, node)


class Visitor(Functor):
    """Walks statements in order, and every distinct node of each expression once, children first on default.

    Override ``visit_<class>`` and call ``self.visit_children(node)`` to go deeper.
    """

    def __init__(self) -> None:
        self._seen: dict[Expr, None] = {}

    def visit(self, node: Stmt | Expr) -> None:
        """Visit a statement, or an expression that was not visited yet under this root."""
        if isinstance(node, Stmt):
            self._table[type(node)](self, node)
            return
        if node in self._seen:
            return
        self._seen[node] = None
        self._table[type(node)](self, node)

    def visit_root(self, node: Expr) -> None:
        """Visit an expression of a statement, afresh: it is evaluated again there."""
        saved, self._seen = self._seen, {}
        ensure_recursion(node.depth)
        self.visit(node)
        self._seen = saved

    def visit_children(self, node: Stmt | Expr) -> None:
        """Visit the operands of an expression, or the expressions and bodies of a statement in order."""
        if isinstance(node, Stmt):
            for child in stmt_children(node):
                if isinstance(child, Stmt):
                    self.visit(child)
                else:
                    self.visit_root(child)
            return
        for child in expr_children(node):
            self.visit(child)

    def visit_expr(self, node: Expr) -> None:
        """Default for expressions."""
        self.visit_children(node)

    def visit_stmt(self, node: Stmt) -> None:
        """Default for statements."""
        self.visit_children(node)


class Mutator(Functor):
    """Rebuilds what changes and returns the same object where nothing does.

    The memo lives as long as the walker; a subclass whose answer depends on context must clear ``self.memo``
    when that context changes.  Rebuilt arithmetic folds constants.
    """

    def __init__(self) -> None:
        self.memo: dict[Expr, Expr] = {}

    def expr(self, node: Expr) -> Expr:
        """Rewrite an expression (entry point, safe for deep ones)."""
        if node.depth > 100:
            ensure_recursion(node.depth)
        return self.visit(node)

    def visit(self, node: Expr) -> Expr:
        """Rewrite an expression, each distinct node once."""
        done = self.memo.get(node)
        if done is None:
            done = self.memo[node] = self._table[type(node)](self, node)
        return done

    def stmt(self, node: Stmt) -> Stmt:
        """Rewrite a statement."""
        return self._table[type(node)](self, node)

    def exprs(self, nodes: tuple[Expr, ...]) -> tuple[Expr, ...]:
        """Rewrite a tuple of expressions; the same tuple if nothing changes."""
        new = tuple([self.expr(n) for n in nodes])
        return nodes if all([x is y for x, y in zip(nodes, new, strict=True)]) else new

    def range(self, node: e.Range) -> e.Range:
        """Rewrite a range."""
        low, size = self.expr(node.min), self.expr(node.extent)
        return node if low is node.min and size is node.extent else e.Range.from_min_extent(low, size)

    def ranges(self, nodes: tuple[e.Range, ...]) -> tuple[e.Range, ...]:
        """Rewrite a box."""
        new = tuple([self.range(n) for n in nodes])
        return nodes if all([x is y for x, y in zip(nodes, new, strict=True)]) else new

    # -- expressions ------------------------------------------------------------------------------------------

    def visit_var(self, node: Var) -> Expr:
        return node

    def visit_const_expr(self, node: Expr) -> Expr:
        return node

    def visit_binary_op(self, node: e.BinaryOp) -> Expr:
        a, b = self.visit(node.a), self.visit(node.b)
        return node if a is node.a and b is node.b else rebuild_binary(type(node), a, b)

    def visit_not(self, node: e.Not) -> Expr:
        a = self.visit(node.a)
        return node if a is node.a else operators.logical_not(a)

    def visit_cast(self, node: e.Cast) -> Expr:
        value = self.visit(node.value)
        return node if value is node.value else operators.cast(node.dtype, value)

    def visit_select(self, node: e.Select) -> Expr:
        c, x, y = self.visit(node.condition), self.visit(node.true_value), self.visit(node.false_value)
        if c is node.condition and x is node.true_value and y is node.false_value:
            return node
        if isinstance(c, e.IntImm):
            return x if c.value else y
        return e.Select(c, x, y)

    def visit_reduce(self, node: e.Reduce) -> Expr:
        source = self.exprs(node.source)
        init = self.exprs(node.init)
        condition = self.visit(node.condition)
        axis = tuple([self.iter_var(a) for a in node.axis])
        same = all([x is y for x, y in zip(axis, node.axis, strict=True)])
        if same and source is node.source and init is node.init and condition is node.condition:
            return node
        return e.Reduce(node.combiner, source, axis, condition, node.value_index, init)

    def iter_var(self, node: e.IterVar) -> e.IterVar:
        """Rewrite the domain of an axis."""
        if node.dom is None:
            return node
        dom = self.range(node.dom)
        return node if dom is node.dom else e.IterVar(dom, node.var, node.iter_type, node.thread_tag)

    def visit_expr(self, node: Expr) -> Expr:
        changed = False
        values: list[Any] = []
        for field, kind in node._kinds.items():
            old: Any = getattr(node, field)
            new: Any = old
            if isinstance(old, Expr) and not (field == "var" and isinstance(node, e.Let)):
                new = self.visit(old)
            elif kind == "exprs":
                new = self._visit_all(getattr(node, field))
            changed = changed or new is not old
            values.append(new)
        return type(node)(*values) if changed else node

    def _visit_all(self, old: tuple[Expr, ...]) -> tuple[Expr, ...]:
        items = tuple([self.visit(x) for x in old])
        return old if all([x is y for x, y in zip(old, items, strict=True)]) else items

    # -- statements -------------------------------------------------------------------------------------------

    def visit_stmt(self, node: Stmt) -> Stmt:
        changed: dict[str, Any] | None = None
        for field in _fields_with_trees(type(node)):
            old = getattr(node, field)
            new = self._field(old)
            if new is not old:
                changed = {field: new} if changed is None else {**changed, field: new}
        return node if changed is None else node.replace(**changed)

    def _field(self, old: object) -> Any:
        if isinstance(old, Expr):
            return old if isinstance(old, Var) and old.dtype.is_handle else self.expr(old)
        if isinstance(old, Stmt):
            return self.stmt(old)
        if type(old) is tuple and old:
            if isinstance(old[0], Expr):
                return self.exprs(old)
            if isinstance(old[0], e.Range):
                return self.ranges(old)
        return old

    def visit_seq_stmt(self, node: s.SeqStmt) -> Stmt:
        new = [self.stmt(x) for x in node.seq]
        return node if all([x is y for x, y in zip(new, node.seq, strict=True)]) else s.seq(*new)

    def visit_for(self, node: s.For) -> Stmt:
        low, extent, body = self.expr(node.min), self.expr(node.extent), self.stmt(node.body)
        if low is node.min and extent is node.extent and body is node.body:
            return node
        return s.For(node.loop_var, low, extent, node.kind, body, node.thread_binding, node.annotations, node.span)

    def visit_let_stmt(self, node: s.LetStmt) -> Stmt:
        value, body = self.expr(node.value), self.stmt(node.body)
        return node if value is node.value and body is node.body else s.LetStmt(node.var, value, body, node.span)

    def visit_attr_stmt(self, node: s.AttrStmt) -> Stmt:
        value, body = self.expr(node.value), self.stmt(node.body)
        if value is node.value and body is node.body:
            return node
        return s.AttrStmt(node.node, node.attr_key, value, body, node.span)

    def visit_if_then_else(self, node: s.IfThenElse) -> Stmt:
        c = self.expr(node.condition)
        if isinstance(c, e.IntImm) and c is not node.condition:
            chosen = node.then_case if c.value else node.else_case
            return s.NOOP if chosen is None else self.stmt(chosen)
        then_case = self.stmt(node.then_case)
        else_case = None if node.else_case is None else self.stmt(node.else_case)
        if c is node.condition and then_case is node.then_case and else_case is node.else_case:
            return node
        return s.IfThenElse(c, then_case, else_case, node.span)

    def visit_block_realize(self, node: s.BlockRealize) -> Stmt:
        values, predicate, block = self.exprs(node.iter_values), self.expr(node.predicate), self.stmt(node.block)
        if values is node.iter_values and predicate is node.predicate and block is node.block:
            return node
        return node.replace(iter_values=values, predicate=predicate, block=block)

    def visit_block(self, node: s.Block) -> Stmt:
        changes: dict[str, object] = {
            "iter_vars": _same_or_new(node.iter_vars, [self.iter_var(a) for a in node.iter_vars]),
            "reads": self.regions(node.reads),
            "writes": self.regions(node.writes),
            "init": None if node.init is None else self.stmt(node.init),
            "body": self.stmt(node.body),
        }
        matches = [
            m if (source := self.region(m.source)) is m.source else s.MatchBufferRegion(m.buffer, source)
            for m in node.match_buffers
        ]
        changes["match_buffers"] = _same_or_new(node.match_buffers, matches)
        if all([getattr(node, field) is value for field, value in changes.items()]):
            return node
        return node.replace(**changes)

    def regions(self, nodes: tuple[BufferRegion, ...]) -> tuple[BufferRegion, ...]:
        """Rewrite the boxes that a block declares."""
        return _same_or_new(nodes, [self.region(n) for n in nodes])

    def region(self, node: BufferRegion) -> BufferRegion:
        """Rewrite a box of a buffer."""
        box = self.ranges(node.region)
        return node if box is node.region else BufferRegion(node.buffer, box)

    def visit_all_reduce(self, node: s.AllReduce) -> Stmt:
        values, condition = self.exprs(node.values), self.expr(node.condition)
        if values is node.values and condition is node.condition:
            return node
        return node.replace(values=values, condition=condition)


def _same_or_new(old: tuple[_T, ...], new: list[_T]) -> tuple[_T, ...]:
    return old if all([x is y for x, y in zip(old, new, strict=True)]) else tuple(new)


_REBUILD: dict[type, Callable[[Expr, Expr], Expr]] = {
    e.Add: operators.add,
    e.Sub: operators.subtract,
    e.Mul: operators.multiply,
    e.Min: operators.minimum,
    e.Max: operators.maximum,
}


def rebuild_binary(cls: type[e.BinaryOp], a: Expr, b: Expr) -> Expr:
    """Build ``cls(a, b)`` with constants folded."""
    build = _REBUILD.get(cls)
    if build is not None:
        return build(a, b)
    if issubclass(cls, e.CmpOp):
        return operators.compare(cls, a, b)
    if cls is e.And or cls is e.Or:
        return operators.logical(cls, a, b)
    if a.dtype is not b.dtype:  # an index of 64 bits took the place of one of 32
        a, b = operators.match_types(a, b)
    return operators.division(cls, a, b)


def expr_children(node: Expr) -> list[Expr]:
    """The operands of an expression, in field order (variables that a Let or Reduce binds are left out)."""
    return _CHILDREN.get(type(node), _other_children)(node)


def _two(node: e.BinaryOp) -> list[Expr]:
    return [node.a, node.b]


def _value(node: e.Cast | e.Broadcast) -> list[Expr]:
    return [node.value]


def _nothing(node: Expr) -> list[Expr]:
    return []


def _load(node: e.BufferLoad) -> list[Expr]:
    return [*node.indices] if node.predicate is None else [*node.indices, node.predicate]


def _other_children(node: Expr) -> list[Expr]:
    if isinstance(node, e.BinaryOp):
        return [node.a, node.b]
    if isinstance(node, e.Let):
        return [node.value, node.body]
    out: list[Expr] = []
    for field, kind in node._kinds.items():
        value = getattr(node, field)
        if isinstance(value, Expr):
            out.append(value)
        elif kind == "exprs":
            out += value
    return out


_LEAVES = frozenset((e.Var, e.SizeVar, e.IntImm, e.FloatImm, e.StringImm))

# The walks over a function spend most of their time here.
_CHILDREN: dict[type, Callable[..., list[Expr]]] = {
    **dict.fromkeys((e.Add, e.Sub, e.Mul, e.Div, e.Mod, e.FloorDiv, e.FloorMod, e.Min, e.Max), _two),
    **dict.fromkeys((e.EQ, e.NE, e.LT, e.LE, e.GT, e.GE, e.And, e.Or), _two),
    **dict.fromkeys(_LEAVES, _nothing),
    **dict.fromkeys((e.Cast, e.Broadcast), _value),
    e.Call: lambda node: [*node.args],
    e.BufferLoad: _load,
}


# Fields of statements that hold no expression and no statement, of whatever class, and those that hold variables.
_NO_TREES = frozenset(
    ("buffer", "span", "kind", "annotations", "dtype", "attr_key", "message", "storage_scope", "results")
)
_NO_CHILDREN = _NO_TREES | {"loop_var", "var", "buffer_var", "threads"}


@functools.cache
def _fields_with_trees(cls: type[Stmt]) -> tuple[str, ...]:
    return tuple([field for field in cls._fields if field not in _NO_TREES])


@functools.cache
def _fields_with_children(cls: type[Stmt]) -> tuple[str, ...]:
    return tuple([field for field in cls._fields if field not in _NO_CHILDREN])


def stmt_children(node: Stmt) -> list[Expr | Stmt]:
    """Expressions and bodies of a statement in evaluation order (bound variables are left out)."""
    out: list[Expr | Stmt] = []
    if isinstance(node, s.BufferStore):  # indices and value are read before the write
        out += [*node.indices, node.value]
        return out if node.predicate is None else [*out, node.predicate]
    if isinstance(node, s.SeqStmt):
        return [*node.seq]
    if isinstance(node, s.Block):
        return _block_children(node)
    for field in _fields_with_children(type(node)):
        value = getattr(node, field)
        if isinstance(value, (Expr, Stmt)):
            out.append(value)
        elif type(value) is tuple:
            for item in value:
                if isinstance(item, (Expr, Stmt)):
                    out.append(item)
                elif isinstance(item, e.Range):
                    out += [item.min, item.extent]
    return out


def _block_children(node: s.Block) -> list[Expr | Stmt]:
    boxes = [axis.dom for axis in node.iter_vars if axis.dom is not None]
    for region in (*node.reads, *node.writes, *[m.source for m in node.match_buffers]):
        boxes += region.region
    out: list[Expr | Stmt] = [x for r in boxes for x in (r.min, r.extent)]
    return [*out, node.body] if node.init is None else [*out, node.init, node.body]


_KEEP = 48  # a node with more free variables keeps no set of them: sets along a chain of n terms cost n*n


def free_vars(node: Expr) -> frozenset[Var]:
    """Variables that occur free in an expression; cached on small nodes.  Do not iterate where order matters."""
    known = _small_free(node)
    if known is not None:
        return known
    found: set[Var] = set()
    seen: dict[Expr, None] = {node: None}
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, (e.Let, e.Reduce)):  # binders: fall back to exact sets of the operands
            return _exact_free(node)
        for child in expr_children(item):
            if child in seen:
                continue
            seen[child] = None
            known = _small_free(child)
            if known is None:
                stack.append(child)
            else:
                found |= known
    return frozenset(found)


def _small_free(node: Expr) -> frozenset[Var] | None:
    """The cached set, or None for a node with many free variables."""
    cached = node._free
    if cached is None:
        for item in expr_post_order(node) if node.depth > 50 else (node,):
            cached = _fill_free(item)
    return None if cached is False else cached


def _fill_free(node: Expr) -> frozenset[Var] | Literal[False]:
    if node._free is not None:
        return node._free
    result: frozenset[Var] | Literal[False] = frozenset((node,)) if isinstance(node, Var) else frozenset()
    for child in expr_children(node):
        more = _fill_free(child)
        if more is False:
            result = False
            break
        result = more if not result else result if more <= result else result | more
    if result is not False:
        result = _without_bound(node, result)
        result = result if len(result) <= _KEEP else False
    object.__setattr__(node, "_free", result)
    return result


def _without_bound(node: Expr, inner: frozenset[Var]) -> frozenset[Var]:
    if isinstance(node, e.Let):
        return (inner - {node.var}) | free_vars(node.value)
    if isinstance(node, e.Reduce):
        return inner - {a.var for a in node.axis}
    return inner


def _exact_free(node: Expr) -> frozenset[Var]:
    """Free variables of a big expression with binders inside (rare; costs a set per node)."""
    sets: dict[Expr, frozenset[Var]] = {}
    for item in expr_post_order(node):
        inner = frozenset((item,)) if isinstance(item, Var) else frozenset[Var]()
        for child in expr_children(item):
            inner |= sets[child]
        sets[item] = _without_bound(item, inner)
    return sets[node]


class _Substitute(Mutator):
    def __init__(self, mapping: Mapping[Var, Expr]) -> None:
        super().__init__()
        self.mapping = mapping
        self.keys = mapping.keys()

    def visit(self, node: Expr) -> Expr:
        done = self.memo.get(node)
        if done is not None:
            return done
        free = node._free
        if free is None:
            free = _fill_free(node)
        if free is not False and free.isdisjoint(self.keys):
            return node
        done = self.memo[node] = self._table[type(node)](self, node)
        return done

    def visit_var(self, node: Var) -> Expr:
        return self.mapping.get(node, node)


def substitute(node: object, mapping: Mapping[Any, Any]) -> Any:  # Any: Expr gives Expr, Stmt gives Stmt
    """Replace variables.

    Args:
        node: an expression or a statement.
        mapping: from variable (or axis) to expression.

    Returns:
        The same kind of thing, rebuilt with constants folded; ``node`` itself if no variable occurs.
    """
    expect(mapping, Mapping, "substitute", "pass {variable: expression}")
    clean: dict[Var, Expr] = {(k if isinstance(k, Var) else k.var): operators.convert(v) for k, v in mapping.items()}
    if not clean:
        return node
    walker = _Substitute(clean)
    if isinstance(node, Stmt):
        return walker.stmt(node)
    return walker.expr(operators.convert(node))


def substitution(mapping: Mapping[Var, Expr]) -> Callable[[Expr], Expr]:
    """What replaces variables in one expression after another, and remembers what became of their common parts."""
    return _Substitute(mapping).expr if mapping else _unchanged


def _unchanged(node: Expr) -> Expr:
    return node


def post_order_visit(node: Stmt | Expr, fvisit: Callable[[Stmt | Expr], object]) -> None:
    """Call ``fvisit`` on every statement and on each distinct expression of each root, children first."""
    expect(node, (Stmt, Expr), "post_order_visit", "pass the body of a PrimFunc, or a part of one")
    for item in post_order(node):
        fvisit(item)


def post_order(node: Stmt | Expr) -> Iterable[Stmt | Expr]:
    """Statements and, for each root, distinct expressions, children first.  Needs no recursion."""
    if isinstance(node, Expr):
        yield from expr_post_order(node)
        return
    stack: list[tuple[Stmt | Expr, bool]] = [(node, False)]
    while stack:
        item, done = stack.pop()
        if isinstance(item, Expr):
            yield from expr_post_order(item)
        elif done:
            yield item
        else:
            stack.append((item, True))
            stack += [(child, False) for child in reversed(stmt_children(item))]


def stmt_post_order(root: Stmt) -> list[Stmt]:
    """Statements alone, children first: several times faster than :func:`post_order`.  Needs no recursion."""
    out: list[Stmt] = []
    stack = [root]
    while stack:  # parents first, last children first; then the other way round
        item = stack.pop()
        out.append(item)
        if not isinstance(item, (s.BufferStore, s.Evaluate)):
            stack += [child for child in stmt_children(item) if isinstance(child, Stmt)]
    return out[::-1]


_DEEP = 100  # where walks stop to use Python's own stack, which is several times faster


def expr_post_order(*roots: Expr) -> list[Expr]:
    """Distinct nodes under the roots, children first, in a deterministic order.  Needs no deep recursion."""
    seen: dict[Expr, None] = {}
    out: list[Expr] = []
    for root in roots:
        if root in seen:
            continue
        seen[root] = None
        if root.depth < _DEEP:
            _append_shallow(root, seen, out)
        else:
            _append_deep(root, seen, out)
    return out


def _append_shallow(node: Expr, seen: dict[Expr, None], out: list[Expr]) -> None:
    for child in _CHILDREN.get(type(node), _other_children)(node):
        if child in seen:
            continue
        seen[child] = None
        if type(child) in _LEAVES:
            out.append(child)
        elif child.depth < _DEEP:
            _append_shallow(child, seen, out)
        else:  # below a predicate, whose depth its load does not count
            _append_deep(child, seen, out)
    out.append(node)


def _append_deep(root: Expr, seen: dict[Expr, None], out: list[Expr]) -> None:
    """The same order, with a stack of our own; the root is seen already."""
    stack: list[Expr | tuple[Expr]] = [(root,), *reversed(expr_children(root))]
    while stack:
        item = stack.pop()
        if isinstance(item, tuple):  # its children are done
            out.append(item[0])
        elif item not in seen:
            seen[item] = None
            stack.append((item,))
            stack += [child for child in reversed(expr_children(item)) if child not in seen]


def ordered_vars(*roots: Expr) -> list[Var]:
    """Free variables in order of first appearance."""
    free: frozenset[Var] = frozenset()
    for root in roots:
        free |= free_vars(root)
    return [n for n in expr_post_order(*roots) if isinstance(n, Var) and n in free]


class _Transform(Mutator):
    def __init__(self, pre: Any, post: Any, only: tuple[type, ...] | None) -> None:
        super().__init__()
        self.pre, self.post, self.only = pre, post, only

    def _wrap(self, node: Any, walk: Callable[[Any], Any]) -> Any:
        if self.only is not None and not isinstance(node, self.only):
            return walk(node)
        if self.pre is not None:
            early = self.pre(node)
            if early is not None:
                return early
        node = walk(node)
        late = self.post(node) if self.post is not None else None
        return node if late is None else late

    def visit(self, node: Expr) -> Expr:
        done = self.memo.get(node)
        if done is None:
            done = self.memo[node] = self._wrap(node, lambda n: self._table[type(n)](self, n))
        return done

    def stmt(self, node: Stmt) -> Stmt:
        return self._wrap(node, lambda n: self._table[type(n)](self, n))


def ir_transform(
    stmt: Stmt,
    preorder: Callable[[Any], Any] | None,
    postorder: Callable[[Any], Any] | None,
    only_enable: tuple[type, ...] | list[type] | None = None,
) -> Stmt:
    """Rewrite a statement by callbacks.

    Args:
        stmt: what to rewrite.
        preorder: called before the children; a result that is not None replaces the node at once.
        postorder: called with the rebuilt node; a result that is not None replaces it.
        only_enable: node classes for which the callbacks are called; None means all.
    """
    expect(stmt, Stmt, "ir_transform", "pass the body of a PrimFunc, or a part of one")
    return _Transform(preorder, postorder, tuple(only_enable) if only_enable else None).stmt(stmt)
