"""pixel_distribute on the GPU: a program gives BLOCK_P pixels of one clip their mixtures.

x is read once, BLOCK_C channels at a time, into the logits of all maps, which stay in registers; after the softmax y is
written once. Per pixel C numbers in and C out, 4 * C * K operations. Of narrow frames of up to 64 channels a program
has many blocks of pixels, and keeps both matrices in registers, split as `dot_with_frames` needs them.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from .launching import Blocks, dot_with_frames, pixel_strides, power_of_two, processors, splits_frames


@triton.jit
def places(o_p, W, row_stride, pixel_stride, FLAT: tl.constexpr):
    """Where pixels lie that are counted along the rows."""
    if FLAT:
        o_x = o_p.to(tl.int64) * pixel_stride
    else:
        o_x = (o_p // W).to(tl.int64) * row_stride + (o_p % W).to(tl.int64) * pixel_stride
    return o_x


@triton.jit
def exponentials(b_logits, dtype: tl.constexpr, SPLIT: tl.constexpr):
    """Of logits (BLOCK_K, BLOCK_P): their exponentials, in the frames' type where products are split, as the result
    will be, and the inverse of their sums."""
    b_e = tl.exp(b_logits - tl.maximum(tl.max(b_logits, 0), -3.0e38)[None, :])
    if SPLIT:
        b_e = b_e.to(dtype)
    return b_e, 1.0 / tl.sum(b_e.to(tl.float32), 0)


@triton.jit
def distribute_kernel(
    x,
    aggregate,
    weight,
    bias,
    y,
    C,
    K,
    P,
    W,
    x_batch_stride,
    x_channel_stride,
    x_row_stride,
    x_pixel_stride,
    y_batch_stride,
    y_channel_stride,
    y_row_stride,
    y_pixel_stride,
    FLAT: tl.constexpr,
    SPLIT: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    i_b = tl.program_id(1).to(tl.int64)
    o_p = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    o_c, o_k = tl.arange(0, BLOCK_C), tl.arange(0, BLOCK_K)
    m_p, m_k = o_p < P, o_k < K
    o_x = places(o_p, W, x_row_stride, x_pixel_stride, FLAT)
    o_y = places(o_p, W, y_row_stride, y_pixel_stride, FLAT)
    b_logits = tl.zeros((BLOCK_K, BLOCK_P), tl.float32)
    for i_c in range(0, C, BLOCK_C):
        m_c = i_c + o_c < C
        p_weight = weight + o_k[:, None] * C + i_c + o_c[None, :]
        b_weight = tl.load(p_weight, mask=m_k[:, None] & m_c[None, :], other=0.0)
        p_x = x + i_b * x_batch_stride + (i_c + o_c).to(tl.int64)[:, None] * x_channel_stride + o_x[None, :]
        b_x = tl.load(p_x, mask=m_c[:, None] & m_p[None, :], other=0.0)
        b_logits = dot_with_frames(b_weight, b_x, b_logits, SPLIT)
    b_bias = tl.load(bias + o_k, mask=m_k, other=float("-inf"))
    b_e, b_inverse = exponentials(b_logits + b_bias[:, None], x.dtype.element_ty, SPLIT)
    for i_c in range(0, C, BLOCK_C):
        m_c = i_c + o_c < C
        p_aggregate = aggregate + i_b * C * K + (i_c + o_c)[:, None] * K + o_k[None, :]
        b_aggregate = tl.load(p_aggregate, mask=m_c[:, None] & m_k[None, :], other=0.0)
        b_y = dot_with_frames(b_aggregate, b_e, tl.zeros((BLOCK_C, BLOCK_P), tl.float32), SPLIT) * b_inverse[None, :]
        p_y = y + i_b * y_batch_stride + (i_c + o_c).to(tl.int64)[:, None] * y_channel_stride + o_y[None, :]
        tl.store(p_y, b_y.to(y.dtype.element_ty), mask=m_c[:, None] & m_p[None, :])


@triton.jit
def keeping_kernel(
    x,
    aggregate,
    weight,
    bias,
    y,
    C,
    K,
    P,
    W,
    x_batch_stride,
    x_channel_stride,
    x_row_stride,
    x_pixel_stride,
    y_batch_stride,
    y_channel_stride,
    y_row_stride,
    y_pixel_stride,
    FLAT: tl.constexpr,
    SPLIT: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    i_b = tl.program_id(1).to(tl.int64)
    o_c, o_k = tl.arange(0, BLOCK_C), tl.arange(0, BLOCK_K)
    m_c, m_k = o_c < C, o_k < K
    b_bias = tl.load(bias + o_k, mask=m_k, other=float("-inf"))[:, None]
    b_weight = tl.load(weight + o_k[:, None] * C + o_c[None, :], mask=m_k[:, None] & m_c[None, :], other=0.0)
    p_aggregate = aggregate + i_b * C * K + o_c[:, None] * K + o_k[None, :]
    b_aggregate = tl.load(p_aggregate, mask=m_c[:, None] & m_k[None, :], other=0.0)
    p_x = x + i_b * x_batch_stride + o_c.to(tl.int64)[:, None] * x_channel_stride
    p_y = y + i_b * y_batch_stride + o_c.to(tl.int64)[:, None] * y_channel_stride
    for i_p in range(tl.program_id(0), tl.cdiv(P, BLOCK_P), tl.num_programs(0)):
        o_p = i_p * BLOCK_P + tl.arange(0, BLOCK_P)
        m_cp = m_c[:, None] & (o_p < P)[None, :]
        o_x = places(o_p, W, x_row_stride, x_pixel_stride, FLAT)
        o_y = places(o_p, W, y_row_stride, y_pixel_stride, FLAT)
        b_x = tl.load(p_x + o_x[None, :], mask=m_cp, other=0.0)
        b_logits = dot_with_frames(b_weight, b_x, tl.zeros((BLOCK_K, BLOCK_P), tl.float32), SPLIT)
        b_e, b_inverse = exponentials(b_logits + b_bias, x.dtype.element_ty, SPLIT)
        b_y = dot_with_frames(b_aggregate, b_e, tl.zeros((BLOCK_C, BLOCK_P), tl.float32), SPLIT) * b_inverse[None, :]
        tl.store(p_y + o_y[None, :], b_y.to(y.dtype.element_ty), mask=m_cp)


PROGRAMS = 4  # of `keeping_kernel`, for each processor


def blocks(channels: int, maps: int, dtype: torch.dtype) -> Blocks:
    """The logits of all maps share the registers, and float32 products need twice as many."""
    c, k = min(64, power_of_two(channels)), power_of_two(maps)
    pixels = 32 if dtype == torch.float32 and k > 32 else 128 if dtype != torch.float32 and c <= 32 >= k else 64
    return Blocks({"BLOCK_C": c, "BLOCK_K": k, "BLOCK_P": pixels}, 4 if k <= 64 else 8)


def why_not(x: Tensor, aggregate: Tensor, weight: Tensor, *_: Tensor) -> list[str]:
    maps = weight.shape[0]
    return [f"takes up to 128 maps in all, got {maps}"] if maps > 128 else []


def launch(y: Tensor, x: Tensor, aggregate: Tensor, weight: Tensor, bias: Tensor) -> None:
    """Fills `y` of `vdeblur_fast.ops.pixel_distribute.outputs`, on the current stream."""
    batch, channels, height, width = x.shape
    maps, pixels = weight.shape[0], height * width
    chosen = blocks(channels, maps, x.dtype)
    (x_row, x_pixel, x_flat), (y_row, y_pixel, y_flat) = pixel_strides(x), pixel_strides(y)
    programs, kernel = triton.cdiv(pixels, chosen.sizes["BLOCK_P"]), distribute_kernel
    if splits_frames(x) and channels <= chosen.sizes["BLOCK_C"]:
        programs, kernel = min(programs, triton.cdiv(PROGRAMS * processors(x.device), batch)), keeping_kernel
    kernel[programs, batch](
        x,
        *(t.float().contiguous() for t in (aggregate, weight, bias)),
        y,
        channels,
        maps,
        pixels,
        width,
        *x.stride()[:2],
        x_row,
        x_pixel,
        *y.stride()[:2],
        y_row,
        y_pixel,
        FLAT=x_flat and y_flat,
        SPLIT=splits_frames(x),
        **chosen.sizes,
        **chosen.options(),
    )
