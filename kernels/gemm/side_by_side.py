"""fp32 products whose last columns or rows of tiles are computed by a kernel of their own.

Blocks of large tiles run in rounds, one on each place of a multiprocessor; where the last round has few of them, most
multiprocessors wait for it.  Then whole rounds are computed with the tile that is fastest, and what is left over with
smaller tiles or in parts of k, which fill the GPU once more for a part of a round.  Both kernels write into one result
(``te.join``).  On an H100 with fp32 (4096, 11008, 4096) takes 6950 us so, and 7263 us in one kernel; with the second
operand along k 7130 and 7440, with both along rows 6985 and 6849: two tiles fit a multiprocessor there, and end less
together, so that these stay whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from gpucomp import te
from gpucomp.arith import Analyzer
from gpucomp.kernels.gemm.epilogue import product_of
from gpucomp.kernels.gemm.layout import operands_of
from gpucomp.kernels.gemm.rows_first import plan_of, rows_first
from gpucomp.kernels.gemm.schedule_simt import applies, schedule_simt
from gpucomp.kernels.gemm.tiles import Choice, choose, legal_tiles, multiprocessors
from gpucomp.kernels.registry import Definition, Extent, extent
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor
from gpucomp.tir.expr import Expr, ProducerLoad, Reduce, Var
from gpucomp.tir.functor import Mutator, substitute

Form: TypeAlias = Callable[[Sequence[Extent], str, Target], Definition | None]

GAIN: Final = 0.98  # of the time of one kernel: a second one is worth its compilation
LEAST_US: Final = 500.0
MEASURED: Final = "sm_90a"  # where gains are known; elsewhere further kernels would only be sure to compile longer


class Cut(NamedTuple):
    """Where a product is cut: after ``at`` rows (axis 0) or columns (axis 1), and what both pieces take."""

    axis: int
    at: int
    microseconds: float


def cut_of(defn: Definition, target: Target) -> Cut | None:
    """The best cut by the model; None where one kernel is as fast, or the products are not those of tiles."""
    whole = applies(defn, target)
    operands = operands_of(defn)
    m, n, k = operands.m, operands.n, operands.k
    floats = str(defn.inputs[0].dtype) == "float32"
    if whole is None or not floats or m is None or n is None or k is None or operands.batched:
        return None
    if whole.microseconds < LEAST_US or n % 4 or operands.padded == 0:
        return None
    found: list[Cut] = []
    for tile in legal_tiles((m, n, k), target, operands.padded):
        slots = multiprocessors(target) * tile.resident
        rows, columns = -(-m // tile.m), -(-n // tile.n)
        rounds = rows * columns // slots
        for axis, lines, across, side in ((0, rows, columns, tile.m), (1, columns, rows, tile.n)):
            first = rounds * slots // across
            if not 0 < first < lines:
                continue
            at = first * side
            pieces = [(at, n), (m - at, n)] if axis == 0 else [(m, at), (m, n - at)]
            head, tail = [choose((*piece, k), target, 1, operands.padded) for piece in pieces]
            if head is not None and tail is not None and head.parts == 1:
                found.append(Cut(axis, at, head.microseconds + tail.microseconds))
    best = min(found, key=lambda cut: cut.microseconds, default=None)
    return best if best is not None and best.microseconds < GAIN * whole.microseconds else None


def cut(defn: Definition, axis: int, at: int) -> Definition:
    """The same product, and what follows it elementwise, in two pieces along an axis of the result."""
    (out,) = defn.outputs
    size = extent(out.shape[axis])
    assert size is not None
    pieces = [_piece(defn, axis, 0, at, "head"), _piece(defn, axis, at, size - at, "tail")]
    whole = te.join([piece.outputs[0] for piece in pieces], axis, name=out.op.name)
    made = [t for piece in pieces for t in (*piece.intermediates, *piece.outputs)]
    return Definition(defn.inputs, (whole,), tuple(made))


def pieces_of(defn: Definition) -> list[Definition]:
    """The definitions of the pieces of one that was cut; none of another."""
    (out,) = defn.outputs
    if not isinstance(out.op, te.JoinOp):
        return []
    pieces: list[Definition] = []
    for part in out.op.parts:
        needed = {part: None}
        for tensor in reversed(defn.intermediates):
            if tensor in needed:
                needed |= dict.fromkeys(tensor.op.input_tensors)
        between = tuple([t for t in defn.intermediates if t in needed and t is not part])
        pieces.append(Definition(defn.inputs, (part,), between))
    return pieces


def better_form(define: Callable[[Sequence[Extent], str], Definition]) -> Form:
    """What makes another definition of a product where the model says that it is faster, else None.

    In two pieces, or of operands that are written out along rows first.
    """

    def form(shape: Sequence[Extent], dtype: str, target: Target) -> Definition | None:
        if target.arch != MEASURED or not all([isinstance(size, int) for size in shape]):
            return None
        defn = define(shape, dtype)
        found, plan = cut_of(defn, target), plan_of(defn, target)
        if plan is not None and (found is None or plan.microseconds < found.microseconds):
            return rows_first(defn, target, plan.choice.tile.k)
        return None if found is None else cut(defn, found.axis, found.at)

    return form


def why(pieces: Sequence[Definition], target: Target) -> str:
    """What led to the tiles of the pieces."""
    choices = [applies(piece, target) for piece in pieces]
    return "; then ".join([c.reason for c in choices if c is not None])


def schedule_pieces(defn: Definition, target: Target, choices: Sequence[Choice] = ()) -> Schedule:
    """Schedule a product that was cut: each piece as the model says, or as ``choices`` say."""
    s = te.create_schedule(defn.outputs[0].op)
    pieces = pieces_of(defn)
    for piece, choice in zip(pieces, choices or [applies(piece, target) for piece in pieces], strict=True):
        assert choice is not None
        schedule_simt(piece, choice, s)
    return s


def _piece(defn: Definition, axis: int, first: int, size: int, which: str) -> Definition:
    product = product_of(defn)
    made: dict[Tensor, Tensor] = {}
    for tensor in (*defn.intermediates, *defn.outputs):
        shape = [size if d == axis else extent for d, extent in enumerate(tensor.shape)]
        made[tensor] = te.compute(shape, _Body(tensor, axis, first, made), name=f"{tensor.op.name}_{which}")
    between = tuple([made[t] for t in defn.intermediates])
    assert product in made
    return Definition(defn.inputs, (made[defn.outputs[0]],), between)


class _Body:
    """The expression of one element of a tensor, ``first`` further along an axis."""

    def __init__(self, tensor: Tensor, axis: int, first: int, made: Mapping[Tensor, Tensor]) -> None:
        self.tensor, self.axis, self.first, self.made = tensor, axis, first, made

    def __call__(self, i: Var, j: Var) -> Expr:
        op = self.tensor.op
        assert isinstance(op, te.ComputeOp)
        (body,) = op.body
        values: dict[Var, Expr] = {}
        for d, (old, new) in enumerate(zip(op.axis, (i, j), strict=True)):
            values[old.var] = new + self.first if d == self.axis and self.first else new
        moved = _Moved(self.axis, self.first, self.made)
        if not isinstance(body, Reduce):
            return moved.expr(substitute(body, values))
        (old_k,) = body.axis
        assert old_k.dom is not None
        k = te.reduce_axis((0, old_k.dom.extent), old_k.var.name)
        return te.sum(moved.expr(substitute(body.source[0], values | {old_k.var: k.var})), axis=k)


class _Moved(Mutator):
    """Loads of tensors that were cut, counted from the start of the piece."""

    def __init__(self, axis: int, first: int, made: Mapping[Tensor, Tensor]) -> None:
        super().__init__()
        self.axis, self.first, self.made = axis, first, made
        self.analyzer = Analyzer()

    def visit_producer_load(self, node: ProducerLoad) -> Expr:
        if node.producer not in self.made:
            return node
        indices = list(node.indices)
        indices[self.axis] = self.analyzer.simplify(indices[self.axis] - self.first)
        return ProducerLoad(self.made[node.producer], tuple(indices))
