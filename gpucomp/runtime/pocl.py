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
# From a version on, the newest first.
_METHODS: Final = ((6, "loopvec"), (4, "cbs"), (0, "auto"))


def choose_method(platform_version: str) -> str:
    """Say how PoCL is to compile, in the environment; PoCL 3 reads it when the first context is made.

    Args:
        platform_version: as the platform gives it, "OpenCL 3.0 PoCL 5.0+debian  Linux, ..."; any other platform's too.

    Returns:
        The method; "" for other platforms than PoCL.
    """
    found = re.search(r"\b[Pp]o[Cc][Ll] (\d+)", platform_version)
    if found is None:
        return ""
    version = int(found[1])
    return os.environ.setdefault(METHOD, next(method for first, method in _METHODS if version >= first))


def build_options(platform_version: str) -> tuple[str, ...]:
    """The options that PoCL's cache tells kernels apart by: it keeps what it compiled under source and options only.

    Args:
        platform_version: see :func:`choose_method`.

    Returns:
        Options to add to those of the program; none for other platforms.
    """
    method = choose_method(platform_version)
    return (f"-DGPUCOMP_WORK_GROUPS={method}",) if method.isidentifier() else ()
