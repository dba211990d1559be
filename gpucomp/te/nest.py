"""Loops and guards: the pieces that nests are built from."""

from __future__ import annotations

from collections.abc import Mapping

from gpucomp.te.bound import Bounds
from gpucomp.te.errors import schedule_error
from gpucomp.te.pragmas import WHOLE_TILES
from gpucomp.te.scopes import is_virtual
from gpucomp.te.stage import Stage
from gpucomp.te.stage_state import AxisAttr
from gpucomp.tir import operators
from gpucomp.tir.expr import And, Expr, IntImm, IterVar, Range, Var
from gpucomp.tir.functor import free_vars, substitute
from gpucomp.tir.intrin import likely
from gpucomp.tir.stmt import AttrStmt, For, ForKind, IfThenElse, Stmt

_KINDS: dict[str, ForKind] = {
    "": ForKind.SERIAL,
    "vectorize": ForKind.VECTORIZED,
    "unroll": ForKind.UNROLLED,
    "parallel": ForKind.PARALLEL,
    "tensorize": ForKind.SERIAL,  # what the intrinsic means, on targets that lack it
}


def _kind(attr: AxisAttr) -> ForKind:
    if not attr.kind and any([key == "unroll" for key, *_ in attr.pragmas]):
        return ForKind.UNROLLED
    return _KINDS[attr.kind]


def conjunction(conditions: list[Expr]) -> Expr | None:
    """All of the conditions; None when there are none."""
    result: Expr | None = None
    for c in conditions:
        result = c if result is None else operators.logical(And, result, c)
    return result


class Guard:
    """Conditions by the loop just inside of which they are checked (-1: outside of all)."""

    def __init__(self) -> None:
        self.levels: dict[int, list[Expr]] = {}

    def add(self, level: int, condition: Expr) -> None:
        """Check ``condition`` inside of loop ``level``; a bound check that only the last tile fails."""
        self.levels.setdefault(level, []).append(likely(condition))

    def wrap(self, level: int, body: Stmt) -> Stmt:
        """``body`` under the conditions of one level."""
        condition = conjunction(self.levels.get(level, []))
        return body if condition is None else IfThenElse(condition, body)


class Loops:
    """What the leaves of stages are in the generated code: loops, thread variables, or nothing."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._again: dict[IterVar, IterVar] = {}
        self._thread_vars: dict[Stage, dict[Var, Expr]] = {}

    def var(self, stage: Stage, leaf: IterVar) -> Var:
        """The variable that stands for a leaf."""
        thread = self.bounds.thread(stage, leaf)
        return leaf.var if thread is None else thread.var

    def value(self, stage: Stage, leaf: IterVar) -> Expr:
        """The value of a leaf: 0 where it has one iteration only."""
        if self.bounds.is_single(leaf):
            return operators.const(0, leaf.var.dtype)
        return operators.cast(leaf.var.dtype, self.var(stage, leaf))

    def store_predicate(self, stage: Stage, condition: Expr, values: Mapping[IterVar, Expr]) -> Expr:
        """A condition over the user's thread axes and the stage's own axes, over what stands for them in the code.

        A thread axis may be a fresh one: a variable named as a tag means the thread of that tag.

        Raises:
            ScheduleError: GC104 it uses a reduction loop, or something that is no axis of the kernel.
        """
        root = self.bounds.root_of(stage)
        threads = self._thread_vars.get(root)
        if threads is None:
            threads = self._thread_vars[root] = self._user_threads(root)
        self._refuse_reduction(stage, condition)
        mapping: dict[Var, Expr] = {axis.var: value for axis, value in values.items()}
        mapping.update(threads)
        uses = self.bounds.kernels[root]
        for v in free_vars(condition):
            use = uses.get(v.name)
            if v not in mapping and use is not None:
                single = use.leaf is not None and self.bounds.is_single(use.leaf)
                mapping[v] = operators.const(0, v.dtype) if single else use.axis.var
        result: Expr = substitute(condition, mapping)
        extents = [d for s in self.bounds.paths for tensor in s.op.outputs for d in tensor.shape]
        known = {v for d in extents for v in free_vars(d)}
        unknown = [v.name for v in free_vars(result) if v not in self.bounds.forms.ranges and v not in known]
        if unknown:
            raise schedule_error(
                "GC104",
                f"the store predicate of stage {stage.name} uses {min(unknown)!r}, to which no loop of its "
                "kernel is bound",
                stage=stage,
                where=stage.store_predicate_span or stage.span,
                hint="use thread axes that the stages of this kernel are bound to",
            )
        return result

    def _refuse_reduction(self, stage: Stage, condition: Expr) -> None:
        used = free_vars(condition)
        reduced = [a.name for a in stage.all_iter_vars if a.iter_type == IterVar.CommReduce and a.var in used]
        if not reduced:
            return
        raise schedule_error(
            "GC104",
            f"the store predicate of stage {stage.name} uses its reduction axis {reduced[0]!r}: the elements are "
            "initialised outside of that loop",
            stage=stage,
            where=stage.store_predicate_span or stage.span,
            hint="use thread axes and data-parallel axes; te.sum(..., where=...) leaves terms out",
        )

    def _user_threads(self, root: Stage) -> dict[Var, Expr]:
        out: dict[Var, Expr] = {}
        for stage in self.bounds.paths:
            if self.bounds.root_of(stage) is not root:
                continue
            for leaf in stage.leaf_iter_vars:
                bound = stage.bound_thread(leaf)
                if bound is not None:
                    out[bound.var] = self.value(stage, leaf)
        return out

    def again(self, stage: Stage, leaf: IterVar) -> IterVar:
        """A second axis like ``leaf``, for a nest that runs it another time; threads are the same ones."""
        thread = self.bounds.thread(stage, leaf)
        if self.bounds.is_single(leaf) or (thread is not None and not is_virtual(thread.thread_tag)):
            return leaf
        fresh = IterVar(leaf.dom, Var(f"{leaf.name}.init", leaf.var.dtype), leaf.iter_type)
        self._again[fresh] = leaf
        self.bounds.doms[fresh] = self.bounds.doms[leaf]
        return fresh

    def loop(self, stage: Stage, leaf: IterVar, body: Stmt) -> Stmt:
        """The loop of a leaf around ``body``; nothing for threads (they enclose the kernel) and single iterations."""
        origin = self._again.get(leaf, leaf)
        attr = stage.iter_var_attrs.get(origin)
        dom = self.bounds.doms[leaf]
        thread = self.bounds.thread(stage, origin)
        if attr is None:
            return body if self.bounds.is_single(leaf) else For(leaf.var, dom.min, dom.extent, ForKind.SERIAL, body)
        self._check_kind(stage, origin, dom)
        span = attr.kind_span or attr.bind_span
        body = self._prefetching(stage, origin, body)
        if thread is not None:
            if is_virtual(thread.thread_tag) and not self.bounds.is_single(leaf):
                body = self._virtual(stage, leaf, origin, thread, body)
        elif not self.bounds.is_single(leaf):
            body = For(leaf.var, dom.min, dom.extent, _kind(attr), body, span=span)
        node = IterVar(dom, self.var(stage, origin), origin.iter_type)
        for key, value, where in reversed(attr.pragmas):
            if key in ("unroll", WHOLE_TILES):
                continue  # the kind of the loop; what bound inference has done
            body = AttrStmt(node, f"pragma_{key}", value, body, where or span)
        return body

    def _prefetching(self, stage: Stage, leaf: IterVar, body: Stmt) -> Stmt:
        attr = stage.attr(leaf)
        if self.bounds.is_single(leaf):
            return body
        for tensor, offset, span in reversed(attr.prefetches):
            if attr.bind_thread is not None or attr.kind == "vectorize":
                how = "is vectorised" if attr.bind_thread is None else f"is bound to {attr.bind_thread.thread_tag}"
                raise schedule_error(
                    "GC104",
                    f"prefetch of {tensor.name}: axis {leaf.name!r} of stage {stage.name} {how}, so that it has no "
                    "next iteration",
                    stage=stage,
                    where=span,
                    hint="prefetch along a loop that runs serially",
                )
            body = AttrStmt(stage.schedule.current(tensor), "prefetch_scope", offset, body, span)
        return body

    def _virtual(self, stage: Stage, leaf: IterVar, origin: IterVar, thread: IterVar, body: Stmt) -> Stmt:
        if leaf is origin and any([self.bounds.thread(s, iv) is thread for s, iv in self.bounds.paths[stage]]):
            return body  # the enclosing stage runs this axis already
        dom = self.bounds.doms[leaf]
        var = thread.var if leaf is origin else leaf.var
        node = IterVar(Range.from_min_extent(0, dom.extent), var, IterVar.ThreadIndex, thread.thread_tag)
        return AttrStmt(node, "virtual_thread", dom.extent, body, stage.attr(origin).bind_span)

    def _check_kind(self, stage: Stage, leaf: IterVar, dom: Range) -> None:
        attr = stage.attr(leaf)
        reduces = leaf.iter_type == IterVar.CommReduce
        if attr.kind == "vectorize" and not isinstance(dom.extent, IntImm):
            raise schedule_error(
                "GC123",
                f"axis {leaf.name!r} of stage {stage.name} is vectorised, but its extent {dom.extent} is no constant",
                stage=stage,
                where=attr.kind_span,
                hint=f"s[{stage.name}].split({leaf.name}, factor=4), and vectorise the inner part",
            )
        if attr.kind == "vectorize" and reduces:
            raise schedule_error(
                "GC123",
                f"axis {leaf.name!r} of stage {stage.name} is a reduction axis and cannot be vectorised: its "
                "iterations "
                "add to one element",
                stage=stage,
                where=attr.kind_span,
                hint=f"s.rfactor({stage.name}, {leaf.name}) makes a dimension of it, which can be vectorised",
            )
        if attr.kind == "parallel" and reduces:
            raise schedule_error(
                "GC129",
                f"axis {leaf.name!r} of stage {stage.name} is a reduction axis and cannot run in parallel: its "
                "iterations "
                "add to one element",
                stage=stage,
                where=attr.kind_span,
                hint=f"s.rfactor({stage.name}, {leaf.name}) makes a dimension of it, which can run in parallel",
            )
