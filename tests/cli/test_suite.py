"""bench suite and bench compare: what is measured, how it is told, what is refused.  The peers need a GPU."""

from __future__ import annotations

import gc
import json
import random
import types
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any  # Any: values of JSON rows

import numpy as np
import pytest
from click.testing import CliRunner, Result

import gpucomp
from gpucomp.cli.main import cli
from gpucomp.cli.suite import ahead, checked, own_forms, peak, roofline, rows, run
from gpucomp.cli.suite.clock import Clock, Side, Times, in_turns
from gpucomp.cli.suite.formulas import CUPY, TORCH
from gpucomp.cli.suite.peers import Arrays, open_peers
from gpucomp.cli.suite.row import Row
from gpucomp.cli.suite.rows import FAMILIES, rows_of
from gpucomp.cli.suite.torch_products import CONVOLUTIONS
from gpucomp.kernels import registry
from gpucomp.runtime import ndarray
from gpucomp.runtime.cuda_compile import ptx_text
from gpucomp.runtime.device import Device
from gpucomp.support.diagnostics import ArgumentError, DeviceError
from gpucomp.support.dtype import DType
from gpucomp.support.resources import template_text
from gpucomp.target.target import Target
from tests.requirements import require_nvrtc, require_pocl

SMALL = [Row("softmax", (9, 40), "float32"), Row("row_sum", (70, 33), "float16"), Row("sum_all", (5000,), "float32")]


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments], catch_exceptions=False)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        FAMILIES, "rows", (lambda: SMALL, lambda rng: [Row("add", (rng.randint(3, 99),), "float32", True)])
    )
    monkeypatch.setattr("gpucomp.cli.suite.clock.EVICTED_BYTES", 1 << 16)
    monkeypatch.setattr("gpucomp.cli.suite.clock.REPEATS", 5)


def test_every_line_of_every_family_is_an_operator_with_that_type_and_shape() -> None:
    for family in FAMILIES:
        lines = rows_of(family, seed=3)
        assert any(line.drawn for line in lines)
        for line in lines:
            operator = registry.get(line.op)
            operator.check_shape(line.shape)
            operator.check_dtype(line.dtype)


@pytest.mark.parametrize("family", FAMILIES)
def test_drawn_shapes_come_from_the_seed(family: str) -> None:
    drawn = rows.FAMILIES[family][1]
    assert list(drawn(random.Random(1))) == list(drawn(random.Random(1)))
    assert list(drawn(random.Random(1))) != list(drawn(random.Random(2)))


def test_lines_of_operators_that_the_library_has_not_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [Row("matmul", (8, 8, 8), "float32"), Row("matmul", (8, 8, 8), "int16"), Row("qr", (8, 8), "float32")]
    monkeypatch.setitem(FAMILIES, "gemm", (lambda: lines, lambda rng: []))
    assert rows_of("gemm", 0) == lines[:1]


def test_parts_of_a_family_are_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = rows_of("gemm", 0)
    parts = [run._part_of(lines, f"{i}/4") for i in range(1, 5)]
    assert sorted(map(repr, [line for part in parts for line in part])) == sorted(map(repr, lines))
    for wrong in ("0/4", "5/4", "4", "a/b"):
        with pytest.raises(ArgumentError, match="not like 2/5"):
            run._part_of(lines, wrong)


def test_peers_have_formulas_for_operators_of_the_library_only() -> None:
    names = {operator.name for operator in registry.all_operators()}
    assert set(CUPY) <= set(TORCH) <= names
    lines = [row.op for family in ("gemm", "conv") for row in rows_of(family, 0)]
    assert set(lines) <= {*TORCH, *CONVOLUTIONS}


def test_the_measure_of_arithmetic_is_all_arithmetic() -> None:
    require_nvrtc()
    text = ptx_text(template_text("cuda/peak.cu"), "sm_90a")
    # The compiler unrolls rounds, and drops none.
    for instruction in ("fma.rn.f32", "dp4a.s32.s32", "mma.sync.aligned.m16n8k16"):
        found = text.count(instruction)
        assert found
        assert found % peak._IN_A_ROUND == 0


def test_a_run_checks_times_and_names_the_roof(small: None, tmp_path: Path) -> None:
    out = tmp_path / "folder" / "rows.jsonl"
    result = invoke("bench", "suite", "--family", "rows", "--device", "cpu", "--json", "--out", str(out))
    assert result.exit_code == 0
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [r["op"] for r in records] == ["softmax", "row_sum", "sum_all", "add"]
    for record in records:
        assert record["ok"] is True
        assert record["max_rel_err"] <= 1e-2
        assert record["p10"] <= record["seconds"] <= record["p90"]
        assert record["of_roof"] > 0
        assert record["roof"]["kind"] == ("read" if record["op"] in ("row_sum", "sum_all") else "copy")
        assert record["versions"]["numpy"]
    assert [json.loads(line)["family"] for line in out.read_text().splitlines()] == ["rows"] * 4


def test_other_processes_make_the_same_inputs_and_compare_the_results() -> None:
    lines = [Row("softmax", (9, 40), "bfloat16"), Row("row_argmax", (7, 33), "float32"), Row("add", (500,), "float32")]
    device = Device("cpu")
    alone = ahead.Alone(lines, 3)
    with ahead.Ahead(lines, Target("llvm"), (), 3, 2) as helper:
        folder = helper.folder
        for number, row in enumerate(lines):
            inputs = helper.inputs(number)
            for ours, theirs in zip(inputs, alone.inputs(number), strict=True):
                assert ours.dtype == theirs.dtype
                np.testing.assert_array_equal(ours, theirs)
            operator = registry.get(row.op)
            kinds = operator.output_dtypes(row.dtype)
            wanted = operator.reference(inputs, row.shape)
            right = [x.astype(DType(kind).numpy) for x, kind in zip(wanted, kinds, strict=True)]
            results = [ndarray.array(x, device) for x in right]
            error = helper.error(number, inputs, results).result(60)
            assert error == alone.error(number, inputs, results).result()
            assert error <= operator.tolerance(row.dtype)
            assert not list(folder.glob(f"{number}-*"))  # they would fill the memory
    with ahead.Ahead(lines[2:], Target("llvm"), (), 3, 1) as helper:
        inputs = helper.inputs(0)
        wrong = ndarray.array(np.full(500, np.nan, np.float32), device)
        assert not helper.error(0, inputs, [wrong]).result(60) <= 1e30
    assert not folder.exists()
    assert not helper.folder.exists()


def test_a_run_with_other_processes_says_the_same(small: None) -> None:
    arguments = ("bench", "suite", "--family", "rows", "--device", "cpu", "--json")
    alone, helped = [
        [json.loads(line) for line in invoke(*arguments, "--jobs", jobs).stdout.splitlines()] for jobs in ("0", "2")
    ]
    changing = {"jobs", "seconds", "p10", "p90", "gbps", "tflops", "roof", "of_roof"}
    assert [r["jobs"] for r in (*alone, *helped)] == [0] * 4 + [2] * 4
    assert all(record["ok"] is True for record in helped)
    kept = [[{k: v for k, v in record.items() if k not in changing} for record in side] for side in (alone, helped)]
    assert kept[0] == kept[1]


def test_processes_help_where_a_gpu_works(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ahead.usual_jobs(Device("cpu"), []) == 0
    assert ahead.usual_jobs(Device("cuda", 0), ["torch", "numpy"]) == 0
    for processors, jobs in ((1, 0), (2, 0), (4, 2), (16, 14), (200, ahead.MOST_JOBS)):
        monkeypatch.setattr("os.cpu_count", lambda processors=processors: processors)
        assert ahead.usual_jobs(Device("cuda", 0), ["torch"]) == jobs


def test_a_row_whose_results_cannot_be_compared_is_no_good_row(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead.Alone, "error", lambda *_: _failed(MemoryError("too large")))
    result = invoke("bench", "suite", "--family", "rows", "--only", "softmax", "--device", "cpu", "--json")
    assert result.exit_code == 1
    record = json.loads(result.stdout)
    assert record["ok"] is False
    assert "too large" in record["error"]


def _failed(problem: Exception) -> Future[float]:
    future = Future[float]()
    future.set_exception(problem)
    return future


@pytest.mark.parametrize(
    ("op", "shape"),
    [("matmul_tn", (70, 9, 30)), ("batch_matmul", (70, 4, 5, 6)), ("conv2d_nhwc", (70, 3, 6, 4, 3, 1)),
     ("matmul_bias_gelu", (90, 17, 8)), ("softmax", (90, 17))],
)  # fmt: skip
def test_some_rows_or_images_are_checked_and_a_value_that_is_none_is_seen_anywhere(
    op: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked, "CHECKED_ROWS", 8)
    operator, row = registry.get(op), Row(op, shape, "float32")
    inputs = operator.make_inputs(shape, "float32", np.random.default_rng(1))
    outputs = [x.astype(np.float32) for x in operator.reference(inputs, shape)]
    assert checked.worst_error(operator, row, inputs, outputs, 0) < 1e-6
    (result,) = outputs
    result[-1] += 1
    assert checked.worst_error(operator, row, inputs, outputs, 0) > 1e-3
    result[-1] -= 1
    result.reshape(-1)[result.size // 2 + 1] = np.nan
    assert checked.worst_error(operator, row, inputs, outputs, 0) == float("inf")


def test_products_are_told_in_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpucomp.cli.suite.clock.EVICTED_BYTES", 1 << 16)
    monkeypatch.setattr("gpucomp.cli.suite.clock.REPEATS", 5)
    lines = [Row("matmul", (64, 64, 64), "float32", group="a"), Row("matmul", (8192, 8192, 8192), "float32")]
    monkeypatch.setitem(FAMILIES, "gemm", (lambda: lines, lambda rng: []))
    result = invoke("bench", "suite", "--family", "gemm", "--device", "cpu", "--json")
    (record,) = [json.loads(line) for line in result.stdout.splitlines()]  # the other one is for GPUs
    assert record["group"] == "a"
    assert record["tflops"] == pytest.approx(2 * 64**3 / record["seconds"] / 1e12, rel=1e-2)
    assert "TF/s" in invoke("bench", "suite", "--family", "gemm", "--device", "cpu").stdout.splitlines()[0]


def test_numpy_is_a_peer_on_every_device(small: None) -> None:
    result = invoke(
        "bench", "suite", "--family", "rows", "--only", "softmax", "--against", "numpy", "--device", "cpu", "--json"
    )
    record = json.loads(result.stdout)
    assert record["best_peer"] == "numpy"
    assert record["vs_best_peer"] == pytest.approx(record["peers"]["numpy"]["seconds"] / record["seconds"], rel=1e-2)


def test_the_table_has_a_line_for_each_row(small: None) -> None:
    result = invoke("bench", "suite", "--family", "rows", "--device", "cpu")
    lines = result.stdout.splitlines()
    assert lines[0].split()[:3] == ["op", "shape", "dtype"]
    assert [line.split()[-1] for line in lines[1:]] == ["ok"] * 4


def test_a_wrong_result_fails_the_run(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "worst_error", lambda *_: 1.0)
    result = invoke("bench", "suite", "--family", "rows", "--only", "softmax", "--device", "cpu")
    assert result.exit_code == 1
    assert "WRONG" in result.stdout


def test_libraries_of_gpus_are_left_out_elsewhere_with_a_reason() -> None:
    import gpucomp
    from gpucomp.cli.suite.clock import Clock

    peers = open_peers(["torch", "numpy"], Clock(gpucomp.cpu(0)))
    assert peers == {"torch": "torch is compared with on CUDA devices"}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--family", "row"], "did you mean 'rows'"),
        (["--family", "rows", "--against", "torhc"], "did you mean 'torch'"),
        (["--family", "rows", "--only", "conv2d"], "no operator 'conv2d'"),
        (["--family", "rows", "--only", "softmax,softmx"], "no operator 'softmx'\n  help: did you mean 'softmax'?"),
        (["--family", "rows", "--dtype", "float99"], "no rows of type 'float99'\n  help: they are of float16,"),
        (["--family", "rows", "--out", "/dev/null/rows.jsonl"], "/dev/null/rows.jsonl cannot be written"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(arguments: list[str], text: str) -> None:
    result = CliRunner().invoke(cli, ["bench", "suite", "--device", "cpu", *arguments])
    assert result.exit_code == 2
    assert text in result.output


def test_a_picture_that_cannot_be_written_is_refused_before_anything_is_measured() -> None:
    pytest.importorskip("matplotlib")
    arguments = ["bench", "suite", "--device", "cpu", "--family", "rows", "--plot", "/dev/null/rows.svg"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert "/dev/null/rows.svg cannot be written" in result.output


def record(op: str, seconds: float, spread: float = 0.01) -> dict[str, Any]:
    return {
        "op": op, "shape": [64, 64], "dtype": "float32", "device": "cuda:0", "device_name": "a GPU",
        "date": "2026-01-01",
        "seconds": seconds, "p10": seconds * (1 - spread), "p90": seconds * (1 + spread), "bytes": 32768,
        "gbps": 32768 / seconds / 1e9, "roof": {"kind": "copy", "seconds": seconds * 0.9}, "vs_best_peer": 1.5,
    }  # fmt: skip


def write(path: Path, *records: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    return str(path)


def test_compare_tells_faster_from_slower_beyond_the_spread(tmp_path: Path) -> None:
    before = write(tmp_path / "a", record("softmax", 1e-4), record("row_sum", 1e-4), record("add", 1e-4))
    after = write(tmp_path / "b", record("softmax", 5e-5), record("row_sum", 2e-4), record("add", 1.005e-4))
    result = invoke("bench", "compare", before, after, "--json")
    assert [json.loads(line)["verdict"] for line in result.stdout.splitlines()] == ["faster", "slower", ""]
    assert result.exit_code == 1
    assert invoke("bench", "compare", before, before).exit_code == 0
    assert "geometric mean over 3 rows: 1.000x" in invoke("bench", "compare", before, before).stdout


def test_results_without_a_common_row_cannot_be_compared(tmp_path: Path) -> None:
    before, after = write(tmp_path / "a", record("softmax", 1e-4)), write(tmp_path / "b", record("add", 1e-4))
    result = CliRunner().invoke(cli, ["bench", "compare", before, after])
    assert result.exit_code == 2
    assert "no row in common" in result.output


def test_an_empty_result_cannot_be_compared(tmp_path: Path) -> None:
    empty = tmp_path / "a"
    empty.write_text("")
    result = CliRunner().invoke(cli, ["bench", "compare", str(empty), write(tmp_path / "b", record("add", 1e-4))])
    assert result.exit_code == 2
    assert "has no measured row" in result.output


def test_the_roofline_is_one_picture_and_the_same_for_the_same_numbers(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    records = [record("softmax", 1e-4), record("row_sum", 2e-4), {"op": "add", "ok": False}]
    for name in ("a.svg", "b.svg"):
        roofline.draw(records, tmp_path / name)
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    assert text.startswith("<?xml")
    assert "http" not in text.replace("http://www.w3.org", "").replace("http://creativecommons.org", "").replace(
        "http://purl.org", ""
    ).replace("https://matplotlib.org", "")


def test_operators_of_the_same_colour_have_different_marks() -> None:
    drawn: list[tuple[str, str]] = []

    class Axes:
        def plot(self, across: object, up: object, mark: str, color: str, **more: object) -> None:
            drawn.append((color, mark))

    records = [record(f"op{n}", 1e-4) for n in range(24)]
    roofline._draw_points(Axes(), records, lambda r: r["bytes"], "gbps")
    assert len(set(drawn)) == len(drawn) == 48


def test_the_roofline_of_arithmetic_has_operations_a_byte_across(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    records = [
        {**record("matmul", 1e-4 * n), "flops": 10**9 * n, "tflops": 10.0, "roof": {"kind": kind, "seconds": 5e-5 * n}}
        for n, kind in ((1, "copy"), (3, "arithmetic"), (9, "arithmetic"))
    ]
    roofline.draw(records, tmp_path / "a.svg")
    assert "TFLOP/s" in (tmp_path / "a.svg").read_text()
    assert "bytes moved" not in (tmp_path / "a.svg").read_text()


def test_without_a_plot_library_the_hint_names_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ArgumentError, match="needs matplotlib"):
        roofline.draw([record("softmax", 1e-4)], tmp_path / "x.svg")


def test_rows_of_one_type_are_chosen(small: None) -> None:
    result = invoke("bench", "suite", "--family", "rows", "--dtype", "float16", "--device", "cpu", "--json")
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["op"] for record in records] == ["row_sum"]


def test_our_opencl_form_is_a_peer_that_is_checked(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    require_pocl()
    with pytest.raises(DeviceError, match="beside the processors"):
        own_forms.OpenCLForms(plain=False)
    peer = own_forms.OpenCLForms.__new__(own_forms.OpenCLForms)
    peer.plain, peer.device = True, gpucomp.opencl(0)
    peer.clock = Clock(peer.device)
    row = SMALL[1]
    peer.load(Arrays(registry.get(row.op).make_inputs(row.shape, row.dtype, np.random.default_rng(0))))
    side = peer.side(row, peer.clock)
    assert all(seconds > 0 for seconds in side.series(3))
    assert not side.graph
    monkeypatch.setattr(own_forms, "worst_error", lambda *_: 1.0)
    with pytest.raises(ArgumentError, match="row_sum: wrong on"):
        peer.side(row, peer.clock)
    peer.clock.close()


def test_a_series_that_something_disturbed_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    device = gpucomp.cpu(0)
    took = iter([*[1.0, 9.0] * 5, *[1.0, 1.5] * 5, *[2.0] * 10])
    monkeypatch.setattr(device.api, "time_cold", lambda *_: next(took), raising=False)
    clock = Clock(device)
    try:
        again = clock.time(lambda: None, 10)
        assert (again.low, again.high, again.repeats) == (1.0, 1.5, 10)
        assert clock.time(lambda: None, 10).median == 2.0
    finally:
        clock.close()


def test_what_a_recorded_call_writes_to_lives_as_long_as_its_side(monkeypatch: pytest.MonkeyPatch) -> None:
    class Graph:
        def __init__(self, device: object, call: Callable[[], object], stream: object) -> None:
            call()

        def launch(self) -> None: ...
        def close(self) -> None: ...

    class Tensor: ...

    clock = Clock(gpucomp.cpu(0))

    def made() -> tuple[Side, weakref.ref[Tensor]]:
        written = Tensor()
        return clock.side(lambda: written), weakref.ref(written)

    with monkeypatch.context() as patched:
        patched.setattr("gpucomp.cli.suite.clock.CudaGraph", Graph)
        patched.setattr(clock, "device", types.SimpleNamespace(kind="cuda", sync=lambda: None))
        side, written = made()
    clock.close()
    gc.collect()
    assert side.graph
    assert written() is not None
    del side
    gc.collect()
    assert written() is None


def test_sides_take_turns_forwards_and_backwards_and_one_that_fails_is_alone() -> None:
    order: list[str] = []

    def side(name: str, seconds: float) -> Side:
        def series(repeats: int) -> list[float]:
            order.append(name)
            if name == "c" and len(order) > 3:
                raise RuntimeError("lost")
            return [seconds * len(order)] * repeats

        return Side(series, graph=True)

    first, second, third = in_turns([side("a", 1.0), side("b", 10.0), side("c", 1.0)], repeats=4, turns=3)
    assert "".join(order) == "abccbaab"
    assert isinstance(third, RuntimeError)
    assert isinstance(first, Times)
    assert isinstance(second, Times)
    assert (first.median, first.repeats) == (6.0, 12)  # its series were the first, the sixth and the seventh
    assert (second.median, second.graph) == (50.0, True)
    (alone,) = in_turns([side("d", 1.0)], repeats=5)
    assert isinstance(alone, Times)
    assert alone.repeats == 5
