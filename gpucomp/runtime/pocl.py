"""PoCL's ways of making work-groups out of work-items.

There are two: loops over the work-items between barriers, which may be vectorized, and continuations.  Each of them
gets some kernels wrong in some versions: a loop that does not end, an array of one work-item that another one
overwrites, a jump to nowhere.  ``tests/runtime/test_pocl`` has such kernels; oclgrind and the ways that are right agree
on what they mean.

===========  ==========  ====================================================================================
version      chosen      because
===========  ==========  ====================================================================================
3            "auto"      loops, not vectorized; "loopvec" drops guarded stores of some work-items
4, 5         "cbs"       continuations; loops get branches in loops wrong
6 and later  "loopvec"   vectorized loops; continuations of version 6 do not end for nested loops, and those of
                         version 7 differ from build to build.  "auto" copies the code of groups of one or two
                         work-items, where version 6 stops at an assertion of its own
===========  ==========  ====================================================================================

Continuations print a line about "SubCFGs" for each kernel with barriers.  Kernels of one work-item a group, which is
what schedules for processors make, are the same in all ways.

``POCL_WORK_GROUP_METHOD`` in the environment decides otherwise.
"""

from __future__ import annotations

import os
import re
from typing import Final

METHOD: Final = "POCL_WORK_GROUP_METHOD"
_BLIND_TO_HINTS: Final = (4, 5)
# From a version on, the newest first.
_METHODS: Final = ((6, "loopvec"), (4, "cbs"), (0, "auto"))


def choose_method(platform_version: str) -> str:
    """Say how PoCL is to compile, in the environment; PoCL 3 reads it when the first context is made.

    Args:
        platform_version: as the platform gives it, "OpenCL 3.0 PoCL 5.0+debian  Linux, ..."; any other platform's too.

    Returns:
        The method; "" for other platforms than PoCL.
    """
    version = _version(platform_version)
    if version < 0:
        return ""
    return os.environ.setdefault(METHOD, next(method for first, method in _METHODS if version >= first))


def build_options(platform_version: str, threads: int = 1) -> tuple[str, ...]:
    """The options that PoCL's cache tells kernels apart by: it keeps what it compiled under source and options only.

    Versions 4 and 5 do not see hints to unroll loops in kernels of several work-items a group: with unrolled guarded
    stores behind a loop with barriers they ran all but one of the work-items past the stores, in both ways.

    Args:
        platform_version: see :func:`choose_method`.
        threads: of a group, the most of all kernels; 0: not known.

    Returns:
        Options to add to those of the program; none for other platforms.
    """
    method = choose_method(platform_version)
    if not method.isidentifier():
        return ()
    named = f"-DGPUCOMP_WORK_GROUPS={method}"
    if threads == 1 or _version(platform_version) not in _BLIND_TO_HINTS:
        return (named,)
    return (named, "-Dopencl_unroll_hint=gpucomp_no_hint", "-w")  # an attribute that is not known is left out


def _version(platform_version: str) -> int:
    """The first number of PoCL's version; -1 for other platforms."""
    found = re.search(r"\b[Pp]o[Cc][Ll] (\d+)", platform_version)
    return -1 if found is None else int(found[1])
