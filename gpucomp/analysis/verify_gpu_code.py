"""Limits of a GPU that a kernel must keep: threads, memory, vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gpucomp.support.diagnostics import LowerError, Span
from gpucomp.support.dtype import DType
from gpucomp.support.expect import expect
from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.expr import Expr, IntImm, IterVar
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import expr_post_order, stmt_children
from gpucomp.tir.stmt import Stmt

_ALIASES: Final = {
    "max_threads_per_block": "max_num_threads",
    "max_thread_x": "max_block_x",
    "max_thread_y": "max_block_y",
    "max_thread_z": "max_block_z",
}


@dataclass(slots=True)
class KernelUse:
    """What a kernel asks of the device.

    Attributes:
        extents: constant extents of its thread axes by tag.
        shared, dynamic, local: bytes of static and dynamic shared memory of a block, of local memory of a thread.
        vector: the widest vector access, with its bytes.
        spans: the user's call behind each thread axis and the largest allocation of each kind.
    """

    extents: dict[str, int] = field(default_factory=dict[str, int])
    shared: int = 0
    dynamic: int = 0
    local: int = 0
    vector: tuple[int, DType | None, str] = (0, None, "")
    spans: dict[str, Span | None] = field(default_factory=dict[str, Span | None])
    names: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    @property
    def threads(self) -> int:
        """Threads of a block, as far as constant."""
        total = 1
        for tag, extent in self.extents.items():
            total *= extent if tag.startswith("threadIdx") else 1
        return total


def kernel_uses(func: PrimFunc) -> list[KernelUse]:
    """What each kernel of a function asks, in order.

    Args:
        func: in buffer form, flat form or device form.
    """
    if "launch" in func.attrs:
        return [_measure(func.body)]
    out: list[KernelUse] = []
    _find(func.body, out)
    return out


def verify_gpu_code(func: PrimFunc, limits: Mapping[str, int] | None = None) -> bool:
    """Check each kernel of a function against the limits of a device.

    Args:
        func: in flat form or device form.
        limits: by name: max_num_threads, max_block_x/y/z, max_grid_x/y/z, max_shared_memory_per_block,
            max_dynamic_shared_memory_per_block, max_local_memory_per_block (bytes of a thread), max_vector_bytes;
            those of the attribute ``target`` when not given.  A limit that is not named is not checked.

    Returns:
        True.

    Raises:
        LowerError: a limit is passed; the text has both numbers.
    """
    expect(func, PrimFunc, "verify_gpu_code", "pass a PrimFunc: gpucomp.lower(s, [A, C])['main']")
    target = func.attrs.get("target")
    found: Mapping[str, int] = getattr(target, "limits", {}) if getattr(target, "is_gpu", False) else {}
    known = {_ALIASES.get(k, k): v for k, v in (found if limits is None else limits).items()}
    place = (getattr(target, "arch", "") or getattr(target, "kind", "")) if target is not None else ""
    for use in kernel_uses(func) if known else []:
        _check(func.name, use, known, f"on {place}" if place else "allowed", _settable(target))
    return True


def _find(node: Stmt, out: list[KernelUse]) -> None:
    if _axis(node) is not None:
        out.append(_measure(node))
        return
    for child in stmt_children(node):
        if isinstance(child, Stmt):
            _find(child, out)


def _axis(node: Stmt) -> tuple[str, Expr] | None:
    if isinstance(node, s.AttrStmt) and node.attr_key == "thread_extent":
        axis: IterVar = node.node
        return axis.thread_tag, node.value
    if isinstance(node, s.For) and node.thread_binding is not None:
        return node.thread_binding.thread_tag, node.extent
    return None


def _measure(root: Stmt) -> KernelUse:
    use = KernelUse()
    stack: list[Stmt] = [root]
    while stack:
        node = stack.pop()
        axis = _axis(node)
        if axis is not None and isinstance(axis[1], IntImm):
            use.extents[axis[0]] = max(axis[1].value, use.extents.get(axis[0], 0))
            use.spans.setdefault(axis[0], getattr(node, "span", None))
        if isinstance(node, s.Allocate):
            _allocation(use, node.buffer_var.storage_scope, node.dtype, node.extents, node.buffer_var.name, node.span)
        elif isinstance(node, s.BufferRealize):
            extents = tuple([r.extent for r in node.bounds])
            _allocation(use, node.buffer.scope(), node.buffer.dtype, extents, node.buffer.name, node.span)
        elif isinstance(node, s.BufferStore) and node.buffer.scope() != "local":  # registers hold lanes one by one
            _vector(use, node.value.dtype, node.buffer.name, node.span)
        children = stmt_children(node)
        for child in children:
            if isinstance(child, Expr):
                for item in expr_post_order(child):
                    if isinstance(item, e.BufferLoad) and item.buffer.scope() != "local":
                        _vector(use, item.dtype, item.buffer.name, getattr(node, "span", None))
        stack += [c for c in reversed(children) if isinstance(c, Stmt)]
    return use


def _allocation(
    use: KernelUse, scope: str, dtype: DType, extents: tuple[Expr, ...], name: str, span: Span | None
) -> None:
    size = dtype.nbytes
    for extent in extents:
        if not isinstance(extent, IntImm):
            return
        size *= extent.value
    kind = {"shared": "shared", "shared.dyn": "dynamic", "local": "local"}.get(scope)
    if kind is None:
        return
    setattr(use, kind, getattr(use, kind) + size)
    use.names.setdefault(kind, []).append(f"{name} {size:,}")
    use.spans.setdefault(kind, span)


def _vector(use: KernelUse, dtype: DType, name: str, span: Span | None) -> None:
    if dtype.lanes > 1 and dtype.nbytes > use.vector[0]:
        use.vector = (dtype.nbytes, dtype, name)
        use.spans["vector"] = span


def _left(use: KernelUse, tag: str, most: int) -> int:
    """Threads that one axis may have when the others keep theirs."""
    return max(most // max(use.threads // use.extents[tag], 1), 1)


def _settable(target: object) -> str:
    """The kind of a target that stands for many devices, where nobody has said how many threads they take."""
    kind = str(getattr(target, "kind", ""))
    return kind if kind == "opencl" and "max_num_threads" not in getattr(target, "options", {}) else ""


def _check(name: str, use: KernelUse, limits: Mapping[str, int], where: str, settable: str) -> None:
    """Raise for the first limit that is passed."""

    def refuse(code: str, message: str, key: str, hint: str) -> LowerError:
        place = use.spans.get(key)
        return LowerError(f"{message} {where}", code=code, where=place, context=f"kernel {name}", hint=hint)

    most = limits.get("max_num_threads")
    if most is not None and use.threads > most:
        product = " x ".join([f"{t} {x}" for t, x in use.extents.items() if t.startswith("threadIdx")])
        tag = max([t for t in use.extents if t.startswith("threadIdx")], key=lambda t: use.extents[t])
        more = f', or name a device that takes more: "{settable} -max_num_threads={use.threads}"' if settable else ""
        raise refuse(
            "GC310", f"{use.threads:,} threads asked in a block ({product}), {most:,}", tag,
            f"split the axis bound to {tag} by {_left(use, tag, most)} at most, and bind the inner part{more}",
        )  # fmt: skip
    for tag, extent in use.extents.items():
        key = f"max_{'block' if tag.startswith('threadIdx') else 'grid'}_{tag[-1]}"
        bound = limits.get(key)
        if bound is not None and extent > bound:
            what = "threads" if tag.startswith("threadIdx") else "blocks"
            hint = f"split the axis bound to {tag}, and bind a part of extent {bound:,} at most"
            raise refuse("GC311", f"{extent:,} {what} asked along {tag}, {bound:,}", tag, hint)
    memory = (
        ("shared", use.shared, "max_shared_memory_per_block", "shared memory"),
        ("dynamic", use.dynamic, "max_dynamic_shared_memory_per_block", "dynamic shared memory"),
        ("local", use.local, "max_local_memory_per_block", "local memory of a thread"),
    )
    for kind, asked, key, title in memory:
        bound = limits.get(key)
        if bound is not None and asked > bound:
            parts = ", ".join(use.names.get(kind, []))
            hint = "use smaller tiles: split by smaller factors, or attach these stages further in"
            raise refuse("GC312", f"{asked:,} bytes of {title} asked ({parts}), {bound:,}", kind, hint)
    size, dtype, buffer = use.vector
    bound = limits.get("max_vector_bytes")
    if bound is not None and dtype is not None and size > bound:
        fits = bound // dtype.element.nbytes
        raise refuse(
            "GC313", f"a vector of {size:,} bytes ({dtype}) asked of {buffer}, {bound:,}", "vector",
            f"split by at most {fits} before vectorize",
        )  # fmt: skip
