"""The kinds of targets as data: defaults, limits by architecture, features.

Sources: CUDA C++ Programming Guide, tables of compute capabilities (shared memory per block is the static limit;
the opt-in limit goes by ``max_dynamic_shared_memory_per_block``); OpenCL 1.2 specification, minimum maxima.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """A family of targets.

    Attributes:
        name: "cuda", "opencl" or "llvm".
        device: kind of device that runs it: "cuda", "opencl" or "cpu".
        is_gpu: kernels are grids of threads.
        limits: default limits, overridden by architecture and by options.
        features: default features; passes ask for features, never for a kind's name.
        keys: names under which generic code looks for an implementation, most special first.
    """

    name: str
    device: str
    is_gpu: bool
    limits: dict[str, int]
    features: frozenset[str]
    keys: tuple[str, ...] = field(default=())


CUDA_LIMITS: Final = {
    "max_num_threads": 1024,
    "thread_warp_size": 32,
    "max_shared_memory_per_block": 49152,
    "max_dynamic_shared_memory_per_block": 49152,
    "max_local_memory_per_block": 1 << 20,
    "max_function_args": 1024,
    "max_block_x": 1024,
    "max_block_y": 1024,
    "max_block_z": 64,
    "max_grid_x": 2**31 - 1,
    "max_grid_y": 65535,
    "max_grid_z": 65535,
    "registers_per_thread": 255,
    "registers_per_block": 65536,
    "max_vector_bytes": 16,
    "multi_processor_count": 132,  # of an H100; devices that are here say theirs
    "max_cluster_size": 8,  # what every device with clusters can do
}

# sm -> shared memory that a block can opt into, in bytes.
CUDA_OPT_IN_SHARED: Final = {
    "sm_70": 98304,
    "sm_75": 65536,
    "sm_80": 166912,
    "sm_86": 101376,
    "sm_87": 166912,
    "sm_89": 101376,
    "sm_90": 232448,
    "sm_90a": 232448,
    "sm_100": 232448,
    "sm_100a": 232448,
    "sm_120": 101376,
}

# sm -> blocks of the largest cluster, where that is more; the driver has to be asked for it.
CUDA_LARGEST_CLUSTER: Final = {"sm_90": 16, "sm_90a": 16, "sm_100": 16, "sm_100a": 16}

OPENCL_LIMITS: Final = {
    "max_num_threads": 256,
    "thread_warp_size": 1,
    "max_shared_memory_per_block": 32768,
    "max_dynamic_shared_memory_per_block": 32768,
    "max_local_memory_per_block": 1 << 20,
    "max_function_args": 128,
    "max_block_x": 256,
    "max_block_y": 256,
    "max_block_z": 256,
    "max_grid_x": 2**31 - 1,
    "max_grid_y": 2**31 - 1,
    "max_grid_z": 2**31 - 1,
    "registers_per_thread": 256,
    "registers_per_block": 65536,
    "multi_processor_count": 64,
    "max_vector_bytes": 64,
}

CPU_LIMITS: Final = {
    "max_num_threads": 1,
    "thread_warp_size": 1,
    "max_shared_memory_per_block": 1 << 30,
    "max_dynamic_shared_memory_per_block": 1 << 30,
    "max_local_memory_per_block": 1 << 20,
    "max_function_args": 1024,
    "max_vector_bytes": 64,
}

KINDS: Final = {
    "cuda": Kind(
        "cuda",
        "cuda",
        True,
        CUDA_LIMITS,
        frozenset(
            {
                "shuffle",
                "fp16",
                "bf16",
                "fp64",
                "int64",
                "fp16_atomics",
                "unroll_pragma",
                "vector_predication",
                "memory_vectors",
                "readable_granules",
                "dynamic_shared",
            }
        ),
        ("cuda", "gpu"),
    ),
    "opencl": Kind("opencl", "opencl", True, OPENCL_LIMITS, frozenset({"int64", "unroll_pragma"}), ("opencl", "gpu")),
    "llvm": Kind(
        "llvm",
        "cpu",
        False,
        CPU_LIMITS,
        frozenset({"fp16", "bf16", "fp64", "int64", "explicit_unroll", "vector_predication"}),
        ("llvm", "cpu"),
    ),
}

# Names that stand for a kind with options.
TAGS: Final = {
    "cpu": "llvm",
    "gpu": "cuda",
    "nvidia/nvidia-h100": "cuda -arch=sm_90a",
    "nvidia/nvidia-a100": "cuda -arch=sm_80",
    "nvidia/geforce-rtx-4090": "cuda -arch=sm_89",
    "nvidia/geforce-rtx-3090": "cuda -arch=sm_86",
    "nvidia/tesla-t4": "cuda -arch=sm_75",
    "nvidia/tesla-v100": "cuda -arch=sm_70",
}
