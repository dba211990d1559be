"""Things that people pass by mistake: each gives one gpucomp error at the line of the call, never a crash inside.

Types are wrong on purpose, so the type checker's rules about them are off.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir, topi
from gpucomp.driver.build import lower_primfunc
from gpucomp.driver.build_module import get_binds
from gpucomp.ir.transform import Sequential
from gpucomp.support.diagnostics import GpucompError
from gpucomp.te import schedule as sch
from gpucomp.testing import check

A, V = te.placeholder((8, 4), name="A"), te.placeholder((8,), name="V")
ONE = tir.const(1)
X = np.ones((8, 4), np.float32)


class Plain:
    """C = A + 1 with a fresh schedule."""

    def __init__(self) -> None:
        self.c = te.compute((8, 4), lambda i, j: A[i, j] + 1.0, name="C")
        self.s = te.create_schedule(self.c.op)
        self.stage = self.s[self.c]
        self.i, self.j = self.c.op.axis

    def build(self) -> gpucomp.Module:
        return gpucomp.build(self.s, [A, self.c], "llvm", name="f")

    def time(self, **settings: Any) -> object:
        return self.build().time_evaluator("f", "cpu", **settings)


class Rows:
    """R = sums of rows, and a schedule."""

    def __init__(self) -> None:
        k = te.reduce_axis((0, 4), "k")
        self.r = te.compute((8,), lambda i: te.sum(A[i, k], axis=k), name="R")
        self.s = te.create_schedule(self.r.op)

    def rfactor_at(self, place: Any) -> object:
        return self.s.rfactor(self.r, self.r.op.reduce_axis[0], place)


def import_each_other(one: gpucomp.Module, other: gpucomp.Module) -> None:
    one.import_module(other)
    other.import_module(one)


def size_of_a_row(size: Any) -> object:
    n = te.var("n")
    row = te.placeholder((n,), name="row")
    twice = te.compute((n,), lambda i: row[i] * 2.0, name="twice")
    return gpucomp.build(te.create_schedule(twice.op), [n, row, twice], "llvm", name="f")(size, X[0], X[1].copy())


def flat_map() -> tir.IndexMap:
    return tir.IndexMap.from_func(lambda i: [i // 2, i % 2], 1)


def q() -> Any:  # Any: an axis
    return te.reduce_axis((0, 4), "q")


def sum_twice(axis: Any) -> object:
    return te.compute((8,), lambda i: te.sum(A[i, axis], axis=[axis, axis]))


def sum_plus_one(axis: Any) -> object:
    return te.compute((8,), lambda i: te.sum(A[i, axis], axis=axis) + 1.0)


CASES: dict[str, tuple[Callable[[Plain], object], str]] = {
    "negative extent": (lambda p: te.placeholder((-3,)), "extents are >= 0"),
    "fractional extent": (lambda p: te.placeholder((2.5,)), "extents are integers"),
    "unknown dtype": (lambda p: te.placeholder((3,), "float33"), "did you mean 'float32'?"),
    "unknown dtype of a variable": (lambda p: te.var("n", "intt"), "unknown dtype 'intt'"),
    "too few indices": (lambda p: te.compute((8,), lambda i: A[i]), "2 dimensions, but is indexed with 1"),
    "too many indices": (lambda p: te.compute((8,), lambda i: V[i, 0]), "1 dimensions, but is indexed with 2"),
    "index outside": (lambda p: te.compute((8,), lambda i: A[i, 4]), "index 4 is outside of dimension 1"),
    "fractional index": (lambda p: te.compute((8,), lambda i: V[i * 0.5]), "has type float32"),
    "function of another arity": (lambda p: te.compute((8, 4), lambda i: V[i]), "its function takes 1"),
    "function without result": (lambda p: te.compute((8,), lambda i: None), "returns None"),
    "if in a function": (lambda p: te.compute((8,), lambda i: V[i] if i == 0 else 0.0), "is not known while"),
    "and in a function": (lambda p: te.compute((8,), lambda i: i > 0 and i < 4), "is not known while"),
    "sum plus one": (lambda p: sum_plus_one(q()), "a reduction inside of another expression"),
    "negative reduce axis": (lambda p: te.reduce_axis((0, -1), "k"), "'k' has extent -1"),
    "one axis twice": (lambda p: sum_twice(q()), "sum runs over 'q' twice"),
    "sum over a loop": (lambda p: te.compute((8,), lambda i: te.sum(V[i], axis=p.i)), "'i', which is no reduction"),
    "unknown thread": (lambda p: te.thread_axis("threadidx.x"), "did you mean 'threadIdx.x'?"),
    "schedule of nothing": (lambda p: te.create_schedule(None), "create_schedule needs operations"),
    "stage of a number": (lambda p: p.s[3], "is not part of this schedule"),
    "split by a fraction": (lambda p: p.stage.split(p.i, factor=2.5), "factor is 2.5"),
    "split by a negative number": (lambda p: p.stage.split(p.i, factor=-2), "factor is -2"),
    "split of a tensor": (lambda p: p.stage.split(A, factor=2), "needs an axis, got Tensor A\n"),
    "split by nothing": (lambda p: p.stage.split(p.c.op.axis[1]), "help: s[C].split(j, factor=32)"),
    "split of nothing": (lambda p: p.stage.split(None, factor=2), "needs an axis, got NoneType"),
    "fuse of nothing": (lambda p: p.stage.fuse(None), "needs an axis, got NoneType"),
    "reorder of a name": (lambda p: p.stage.reorder("i"), "needs an axis, got str"),
    "vectorize of a name": (lambda p: p.stage.vectorize("i"), "needs an axis, got str"),
    "bind to a name": (lambda p: p.stage.bind(p.i, "threadIdx.x"), "is no thread axis: 'threadIdx.x'"),
    "compute_at nothing": (lambda p: p.stage.compute_at(None, p.i), "compute_at needs a stage, got NoneType"),
    "no such scope": (lambda p: p.stage.set_scope("Shared"), "did you mean 'shared'?"),
    "reader by name": (lambda p: p.s.cache_read(A, "shared", "C"), "is not part of this schedule"),
    "no reader": (lambda p: p.s.cache_read(A, "shared", []), "names no reader"),
    "cache_write of an input": (lambda p: p.s.cache_write(A, "shared"), "'A' is an input"),
    "no arguments": (lambda p: gpucomp.build(p.s), "args are needed"),
    "one tensor as arguments": (lambda p: gpucomp.build(p.s, A, "llvm"), "args is a list of tensors, got one Tensor"),
    "source of one tensor": (lambda p: gpucomp.source(p.s, A), "args is a list of tensors, got one Tensor"),
    "arrays as arguments": (lambda p: gpucomp.build(p.s, [X, X], "llvm"), "argument 0 is a ndarray"),
    "one argument twice": (lambda p: gpucomp.build(p.s, [A, A, p.c], "llvm"), "'A' appears twice"),
    "tensor of another graph": (lambda p: gpucomp.build(p.s, [A, Plain().c], "llvm"), "'C' is written by the kernel"),
    "number as a target": (lambda p: gpucomp.build(p.s, [A, p.c], 5), "a target is text, got int"),
    "unknown architecture": (lambda p: gpucomp.source(p.s, [A, p.c], "cuda -arch=banana"), "'banana' is no arch"),
    "number as a name": (lambda p: gpucomp.build(p.s, [A, p.c], "llvm", name=5), "is text, got int"),
    "no name": (lambda p: gpucomp.build(p.s, [A, p.c], "llvm", name=""), "the name of a function is empty"),
    "text as source": (lambda p: gpucomp.source("x"), "cannot compile a str"),
    "None at launch": (lambda p: p.build()(None, X), "has type NoneType, expected an array of float32"),
    "list at launch": (lambda p: p.build()([[1.0]], X), "has type list, expected an array of float32"),
    "columns first": (lambda p: p.build()(np.asfortranarray(X), X.copy()), "is not contiguous"),
    "input as output": (lambda p: p.build()(X, X), "is written and overlaps argument 1 (A)"),
    "no such function": (lambda p: p.build()["g"], "no function 'g'"),
    "no such form": (lambda p: p.build().get_source("ptx"), "no form 'ptx'"),
    "array of text": (lambda p: gpucomp.nd.array(["a"]), "has no counterpart on a device"),
    "ragged array": (lambda p: gpucomp.nd.array([[1], [1, 2]]), "numpy cannot make an array of this"),
    "negative device": (lambda p: gpucomp.cpu(-1), "indices start at 0"),
    "device of a sign that is no number": (lambda p: gpucomp.device("cpu:²"), "names no device"),
    "device that is no number": (lambda p: gpucomp.device("opencl:x"), "names no device"),
    "scope that is a list": (lambda p: p.stage.set_scope(["shared"]), "unknown storage scope ['shared']"),
    "stage of a list": (lambda p: p.s[[A]], "is not part of this schedule"),
    "padding by text": (lambda p: p.stage.storage_align(p.i, "x", 1), "factor is 'x' and offset 1"),
    "padding by less than nothing": (lambda p: p.stage.storage_align(p.i, 32, -1), "factor is 32 and offset -1"),
    "threads of a number": (lambda p: p.stage.env_threads(32), "32 is no thread axis"),
    "layout that is a list": (lambda p: p.stage.transform_layout([1, 0]), "is a list, no function"),
    "layout of one index": (lambda p: p.stage.transform_layout(lambda i: [i]), "does not take 2 arguments"),
    "layout that gives one index": (lambda p: p.stage.transform_layout(lambda i, j: i), "gives a Var, no list"),
    "map of one index": (lambda p: p.stage.transform_layout(flat_map()), "is of 1 indices, but C has 2 dimensions"),
    "group of numbers": (lambda p: p.s.create_group(3, 4), "is not part of this schedule"),
    "place of a factor by name": (lambda p: Rows().rfactor_at("last"), "factor_axis last is no whole number"),
    "function that is a tensor": (lambda p: te.compute((8,), [A]), "fcompute is a list, no function"),
    "tag that is a number": (lambda p: te.thread_axis(None, 32), "unknown thread tag 32"),
    "dtype that is a list": (lambda p: te.placeholder((3,), ["float32"]), "unknown dtype \"['float32']\""),
    "body of one argument": (lambda p: te.extern((8,), [A], lambda ins: None), "fcompute does not take 2 arguments"),
    "inputs that are a number": (lambda p: te.extern((8,), 3, lambda i, o: None), "input 0 is a int, not a tensor"),
    "function that is none": (lambda p: te.extern_primfunc([A], "f"), "the function is a str, no PrimFunc"),
    "intrinsic without a function": (lambda p: te.decl_tensor_intrin(p.c.op, 3), "fcompute is a int, no function"),
    "function of nothing": (lambda p: te.create_prim_func(None), "takes tensors and variables, got NoneType"),
    "gradient by a number": (lambda p: te.gradient(p.c, 3), "an input is a int, no tensor"),
    "device of a number": (lambda p: gpucomp.device(3), "a device is named by text, got int"),
    "bounds of nothing": (lambda p: sch.InferBound(None), "InferBound takes a Schedule, got None"),
    "nest of a tensor": (lambda p: sch.ScheduleOps(A, {}), "ScheduleOps takes a Schedule, got a Tensor"),
    "lowering a tensor": (lambda p: te.lower_schedule(A, [A]), "lower takes a Schedule, got a Tensor"),
    "inlining in nothing": (lambda p: sch.AutoInlineInjective(None), "AutoInline takes a Schedule, got None"),
    "attachments of a number": (lambda p: sch.CreateAttachPath(3), "CreateAttachPath takes a Schedule, got an int"),
    "order of a tensor": (lambda p: sch.PostDFSOrder([A]), "PostDFSOrder takes a list of Operation, got a Tensor"),
    "reads of text": (lambda p: sch.CreateReadGraph("C"), "CreateReadGraph takes a list of Operation, got a str"),
    "readers in a list": (lambda p: sch.CreateFeedGraph([]), "CreateFeedGraph takes a Mapping, got a list"),
    "function of a number": (lambda p: sch.SchedulePostProcToPrimFunc([A], 3), "takes a Stmt, got an int"),
    "compactness of nothing": (lambda p: sch.VerifyCompactBuffer(None), "VerifyCompactBuffer takes a Stmt, got None"),
    "buffers of a tensor": (lambda p: get_binds(A), "get_binds takes a list, got a Tensor"),
    "memory of a module": (lambda p: tir.analysis.verify_memory(None), "verify_memory takes a PrimFunc, got None"),
    "limits of text": (lambda p: tir.analysis.verify_gpu_code("f", {}), "verify_gpu_code takes a PrimFunc, got a str"),
    "form of a list": (lambda p: tir.analysis.verify_well_formed([]), "takes a PrimFunc, got a list"),
    "one place of nothing": (lambda p: tir.analysis.verify_ssa(None), "verify_ssa takes a PrimFunc, got None"),
    "variables of a tensor": (lambda p: tir.analysis.undefined_vars(A), "takes a PrimFunc or a Stmt or an Expr,"),
    "flops of a tensor": (lambda p: tir.analysis.estimate_tir_flops(A), "takes a PrimFunc or a Stmt, got a Tensor"),
    "lowering a list of nodes": (lambda p: lower_primfunc([], None), "lower_primfunc takes a PrimFunc, got a list"),
    "simplifying nothing": (lambda p: tir.transform.Simplify()(None), "pass tir.Simplify takes an IRModule, or one"),
    "pipeline of functions": (lambda p: Sequential([print]), "takes a list of Pass, got a builtin_function_or_method"),
    "walking over nothing": (lambda p: tir.stmt_functor.post_order_visit(None, print), "takes a Stmt or an Expr"),
    "walking with nothing": (lambda p: tir.stmt_functor.pre_order_visit(ONE, None), "takes a function, got None"),
    "rewriting a number": (lambda p: tir.stmt_functor.ir_transform(3, None, None), "takes a Stmt, got an int"),
    "replacing by a list": (lambda p: tir.stmt_functor.substitute(ONE, [1]), "substitute takes a Mapping, got a list"),
    "literal of nothing": (lambda p: tir.const(None), "const takes an int or a float or a bool, got None"),
    "intrinsic without a name": (lambda p: tir.call_intrin("float32", None), "call_intrin takes a str, got None"),
    "sum with a list": (lambda p: tir.Add([None], 1), "Add cannot be made of (list, int)"),
    "load of nothing": (lambda p: tir.BufferLoad(None, None), "BufferLoad cannot be made of (NoneType, NoneType)"),
    "store into a number": (lambda p: tir.BufferStore(3, 1, 3), "BufferStore cannot be made of (int, int, int"),
    "function of nothing at all": (lambda p: tir.PrimFunc(None, None, {}, {}), "PrimFunc cannot be made of (NoneType,"),
    "schedule of nothing at all": (lambda p: te.Schedule(None), "Schedule takes a list of Operation, got None"),
    "schedule of a tensor": (lambda p: te.Schedule(p.c), "Schedule takes a list of Operation, got a Tensor"),
    "schedule without its order": (lambda p: te.Schedule([p.c.op]), "te.create_schedule(C.op) makes a schedule"),
    "stage of a tensor": (lambda p: te.Stage(p.c, None), "Stage takes a Schedule, got a Tensor"),
    "stage of no operation": (lambda p: te.Stage(p.s, 3), "the stage of a tensor C is s[C]"),
    "operation by number": (lambda p: te.Operation(1, 2, 3, 4), "Operation: name takes a str, got an int"),
    "tensor of no operation": (lambda p: te.Tensor(None, 0, (), "float32"), "Tensor takes an Operation, got None"),
    "module of nothing": (lambda p: gpucomp.Module(None), "Module takes a Mapping, got None"),
    "module of numbers": (lambda p: gpucomp.Module({"f": 3}), "Module takes a list of FunctionData, got an int"),
    "array of a shape": (lambda p: gpucomp.NDArray((3,), None, None, None), "NDArray takes a Memory, got a tuple"),
    "functions that are numbers": (lambda p: gpucomp.IRModule({"f": 3}), "'f' is a int, no function of IR"),
    "copy into numpy": (lambda p: gpucomp.nd.array(X).copyto(X), "copyto takes an NDArray, got an ndarray"),
    "hidden elements": (lambda p: p.build()(np.ma.masked_greater(X, 0)), "elements of this array are masked"),
    "copy of hidden elements": (lambda p: gpucomp.nd.array(np.ma.masked_equal(X, 1)), "x.filled(0)"),
    "another shape": (lambda p: gpucomp.nd.array(X).copyfrom(X[0]), "the source has shape (4,), this array (8, 4)"),
    "complex values": (lambda p: gpucomp.nd.array(X).copyfrom(X * 1j), "is no array of numbers"),
    "memory of a list": (lambda p: gpucomp.nd.from_dlpack([1]), "from_dlpack takes a SupportsDLPack, got a list"),
    "more memory than there is": (lambda p: gpucomp.nd.empty((2**70,)), "bytes of memory"),
    "function by number": (lambda p: p.build()[3], "get_function takes a str, got an int"),
    "sizes that are a number": (lambda p: p.build().specialize(3), "specialize takes a Mapping, got an int"),
    "library without a name": (lambda p: p.build().export_library(None), "or a PathLike, got None"),
    "library below a file": (lambda p: p.build().export_library("/dev/null/f.json"), "f.json cannot be written"),
    "timing on nothing": (lambda p: p.build().time_evaluator("f", None), "a device is named by text, got NoneType"),
    "cooling after no repeat": (lambda p: p.time(repeat=3, repeats_to_cooldown=0), "repeats_to_cooldown is 0"),
    "time by text": (lambda p: p.time(min_repeat_ms="3"), "min_repeat_ms is '3', and must be a number"),
    "import of a number": (lambda p: p.build().import_module(3), "import_module takes a Module, got an int"),
    "import of itself": (lambda p: (f := p.build()).import_module(f), "imports this module already, or is"),
    "import in a circle": (lambda p: import_each_other(p.build(), p.build()), "imports this module already, or is"),
    "assigning to some elements": (lambda p: gpucomp.nd.array(X).__setitem__(X, 1), "only a[:] = values assigns"),
    "infinite size": (lambda p: size_of_a_row(float("inf")), "argument 1 (n) of f is inf, expected a whole number"),
    "variable by number": (lambda p: te.var(3), "Var takes a str, got an int"),
    "axis by number": (lambda p: tir.IterVar((0, 3), 3, 0), "var is no Var and no name: 3"),
    "kind of axis by name": (lambda p: tir.IterVar((0, 3), "i", "x"), "iter_type is none of IterVar.DataPar"),
    "name that is a number": (lambda p: te.placeholder((3,), name=3), "placeholder: name takes a str, got an int"),
    "tag of a compute": (lambda p: te.compute((3,), lambda i: V[i], tag=3), "compute: tag takes a str, got an int"),
    "annotations": (lambda p: te.compute((3,), lambda i: V[i], attrs=3), "compute: attrs takes a Mapping, got an int"),
    "literal of a fraction": (lambda p: te.const(1.5, "int32"), "1.5 is no int32"),
    "literal that wraps": (lambda p: te.const(300, "int8"), "300 does not fit into int8, and would be 44 there"),
    "literal that no integer holds": (lambda p: te.compute((3,), lambda i: V[i] + (i + 2**70)), "fit into int64"),
    "extent that no integer holds": (lambda p: te.placeholder((2**64 + 5,)), "extents are integers"),
    "infinite integer": (lambda p: te.infinity("int32"), "inf is no int32"),
    "fraction as an IntImm": (lambda p: tir.IntImm("int32", 1.5), "IntImm takes an int, got a float"),
    "text as a FloatImm": (lambda p: tir.FloatImm("float32", "x"), "FloatImm takes a float, got a str"),
    "sum of bools": (lambda p: te.compute((8,), lambda i: te.sum(V[i] > 0, axis=q())), "'+' of two bools"),
    "product of bools": (lambda p: te.compute((8,), lambda i: (V[i] > 0) * (V[i] < 1)), "'*' of two bools"),
    "quotient of bools": (lambda p: te.compute((8,), lambda i: tir.div(V[i] > 0, V[i] < 1)), "'/' of two bools"),
    "remainder of bools": (lambda p: te.compute((8,), lambda i: te.floormod(i > 0, i < 1)), "'%' of two bools"),
    "negative bool": (lambda p: te.compute((8,), lambda i: -(V[i] > 0)), "'-' of two bools"),
    "all of a number": (lambda p: te.all(3), "all: 3 has type int32, and is no condition"),
    "any of an element": (lambda p: te.any(V[0]), "any: V[0] has type float32, and is no condition"),
    "exp of text": (lambda p: te.compute((3,), lambda i: te.exp("a")), "text is no number"),
    "int of an element": (lambda p: te.compute((3,), lambda i: int(V[i])), "V[i] has no value yet"),
    "sum by numpy": (lambda p: te.compute((3,), lambda i: np.sum(V[i])), "numpy.add.reduce does not work"),
    "negative extent of a buffer": (lambda p: tir.decl_buffer((-3,)), "extents are integers >= 0"),
    "strides of another shape": (lambda p: tir.decl_buffer((3,), strides=[4, 1]), "1 dimensions and 2 strides"),
    "kind of buffer": (lambda p: tir.decl_buffer((3,), buffer_type="x"), "buffer_type 'x'"),
    "offset by name": (lambda p: tir.decl_buffer((3,), elem_offset="a"), "elem_offset is 'a', no integer"),
    "data that is a number": (lambda p: tir.decl_buffer((3,), data=3), "decl_buffer: data takes a Var, got an int"),
    "readers that are nothing": (lambda p: p.s.cache_read(A, "shared", None), "is not part of this schedule"),
    "copy of an operation": (lambda p: p.s.cache_read(A.op, "shared", [p.c]), "takes a Tensor, got a PlaceholderOp"),
    "cache_write of an operation": (lambda p: p.s.cache_write(p.c.op, "local"), "list of Tensor, got a ComputeOp"),
    "division by nothing": (lambda p: te.floordiv(3, 0), "division of 3 by zero"),
    "concatenation of one": (lambda p: topi.concatenate(3), "concatenate"),
    "schedule of a topi number": (lambda p: topi.generic.schedule_injective(3), "create_schedule needs operations"),
    "check of a number": (lambda p: check(3, [A], None), "check takes a Schedule or a Module or a Function, got"),
    "check against nothing": (lambda p: check(p.s, [A, p.c], None), "the reference is a NoneType, no function"),
    "check of another size": (
        lambda p: check(p.s, [A, p.c], lambda a: a, device="cpu", sizes={"n": 3}),
        "no symbolic extent 'n'",
    ),
    "setting that there is not": (lambda p: gpucomp.config.override(foo=1).__enter__(), "there is no setting 'foo'"),
    "setting out of range": (lambda p: gpucomp.config.override(verify=9).__enter__(), "9 is not between 0 and 3"),
    "registering a number": (lambda p: gpucomp.register_func("a.b", 3), "takes a function, got an int"),
    "global function by number": (lambda p: gpucomp.get_global_func(3), "get_global_func takes a str, got an int"),
    "global function that is none": (lambda p: gpucomp.get_global_func("no.such"), "register it: register_func"),
    "options that are a number": (lambda p: gpucomp.transform.PassContext(config=3), "config takes a Mapping, got an"),
    "passes that are a number": (lambda p: gpucomp.transform.PassContext(disabled_pass=3), "a list of str, got an int"),
    "statement that is nothing": (lambda p: tir.ir_builder.create().emit(None), "emit takes a Stmt or an ExprOp"),
    "target by number": (lambda p: gpucomp.runtime.enabled(3), "enabled takes a str, got an int"),
    "missing file": (lambda p: gpucomp.runtime.load_module("no-such-file.json"), "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_gives_one_error_at_the_line_of_the_call(name: str) -> None:
    act, part = CASES[name]
    plain = Plain()
    with pytest.raises(GpucompError) as caught:
        act(plain)
    assert part in str(caught.value)
    assert caught.value.where is not None
    assert caught.value.where.file == __file__
    assert not caught.value.code.endswith("00"), "a code of its own"


def test_dtypes_of_numpy_are_dtypes_here() -> None:
    assert te.placeholder((3,), np.float16).dtype == "float16"
    assert te.placeholder((3,), np.dtype("int8")).dtype == "int8"
    assert gpucomp.nd.empty((3,), np.int32).dtype == "int32"


def test_a_device_may_be_given_by_name() -> None:
    assert gpucomp.nd.array(X, "cpu").device is gpucomp.cpu(0)
    assert gpucomp.nd.empty((3,), "float32", "cpu:0").device is gpucomp.cpu(0)
