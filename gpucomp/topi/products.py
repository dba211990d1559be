"""Products of tensors: matmul, tensordot, einsum."""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp.te.api import compute, reduce_axis
from gpucomp.te.reduction import sum_of
from gpucomp.te.tensor import Tensor
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr
from gpucomp.topi.utils import Numbers, argument_error, one_axis, same_extent, shape_error, tensor_of

MATMUL = "matmul"


def matmul(a: Tensor, b: Tensor, transp_a: bool = False, transp_b: bool = False) -> Tensor:
    """The product of two matrices, either of them transposed; summed in the type of their product.

    Args:
        a: (m, k), or (k, m) with ``transp_a``.
        b: (k, n), or (n, k) with ``transp_b``.

    Returns:
        (m, n), of the type in which the elements of both meet.

    Raises:
        TensorError: GC216 the extents that are summed over differ; GC222 another number of dimensions.
    """
    a, b = tensor_of("matmul", a, 2), tensor_of("matmul", b, 2)
    left, right = ("ki" if transp_a else "ik"), ("jk" if transp_b else "kj")
    return _contract("matmul", [a, b], [left, right], "ij", "T_matmul", MATMUL)


def tensordot(a: Tensor, b: Tensor, axes: int | Sequence[Numbers]) -> Tensor:
    """The sum of products over dimensions of both: the last ``axes`` of a with the first of b, or ``(of_a, of_b)``.

    >>> from gpucomp import te, topi
    >>> a, b = te.placeholder((2, 3, 4), name="a"), te.placeholder((4, 3, 5), name="b")
    >>> topi.tensordot(a, b, ((1, 2), (1, 0)))
    Tensor(shape=[2, 5], dtype=float32, name=T_tensordot)

    Returns:
        The dimensions of a that are left, then those of b.

    Raises:
        TensorError: GC216 extents that are multiplied differ; GC221 there is no such axis; GC222 not as many axes of
            both.
    """
    a, b = tensor_of("tensordot", a), tensor_of("tensordot", b)
    if isinstance(axes, int):
        pairs_a, pairs_b = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    else:
        given = [list(x) if isinstance(x, Sequence) else [x] for x in axes]
        if len(given) != 2:
            raise argument_error(f"tensordot: axes {axes}", "a number, or axes of a and axes of b")
        pairs_a, pairs_b = given
    if len(pairs_a) != len(pairs_b):
        raise argument_error(f"tensordot: {len(pairs_a)} axes of a, {len(pairs_b)} of b", "as many of both")
    of_a = [one_axis("tensordot", x, a.ndim) for x in pairs_a]
    of_b = [one_axis("tensordot", x, b.ndim) for x in pairs_b]
    left = [chr(ord("a") + d) for d in range(a.ndim)]
    right = [left[of_a[of_b.index(d)]] if d in of_b else chr(ord("A") + d) for d in range(b.ndim)]
    result = [x for d, x in enumerate(left) if d not in of_a] + [x for d, x in enumerate(right) if d not in of_b]
    return _contract("tensordot", [a, b], ["".join(left), "".join(right)], "".join(result), "T_tensordot", MATMUL)


def einsum(subscripts: str, *operand: Tensor) -> Tensor:
    """Einstein's sum, as ``numpy.einsum``: ``"ij,jk->ik"``; letters only, no ellipsis.

    Raises:
        TensorError: GC222 the subscripts do not fit the operands; GC216 a letter has two extents.
    """
    text = subscripts.replace(" ", "")
    left, arrow, result = text.partition("->")
    terms = left.split(",")
    letters = "".join(terms)
    if not arrow:
        result = "".join(sorted([x for x in set(letters) if letters.count(x) == 1]))
    tensors = [tensor_of("einsum", x) for x in operand]
    fits = (
        len(terms) == len(tensors)
        and all([len(t) == x.ndim for t, x in zip(terms, tensors, strict=True)])
        and (letters + result).isalpha()
        and len(set(result)) == len(result)
        and set(result) <= set(letters)
    )
    if not fits:
        dims = ", ".join([str(x.ndim) for x in tensors])
        raise argument_error(
            f"einsum: {subscripts!r} for tensors with {dims} dimensions",
            "one term for each tensor, one letter for each dimension, and each letter of the result once",
        )
    return _contract("einsum", tensors, terms, result, "T_einsum", "")


def _contract(name: str, tensors: list[Tensor], terms: list[str], result: str, label: str, tag: str) -> Tensor:
    """Sum of products over the letters that the result does not have."""
    extents: dict[str, Expr] = {}
    for t, term in zip(tensors, terms, strict=True):
        for letter, extent in zip(term, t.shape, strict=True):
            if not same_extent(extents.setdefault(letter, extent), extent):
                raise shape_error(name, "dimensions that are multiplied have equal extents", *tensors)
    steps = {x: reduce_axis((0, s), f"k{n}") for n, (x, s) in enumerate(extents.items()) if x not in result}

    def element(*i: Expr) -> Expr:
        index = {**dict(zip(result, i, strict=True)), **{x: k.var for x, k in steps.items()}}
        items = [t(*[index[x] for x in term]) for t, term in zip(tensors, terms, strict=True)]
        total: Expr = items[0]
        for item in items[1:]:
            total = operators.multiply(total, item)
        return sum_of(total, axis=list(steps.values())) if steps else total

    return compute([extents[x] for x in result], element, name=label, tag=tag)
