"""Calls of Python functions from a program: they run on the host, between kernels, with arrays as arguments.

>>> import numpy as np, gpucomp
>>> from gpucomp import te, tir
>>> @gpucomp.register_func("doc.sort_rows")
... def sort_rows(source, target):
...     target.copyfrom(np.sort(source.numpy(), axis=1))
>>> A = te.placeholder((2, 3), name="A")
>>> B = te.extern((2, 3), [A], lambda ins, outs: tir.call_packed("doc.sort_rows", ins[0], outs[0]), name="B")
>>> f = gpucomp.build(te.create_schedule(B.op), [A, B], "llvm")
>>> f(np.array([[3, 1, 2], [6, 5, 4]], "float32"))
array([[1., 2., 3.],
       [4., 5., 6.]], dtype=float32)
"""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp.support.diagnostics import TypeMismatchError, caller_span
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import BufferLoad, Call, Expr, StringImm
from gpucomp.tir.functor import expr_post_order, stmt_children, stmt_post_order
from gpucomp.tir.intrin import Op, call_intrin
from gpucomp.tir.ir_builder import BufferVar
from gpucomp.tir.stmt import Evaluate, Stmt

ARRAY = "tir.tvm_stack_make_array"


def make_array(buffer: Buffer, strides: Sequence[Expr] | None = None) -> Call:
    """A buffer as an array argument: address of the first element, number of dimensions, shape, strides."""
    zero = [operators.const(0, x.dtype) for x in buffer.shape]
    first = call_intrin("handle", "address_of", BufferLoad(buffer, tuple(zero)))
    steps = buffer.stride_exprs() if strides is None else tuple(strides)
    return call_intrin("handle", ARRAY, first, len(buffer.shape), *buffer.shape, *steps)


def call_packed(*args: object, span: object = None) -> Call:
    """Call a function that ``register_func`` knows.

    Args:
        args: the name, then buffers (which become NDArrays, valid during the call) and scalars.
        span: accepted for compatibility.

    Raises:
        TypeMismatchError: the first argument is no name.
    """
    if not args or not isinstance(args[0], (str, StringImm)):
        raise TypeMismatchError(
            "call_packed takes the function's name first",
            where=caller_span(),
            hint='tir.call_packed("name", ins[0], outs[0])',
        )
    values = [_argument(a) for a in args[1:]]
    return call_intrin("int32", "call_packed", args[0], *values)


def _argument(value: object) -> object:
    if isinstance(value, BufferVar):
        value = value.buffer
    return make_array(value) if isinstance(value, Buffer) else value


def is_packed(node: Stmt) -> bool:
    """True for a statement that is a packed call."""
    value = node.value if isinstance(node, Evaluate) else None
    return isinstance(value, Call) and isinstance(value.op, Op) and value.op.name == "tir.call_packed"


def has_packed(root: Stmt) -> bool:
    """Whether a statement holds a packed call, anywhere."""
    values = [child for node in stmt_post_order(root) for child in stmt_children(node) if isinstance(child, Expr)]
    return any([_is_call(x) for x in expr_post_order(*values)])


def _is_call(node: Expr) -> bool:
    return isinstance(node, Call) and isinstance(node.op, Op) and node.op.name == "tir.call_packed"


def array_parts(call: Call) -> tuple[BufferLoad, tuple[Expr, ...], tuple[Expr, ...]]:
    """The first element, the shape and the strides of an array argument."""
    address, ndim, *rest = call.args
    assert isinstance(address, Call)
    load = address.args[0]
    assert isinstance(load, BufferLoad)
    count = int(ndim)
    return load, tuple(rest[:count]), tuple(rest[count:])
