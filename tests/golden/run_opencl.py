"""Run golden cases on the first OpenCL device of this process; what the simulator is started with.

``oclgrind ... python -m tests.golden.run_opencl NAME...`` prints ``ok NAME`` for each case that is right.  What the
simulator would be at for most of a minute has the same kernels with one block for each of the products here.
"""

from __future__ import annotations

import sys

from gpucomp.kernels.convolution.problem import Convolution
from gpucomp.target import Target
from tests.golden.cases import CASES, winograd_conv2d
from tests.golden.support import assert_same, make_arrays, reference
from tests.golden.test_sources import INEXACT

ONE_BLOCK = Convolution(1, 5, (15, 15), 32, (3, 3), (1, 1), (1, 1), (1, 1))


def main(names: list[str]) -> None:
    """Check the cases one by one."""
    import gpucomp

    target = Target("opencl")
    device = gpucomp.opencl(0)
    for name in names:
        case = CASES[name]
        schedule, args = winograd_conv2d(ONE_BLOCK) if name == "winograd_conv2d" else case.make(target)
        arrays = make_arrays(schedule, args, case.shapes, seed=3)
        want = reference(schedule, args, arrays)
        module = gpucomp.build(schedule, args, target, name=name)
        device_arrays = [gpucomp.nd.array(a, device) for a in arrays]
        module(*device_arrays)
        assert_same([a.numpy() for a in device_arrays], want, args, INEXACT.get(name, 0.0))
        print("ok", name, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
