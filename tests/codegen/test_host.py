"""Host expressions, and the host program of a function that is one kernel."""

from __future__ import annotations

from typing import Any  # expressions of any kind

import pytest

from gpucomp.codegen.host import HostNames, cpu_program, cpu_signature, host_expr
from gpucomp.support.diagnostics import LowerError
from gpucomp.support.hostexpr import evaluate
from gpucomp.support.launch import BufferArg, LaunchStep, ScalarArg
from gpucomp.tir import expr as e
from gpucomp.tir import intrin
from gpucomp.tir import operators as op
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.stmt import ForKind

N, M = e.SizeVar("n"), Var("m")


@pytest.mark.parametrize(
    ("expr", "value"),
    [
        ((N + 3) // 4 * 2 - M, 4),
        ((M - N) % 7, 5),
        (op.truncdiv(M - N, op.const(4)), -2),
        (op.truncmod(M - N, op.const(7)), -2),
        (op.minimum(N, M) + op.maximum(N, 5), 17),
        (e.Select(e.And(N > 3, e.Not(M > 3)), N, M), 4),
        (intrin.if_then_else(e.Or(N < 3, M.equal(4)), N, M), 13),
        (intrin.likely(N >= 13), True),
        (op.cast("int8", N * 20), 4),
        ((N << 3) + (N >> 2), 107),
        (e.Cast("float32", N) / 4.0, 3.25),
        (op.const(True, "bool"), True),
    ],
)
def test_host_expressions_have_the_value_of_the_ir(expr: Any, value: object) -> None:
    names = HostNames()
    names.declare(N)
    names.declare(M)
    assert evaluate(host_expr(expr, names), {"n": 13, "m": 4}) == value


def test_what_the_host_cannot_know_is_refused() -> None:
    names = HostNames()
    with pytest.raises(LowerError, match="'n' has no value on the host"):
        host_expr(N + 1, names)
    buffer = decl_buffer([4], "int32", "A")
    with pytest.raises(LowerError, match="the host cannot evaluate"):
        host_expr(buffer[0] + 1, names)


def test_a_whole_function_is_one_launch_of_buffers_scalars_and_shape_variables() -> None:
    a, b = decl_buffer([N, 4], name="A"), decl_buffer([N], name="B")
    i = Var("i")
    first = s.BufferStore(b.get_flattened_buffer(), a.get_flattened_buffer()[i * 4] * op.cast("float32", M), (i,))
    body = s.For(i, 0, N, ForKind.SERIAL, first)
    params = {Var(p.name, p.data.type_annotation): p for p in (a, b)}
    func = PrimFunc([*params, M], body, params, {"global_symbol": "f", "tir.writes_all": True})
    buffers, scalars = cpu_signature(func)
    assert buffers == (a, b)
    assert [v.name for v in scalars] == ["m", "n"]
    program = cpu_program(func)
    (step,) = program.steps
    assert isinstance(step, LaunchStep)
    assert (step.kernel, step.grid, step.block) == ("f", (1, 1, 1), (1, 1, 1))
    assert step.args == (BufferArg("A"), BufferArg("B"), ScalarArg("int32", "m"), ScalarArg("int32", "n"))
    assert [(p.access, p.output) for p in program.buffers] == [("read", False), ("write", True)]
    assert program.shape_vars == ("n",)
