"""Lowering a schedule: from stages to a function in buffer form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any  # Any: arguments are tensors, variables and buffers

from gpucomp.support.expect import expect
from gpucomp.support.recursion import ensure_recursion
from gpucomp.te.bound import Bounds, infer_bound
from gpucomp.te.errors import schedule_error
from gpucomp.te.factors import extent_vars, factor_vars
from gpucomp.te.operation import Operation
from gpucomp.te.postproc import Arg, to_prim_func
from gpucomp.te.schedule_ops import schedule_ops
from gpucomp.te.scopes import SHARED_RANK, STORAGE_RANK, WARP_RANK
from gpucomp.te.stage import Stage
from gpucomp.te.state import Schedule
from gpucomp.te.tensor import Tensor
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import IntImm
from gpucomp.tir.function import PrimFunc


def lower_schedule(
    sch: Schedule, args: Sequence[Arg], name: str = "main", binds: Mapping[Tensor, Buffer] | None = None
) -> PrimFunc:
    """Lower a schedule to a function in buffer form.

    Args:
        sch: the schedule; it is not changed.
        args: tensors, buffers and scalar variables, in the order of the parameters.
        name: name of the function.
        binds: buffers (with strides, offsets) to use for some of the tensors.

    Returns:
        A function whose body holds BufferLoad, BufferStore and BufferRealize on multi-dimensional buffers, thread
        axes hoisted around each kernel.

    Raises:
        ScheduleError: the schedule is illegal (GC12x), or the arguments do not fit (GC13x).
    """
    expect(sch, Schedule, "lower", "make one with te.create_schedule(C.op)")
    # Each stage at root encloses what follows it: the statement is at least as deep as there are stages.
    ensure_recursion(2 * len(sch.stages) + 100)
    norm = sch.normalize()
    current, buffers = _current(norm, args), _current_binds(norm, binds)
    external = [t for t in (*current, *buffers) if isinstance(t, Tensor)]
    bounds = infer_bound(norm)
    for tensor in external:
        _check_external(norm, bounds, tensor)
    stmt = schedule_ops(norm, bounds, external)
    func = to_prim_func(current, stmt, buffers, name)
    # A store predicate of the user's may skip elements; otherwise every element of a result is computed.
    sure = all([(stage.op.writes_all and not stage.is_tensorized) or not stage.op.computes for stage in norm.stages])
    results = [p for p, a in zip(func.params, current, strict=True) if isinstance(a, Tensor) and a.op.computes]
    if not sure or any([_holds_nothing(a) for a in current]):
        # What a body reads and writes says nothing about what a call may leave out: the results of operations are.
        func = func.with_attr("outputs", tuple(results))
    whole = sure and all([stage.store_predicate is None and not _skips(stage) for stage in sch.stages])
    least = {v.name: 0 for v in extent_vars(norm)} | {v.name: 1 for v in factor_vars(norm)}
    least = {p.name: least[p.name] for p in func.params if p.name in least and p not in func.buffer_map}
    if least:
        func = func.with_attr("tir.minimum", least)
    return func.with_attr("tir.writes_all", True) if whole else func


def _holds_nothing(arg: object) -> bool:
    return isinstance(arg, Tensor) and any([isinstance(n, IntImm) and n.value == 0 for n in arg.shape])


def _skips(stage: Stage) -> bool:
    return any([key == "debug_skip_region" for attr in stage.iter_var_attrs.values() for key, *_ in attr.pragmas])


def _check_external(norm: Schedule, bounds: Bounds, tensor: Tensor) -> None:
    """Memory of the caller is global: blocks that fill it together would need barriers of the whole kernel."""
    stage = norm.stage_map.get(tensor.op)
    scope = "" if stage is None else bounds.scopes.get(stage, "")
    if stage is None or not bounds.paths.get(stage) or STORAGE_RANK.get(scope, 0) not in (SHARED_RANK, WARP_RANK):
        return
    raise schedule_error(
        "GC128",
        f"argument {tensor.name!r} is computed inside of the kernel of {bounds.root_of(stage).name} in {scope} memory, "
        "but the caller's memory is global",
        stage=stage,
        where=stage.attach_span,
        hint=f"s[{stage.name}].compute_root(), or leave {tensor.name} out of the arguments",
    )


def _current(norm: Schedule, args: Sequence[Any]) -> list[Any]:
    """Arguments as the rebuilt operations name them."""
    return [_rebuilt(norm, a) if isinstance(a, Tensor) else a for a in args]


def _current_binds(norm: Schedule, binds: Mapping[Tensor, Buffer] | None) -> dict[Tensor, Buffer]:
    return {_rebuilt(norm, t): b for t, b in (binds or {}).items()}


def _rebuilt(norm: Schedule, tensor: Tensor) -> Tensor:
    stage = norm.stage_map.get(tensor.op)
    if stage is None:
        return tensor
    op: Operation = stage.op
    return op.output(tensor.value_index)
