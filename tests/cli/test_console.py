"""Numbers with units, and tables that are plain where nobody looks."""

from __future__ import annotations

import json

import pytest

from gpucomp.cli import console


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.5, "2.50 s"), (0.00184, "1.84 ms"), (0.0123, "12.3 ms"), (3.1e-7, "310 ns")]
)
def test_times_have_three_digits_and_a_fitting_unit(seconds: float, text: str) -> None:
    assert console.seconds_text(seconds) == text


@pytest.mark.parametrize(("rate", "text"), [(52.1e12, "52.1 TFLOP/s"), (240e9, "240 GFLOP/s"), (1.5e6, "1.50 MFLOP/s")])
def test_rates_likewise(rate: float, text: str) -> None:
    assert console.rate_text(rate, "FLOP/s") == text


def test_bytes_likewise() -> None:
    assert [console.bytes_text(n) for n in (12, 1200, 12_000_000)] == ["12 B", "1.20 kB", "12.0 MB"]


def test_a_table_in_a_pipe_is_plain_and_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(["op", "time"], [["add", "1 ms"], ["matmul", "12 ms"]], numbers=[1])
    assert capsys.readouterr().out == "op       time\nadd      1 ms\nmatmul  12 ms\n"


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_colours_are_left_out_where_the_user_asks(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert console.wants_colour()
    monkeypatch.setenv(variable, "dumb")
    assert not console.wants_colour()


def test_a_record_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    console.json_line({"a": [1, 2], "b": None})
    out = capsys.readouterr().out
    assert json.loads(out) == {"a": [1, 2], "b": None}
    assert out.count("\n") == 1


def test_a_number_that_json_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        console.json_line({"seconds": float("nan")})


def test_defaults_are_said_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console.announce_defaults(device="cpu:0", shape="4,4")
    console.announce_defaults()
    captured = capsys.readouterr()
    assert captured.err == "gpucomp: defaults: --device cpu:0, --shape 4,4\n"
    assert captured.out == ""
