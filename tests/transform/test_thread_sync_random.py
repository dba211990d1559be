"""thread_sync on random kernels: always free of races, always the meaning of the kernel in lockstep."""

from __future__ import annotations

import random
from typing import Any  # Any: an int, then an expression

import numpy as np
import pytest

from gpucomp.support.diagnostics import VerifyError
from gpucomp.tir import expr as e
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.interp import interpret
from gpucomp.tir.stmt import Evaluate, IfThenElse, Stmt, seq
from gpucomp.transform.thread_sync import is_barrier, thread_sync
from tests.tiers import slow
from tests.transform.build import allocate, func, internal, loop, nodes, store, thread

SIZE = 4096
A, B = decl_buffer((SIZE,), "float32", "A"), decl_buffer((SIZE,), "float32", "B")


class Kernels:
    """Draws kernels of 16 threads that pass values through two shared buffers, in loops and under conditions."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        ty, tx = self.rng.choice([(1, 16), (2, 8), (4, 4)])
        self.y, self.x = Var("ty"), Var("tx")
        self.shape = (ty, tx)
        self.t = self.y * tx + self.x
        self.buffers = {"S": 64, "U": 32}
        self.memory = {n: internal(n, size, "shared") for n, size in self.buffers.items()}
        self.draws = 0

    def fresh(self) -> Expr:
        """An element of A that no other statement reads, so that different writes differ."""
        self.draws += 1
        return self.t * 37 + self.draws * 97

    def place(self, loops: list[Var]) -> Expr:
        rng, t = self.rng, self.t
        ways: list[Expr] = [
            t, t, 15 - t, self.x * self.shape[0] + self.y, t // 4 * 5 + t % 4, (t + rng.randrange(1, 4)) % 16, t * 2,
            t + rng.randrange(3),
        ]  # fmt: skip
        base = rng.choice(ways)
        if loops and rng.random() < 0.6:
            k = rng.choice(loops)
            base = base + rng.choice([k % 2 * 16, (k + 1) % 2 * 16, k * 16 % 64, k % 3 * 16])
        return base

    def leaf(self, loops: list[Var]) -> Stmt:
        rng = self.rng
        name = rng.choice(["S", "S", "U"])
        buffer, size = self.memory[name], self.buffers[name]
        kind = rng.random()
        at = self.place(loops) % size
        if kind < 0.45:
            turn: Any = sum([k * 11 for k in loops])
            return store(buffer, at, A[(self.fresh() + turn) % SIZE])
        if kind < 0.6:
            return store(buffer, at, buffer[at] + A[self.fresh() % SIZE])
        return store(B, self.t * 64 + rng.randrange(64), buffer[at] + buffer[self.read(loops) % size])

    def read(self, loops: list[Var]) -> Expr:
        if loops and self.rng.random() < 0.15:
            return self.rng.choice(loops)
        return self.place(loops)

    def block(self, depth: int, loops: list[Var]) -> Stmt:
        rng = self.rng
        out: list[Stmt] = []
        for _ in range(rng.randrange(1, 4)):
            kind = rng.random()
            if depth and kind < 0.35:
                k = Var(f"k{len(loops)}")
                out.append(loop(k, rng.randrange(2, 5), self.block(depth - 1, [*loops, k])))
            elif depth and kind < 0.45 and loops:
                out.append(IfThenElse(rng.choice(loops) < 2, self.block(depth - 1, loops)))
            elif kind < 0.55:
                condition = rng.choice([self.x < 2, self.t < 8, e.EQ(self.x, 0), e.EQ(self.t % 2, 0)])
                out.append(IfThenElse(condition, self.leaf(loops)))
            elif kind < 0.6:
                f = Var("f")
                at = (self.t * 2 + f + rng.choice([0, 32])) % 64
                out.append(loop(f, 2, store(self.memory["S"], at, A[(self.fresh() + f * 13) % SIZE])))
            else:
                out.append(self.leaf(loops))
        return seq(*out)

    def kernel(self) -> PrimFunc:
        s, u = self.memory["S"], self.memory["U"]
        fill = [store(s, self.t * 4 + i, A[self.t * 4 + i + 7]) for i in range(4)]
        fill += [store(u, self.t * 2 + i, A[self.t * 2 + i + 99]) for i in range(2)]
        body: Stmt = seq(*fill, self.block(3, []))
        buffers: list[Buffer] = [s, u]
        for buffer in buffers:
            body = allocate(buffer, body)
        body = thread("threadIdx.x", self.x, self.shape[1], body)
        return func([A, B], thread("threadIdx.y", self.y, self.shape[0], body))


@pytest.mark.parametrize("first", [0, 20, *slow(*range(40, 120, 20))])
def test_random_kernels_are_free_of_races_after_it(first: int) -> None:
    a = np.random.default_rng(0).random(SIZE, np.float32)
    raced = 0
    for seed in range(first, first + 20):
        kernel = Kernels(seed).kernel()
        done = thread_sync(kernel)
        want, got = np.zeros(SIZE, np.float32), np.zeros(SIZE, np.float32)
        interpret(kernel, [a, want], races=False)
        interpret(done, [a, got])
        np.testing.assert_array_equal(got, want, err_msg=f"seed {seed}")
        if any([is_barrier(n) for n in nodes(done, Evaluate)]):
            try:
                interpret(kernel, [a, got])
            except VerifyError:
                raced += 1
    assert raced > 10  # without the pass most of them do race
