from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest

from gpucomp.runtime import ndarray as nd
from gpucomp.runtime.base import get_api
from gpucomp.runtime.function import Function
from gpucomp.runtime.interop import adopt, result_converter
from gpucomp.runtime.probe import ProbeResult, probe
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.support.launch import (
    BufferArg,
    BufferParam,
    FunctionData,
    HostProgram,
    KernelImage,
    KernelSpec,
    LaunchStep,
    ScalarArg,
    Variant,
)


class Tensor:
    """An array of a library that is not numpy, with memory on the CPU."""

    __module__ = "madeup.core"

    def __init__(self, array: nd.NDArray) -> None:
        self.array = array

    def __dlpack__(self, *, stream: int | None = None) -> object:
        if self.array.read_only:
            raise BufferError("cannot export a tensor that requires grad")
        return self.array.__dlpack__(stream=stream)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


@pytest.fixture(autouse=True)
def _library(monkeypatch: pytest.MonkeyPatch) -> None:
    library = ModuleType("madeup")
    vars(library)["from_dlpack"] = Tensor
    monkeypatch.setitem(sys.modules, "madeup", library)


NEGATE = """
define i32 @negate(ptr %A, ptr %C, i32 %n) {
entry:
  %empty = icmp sle i32 %n, 0
  br i1 %empty, label %done, label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %next, %loop ]
  %from = getelementptr float, ptr %A, i32 %i
  %to = getelementptr float, ptr %C, i32 %i
  %x = load float, ptr %from
  %y = fneg float %x
  store float %y, ptr %to
  %next = add i32 %i, 1
  %more = icmp slt i32 %next, %n
  br i1 %more, label %loop, label %done
done:
  ret i32 0
}
"""


def _negate() -> Function:
    params = (
        BufferParam("A", "float32", ("n",)),
        BufferParam("C", "float32", ("n",), access="write", output=True),
    )
    args = (BufferArg("A"), BufferArg("C"), ScalarArg("int32", "n"))
    launch = LaunchStep("negate", (1, 1, 1), (1, 1, 1), 0, args)
    image = KernelImage("llvm", NEGATE, (KernelSpec("negate", ("float32*", "float32*", "int32")),))
    return Function(FunctionData("negate", (Variant(True, HostProgram("negate", params, (launch,)), image),)))


def test_a_kernel_on_the_cpu_reads_numpy_memory_itself() -> None:
    x, out = np.arange(5, dtype=np.float32), np.zeros(5, np.float32)
    negate = _negate()
    assert negate(x, out) is None
    np.testing.assert_array_equal(out, -x)
    result = negate(x)
    assert isinstance(result, np.ndarray)
    np.testing.assert_array_equal(result, -x)


def test_a_foreign_array_goes_in_without_a_copy_and_its_kind_comes_out() -> None:
    x, out = nd.array(np.arange(5, dtype=np.float32)), nd.empty((5,))
    negate = _negate()
    assert negate(Tensor(x), Tensor(out)) is None
    np.testing.assert_array_equal(out.numpy(), -x.numpy())
    result = negate(Tensor(x))
    assert isinstance(result, Tensor)
    np.testing.assert_array_equal(result.array.numpy(), -x.numpy())
    shared = adopt(Tensor(x))
    assert isinstance(shared, nd.NDArray)
    assert shared.address == x.address


def test_the_first_array_decides_on_the_kind_of_the_result() -> None:
    x = nd.array(np.arange(5, dtype=np.float32))
    assert result_converter((3, Tensor(x), x.numpy()))(x).__class__ is Tensor
    assert result_converter((3, x.numpy(), Tensor(x)))(x).__class__ is np.ndarray
    assert result_converter((3, x))(x) is x


def test_an_array_that_refuses_to_be_exchanged_is_named() -> None:
    frozen = nd.array(np.arange(5, dtype=np.float32))
    frozen.read_only = True
    with pytest.raises(ArgumentError, match=r"argument 1 \(A\) of negate: a Tensor cannot be exchanged: .*grad"):
        _negate()(Tensor(frozen))


def test_other_values_are_left_alone() -> None:
    assert adopt(3.5) == 3.5
    assert adopt("text") == "text"


def test_a_probe_runs_once_and_a_device_without_one_passes() -> None:
    assert probe(get_api("null"), 0) == ProbeResult(None)
    first = probe(get_api("cpu"), 0)
    assert first.problem is None
    assert probe(get_api("cpu"), 0) is first
