"""Programs that pass a public function something of another kind than it takes."""

# pyright: reportArgumentType=false, reportCallIssue=false
# wrong types are what is tested

from __future__ import annotations

import gpucomp
from gpucomp import te, tir
from tests.errors.programs import add, mistake, row_sums, vector


@mistake("ForKind", "9", "ForKind.SERIAL")
def a_member_that_an_enumeration_does_not_have() -> object:
    return tir.ForKind(9)  # cause


@mistake("1.5", "opencl")
def a_device_whose_index_is_a_fraction() -> object:
    return gpucomp.opencl(1.5)  # cause


@mistake("NoneType", "text")
def a_device_whose_kind_is_nothing() -> object:
    return gpucomp.Device(None)  # cause


@mistake("number", "0")
def a_timing_of_no_calls() -> object:
    return add().time_evaluator("add", gpucomp.cpu(), number=0)  # cause


@mistake("(2.5,)")
def an_array_of_a_fractional_shape() -> object:
    return gpucomp.nd.empty((2.5,))  # cause


@mistake("None")
def an_array_of_no_shape() -> object:
    return gpucomp.nd.empty(None)  # cause


@mistake("2.5")
def a_reduction_over_a_fractional_domain() -> object:
    return te.reduce_axis((0, 2.5), "k")  # cause


@mistake("threadIdx.x", "-3")
def a_thread_axis_of_less_than_no_threads() -> object:
    return te.thread_axis((0, -3), "threadIdx.x")  # cause


@mistake("no value")
def a_compute_of_no_values() -> object:
    return te.compute((3,), lambda i: ())  # cause


@mistake("None")
def a_placeholder_with_an_unknown_extent() -> object:
    return te.placeholder((None, 3))  # cause


@mistake("twice")
def a_cache_write_of_one_tensor_twice() -> object:
    s, _, _, c = row_sums()
    return s.cache_write([c, c], "local")  # cause


@mistake("none")
def a_schedule_of_no_operations() -> object:
    return te.create_schedule([])  # cause


@mistake("int")
def buffers_that_are_numbers() -> object:
    s, a, _, c = row_sums()
    return gpucomp.build(s, [a, c], "llvm", binds={a: 3})  # cause


@mistake("abc")
def an_array_filled_with_text() -> object:
    return gpucomp.nd.array(vector()).copyfrom("abc")  # cause
