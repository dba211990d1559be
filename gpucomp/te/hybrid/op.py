"""The operation that a hybrid script makes, and its nest: the script's loops as the schedule wants them.

The statements of a script stand in a tree of loops.  A *chain* is a run of loops each of which holds the next one and
nothing else; primitives work within a chain.  Loops that carry a dependence from one iteration to another (a sum, a
recurrence) keep their order among each other and do not run in parallel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any  # Any: attributes are the user's

from gpucomp.support.diagnostics import Span
from gpucomp.te.errors import schedule_error
from gpucomp.te.extern import BIND_KEY, ExternOp, guarded_body
from gpucomp.te.hybrid.dependence import carries_dependence
from gpucomp.te.message_passing import split_predicates
from gpucomp.te.nest import conjunction
from gpucomp.te.nest_rules import nest_rule
from gpucomp.te.operation import Operation
from gpucomp.te.relation import children_of, parents_of
from gpucomp.te.stage import Stage
from gpucomp.te.tensor import Tensor
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, IterVar, Var
from gpucomp.tir.functor import Mutator, free_vars, substitute
from gpucomp.tir.intrin import likely
from gpucomp.tir.stmt import ForKind, Stmt

if TYPE_CHECKING:
    from gpucomp.te.schedule_ops import Builder, Work

_PARALLEL = {"parallel": "parallel", "vectorize": "vectorized"}
_MOVES = ("reorder", "fuse", "tile")
_KINDS = {"parallel": ForKind.PARALLEL, "vectorize": ForKind.VECTORIZED, "unroll": ForKind.UNROLLED}


class HybridOp(ExternOp):
    """A script: an opaque operation whose loops are axes.

    Attributes:
        axis: an axis for each loop, in order of appearance.
        kinds: what the script itself says about each.
        chains: axes by chain, outermost first.
        serial: axes whose iterations depend on each other.
    """

    __slots__ = ("chains", "kinds", "serial")

    def __init__(
        self,
        name: str,
        tag: str,
        attrs: Mapping[str, Any] | None,
        inputs: tuple[Tensor, ...],
        input_placeholders: tuple[Buffer, ...],
        output_placeholders: tuple[Buffer, ...],
        shapes: tuple[tuple[Expr, ...], ...],
        body: Stmt,
        span: Span | None,
        axis: tuple[IterVar, ...],
        kinds: Mapping[IterVar, str],
    ) -> None:
        super().__init__(name, tag, attrs, inputs, input_placeholders, output_placeholders, shapes, body, span)
        self.axis = axis
        self.kinds = dict(kinds)
        by_var = {a.var: a for a in axis}
        self.chains: list[list[IterVar]] = []
        self.serial: dict[IterVar, None] = {}
        self._look(body, by_var, None)

    def _look(self, node: Stmt, by_var: Mapping[Var, IterVar], chain: list[IterVar] | None) -> None:
        if isinstance(node, s.For):
            axis = by_var[node.loop_var]
            if chain is None:
                chain = []
                self.chains.append(chain)
            chain.append(axis)
            if carries_dependence(node):
                self.serial[axis] = None
            self._look(node.body, by_var, chain)
            return
        for field in node._fields:
            child = getattr(node, field)
            for item in child if type(child) is tuple else (child,):
                if isinstance(item, Stmt):
                    self._look(item, by_var, None)

    @property
    def root_iter_vars(self) -> tuple[IterVar, ...]:
        return self.axis

    @property
    def structure(self) -> tuple[object, ...] | None:
        kinds = tuple([self.kinds.get(a, "") for a in self.axis])
        return (self.inputs, self.input_placeholders, self.output_placeholders, self.body, kinds)

    def replace_inputs(self, mapping: Mapping[Tensor, Tensor]) -> Operation:
        if not any([t in mapping for t in self.inputs]):
            return self
        inputs = tuple([mapping.get(t, t) for t in self.inputs])
        shapes = tuple([t.shape for t in self._outputs])
        return HybridOp(
            self.name, self.tag, self.attrs, inputs, self.input_placeholders, self.output_placeholders, shapes,
            self.body, self.span, self.axis, self.kinds,
        )  # fmt: skip


@nest_rule(HybridOp)
def hybrid_nest(builder: Builder, work: Work) -> Stmt:
    """The loops of a script after split, fuse, reorder and annotations."""
    op = work.op
    assert isinstance(op, HybridOp)
    body = _Nest(builder, work, op).stmt(op.body)
    mapping = {var: value for var, value in work.mapping.items() if value is not var}
    return s.AttrStmt(op, BIND_KEY, 0, guarded_body(builder, work, substitute(body, mapping)), op.span)


class _Nest(Mutator):
    """Replaces each chain by the loops that the schedule made of it."""

    def __init__(self, builder: Builder, work: Work, op: HybridOp) -> None:
        super().__init__()
        self.builder, self.work, self.op = builder, work, op
        stage = work.stage
        self.roots = _roots(stage)
        self.chain_of = {axis: k for k, chain in enumerate(op.chains) for axis in chain}
        self.heads = {chain[0].var: k for k, chain in enumerate(op.chains)}
        self.leaves: list[list[IterVar]] = [[] for _ in op.chains]
        order: list[int] = []
        for leaf in work.leaves:
            home = list(dict.fromkeys([self.chain_of[r] for r in self.roots[leaf]]))
            if len(home) > 1:
                raise self._error(leaf, "was fused of loops between which other statements stand")
            self.leaves[home[0]].append(leaf)
            order.append(home[0])
        for leaf, before, after in zip(work.leaves[1:], order, order[1:], strict=False):
            if after < before:
                raise self._error(leaf, "was moved across a loop that it is not perfectly nested with")
        for chain in self.leaves:
            self._check_order(chain)

    def _error(self, leaf: IterVar, problem: str) -> Exception:
        stage = self.work.stage
        steps = [x for x in stage.schedule.trace.steps if x.op is stage.origin_op and x.primitive in _MOVES]
        return schedule_error(
            "GC145",
            f"axis {leaf.name!r} of hybrid script {stage.name} {problem}",
            stage=stage,
            where=next((step.span for step in reversed(steps)), stage.span),
            hint="primitives work on loops each of which holds the next one and nothing else",
        )

    def _check_order(self, chain: list[IterVar]) -> None:
        """Loops that carry dependences keep their order, and run one iteration after another."""
        stage, serial = self.work.stage, self.op.serial
        found: list[IterVar] = []
        for leaf in chain:
            mine = [r for r in self.roots[leaf] if r in serial]
            if not mine:
                continue
            found.append(leaf)
            attr = stage.iter_var_attrs.get(leaf)
            what = "" if attr is None else _PARALLEL.get(attr.kind, "")
            if attr is not None and attr.bind_thread is not None:
                what = f"bound to {attr.bind_thread.thread_tag}"
            if what:
                raise schedule_error(
                    "GC146",
                    f"axis {leaf.name!r} of hybrid script {stage.name} is {what}, but its iterations depend on each "
                    f"other: loop {mine[0].name!r} reads or writes again what another iteration wrote",
                    stage=stage,
                    where=None if attr is None else attr.bind_span or attr.kind_span,
                    hint="choose a loop that indexes everything that is written inside of it",
                )
        wanted = [leaf for leaf in self._in_script_order(chain) if leaf in found]
        for leaf, expected in zip(found, wanted, strict=True):
            if leaf is not expected:
                raise self._error(leaf, f"changed places with {expected.name!r}, though both carry dependences")

    def _in_script_order(self, chain: list[IterVar]) -> list[IterVar]:
        """The leaves as they stand without reorder: each axis is replaced in place by what it becomes."""
        order: list[IterVar] = list(self.op.axis)
        for rel in self.work.stage.relations:
            old, new = parents_of(rel), children_of(rel)
            places = [k for k, iv in enumerate(order) if any([iv is o for o in old])]
            if places:
                order[min(places)] = new[0]
                order = [iv for k, iv in enumerate(order) if k not in places[1:]] if len(old) > 1 else order
                order[min(places) + 1 : min(places) + 1] = new[1:]
            else:
                order += new
        return [iv for iv in order if any([iv is leaf for leaf in chain])]

    def visit_for(self, node: s.For) -> Stmt:
        chain = self.heads.get(node.loop_var)
        assert chain is not None
        inner: Stmt = node
        for _ in self.op.chains[chain]:
            assert isinstance(inner, s.For)
            inner = inner.body
        return self._loops(chain, self.stmt(inner))

    def _loops(self, chain: int, body: Stmt) -> Stmt:
        work, builder, bounds = self.work, self.builder, self.builder.bounds
        stage, leaves = work.stage, self.leaves[chain]
        made = split_predicates(stage, bounds.doms, work.values, forms=bounds.forms)
        conditions = [c for axis, c in made if self.chain_of[self.roots[axis][0]] == chain]
        test = conjunction([likely(c) for c in conditions])
        if test is not None:
            body = s.IfThenElse(test, body, None, stage.span)
        positions = {leaf: k for k, leaf in enumerate(work.leaves)}
        for place in reversed(range(len(leaves))):
            leaf = leaves[place]
            for child in reversed(work.children.get(positions[leaf], ())):
                body = builder.pipeline(child, body)
            self._check_extent(leaf, leaves[:place])
            body = builder.loops.loop(stage, leaf, body)
            kind = _KINDS.get(self.op.kinds.get(leaf, ""))
            if kind is not None and isinstance(body, s.For) and body.kind is ForKind.SERIAL:
                body = body.replace(kind=kind)
        return body

    def _check_extent(self, leaf: IterVar, outside: list[IterVar]) -> None:
        """The bounds of a loop may depend on loops outside of it only."""
        dom = self.builder.bounds.doms[leaf]
        used = free_vars(dom.min) | free_vars(dom.extent)
        chain = self.chain_of[self.roots[leaf][0]]
        for axis in self.op.chains[chain]:
            if axis.var not in used:
                continue
            parts = [iv for iv in self.leaves[chain] if any([r is axis for r in self.roots[iv]])]
            if not all([any([p is iv for iv in outside]) for p in parts]):
                raise self._error(leaf, f"has a bound that depends on loop {axis.name!r}, now inside of it")


def _roots(stage: Stage) -> dict[IterVar, tuple[IterVar, ...]]:
    """For each axis: the loops of the script that it is made of."""
    out: dict[IterVar, tuple[IterVar, ...]] = {iv: (iv,) for iv in stage.op.root_iter_vars}
    for rel in stage.relations:
        roots = tuple(dict.fromkeys([r for p in parents_of(rel) for r in out[p]]))
        out.update(dict.fromkeys(children_of(rel), roots))
    return out
