"""Run golden cases on the first OpenCL device of this process; what the simulator is started with.

``oclgrind ... python -m tests.golden.run_opencl NAME...`` prints ``ok NAME`` for each case that is right.
"""

from __future__ import annotations

import sys

from gpucomp.target import Target
from tests.golden.cases import CASES
from tests.golden.support import assert_same, make_arrays, reference
from tests.golden.test_sources import INEXACT


def main(names: list[str]) -> None:
    """Check the cases one by one."""
    import gpucomp

    target = Target("opencl")
    device = gpucomp.opencl(0)
    for name in names:
        case = CASES[name]
        schedule, args = case.make(target)
        arrays = make_arrays(schedule, args, case.shapes, seed=3)
        want = reference(schedule, args, arrays)
        module = gpucomp.build(schedule, args, target, name=name)
        device_arrays = [gpucomp.nd.array(a, device) for a in arrays]
        module(*device_arrays)
        assert_same([a.numpy() for a in device_arrays], want, args, INEXACT.get(name, 0.0))
        print("ok", name, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
