"""Names that programs for other front ends of `te` use around it, and what they do."""

from __future__ import annotations

from pathlib import Path
from typing import Any  # Any: what a module gives

import numpy as np
import pytest

import gpucomp as tvm
from gpucomp import te, tir
from gpucomp.tir.stmt_functor import pre_order_visit


def doubled() -> tuple[te.Schedule, list[te.Tensor]]:
    a = te.placeholder((8,), name="A")
    b = te.compute((8,), lambda i: a[i] * 2, name="B")
    return te.create_schedule(b.op), [a, b]


def test_reducers_are_found_in_tir_too_and_combine_pairs_with_literals_of_the_others_type() -> None:
    a = te.placeholder((4, 5), name="A")
    k = te.reduce_axis((0, 5), "k")
    total = tir.comm_reducer(lambda x, y: x + y, lambda t: tir.const(0, t), name="total")
    outputs = [
        te.compute((4,), lambda i: tir.max(a[i, k], axis=k)),
        te.compute((4,), lambda i: tir.min(a[i, k], k)),
        te.compute((4,), lambda i: total(a[i, k], axis=k)),
    ]
    x = np.arange(20, dtype="float32").reshape(4, 5)
    results: Any = tvm.build(te.create_schedule([t.op for t in outputs]), [a, *outputs], "llvm")(x)
    for got, want in zip(results, (x.max(1), x.min(1), x.sum(1)), strict=True):
        tvm.testing.assert_allclose(got, want)
    small = te.var("x", "int8")
    assert tir.max(0, small).dtype == "int8"
    assert te.min(small, 3).dtype == "int8"


def test_a_pass_of_the_users_runs_while_lowering_and_gets_function_module_and_context() -> None:
    seen: list[tuple[str, bool, int]] = []

    @tir.transform.prim_func_pass(opt_level=0)
    def unrolled(func: tir.PrimFunc, mod: tvm.IRModule, ctx: tvm.transform.PassContext) -> tir.PrimFunc:
        seen.append((func.name, mod[func.name] is func, ctx.opt_level))
        assert isinstance(func.body, tir.For)
        return func.with_body(func.body.replace(kind=tir.ForKind.UNROLLED))

    s, args = doubled()
    with tvm.transform.PassContext(opt_level=3, config={"tir.add_lower_pass": [(1, unrolled)]}):
        module = tvm.lower(s, args, name="f")
    assert seen == [("f", True, 3)]
    assert loops(module["f"]) == [tir.ForKind.UNROLLED]
    assert unrolled.name == "unrolled"


def loops(func: tir.PrimFunc) -> list[tir.ForKind]:
    found: list[tir.ForKind] = []

    def visit(node: object) -> bool:
        if isinstance(node, tir.For):
            found.append(node.kind)
        return True

    pre_order_visit(func.body, visit)
    return found


def test_named_passes_run_one_by_one_over_modules() -> None:
    s, args = doubled()
    s[args[1]].vectorize(args[1].op.axis[0])
    module = tvm.lower(s, args, simple_mode=True)
    assert loops(module["main"]) == [tir.ForKind.VECTORIZED]
    steps = tvm.transform.Sequential([tir.transform.StorageFlatten(64), tir.transform.Simplify()])
    assert loops(steps(module)["main"]) == [tir.ForKind.VECTORIZED]
    assert loops(tir.transform.VectorizeLoop()(steps(module))["main"]) == []
    assert loops(tir.transform.VectorizeLoop(False)(steps(module))["main"]) == [tir.ForKind.SERIAL]
    assert tir.transform.UnrollLoop()(module) is module


def test_a_pass_over_modules_may_add_functions() -> None:
    @tvm.transform.module_pass(opt_level=1, name="twice")
    def twice(mod: tvm.IRModule, ctx: tvm.transform.PassContext) -> tvm.IRModule:
        return mod.replace(functions={**mod.functions, "again": mod["main"]})

    s, args = doubled()
    assert list(twice(tvm.lower(s, args))) == ["main", "again"]
    assert twice.name == "twice"


def test_functions_are_compared_and_judged_under_their_public_names() -> None:
    s, args = doubled()
    first, second = tvm.lower(s, args)["main"], tvm.lower(*doubled())["main"]
    tvm.ir.assert_structural_equal(first, second, map_free_vars=True)
    assert tvm.ir.structural_hash(first) == tvm.ir.structural_hash(second)
    assert tir.analysis.verify_ssa(first)
    assert tir.analysis.verify_memory(first)
    assert not tir.analysis.verify_memory(first.with_attr("target", tvm.Target("cuda")))
    i = te.var("i")
    assert tir.analysis.expr_deep_equal(i + 1, i + 1)
    assert not tir.analysis.expr_deep_equal(i + 1, te.var("i") + 1)


def test_limits_of_a_device_are_a_question_with_an_answer() -> None:
    s, args = doubled()
    s[args[1]].bind(args[1].op.axis[0], te.thread_axis("threadIdx.x"))
    func = tvm.lower(s, args)["main"]
    assert tir.analysis.verify_gpu_code(func, {"max_threads_per_block": 8})
    assert not tir.analysis.verify_gpu_code(func, {"max_threads_per_block": 7})


def test_an_exported_library_is_read_again(tmp_path: Path) -> None:
    s, args = doubled()
    tvm.build(s, args, "llvm", name="twice").export_library(tmp_path / "twice.so")
    module = tvm.runtime.load_module(tmp_path / "twice.so")
    np.testing.assert_array_equal(module["twice"](np.arange(8, dtype="float32")), np.arange(8) * 2)


def test_python_values_become_values_of_the_ir() -> None:
    assert tvm.convert([1, (2, "a")]) == (tir.const(1), (tir.const(2), tir.StringImm("a")))
    assert tvm.runtime.convert(None) is None
    assert tvm.convert(max) is max
    assert tvm.convert({"a": 1})["a"] is tir.const(1)
    assert tvm.runtime.const(3, "int8").dtype == tvm.DataType("int8")
    assert (tvm.DataType("float16x4").bits, tvm.DataType("float16x4").lanes) == (16, 4)


def test_ranges_and_intrinsics_are_found_in_ir() -> None:
    assert tvm.ir.Range(0, 4).extent is tvm.ir.Range.from_min_extent(0, 4).extent
    assert tvm.ir.Op.get("tir.exp").is_pure
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = tvm.ir.Nothing  # pyright: ignore[reportAttributeAccessIssue]  # there is none


def test_every_error_is_the_one_that_programs_catch() -> None:
    with pytest.raises(tvm.error.TVMError):
        te.create_schedule(te.placeholder((4,)).op).cache_write(te.placeholder((4,)), "local")
    assert tvm.TVMError is tvm.error.TVMError


def test_what_is_enabled_is_what_runs() -> None:
    assert tvm.runtime.enabled("llvm -mcpu=generic")
    assert not tvm.runtime.enabled("metal")
    assert not tvm.testing.device_enabled("")
    targets = dict(tvm.testing.enabled_targets())
    assert targets["llvm"] is tvm.cpu(0)


def test_close_arrays_need_one_shape() -> None:
    tvm.testing.assert_allclose(tvm.nd.array(np.ones(3, "float32")).numpy(), [1, 1, 1 + 1e-8])
    with pytest.raises(AssertionError):
        tvm.testing.assert_allclose(np.ones(3), np.ones(1))
    with pytest.raises(AssertionError):
        tvm.testing.assert_allclose(np.ones(3), np.ones(3) + 1e-5)


def test_devices_are_named_by_dev_id() -> None:
    assert tvm.cpu(dev_id=0) is tvm.device("cpu", dev_id=0)
    assert tvm.opencl(dev_id=1).index == 1
    assert isinstance(te.HybridOp, type)
    assert te.schedule.SpecializedCondition is te.SpecializedCondition
