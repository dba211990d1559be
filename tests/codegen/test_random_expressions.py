"""Random expressions of all types: OpenCL on PoCL and the interpreter agree bit by bit, and CUDA compiles."""

from __future__ import annotations

import random
from typing import Any  # arrays of any element type

import numpy as np
import pytest

from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir import intrin
from gpucomp.tir import operators as op
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr
from gpucomp.tir.interp import interpret
from gpucomp.transform.lower_intrin import lower_intrin
from tests.codegen.build import axis, bind, device, flat, images
from tests.codegen.devices import compile_cuda, run_opencl
from tests.tiers import tiered

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
FLOATS = ("float32", "float16", "bfloat16")
THREADS = 64


def cast(dtype: str, value: Expr) -> Expr:
    return op.cast(DType(dtype).with_lanes(value.dtype.lanes), value)


class Maker:
    """Draws expressions over ``tx`` (a thread, or a vector of element numbers); shares some, so that graphs arise."""

    def __init__(self, seed: int, inputs: dict[str, Buffer], tx: Expr) -> None:
        self.random = random.Random(seed)
        self.inputs = inputs
        self.tx = tx
        self.made: dict[str, list[Expr]] = {}

    def draw(self, dtype: str, depth: int) -> Expr:
        pool = self.made.setdefault(dtype, [])
        if pool and self.random.random() < 0.2:
            return self.random.choice(pool)
        value = self.leaf(dtype) if depth == 0 else self.inner(dtype, depth - 1)
        lanes = self.tx.dtype.lanes
        value = e.Broadcast(value, lanes) if lanes > value.dtype.lanes else value
        pool.append(value)
        return value

    def leaf(self, dtype: str) -> Expr:
        if dtype == "bool":
            return self.tx > self.random.randrange(THREADS)
        if self.random.random() < 0.4:
            low = 0 if dtype.startswith("u") else -9
            return op.const(self.random.randint(low, 9), dtype)
        if self.random.random() < 0.2 and dtype == "int32":
            return self.tx
        return self.inputs[dtype][
            op.floormod(self.tx * self.random.randrange(1, 7) + self.random.randrange(9), THREADS)
        ]

    def inner(self, dtype: str, depth: int) -> Expr:
        if self.random.random() < 0.2:
            both = self.tx.dtype.lanes > 1 or self.random.random() < 0.5  # one lane guards nothing in another
            pick = e.Select if both else intrin.if_then_else
            return pick(self.draw("bool", depth), self.draw(dtype, depth), self.draw(dtype, depth))
        if dtype == "bool":
            return self.condition(depth)
        return self.number(dtype, depth) if dtype in FLOATS else self.integer(dtype, depth)

    def condition(self, depth: int) -> Expr:
        kind = self.random.choice([e.And, e.Or, e.Not, e.LT, e.LE, e.GT, e.GE, e.EQ, e.NE])
        if kind is e.Not:
            return op.logical_not(self.draw("bool", depth))
        if kind in (e.And, e.Or):
            a, b = self.draw("bool", depth), self.draw("bool", depth)
            return op.logical(kind, a, b) if self.tx.dtype.lanes == 1 else e.Select(a, b, a)
        dtype = self.random.choice(INTEGERS + FLOATS)
        return op.compare(kind, self.draw(dtype, depth), self.draw(dtype, depth))

    def integer(self, dtype: str, depth: int) -> Expr:
        a = self.draw(dtype, depth)
        kind = self.random.randrange(10)
        if kind == 0:
            return cast(dtype, self.draw(self.random.choice(INTEGERS), depth))
        if kind == 1:
            divisor = op.const(self.random.choice([1, 2, 3, 4, 7, 8, 10]), dtype)
            return self.random.choice([op.floordiv, op.floormod, op.truncdiv, op.truncmod])(a, divisor)
        if kind == 2:
            amount = op.const(self.random.randrange(DType(dtype).bits), dtype)
            return op.bitwise("shift_right", a, amount)
        b = self.draw(dtype, depth)
        if kind == 3:
            return op.bitwise(self.random.choice(["bitwise_and", "bitwise_or", "bitwise_xor"]), a, b)
        if kind == 4:
            return op.bitwise_not(a)
        if kind == 5:
            return cast(dtype, self.draw("bool", depth))
        return self.random.choice([op.add, op.subtract, op.multiply, op.minimum, op.maximum])(a, b)

    def number(self, dtype: str, depth: int) -> Expr:
        kind = self.random.randrange(6)
        if kind == 0:
            return cast(dtype, self.draw(self.random.choice(("int8", "uint8", "bool")), depth))
        if kind == 1:
            return cast(dtype, self.draw(self.random.choice(FLOATS), depth))
        a, b = self.draw(dtype, depth), self.draw(dtype, depth)
        if kind == 2 and dtype != "float32":  # products of float32 may be fused with a sum
            return op.multiply(a, b)
        return self.random.choice([op.add, op.subtract, op.minimum, op.maximum])(a, b)


def draw_inputs(seed: int) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    out: dict[str, np.ndarray[Any, Any]] = {}
    for dtype in INTEGERS + FLOATS:
        kind = DType(dtype)
        if kind.is_float:
            out[dtype] = (rng.integers(-64, 64, THREADS) / 8).astype(kind.numpy)
        else:
            out[dtype] = np.frombuffer(rng.bytes(THREADS * kind.nbytes), kind.numpy).copy()
    return out


CASES = [*((seed, 1) for seed in range(5)), *((seed, 4) for seed in range(3))]  # seed, lanes


@pytest.mark.opencl
@pytest.mark.parametrize("case", tiered(CASES, [(0, 1)]), ids=str)
def test_random_expressions_agree(case: tuple[int, int]) -> None:
    seed, lanes = case
    inputs = {dtype: flat(f"in_{dtype}", dtype, THREADS) for dtype in INTEGERS + FLOATS}
    types = [t for t in (*INTEGERS, *FLOATS, "bool") for _ in range(3)]
    outs = [flat(f"out{k}_{dtype}", dtype, THREADS * lanes) for k, dtype in enumerate(types)]
    tx = axis("threadIdx.x", THREADS)
    at: Expr = tx.var if lanes == 1 else e.Ramp(tx * lanes, op.const(1), lanes)
    maker = Maker(seed, inputs, at)
    stores = [s.BufferStore(o, maker.draw(t, 4 if lanes == 1 else 3), (at,)) for o, t in zip(outs, types, strict=True)]
    params = [*outs, *inputs.values()]
    func = lower_intrin(device(params, bind(s.seq(stores), tx), {"threadIdx.x": THREADS}, outs))
    arrays = draw_inputs(seed)
    mine = [np.zeros(THREADS * lanes, o.dtype.numpy) for o in outs]
    interpret(func, [*mine, *arrays.values()])
    forms = images(func)
    compile_cuda(forms["cuda"], warnings=True)  # comparisons that are always true
    empty = [np.zeros(THREADS * lanes, o.dtype.numpy) for o in outs]
    got = run_opencl(forms["opencl"], "f_kernel", (1,), (THREADS,), [*empty, *arrays.values()])
    for store, one, other in zip(stores, mine, got, strict=False):
        np.testing.assert_array_equal(other, one, err_msg=str(store.value))
