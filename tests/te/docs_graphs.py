"""The graphs that examples in docstrings speak of."""

from __future__ import annotations

from typing import Any  # Any: names of several kinds for the examples

from gpucomp import te, tir


def show(s: te.Schedule) -> None:
    """Print the statements of a schedule, without the head of the function."""
    op = s.trace.outputs[0]
    states = [x for o in s.trace.ops if isinstance(o, te.ScanOp) for x in o.state_placeholder]
    inputs = [o.output(0) for o in s.trace.ops if isinstance(o, te.PlaceholderOp) and o.output(0) not in states]
    lines = te.lower_schedule(s, [*inputs, op.output(0)]).script().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("    T.func_attr")) + 1
    print("\n".join([line[4:] for line in lines[start:]]))


def names() -> dict[str, Any]:
    """A -> C elementwise with schedule ``s``; V -> B -> D elementwise; A -> R a row sum over k."""
    a, v = te.placeholder((6, 8), name="A"), te.placeholder((8,), name="V")
    c = te.compute((6, 8), lambda i, j: a[i, j] + 1.0, name="C")
    b = te.compute((8,), lambda i: v[i] * 2.0, name="B")
    d = te.compute((8,), lambda i: b[i] + 1.0, name="D")
    k = te.reduce_axis((0, 8), "k")
    r = te.compute((6,), lambda i: te.sum(a[i, k], axis=k), name="R")
    i, j = c.op.axis
    s = te.create_schedule(c.op)
    x = te.placeholder((4,), name="x")
    y = te.compute((4,), lambda i: x[i] + 1.0, name="y")
    one = tir.const(1.0, "float32x4")
    vector = te.decl_tensor_intrin(
        y.op, lambda ins, outs: outs[0].vstore([0], ins[0].vload([0], "float32x4") + one), "add_one_4"
    )
    tensors = {"A": a, "V": v, "B": b, "C": c, "D": d, "R": r}
    return {"te": te, "show": show, "s": s, "i": i, "j": j, "k": k, "add_one_4": vector, **tensors}
