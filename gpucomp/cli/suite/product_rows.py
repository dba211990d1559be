"""Matrix products and convolutions of the suite: which shapes, and where they come from."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final

from gpucomp.cli.suite.row import Row

_SQUARES: Final = (512, 1024, 2048, 4096, 8192)
_OTHERS: Final = ((4096, 11008, 4096), (1000, 37, 513), (4095, 4097, 4099))
_TURNED: Final = ((1024,) * 3, (4096,) * 3, (4096, 11008, 4096), (1000, 37, 513))
_BATCHES: Final = ((64, 512, 512, 512), (16, 1024, 1024, 1024), (96, 512, 512, 64), (7, 100, 130, 65))
_FEW: Final = (1, 2, 4, 8, 16)

# (N, C, H, O, k, stride), padding k // 2: layers that are measured at a batch of 32.
_SIX: Final = (
    (32, 64, 56, 64, 3, 1),
    (32, 256, 56, 64, 1, 1),
    (32, 128, 28, 128, 3, 1),
    (32, 256, 14, 256, 3, 1),
    (32, 512, 7, 512, 3, 1),
    (32, 3, 224, 64, 7, 2),
)
# ResNet-18's convolutions and MobileNet's depthwise ones as table 2 of the TVM paper (Chen et al., OSDI 2018) lists
# them: (C, H, O, k, stride) and (C, H, stride) of 3x3 windows.
_RESNET: Final = (
    (3, 224, 64, 7, 2),
    (64, 56, 64, 3, 1),
    (64, 56, 64, 1, 1),
    (64, 56, 128, 3, 2),
    (64, 56, 128, 1, 2),
    (128, 28, 128, 3, 1),
    (128, 28, 256, 3, 2),
    (128, 28, 256, 1, 2),
    (256, 14, 256, 3, 1),
    (256, 14, 512, 3, 2),
    (256, 14, 512, 1, 2),
    (512, 7, 512, 3, 1),
)
_MOBILENET: Final = (
    (32, 112, 1),
    (64, 112, 2),
    (128, 56, 1),
    (128, 56, 2),
    (256, 28, 1),
    (256, 28, 2),
    (512, 14, 1),
    (512, 14, 2),
    (1024, 7, 1),
)
# The single operators of the Ansor paper (Zheng et al., OSDI 2020), four sizes each as its benchmark is known to have
# them, without the batch; padding is the library's (k // 2, of dilated windows dilation * (k // 2)), volumes are cubes,
# and the capsule convolution, which the library does not have, is missing.
_ANSOR: Final[tuple[tuple[str, str, tuple[tuple[int, ...], ...]], ...]] = (
    ("C1D", "conv1d", ((64, 256, 128, 3, 2), (128, 128, 256, 1, 2), (256, 64, 256, 5, 2), (512, 32, 512, 3, 1))),
    ("C2D", "conv2d", ((3, 224, 64, 7, 2), (64, 56, 64, 1, 1), (256, 14, 256, 3, 1), (512, 7, 512, 3, 1))),
    ("C3D", "conv3d", ((3, 92, 64, 7, 2), (64, 36, 64, 1, 1), (256, 14, 256, 3, 1), (512, 9, 512, 3, 1))),
    ("GMM", "batch_matmul", ((128, 128, 128), (512, 32, 512), (512, 512, 512), (1024, 1024, 1024))),
    (
        "GRP",
        "group_conv2d",
        ((64, 56, 64, 3, 1, 4), (64, 56, 128, 3, 2, 4), (256, 14, 256, 3, 1, 4), (512, 7, 512, 3, 1, 4)),
    ),
    (
        "DIL",
        "dilated_conv2d",
        ((3, 224, 64, 7, 2, 2), (64, 56, 64, 1, 1, 2), (256, 14, 256, 3, 1, 2), (512, 7, 512, 3, 1, 2)),
    ),
    (
        "DEP",
        "depthwise_conv2d_nchw",
        (
            (32, 112, 112, 3, 1, 1, 1),
            (64, 112, 112, 3, 2, 1, 1),
            (512, 14, 14, 3, 2, 1, 1),
            (1024, 7, 7, 3, 1, 1, 1),
        ),
    ),
    (
        "T2D",
        "conv2d_transpose",
        ((512, 4, 256, 4, 2), (256, 8, 128, 4, 2), (128, 16, 64, 4, 2), (64, 32, 3, 4, 2)),
    ),
    ("NRM", "row_norm", ((256 * 256,), (512 * 512,), (1024 * 1024,), (4096 * 1024,))),
)


def products() -> Iterable[Row]:
    """Matrix products in float32, and in int8."""
    for shape in (*[(n, n, n) for n in _SQUARES], *_OTHERS):
        yield Row("matmul", shape, "float32", group="plain")
    for op in ("matmul_nt", "matmul_tn", "matmul_tt"):
        for shape in _TURNED:
            yield Row(op, shape, "float32", group="transposed")
    for shape in _BATCHES:
        yield Row("batch_matmul", shape, "float32", group="batched")
    for m in _FEW:
        for op in ("matmul", "matmul_nt"):
            yield Row(op, (m, 4096, 4096), "float32", group="few rows")
    yield Row("matmul_nt", (16, 11008, 4096), "float32", group="few rows")
    yield Row("gemv", (4096, 4096), "float32", group="few rows")
    for shape in ((16, 4096, 4096), (128, 4096, 4096), (4096, 4096, 4096)):
        yield Row("matmul_bias_gelu", shape, "float32", group="with an epilogue")
    for shape in ((1024,) * 3, (4096,) * 3, (32, 4096, 4096), (1000, 40, 520)):
        yield Row("matmul_int8", shape, "int8", group="int8")
    yield from _halves()


def _halves() -> Iterable[Row]:
    """Products of 16-bit floats, which are the work of tensor cores where a device has them."""
    group = "16-bit, on tensor cores"
    for shape in (*[(n, n, n) for n in _SQUARES], (4096, 11008, 4096), (4096, 4096, 11008), (4100, 4104, 4096)):
        yield Row("matmul", shape, "float16", group=group)
    yield Row("matmul", (4096,) * 3, "bfloat16", group=group)
    for m in (16, 128, 4096):
        yield Row("matmul_nt", (m, 4096, 4096), "float16", group=group)
    for op in ("matmul_tn", "matmul_tt", "matmul_bias_gelu"):
        yield Row(op, (4096,) * 3, "float16", group=group)


def drawn_products(rng: random.Random) -> Iterable[Row]:
    """Sizes that nobody chose."""
    for op in ("matmul", "matmul", "matmul", "matmul_nt", "matmul_tn", "matmul_tt"):
        yield Row(op, tuple([rng.randint(200, 5000) for _ in range(3)]), "float32", True, "drawn")
    yield Row(
        "matmul", (rng.randint(1, 16), rng.randint(2000, 9000), rng.randint(2000, 9000)), "float32", True, "drawn"
    )
    sizes = [rng.randint(50, 900) for _ in range(3)]
    yield Row("batch_matmul", (rng.randint(2, 64), *sizes), "float32", True, "drawn")


def convolutions() -> Iterable[Row]:
    """Convolutions in float32: listed layers in both layouts, and the tables of the TVM paper."""
    for number, shape in enumerate(_SIX, 1):
        for op in ("conv2d", "conv2d_nhwc"):
            yield Row(op, shape, "float32", group=f"six layers, {op}", label=f"L{number}")
    for batch in (1, 32):
        for number, layer in enumerate(_RESNET, 1):
            yield Row("conv2d", (batch, *layer), "float32", group=f"ResNet-18, batch {batch}", label=f"C{number}")
    for batch in (1, 32):
        for number, (channels, size, stride) in enumerate(_MOBILENET, 1):
            shape = (batch, channels, size, size, 3, stride, 1, 1)
            group = f"MobileNet depthwise, batch {batch}"
            yield Row("depthwise_conv2d_nchw", shape, "float32", group=group, label=f"D{number}")
    for op in ("depthwise_conv2d_nchw", "depthwise_conv2d_nhwc"):
        yield Row(op, (32, 256, 56, 56, 3, 1, 1, 1), "float32", group="depthwise")
    for op in ("conv2d_bias_relu", "conv2d_bias_add_relu"):
        yield Row(op, (32, 128, 28, 128, 3, 1), "float32", group="with an epilogue")


def drawn_convolutions(rng: random.Random) -> Iterable[Row]:
    """Layers that nobody chose."""
    for op in ("conv2d", "conv2d", "conv2d", "conv2d_nhwc", "conv2d_nhwc"):
        shape = (rng.randint(1, 40), rng.randint(16, 300), rng.randint(7, 70), rng.randint(16, 300))
        yield Row(op, (*shape, rng.choice([1, 3, 3, 5]), rng.choice([1, 1, 2])), "float32", True, "drawn")
    for op in ("depthwise_conv2d_nchw", "depthwise_conv2d_nhwc"):
        size = rng.randint(7, 70)
        shape = (rng.randint(1, 40), rng.randint(16, 600), size, size, rng.choice([3, 5]), rng.choice([1, 2]), 1, 1)
        yield Row(op, shape, "float32", True, "drawn")


def single_operators() -> Iterable[Row]:
    """The single operators of the Ansor paper at batches of 1 and 16."""
    for batch in (1, 16):
        for name, op, sizes in _ANSOR:
            for number, size in enumerate(sizes, 1):
                yield Row(op, (batch, *size), "float32", group=f"{name}, batch {batch}", label=f"{name}{number}")


def drawn_single_operators(rng: random.Random) -> Iterable[Row]:
    """One of each kind that the other families do not draw."""
    size = (rng.randint(16, 200), rng.randint(20, 300), rng.randint(16, 200))
    yield Row("conv1d", (rng.randint(1, 16), *size, rng.choice([3, 5]), 1), "float32", True, "drawn")
    groups = rng.choice([2, 4, 8])
    wide = groups * rng.randint(8, 40)
    shape = (rng.randint(1, 16), wide, rng.randint(7, 60), wide, 3, rng.choice([1, 2]), groups)
    yield Row("group_conv2d", shape, "float32", True, "drawn")
