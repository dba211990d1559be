"""Names of TVM that are not here, and what takes their place: what a program that asks for one is told."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Final

from gpucomp.support.diagnostics import did_you_mean

_PAGE: Final = "docs/coming-from-tvm.md says more"
_SEARCH: Final = "no search for schedules: `gpucomp list` names tuned operators, build gives others a default schedule"
_TARGETS: Final = "targets are cuda, opencl and llvm"
_TOPI: Final = {"sub": "subtract", "mul": "multiply", "div": "divide"}
_ABSENT: Final[dict[str, dict[str, str]]] = {
    "gpucomp": {
        **dict.fromkeys(("auto_scheduler", "autotvm", "meta_schedule"), _SEARCH),
        **dict.fromkeys(("relay", "relax"), "there is no graph level: tensors of te and topi compose"),
        **dict.fromkeys(("rocm", "metal", "vulkan", "hexagon", "webgpu", "vpi", "ext_dev"), _TARGETS),
        "contrib": "libraries are called by te.extern and tir.call_packed, and s.show() draws schedules",
        "gpu": "it is gpucomp.cuda()",
        "rpc": "kernels run on this machine only",
        "script": "TVMScript is no input: te.create_prim_func makes functions of blocks, tir.ir_builder those of loops",
    },
    "gpucomp.tir": {"Schedule": "schedules are those of te: te.create_schedule(C.op)"},
}


def no_attribute(module: str, name: str, known: Iterable[str]) -> Exception:
    """What ``__getattr__`` of a module raises.

    Returns:
        An AttributeError; an ImportError, which Python shows as it is, where ``from module import name`` asks.
    """
    names = [x for x in known if not x.startswith("_")]
    text = f"module {module!r} has no attribute {name!r}"
    reason = _ABSENT.get(module, {}).get(name)
    if reason is None:
        plain = name.removeprefix("broadcast_")  # what topi called them once
        plain = _TOPI.get(plain, plain)
        hint = f"did you mean {plain!r}?" if plain in names else did_you_mean(name, names)
        return AttributeError(f"{text}; {hint}" if hint else text)
    text = f"{text}: {reason} ({_PAGE})"
    asks = sys._getframe(2).f_code.co_filename  # who looks the name up, behind __getattr__
    return ImportError(text, name=module) if asks == "<frozen importlib._bootstrap>" else AttributeError(text)
