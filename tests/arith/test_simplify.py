"""Simplified forms, as text: sums, digits, extrema, comparisons, conditions, symbolic shapes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gpucomp.arith import Analyzer, ConstIntBound
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import Expr, IntImm, IterVar, Range, Select, SizeVar, Var

I16, J8, K4 = Var("i"), Var("j"), Var("k")
X, Y, Z = Var("x"), Var("y"), Var("z")
N, M = SizeVar("n"), SizeVar("m")
A = decl_buffer((16,), "int32", "A")
F = Var("f", "float32")


def all_of(*conditions: Expr) -> Expr:
    result = conditions[0]
    for c in conditions[1:]:
        result = e.And(result, c)
    return result


@pytest.fixture
def analyzer() -> Analyzer:
    made = Analyzer()
    for var, extent in ((I16, 16), (J8, 8), (K4, 4)):
        made.bind(var, Range(0, extent))
    return made


def trunc(a: Expr, b: int) -> Expr:
    return e.Div(a, IntImm("int32", b))


def rest(a: Expr, b: int) -> Expr:
    return e.Mod(a, IntImm("int32", b))


SUMS = [
    (X + 1 + 2, "x + 3"),
    (X * 3 + X, "x * 4"),
    (2 * X + 3 * X, "x * 5"),
    (X - X, "0"),
    ((X + Y) - (Y + X), "0"),
    ((X + Y) * 4 - X * 4, "y * 4"),
    (5 - (X - 3), "8 - x"),
    (X * Y - Y * X, "0"),
    ((X + 1) * N - N, "x * n"),
    (X * N + Y * N + Z, "(x + y) * n + z"),
    ((X - Y) * (X + Y) - X * X, "y * y * -1"),
]

DIGITS = [
    (X // 4 * 4 + X % 4, "x"),
    (X % 4 + X // 4 * 4, "x"),
    (X - X // 4 * 4, "x % 4"),
    (X - X % 4, "x // 4 * 4"),
    ((I16 * 8 + J8) // 8, "i"),
    ((I16 * 8 + J8) % 8, "j"),
    ((I16 * 8 + J8 + 8) // 8, "i + 1"),
    ((I16 * 8 - J8) // 8, "i + j * -1 // 8"),
    ((X * 64 + I16 * 4 + K4) // 64, "x"),
    ((X * 64 + I16 * 4 + K4) % 64, "i * 4 + k"),
    ((I16 * 4 + K4) // 8, "i // 2"),
    ((I16 * 4 + K4) % 8, "k + i % 2 * 4"),
    (X // 4 // 8, "x // 32"),
    (X % 32 // 4, "x // 4 % 8"),
    (X % 32 % 8, "x % 8"),
    (X // 64 * 64 + X % 64 // 8 * 8 + X % 8, "x"),
    (X // 8 % 8 * 8 + X % 8, "x % 64"),
    ((X + 4) // 4, "x // 4 + 1"),
    ((X - 1) % 4, "(x + 3) % 4"),
    ((X * 4 + 2) % 4, "2"),
    ((X * 4 + 2) // 2, "x * 2 + 1"),
    ((X * 9) // 8, "x + x // 8"),
    (X // -4, "x * -1 // 4"),
    (I16 // 16, "0"),
    (I16 % 16, "i"),
    ((J8 + 8) // 8, "1"),
    (trunc(I16, 4), "i // 4"),
    (trunc(X * 4, 4), "x"),
    (rest(X * 4 + 8, 4), "0"),
    (trunc(X, 4), "T.truncdiv(x, 4)"),
    ((X // Y) * Y + X % Y, "x // y * y + x % y"),
    ((N // M) * M + N % M, "n // m * m + n % m"),
]

EXTREMA = [
    (operators.minimum(X + 1, X + 3), "x + 1"),
    (operators.maximum(X, operators.minimum(X, Y)), "x"),
    (operators.minimum(operators.maximum(X, Y), X), "x"),
    (operators.minimum(I16, 20), "i"),
    (operators.maximum(I16, -3), "i"),
    (operators.minimum(operators.minimum(X, Y), X), "T.min(x, y)"),
    (operators.minimum(X + 3, Y + 3) - 3, "T.min(x, y)"),
    (operators.minimum(X * 8 + 7, N - 1) - X * 8 + 1, "T.min(8, n - x * 8)"),
    (operators.minimum(X, Y) - operators.minimum(Y, X), "0"),
    (operators.minimum(X // 4 * 4, X), "x // 4 * 4"),
    (Select(X < Y, X, Y), "T.min(x, y)"),
    (Select(X <= Y, Y, X), "T.max(y, x)"),
    (Select(X < 5, X, 5), "T.min(x, 5)"),
    (operators.minimum(X, operators.minimum(Y, operators.minimum(X, 3))), "T.min(T.min(y, x), 3)"),
]

COMPARISONS = [
    (I16 * 8 + J8 < 64, "i < 8"),
    (I16 * 8 + J8 < 60, "i * 8 + j < 60"),
    (I16 * 8 + J8 < 128, "True"),
    (X + 1 > X, "True"),
    (X * 2 == X * 2 + 1, "False"),
    (X * 4 + 2 == Y * 8, "False"),
    (X * 4 < 17, "x < 5"),
    (X * 4 >= Y * 4 + 8, "y + 1 < x"),
    (X + 3 <= Y + 2, "x < y"),
    (X >= 0, "x >= 0"),
    (N >= 0, "True"),
    (N + 1 > 0, "True"),
    (operators.minimum(I16, N) < 16, "True"),
    (I16 < operators.minimum(N, 16), "i < n"),
    (operators.maximum(X, 3) < 3, "False"),
    (X % 4 < 4, "True"),
    (X // 4 * 4 <= X, "True"),
    (X != X, "False"),
]

CONDITIONS = [
    (all_of(X < 5, X < 8), "x < 5"),
    (e.Or(X < 5, X < 8), "x < 8"),
    (all_of(X < 5, X >= 5), "False"),
    (e.Or(X < 5, X >= 5), "True"),
    (all_of(X < 5, X >= 4), "x == 4"),
    (e.Or(X < 5, X > 5), "x != 5"),
    (all_of(X == 3, X < 8), "x == 3"),
    (all_of(X == 3, X < 2), "False"),
    (all_of(X < Y, e.Or(X < Y, Z < 3)), "x < y"),
    (e.Not(X < Y), "y <= x"),
    (e.Not(all_of(X < 3, Y < 3)), "x >= 3 or y >= 3"),
    (all_of(I16 < 16, X < 3), "x < 3"),
    (all_of(X == Y, X != Y), "False"),
    (intrin.likely(I16 < 16), "True"),
    (intrin.likely(I16 * 8 + J8 < 64), "T.likely(i < 8)"),
    (Select(I16 < 16, X, Y), "x"),
    (Select(X < 3, Y, Y), "y"),
    (intrin.if_then_else(I16 >= 16, X, Y), "y"),
    (intrin.if_then_else(X < 3, intrin.if_then_else(X < 3, Y, Z), Y), "y"),
]

OTHERS = [
    (X.astype("int64").astype("int32"), "x"),
    (I16.astype("int8").astype("int32"), "i"),
    (X << 3, "x * 8"),
    (X >> 2, "x // 4"),
    (X & 7, "x % 8"),
    (e.Let(Y, IntImm("int32", 3), Y + X), "x + 3"),
    (A[X + 1 - 1], "A[x]"),
    (A[X] - A[X], "0"),
    (F * 1.0, "f"),
]


@pytest.mark.parametrize(("node", "text"), SUMS + DIGITS + EXTREMA + COMPARISONS + CONDITIONS, ids=str)
def test_index_arithmetic_takes_its_normal_form(analyzer: Analyzer, node: Expr, text: str) -> None:
    simple = analyzer.simplify(node)
    assert str(simple) == text
    assert analyzer.simplify(simple) is simple


@pytest.mark.parametrize(("node", "text"), OTHERS, ids=str)
def test_casts_bits_loads_and_lets(analyzer: Analyzer, node: Expr, text: str) -> None:
    assert str(analyzer.simplify(node)) == text


def test_what_is_simple_already_comes_back_as_the_same_object(analyzer: Analyzer) -> None:
    for node in (X * 8 + Y, X // 4, operators.minimum(X, Y), X < Y, all_of(X < 3, Y < 4), A[X + Y * 4]):
        assert analyzer.simplify(node) is node
        assert Analyzer().simplify(node) is node


def test_division_by_what_may_be_zero_is_not_folded() -> None:
    analyzer = Analyzer()
    zero = e.FloorDiv(IntImm("int32", 0), N)
    for node in (zero, e.FloorDiv(X, N), e.FloorMod(N * X, N), e.FloorDiv(X, IntImm("int32", 0))):
        assert isinstance(analyzer.simplify(node), (e.FloorDiv, e.FloorMod))


def test_floats_are_left_as_they_are() -> None:
    g, h = Var("g", "float32"), Var("h", "float32")
    for node in ((g + h) - h, g - g, g * 0.0, g + 0.0, e.EQ(g, g), e.Not(g < h), (g * h) / h, e.Min(g, h)):
        assert Analyzer().simplify(node) is node


def test_calls_with_effects_are_evaluated_as_often_as_before() -> None:
    call = intrin.call_extern("int32", "next_ticket")
    assert Analyzer().simplify(call - call) is call - call
    around = intrin.call_extern("int32", "use", X + 1 - X)
    simple = Analyzer().simplify(around)
    assert isinstance(simple, e.Call)
    assert str(simple.args[1]) == "1"


def test_fused_indices_of_a_convolution_come_apart() -> None:
    analyzer = Analyzer()
    fused, kernel = Var("fused"), Var("rc_ry_rx")
    analyzer.bind(fused, Range(0, 32 * 28 * 28))
    analyzer.bind(kernel, Range(0, 64 * 9))
    image, row, column = fused // 784, fused // 28 % 28, fused % 28
    assert analyzer.simplify(image * 784 + row * 28 + column) is fused
    channel, ry, rx = kernel // 9, kernel // 3 % 3, kernel % 3
    assert analyzer.simplify(channel * 9 + ry * 3 + rx) is kernel
    assert analyzer.can_prove(row + ry < 30)
    assert analyzer.can_prove(image < 32)
    assert not analyzer.can_prove(row + ry < 29)


def test_digits_of_a_sum_whose_terms_share_no_power_of_two_merge() -> None:
    analyzer = Analyzer()
    block, ty, tx = Var("block"), Var("ty"), Var("tx")
    for var, extent in ((block, 512), (ty, 16), (tx, 16)):
        analyzer.bind(var, Range(0, extent))
    flat = block * 256 + ty * 16 + tx
    assert analyzer.simplify(flat // 72 * 72 + flat % 72 // 9 * 9 + flat % 9 - flat) is IntImm("int32", 0)


def test_indices_of_a_cooperative_fetch_come_apart() -> None:
    analyzer = Analyzer()
    tx, ty, v = Var("tx"), Var("ty"), Var("v")
    for var, extent in ((tx, 16), (ty, 16), (v, 4)):
        analyzer.bind(var, Range(0, extent))
    flat = (ty * 16 + tx) * 4 + v
    assert str(analyzer.simplify(flat // 128)) == "ty // 2"
    assert analyzer.simplify(flat // 128 * 128 + flat % 128 - flat) is IntImm("int32", 0)
    assert analyzer.modular_set(analyzer.simplify(flat % 128 - v)).coeff == 4


def _one_or_more(analyzer: Analyzer, *names: Var) -> None:
    for name in names:
        analyzer.update(name, ConstIntBound(1, ConstIntBound.POS_INF))


SYMBOLIC: list[tuple[str, Callable[[Var, Var, Var, Var], Expr], str]] = [
    ("ceil covers", lambda n, m, i, j: (n + 255) // 256 * 256 >= n, "True"),
    ("ceil is tight", lambda n, m, i, j: (n + 255) // 256 * 256 < n + 256, "True"),
    ("floor", lambda n, m, i, j: n // 4 * 4 <= n, "True"),
    ("clamp", lambda n, m, i, j: operators.minimum(i, n - 1) < n, "True"),
    ("row", lambda n, m, i, j: (i * n + j) // n, "x + y // n"),
    ("column", lambda n, m, i, j: (i * n + j) % n, "y % n"),
    ("remainder", lambda n, m, i, j: i % n < n, "True"),
    ("fused", lambda n, m, i, j: (i // n) * n + i % n, "x"),
    ("nested", lambda n, m, i, j: i // n // m, "x // (n * m)"),
    ("digit", lambda n, m, i, j: i % (n * m) // m, "x // m % n"),
    ("sum divisor", lambda n, m, i, j: (i * (n + 1) + j) // (n + 1), "x + y // (n + 1)"),
    ("no rest", lambda n, m, i, j: e.EQ((i * n) % n + j, j), "True"),
    ("minus one", lambda n, m, i, j: (i * n - 1) // n, "x - 1"),
    ("quotient of itself", lambda n, m, i, j: n // n, "1"),
    ("symbolic ceil", lambda n, m, i, j: (n + m - 1) // m * m >= n, "True"),
]


@pytest.mark.parametrize(("build", "text"), [s[1:] for s in SYMBOLIC], ids=[s[0] for s in SYMBOLIC])
def test_symbolic_extents_of_at_least_one(build: Callable[[Var, Var, Var, Var], Expr], text: str) -> None:
    analyzer = Analyzer()
    _one_or_more(analyzer, N, M)
    assert str(analyzer.simplify(build(N, M, X, Y))) == text


def test_axes_over_symbolic_ranges_stay_inside() -> None:
    analyzer = Analyzer()
    _one_or_more(analyzer, N, M)
    i, j, outer, inner = Var("i"), Var("j"), Var("outer"), Var("inner")
    analyzer.bind(i, Range(0, N))
    analyzer.bind(IterVar(Range(0, M), j, IterVar.DataPar), Range(0, M))
    analyzer.bind(outer, Range(0, (N + 31) // 32))
    analyzer.bind(inner, Range(0, 32))
    assert analyzer.can_prove(i < N)
    assert analyzer.can_prove(i * M + j < N * M)
    assert analyzer.can_prove(outer * 32 < N)
    assert analyzer.can_prove(outer * 32 + inner < N + 31)
    assert not analyzer.can_prove(outer * 32 + inner < N)
    assert analyzer.simplify((i * M + j) // M) is i
    assert analyzer.simplify((i * M + j) % M) is j
    tail = operators.maximum(operators.minimum(N - outer * 32, 32), 0)
    assert str(analyzer.simplify(tail)) == "T.min(n - outer * 32, 32)"


def test_digits_by_symbolic_sizes_are_put_together_again() -> None:
    analyzer = Analyzer()
    for size in (N, M):
        analyzer.update(size, ConstIntBound(1, 1 << 20), True)
    x = N // M  # any number
    assert analyzer.simplify((X // M // N * N + X // M % N) * M + X % M) is X
    assert analyzer.simplify(X // (M * 4 * N) * N + X // (M * 4) % N - X // (M * 4)) is IntImm("int32", 0)
    other = (X // (M * N) * N + Y // M % N) * M + X % M  # digits of two numbers stay
    assert analyzer.simplify(other - X) is not IntImm("int32", 0)
    assert analyzer.simplify(x * M + N % M) is N
