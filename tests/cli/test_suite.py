"""bench suite and bench compare: what is measured, how it is told, what is refused.  The peers need a GPU."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any  # Any: values of JSON rows

import numpy as np
import pytest
from click.testing import CliRunner, Result

import gpucomp
from gpucomp.cli.main import cli
from gpucomp.cli.suite import own_forms, roofline, rows, run
from gpucomp.cli.suite.clock import Clock
from gpucomp.cli.suite.peers import CUPY, TORCH, open_peers
from gpucomp.cli.suite.rows import FAMILIES, Row, rows_of
from gpucomp.kernels import registry
from gpucomp.support.diagnostics import ArgumentError, DeviceError
from tests.requirements import require_pocl

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


def test_drawn_shapes_come_from_the_seed() -> None:
    drawn = rows.FAMILIES["rows"][1]
    assert list(drawn(random.Random(1))) == list(drawn(random.Random(1)))
    assert list(drawn(random.Random(1))) != list(drawn(random.Random(2)))


def test_peers_have_formulas_for_operators_of_the_library_only() -> None:
    names = {operator.name for operator in registry.all_operators()}
    assert set(CUPY) <= set(TORCH) <= names


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
    monkeypatch.setattr(run, "worst_error", lambda *_: 1.0)
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
    ],
)
def test_what_makes_no_sense_is_a_usage_error(arguments: list[str], text: str) -> None:
    result = CliRunner().invoke(cli, ["bench", "suite", "--device", "cpu", *arguments])
    assert result.exit_code == 2
    assert text in result.output


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
    peer.load(registry.get(row.op).make_inputs(row.shape, row.dtype, np.random.default_rng(0)))
    times = peer.time(row, peer.clock)
    assert times.low > 0
    monkeypatch.setattr(own_forms, "worst_error", lambda *_: 1.0)
    with pytest.raises(ArgumentError, match="row_sum: wrong on"):
        peer.time(row, peer.clock)
    peer.clock.close()
