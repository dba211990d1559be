from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpucomp.support.diagnostics import ArgumentError, LowerError
from gpucomp.support.hostexpr import (
    HELPERS,
    HostExpr,
    cast_scalar,
    evaluate,
    freeze,
    render_python,
    truncdiv,
    truncmod,
    walk,
)
from gpucomp.support.launch import (
    AllocStep,
    AssertStep,
    BufferArg,
    BufferParam,
    FunctionData,
    HostProgram,
    IfStep,
    KernelImage,
    KernelSpec,
    LaunchStep,
    LetStep,
    LoopStep,
    MemsetStep,
    ScalarArg,
    ScalarParam,
    Step,
    Variant,
)
from gpucomp.support.launcher import bind_program, launch_parameters, render_program


def _expressions() -> st.SearchStrategy[HostExpr]:
    leaves = st.one_of(st.integers(-20, 20), st.sampled_from(["n", "m"]))
    binary = ["add", "sub", "mul", "min", "max", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "floordiv",
              "floormod", "truncdiv", "truncmod"]  # fmt: skip

    def grow(inner: st.SearchStrategy[HostExpr]) -> st.SearchStrategy[HostExpr]:
        return st.one_of(
            st.tuples(st.sampled_from(binary), inner, inner),
            st.tuples(st.just("select"), inner, inner, inner),
            st.tuples(st.just("not"), inner),
            st.tuples(st.just("cast"), st.sampled_from(["int8", "uint16", "int64", "bool"]), inner),
        )

    return st.recursive(leaves, grow, max_leaves=12)


def _outcome(compute: Callable[[], object]) -> object:
    try:
        return compute()
    except ZeroDivisionError:
        return "division by zero"


@given(_expressions(), st.integers(-9, 9), st.integers(-9, 9))
def test_rendered_source_means_what_evaluate_computes(expr: HostExpr, n: int, m: int) -> None:
    env = {"n": n, "m": m}
    rendered = _outcome(lambda: eval(render_python(expr), dict(HELPERS), dict(env)))  # noqa: S307  # our own text
    assert rendered == _outcome(lambda: evaluate(expr, env))


@given(st.integers(-50, 50), st.integers(-50, 50).filter(bool))
def test_truncated_division_rounds_towards_zero(a: int, b: int) -> None:
    assert truncdiv(a, b) == int(a / b)
    assert truncdiv(a, b) * b + truncmod(a, b) == a


def test_casts_wrap_integers_and_round_floats() -> None:
    assert [cast_scalar("int8", value) for value in (127, 128, 255, 256, -129)] == [127, -128, -1, 0, 127]
    assert [cast_scalar("uint8", value) for value in (-1, 256)] == [255, 0]
    assert cast_scalar("bool", 7) is True
    assert cast_scalar("float32", 0.1) != 0.1
    assert cast_scalar("float16", 2049.0) == 2048.0
    assert cast_scalar("bfloat16", 257.0) == 256.0


def test_select_evaluates_only_the_chosen_branch() -> None:
    expr = freeze(["select", ["eq", "n", 0], 0, ["floordiv", 8, "n"]])
    assert evaluate(expr, {"n": 0}) == 0
    assert evaluate(expr, {"n": 2}) == 4
    assert evaluate(freeze(["and", ["ne", "n", 0], ["eq", ["floormod", 8, "n"], 0]]), {"n": 0}) is False


def test_buffer_facts_come_from_the_fact_table() -> None:
    expr = freeze(["eq", ["ptr_mod", "A", 16], 0])
    assert evaluate(expr, {}, {("ptr_mod", "A", 16): 0}) is True
    assert list(walk(expr)) == [("ptr_mod", "A", 16)]


@pytest.mark.parametrize(
    "bad",
    [
        ["plus", 1, 2],
        ["add", 1],
        ["select", 1, 2],
        ["cast", 1, 2],
        ["ptr_mod", 1, 2],
        [],
        [1, 2],
        None,
        ["and", 1],
    ],
)
def test_a_malformed_expression_is_refused(bad: object) -> None:
    with pytest.raises(LowerError, match="malformed host expression"):
        freeze(bad)


def _program(*steps: Step) -> HostProgram:
    return HostProgram(
        "work",
        (
            BufferParam("A", "float32", ("n", "m"), strides=("sa", 1), alignment=16),
            ScalarParam("alpha", "float32"),
            BufferParam("C", "float32", (("mul", "n", "m"),), access="write", output=True),
        ),
        steps,
    )


EVERY_STEP: tuple[Step, ...] = (
    AllocStep("W", "float16", ("mul", "n", 4)),
    MemsetStep("W", 0, ("mul", "n", 8)),
    AssertStep(("eq", ("ptr_mod", "A", 16), 0), "A must be aligned"),
    LetStep("half", ("floordiv", "n", 2)),
    LoopStep(
        "i",
        1,
        2,
        (LaunchStep("k", ("half", 1, 1), (32, 1, 1), 64, (BufferArg("W"), ScalarArg("int32", "i"))),),
    ),
    IfStep(
        ("gt", "n", 3),
        (LaunchStep("k", (1, 1, 1), (32, 1, 1), 0, (BufferArg("A"), ScalarArg("float32", "alpha"))),),
        (MemsetStep("C", 255, 4),),
    ),
)


def test_every_record_goes_through_json_unchanged() -> None:
    image = KernelImage("null", "text", (KernelSpec("k", ("float32*", "int32"), 256, 16),), ("-O3",), "sm_80")
    data = FunctionData("work", (Variant(("le", "n", 10), _program(*EVERY_STEP), image, "small"),))
    assert FunctionData.loads(data.dumps()) == data
    assert FunctionData.from_json(data.to_json()).dumps() == data.dumps()
    with pytest.raises(ValueError, match="expected the JSON form of a KernelSpec"):
        KernelSpec.from_json(data.to_json())


def test_shape_variables_bind_in_order_of_shapes_then_strides() -> None:
    program = _program(*EVERY_STEP)
    assert program.shape_vars == ("n", "m", "sa")
    assert launch_parameters(program) == (("A", "C"), ("alpha", "n", "m", "sa", ("ptr_mod", "A", 16)))


def test_a_scalar_parameter_is_no_shape_variable() -> None:
    program = HostProgram("f", (ScalarParam("n", "int32"), BufferParam("A", "int8", ("n", "k"))), ())
    assert program.shape_vars == ("k",)


class Recorder:
    """Stands for a device: writes down what a launcher does."""

    max_grid = (2**31 - 1, 65535, 65535)

    def __init__(self) -> None:
        self.log: list[object] = []

    def alloc(self, nbytes: int, stream: object) -> object:
        self.log.append(("alloc", nbytes, stream))
        return SimpleNamespace(handle=f"W{nbytes}")

    def release(self, held: list[object], stream: object) -> None:
        self.log.append(("release", len(held), stream))

    def memset(self, handle: object, byte: int, nbytes: int, stream: object) -> None:
        self.log.append(("memset", handle, byte, nbytes))

    def call(self, function: str, args: tuple[object, ...], stream: object) -> None:
        self.log.append(("call", function, args, stream))

    def kernel(self, grid: object, block: object, shared: int, stream: object, args: object) -> None:
        self.log.append(("launch", grid, block, shared, args))


def test_a_launcher_runs_every_kind_of_step_in_order() -> None:
    device = Recorder()
    launch = bind_program(_program(*EVERY_STEP), {"k": device.kernel}, device)
    launch("s", "A", "C", 0.5, 4, 3, 3, 0)
    assert device.log == [
        ("alloc", 32, "s"),
        ("memset", "W32", 0, 32),
        ("launch", (2, 1, 1), (32, 1, 1), 64, ("W32", 1)),
        ("launch", (2, 1, 1), (32, 1, 1), 64, ("W32", 2)),
        ("launch", (1, 1, 1), (32, 1, 1), 0, ("A", 0.5)),
        ("release", 1, "s"),
    ]


def test_an_empty_grid_launches_nothing() -> None:
    device = Recorder()
    step = LaunchStep("k", ("n", 1, 1), (32, 1, 1), 0, (BufferArg("A"),))
    bind_program(_program(step), {"k": device.kernel}, device)(None, "A", "C", 0.0, 0, 3, 3)
    assert device.log == []


def test_a_failed_assertion_releases_workspace_and_names_the_condition() -> None:
    device = Recorder()
    launch = bind_program(_program(*EVERY_STEP), {"k": device.kernel}, device)
    with pytest.raises(ArgumentError, match="A must be aligned"):
        launch(None, "A", "C", 0.5, 4, 3, 3, 8)
    assert device.log[-1] == ("release", 1, None)


def test_a_grid_over_the_limit_names_axis_and_limit() -> None:
    device = Recorder()
    step = LaunchStep("k", (1, "n", 1), (32, 1, 1), 0, (BufferArg("A"),))
    launch = bind_program(_program(step), {"k": device.kernel}, device)
    with pytest.raises(ArgumentError, match=r"kernel k needs 70,000 blocks along blockIdx\.y, .* allows 65,535"):
        launch(None, "A", "C", 0.5, 70000, 3, 3)


def test_names_that_are_no_identifiers_are_mangled_without_clashes() -> None:
    program = HostProgram(
        "f",
        (
            BufferParam("class", "int8", ("a b",)),
            BufferParam("a_b", "int8", ("grid", "7")),
            ScalarParam("cast", "int8"),
        ),
        (LaunchStep("kernels", ("a b", "grid", "7"), (1, 1, 1), "cast", (BufferArg("class"), BufferArg("a_b"))),),
    )
    device = Recorder()
    launch = bind_program(program, {"kernels": device.kernel}, device)
    launch(None, "P", "Q", 5, 2, 3, 4)
    assert device.log == [("launch", (2, 3, 4), (1, 1, 1), 5, ("P", "Q"))]


def test_the_rendered_launcher_reads_like_its_program() -> None:
    step = LaunchStep("add", (("floordiv", ("add", "n", 255), 256), 1, 1), (256, 1, 1), 0,
                      (BufferArg("A"), ScalarArg("int32", "n")))  # fmt: skip
    assert render_program(HostProgram("add", (BufferParam("A", "float32", ("n",)),), (step,))) == (
        "def bind(kernels, device):\n"
        "    # add(A: float32[n])\n"
        "    add = kernels['add']\n"
        "    max_grid, memset = device.max_grid, device.memset\n"
        "    def launch(stream, A, n):\n"
        "        grid = ((n + 255) // 256, 1, 1)\n"
        "        if grid[0] > max_grid[0] or grid[1] > max_grid[1] or grid[2] > max_grid[2]:\n"
        "            refuse_grid('add', grid, max_grid)\n"
        "        if grid[0] > 0 and grid[1] > 0 and grid[2] > 0:\n"
        "            add(grid, (256, 1, 1), 0, stream, (A, n,))\n"
        "    return launch\n"
    )


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (LetStep("x", "unknown"), "LetStep uses variable 'unknown' before it is defined"),
        (MemsetStep("Z", 0, 4), "MemsetStep uses buffer 'Z' before it is defined"),
        (LaunchStep("k", (1, 1, 1), (1, 1, 1), 0, (BufferArg("Z"),)), "launch of k uses buffer 'Z'"),
        (AssertStep(("eq", ("stride", "Z", 0), 1), "?"), "AssertStep uses buffer 'Z'"),
    ],
)
def test_an_undefined_name_is_refused_when_the_program_is_built(step: Step, message: str) -> None:
    with pytest.raises(LowerError, match=message):
        _program(step)


def test_a_name_defined_inside_a_branch_is_unknown_after_it() -> None:
    branch = IfStep(True, (LetStep("x", 1),))
    with pytest.raises(LowerError, match="'x' before it is defined"):
        _program(branch, LetStep("y", "x"))


def test_variants_must_agree_on_their_parameters() -> None:
    image = KernelImage("null", "", ())
    one = HostProgram("f", (BufferParam("A", "int8", (4,)),), ())
    two = HostProgram("f", (BufferParam("A", "int32", ("n",)),), ())
    with pytest.raises(LowerError, match="differ in their parameters"):
        FunctionData("f", (Variant(True, one, image), Variant(True, two, image)))
    with pytest.raises(LowerError, match="no variant"):
        FunctionData("f", ())
