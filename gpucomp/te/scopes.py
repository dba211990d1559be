"""Ranks of storage scopes and of thread axes, as data.

A scope of rank r is shared by all threads that differ only in thread axes of rank >= r: a stage in such a scope is
computed for all of them together, so that regions are relaxed over those axes (see ``te.bound``).
"""

from __future__ import annotations

from typing import Final

from gpucomp.tir.fragments import SCOPES as FRAGMENT_SCOPES

GLOBAL_RANK: Final = 0
SHARED_RANK: Final = 1
WARP_RANK: Final = 2
LOCAL_RANK: Final = 3

STORAGE_RANK: Final[dict[str, int]] = {
    "global": GLOBAL_RANK,
    "shared": SHARED_RANK,
    "shared.dyn": SHARED_RANK,
    "warp": WARP_RANK,
    **dict.fromkeys(FRAGMENT_SCOPES, WARP_RANK),  # tiles that a warp holds in registers together
    "local": LOCAL_RANK,
}

# The blocks of a cluster run together and can read each other's shared memory, but each has its own: for storage,
# the axis of a cluster is like one of the grid.
THREAD_RANK: Final[dict[str, int]] = {"blockIdx": 0, "clusterIdx": 0, "threadIdx": 1, "vthread": 1, "cthread": 1}

# Scope of a stage that names none, by the highest rank of thread axes on its attach path; no thread: global.
INFERRED_SCOPE: Final[dict[int, str]] = {-1: "global", 0: "shared", 1: "local"}

CLUSTER_TAG: Final = "clusterIdx.x"

# Outermost first.
KERNEL_TAGS: Final = (
    *[f"blockIdx.{dim}" for dim in "xyz"],
    CLUSTER_TAG,
    *[f"threadIdx.{dim}" for dim in "xyz"],
)


def thread_rank(tag: str) -> int:
    """Rank of a thread axis by its tag."""
    return THREAD_RANK[tag.split(".", 1)[0].rstrip("0123456789")]


def is_virtual(tag: str) -> bool:
    """True for axes that become interleaved copies of code instead of hardware threads."""
    return tag.startswith(("vthread", "cthread"))


def needs_relax(scope: str, tag: str) -> bool:
    """True when a stage in ``scope`` is shared by the threads that differ in axis ``tag``."""
    if STORAGE_RANK[scope] == WARP_RANK:
        return tag == "threadIdx.x"
    return STORAGE_RANK[scope] <= thread_rank(tag)
