"""Other libraries beside ours: their formulas, what is compiled ahead for them, and that one's failure is its own.

There is no GPU here, nor any of these libraries: numpy stands in for CuPy, and small fakes for torch.
"""

from __future__ import annotations

import inspect
import json
import os
import signal
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any  # Any: values of JSON rows, and modules that are faked

import numpy as np
import pytest
from click.testing import CliRunner, Result

from gpucomp.cli.main import cli
from gpucomp.cli.measure import relative_error
from gpucomp.cli.suite import ahead, formulas, inductor, warm
from gpucomp.cli.suite.clock import Clock, Side
from gpucomp.cli.suite.peers import Arrays
from gpucomp.cli.suite.row import Row
from gpucomp.cli.suite.rows import FAMILIES
from gpucomp.kernels import registry
from gpucomp.target.target import Target

ROWS = [Row("softmax", (9, 40), "float32"), Row("row_sum", (70, 33), "float16"), Row("sum_all", (5000,), "float32")]


def suite(*arguments: str) -> Result:
    command = ["bench", "suite", "--family", "rows", "--device", "cpu", *arguments]
    return CliRunner().invoke(cli, command, catch_exceptions=False)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, "rows", (lambda: ROWS, lambda rng: []))
    monkeypatch.setattr("gpucomp.cli.suite.clock.EVICTED_BYTES", 1 << 16)
    monkeypatch.setattr("gpucomp.cli.suite.clock.REPEATS", 5)


class Fake:
    """A peer that takes a nanosecond, and does ``each`` before that."""

    def __init__(self, each: Callable[[Row], None], difference: float | None = None) -> None:
        self.each, self.difference, self.closed = each, difference, 0

    def version(self) -> str:
        return "1"

    def load(self, arrays: Arrays) -> None:
        assert [x.shape for x in arrays.given] == [x.shape for x in arrays.host]
        assert all(np.isfinite(x.numpy()).all() for x in arrays.results)  # ours are there to compare with

    def side(self, row: Row, clock: Clock) -> Side | None:
        self.each(row)
        return None if row.op == "sum_all" else Side(lambda repeats: [1e-9] * repeats, graph=True, close=self.close)

    def close(self) -> None:
        self.closed += 1


def nothing(row: Row) -> None: ...


def use(monkeypatch: pytest.MonkeyPatch, **peers: Fake) -> None:
    monkeypatch.setattr("gpucomp.cli.suite.run.open_peers", lambda names, clock: peers)


def test_a_peer_that_fails_on_a_row_costs_that_cell_only(
    few: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(row: Row) -> None:
        if row.op == "row_sum":
            raise RuntimeError("no kernel image")

    peers = {"a": Fake(fail), "b": Fake(nothing)}
    use(monkeypatch, **peers)
    out = tmp_path / "rows.jsonl"
    result = suite("--out", str(out))
    assert result.exit_code == 0
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert [record["ok"] for record in records] == [True] * 3
    assert records[1]["peers"]["a"] == {"error": "RuntimeError('no kernel image')"}
    assert "a fails on row_sum (70, 33) float16" in result.stderr
    assert [record["best_peer"] for record in records] == ["a", "b", None]
    assert records[1]["peers"]["b"]["seconds"] == 1e-9
    assert [record["repeats"] for record in records] == [15, 15, 5]  # three turns beside others
    assert (peers["a"].closed, peers["b"].closed) == (1, 2)
    assert "measuring took inputs" in result.stderr
    compared = CliRunner().invoke(cli, ["bench", "compare", str(out), str(out)])
    assert "geometric mean over 3 rows: 1.000x" in compared.stdout


def test_results_of_peers_that_are_not_ours_are_noted(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, a=Fake(nothing, 0.5), b=Fake(nothing, 1e-6), c=Fake(nothing, float("inf")))
    result = suite("--json", "--only", "softmax")
    peers = json.loads(result.stdout)["peers"]
    assert (peers["a"]["differs"], peers["c"]["differs"]) == (0.5, 1e30)
    assert "differs" not in peers["b"]
    assert "a on softmax (9, 40) float32: differs from ours by 0.5" in result.stderr


def test_a_run_that_is_stopped_tells_what_it_measured(
    few: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def stop(row: Row) -> None:
        if row.op == "row_sum":
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    use(monkeypatch, a=Fake(stop))
    out = tmp_path / "rows.jsonl"
    result = suite("--jobs", "0", "--out", str(out))
    assert result.exit_code == 0
    assert "stopped: 1 of 3 rows were not begun" in result.stderr
    assert [json.loads(line)["op"] for line in out.read_text().splitlines()] == ["softmax", "row_sum"]
    assert len(result.stdout.splitlines()) == 3  # the table of these two
    assert signal.getsignal(signal.SIGTERM) is before


def test_no_row_is_begun_after_the_limit(few: None, tmp_path: Path) -> None:
    result = suite("--limit", "0", "--out", str(tmp_path / "rows.jsonl"))
    assert "3 of 3 rows were not begun" in result.stderr
    assert (tmp_path / "rows.jsonl").read_text() == ""


def test_half_a_line_of_a_run_that_was_killed_is_left_out(few: None, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    suite("--out", str(out))
    text = out.read_text()
    out.write_text(text[:-100])
    result = CliRunner().invoke(cli, ["bench", "compare", str(out), str(out)])
    assert "geometric mean over 2 rows" in result.stdout
    out.write_text(text[: text.index("\n") // 2] + "\n" + text)
    assert "rows.jsonl:1 is no JSON" in CliRunner().invoke(cli, ["bench", "compare", str(out), str(out)]).output


def fuse(*formulas: Callable[..., object], kernel_name: str) -> Callable[..., object]:
    """As CuPy: a name is for a decorator; it takes functions whose arguments can be counted, and refuses others."""

    def decorate(formula: Callable[..., object]) -> Callable[..., object]:
        assert all(one.kind is one.POSITIONAL_OR_KEYWORD for one in inspect.signature(formula).parameters.values())
        return formula

    return decorate  # whatever ``formulas`` are, if there is a name


@pytest.mark.parametrize("op", [op for op in formulas.CUPY if registry.get(op).family not in ("gemm",)])
def test_formulas_of_cupy_compute_what_ours_do(op: str) -> None:
    operator = registry.get(op)
    shape = operator.small_shape
    row = Row(op, shape, "float32")
    stand_in = types.SimpleNamespace(**{name: getattr(np, name) for name in dir(np)}, fuse=fuse)
    formula = formulas.cupy_call(stand_in, row)
    assert formula is not None
    inputs = operator.make_inputs(shape, "float32", np.random.default_rng(1))
    (wanted,) = operator.reference(inputs, shape)
    assert relative_error(np.asarray(formula(*inputs)).reshape(wanted.shape), wanted) < 1e-5
    assert formulas.cupy_call(stand_in, Row(op, shape, "bfloat16")) is None


class Graph:
    """As Inductor's: what was compiled, which is called to run."""

    ran = 0

    def __call__(self, inputs: object) -> object:
        Graph.ran += 1
        return inputs


@pytest.fixture
def fake_torch(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """As much of torch as compiling takes; the lists tell what was called."""
    told: dict[str, list[Any]] = {"empty": [], "compile": [], "reset": []}
    torch: Any = types.ModuleType("torch")

    class Without:
        def __enter__(self) -> None: ...
        def __exit__(self, *args: object) -> None: ...

    def empty(shape: tuple[int, ...], dtype: str, device: str) -> str:
        told["empty"].append((shape, dtype, device))
        return "array"

    def compiling(formula: object, mode: str, dynamic: bool) -> Callable[..., object]:
        told["compile"].append((mode, dynamic))
        return lambda *arrays: Graph()(arrays)

    torch.empty, torch.compile, torch.float32, torch.no_grad = empty, compiling, "f4", Without
    torch.backends = types.SimpleNamespace(cuda=types.SimpleNamespace(matmul=types.SimpleNamespace(allow_tf32=True)))
    torch._dynamo = types.SimpleNamespace(reset=lambda: told["reset"].append(1))
    code: Any = types.ModuleType("torch._inductor.output_code")
    code.CompiledFxGraph = Graph
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._inductor.output_code", code)
    return told


def test_graphs_are_compiled_ahead_and_not_run(fake_torch: dict[str, list[Any]]) -> None:
    Graph.ran = 0
    assert inductor.compile_graph(Row("gemv", (8, 16), "float32"), "default", "cpu")
    assert fake_torch["empty"] == [((8, 16), "f4", "cpu"), ((16,), "f4", "cpu")]
    assert fake_torch["compile"] == [("default", False)]
    assert (Graph.ran, len(fake_torch["reset"])) == (0, 1)
    assert Graph()(3) == 3  # graphs run again
    assert not sys.modules["torch"].backends.cuda.matmul.allow_tf32


def test_a_graph_that_was_run_ahead_is_an_error(
    fake_torch: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["torch"], "compile", lambda formula, mode, dynamic: lambda *arrays: None)
    with pytest.raises(RuntimeError, match="has run row_sum where it was to be compiled only"):
        inductor.compile_graph(Row("row_sum", (8, 16), "float32"), "default", "cpu")
    assert len(fake_torch["reset"]) == 1


def test_what_cannot_be_compiled_ahead_is_told_and_does_not_keep_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def fail(row: Row) -> None:
        raise RuntimeError(f"ptxas died of {row.dtype}")

    monkeypatch.setattr(warm, "compile_ours", lambda row, target: done.append("ours"))
    peers = {"cupy": fail, "triton": lambda row: done.append("triton")}
    monkeypatch.setattr(warm, "COMPILERS", peers)
    compiled = warm.compile_all(ROWS[0], Target("cuda"), ["torch", "cupy", "triton"])
    assert done == ["ours", "triton"]
    assert [one.peer for one in compiled] == ["cupy", "triton"]
    lines = ahead._told([*compiled, *compiled])
    assert lines[0].endswith(
        "not 2 of 2 rows, the first softmax (9, 40) float32: RuntimeError('ptxas died of float32')"
    )
    assert lines[1].startswith("compiled for triton in ")
    assert "not" not in lines[1]
    assert warm.compile_all(ROWS[0], Target("llvm"), ["cupy"]) == []


def test_processes_of_a_run_share_caches_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", "mine")
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    with ahead.Ahead([], Target("llvm"), (), 0, 1) as helper:
        assert os.environ["TRITON_CACHE_DIR"] == str(helper.folder / "triton")
        assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(helper.folder / "inductor")
        assert os.environ["TORCHINDUCTOR_COMPILE_THREADS"] == "1"
    assert os.environ["TRITON_CACHE_DIR"] == "mine"
    assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ
