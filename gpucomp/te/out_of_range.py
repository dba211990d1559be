"""Reads that are certainly past the ends of a tensor: an error at the ``te.compute`` that makes them.

Only what happens on every run counts.  Outputs are computed whole; what an unconditional read of them reaches is
computed too, and so on to the inputs.  An index is judged where it is monotone in each loop variable and its parts
share none: then its ends are reached, at corners of the box of iterations.  Reads under a condition
(``if_then_else``, ``Select``, ``and``, ``or``, the ``where`` of a reduction), indices that data decide, and extents
that cannot be compared are left to ``GPUCOMP_VERIFY=3``, which runs the program.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gpucomp.support.diagnostics import TensorError
from gpucomp.te.operation import ComputeOp, Operation
from gpucomp.te.tensor import Tensor
from gpucomp.tir import operators
from gpucomp.tir.expr import (
    Add,
    And,
    Call,
    Cast,
    Expr,
    FloorDiv,
    IntImm,
    Max,
    Min,
    Mul,
    Or,
    ProducerLoad,
    Reduce,
    Select,
    Sub,
    Var,
    is_const_int,
)
from gpucomp.tir.functor import expr_children
from gpucomp.tir.intrin import Op

# More boxes of one tensor that is read in many places say no more than the first ones.
_MOST_BOXES = 4
_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Form:
    """A constant plus multiples of symbolic variables."""

    constant: int
    terms: tuple[tuple[Var, int], ...] = ()

    def plus(self, other: Form, times: int = 1) -> Form:
        """The sum with a multiple of another one."""
        if not self.terms and not other.terms:
            return Form(self.constant + times * other.constant)
        terms = dict(self.terms)
        for var, factor in other.terms:
            terms[var] = terms.get(var, 0) + times * factor
        return Form(self.constant + times * other.constant, tuple([(v, k) for v, k in terms.items() if k]))

    def expr(self) -> Expr:
        """The same as an expression, for messages."""
        out: Expr | None = None
        for var, factor in self.terms:
            term = operators.multiply(var, factor)
            out = term if out is None else operators.add(out, term)
        if out is None:
            return operators.const(self.constant)
        return operators.add(out, self.constant) if self.constant else out


@dataclass(frozen=True, slots=True)
class Ends:
    """The least and the greatest value of an index, both reached, and the loop variables that decide."""

    low: Form
    high: Form
    used: frozenset[Var] = frozenset()


Box = dict[Var, Ends]


def check_reads(ops: Sequence[Operation], outputs: Sequence[Operation]) -> None:
    """Refuse a graph with a read that is out of range whenever it runs.

    Args:
        ops: of the graph, producers first.
        outputs: those that are computed whole.

    Raises:
        TensorError: GC223, at the line of the compute.
    """
    needed: dict[Tensor, list[tuple[Ends, ...]]] = {}
    for op in outputs:
        if isinstance(op, ComputeOp) and (whole := _whole(op)) is not None:
            needed[op.outputs[0]] = [whole]
    for op in reversed(ops):
        if not isinstance(op, ComputeOp):
            continue
        boxes = [box for tensor in op.outputs for box in needed.get(tensor, ())]
        reads = list(_certain_reads(op)) if boxes else []
        for box in boxes:
            _follow(op, box, reads, needed)


def _whole(op: ComputeOp) -> tuple[Ends, ...] | None:
    found: list[Ends] = []
    for extent in op.output(0).shape:
        last = form_of(extent)
        if last is None or is_const_int(extent, 0):
            return None
        found.append(Ends(Form(0), last.plus(Form(-1))))
    return tuple(found)


def form_of(value: object) -> Form | None:
    """An extent as a form; None for what is neither constant nor linear."""
    ends = ends_of(operators.convert(value), {})
    return ends.low if ends is not None and ends.low == ends.high else None


def _follow(
    op: ComputeOp,
    region: tuple[Ends, ...],
    reads: list[ProducerLoad],
    needed: dict[Tensor, list[tuple[Ends, ...]]],
) -> None:
    """Check the reads of one box of a result, and note the boxes of its producers that they reach."""
    box = {axis.var: Ends(e.low, e.high, frozenset({axis.var})) for axis, e in zip(op.axis, region, strict=True)}
    for axis in op.reduce_axis:
        low, extent = (form_of(axis.dom.min), form_of(axis.dom.extent)) if axis.dom is not None else (None, None)
        if low is not None and extent is not None and not (not extent.terms and extent.constant < 1):
            box[axis.var] = Ends(low, low.plus(extent).plus(Form(-1)), frozenset({axis.var}))
    bound = {axis.var for axis in op.root_iter_vars}
    for load in reads:
        all_ends = [None if _unknown(index, bound, box) else ends_of(index, box) for index in load.indices]
        for dimension, ends in enumerate(all_ends):
            if ends is not None:
                _check(op, load, dimension, ends)
        known = [ends for ends in all_ends if ends is not None]
        used = [var for ends in known for var in ends.used]
        boxes = needed.setdefault(load.producer, [])
        exact = len(known) == len(all_ends) and len(used) == len(set(used))
        if exact and len(boxes) < _MOST_BOXES:
            made = tuple([Ends(e.low, e.high) for e in known])
            boxes += [] if made in boxes else [made]


def _unknown(index: Expr, bound: set[Var], box: Box) -> bool:
    """Whether an index uses a loop variable whose values are not known: it is no symbol then."""
    return len(box) < len(bound) and any([v in bound and v not in box for v in _vars(index)])


def _vars(root: Expr) -> Iterator[Var]:
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, Var):
            yield node
        stack += expr_children(node)


def _check(op: ComputeOp, load: ProducerLoad, dimension: int, ends: Ends) -> None:
    extent = form_of(load.producer.shape[dimension])
    if extent is None:
        return
    past = ends.high.plus(extent, -1)
    index = load.indices[dimension]
    if not past.terms and past.constant >= 0:
        limit = load.producer.shape[dimension]
        reached, mend = f"reaches {ends.high.expr()}, but the extent is {limit}", f"{index} < {limit}"
    elif not ends.low.terms and ends.low.constant < 0:
        reached, mend = f"goes down to {ends.low.constant}", f"{index} >= 0"
    else:
        return
    name = load.producer.name
    raise TensorError(
        f"compute {op.name!r} reads {load}: the index of dimension {dimension} of {name} {reached}",
        code="GC223",
        where=op.span,
        hint=f"change the shape of {op.name!r}, pad {name}, or guard the read: te.if_then_else({mend}, {load}, 0)",
    )


def _certain_reads(op: ComputeOp) -> Iterator[ProducerLoad]:
    """Reads that happen in each iteration, whatever data and indices are."""
    for node in certain(op.body):
        if type(node) is ProducerLoad:
            yield node


def certain(roots: Sequence[Expr]) -> Iterator[Expr]:
    """Parts of expressions that are evaluated wherever the expressions are, each once."""
    stack: list[Expr] = list(roots)
    seen: dict[Expr, None] = {}
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen[node] = None
        yield node
        if isinstance(node, Reduce):
            stack += node.source if is_const_int(node.condition, 1) else ()
        elif isinstance(node, (Select, And, Or)) or _chooses(node):
            stack.append(expr_children(node)[0])
        else:
            stack += expr_children(node)


def _chooses(node: Expr) -> bool:
    return isinstance(node, Call) and isinstance(node.op, Op) and node.op.name == "tir.if_then_else"


# -- ends of an index ------------------------------------------------------------------------------------------------


def ends_of(node: Expr, box: Box) -> Ends | None:
    """The ends of an index over a box; None where they need not be reached."""
    if isinstance(node, Var):  # most indices
        symbol = Form(0, ((node, 1),))
        return box.get(node) or Ends(symbol, symbol)
    if isinstance(node, IntImm):
        return Ends(Form(node.value), Form(node.value))
    if node.depth > _DEEPEST:
        return None
    atoms: dict[Expr, int] = {}
    constant = _linear(node, atoms)
    low = high = Form(constant)
    used: frozenset[Var] = frozenset()
    for atom, factor in atoms.items():
        if not factor:
            continue
        ends = ends_of(atom, box) if isinstance(atom, Var) else _monotone(atom, box)
        if ends is None or not used.isdisjoint(ends.used):
            return None
        used |= ends.used
        first, last = (ends.low, ends.high) if factor > 0 else (ends.high, ends.low)
        low, high = low.plus(first, factor), high.plus(last, factor)
    return Ends(low, high, used)


def _linear(root: Expr, atoms: dict[Expr, int]) -> int:
    """Split an expression into multiples of atoms, which go into ``atoms``, and a constant."""
    constant = 0
    stack = [(root, 1)]
    while stack:
        node, factor = stack.pop()
        if isinstance(node, IntImm):
            constant += factor * node.value
        elif isinstance(node, (Add, Sub)):
            stack += [(node.a, factor), (node.b, factor if isinstance(node, Add) else -factor)]
        elif isinstance(node, Mul) and isinstance(node.b, IntImm):
            stack.append((node.a, factor * node.b.value))
        elif isinstance(node, Mul) and isinstance(node.a, IntImm):
            stack.append((node.b, factor * node.a.value))
        elif isinstance(node, Cast) and node.dtype.is_int and node.dtype.bits >= node.value.dtype.bits >= 32:
            stack.append((node.value, factor))
        else:
            atoms[node] = atoms.get(node, 0) + factor
    return constant


def _monotone(node: Expr, box: Box) -> Ends | None:
    """The ends of a quotient by a positive number, or of a minimum or maximum of parts that share no variable."""
    if isinstance(node, FloorDiv) and isinstance(node.b, IntImm) and node.b.value > 0:
        inner = ends_of(node.a, box)
        if inner is None or inner.low.terms or inner.high.terms:
            return None
        by = node.b.value
        return Ends(Form(inner.low.constant // by), Form(inner.high.constant // by), inner.used)
    if not isinstance(node, (Min, Max)):
        return None
    a, b = ends_of(node.a, box), ends_of(node.b, box)
    if a is None or b is None or not a.used.isdisjoint(b.used):
        return None
    if a.low.terms or a.high.terms or b.low.terms or b.high.terms:
        return None
    pick = min if isinstance(node, Min) else max
    low = pick(a.low.constant, b.low.constant)
    return Ends(Form(low), Form(pick(a.high.constant, b.high.constant)), a.used | b.used)
