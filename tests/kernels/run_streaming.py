"""Run streaming operators of the library on the first OpenCL device of this process: what the simulator runs.

``oclgrind ... python -m tests.kernels.run_streaming NAME...`` prints ``ok NAME`` for each operator that is right.
"""

from __future__ import annotations

import sys
from typing import Final

import numpy as np

import gpucomp
from gpucomp.cli.measure import relative_error
from gpucomp.kernels import registry
from gpucomp.target import Target

STREAMING: Final = tuple(
    [o.name for o in registry.all_operators() if o.family not in ("gemm", "convolution", "depthwise")]
)
# Of so many extents: vectors that fit, then a tail; several rows in a block, then a row for several warps.
SHAPES: Final = {1: ((48,), (1100,)), 2: ((3, 40), (2, 301)), 3: ((2, 9, 33), (1, 32, 4))}


def main(names: list[str]) -> None:
    """Check the operators one by one, each at its small shapes, in single and in half precision."""
    device, target = gpucomp.opencl(0), Target("opencl")
    for name in names:
        operator = registry.get(name)
        for shape, dtype in zip(SHAPES[len(operator.shape_names)], ("float16", "float32"), strict=True):
            defn = operator.define(shape, dtype)
            module = gpucomp.build(operator.schedule(defn, target), defn.args, target, name=name)
            inputs = operator.make_inputs(shape, dtype, np.random.default_rng(3))
            arrays = [gpucomp.nd.array(x, device) for x in (*inputs, *operator.make_outputs(shape, dtype))]
            module(*arrays)
            results = [x.numpy() for x in arrays[len(inputs) :]]
            for got, wanted in zip(results, operator.reference(inputs, shape), strict=True):
                assert relative_error(got, wanted) <= operator.tolerance(dtype), (name, shape, dtype)
        print("ok", name, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
