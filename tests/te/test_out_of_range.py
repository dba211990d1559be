"""Reads that are out of range on every run are refused; reads that need not be are not."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from gpucomp import te, tir
from gpucomp.support.diagnostics import TensorError
from gpucomp.te import Tensor
from gpucomp.tir.expr import Expr, ExprLike, ProducerLoad

N, M = te.var("n"), te.var("m")
A, D = te.placeholder((8,), name="A"), te.placeholder((8, 8), name="D")
S, ROWS = te.placeholder((N,), name="S"), te.placeholder((8,), "int32", name="rows")
K = te.reduce_axis((0, 3), "k")
SHIFTED = te.compute((8,), lambda i: A[i + 1], name="shifted")
PADDED = te.compute((10,), lambda i: te.if_then_else(te.all(i >= 1, i < 9), A[i - 1], 0.0), name="padded")
Shape = tuple[object, ...]
Function = Callable[..., ExprLike]


def refusal(shape: Shape, function: Function) -> str:
    """What is said of a compute; nothing where it is accepted."""
    made: Tensor = te.compute(shape, function, name="C")
    try:
        te.create_schedule(made.op)
    except TensorError as error:
        return error.message
    return ""


WRONG: dict[str, tuple[Shape, Function, str]] = {
    "one past the end": ((8,), lambda i: A[i + 1], "reads A[i + 1]: the index of dimension 0 of A reaches 8"),
    "one before the start": ((8,), lambda i: A[i - 1], "goes down to -1"),
    "an inner dimension": ((8, 8), lambda i, j: D[j, i + 1], "the index of dimension 1 of D reaches 8"),
    "symbolic": ((N,), lambda i: S[i + 1], "reaches n, but the extent is n"),
    "a window": ((7,), lambda i: te.sum(A[i + K], axis=K), "reads A[i + k]"),
    "a quotient": ((17,), lambda i: A[i // 2], "reaches 8"),
    "a limit that is too high": ((8,), lambda i: A[te.min(i + 1, 8)], "reaches 8"),
    "the index of an index": ((8,), lambda i: A[ROWS[i + 1]], "the index of dimension 0 of rows reaches 8"),
    "the condition itself": ((8,), lambda i: te.if_then_else(A[i + 1] > 0, 1.0, 0.0), "reads A[i + 1]"),
    "in wide integers": ((8,), lambda i: A[i.astype("int64") + 1], "reaches 8"),
    "a part of a producer": ((8,), lambda i: SHIFTED[i], "compute 'shifted' reads A[i + 1]"),
    "past a padding": ((9,), lambda i: te.sum(PADDED[i + K], axis=K), "reaches 10"),
    "backwards": ((9,), lambda i: A[7 - i], "goes down to -1"),
}  # fmt: skip

RIGHT: dict[str, tuple[Shape, Function]] = {
    "to the end": ((8,), lambda i: A[7 - i]),
    "fewer elements": ((7,), lambda i: A[i + 1]),
    "fewer elements, symbolic": ((N - 1,), lambda i: S[i + 1]),
    "an offset that may be nothing": ((N,), lambda i: S[i + M]),
    "extents that may be equal": ((M,), lambda i: S[i]),
    "under if_then_else": ((8,), lambda i: te.if_then_else(i < 7, A[i + 1], 0.0)),
    "under Select": ((8,), lambda i: te.Select(i < 7, A[i + 1], te.const(0.0, "float32"))),
    "after and": ((8,), lambda i: te.if_then_else(te.all(i < 7, A[i + 1] > 0), 1.0, 0.0)),
    "where": ((8,), lambda i: te.sum(A[i + K], axis=K, where=i + K < 8)),
    "a limit": ((8,), lambda i: A[te.max(te.min(i + 1, 7), 0)]),
    "a remainder": ((8,), lambda i: A[(i + 1) % 8]),
    "what data say": ((8,), lambda i: A[ROWS[i]]),
    "terms that cancel": ((8,), lambda i: A[i + 1 - i]),
    "quotient and remainder": ((9,), lambda i: A[i // 9 * 9 + i % 9 - i // 8]),
    "the part of a producer that is right": ((7,), lambda i: SHIFTED[i]),
    "a diagonal, whose corners nobody reads": ((8,), lambda i: corner(i)),
    "padding": ((8,), lambda i: te.sum(PADDED[i + K], axis=K)),
    "nothing at all": ((0,), lambda i: A[i + 1]),
}  # fmt: skip

SUMS = te.compute((8, 8), lambda i, j: PADDED[i - j + 1], name="sums")  # in range on the diagonal only


def corner(i: Expr) -> ExprLike:
    return SUMS[i, i]


@pytest.mark.parametrize("name", WRONG)
def test_a_read_that_is_out_of_range_on_every_run_is_refused(name: str) -> None:
    shape, function, words = WRONG[name]
    assert words in refusal(shape, function)


@pytest.mark.parametrize("name", RIGHT)
def test_a_read_that_need_not_be_out_of_range_is_accepted(name: str) -> None:
    assert refusal(*RIGHT[name]) == ""


def test_the_error_is_at_the_line_of_the_compute_and_says_what_guards_it() -> None:
    shape, function, _ = WRONG["one past the end"]
    made: Tensor = te.compute(shape, function, name="C")
    with pytest.raises(TensorError) as caught:
        te.create_schedule(made.op)
    assert caught.value.code == "GC223"
    assert caught.value.where is not None
    assert caught.value.where.file == __file__
    assert "te.if_then_else(i + 1 < 8, A[i + 1], 0)" in str(caught.value.hint)


def drawn(rng: random.Random, variables: list[Expr], depth: int) -> Expr:
    """A random index."""
    if depth == 0 or rng.random() < 0.3:
        return rng.choice([*variables, tir.const(rng.randint(-2, 9))])
    kind, a = rng.randrange(6), drawn(rng, variables, depth - 1)
    if kind < 2:
        b = drawn(rng, variables, depth - 1)
        return a + b if kind == 0 else a - b
    if kind == 2:
        return a * rng.choice([-2, 2, 3])
    if kind == 3:
        return a // rng.choice([2, 3])
    if kind == 4:
        return a % rng.choice([2, 5])
    return rng.choice([te.min, te.max])(a, drawn(rng, variables, depth - 1))


def values(index: Expr, variables: list[Expr], extents: list[int]) -> list[int]:
    """The index in every iteration."""
    out: list[int] = []
    for point in itertools.product(*[range(x) for x in extents]):
        value = tir.stmt_functor.substitute(index, dict(zip(variables, point, strict=True)))
        assert isinstance(value, tir.IntImm)
        out.append(value.value)
    return out


def test_what_is_refused_is_out_of_range_in_some_iteration_and_of_sums_all_is_found() -> None:
    rng, refused, accepted = random.Random(5), 0, 0
    for _ in range(300):
        extents = [rng.randint(1, 5), rng.randint(1, 4)]
        kinds: list[Expr] = []

        def body(i: Expr, j: Expr, kinds: list[Expr] = kinds) -> ProducerLoad:
            index = drawn(rng, [i, j], 3)
            kinds += [i, j, index]
            return ProducerLoad(A, (index,))

        message = refusal(tuple(extents), body)
        i, j, index = kinds
        reached = values(index, [i, j], extents)
        wrong = min(reached) < 0 or max(reached) > 7
        assert wrong or not message, f"{index} over {extents}: {message}"
        linear = not any([word in str(index) for word in ("//", "%", "min", "max")])
        assert bool(message) == wrong or not linear, f"{index} over {extents} is out of range"
        refused, accepted = refused + bool(message), accepted + (not wrong)
    assert refused > 50
    assert accepted > 50
