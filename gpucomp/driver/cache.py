"""The compile cache of this process: equal structure, names, target and settings give the compiled data at once.

The key is exact, not a hash: the canonical encoding of the tensor graph, the schedule's trace, the arguments and
every setting that changes generated code.  Device code is cached on disk by the runtime, by source text.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import Any, Final  # Any: nodes are known here by the fields that they have

from gpucomp.ir.structural import Encoder
from gpucomp.ir.transform import PassContext
from gpucomp.layout import IndexMap
from gpucomp.support.config import config
from gpucomp.support.launch import FunctionData
from gpucomp.target import Target
from gpucomp.target.externs import extern_state
from gpucomp.te.group import Group
from gpucomp.te.operation import Operation
from gpucomp.te.state import Schedule
from gpucomp.te.tensor import Tensor
from gpucomp.te.tensor_intrin import TensorIntrin
from gpucomp.tir.expr import IterVar, Var

_CAPACITY: Final = 512


class CompileCache:
    """Least recently used compiled functions; safe under threads."""

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[Hashable, FunctionData] = OrderedDict()
        self._lock = threading.Lock()
        self.hits = 0
        self.misses = 0

    def get(self, key: Hashable | None) -> FunctionData | None:
        """What is stored under ``key``; None for a miss or for a key that forbids caching."""
        if key is None or not config.cache:
            return None
        with self._lock:
            found = self._entries.get(key)
            if found is None:
                self.misses += 1
                return None
            self.hits += 1
            self._entries.move_to_end(key)
            return found

    def put(self, key: Hashable | None, data: FunctionData) -> None:
        """Store; the entry used longest ago goes when the cache is full."""
        if key is None or not config.cache:
            return
        with self._lock:
            self._entries[key] = data
            while len(self._entries) > self._capacity:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()


compiled_functions: Final = CompileCache()


class _KeyEncoder(Encoder):
    """Encodes tensors, operations and axes by order of appearance; keeps names, since generated code shows them."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self._refs: dict[object, int] = {}
        self.opaque = False  # an operation says that it has no key

    def bind(self, var: Any) -> int:
        self.entries.append(("name", var.name))
        return super().bind(var)

    def encode(self, value: object) -> Any:
        if isinstance(value, Tensor):
            return ("tensor", self.operation(value.op), value.value_index)
        if isinstance(value, Operation):
            return ("operation", self.operation(value))
        if isinstance(value, TensorIntrin):
            # By identity: its statements are the user's.  What they call may be registered later.
            return ("intrinsic", value, extern_state(value.extern_names, self.kind))
        if isinstance(value, IterVar):
            return ("axis", self._axis(value))
        if isinstance(value, IndexMap):
            return ("layout", str(value))
        if isinstance(value, Group):
            return ("group", self._refs.setdefault(value, len(self._refs)))
        return super().encode(value)

    def operation(self, op: Operation) -> int:
        known = self._refs.get(op)
        if known is not None:
            return known
        axes = [self.encode(a) for a in op.root_iter_vars]
        shapes = [(self.encode(t.shape), str(t.dtype)) for t in op.outputs]
        structure = op.structure
        self.opaque = self.opaque or structure is None
        parts = [self.encode(p) for p in structure or ()]
        self.entries.append(("op", type(op).__name__, op.name, op.tag, tuple(axes), tuple(shapes), tuple(parts)))
        self._refs[op] = len(self._refs)
        return self._refs[op]

    def _axis(self, axis: IterVar) -> int:
        known = self._refs.get(axis)
        if known is not None:
            return known
        dom = None if axis.dom is None else (self.encode(axis.dom.min), self.encode(axis.dom.extent))
        self.bind(axis.var)
        self.entries.append(("iter", axis.var.name, dom, axis.iter_type, axis.thread_tag))
        self._refs[axis] = len(self._refs)
        return self._refs[axis]


def structure_key(inp: object, args: Sequence[Any] | None, target: Target, name: str, binds: object) -> Hashable | None:
    """The exact key of a compilation, or None when it must not be cached."""
    context = PassContext.current()
    if binds or context.instruments or "tir.add_lower_pass" in context.config or config.verify:
        return None
    settings = (name, target, context.opt_level, context.disabled_pass, repr(sorted(context.config.items())))
    if not isinstance(inp, Schedule):
        return (settings, inp) if isinstance(inp, Hashable) else None
    encoder = _KeyEncoder(target.kind)
    trace = inp.trace
    for op in trace.ops:
        encoder.operation(op)
    for step in trace.steps:
        arguments = tuple([encoder.encode(a) for a in step.args])
        keywords = tuple([(k, encoder.encode(v)) for k, v in step.kwargs.items()])
        owner = -1 if step.op is None else encoder.encode(step.op)
        results = tuple([encoder.encode(r) for r in (*step.results, *step.axes)])
        encoder.entries.append(("step", step.primitive, owner, arguments, keywords, results))
    for arg in args or ():
        encoder.entries.append(("arg", encoder.encode(arg), arg.name if isinstance(arg, Var) else ""))
    return None if encoder.opaque else (settings, tuple(encoder.entries))
