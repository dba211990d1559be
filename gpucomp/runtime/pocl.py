"""PoCL's ways of making work-groups out of work-items.

PoCL 5 makes loops over the work-items between barriers, and gets some kernels with branches in loops wrong: a loop
that does not end, an array of one work-item that another one overwrites, a jump to nowhere (``tests/runtime/test_pocl``
has the three kernels; oclgrind and PoCL's other way, continuations, agree on what they mean).  So continuations it is,
from PoCL 4 on, which has them.  The compiler prints a line about "SubCFGs" for each kernel with barriers that it
compiles so.

PoCL 3 has only the loops, and vectorizes them ("loopvec"), which drops guarded stores of some work-items; "auto" leaves
them as they are.  Kernels of one work-item a group, which is what schedules for processors make, lose nothing by it.

``POCL_WORK_GROUP_METHOD`` in the environment decides otherwise.
"""

from __future__ import annotations

import os
import re
from typing import Final

METHOD: Final = "POCL_WORK_GROUP_METHOD"
_CONTINUATIONS: Final = "cbs"
_FIRST: Final = 4
_PLAIN_LOOPS: Final = "auto"


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
    return os.environ.setdefault(METHOD, _CONTINUATIONS if int(found[1]) >= _FIRST else _PLAIN_LOOPS)


def build_options(platform_version: str) -> tuple[str, ...]:
    """The options that PoCL's cache tells kernels apart by: it keeps what it compiled under source and options only.

    Args:
        platform_version: see :func:`choose_method`.

    Returns:
        Options to add to those of the program; none for other platforms.
    """
    method = choose_method(platform_version)
    return (f"-DGPUCOMP_WORK_GROUPS={method}",) if method.isidentifier() else ()
