from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gpucomp.runtime import ndarray as nd
from gpucomp.runtime.device import Device
from gpucomp.runtime.module import Module, SourceModule, load_module
from gpucomp.runtime.null import NullAPI
from gpucomp.runtime.timing import BenchmarkResult
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.support.registry import register_func, remove_global_func
from tests.runtime.programs import add_function, matmul_function, null_api, teach_add

NULL = Device("null")
ONES = np.ones(4, np.float32)


@pytest.fixture(name="api")
def _api() -> Iterator[NullAPI]:
    api = null_api()
    teach_add(api)
    yield api
    api.clear()


def _module(source: str = "the source") -> Module:
    return Module({"add": add_function(source=source), "matmul": matmul_function()})


def test_a_call_runs_the_entry_function(api: NullAPI) -> None:
    module = _module()
    np.testing.assert_array_equal(module(ONES, ONES), 2 * ONES)
    assert module.entry_func is module["add"]
    assert Module({"other": matmul_function(), "main": add_function()}).entry_func.name == "add"
    assert module.type_key == "null"


def test_functions_are_found_by_name(api: NullAPI) -> None:
    module = _module()
    np.testing.assert_array_equal(module["add"](ONES, ONES), 2 * ONES)
    assert module.get_function("matmul").name == "matmul"
    assert list(module) == ["add", "matmul"]
    assert "add" in module
    with pytest.raises(ArgumentError, match="no function 'matmull'") as caught:
        module["matmull"]
    assert caught.value.hint == "did you mean 'matmul'?"
    with pytest.raises(ArgumentError, match="this module has no function"):
        _ = Module({}).entry_func


def test_imported_modules_are_searched_on_demand(api: NullAPI) -> None:
    module, other = Module({"add": add_function()}), Module({"matmul": matmul_function()})
    module.import_module(other)
    assert other in module.imported_modules
    assert module.get_function("matmul", query_imports=True) is other["matmul"]
    with pytest.raises(ArgumentError, match="no function 'matmul'"):
        module.get_function("matmul")


def test_the_device_code_is_the_first_imported_module(api: NullAPI) -> None:
    device_code = _module().imported_modules[0]
    assert isinstance(device_code, SourceModule)
    assert device_code.type_key == "null"
    assert device_code.get_source().startswith("the source")


def test_the_source_and_the_launcher_can_be_read(api: NullAPI) -> None:
    module = Module({"add": add_function(source="the source")})
    assert module.get_source() == module.source == module.get_source("null") == "the source"
    assert "def launch(stream, A, B, C, n):" in module.get_source("host")
    with pytest.raises(ArgumentError, match="null code has no form 'ptx'"):
        module.get_source("ptx")


def test_show_prints_the_source(api: NullAPI, capsys: pytest.CaptureFixture[str]) -> None:
    Module({"add": add_function(source="the source")}).show()
    assert capsys.readouterr().out == "the source\n"


def test_a_saved_module_computes_the_same(api: NullAPI, tmp_path: Path) -> None:
    path = tmp_path / "add.json"
    _module().save(path)
    loaded = load_module(path)
    np.testing.assert_array_equal(loaded(ONES, ONES), 2 * ONES)
    assert loaded.get_source() == _module().get_source()
    assert loaded.type_key == "null"
    _module().save(tmp_path / "add.null")
    assert (tmp_path / "add.null").read_text().startswith("the source")


NO_MODULES = (
    "",
    "{}",
    "[1]",
    '{"gpucomp": 1, "functions": {"f": {"type": "Nonsense"}}}',
    '{"gpucomp": 1, "functions": []}',
    '{"gpucomp": 1, "functions": {"f": 3}}',
    '{"gpucomp": 1, "functions": {}}',
)


@pytest.mark.parametrize("text", NO_MODULES)
def test_a_file_that_is_no_module_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ArgumentError, match="is no saved module"):
        load_module(path)


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "new.json"
    path.write_text('{"gpucomp": 99, "functions": ["in another form"]}')
    with pytest.raises(ArgumentError, match="has format version 99, this is 1"):
        load_module(path)


def test_a_part_of_a_saved_module_that_is_something_else_is_refused(api: NullAPI, tmp_path: Path) -> None:
    path = tmp_path / "add.json"
    _module().save(path)
    whole = path.read_text()
    for part in ('"variants": [', '"program": {', '"params": ['):
        assert part in whole
        path.write_text(whole.replace(part, f'{part.split()[0]} "x", "was": {part.split()[1]}', 1))
        with pytest.raises(ArgumentError, match="is no saved module"):
            load_module(path)


# -- timing


def test_the_evaluator_calls_number_times_repeat_and_once_before(api: NullAPI) -> None:
    arrays = [nd.array(ONES, NULL) for _ in range(3)]
    result = _module().time_evaluator("add", NULL, number=5, repeat=3)(*arrays)
    assert isinstance(result, BenchmarkResult)
    assert len(result.results) == 3
    assert len(api.launches()) == 1 + 5 * 3
    assert 0 < result.min <= result.median <= result.max


def test_arrays_elsewhere_are_moved_before_the_clock_starts(api: NullAPI) -> None:
    _module().time_evaluator("add", NULL, number=4)(ONES, ONES)
    launches = [position for position, event in enumerate(api.events) if event.what == "launch"]
    copies = [position for position, event in enumerate(api.events) if event.what == "copy"]
    assert copies
    assert max(copies) < launches[1]


def test_number_grows_until_a_repeat_is_long_enough(api: NullAPI) -> None:
    arrays = [nd.array(ONES, NULL) for _ in range(3)]
    _module().time_evaluator("add", NULL, number=1, min_repeat_ms=3)(*arrays)
    assert len(api.launches()) > 10


def test_caches_are_flushed_and_the_preparation_called_before_each_repeat(api: NullAPI) -> None:
    calls: list[int] = []
    register_func("test.prepare", lambda *args: calls.append(len(args)))
    try:
        arrays = [nd.array(ONES, NULL) for _ in range(3)]
        evaluator = _module().time_evaluator(
            "add", NULL, number=1, repeat=2, cache_flush_bytes=4096, f_preproc="test.prepare"
        )
        evaluator(*arrays)
    finally:
        remove_global_func("test.prepare")
    assert calls == [3, 3]
    assert [event.detail for event in api.events if event.what == "memset"] == [(1, 4096)] * 2


def test_the_summary_of_a_measurement() -> None:
    result = BenchmarkResult((1e-3, 3e-3, 2e-3))
    assert (result.mean, result.median, result.min, result.max) == (2e-3, 2e-3, 1e-3, 3e-3)
    assert result.std == pytest.approx(0.8165e-3, rel=1e-3)
    assert str(result).splitlines()[1].split() == ["2.0000", "2.0000", "3.0000", "1.0000", "0.8165"]
    assert dataclasses.is_dataclass(result)
