"""PrimFunc: a low-level function over buffers, the hub of the compiler."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from gpucomp.ir.node import Node
from gpucomp.support.diagnostics import Span
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Var
from gpucomp.tir.stmt import Stmt


class CallingConv:
    """Values of the attribute ``calling_conv``."""

    DEFAULT = 0
    C_PACKED = 1
    DEVICE_KERNEL_LAUNCH = 2


class PrimFunc(Node):
    """A function.

    Attributes:
        params: variables: pointers (with a buffer in ``buffer_map``, or raw in device functions) and scalars.
        body: what it does.
        buffer_map: which parameter is which buffer; extents that are bare variables are bound by the call.
        attrs: read-only mapping; ``global_symbol`` names it, ``target``, ``tir.noalias``, ``calling_conv``, ...
    """

    _binds: ClassVar[tuple[str, ...]] = ("params", "buffer_map")
    params: tuple[Var, ...]
    body: Stmt
    buffer_map: Mapping[Var, Buffer]
    attrs: Mapping[str, Any]  # Any: attributes are heterogeneous
    span: Span | None = None

    __hash__ = object.__hash__

    @staticmethod
    def _prepare(params: Any, body: Stmt, buffer_map: Any, attrs: Any, span: Span | None) -> Any:
        return tuple(params), body, MappingProxyType(dict(buffer_map)), MappingProxyType(dict(attrs)), span

    def __reduce__(self) -> tuple[Any, ...]:
        return (PrimFunc, (self.params, self.body, dict(self.buffer_map), dict(self.attrs), self.span))

    @property
    def name(self) -> str:
        """The global symbol, "main" when there is none."""
        return str(self.attrs.get("global_symbol", "main"))

    def with_body(self, body: Stmt) -> PrimFunc:
        """The same function with another body; the same object when the body is the same."""
        return self if body is self.body else self.replace(body=body)

    def with_attr(self, key: str | Mapping[str, Any], value: object = None) -> PrimFunc:
        """A copy with one attribute, or several, set."""
        changes = {key: value} if isinstance(key, str) else dict(key)
        return self.replace(attrs={**self.attrs, **changes})

    def without_attr(self, key: str) -> PrimFunc:
        """A copy with one attribute removed."""
        return self.replace(attrs={k: v for k, v in self.attrs.items() if k != key})

    def specialize(self, param_map: Mapping[Any, Any]) -> PrimFunc:
        """The function for given values of its variables.

        Args:
            param_map: from scalar parameters, or variables of the buffers' extents and strides, to numbers or
                expressions; from buffer parameters to buffers of the extents that are wanted.

        Returns:
            A function without the parameters that got values; the buffers have the extents that follow.

        Raises:
            LowerError: GC303 no such variable, or a value that it cannot have.

        >>> from gpucomp import te
        >>> n = te.var("n")
        >>> A = te.placeholder((n,), name="A")
        >>> B = te.compute((n,), lambda i: A[i] + 1.0, name="B")
        >>> f = te.lower_schedule(te.create_schedule(B.op), [A, B])
        >>> print(f.specialize({n: 8}).script().splitlines()[-2].strip())
        for i in T.serial(8):
        """
        from gpucomp.tir.specialize import specialize

        return specialize(self, param_map)

    def script(self) -> str:
        """The function as Python-like text that parses back."""
        from gpucomp.tir.script.printer import func_text

        return func_text(self)

    def __repr__(self) -> str:
        return self.script()

    __str__ = __repr__
