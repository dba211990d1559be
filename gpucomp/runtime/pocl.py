"""PoCL's ways of making work-groups out of work-items.

PoCL 5 makes loops over the work-items between barriers, and gets some kernels with branches in loops wrong: a loop
that does not end, an array of one work-item that another one overwrites, a jump to nowhere (``tests/runtime/test_pocl``
has the three kernels; oclgrind and PoCL's other way, continuations, agree on what they mean).  So continuations it is,
from PoCL 4 on, which has them, unless ``POCL_WORK_GROUP_METHOD`` says otherwise.  The compiler prints a line about
"SubCFGs" for each kernel with barriers that it compiles so.
"""

from __future__ import annotations

import os
import re
from typing import Final

METHOD: Final = "POCL_WORK_GROUP_METHOD"
_CONTINUATIONS: Final = "cbs"
_FIRST: Final = 4


def build_options(platform_version: str) -> tuple[str, ...]:
    """Say how PoCL is to compile, in the environment, and give the options that its cache tells kernels apart by.

    PoCL reads the variable at each compilation, but keeps what it compiled under source and options only.

    Args:
        platform_version: as the platform gives it, "OpenCL 3.0 PoCL 5.0+debian  Linux, ..."; any other platform's too.

    Returns:
        Options to add to those of the program; none for other platforms and older versions.
    """
    found = re.search(r"\bPoCL (\d+)", platform_version)
    if found is None or int(found[1]) < _FIRST:
        return ()
    method = os.environ.setdefault(METHOD, _CONTINUATIONS)
    return (f"-DGPUCOMP_WORK_GROUPS={method}",) if method.isidentifier() else ()
