"""All dimensions but the first, in one."""

from __future__ import annotations

from gpucomp.te.tensor import Tensor
from gpucomp.topi.transform import reshape
from gpucomp.topi.utils import argument_error, product, tensor_of


def flatten(data: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C * H * W).

    Raises:
        TensorError: GC222 there is no dimension.
    """
    if tensor_of("nn.flatten", data).ndim == 0:
        raise argument_error(f"nn.flatten of {data.name!r}, which has no dimensions", "one dimension at least")
    return reshape(data, (data.shape[0], product(data.shape[1:])))
