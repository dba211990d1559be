"""Kernels of the library through the compilers of devices that are not here: AMD's by clang, NVIDIA's by NVRTC."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpucomp.cli.suite.row import Row
from gpucomp.cli.suite.rows import rows_of
from gpucomp.kernels import registry
from tests.kernels.compile_table import KINDS, ODD, Case, all_cases, compile_case, compile_for_amd, compile_for_nvidia
from tests.tiers import tiered

OPERATORS = [operator.name for operator in registry.all_operators()]
QUICK = ("row_sum", "matmul_int8", "conv2d_transpose")
SUITE = [row for row in rows_of("rows", seed=0) if not row.drawn]
ROWS = [
    Row("transpose", (8582, 6314), "float16"),
    Row("transpose", (7207, 8627), "float32"),
    Row("rms_norm", (3875, 8045), "float16"),
    Row("layer_norm", (3875, 8045), "float16"),
    Row("layer_norm", (4095, 1024), "bfloat16"),
    Row("add_layer_norm", (16384, 256), "float16"),
    Row("row_argmax", (8192, 8191), "float16"),
    Row("row_argmax", (32, 131072), "float16"),
    Row("column_sum", (32768, 256), "float16"),
]
# Rows of clusters, and what else is long: as many registers as a thread may have, and the most instructions.
LONG = [
    Row(op, (256, columns), dtype)
    for op, dtype in (("log_softmax", "float32"), ("add_layer_norm", "bfloat16"), ("row_variance", "float16"))
    for columns in (20000, 100_001, 262144)
]
BUSY = 2.0  # a processor that others use too takes so much longer


def _faults(case: Case, *chips: str) -> list[str]:
    return [f"{case} {taken.chip}: {fault}" for taken in compile_case(case, chips) for fault in taken.faults(BUSY)]


def _cases(name: str) -> tuple[Case, Case]:
    """Whole tiles, then sizes that no vector divides."""
    operator = registry.get(name)
    whole, half = ("float32", "float16") if "float32" in operator.dtypes else operator.dtypes[:1] * 2
    odd = ODD[",".join(operator.shape_names)]
    return Case(name, operator.default_shapes["gpu"], whole), Case(name, odd, half)


@pytest.mark.parametrize("name", tiered(OPERATORS, QUICK))
def test_an_operator_fits_amd_s_chips_without_calls_and_spills(name: str) -> None:
    whole, odd = _cases(name)
    wide = ("gfx90a", "gfx942")[OPERATORS.index(name) % 2]  # one of the chips with wavefronts of 64
    assert _faults(odd, wide, "gfx1100") + _faults(whole, "gfx1100") == []


@pytest.mark.parametrize("name", tiered(OPERATORS, QUICK))
def test_an_operator_fits_nvidia_s_chips_without_spills_and_compiles_soon(name: str) -> None:
    whole, odd = _cases(name)
    assert _faults(odd, "sm_80") + _faults(whole, "sm_90a") == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "shape"), KINDS)
def test_every_kind_of_kernel_fits_the_chips(name: str, shape: tuple[int, ...]) -> None:
    assert _faults(Case(name, shape, "float32"), "gfx1100", "sm_80", "sm_90a") == []


@pytest.mark.slow
@pytest.mark.parametrize("row", [*SUITE, *ROWS, *LONG], ids=lambda r: f"{r.op}-{'x'.join(map(str, r.shape))}-{r.dtype}")
def test_each_row_of_the_suite_compiles_for_cuda_without_spills_and_soon(row: Row) -> None:
    assert _faults(Case(row.op, row.shape, row.dtype), "sm_90a") == []


def test_the_table_has_every_operator_at_whole_and_odd_sizes() -> None:
    """Sizes for the table are by the names of extents: an operator with others is missing from it."""
    cases = all_cases()
    for name in OPERATORS:
        shapes = {case.shape for case in cases if case.op == name}
        assert len(shapes) >= 2, name


def _crowded(head: str, pointer: str, index: str) -> str:
    """A kernel of 64 values that are all alive at once: what is written may be what has yet to be read."""
    loads = "".join(f"  float a{i} = A[{index} * 64 + {i}];\n" for i in range(64))
    stores = "".join(f"  B[{index} * 64 + {i}] = a{63 - i} * a{i // 2};\n" for i in range(64))
    return f"{head} f({pointer} float* A, {pointer} float* B) {{\n{loads}{stores}}}\n"


def test_spills_of_either_compiler_are_seen() -> None:
    case = Case("add", (1000,), "float32")
    cuda = _crowded('extern "C" __global__ void __launch_bounds__(1024, 2)', "", "threadIdx.x")
    block = "__attribute__((reqd_work_group_size(2048, 1, 1), amdgpu_num_vgpr(24)))"
    opencl = _crowded(f"__kernel {block} void", "__global", "get_local_id(0)")
    found = compile_for_nvidia(case, cuda, "sm_90a").faults(BUSY)
    assert [word in " ".join(found) for word in ("spilled", "bytes a thread", "NVRTC")] == [True, True, False]
    found = compile_for_amd(case, opencl, "gfx942").faults()
    assert [word in " ".join(found) for word in ("spilled", "bytes a thread", "2048 threads")] == [True] * 3


def test_calls_too_much_shared_memory_and_a_slow_compiler_are_faults() -> None:
    (good,) = compile_case(Case("add", (1000,), "float32"), ["sm_80"])
    assert good.registers > 0
    assert good.threads > 0
    assert good.faults(BUSY) == []
    assert replace(good, calls=True, seconds=0.0).faults() == ["calls a function"]
    assert replace(good, seconds=0.4).faults() == ["NVRTC takes 0.40 s"]
    assert replace(good, chip="gfx90a", local=65537).faults() == ["65537 bytes of shared memory"]
