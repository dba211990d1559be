"""A graph that nobody scheduled compiles for every target and computes what it says."""

from __future__ import annotations

import logging

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.driver.build import lower_primfunc
from gpucomp.driver.default_schedule import with_default_schedule
from gpucomp.runtime.cuda_compile import compile_cuda
from gpucomp.support.diagnostics import LowerError
from gpucomp.target import Target
from gpucomp.te import lower_schedule
from tests.driver.graphs import GRAPHS, SHAPES, run, vector_add
from tests.golden.support import assert_same, make_arrays, reference, run_interpreted
from tests.tiers import tiered

CUDA = Target("cuda -arch=sm_90")


@pytest.mark.parametrize("name", GRAPHS)
def test_the_processor_runs_an_unscheduled_graph(name: str) -> None:
    run(name, Target("llvm"), gpucomp.cpu(0))


@pytest.mark.opencl
@pytest.mark.parametrize("name", tiered(GRAPHS, ("softmax", "sums", "padded")))
def test_opencl_runs_an_unscheduled_graph(name: str) -> None:
    run(name, Target("opencl"), gpucomp.opencl(0))


@pytest.mark.cuda
@pytest.mark.parametrize("name", GRAPHS)
def test_cuda_runs_an_unscheduled_graph(name: str) -> None:
    run(name, Target.from_device(gpucomp.cuda(0)), gpucomp.cuda(0))


@pytest.mark.parametrize("name", GRAPHS)
def test_the_kernels_for_cuda_mean_the_graph_and_compile(name: str, require_nvrtc: object) -> None:
    schedule, args = GRAPHS[name]()
    arrays = make_arrays(schedule, args, SHAPES, seed=8)
    want = reference(schedule, args, arrays)
    lowered = lower_primfunc(lower_schedule(with_default_schedule(schedule, CUDA), args, name), CUDA)
    assert_same(run_interpreted(lowered, arrays), want, args, 3e-6)
    for variant in gpucomp.driver.compile_function(schedule, args, CUDA, name).variants:
        assert compile_cuda(variant.image.source, CUDA.arch, variant.image.options)[0]


def test_a_touched_schedule_is_left_alone() -> None:
    schedule, _ = vector_add()
    assert with_default_schedule(schedule, CUDA) is schedule


def test_one_log_line_says_that_a_gpu_schedule_was_made(caplog: pytest.LogCaptureFixture) -> None:
    schedule, args = GRAPHS["chain"]()
    with caplog.at_level(logging.INFO, logger="gpucomp"), gpucomp.config.override(cache=False):
        gpucomp.source(schedule, args, CUDA)
        gpucomp.source(schedule, args, "llvm")
    assert [r.getMessage() for r in caplog.records] == ["default GPU schedule applied to C: it had none"]
    assert len(schedule.trace) == 0


@pytest.mark.parametrize("target", ["cuda", "opencl"])
def test_a_half_bound_graph_is_an_error_that_names_stage_and_axis(target: str) -> None:
    schedule, args = GRAPHS["symbolic"]()
    b, c = (op.output(0) for op in schedule.trace.ops[-2:])
    schedule[b].bind(b.op.axis[0], te.thread_axis("blockIdx.x"))
    with pytest.raises(LowerError) as caught:
        gpucomp.build(schedule, args, target)
    text = str(caught.value)
    assert "stage C runs on no thread of the GPU" in text
    assert "'i', 'j'" in text
    assert 's[C].bind(i, te.thread_axis("blockIdx.x"))' in text
    schedule[c].bind(c.op.axis[0], te.thread_axis("blockIdx.x"))
    assert gpucomp.source(schedule, args, target)


def test_a_half_bound_graph_runs_on_the_processor() -> None:
    schedule, args = GRAPHS["chain"]()
    c = args[1]
    schedule[c].split(c.op.axis[0], factor=4)
    arrays = make_arrays(schedule, args, {}, seed=1)
    want = reference(schedule, args, arrays)
    gpucomp.build(schedule, args, "llvm")(*arrays)
    assert_same(arrays, want, args, 0.0)


@pytest.mark.parametrize("shape", [(0, 70), (6, 0), (0, 0), (1, 1)])
def test_empty_extents_launch_nothing_and_are_right(shape: tuple[int, int]) -> None:
    schedule, args = GRAPHS["symbolic"]()
    module = gpucomp.build(schedule, args, "llvm")
    a = np.ones(shape, "float32")
    got = module(a)
    assert isinstance(got, np.ndarray)
    np.testing.assert_array_equal(got, a - a.sum(1, keepdims=True))


@pytest.mark.opencl
@pytest.mark.parametrize("shape", [(0, 70), (6, 0), (0, 0), (1, 1)])
def test_empty_extents_launch_nothing_on_devices(shape: tuple[int, int]) -> None:
    schedule, args = GRAPHS["symbolic"]()
    module = gpucomp.build(schedule, args, "opencl")
    a = gpucomp.nd.array(np.ones(shape, "float32"), gpucomp.opencl(0))
    out = gpucomp.nd.array(np.full(shape, 7, "float32"), gpucomp.opencl(0))
    module(a, out)
    np.testing.assert_array_equal(out.numpy(), a.numpy() - a.numpy().sum(1, keepdims=True))


def test_elements_of_symbolic_tensors_are_numbered_without_dividing() -> None:
    n, m, k = te.var("n"), te.var("m"), te.var("k")
    a = te.placeholder((n, m, k), "float32", "A")
    b = te.compute((n, m, k), lambda x, y, z: a[x, y, z] * 2.0, name="B")
    c = te.compute((n, k, m), lambda x, z, y: a[x, y, z] + 1.0, name="C")
    text = gpucomp.source(te.create_schedule(b.op), [a, b], CUDA)
    assert "B[at] = A[at] * 2.0f;" in text
    text = gpucomp.source(te.create_schedule(c.op), [a, c], CUDA)
    assert "C[at] = " in text
    assert "gc_floor" not in text  # no extent is negative, so the division of C does


@pytest.mark.parametrize("shape", [(3, 5, 7), (0, 4, 3), (2, 0, 3), (1, 4, 0)])
def test_permuted_symbolic_tensors_are_right(shape: tuple[int, int, int]) -> None:
    n, m, k = te.var("n"), te.var("m"), te.var("k")
    a = te.placeholder((n, m, k), "float32", "A")
    c = te.compute((n, k, m), lambda x, z, y: a[x, y, z] + 1.0, name="C")
    given = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    out = np.full((shape[0], shape[2], shape[1]), np.nan, np.float32)
    func = lower_primfunc(lower_schedule(with_default_schedule(te.create_schedule(c.op), CUDA), [a, c], "f"), CUDA)
    assert np.array_equal(run_interpreted(func, [given, out])[1], given.transpose(0, 2, 1) + 1.0)
