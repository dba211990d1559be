"""Linear forms and intervals: exact where everything is affine, and never too small elsewhere."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from gpucomp.arith import Analyzer
from gpucomp.te.affine import Forms, Interval, Linear
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.functor import substitute

X, Y, P = Var("x"), Var("y"), Var("p")
SMALL = st.integers(-6, 6)


def value_of(form: Linear, forms: Forms, point: dict[Var, int]) -> int:
    result = substitute(forms.expr(form), point)
    assert isinstance(result, e.IntImm)
    return result.value


@given(a=SMALL, b=SMALL, c=SMALL, sizes=st.tuples(st.integers(1, 5), st.integers(1, 5)))
def test_an_affine_index_has_an_exact_interval(a: int, b: int, c: int, sizes: tuple[int, int]) -> None:
    forms = Forms(Analyzer())
    index = X * a + Y * b + P * 3 + c
    zero = operators.const(0)
    relax = {X: forms.box(zero, operators.const(sizes[0])), Y: forms.box(zero, operators.const(sizes[1]))}
    found = forms.evaluate(index, relax)
    assert found is not None
    values = [a * x + b * y + 30 + c for x, y in itertools.product(range(sizes[0]), range(sizes[1]))]
    low = value_of(found.low, forms, {P: 10})
    assert (low, low + value_of(found.width, forms, {})) == (min(values), max(values))


@given(
    low=st.integers(-20, 20),
    width=st.integers(0, 20),
    divisor=st.integers(1, 32),
    coefficient=st.integers(-16, 16),
    p=st.integers(-5, 5),
)
def test_division_intervals_hold_every_value(low: int, width: int, divisor: int, coefficient: int, p: int) -> None:
    forms = Forms(Analyzer())
    start = forms.of(P * coefficient + low)
    box = Interval(start, Linear(width, {}))
    first = coefficient * p + low
    for step, python in ((forms.divide, lambda v: v // divisor), (forms.remainder, lambda v: v % divisor)):
        got = step(box, divisor, "int32")
        bottom = value_of(got.low, forms, {P: p})
        top = bottom + value_of(got.width, forms, {P: p})
        values = [python(v) for v in range(first, first + width + 1)]
        assert bottom <= min(values)
        assert max(values) <= top


@given(
    st.recursive(
        st.sampled_from([X, Y]) | SMALL.map(operators.const),
        lambda inner: st.one_of(
            st.tuples(st.sampled_from([operators.add, operators.subtract]), inner, inner).map(
                lambda t: t[0](t[1], t[2])
            ),
            st.tuples(
                st.sampled_from([operators.multiply, operators.floordiv, operators.floormod]), inner, st.integers(1, 7)
            ).map(lambda t: t[0](t[1], t[2])),
        ),
        max_leaves=6,
    )
)
def test_a_linear_form_means_the_same_as_its_expression(index: Expr) -> None:
    forms = Forms(Analyzer())
    zero = operators.const(0)
    forms.declare(X, zero, operators.const(6))
    forms.declare(Y, zero, operators.const(4))
    form = forms.of(index)
    low, high = forms.bound(form)
    relax = {X: forms.box(zero, operators.const(6)), Y: forms.box(zero, operators.const(4))}
    box = forms.evaluate(index, relax)
    for x, y in itertools.product(range(6), range(4)):
        want = substitute(index, {X: x, Y: y})
        assert isinstance(want, e.IntImm)
        assert value_of(form, forms, {X: x, Y: y}) == want.value
        assert low <= want.value <= high
        if box is not None:
            bottom = value_of(box.low, forms, {})
            assert bottom <= want.value <= bottom + value_of(box.width, forms, {})


def test_the_union_of_shifted_windows_spans_them() -> None:
    forms = Forms(Analyzer())
    windows = [Interval(forms.of(P * 4 + shift), Linear(3, {})) for shift in (-1, 0, 1)]
    union = forms.union(windows)
    assert union is not None
    assert str(forms.expr(union.low)) == "p * 4 - 1"
    assert union.width.value() == 5
    assert forms.union([windows[0], Interval(forms.of(X), Linear(3, {}))]) is None
