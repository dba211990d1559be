"""Operators on the rows of a matrix: normalisations, and reductions of each row to one value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from gpucomp.kernels.arrays import Array, Shape, as_a_user_runs, in_float64_by
from gpucomp.kernels.registry import Definition, Extent, Operator, register
from gpucomp.kernels.rows import compute, forms, reference
from gpucomp.target import Target

FLOATS: Final = ("float32", "float16", "bfloat16", "float64")


def _rows(
    define: Callable[[Sequence[Extent], str], Definition],
    formula: Callable[..., Array],
    description: str,
    work: int,
    *,
    columns: int = 0,
    matrices: int = 1,
    reduces: bool = False,
    output: str = "",
    form: Callable[[Sequence[Extent], str, Target], Definition | None] = lambda shape, dtype, target: None,
) -> Operator:
    """Register an operator on the rows of a matrix of shape (M, N).

    Args:
        define: makes the definition.
        formula: in numpy; its name is the operator's.
        description: one line.
        work: operations an element.
        columns: inputs of one value a column.
        matrices: inputs of the shape of the matrix.
        reduces: the result has one value a row.
        output: its element type, where it is not that of the input.
        form: makes other expressions where they are better for a target.
    """

    def input_shapes(shape: Shape) -> tuple[Shape, ...]:
        return (shape,) * matrices + ((shape[1],),) * columns

    return register(
        Operator(
            name=formula.__name__,
            family="rows",
            description=description,
            shape_names=("M", "N"),
            default_shapes={"gpu": (4096, 4096), "cpu": (4096, 4096), "opencl-cpu": (1024, 1024)},
            small_shape=(512, 512),
            dtypes=FLOATS,
            compute=define,
            input_shapes=input_shapes,
            output_shapes=lambda shape: ((shape[0],) if reduces else shape,),
            output_dtypes=lambda dtype: (output or dtype,),
            reference=in_float64_by(formula),
            numpy_peer=as_a_user_runs(formula),
            flops=lambda shape: work * shape[0] * shape[1],
            tolerances=dict.fromkeys(FLOATS, 0.0)
            if output
            else {"float32": 1e-5, "float16": 1e-3, "bfloat16": 8e-3, "float64": 1e-12},
            schedules={
                "gpu": "schedule_gpu:schedule_rows",
                "cpu": "schedule_cpu:schedule_rows",
                "opencl-cpu": "schedule_cpu:schedule_rows_opencl_cpu",
            },
            form=form,
        )
    )


# For each element: comparison, subtraction, exponential, addition, multiplication.
softmax = _rows(compute.softmax, reference.softmax, "softmax of each row", 5, form=forms.softmax)
log_softmax = _rows(
    compute.log_softmax, reference.log_softmax, "logarithm of the softmax of each row", 5, form=forms.log_softmax
)
layer_norm = _rows(
    compute.layer_norm, reference.layer_norm, "layer norm with weights and biases", 8, columns=2, form=forms.layer_norm
)
add_layer_norm = _rows(
    compute.add_layer_norm,
    reference.add_layer_norm,
    "layer norm of a sum of two matrices",
    9,
    columns=2,
    matrices=2,
    form=forms.add_layer_norm,
)
rms_norm = _rows(
    compute.rms_norm,
    reference.rms_norm,
    "norm by the root mean square, with weights",
    4,
    columns=1,
    form=forms.rms_norm,
)
add_rms_norm = _rows(
    compute.add_rms_norm,
    reference.add_rms_norm,
    "RMS norm of a sum of two matrices",
    5,
    columns=1,
    matrices=2,
)
row_sum = _rows(compute.row_sum, reference.row_sum, "sum of each row", 1, reduces=True)
row_mean = _rows(compute.row_mean, reference.row_mean, "mean of each row", 1, reduces=True)
row_max = _rows(compute.row_max, reference.row_max, "largest element of each row", 1, reduces=True)
row_min = _rows(compute.row_min, reference.row_min, "smallest element of each row", 1, reduces=True)
row_variance = _rows(compute.row_variance, reference.row_variance, "variance of each row", 4, reduces=True)
row_norm = _rows(compute.row_norm, reference.row_norm, "Euclidean norm of each row", 2, reduces=True)
row_argmax = _rows(
    compute.row_argmax,
    reference.row_argmax,
    "place of the largest element of each row",
    1,
    reduces=True,
    output="int32",
    form=forms.argmax,
)
gemv = _rows(compute.gemv, reference.gemv, "matrix times vector", 2, columns=1, reduces=True)
