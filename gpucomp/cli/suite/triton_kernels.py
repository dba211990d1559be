# pyright: basic, reportMissingImports=false
# Triton reads the source of these functions: they are its language, not Python, and its module is not installed here.
"""Row kernels in Triton's language."""

import triton
import triton.language as tl


@triton.jit
def softmax(a, out, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    place = tl.arange(0, BLOCK)
    inside = place < columns
    x = tl.load(a + row * columns + place, mask=inside, other=-float("inf")).to(tl.float32)
    powers = tl.exp(x - tl.max(x, 0))
    tl.store(out + row * columns + place, powers / tl.sum(powers, 0), mask=inside)


@triton.jit
def layer_norm(a, weight, bias, out, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    place = tl.arange(0, BLOCK)
    inside = place < columns
    x = tl.load(a + row * columns + place, mask=inside, other=0.0).to(tl.float32)
    mean = tl.sum(x, 0) / columns
    shifted = tl.where(inside, x - mean, 0.0)
    scale = tl.rsqrt(tl.sum(shifted * shifted, 0) / columns + 1e-5)
    w = tl.load(weight + place, mask=inside, other=0.0).to(tl.float32)
    b = tl.load(bias + place, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row * columns + place, shifted * scale * w + b, mask=inside)


@triton.jit
def rms_norm(a, weight, out, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    place = tl.arange(0, BLOCK)
    inside = place < columns
    x = tl.load(a + row * columns + place, mask=inside, other=0.0).to(tl.float32)
    scale = tl.rsqrt(tl.sum(x * x, 0) / columns + 1e-5)
    w = tl.load(weight + place, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row * columns + place, x * scale * w, mask=inside)


@triton.jit
def row_sum(a, out, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    place = tl.arange(0, BLOCK)
    x = tl.load(a + row * columns + place, mask=place < columns, other=0.0).to(tl.float32)
    tl.store(out + row, tl.sum(x, 0))


KERNELS = {"softmax": softmax, "layer_norm": layer_norm, "rms_norm": rms_norm, "row_sum": row_sum}
