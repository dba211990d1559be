"""The same kernels on a real GPU: types, widths, reductions over threads. Run by ci/gpu."""

from __future__ import annotations

from typing import Any  # arrays of any element type

import numpy as np
import pytest

from gpucomp.codegen import emit_unit
from gpucomp.runtime.device import cuda
from gpucomp.runtime.module import Module
from gpucomp.support.dtype import DType
from gpucomp.support.launch import FunctionData, Variant
from gpucomp.target import Target
from gpucomp.tir import expr as e
from gpucomp.tir import intrin
from gpucomp.tir import operators as op
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import IterVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.transform.lower_thread_allreduce import lower_thread_allreduce
from gpucomp.transform.split_host_device import split_host_device
from tests.transform.test_lower_thread_allreduce import CASES, expected, kernel, outputs

Array = np.ndarray[Any, Any]
TYPES = (
    "float32",
    "float16",
    "bfloat16",
    "float64",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "int64",
    "bool",
)


def run(func: PrimFunc, *arrays: Array) -> None:
    """Compile for the GPU here and call with all buffers."""
    target = Target.from_device(cuda(0))
    kernels, program = split_host_device(lower_thread_allreduce(func.with_attr("target", target)))
    image = emit_unit(kernels, target)
    Module({"f": FunctionData("f", (Variant(True, program, image),))}, cuda(0), "cuda")(*arrays)


def one_to_one(dtype: str, lanes: int, start: int) -> PrimFunc:
    """out[start + i] = a[start + i] * b[start + i] + max(a, b), ``lanes`` elements for each thread."""
    a, b, out = (decl_buffer([256 * lanes + start], dtype, name) for name in ("A", "B", "O"))
    bx = IterVar((0, 4), "bx", IterVar.ThreadIndex, "blockIdx.x")
    tx = IterVar((0, 64), "tx", IterVar.ThreadIndex, "threadIdx.x")
    at = (bx * 64 + tx) * lanes + start
    index = at if lanes == 1 else e.Ramp(at, op.const(1), lanes)
    x, y = a[index], b[index]
    value = e.And(x, y) if dtype == "bool" else x * y + op.maximum(x, y)
    body = s.AttrStmt(tx, "thread_extent", 64, s.BufferStore(out, value, (index,)))
    body = s.AttrStmt(bx, "thread_extent", 4, body)
    params = {Var(p.name, p.data.type_annotation): p for p in (a, b, out)}
    return PrimFunc(list(params), body, params, {"global_symbol": "f", "tir.noalias": True})


@pytest.mark.cuda
@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("lanes", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("dtype", TYPES)
def test_types_and_widths_are_numpys(dtype: str, lanes: int, start: int) -> None:
    rng = np.random.default_rng(lanes)
    kind = DType(dtype).numpy
    a, b = (rng.integers(0, 2 if dtype == "bool" else 9, (2, 256 * lanes + start))).astype(kind)
    out = np.zeros_like(a)
    run(one_to_one(dtype, lanes, start), a, b, out)
    want = a & b if dtype == "bool" else a * b + np.maximum(a, b)
    np.testing.assert_array_equal(out[start:], want[start:])


@pytest.mark.cuda
@pytest.mark.parametrize("kind", ["sum", "max", "argmax"])
@pytest.mark.parametrize(("block", "reduced"), CASES)
def test_reductions_over_threads_are_numpys(block: tuple[int, ...], reduced: tuple[int, ...], kind: str) -> None:
    func = kernel(block, reduced, kind, target="cuda", rounds=2, limit=20)
    data = np.random.default_rng(1).integers(-9, 9, 6 * int(np.prod(block))).astype(np.int32)
    got = [np.zeros_like(data) for _ in outputs(func)]
    run(func, data, *got)
    for mine, want in zip(got, expected(data, block, reduced, kind, 20), strict=True):
        np.testing.assert_array_equal(mine, want)


@pytest.mark.cuda
def test_part_of_a_warp_under_a_condition() -> None:
    func = kernel((8, 4), (0,), target="cuda", guard=lambda x, y: y.var < 3)
    data = np.arange(96, dtype=np.int32)
    got = np.zeros_like(data)
    run(func, data, got)
    want = expected(data, (8, 4), (0,), "sum")[0].reshape(3, 4, 8).copy()
    want[:, 3] = 0
    np.testing.assert_array_equal(got, want.reshape(-1))


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["exp", "log", "tanh", "erf", "sigmoid", "rsqrt", "sin", "exp2", "floor", "round"])
def test_functions_are_numpys(name: str) -> None:
    import math

    a, out = decl_buffer([64], "float32", "A"), decl_buffer([64], "float32", "O")
    tx = IterVar((0, 64), "tx", IterVar.ThreadIndex, "threadIdx.x")
    body = s.AttrStmt(tx, "thread_extent", 64, s.BufferStore(out, op.unary(name, a[tx]), (tx.var,)))
    params = {Var(p.name, p.data.type_annotation): p for p in (a, out)}
    func = PrimFunc(list(params), body, params, {"global_symbol": "f"})
    data = np.linspace(0.25, 4, 64).astype(np.float32)
    got = np.zeros_like(data)
    run(func, data, got)
    special: dict[str, Any] = {
        "erf": np.vectorize(math.erf),
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "rsqrt": lambda x: 1 / np.sqrt(x),
        "round": lambda x: np.floor(x + 0.5),
    }
    want = (special.get(name) or getattr(np, name))(data.astype(np.float64))
    np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.cuda
def test_dynamic_shared_memory_and_atomics() -> None:
    a, out = decl_buffer([512], "float32", "A"), decl_buffer([8], "float32", "O")
    tile = decl_buffer([64], "float32", "tile", scope="shared.dyn")
    rest = decl_buffer([64], "int32", "rest", scope="shared.dyn")
    bx = IterVar((0, 8), "bx", IterVar.ThreadIndex, "blockIdx.x")
    tx = IterVar((0, 64), "tx", IterVar.ThreadIndex, "threadIdx.x")
    place = intrin.call_intrin("handle", "address_of", out[rest[63 - tx]])
    work = s.seq(
        s.BufferStore(tile, a[bx * 64 + tx], (tx.var,)),
        s.BufferStore(rest, tx % 8, (tx.var,)),
        s.Evaluate(intrin.barrier()),
        s.Evaluate(intrin.call_intrin("float32", "atomic_add", place, tile[63 - tx])),
    )
    for buffer in (tile, rest):
        work = s.Allocate(buffer.data, buffer.dtype, (op.const(64),), op.const(1, "bool"), work)
    body = s.AttrStmt(bx, "thread_extent", 8, s.AttrStmt(tx, "thread_extent", 64, work))
    params = {Var(p.name, p.data.type_annotation): p for p in (a, out)}
    func = PrimFunc(list(params), body, params, {"global_symbol": "f", "tir.noalias": True})
    data = np.arange(512, dtype=np.float32)
    got = np.zeros(8, np.float32)
    run(func, data, got)
    np.testing.assert_array_equal(got, data.reshape(-1, 8).sum(0))
