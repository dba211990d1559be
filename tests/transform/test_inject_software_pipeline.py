"""inject_software_pipeline: any number of iterations, waits and barriers in their places, and what stays as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.analysis.limits import kernel_limits
from gpucomp.driver.build import lower_primfunc, source
from gpucomp.runtime.cuda_compile import compile_cuda, resources
from gpucomp.support.diagnostics import LowerError, VerifyError
from gpucomp.target import Target
from gpucomp.te import Schedule, lower_schedule
from gpucomp.tir.expr import IntImm
from gpucomp.tir.functor import Mutator, post_order
from gpucomp.tir.interp import interpret
from gpucomp.tir.intrin import barrier
from gpucomp.tir.stmt import AttrStmt, BufferStore, Evaluate, For, IfThenElse, Stmt, seq
from gpucomp.transform.walk import is_call
from tests.requirements import require_nvrtc

Array = np.ndarray[Any, Any]
CUDA = Target("cuda -arch=sm_90a")
ROWS, TILE = 33, 8


def product(
    depth: Any,  # int or a symbolic extent
    stages: int,
    *,
    dtype: str = "float32",
    fragments: bool = True,
    vector: int = 1,
    transposed: bool = True,
    rows: int = ROWS,
    tile: int = TILE,
    predicated: bool = False,
    spread: bool = False,
) -> tuple[Schedule, list[Any]]:  # Any: arguments of build
    """``C[i, j] = sum over k of A[i, k] * B[k, j]`` in one block, operands by way of shared memory."""
    a, b = te.placeholder((rows, depth), dtype, "A"), te.placeholder((depth, 32), dtype, "B")
    r = te.reduce_axis((0, depth), "k")

    def value(i: Any, j: Any) -> Any:  # Any: expressions
        return te.sum(a[i, r].astype("float32") * b[r, j].astype("float32"), axis=r)

    c = te.compute((rows, 32), value, name="C")
    s = te.create_schedule(c.op)
    acc = s.cache_write(c, "local")
    shared = [s.cache_read(x, "shared", [acc]) for x in (a, b)]
    if transposed:
        s[shared[0]].transform_layout(lambda i, k: [k, i])
        shared[0] = s[shared[0]].op.output(0)
        acc = s[acc].op.output(0)
    local = [s.cache_read(x, "local", [acc]) for x in shared] if fragments else []
    acc = s[acc].op.output(0)
    stage = s[s.outputs[0]]
    i, j = stage.op.axis
    io, ii = stage.split(i, factor=2)
    jo, ji = stage.split(j, factor=8)
    stage.reorder(io, jo, ii, ji)
    thread = stage.fuse(io, jo)
    tx = te.thread_axis("threadIdx.x")
    stage.bind(thread, tx)
    s[acc].compute_at(stage, thread)
    ko, ki = s[acc].split(s[acc].op.reduce_axis[0], factor=tile)
    s[acc].reorder(ko, ki, *s[acc].op.axis)
    s[acc].unroll(ki)
    s[acc].pragma(ko, "software_pipeline", stages)
    s[acc].pragma(ki, "software_pipeline", 2)
    if predicated:
        s[acc].pragma(ko, "predicate_copies")
    if spread:
        s[acc].pragma(ko, "spread_copies")
    for x in shared:
        s[x].compute_at(s[acc], ko)
        fused = s[x].fuse(*x.op.axis)
        if vector > 1:
            fused, lanes = s[x].split(fused, factor=vector)
            s[x].vectorize(lanes)
        fused, t = s[x].split(fused, factor=(rows + 1) // 2 * 4)
        s[x].bind(t, tx)
        if predicated or spread:
            s[x].unroll(fused)
    for x in local:
        s[x].compute_at(s[acc], ki)
    return s, [a, b, *[op.output(0) for op in s.outputs]]


def arrays(depth: int, dtype: str = "float32") -> list[Array]:
    rng = np.random.default_rng(depth)
    a, b = rng.integers(-4, 5, (ROWS, depth)).astype(dtype), rng.integers(-4, 5, (depth, 32)).astype(dtype)
    return [a, b, np.full((ROWS, 32), np.nan, np.float32)]


def right(data: list[Array]) -> bool:
    return bool(np.array_equal(data[2], data[0].astype(np.float64) @ data[1].astype(np.float64)))


def lowered(made: tuple[Schedule, list[Any]], target: Target = CUDA) -> Any:  # Any: a PrimFunc of either form
    return lower_primfunc(lower_schedule(made[0], made[1], "main"), target)


@pytest.mark.parametrize("stages", [2, 3, 4])
@pytest.mark.parametrize("depth", [1, 8, 9, 16, 20, 40])
def test_any_number_of_iterations_computes_the_same_without_races(depth: int, stages: int) -> None:
    f = lowered(product(depth, stages))
    data = arrays(depth)
    interpret(f, data)
    assert right(data)


@pytest.mark.parametrize("stages", [2, 3, 4])
def test_a_symbolic_number_of_iterations_may_be_none(stages: int) -> None:
    f = lowered(product(te.var("k"), stages))
    for depth in (0, 1, 8, 17, 33):
        data = arrays(depth)
        interpret(f, data)
        assert right(data), depth


@pytest.mark.parametrize("fragments", [False, True])
@pytest.mark.parametrize("stages", [2, 3, 4])
@pytest.mark.parametrize("depth", [48, 64])
def test_one_barrier_an_iteration_is_enough(depth: int, stages: int, fragments: bool) -> None:
    f = lowered(product(depth, stages, rows=32, fragments=fragments))
    [loop] = [n for n in post_order(f.body) if isinstance(n, For) and n.loop_var.name == "k.outer"]
    assert len([n for n in post_order(loop) if isinstance(n, Evaluate) and is_call(n.value, "barrier")]) == 1


def test_the_last_step_of_a_tile_loads_the_first_fragments_of_the_next() -> None:
    text = source(*product(64, 3), CUDA)
    loop = text[text.index("for (int k_outer") :]
    steps, wait = loop.index("k_inner < 7"), loop.index("cp.async.wait_group 1;")
    assert steps < wait < loop.rindex("A_shared_local[")
    assert "if (k_outer" not in loop[wait:]  # the loads have no branch


@pytest.mark.parametrize(("depth", "stages"), [(32, 4), (24, 3), (16, 2)])
def test_nothing_is_read_behind_the_last_stage_where_no_tile_goes_round(depth: int, stages: int) -> None:
    text = source(*product(depth, stages), CUDA)
    loop = text[text.index("for (int k_outer") :]
    assert f"if (k_outer < {depth // TILE - 1})" in loop[loop.index("cp.async.wait_group") :]


@pytest.mark.parametrize("fragments", [False, True])
def test_copies_may_have_predicates_instead_of_a_branch(fragments: bool) -> None:
    for depth in (64, 44):
        made = product(depth, 3, rows=32, fragments=fragments, predicated=True)
        loop = source(*made, CUDA)
        loop = loop[loop.index("for (int k_outer") :]
        assert f"const bool wanted = k_outer < {-(-depth // TILE) - 2};" in loop
        assert loop.count(", wanted);") == 2
        assert "if (" not in loop
        data = arrays(depth)
        data[0], data[2] = data[0][:32], data[2][:32]
        interpret(lowered(made), data)
        assert right(data)
    text = source(*product(44, 3, rows=32, predicated=True), CUDA)
    assert "@p cp.async.ca.shared.global [%0], [%1], 4, %3;}" in text
    assert "wanted" not in source(*product(64, 3), CUDA)


@pytest.mark.parametrize("stages", [2, 3, 4])
@pytest.mark.parametrize("depth", [8, 16, 20, 40])
def test_copies_start_in_turns_without_races(depth: int, stages: int) -> None:
    f = lowered(product(depth, stages, spread=True))
    data = arrays(depth)
    interpret(f, data)
    assert right(data)


def test_copies_that_start_in_turns_stand_in_steps_of_the_tile_before_one_commit() -> None:
    text = source(*product(64, 3, rows=32, predicated=True, spread=True), CUDA)
    loop = text[text.index("for (int k_outer") :]
    steps, commit = loop.index("for (int k_inner"), loop.index("cp.async.commit_group")
    assert "gc_cp_async" not in loop[:steps]
    assert loop[steps:commit].count("if (k_inner == ") == 7  # eight copies in seven steps
    assert loop[steps:commit].count("gc_cp_async_when_4(") == 8
    assert loop.count("__syncthreads()") == loop.count("cp.async.commit_group") == 1
    assert commit < loop.index("cp.async.wait_group 1;")


def test_an_odd_number_of_steps_begins_each_tile_with_loads() -> None:
    text = source(*product(63, 3, tile=7), CUDA)
    assert text.index("for (int k_outer") < text.rindex("cp.async.wait_group 1;") < text.index("for (int k_inner")
    f = lowered(product(20, 3, tile=5))
    data = arrays(20)
    interpret(f, data)
    assert right(data)


@pytest.mark.parametrize(("vector", "nbytes"), [(1, 4), (2, 8), (4, 16)])
def test_copies_have_the_width_of_the_vectors(vector: int, nbytes: int) -> None:
    made = product(64, 3, vector=vector, transposed=False)
    text = source(*made, CUDA)
    assert f"gc_cp_async_{nbytes}(" in text
    assert "cp.async.wait_group 1;" in text
    data = arrays(64)
    interpret(lowered(made), data)
    assert right(data)


def test_guarded_copies_fill_with_zeros() -> None:
    assert "gc_cp_async_zero_4(" in source(*product(20, 3), CUDA)


def test_vectors_that_are_not_aligned_or_past_the_end_are_right() -> None:
    data = arrays(21)
    interpret(lowered(product(21, 3, vector=4, transposed=False)), data)
    assert right(data)


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_elements_too_narrow_to_copy_wait_in_registers(dtype: str) -> None:
    made = product(40, 3, dtype=dtype)
    text = source(*made, CUDA)
    assert "cp_async" not in text
    assert "A_shared_next" in text
    data = arrays(40, dtype)
    interpret(lowered(made), data)
    assert right(data)


class _Without(Mutator):
    """Leaves the calls of an intrinsic out."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def visit_evaluate(self, node: Evaluate) -> Stmt:
        return seq() if is_call(node.value, self.name) else node


@pytest.mark.parametrize("missing", ["ptx_wait_group", "barrier"])
def test_the_interpreter_finds_a_missing_wait_or_barrier(missing: str) -> None:
    f = lowered(product(40, 3))
    broken = f.with_body(_Without(missing).stmt(f.body))
    with pytest.raises(VerifyError, match="GC401" if missing == "barrier" else "GC404|GC401"):
        interpret(broken, arrays(40))


@pytest.mark.parametrize("depth", [9, 40])
def test_processors_compute_the_same(depth: int) -> None:
    made = product(depth, 3)
    data = arrays(depth)
    gpucomp.build(*made, "llvm")(*data)
    assert right(data)


@pytest.mark.opencl
def test_pocl_computes_the_same() -> None:
    data = arrays(20)
    device = gpucomp.opencl(0)
    given = [gpucomp.nd.array(x, device) for x in data]
    gpucomp.build(*product(20, 3), "opencl")(*given)
    data[2] = given[2].numpy()
    assert right(data)


def test_without_asynchronous_copies_there_are_two_stages_through_registers() -> None:
    text = source(*product(64, 4), Target("cuda -arch=sm_75"))
    assert "cp.async" not in text
    assert "B_shared_next" in text


def test_a_loop_that_feeds_itself_stays_as_it_is() -> None:
    """Each iteration reads what the one before computed."""
    n = 6
    x = te.placeholder((n, 32), name="X")
    state = te.placeholder((n, 32), name="S")
    first = te.compute((1, 32), lambda _, j: x[0, j], name="first")
    step = te.compute((n, 32), lambda t, j: state[t - 1, 31 - j] + x[t, j], name="step")
    scan = te.scan(first, step, state, inputs=[x])
    s = te.create_schedule(scan.op)
    t = te.thread_axis("threadIdx.x")
    s[first].bind(first.op.axis[1], t)
    s[step].bind(step.op.axis[1], t)
    s[step].pragma(step.op.axis[0], "software_pipeline", 3)
    f = lowered((s, [x, scan]))
    assert not any([isinstance(n, AttrStmt) and n.attr_key.startswith("pragma") for n in post_order(f.body)])
    data = [np.random.default_rng(0).integers(-4, 5, (n, 32)).astype(np.float32), np.full((n, 32), np.nan, np.float32)]
    interpret(f, data)
    want = data[0].copy()
    for k in range(1, n):
        want[k] += want[k - 1, ::-1]
    assert np.array_equal(data[1], want)


def test_the_limits_count_a_copy_for_each_stage() -> None:
    sizes = []
    for stages in (2, 4):
        s, args = product(64, stages)
        [limits] = kernel_limits(lower_schedule(s, args, "main"))
        assert isinstance(limits.shared_bytes, IntImm)
        sizes.append(limits.shared_bytes.value)
    assert sizes[1] == 2 * sizes[0]


class _Guarded(Mutator):
    """Some threads only reach a barrier."""

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        inner = seq(Evaluate(barrier("shared")), node)
        return IfThenElse(node.indices[0] < 3, inner) if node.buffer.name == "C" else node


def test_a_pipeline_in_a_condition_on_threads_is_refused() -> None:
    a = te.placeholder((64,), name="A")
    c = te.compute((32,), lambda i: a[i], name="C")
    s = te.create_schedule(c.op)
    shared = s.cache_read(a, "shared", [c])
    s[c].bind(c.op.axis[0], te.thread_axis("threadIdx.x"))
    s[shared].compute_at(s[c], c.op.axis[0])
    f = lower_schedule(s, [a, c], "main")
    body = _Guarded().stmt(f.body)
    with pytest.raises(LowerError, match="a barrier is inside of a condition that differs between threads"):
        lower_primfunc(f.with_body(body), CUDA)


@pytest.mark.parametrize("arch", ["sm_80", "sm_90a"])
def test_the_device_compiler_takes_it_without_spills(arch: str) -> None:
    require_nvrtc()
    text = source(*product(64, 3), Target(f"cuda -arch={arch}"))
    [kernel] = resources(compile_cuda(text, arch)[1]).values()
    assert kernel.spill_loads == kernel.spill_stores == 0
