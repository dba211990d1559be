"""Run products and convolutions of the library on the first OpenCL device of this process: what the simulator runs.

``oclgrind ... python -m tests.kernels.run_matrix CASE...`` prints ``ok CASE`` for each case that is right. Schedules
for NVIDIA's GPUs run as OpenCL too: their pipelines and sums over threads then go through registers and shared memory.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

import numpy as np

import gpucomp
from gpucomp.cli.measure import relative_error
from gpucomp.kernels import registry
from gpucomp.kernels.registry import Definition
from gpucomp.target import Target

OPENCL: Final = Target("opencl")
ROOMY: Final = OPENCL.with_options(max_shared_memory_per_block=65536, max_dynamic_shared_memory_per_block=65536)
CUDA: Final = Target("cuda -arch=sm_90a")


@dataclass(frozen=True)
class Case:
    """An operator at a small shape, as scheduled for a target."""

    op: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    scheduled: Target = OPENCL

    def define(self) -> Definition:
        """The expressions, as they are best for the target of the schedule."""
        return registry.get(self.op).define(self.shape, self.dtype, self.scheduled)


CASES: Final = {
    "nt": Case("matmul_nt", (17, 35, 9)),
    "tn-half": Case("matmul_tn", (19, 34, 21), "float16"),
    "tt": Case("matmul_tt", (33, 18, 13)),
    "int8": Case("matmul_int8", (18, 33, 22), "int8"),
    "int8-dots": Case("matmul_int8", (18, 33, 24), "int8", CUDA),
    "batched": Case("batch_matmul", (2, 9, 17, 12)),
    "epilogue": Case("matmul_bias_gelu", (17, 35, 19), "float16"),
    "pipelined": Case("matmul", (33, 34, 37), "float32", CUDA),
    "pipelined-nt": Case("matmul_nt", (32, 33, 35), "float32", CUDA),
    "sliced": Case("matmul", (33, 16, 130), "float32", CUDA),
    "skinny": Case("matmul", (3, 36, 131), "float32", CUDA),
    "skinny-strips": Case("matmul", (2, 513, 131), "float32", CUDA),
    "skinny-nt": Case("matmul_nt", (5, 35, 132), "float32", CUDA),
    "implicit": Case("conv2d", (1, 8, 8, 32, 3, 1), "float32", CUDA),
    "implicit-nhwc": Case("conv2d_nhwc", (1, 8, 8, 32, 3, 1), "float32", CUDA),
    "implicit-bias": Case("conv2d_bias_relu", (1, 3, 8, 33, 3, 1), "float32", CUDA),
    "implicit-groups": Case("group_conv2d", (1, 4, 9, 64, 3, 1, 2), "float32", CUDA),
    "implicit-3d": Case("conv3d", (1, 2, 4, 33, 3, 1), "float32", CUDA),
    "direct-half": Case("conv2d_bias_add_relu", (1, 5, 9, 7, 3, 2), "float16"),
    "depthwise-nchw-rows": Case("depthwise_conv2d_nchw", (1, 3, 9, 7, 5, 2, 1, 2)),
    "depthwise-nhwc-rows": Case("depthwise_conv2d_nhwc", (1, 6, 9, 7, 5, 1, 2, 1)),
}


def main(names: list[str]) -> None:
    """Check the cases one by one."""
    device = gpucomp.opencl(0)
    for name in names:
        case = CASES[name]
        operator, definition = registry.get(case.op), case.define()
        schedule = operator.schedule(definition, case.scheduled)
        module = gpucomp.build(schedule, definition.args, ROOMY, name=case.op)
        inputs = operator.make_inputs(case.shape, case.dtype, np.random.default_rng(3))
        arrays = [gpucomp.nd.array(x, device) for x in (*inputs, *operator.make_outputs(case.shape, case.dtype))]
        module(*arrays)
        results = [x.numpy() for x in arrays[len(inputs) :]]
        for got, wanted in zip(results, operator.reference(inputs, case.shape), strict=True):
            error = relative_error(got, wanted)
            assert error <= operator.tolerance(case.dtype), (name, error)
        print("ok", name, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
