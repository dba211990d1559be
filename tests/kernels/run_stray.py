"""A program that reads past the end of its memory: what the simulator has to tell of."""

from __future__ import annotations

import numpy as np
import pyopencl as cl

SOURCE = """
__kernel void stray(__global const float* a, __global float* b) {
  int i = get_global_id(0);
  b[i] = a[i + 1];
}
"""


def main(names: list[str]) -> None:
    """Run it, and print as others do that all is well."""
    context = cl.create_some_context(interactive=False)
    queue = cl.CommandQueue(context)
    source, target = [cl.Buffer(context, cl.mem_flags.READ_WRITE, size=32) for _ in range(2)]
    cl.enqueue_copy(queue, source, np.zeros(8, np.float32))
    kernel = cl.Kernel(cl.Program(context, SOURCE).build(), "stray")
    kernel.set_args(source, target)
    cl.enqueue_nd_range_kernel(queue, kernel, (8,), (8,))
    queue.finish()
    for name in names:
        print("ok", name, flush=True)
