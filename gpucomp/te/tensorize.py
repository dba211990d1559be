"""Tensorized loops: the part of a nest that an intrinsic computes, checked and replaced by its statements.

A reduction with reduction loops outside of the tensorized one starts with ``reset`` (or the ordinary initial nest) and
goes on with ``update``; otherwise ``body`` does all of it.  Where the statements call functions that only some targets
have, the nest as it was stands beside them: ``if T.provides("name"): <statements> else: <nest>``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gpucomp.te.bind_buffers import BindBuffers
from gpucomp.te.buffer_bind import BufferBind
from gpucomp.te.errors import schedule_error
from gpucomp.te.intrin_match import AxisBox, Match, Place, match_intrin
from gpucomp.te.message_passing import pass_up_interval
from gpucomp.te.operation import ComputeOp
from gpucomp.te.stage import Stage
from gpucomp.te.tensor_intrin import TensorIntrin, extern_names
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import BufferLoad, Expr, IterVar, Reduce, Var
from gpucomp.tir.fragments import SCOPES
from gpucomp.tir.functor import free_vars, post_order, substitute
from gpucomp.tir.intrin import call_intrin
from gpucomp.tir.stmt import Allocate, AttrStmt, BufferStore, IfThenElse, Stmt, seq

if TYPE_CHECKING:
    from gpucomp.te.schedule_ops import Builder, Work


def tensorized_position(stage: Stage) -> int | None:
    """Position of the tensorized leaf."""
    for position, leaf in enumerate(stage.leaf_iter_vars):
        attr = stage.iter_var_attrs.get(leaf)
        if attr is not None and attr.tensor_intrin is not None:
            return position
    return None


def collective_tags(stage: Stage) -> set[str]:
    """Thread axes whose threads the statements of a stage's intrinsic share their work among."""
    position = tensorized_position(stage)
    intrin = None if position is None else stage.attr(stage.leaf_iter_vars[position]).tensor_intrin
    return set() if intrin is None else {axis.thread_tag for axis in intrin.threads}


def tensorized_nest(builder: Builder, work: Work, op: ComputeOp, position: int) -> Stmt:
    """The loops of a stage with a tensorized one.

    Raises:
        ScheduleError: GC151 to GC155; see ``gpucomp.te.errors``.
    """
    return _Tensorized(builder, work, op, position).nest()


class _Tensorized:
    def __init__(self, builder: Builder, work: Work, op: ComputeOp, position: int) -> None:
        self.builder, self.work, self.op, self.position = builder, work, op, position
        self.stage = work.stage
        self.axis = work.leaves[position]
        attr = self.stage.attr(self.axis)
        assert attr.tensor_intrin is not None
        self.intrin: TensorIntrin = attr.tensor_intrin
        self.span = attr.kind_span
        self.inner = work.leaves[position:]
        self.match = self._verified()
        self.scalars = {**self.match.scalars, **self._threads()}

    # -- checks ---------------------------------------------------------------------------------------------------

    def _verified(self) -> Match:
        self._check_loops()
        guards = [*self.work.data_guards, *self.work.reduce_guards]
        inside = {self.builder.loops.var(self.stage, leaf) for leaf in self.inner}
        for guard in guards:
            if not free_vars(guard).isdisjoint(inside):
                raise self._error(
                    "GC152",
                    f"the last tile is cut off where {guard} fails, but {self.intrin.name} computes whole tiles only",
                    "pad the tensor, or split by a factor that divides the extent; a symbolic extent must be a "
                    "multiple by its form, such as te.var('n') * 16",
                )
        reduce, forms = self.op.body[0], self.builder.bounds.forms
        idle = isinstance(reduce, Reduce) and self.builder.overrun.is_idle(self.op, reduce)
        return match_intrin(self.intrin, self.stage, self.op, self._box(), forms, self.axis, idle)

    def _check_loops(self) -> None:
        for offset, leaf in enumerate(self.inner):
            for child in self.work.children.get(self.position + offset, ()):
                raise self._error(
                    "GC151",
                    f"stage {child.name} is computed at {leaf.name!r}, inside of the loops that {self.intrin.name} "
                    "replaces",
                    f"s[{child.name}].compute_at(s[{self.stage.name}], a loop outside of {self.axis.name})",
                )
            attr = self.stage.iter_var_attrs.get(leaf)
            if attr is None or leaf is self.axis or self.builder.bounds.is_single(leaf):
                continue
            mark = attr.kind or (f"bound to {attr.bind_thread.thread_tag}" if attr.bind_thread is not None else "")
            if mark:
                raise self._error(
                    "GC151",
                    f"axis {leaf.name!r} is {mark}, but lies inside of the loops that {self.intrin.name} replaces",
                    f"reorder {leaf.name} outside of {self.axis.name}, or leave it without a mark",
                )
        for leaf in self.work.leaves:
            if leaf.iter_type == IterVar.CommReduce and self.stage.bound_thread(leaf) is not None:
                raise self._error(
                    "GC151",
                    f"the reduction axis {leaf.name!r} is bound to threads, which {self.intrin.name} cannot combine",
                    f"s.rfactor({self.stage.name}, {leaf.name}) first, and tensorize one of the two stages",
                )

    def _threads(self) -> dict[Var, Expr]:
        """The kernel's own variables for the thread axes that the statements share their work among."""
        uses = self.builder.bounds.kernels[self.builder.bounds.root_of(self.stage)]
        out: dict[Var, Expr] = {}
        for axis in self.intrin.threads:
            use = uses.get(axis.thread_tag)
            wanted = None if axis.dom is None else axis.dom.extent
            own = [leaf for leaf in self.work.leaves if use is not None and self.builder.bounds.thread(self.stage, leaf)
                   is use.axis]  # fmt: skip
            if use is None or wanted is None or not self.builder.bounds.forms.of(use.extent).same(
                self.builder.bounds.forms.of(wanted)
            ) or own:  # fmt: skip
                found = "no loop of this kernel is bound to it" if use is None else f"here it has {use.extent}"
                found = f"loop {own[0].name!r} of the stage is bound to it" if own else found
                raise self._error(
                    "GC158",
                    f"{self.intrin.name} is the work of {wanted} threads along {axis.thread_tag} together, but {found}",
                    f"bind warps to threadIdx.y or z, and a loop of {wanted} iterations of the stages that copy to "
                    f"shared memory to {axis.thread_tag}",
                )
            out[axis.var] = operators.cast(axis.var.dtype, use.axis.var)
        return out

    def _box(self) -> dict[IterVar, AxisBox]:
        """The part of each root axis that the inner loops run over."""
        bounds, forms = self.builder.bounds, self.builder.bounds.forms
        leaves = {
            leaf: forms.point(self.builder.loops.value(self.stage, leaf))
            if index < self.position or bounds.is_single(leaf)
            else forms.box(bounds.doms[leaf].min, bounds.doms[leaf].extent)
            for index, leaf in enumerate(self.work.leaves)
        }
        found = pass_up_interval(self.stage, bounds.doms, leaves, forms, {})
        box: dict[IterVar, AxisBox] = {}
        for axis in self.op.root_iter_vars:
            low, width = found[axis]
            dtype = axis.var.dtype
            box[axis] = AxisBox(forms.expr(low, dtype), forms.expr(width.shifted(1), dtype))
        self._check_count(box)
        return box

    def _check_count(self, box: dict[IterVar, AxisBox]) -> None:
        """As many iterations as elements: the loops visit each element of the box, and nothing else."""
        forms = self.builder.bounds.forms
        runs: Expr = operators.const(1)
        size: Expr = operators.const(1)
        for leaf in self.inner:
            runs = operators.multiply(runs, self.builder.bounds.doms[leaf].extent)
        for part in box.values():
            size = operators.multiply(size, part.extent)
        if forms.of(runs).same(forms.of(size)) or forms.analyzer.can_prove_equal(runs, size):
            return
        axes = ", ".join([f"{axis.name}: {part.extent} from {part.low}" for axis, part in box.items()])
        raise self._error(
            "GC151",
            f"the {runs} iterations from {self.axis.name!r} inwards do not fill a box ({axes})",
            "reorder so that the inner parts of the splits lie inside of the tensorized loop, the outer parts outside",
        )

    def _error(self, code: str, problem: str, hint: str) -> Exception:
        message = f"tensorize of {self.axis.name!r} in stage {self.stage.name}: {problem}"
        return schedule_error(code, message, stage=self.stage, where=self.span, hint=hint)

    # -- statements -----------------------------------------------------------------------------------------------

    def nest(self) -> Stmt:
        work, position = self.work, self.position
        single = self.builder.bounds.is_single
        outer = [
            index
            for index, leaf in enumerate(work.leaves[:position])
            if leaf.iter_type == IterVar.CommReduce and not single(leaf)
        ]
        reduce = self.op.body[0]
        around = replace(work, leaves=work.leaves[:position])
        # What replaces the inner loops as they are: of a part of the leaves, without checks, which stand outside.
        within = replace(
            work, leaves=self.inner, data_guards=[], reduce_guards=[], thread_guard=None, value_guard=None, children={}
        )
        guards = [*work.data_guards, *work.reduce_guards]
        if not isinstance(reduce, Reduce) or not outer:
            meaning = self.builder.plain_nest(within, self.op)
            return self.builder.serial(around, 0, self._choice(self._whole(), meaning), guards)
        if self.intrin.reduce_update is None:
            raise self._error(
                "GC155",
                f"loop {work.leaves[outer[0]].name!r} of the reduction lies outside, but {self.intrin.name} has no "
                "update to add one part after the other",
                "return (body, reset, update) from the function of the intrinsic, or reorder the reduction inside",
            )
        first = outer[0]
        init = self._init(reduce, first)
        meaning = self.builder.update_nest(within, reduce, 0)
        update = self._choice(self._bound(self.intrin.reduce_update, self.match.places), meaning)
        update = self.builder.serial(around, first, update, guards)
        head = replace(
            work, leaves=work.leaves[:first], thread_guard=None,
            children={p: c for p, c in work.children.items() if p < first},
        )  # fmt: skip
        return self.builder.serial(head, 0, seq(init, update), [])

    def _whole(self) -> Stmt:
        body, init, update = self.intrin.body, self.intrin.reduce_init, self.intrin.reduce_update
        if body is not None:
            return self._bound(body, self.match.places)
        if init is None or update is None:
            raise self._error(
                "GC155",
                f"all loops of the reduction lie inside, but {self.intrin.name} has neither a body nor a reset",
                "return (body, reset, update) from the function of the intrinsic",
            )
        return seq(self._bound(init, self.match.places), self._bound(update, self.match.places))

    def _init(self, reduce: Reduce, first: int) -> Stmt:
        """The start of the outputs, before the outermost reduction loop."""
        work, builder = self.work, self.builder
        builder.check_start(work, reduce, first)
        if self.intrin.reduce_init is None:
            return builder.init_nest(work, reduce, first)
        leaves: list[IterVar] = []
        rename: dict[Var, Expr] = {}
        for leaf in work.leaves[first : self.position]:
            if leaf.iter_type == IterVar.CommReduce:
                continue
            fresh = builder.loops.again(self.stage, leaf)
            leaves.append(fresh)
            if fresh is not leaf:
                rename[builder.loops.var(self.stage, leaf)] = builder.loops.value(self.stage, fresh)
        around = replace(work, leaves=leaves, children={})
        within = replace(work, leaves=self.inner, data_guards=[], thread_guard=None, children={})
        meaning: Stmt = substitute(builder.init_nest(within, reduce, 0), rename)
        outputs = len(self.op.outputs)
        places = [
            Place(p.tensor, tuple([substitute(low, rename) for low in p.mins]), p.dims)
            for p in self.match.places[-outputs:]
        ]
        reset = self._bound(self.intrin.reduce_init, [*self.match.places[:-outputs], *places])
        guards: list[Expr] = [substitute(g, rename) for g in work.data_guards]
        return builder.serial(around, 0, self._choice(reset, meaning), guards)

    def _bound(self, body: Stmt, places: list[Place]) -> Stmt:
        """The statements of the intrinsic, with its buffers bound to the regions."""
        return bound_statement(self.intrin, body, places, self.scalars, self.stage, self.span)

    def _choice(self, body: Stmt, meaning: Stmt) -> Stmt:
        names = extern_names(body)
        tensors = [t for t in (*self.op.outputs, *self.op.input_tensors) if self.builder.scope_of(t) in SCOPES]
        if names and tensors:
            raise self._error(
                "GC159",
                f"{self.intrin.name} calls {names[0]}, in whose place the loops run on targets that lack it, but the "
                f"threads of a warp hold {tensors[0].name} in registers together",
                "write the statements with tir.warp_ldmatrix and tir.warp_mma, as te.mma does",
            )
        return target_choice(body, meaning)


def target_choice(body: Stmt, meaning: Stmt) -> Stmt:
    """The statements of an intrinsic where the target has what they call, else what they mean."""
    names = extern_names(body)
    if not names:
        return body
    return IfThenElse(call_intrin("bool", "provides", *names), body, meaning)


def bound_statement(
    intrin: TensorIntrin, body: Stmt, places: list[Place], scalars: dict[Var, Expr], stage: Stage, span: object
) -> Stmt:
    """Statements of an intrinsic under the binding of its buffers, which lowering to buffers resolves."""
    used = _Fresh().stmt(substitute(body, scalars))
    tensors = (*intrin.inputs, *intrin.op.outputs)
    mentioned = _mentioned(used)
    for buffer, declared, place in reversed(list(zip(intrin.buffers, tensors, places, strict=True))):
        if not any([v in mentioned for v in _variables(buffer)]):
            continue  # a reset, for one, has nothing to do with the inputs, which may not be in memory yet
        extents: list[Expr] = [substitute(s, scalars) for s in declared.shape]
        whole: list[Expr] = [operators.const(1, low.dtype) for low in place.mins]
        for extent, dim in zip(extents, place.dims, strict=True):
            if dim is not None:
                whole[dim] = extent
        box: list[Expr] = []
        for low, extent in zip(place.mins, whole, strict=True):
            box += [low, extent]
        bind = BufferBind(buffer, place.tensor, place.dims, intrin.name, stage.name, buffer in intrin.any_scope)
        used = AttrStmt(bind, "buffer_bind_scope", call_intrin("handle", "tvm_tuple", *box), used, span)
    return used


def _mentioned(stmt: Stmt) -> dict[Var, None]:
    out: dict[Var, None] = {}
    for node in post_order(stmt):
        if isinstance(node, Var):
            out[node] = None
        elif isinstance(node, (BufferLoad, BufferStore)):
            out[node.buffer.data] = None
    return out


def _variables(buffer: Buffer) -> list[Var]:
    return [buffer.data, *[x for x in (*buffer.shape, *buffer.strides, buffer.elem_offset) if isinstance(x, Var)]]


class _Fresh(BindBuffers):
    """A copy with names of its own: an intrinsic may be used in several places of one function."""

    def __init__(self) -> None:
        super().__init__({}, {}, {})

    def buffer(self, old: Buffer) -> Buffer:
        data = self.values.get(old.data)
        if old not in self.buffers and isinstance(data, Var):
            self.buffers[old] = old.replace(data=data)
        return super().buffer(old)

    def visit_allocate(self, node: Allocate) -> Stmt:
        extents, condition = self.exprs(node.extents), self.expr(node.condition)
        var = self._fresh(node.buffer_var)
        return Allocate(var, node.dtype, extents, condition, self.stmt(node.body), node.annotations, node.span)
