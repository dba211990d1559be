"""Instructions in the innermost loops of generated kernels, against kernels of the same tiling written by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any  # Any: arguments of a kernel: tensors, variables and buffers

import pytest

import gpucomp
from gpucomp import te
from gpucomp.kernels import registry
from gpucomp.kernels.convolution.compute import ConvolutionDefinition
from gpucomp.kernels.convolution.schedule_gpu import schedule_direct
from gpucomp.kernels.gemm.schedule_gpu import MEDIUM, schedule_matmul
from gpucomp.target import Target
from tests.codegen.sass import Loop, innermost_loops, loops_of

REFERENCES = Path(__file__).parent / "reference_kernels"
TARGET = Target("cuda -arch=sm_90")
LIMIT = 1.05

pytestmark = pytest.mark.slow


def conv2d() -> tuple[te.Schedule, list[Any]]:
    """The direct schedule, which is that of the reference."""
    definition = registry.get("conv2d").define((1, 64, 56, 64, 3, 1), "float32")
    assert isinstance(definition, ConvolutionDefinition)
    return schedule_direct(definition, TARGET), definition.args


def matmul() -> tuple[te.Schedule, list[Any]]:
    """The schedule for any GPU with its middle tile, which is that of the reference."""
    definition = registry.get("matmul").define((1024, 1024, 1024), "float32")
    return schedule_matmul(definition, TARGET, MEDIUM), definition.args


def transpose() -> tuple[te.Schedule, list[Any]]:
    """Strips of 32 rows, a padded tile of 32 x 32 at a time."""
    a = te.placeholder((1024, 1024), name="A")
    b = te.compute((1024, 1024), lambda i, j: a[j, i], name="B")
    s = te.create_schedule(b.op)
    tile = s.cache_read(a, "shared", [b])
    strip, lane = s[b].split(b.op.axis[1], 32)
    step, inside = s[b].split(b.op.axis[0], 32)
    part, row = s[b].split(inside, 8)
    s[b].reorder(strip, step, part, row, lane)
    s[b].bind(strip, te.thread_axis("blockIdx.x"))
    x, y = te.thread_axis("threadIdx.x"), te.thread_axis("threadIdx.y")
    s[b].bind(row, y)
    s[b].bind(lane, x)
    s[b].unroll(part)
    s[tile].compute_at(s[b], step)
    s[tile].storage_align(tile.op.axis[0], 32, 1)
    part, row = s[tile].split(tile.op.axis[0], 8)
    s[tile].bind(row, y)
    s[tile].bind(tile.op.axis[1], x)
    s[tile].unroll(part)
    return s, [a, b]


KERNELS: dict[str, Callable[[], tuple[te.Schedule, list[Any]]]] = {
    "matmul": matmul,
    "conv2d": conv2d,
    "transpose": transpose,
}


def busiest(loops: list[Loop]) -> Loop:
    """The loop that does the work."""
    return max(loops, key=lambda x: x.work)


def both(name: str, folder: Path) -> tuple[Loop, Loop]:
    """The innermost loops of the generated kernel and of the reference."""
    schedule, args = KERNELS[name]()
    ours = busiest(innermost_loops(gpucomp.source(schedule, args, TARGET, name), folder))
    theirs = busiest(innermost_loops((REFERENCES / f"{name}.cu").read_text(encoding="utf-8"), folder))
    assert ours.work
    assert theirs.work
    return ours, theirs


@pytest.mark.parametrize("name", KERNELS)
def test_an_innermost_loop_is_no_longer_than_one_by_hand(name: str, require_nvrtc: object, tmp_path: Path) -> None:
    ours, theirs = both(name, tmp_path)
    ratio = len(ours.names) / ours.work * theirs.work / len(theirs.names)
    assert ratio <= LIMIT, (ratio, len(ours.names), ours.work, len(theirs.names), theirs.work)


@pytest.mark.parametrize("name", KERNELS)
def test_integer_instructions_are_no_more_than_by_hand(name: str, require_nvrtc: object, tmp_path: Path) -> None:
    """Per multiply-add, or element moved: the compiler unrolls the two differently. With moves, and without."""
    ours, theirs = both(name, tmp_path)
    for mine, other in ((ours.integer, theirs.integer), (ours.arithmetic, theirs.arithmetic)):
        ratio = mine / ours.work * theirs.work / other
        assert ratio <= LIMIT, (ratio, mine, ours.work, other, theirs.work)


def test_loops_are_found_in_a_disassembly() -> None:
    text = """
    .L_x_0:
        /*0000*/                   IADD3 R1, R1, 0x1, RZ ;
    .L_x_1:
        /*0010*/                   FFMA R2, R2, R3, R4 ;
        /*0020*/              @!P0 IMAD.WIDE R2, R5, 0x4, R6 ;
        /*0030*/               @P0 BRA `(.L_x_1) ;
        /*0040*/               @P1 BRA `(.L_x_0) ;
        /*0050*/                   BRA `(.L_x_2) ;
    .L_x_2:
        /*0060*/                   EXIT ;
    """
    (loop,) = loops_of(text)
    assert loop.names == ("FFMA", "IMAD.WIDE", "BRA")
    assert (loop.integer, loop.arithmetic, loop.work) == (1, 1, 1)
