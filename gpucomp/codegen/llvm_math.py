"""placeholder"""
from __future__ import annotations
FLOAT32 = {}
def helper(module, name, lanes): raise KeyError(name)
