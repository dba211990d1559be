"""Operators that treat each element by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from gpucomp.kernels.arrays import Array, Shape, as_a_user_runs, in_float64_by
from gpucomp.kernels.elementwise import compute, reference
from gpucomp.kernels.registry import Definition, Extent, Operator, register

# Half a unit in the last place, and a little for the division by which errors are made relative.
ROUNDING: Final = {"float32": 6.1e-8, "float16": 4.9e-4, "bfloat16": 4.0e-3, "float64": 1.2e-16, "int32": 0.0}
FUNCTIONS: Final = {"float32": 2e-6, "float16": 1e-3, "bfloat16": 8e-3, "float64": 1e-14}


def _elements(
    define: Callable[[Sequence[Extent], str], Definition],
    formula: Callable[..., Array],
    description: str,
    work: int,
    *,
    inputs: int = 1,
    tolerances: Mapping[str, float] = FUNCTIONS,
    peer: Callable[[Sequence[Array], Shape], Callable[[], object]] | None = None,
) -> Operator:
    """Register an operator on vectors of shape (N,)."""
    return register(
        Operator(
            name=formula.__name__,
            family="elementwise",
            description=description,
            shape_names=("N",),
            default_shapes={"gpu": (1 << 26,), "cpu": (1 << 22,), "opencl-cpu": (1 << 20,)},
            small_shape=(1 << 18,),
            dtypes=tuple(tolerances),
            compute=define,
            input_shapes=lambda shape: (shape,) * inputs,
            output_shapes=lambda shape: (shape,),
            output_dtypes=lambda dtype: (dtype,),
            reference=in_float64_by(formula),
            numpy_peer=peer or as_a_user_runs(formula),
            flops=lambda shape: work * shape[0],
            tolerances=tolerances,
            schedules=SCHEDULES,
        )
    )


SCHEDULES: Final = {
    "gpu": "schedule_gpu:schedule_elementwise",
    "cpu": "schedule_cpu:schedule_elementwise",
    "opencl-cpu": "schedule_cpu:schedule_elementwise_opencl_cpu",
}

add = _elements(
    compute.add, reference.add, "sum of two vectors", 1, inputs=2, tolerances=ROUNDING, peer=reference.add_peer
)
copy = _elements(
    compute.copy,
    reference.copy,
    "copy of a vector",
    0,
    tolerances=dict.fromkeys(ROUNDING, 0.0),
    peer=reference.copy_peer,
)
gelu = _elements(compute.gelu, reference.gelu, "Gaussian error linear unit, by tanh", 12)
gelu_chain = _elements(compute.gelu_chain, reference.gelu_chain, "gelu(A + B) * A in one kernel", 14, inputs=2)
add_bias = register(
    Operator(
        name="add_bias",
        family="elementwise",
        description="max(A + V, 0) with one V a column",
        shape_names=("M", "N"),
        default_shapes={"gpu": (8192, 8192), "cpu": (2048, 2048), "opencl-cpu": (1024, 1024)},
        small_shape=(512, 512),
        dtypes=tuple(FUNCTIONS),
        compute=compute.add_bias,
        input_shapes=lambda shape: (shape, (shape[1],)),
        output_shapes=lambda shape: (shape,),
        output_dtypes=lambda dtype: (dtype,),
        reference=in_float64_by(reference.add_bias),
        numpy_peer=as_a_user_runs(reference.add_bias),
        flops=lambda shape: 2 * shape[0] * shape[1],
        tolerances=FUNCTIONS,
        schedules=SCHEDULES,
    )
)
