# isl's objects are reached through the module as Any: gpucomp.arith.poly wraps what it uses.
from typing import Any

def __getattr__(name: str) -> Any: ...
