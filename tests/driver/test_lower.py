"""lower, source and build: what they take, what they give, on which target."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.driver.deferred import DeferredModule
from gpucomp.ir.module import IRModule
from gpucomp.support.diagnostics import LowerError
from gpucomp.target import Target
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.interp import interpret
from gpucomp.tir.stmt import BufferRealize
from tests.driver.graphs import GRAPHS, numbers, vector_add
from tests.transform.build import nodes


def test_lower_gives_a_module_with_one_flat_function() -> None:
    s, args = GRAPHS["symbolic"]()
    module = gpucomp.lower(s, args, name="mine")
    assert isinstance(module, IRModule)
    assert list(module) == ["mine"]
    func = module["mine"]
    assert func.attrs["global_symbol"] == "mine"
    assert nodes(func, BufferRealize) == []
    assert all(b.ndim == 1 for b in {n.buffer for n in nodes(func, gpucomp.tir.BufferLoad)})
    assert [p.name for p in func.params] == ["A_handle", "C_handle"]
    assert [b.name for b in func.buffer_map.values()] == ["A", "C"]


def test_simple_mode_stops_before_flattening() -> None:
    s, args = GRAPHS["symbolic"]()
    [func] = gpucomp.lower(s, args, simple_mode=True).functions.values()
    assert len(nodes(func, BufferRealize)) == 1
    assert "B[i] = B[i] + A[i, k]" in func.script()


@pytest.mark.parametrize("simple", [True, False])
def test_what_lower_gives_is_the_meaning_of_the_schedule(simple: bool) -> None:
    s, args = GRAPHS["symbolic"]()
    [func] = gpucomp.lower(s, args, simple_mode=simple).functions.values()
    a, c = numbers(5, 9), np.zeros((5, 9), np.float32)
    interpret(func, [a, c])
    np.testing.assert_array_equal(c, a - a.sum(1, keepdims=True))


def test_lower_takes_functions_and_modules() -> None:
    s, args = vector_add(extent=8)
    simple = gpucomp.lower(s, args, name="f", simple_mode=True)
    [func] = simple.functions.values()
    flat = gpucomp.lower(s, args, name="f").script()
    assert gpucomp.lower(func).script() == flat
    assert gpucomp.lower(simple).script() == flat


def test_binds_gives_a_tensor_the_buffer_of_the_caller() -> None:
    s, args = vector_add(extent=8)
    strided = decl_buffer((8,), "float32", "strided", strides=(3,))
    module = gpucomp.build(s, args, "llvm", binds={args[0]: strided})
    x, y, out = numbers(24), numbers(8), np.zeros(8, np.float32)
    module(x[::3], y, out)
    np.testing.assert_array_equal(out, x[::3] + y)
    assert "strided" in gpucomp.source(s, args, "cuda", binds={args[0]: strided})


@pytest.mark.parametrize(
    ("target", "word"),
    [("cuda", "__global__"), ("opencl", "__kernel"), ("llvm", "define"), ("cuda:sm_80", "__global__")],
)
def test_source_needs_no_device(target: str, word: str) -> None:
    s, args = vector_add()
    text = gpucomp.source(s, args, target, name="add_vectors")
    assert word in text
    assert "add_vectors" in text


def test_build_takes_schedules_functions_and_modules() -> None:
    s, args = vector_add(extent=8)
    simple = gpucomp.lower(s, args, name="f", simple_mode=True)
    x, y = numbers(8), numbers(8, seed=1)
    for inp in (simple, next(iter(simple.functions.values()))):
        module = gpucomp.build(inp, target="llvm")
        assert module.function_names() == ["f"]
        np.testing.assert_array_equal(module(x, y), x + y)
    module = gpucomp.build(s, args, "llvm", name="g")
    assert module["g"](x, y).tolist() == (x + y).tolist()


def test_a_module_of_two_functions_has_both() -> None:
    s, args = vector_add(extent=8)
    t, more = vector_add(extent=5)
    one, two = (gpucomp.lower(x, a, name=n, simple_mode=True)[n] for x, a, n in ((s, args, "one"), (t, more, "two")))
    module = gpucomp.build(IRModule({"one": one, "two": two}), target="llvm")
    assert module.function_names() == ["one", "two"]
    for name, size in (("one", 8), ("two", 5)):
        np.testing.assert_array_equal(module[name](np.ones(size, "f4"), np.ones(size, "f4")), np.full(size, 2, "f4"))


def test_a_target_may_come_from_a_with_statement() -> None:
    s, args = vector_add()
    assert Target.current() is None
    with Target("llvm"):
        module = gpucomp.build(s, args)
    assert module.type_key == "llvm"
    assert not isinstance(module, DeferredModule)
    x = numbers(20)
    np.testing.assert_array_equal(module(x, x), x + x)
    with Target("llvm"), Target("cuda"):
        assert Target.current() is not None
        assert "__global__" in gpucomp.build(s, args).source


def test_lower_checks_the_limits_of_the_target_around_it() -> None:
    a = te.placeholder((4096,), name="A")
    b = te.compute((4096,), lambda i: a[i] + 1.0, name="B")
    s = te.create_schedule(b.op)
    s[b].vectorize(s[b].split(b.op.axis[0], factor=64)[1])
    with Target("llvm"):
        assert "64)" in gpucomp.lower(s, [a, b]).script()
    with Target("cuda"):
        text = gpucomp.lower(s, [a, b]).script()
    assert "T.Ramp" in text
    assert ", 64)" not in text


# -- a module without a target -------------------------------------------------------------------------------------


def test_without_a_target_a_module_compiles_where_the_arrays_are() -> None:
    s, args = vector_add()
    module = gpucomp.build(s, args)
    assert isinstance(module, DeferredModule)
    here = gpucomp.nd.array(numbers(20), gpucomp.cpu(0))
    out = module(here, here)
    assert isinstance(out, gpucomp.NDArray)
    assert out.device is gpucomp.cpu(0)
    np.testing.assert_array_equal(out.numpy(), here.numpy() * 2)
    assert "define" in module.source


@pytest.mark.opencl
def test_one_deferred_module_serves_two_devices() -> None:
    s, args = vector_add()
    module = gpucomp.build(s, args)
    for device in (gpucomp.cpu(0), gpucomp.opencl(0)):
        x = gpucomp.nd.array(numbers(20), device)
        out = gpucomp.nd.array(np.zeros(20, "float32"), device)
        module(x, x, out)
        np.testing.assert_array_equal(out.numpy(), numbers(20) * 2)
    assert "__kernel" in module.source


def test_numpy_arrays_run_on_the_device_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    s, args = vector_add()
    with gpucomp.config.override(device="cpu"):
        module = gpucomp.build(s, args)
        x = numbers(9)
        np.testing.assert_array_equal(module(x, x), x + x)
        assert "define" in module.source


def test_a_wrong_schedule_is_refused_by_build_even_when_no_target_is_named() -> None:
    with pytest.raises(LowerError, match="cannot compile a list"):
        gpucomp.build([], [])  # pyright: ignore[reportArgumentType]  # the error under test


# -- threads ----------------------------------------------------------------------------------------------------------


def test_threads_may_build_and_call_at_the_same_time() -> None:
    shared = gpucomp.build(*GRAPHS["symbolic"](), "llvm")
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            own = gpucomp.build(*vector_add(factor=2 + seed % 3), "llvm")
            for k in range(8):
                a = numbers(3 + (seed + k) % 5, 40 + k, seed=seed)
                np.testing.assert_array_equal(shared(a), a - a.sum(1, keepdims=True))
                np.testing.assert_array_equal(own(a[0], a[1]), a[0] + a[1])
        except BaseException as error:  # handed to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == []


def test_targets_belong_to_their_thread() -> None:
    seen: list[object] = []
    with Target("cuda"):
        t = threading.Thread(target=lambda: seen.append(Target.current()))
        t.start()
        t.join()
    assert seen == [None]


def test_halves_come_from_memory_eight_at_once_however_wide_their_registers_are() -> None:
    a = te.placeholder((4, 1024), "float16", name="A")
    x = te.compute((4, 1024), lambda i, j: a[i, j].astype("float32") * 2.0, name="X")
    b = te.compute((4, 1024), lambda i, j: (x[i, j] + 1.0).astype("float16"), name="B")
    s = te.create_schedule(b.op)
    thread, lane = s[b].split(b.op.axis[1], factor=8)
    s[b].bind(b.op.axis[0], te.thread_axis("blockIdx.x"))
    s[b].bind(thread, te.thread_axis("threadIdx.x"))
    s[b].vectorize(lane)
    s[x].compute_at(s[b], thread)
    s[x].vectorize(x.op.axis[1])
    text = gpucomp.source(s, [a, b], "cuda")
    assert text.count("*(const uint4*)(A") == 1
    assert text.count("*(uint4*)(B") == 1
    assert "float X[8];" in text


def test_a_guarded_vector_that_is_converted_is_loaded_once_under_one_branch() -> None:
    a = te.placeholder((1003,), "float16", name="A")
    x = te.compute((1003,), lambda i: a[i].astype("float32"), name="X")
    k = te.reduce_axis((0, 1003), "k")
    b = te.compute((1,), lambda i: te.sum(x[k], axis=k), name="B")
    s = te.create_schedule(b.op)
    rest, lane = s[b].split(b.op.reduce_axis[0], factor=8)
    chunk, thread = s[b].split(rest, factor=32)
    s[b].reorder(thread, chunk, lane)
    s[b].bind(b.op.axis[0], te.thread_axis("blockIdx.x"))
    s[b].bind(thread, te.thread_axis("threadIdx.x"))
    s[x].compute_at(s[b], chunk)
    s[x].vectorize(x.op.axis[0])
    text = gpucomp.source(s, [a, b], "cuda")
    assert text.count("*(const uint4*)(A") == 1
    values = np.arange(1003).astype("float16") % 16
    out = np.full(1, 7, "float32")
    gpucomp.build(s, [a, b], "llvm")(values, out)
    assert out[0] == values.astype("float64").sum()
