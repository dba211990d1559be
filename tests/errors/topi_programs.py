"""Programs with one mistake each: operators of ``topi``."""

from __future__ import annotations

from typing import Any  # Any: an argument that is wrong on purpose

from gpucomp import te, topi
from tests.errors.programs import mistake


@mistake("sum", "axis 2", "2 dimensions")
def a_sum_over_an_axis_that_is_not_there() -> object:
    return topi.sum(te.placeholder((4, 5), name="A"), axis=2)  # cause


@mistake("argmax", "twice")
def an_axis_that_is_reduced_twice() -> object:
    return topi.argmax(te.placeholder((4, 5), name="A"), axis=(1, -1))  # cause


@mistake("dense", "A(4, 5)", "W(3, 6)")
def a_dense_layer_with_a_weight_of_another_depth() -> object:
    return topi.nn.dense(te.placeholder((4, 5), name="A"), te.placeholder((3, 6), name="W"))  # cause


@mistake("conv2d_nchw", "X(1, 3, 8, 8)", "W(4, 2, 3, 3)")
def a_filter_with_other_channels_than_the_image() -> object:
    image, weight = te.placeholder((1, 3, 8, 8), name="X"), te.placeholder((4, 2, 3, 3), name="W")
    return topi.nn.conv2d_nchw(image, weight, 1, 0, 1)  # cause


@mistake("9 elements", "over 4")
def a_window_that_is_larger_than_the_image() -> object:
    image, weight = te.placeholder((1, 3, 4, 4), name="X"), te.placeholder((4, 3, 9, 9), name="W")
    return topi.nn.conv2d_nchw(image, weight, 1, 0, 1)  # cause


@mistake("A", "20 elements", "(3, 7)")
def a_reshape_that_changes_the_number_of_elements() -> object:
    return topi.reshape(te.placeholder((4, 5), name="A"), (3, 7))  # cause


@mistake("A(4, 5)", "B(4, 6)")
def tensors_that_cannot_be_stacked() -> object:
    return topi.stack([te.placeholder((4, 5), name="A"), te.placeholder((4, 6), name="B")])  # cause


@mistake("2 parts", "extent 5")
def a_split_into_parts_that_are_not_equal() -> object:
    return topi.split(te.placeholder((4, 5), name="A"), 2, axis=1)  # cause


@mistake("'ij,jk->il'")
def a_letter_of_a_result_that_no_operand_has() -> object:
    return topi.einsum("ij,jk->il", te.placeholder((4, 5)), te.placeholder((5, 6)))  # cause


@mistake("'mean'", "'max'", "'avg'")
def a_kind_of_pool_that_does_not_exist() -> object:
    kind: Any = "mean"
    return topi.nn.pool2d(te.placeholder((1, 2, 4, 4), name="X"), 2, 2, 1, 0, kind)  # cause


@mistake("float32", "int32")
def indices_that_are_no_integers() -> object:
    return topi.take(te.placeholder((4, 5), name="A"), te.placeholder((2,), name="I"))  # cause


@mistake("tensor", "int")
def a_number_where_an_operator_takes_a_tensor() -> object:
    return topi.nn.softmax(3)  # pyright: ignore[reportArgumentType]  # wrong on purpose  # cause


@mistake("(4, 5)", "(3, 5)")
def a_shape_that_a_tensor_does_not_broadcast_to() -> object:
    return topi.broadcast_to(te.placeholder((4, 5), name="A"), (3, 5))  # cause
