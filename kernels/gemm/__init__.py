"""Matrix products, alone and with what follows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias  # Any: arguments of an operator are of many types

from gpucomp.kernels.arrays import Shape
from gpucomp.kernels.gemm import compute, reference
from gpucomp.kernels.gemm.side_by_side import better_form
from gpucomp.kernels.registry import Definition, Extent, Operator, register, sum_dtype

Define: TypeAlias = Callable[[Sequence[Extent], str], Definition]

SCHEDULES: Final = {
    "gpu": "schedule_gpu:schedule_matmul",
    "cpu": "schedule_cpu:schedule_matmul",
    "opencl-cpu": "schedule_cpu:schedule_matmul_opencl_cpu",
}
# Transposed operands, batches and integers.
LAYOUT_SCHEDULES: Final = {
    "gpu": "schedule_gpu:schedule_matmul",
    "cpu": "schedule_cpu:schedule_matmul",
    "opencl-cpu": "schedule_layouts_cpu:schedule_product_opencl_cpu",
}

FLOATS: Final = ("float32", "float16", "bfloat16", "float64")
TOLERANCES: Final = {"float32": 1e-4, "float16": 1e-4, "bfloat16": 1e-4, "float64": 1e-12}
PLAIN_SHAPES: Final = {"gpu": (4096, 4096, 4096), "cpu": (1024, 1024, 1024), "opencl-cpu": (512, 512, 512)}
BATCH_SHAPES: Final = {"gpu": (64, 512, 512, 512), "cpu": (16, 256, 256, 256), "opencl-cpu": (8, 256, 256, 256)}


def _stored(rows: int, columns: int, transposed: bool) -> Shape:
    return (columns, rows) if transposed else (rows, columns)


def _plain(name: str, description: str, define: Define, transpose_a: bool, transpose_b: bool, **other: Any) -> Operator:
    """A product of shape (M, N, K), its operands stored as said."""
    arguments: dict[str, Any] = {
        "dtypes": FLOATS,
        "output_dtypes": lambda dtype: (sum_dtype(dtype),),
        "tolerances": TOLERANCES,
        "schedules": SCHEDULES if not transpose_a and not transpose_b else LAYOUT_SCHEDULES,
        "form": better_form(define),
        **other,
    }
    return register(
        Operator(
            name=name,
            family="gemm",
            description=description,
            shape_names=("M", "N", "K"),
            default_shapes=PLAIN_SHAPES,
            small_shape=(256, 256, 256),
            compute=define,
            input_shapes=lambda s: (_stored(s[0], s[2], transpose_a), _stored(s[2], s[1], transpose_b)),
            output_shapes=lambda s: ((s[0], s[1]),),
            reference=reference.product(transpose_a, transpose_b),
            numpy_peer=reference.product_peer(transpose_a, transpose_b),
            flops=lambda s: 2 * s[0] * s[1] * s[2],
            **arguments,
        )
    )


matmul = _plain("matmul", "matrix product; 16-bit inputs are summed in float32", compute.matmul, False, False)
matmul_nt = _plain("matmul_nt", "matrix product of A and B stored (N, K)", compute.matmul_nt, False, True)
matmul_tn = _plain("matmul_tn", "matrix product of A stored (K, M) and B", compute.matmul_tn, True, False)
matmul_tt = _plain("matmul_tt", "matrix product of A stored (K, M) and B stored (N, K)", compute.matmul_tt, True, True)
matmul_int8 = _plain(
    "matmul_int8",
    "matrix product of 8-bit integers in int32, B stored (N, K)",
    compute.matmul_int8,
    False,
    True,
    dtypes=("int8",),
    output_dtypes=lambda dtype: ("int32",),
    tolerances={"int8": 0.0},
)

batch_matmul = register(
    Operator(
        name="batch_matmul",
        family="gemm",
        description="a matrix product of each pair of matrices",
        shape_names=("B", "M", "N", "K"),
        default_shapes=BATCH_SHAPES,
        small_shape=(4, 128, 128, 128),
        dtypes=FLOATS,
        compute=compute.batch_matmul,
        input_shapes=lambda s: ((s[0], s[1], s[3]), (s[0], s[3], s[2])),
        output_shapes=lambda s: (s[:3],),
        output_dtypes=lambda dtype: (sum_dtype(dtype),),
        reference=reference.product(),
        numpy_peer=reference.product_peer(),
        flops=lambda s: 2 * s[0] * s[1] * s[2] * s[3],
        tolerances=TOLERANCES,
        schedules=LAYOUT_SCHEDULES,
    )
)

matmul_bias_gelu = register(
    Operator(
        name="matmul_bias_gelu",
        family="gemm",
        description="gelu(A @ B + V) in one kernel, V added to each row",
        shape_names=("M", "N", "K"),
        default_shapes=PLAIN_SHAPES,
        small_shape=(256, 256, 256),
        dtypes=FLOATS,
        compute=compute.matmul_bias_gelu,
        input_shapes=lambda shape: ((shape[0], shape[2]), (shape[2], shape[1]), (shape[1],)),
        output_shapes=lambda shape: ((shape[0], shape[1]),),
        output_dtypes=lambda dtype: (dtype,),
        reference=reference.matmul_bias_gelu,
        numpy_peer=reference.matmul_bias_gelu_peer,
        flops=lambda shape: shape[0] * shape[1] * (2 * shape[2] + 13),
        tolerances={"float32": 1e-4, "float16": 1e-3, "bfloat16": 8e-3, "float64": 1e-12},
        schedules=SCHEDULES,
        form=better_form(compute.matmul_bias_gelu),
    )
)
